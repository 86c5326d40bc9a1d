"""What foreign peers send and fetch: instances of many kinds and transfer syntaxes, and how to compare them."""

import io
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from pydicom import dcmread
from pydicom import uid as u
from pydicom.data import get_testdata_file
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from gateway.demo import kinds, made
from tests.instances import Instance, encode, new_uid

UNCOMPRESSED = (u.ImplicitVRLittleEndian, u.ExplicitVRLittleEndian, u.ExplicitVRBigEndian)
DEFLATED = (u.DeflatedExplicitVRLittleEndian,)
# Real compressed pixels, that peers may look into: files that pydicom carries.
_COMPRESSED = (
    (u.JPEGBaseline8Bit, "SC_rgb_small_odd_jpeg.dcm"),
    (u.JPEGExtended12Bit, "JPGExtended.dcm"),
    (u.JPEGLSLossless, "MR_small_jpeg_ls_lossless.dcm"),
    (u.JPEG2000Lossless, "MR_small_jp2klossless.dcm"),
    (u.JPEG2000, "JPEG2000.dcm"),
    (u.RLELossless, "MR_small_RLE.dcm"),
)
ENCAPSULATED = tuple(syntax for syntax, _ in _COMPRESSED)
ALL = (*UNCOMPRESSED, *DEFLATED, *ENCAPSULATED)
_TRAILING_PADDING, _PIXEL_DATA = 0xFFFCFFFC, 0x7FE00010


def a_study(syntaxes: Iterable[str] = ALL) -> list[Instance]:
    """One study, new each time: an image in each of the transfer syntaxes, and where VRs are explicit or
    implicit little endian also an instance of each kind.
    """
    wanted = {u.UID(syntax) for syntax in syntaxes}
    study = new_uid()
    data_sets = [*_kinds(wanted), *_slices(wanted), *_compressed(wanted)]
    return [_identified(data_set, study, syntax) for data_set, syntax in data_sets]


def _kinds(wanted: set[u.UID]) -> Iterator[tuple[Dataset, str]]:
    for syntax in (u.ExplicitVRLittleEndian, u.ImplicitVRLittleEndian):
        if syntax in wanted:
            yield from ((build(), syntax) for build in kinds.KINDS.values())


def _slices(wanted: set[u.UID]) -> Iterator[tuple[Dataset, str]]:
    for number, syntax in enumerate((*UNCOMPRESSED, *DEFLATED), 1):
        if syntax in wanted:
            yield made.ct_slice("interop", number, syntax), syntax


def _compressed(wanted: set[u.UID]) -> Iterator[tuple[Dataset, str]]:
    for syntax, name in _COMPRESSED:
        if syntax in wanted:
            yield dcmread(get_testdata_file(name, download=False)), syntax


def _identified(data_set: Dataset, study: str, syntax: str) -> Instance:
    data_set.StudyInstanceUID, data_set.SeriesInstanceUID = study, new_uid()
    data_set.SOPInstanceUID = new_uid()
    return Instance(
        study,
        data_set.SeriesInstanceUID,
        data_set.SOPInstanceUID,
        data_set.SOPClassUID,
        str(syntax),
        made.encoded(data_set, u.UID(syntax)),
    )


def encoded_as(instance: Instance, data_set: bytes, transfer_syntax: str) -> Instance:
    return replace(instance, data_set=data_set, transfer_syntax=transfer_syntax)


def changed(instance: Instance) -> Instance:
    """One value of it is another, deep in a sequence where it has one."""
    data_set = decoded(instance)
    deepest = data_set
    while inner := [element for element in deepest if element.VR == "SQ" and element.value]:
        deepest = inner[-1].value[-1]
    element = next(one for one in reversed(list(deepest)) if one.VR != "SQ" and one.tag != _TRAILING_PADDING)
    if isinstance(element.value, bytes):
        element.value = element.value[:-2] + bytes([element.value[-2] ^ 1, element.value[-1]])
    elif isinstance(element.value, str):
        element.value = element.value[:-1] + ("1" if element.value[-1:] == "0" else "0")
    else:
        element.value = [part + 1 for part in element.value] if element.VM > 1 else element.value + 1
    return replace(instance, data_set=encode(data_set, instance.transfer_syntax))


def differences(one: Instance, other: Instance) -> list[str]:
    """Where two encodings differ, element by element; what encoders may choose freely is let pass.

    Free are: the length of sequences and items, group lengths, padding after the last element.
    """
    return list(_differences(decoded(one), decoded(other), ""))


def decoded(instance: Instance) -> Dataset:
    syntax = u.UID(instance.transfer_syntax)
    data = instance.data_set
    if syntax.is_deflated:
        data = zlib.decompress(data, -zlib.MAX_WBITS)
    return read_dataset(
        io.BytesIO(data), is_implicit_VR=syntax.is_implicit_VR, is_little_endian=syntax.is_little_endian
    )


def _differences(one: Dataset, other: Dataset, where: str) -> Iterator[str]:
    for tag in sorted({*one.keys(), *other.keys()}):
        if tag.element == 0 or tag == _TRAILING_PADDING:
            continue
        here = f"{where}{tag}"
        if tag not in one or tag not in other:
            yield f"{here} is in one only"
        else:
            yield from _element_differences(one[tag], other[tag], here)


def _element_differences(one: DataElement, other: DataElement, where: str) -> Iterator[str]:
    if one.VR == "SQ" and other.VR == "SQ":
        for number, (left, right) in enumerate(zip_longest(one.value, other.value)):
            if left is None or right is None:
                yield f"{where} has {len(one.value)} items, and {len(other.value)}"
                return
            yield from _differences(left, right, f"{where}[{number}].")
    elif _plain(one) != _plain(other):
        yield f"{where} {_short(one)} became {_short(other)}"


def _plain(element: DataElement) -> object:
    """The value, without what makes its length even."""
    value = element.value
    if isinstance(value, bytes):
        return value.removesuffix(b"\0") if len(value) % 2 == 0 and element.tag != _PIXEL_DATA else value
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [str(part).rstrip(" \0") for part in value]
    return "" if value is None else str(value).rstrip(" \0")


def _short(element: DataElement) -> str:
    return f"{element.VR} {str(element.value)[:40]!r}"

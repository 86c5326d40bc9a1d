"""Made instances: kinds and encodings that packages do not carry, the same at every run."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from uuid import UUID, uuid5

from pydicom import uid as u
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from gateway.demo import kinds
from gateway.demo.material import Description, Sample, write_sample
from gateway.demo.part10 import read_meta
from gateway.demo.pixels import rle, slice_of, swapped

ORIGIN = "made"
SERIES_LENGTH = 60
SIDE = 256
_ROOT = UUID("6f2c1d5e-8a5b-5b0e-9d55-0f6d1f0b7a11")
_SYNTAXES = (
    u.ImplicitVRLittleEndian,
    u.ExplicitVRLittleEndian,
    u.ExplicitVRBigEndian,
    u.DeflatedExplicitVRLittleEndian,
    u.RLELossless,
)


def uid_of(*name: object) -> UID:
    """A UID of the UUID-derived kind (PS3.5 B.2), always the same for the same name."""
    return UID(f"2.25.{uuid5(_ROOT, '/'.join(map(str, name))).int}")


def made(folder: Path) -> Iterator[Sample]:
    """One instance of each kind, and one CT series in which the transfer syntaxes take turns."""
    for kind, build in kinds.KINDS.items():
        data_set = identified(build(), "kinds", kind)
        yield write(folder, f"made/{kind}", data_set, u.ExplicitVRLittleEndian)
    yield from ct_series(folder, "mixed", SERIES_LENGTH, syntaxes=_SYNTAXES)


def ct_series(
    folder: Path, study: str, instances: int, *, syntaxes: tuple[UID, ...] = (u.ExplicitVRLittleEndian,)
) -> Iterator[Sample]:
    """A CT series of one study, 256 x 256 pixels of 16 bits a slice."""
    for number in range(1, instances + 1):
        syntax = syntaxes[number % len(syntaxes)]
        data_set = ct_slice(study, number, syntax)
        yield write(folder, f"made/ct-{study}-{number:04d}", data_set, syntax)


def ct_slice(study: str, number: int, syntax: UID) -> Dataset:
    """One slice, its pixels as the transfer syntax wants them."""
    data_set = identified(kinds.ct(number, SIDE), "ct", study, number=number)
    pixels = slice_of(SIDE, number)
    if syntax == u.RLELossless:
        data_set.PixelData = encapsulate([rle(pixels, columns=SIDE)])
        data_set["PixelData"].is_undefined_length = True
        data_set["PixelData"].VR = "OB"
    else:
        data_set.PixelData = swapped(pixels) if syntax == u.ExplicitVRBigEndian else pixels
        data_set["PixelData"].VR = "OW"
    return data_set


def identified(data_set: Dataset, *study: object, number: int = 1) -> Dataset:
    """Gives it the UIDs that its study and number make."""
    data_set.StudyInstanceUID = uid_of(*study)
    data_set.SeriesInstanceUID = uid_of(*study, 1)
    data_set.SOPInstanceUID = uid_of(*study, 1, number)
    data_set.InstanceNumber = number
    return data_set


def write(folder: Path, name: str, data_set: Dataset, syntax: UID) -> Sample:
    """Encodes a data set once; from here on only its bytes are looked at."""
    what = Description(
        sop_class=data_set.SOPClassUID,
        sop_instance=data_set.SOPInstanceUID,
        study=data_set.StudyInstanceUID,
        series=data_set.SeriesInstanceUID,
        transfer_syntax=syntax,
    )
    return write_sample(folder, name=name, origin=ORIGIN, data_set=encoded(data_set, syntax), what=what)


def encoded(data_set: Dataset, syntax: UID) -> bytes:
    """The data set's bytes in a transfer syntax, without the file around them."""
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = syntax
    file = BytesIO()
    data_set.save_as(file, enforce_file_format=True)
    data = file.getvalue()
    return data[read_meta(data).offset :]

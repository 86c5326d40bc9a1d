"""Packages: the real DICOM files that the installed Python packages carry, many of them deliberately odd."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.uid import UID

from gateway.demo.material import Description, Expectation, LeftOut, Sample, origin_of, write_sample
from gateway.demo.part10 import FileMeta, NotPart10Error, read_meta

_FOLDERS = (("pydicom", "data"), ("pynetdicom", "tests/dicom_files"))
_NOT_DICOM = frozenset(
    {".py", ".pyc", ".json", ".txt", ".md", ".dump", ".icc", ".gz", ".crt", ".key", ".ini", ".typed"}
)
_TAGS = ["SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"]

_PIXELS = ["PixelData", "FloatPixelData", "DoubleFloatPixelData"]

# What is wrong with these is inside them, where only a strict reader looks (PS3.10 has no checksum). It was
# found by eye and stands here so that the gateway is held to it; see tests/vectors/README.md.
_DAMAGED = {
    "MR_truncated": "the pixel data is shorter than it says",
    "rtplan_truncated": "the file ends within an element",
    "SC_rgb_jpeg": "named JPEG Baseline, which is Explicit VR, but its elements are Implicit VR",
    "image_dfl": "a checksum and a length follow the deflated stream, which PS3.5 A.5 has no room for",
    "SCImageStorage_Deflated": "a copy of image_dfl, with the same bytes after the deflated stream",
}
_NO_PATIENT = {
    "1.2.840.10008.5.1.4.39.1": "a colour palette belongs to no patient",
    "1.2.840.10008.1.3.10": "a DICOMDIR is a directory, not an instance to be kept",
}


def carried(folder: Path) -> Iterator[Sample | LeftOut]:
    """Copies each file's data set, byte for byte, into `folder`, and says what must come of it."""
    for package, below in _FOLDERS:
        origin = origin_of(package)
        for path in _files(package, below):
            name = f"{package}/{path.name.removesuffix('.dcm')}"
            if "dicomdirtests" in path.parts:
                name = f"{package}/{'-'.join(path.parts[path.parts.index('dicomdirtests') + 1 :])}"
            yield _sample(folder, path, name=name, origin=origin)


def _files(package: str, below: str) -> Iterator[Path]:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return
    for path in sorted((Path(spec.origin).parent / below).rglob("*")):
        if path.is_file() and path.suffix not in _NOT_DICOM and not path.name.startswith("README"):
            yield path


def _sample(folder: Path, path: Path, *, name: str, origin: str) -> Sample | LeftOut:
    data = path.read_bytes()
    try:
        meta = read_meta(data)
    except NotPart10Error as error:
        return LeftOut(name, origin, f"not a Part 10 file: {error}")
    said = _said(data)
    what = _described(said, meta)
    if not what.transfer_syntax:
        return LeftOut(name, origin, "names no transfer syntax, so no sender can propose one")
    if not (what.sop_class and what.sop_instance):
        return LeftOut(name, origin, "names no SOP class or instance, so no C-STORE can name it")
    sample = write_sample(folder, name=name, origin=origin, data_set=data[meta.offset :], what=what)
    expectation, why = _expectation(path.name.removesuffix(".dcm"), said, what)
    if expectation is Expectation.KEPT and _is_image(what) and not _has_pixels(data):
        expectation, why = Expectation.REFUSED, "an image whose pixels were taken out"
    return replace(sample, expectation=expectation, why=why)


def _said(data: bytes) -> Dataset:
    """What the data set says of itself, as far as pydicom can read it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return dcmread(BytesIO(data), specific_tags=list(_TAGS), stop_before_pixels=True)
        except (InvalidDicomError, EOFError, ValueError, KeyError, AttributeError, NotImplementedError):
            return Dataset()


def _is_image(what: Description) -> bool:
    return "Image Storage" in UID(what.sop_class).name


def _has_pixels(data: bytes) -> bool:
    """Whether pixels are there, or cannot be looked for: a file that breaks off is told by other means."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return any(tag in dcmread(BytesIO(data)) for tag in _PIXELS)
        except (InvalidDicomError, EOFError, ValueError, KeyError, AttributeError, NotImplementedError):
            return True


def _described(said: Dataset, meta: FileMeta) -> Description:
    """A sender names what the data set says; where that is silent, what the file meta information says."""
    return Description(
        sop_class=str(said.get("SOPClassUID") or meta.sop_class),
        sop_instance=str(said.get("SOPInstanceUID") or meta.sop_instance),
        study=str(said.get("StudyInstanceUID") or ""),
        series=str(said.get("SeriesInstanceUID") or ""),
        transfer_syntax=meta.transfer_syntax,
    )


def _expectation(stem: str, said: Dataset, what: Description) -> tuple[Expectation, str]:
    if what.sop_class in _NO_PATIENT:
        return Expectation.NOT_NEGOTIATED, _NO_PATIENT[what.sop_class]
    if stem in _DAMAGED:
        return Expectation.REFUSED, _DAMAGED[stem]
    missing = [tag.removesuffix("UID") for tag in _TAGS if not said.get(tag)]
    if missing:
        return Expectation.REFUSED, f"without {' and '.join(missing)} UID"
    return Expectation.KEPT, ""

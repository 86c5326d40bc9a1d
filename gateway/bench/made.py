"""Made data sets: what a workload's templates say, encoded, with marks for what differs."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from gateway.bench.workload import Template, Workload

UID_NUMBER_LENGTH = 12
"""Digits at the end of a UID that the load generator counts up."""
_DIGITS = 38
"""Of a UID below 2.25 (PS3.5 B.2): any number of so many digits that begins with 1 is below 2**128."""


def _mark(digit: str) -> str:
    return f"2.25.1{digit * (_DIGITS - 1)}"


MARKS = {"study": _mark("1"), "series": _mark("2"), "sop_instance": _mark("3"), "number": "99999999"}


@dataclass(frozen=True, slots=True)
class Made:
    """One encoded data set in a file."""

    path: Path
    sop_class: str
    length: int


def new_prefix(source: random.Random) -> str:
    """The beginning of all UIDs of one run: no two runs send the same instance."""
    digits = _DIGITS - 1 - UID_NUMBER_LENGTH
    return "2.25.1" + "".join(source.choices("0123456789", k=digits))


def make(workload: Workload, folder: Path, seed: int = 1) -> list[Made]:
    """Writes all variants of all templates, those of one kind beside those of another."""
    folder.mkdir(parents=True, exist_ok=True)
    source = random.Random(seed)  # noqa: S311 - pixels, not secrets
    columns = [list(_variants(workload, template, source)) for template in workload.templates]
    turns = max(len(column) for column in columns)
    made = []
    for turn in range(turns):
        for number, (template, column) in enumerate(zip(workload.templates, columns, strict=True)):
            encoded = column[turn % len(column)]
            path = folder / f"{workload.name}-{number}-{turn % len(column)}"
            if not path.exists():
                path.write_bytes(encoded)
            made.append(Made(path, template.sop_class, len(encoded)))
    return made


def _variants(workload: Workload, template: Template, source: random.Random) -> Iterator[bytes]:
    for _ in range(template.variants):
        yield _encoded(_data_set(template, source), workload.transfer_syntax)


def _encoded(data_set: Dataset, transfer_syntax: str) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, transfer_syntax == "1.2.840.10008.1.2"
    write_dataset(buffer, data_set)
    return bytes(buffer.getvalue())


def _data_set(template: Template, source: random.Random) -> Dataset:
    data_set = Dataset()
    for keyword, value in _every_instance(template).items():
        setattr(data_set, keyword, value)
    if template.text:
        _write_report(data_set, template, source)
    else:
        _write_image(data_set, template, source)
    return data_set


def _every_instance(template: Template) -> dict[str, object]:
    """What instances of all kinds carry, about as many elements as modalities send."""
    return {
        "SpecificCharacterSet": "ISO_IR 192", "InstanceCreationDate": "20260115",
        "InstanceCreationTime": "101512.345", "SOPClassUID": template.sop_class,
        "SOPInstanceUID": MARKS["sop_instance"], "StudyDate": "20260115", "SeriesDate": "20260115",
        "ContentDate": "20260115", "StudyTime": "101500", "SeriesTime": "101505", "ContentTime": "101512",
        "AccessionNumber": "BENCH", "Modality": template.modality, "Manufacturer": "Kuvavaranto",
        "InstitutionName": "Bench Hospital", "InstitutionAddress": "Testikatu 1, Helsinki",
        "ReferringPhysicianName": "Referrer^Bench", "StationName": "BENCH01",
        "ProcedureCodeSequence": [_code("BENCH", "99KUVA", "Load of the bench")],
        "StudyDescription": "Load of the bench", "SeriesDescription": "Load of the bench, axial, 1 mm",
        "InstitutionalDepartmentName": "Imaging", "PerformingPhysicianName": "Performer^Bench",
        "OperatorsName": "Operator^Bench", "ManufacturerModelName": "kuva-load",
        "ReferencedStudySequence": [_referenced("1.2.840.10008.3.1.2.3.1")],
        "ReferencedPerformedProcedureStepSequence": [_referenced("1.2.840.10008.3.1.2.3.3")],
        "PatientName": "Load^Bench", "PatientID": "BENCH-1", "IssuerOfPatientID": "BENCH",
        "PatientBirthDate": "19700101", "PatientSex": "O", "PatientAge": "056Y", "PatientSize": "1.75",
        "PatientWeight": "75", "PatientComments": "made by a program, of no patient",
        "DeviceSerialNumber": "000001", "SoftwareVersions": ["1.0", "bench"], "ProtocolName": "bench",
        "StudyInstanceUID": MARKS["study"], "SeriesInstanceUID": MARKS["series"], "StudyID": "1",
        "SeriesNumber": 1, "AcquisitionNumber": 1, "InstanceNumber": MARKS["number"],
        "RequestAttributesSequence": [_requested()], "PerformedProcedureStepStartDate": "20260115",
        "PerformedProcedureStepStartTime": "101400", "PerformedProcedureStepID": "BENCH-STEP",
        "PerformedProcedureStepDescription": "Load of the bench",
    }  # fmt: skip


def _referenced(sop_class: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, "2.25.1"
    return item


def _requested() -> Dataset:
    item = Dataset()
    item.RequestedProcedureDescription, item.RequestedProcedureID = "Load of the bench", "BENCH-RP"
    item.ScheduledProcedureStepDescription, item.ScheduledProcedureStepID = "Load of the bench", "BENCH-SPS"
    item.ScheduledProtocolCodeSequence = [_code("BENCH", "99KUVA", "Load of the bench")]
    return item


def _write_image(data_set: Dataset, template: Template, source: random.Random) -> None:
    for keyword, value in {
        "ImageType": ["ORIGINAL", "PRIMARY"], "AcquisitionDate": "20260115", "AcquisitionTime": "101511.9",
        "BodyPartExamined": "CHEST", "KVP": "120", "DataCollectionDiameter": "500",
        "SpacingBetweenSlices": "1.0", "ReconstructionDiameter": "360", "DistanceSourceToDetector": "1085.6",
        "DistanceSourceToPatient": "595", "GantryDetectorTilt": "0", "TableHeight": "151.5",
        "RotationDirection": "CW", "ExposureTime": "500", "XRayTubeCurrent": "210", "Exposure": "105",
        "FilterType": "0", "GeneratorPower": "42", "FocalSpots": "1.2", "ConvolutionKernel": "B30f",
        "PatientPosition": "HFS", "FrameOfReferenceUID": "2.25.2", "PositionReferenceIndicator": "SN",
        "SliceLocation": "-120.5", "ImageComments": "noise", "SliceThickness": "1.0",
        "PixelSpacing": ["0.7", "0.7"],
        "ImagePositionPatient": ["0", "0", "0"], "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
        "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Rows": template.rows,
        "Columns": template.columns, "BitsAllocated": 16, "BitsStored": template.bits_stored,
        "HighBit": template.bits_stored - 1, "PixelRepresentation": 0, "RescaleIntercept": "-1024",
        "RescaleSlope": "1", "WindowCenter": ["40", "-600"],
        "WindowWidth": ["400", "1500"], "WindowCenterWidthExplanation": ["WINDOW1", "WINDOW2"],
        "RescaleType": "HU", "LossyImageCompression": "00",
    }.items():  # fmt: skip
        setattr(data_set, keyword, value)
    if template.frames > 1:
        data_set.NumberOfFrames = template.frames
        data_set.FrameTime = "40"
        data_set.FrameIncrementPointer = 0x00181063
    pixels = template.rows * template.columns * template.frames
    data_set.add_new(0x7FE00010, "OW", _noise(pixels, template.bits_stored, source))


def _noise(pixels: int, bits_stored: int, source: random.Random) -> bytes:
    """Noise, so that no file system or network compresses it away."""
    mask = ((1 << bits_stored) - 1).to_bytes(2, "little")
    low, high = (bytes(value & kept for value in range(256)) for kept in mask)
    noise = bytearray(source.randbytes(2 * pixels))
    noise[0::2] = noise[0::2].translate(low)
    noise[1::2] = noise[1::2].translate(high)
    return bytes(noise)


def _write_report(data_set: Dataset, template: Template, source: random.Random) -> None:
    data_set.CompletionFlag, data_set.VerificationFlag, data_set.ValueType = (
        "COMPLETE",
        "UNVERIFIED",
        "CONTAINER",
    )
    data_set.ConceptNameCodeSequence = [_code("18748-4", "LN", "Diagnostic imaging report")]
    data_set.ContinuityOfContent = "SEPARATE"
    data_set.ContentSequence = [_paragraph(source) for _ in range(max(1, template.text // _PARAGRAPH))]


_PARAGRAPH = 512
"""Characters of one content item."""


def _paragraph(source: random.Random) -> Dataset:
    item = Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.ConceptNameCodeSequence = [_code("121071", "DCM", "Finding")]
    item.TextValue = "".join(source.choices("abcdefghijklmnopqrstuvwxyz      ", k=_PARAGRAPH)).strip()
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code

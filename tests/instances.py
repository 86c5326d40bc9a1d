"""Instances for tests: small, made of nothing but what is written here, each with its own bytes."""

import io
import itertools
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

CT, SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7"
EXPLICIT, IMPLICIT = str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
_numbers = itertools.count(1)


def new_uid() -> str:
    return f"2.25.{uuid.uuid4().int}"


@dataclass(frozen=True)
class Instance:
    """One instance: its identity and its data set as bytes."""

    study: str
    series: str
    sop_instance: str
    sop_class: str
    transfer_syntax: str
    data_set: bytes

    def write(self, folder: Path) -> Path:
        """As a Part 10 file."""
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = self.sop_class
        meta.MediaStorageSOPInstanceUID = self.sop_instance
        meta.TransferSyntaxUID = self.transfer_syntax
        meta.ImplementationClassUID = "1.2.3.4"
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, False
        write_file_meta_info(buffer, meta, enforce_standard=True)
        path = folder / f"{self.sop_instance}.dcm"
        path.write_bytes(bytes(128) + b"DICM" + buffer.getvalue() + self.data_set)
        return path


def data_set_of(**elements: object) -> Dataset:
    made = Dataset()
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def encode(data_set: Dataset, transfer_syntax: str) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian = True
    buffer.is_implicit_VR = transfer_syntax == IMPLICIT
    write_dataset(buffer, data_set)
    return buffer.getvalue()


def ct(
    *,
    study: str | None = None,
    series: str | None = None,
    sop_instance: str | None = None,
    transfer_syntax: str = EXPLICIT,
    side: int = 16,
    name: str = "Meikäläinen^Matti",
    pixels: bytes | None = None,
) -> Instance:
    """A CT slice of side x side pixels."""
    study, series, sop_instance = study or new_uid(), series or new_uid(), sop_instance or new_uid()
    number = next(_numbers)
    data_set = data_set_of(
        SpecificCharacterSet="ISO_IR 192",
        ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
        SOPClassUID=CT,
        SOPInstanceUID=sop_instance,
        StudyDate="20240229",
        StudyTime="101500",
        AccessionNumber=f"A{number}",
        Modality="CT",
        StudyDescription="Test",
        PatientName=name,
        PatientID="TEST-1",
        PatientBirthDate="19700101",
        PatientSex="O",
        StudyInstanceUID=study,
        SeriesInstanceUID=series,
        SeriesNumber=1,
        InstanceNumber=number,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=side,
        Columns=side,
        BitsAllocated=16,
        BitsStored=16,
        HighBit=15,
        PixelRepresentation=0,
    )
    data_set.add_new(0x7FE00010, "OW", pixels if pixels is not None else os.urandom(2 * side * side))
    return Instance(study, series, sop_instance, CT, transfer_syntax, encode(data_set, transfer_syntax))


def study_of(instances: int, series: int = 1, **kwargs: object) -> list[Instance]:
    """One study."""
    study = new_uid()
    uids = [new_uid() for _ in range(series)]
    return [ct(study=study, series=uids[n % series], **kwargs) for n in range(instances)]  # type: ignore[arg-type]


def reencoded(instance: Instance, transfer_syntax: str) -> Instance:
    """The same, element by element, in another uncompressed transfer syntax."""
    from pydicom.filereader import read_dataset

    data_set = read_dataset(
        io.BytesIO(instance.data_set), instance.transfer_syntax == IMPLICIT, is_little_endian=True
    )
    return Instance(
        instance.study,
        instance.series,
        instance.sop_instance,
        instance.sop_class,
        transfer_syntax,
        encode(data_set, transfer_syntax),
    )

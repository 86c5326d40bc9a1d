"""The demo's own reader of Part 10 files."""

from io import BytesIO

import pytest
from pydicom import dcmread

from gateway.demo.part10 import NotPart10Error, read_meta, write_meta

META = write_meta(
    sop_class="1.2.840.10008.5.1.4.1.1.2", sop_instance="2.25.1", transfer_syntax="1.2.840.10008.1.2.1"
)


def test_what_is_written_is_read_again() -> None:
    meta = read_meta(META + b"data set")
    assert (meta.sop_class, meta.sop_instance) == ("1.2.840.10008.5.1.4.1.1.2", "2.25.1")
    assert meta.transfer_syntax == "1.2.840.10008.1.2.1"
    assert meta.offset == len(META)


def test_pydicom_reads_what_is_written() -> None:
    read = dcmread(BytesIO(META)).file_meta
    assert read.MediaStorageSOPInstanceUID == "2.25.1"
    assert read.FileMetaInformationGroupLength == len(META) - 132 - 12


def test_the_group_length_is_not_believed() -> None:
    lying = META[:140] + b"\xff\xff\xff\x7f" + META[144:]
    assert read_meta(lying).offset == len(META)


@pytest.mark.parametrize("data", [b"", b"\0" * 132, META[:-1], META[:137]])
def test_what_is_no_part_10_file_is_refused(data: bytes) -> None:
    with pytest.raises(NotPart10Error):
        read_meta(data)

"""Identifiers of C-GET: what is understood, and that everything else is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from gateway.wire.dicom.identifier import (
    IdentifierError,
    Level,
    RetrieveIdentifier,
    read_retrieve_identifier,
    write_failed_instances,
)

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
SYNTAXES = pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])


def encoded(syntax: str, **elements: object) -> bytes:
    data_set = Dataset()
    for keyword, value in elements.items():
        setattr(data_set, keyword, value)
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, syntax == IMPLICIT
    write_dataset(buffer, data_set)
    return buffer.getvalue()


@SYNTAXES
def test_each_level_says_what_it_asks_for(syntax: str):
    study = read_retrieve_identifier(
        encoded(syntax, QueryRetrieveLevel="STUDY", StudyInstanceUID=["1.2", "1.3", "1.2"]), syntax
    )
    assert study == RetrieveIdentifier(Level.STUDY, ("1.2", "1.3"))
    series = read_retrieve_identifier(
        encoded(syntax, QueryRetrieveLevel="SERIES", StudyInstanceUID="1.2", SeriesInstanceUID=["1.4"]),
        syntax,
    )
    assert series == RetrieveIdentifier(Level.SERIES, ("1.2",), ("1.4",))
    image = read_retrieve_identifier(
        encoded(
            syntax,
            QueryRetrieveLevel="IMAGE",
            StudyInstanceUID="1.2",
            SeriesInstanceUID="1.4",
            SOPInstanceUID=["1.5", "1.6"],
        ),
        syntax,
    )
    assert image == RetrieveIdentifier(Level.IMAGE, ("1.2",), ("1.4",), ("1.5", "1.6"))


@SYNTAXES
def test_keys_below_the_level_do_not_narrow(syntax: str):
    data = encoded(
        syntax, QueryRetrieveLevel="STUDY", StudyInstanceUID="1.2", SeriesInstanceUID="", PatientID="x"
    )
    assert read_retrieve_identifier(data, syntax).series == ()


@pytest.mark.parametrize(
    ("elements", "offending"),
    [
        ({"StudyInstanceUID": "1.2"}, 0x00080052),
        ({"QueryRetrieveLevel": "PATIENT", "StudyInstanceUID": "1.2"}, 0x00080052),
        ({"QueryRetrieveLevel": "STUDY"}, 0x0020000D),
        ({"QueryRetrieveLevel": "STUDY", "StudyInstanceUID": ""}, 0x0020000D),
        (
            {"QueryRetrieveLevel": "SERIES", "StudyInstanceUID": ["1.2", "1.3"], "SeriesInstanceUID": "1.4"},
            0x0020000D,
        ),
        ({"QueryRetrieveLevel": "IMAGE", "StudyInstanceUID": "1.2", "SOPInstanceUID": "1.5"}, 0x0020000E),
    ],
)
def test_what_a_level_needs_is_not_guessed(elements: dict[str, object], offending: int):
    with pytest.raises(IdentifierError) as error:
        read_retrieve_identifier(encoded(EXPLICIT, **elements), EXPLICIT)
    assert error.value.offending == offending


def test_wildcards_and_paths_are_no_uids():
    for text in ("*", "1.2?", "../../etc/passwd", "1.2 ' OR 1=1--", "1" * 65):
        data = b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY " + b"\x20\x00\x0d\x00" + _value(text)
        with pytest.raises(IdentifierError):
            read_retrieve_identifier(data, IMPLICIT)


def _value(text: str) -> bytes:
    padded = text + " " * (len(text) % 2)
    return len(padded).to_bytes(4, "little") + padded.encode()


@SYNTAXES
def test_a_cut_anywhere_is_refused(syntax: str):
    whole = encoded(syntax, QueryRetrieveLevel="STUDY", StudyInstanceUID="1.2.3.4")
    for at in range(1, len(whole)):
        with pytest.raises(IdentifierError):
            read_retrieve_identifier(whole[:at], syntax)


def test_elements_out_of_order_twice_or_beyond_the_end_are_refused():
    level = b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY "
    study = b"\x20\x00\x0d\x00\x04\x00\x00\x001.2\x00"
    read_retrieve_identifier(level + study, IMPLICIT)
    for data in (study + level, level + study + study, level + study[:4] + b"\xff\xff\xff\xff1.2\x00"):
        with pytest.raises(IdentifierError):
            read_retrieve_identifier(data, IMPLICIT)


def test_other_transfer_syntaxes_are_refused():
    with pytest.raises(IdentifierError):
        read_retrieve_identifier(b"", "1.2.840.10008.1.2.2")


@given(st.binary(max_size=200), st.sampled_from([IMPLICIT, EXPLICIT]))
def test_garbage_gives_a_typed_error_and_nothing_else(data: bytes, syntax: str):
    with contextlib.suppress(IdentifierError):
        read_retrieve_identifier(data, syntax)


@SYNTAXES
def test_failed_instances_are_read_back(syntax: str):
    data = write_failed_instances(("1.2.3", "1.2.4"), syntax)
    read = read_dataset(DicomBytesIO(data), syntax == IMPLICIT, is_little_endian=True)
    assert list(read.FailedSOPInstanceUIDList) == ["1.2.3", "1.2.4"]
    assert len(data) % 2 == 0

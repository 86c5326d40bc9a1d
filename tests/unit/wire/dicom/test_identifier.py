"""Identifiers of C-GET: what is understood, and that everything else is refused."""

import contextlib
import struct
import tracemalloc

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
    strict_elements,
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


TAGS = st.sampled_from(
    [
        0x00080005,
        0x00080052,
        0x00080018,
        0x0020000D,
        0x0020000E,
        0x00100020,
        0xFFFEE000,
        0xFFFEE00D,
        0x00020010,
    ]
)
VRS = st.sampled_from([b"CS", b"UI", b"SQ", b"UN", b"OB", b"\0\0", b"ZZ", b"cs", b"\xff\xff", b"\x06\0"])
VALUES = st.sampled_from(
    [
        b"STUDY ",
        b"1.2.3\0",
        b"1.2\\1.3 ",
        b"",
        b"\\" * 8,
        b"ISO_IR 999",
        b"\xfe\xff\x00\xe0\xff\xff\xff\xff",
        b"*",
    ]
)
CLAIMS = st.sampled_from([0, 0, 0, 1, -2, 2, 0xFFFF, 0xFFFFFFFF])
ELEMENTS = st.lists(st.tuples(TAGS, VRS, VALUES, CLAIMS), max_size=6)


def nearly(elements: list[tuple[int, bytes, bytes, int]], syntax: str) -> bytes:
    """An identifier as somebody hostile writes it: VRs that are none, lengths that are not so."""
    parts = []
    for tag, vr, value, claim in elements:
        head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
        length = max(0, len(value) + claim) & 0xFFFFFFFF
        if syntax == IMPLICIT:
            head += struct.pack("<I", length)
        elif vr in (b"SQ", b"UN", b"OB"):
            head += vr + struct.pack("<HI", 0, length)
        else:
            head += vr + struct.pack("<H", length & 0xFFFF)
        parts.append(head + value)
    return b"".join(parts)


@given(ELEMENTS, st.sampled_from([IMPLICIT, EXPLICIT]))
def test_what_is_nearly_an_identifier_gives_a_typed_error_and_nothing_else(
    elements: list[tuple[int, bytes, bytes, int]], syntax: str
):
    with contextlib.suppress(IdentifierError):
        read_retrieve_identifier(nearly(sorted(elements), syntax), syntax)


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@given(ELEMENTS, st.sampled_from([IMPLICIT, EXPLICIT]))
def test_what_the_strict_scan_lets_pass_the_library_reads_the_same(
    elements: list[tuple[int, bytes, bytes, int]], syntax: str
):
    data = nearly(sorted(elements), syntax)
    try:
        strict = strict_elements(data, explicit=syntax == EXPLICIT)
    except IdentifierError:
        return
    found = read_dataset(DicomBytesIO(data), syntax == IMPLICIT, is_little_endian=True)
    read = {int(tag): found.get_item(tag).value or b"" for tag in found.keys()}  # noqa: SIM118 - keys are raw
    for values in (strict, read):
        values.pop(0x00080005, None)  # decoded by the library on the way, and asked by nobody
    assert read == strict


def test_an_unknown_character_set_says_nothing_into_the_log(recwarn: pytest.WarningsRecorder):
    data = b"\x08\0\x05\0\x06\0\0\0I\nTOLD\x08\0\x52\0\x06\0\0\0STUDY \x20\0\x0d\0\x04\0\0\0001.2\0"
    assert read_retrieve_identifier(data, IMPLICIT).studies == ("1.2",)
    assert not recwarn.list


@pytest.mark.parametrize("vr", [b"\0\0", b"ZZ", b"cs", b"\x04\0"])
def test_an_unknown_vr_is_refused_and_not_taken_for_implicit(vr: bytes):
    data = b"\x08\0\x52\0" + vr + b"\x06\0STUDY "
    with pytest.raises(IdentifierError, match="unknown VR"):
        read_retrieve_identifier(data, EXPLICIT)


@pytest.mark.parametrize("value", [b"\\" * (1 << 20), b"1.2\\" * (1 << 18), b"1" * (1 << 20)])
def test_memory_is_bounded_by_what_was_sent(value: bytes):
    level = b"\x08\0\x52\0\x06\0\0\0STUDY "
    data = level + b"\x20\0\x0d\0" + struct.pack("<I", len(value)) + value
    tracemalloc.start()
    try:
        with pytest.raises(IdentifierError):
            read_retrieve_identifier(data, IMPLICIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(data)


@SYNTAXES
def test_failed_instances_are_read_back(syntax: str):
    data = write_failed_instances(("1.2.3", "1.2.4"), syntax)
    read = read_dataset(DicomBytesIO(data), syntax == IMPLICIT, is_little_endian=True)
    assert list(read.FailedSOPInstanceUIDList) == ["1.2.3", "1.2.4"]
    assert len(data) % 2 == 0

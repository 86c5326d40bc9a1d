"""Storage commitment information: what is written is read, also by others; garbage is refused."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

from gateway.model.identifiers import Uid
from gateway.wire.dicom.commitment import (
    InformationError,
    ReportInformation,
    RequestInformation,
    read_report,
    read_request,
    write_report,
    write_request,
)

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
SYNTAXES = pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT])
MR = "1.2.840.10008.5.1.4.1.1.4"

UIDS = st.from_regex(r"[1-9][0-9]{0,3}(\.[1-9][0-9]{0,8}){1,6}", fullmatch=True).filter(
    lambda uid: len(uid) <= 64
)
PAIRS = st.lists(st.tuples(UIDS, UIDS), max_size=20)
REASONS = st.integers(0, 0xFFFF)
FAILED = st.lists(st.tuples(UIDS, UIDS, REASONS), max_size=20)


def encoded(syntax: str, **elements: Any) -> bytes:
    data_set = Dataset()
    for keyword, value in elements.items():
        setattr(data_set, keyword, value)
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, syntax == IMPLICIT
    write_dataset(buffer, data_set)
    return buffer.getvalue()


def reference(sop_class: str | None, instance: str | None) -> Dataset:
    item = Dataset()
    if sop_class is not None:
        item.ReferencedSOPClassUID = sop_class
    if instance is not None:
        item.ReferencedSOPInstanceUID = instance
    return item


@SYNTAXES
@given(transaction=UIDS, pairs=PAIRS.filter(bool))
def test_a_request_is_read_as_it_was_written_each_reference_once(
    syntax: str, transaction: str, pairs: list[tuple[str, str]]
):
    asked = RequestInformation(Uid(transaction), tuple(pairs))
    read = read_request(write_request(asked, syntax), syntax)
    assert read == RequestInformation(Uid(transaction), tuple(dict.fromkeys(pairs)))


@SYNTAXES
@given(transaction=UIDS, committed=PAIRS, failed=FAILED, title=st.none() | st.just("KUVA"))
def test_a_report_is_read_as_it_was_written_also_by_pydicom(
    syntax: str,
    transaction: str,
    committed: list[tuple[str, str]],
    failed: list[tuple[str, str, int]],
    title: str | None,
):
    report = ReportInformation(Uid(transaction), tuple(committed), tuple(failed), title)
    data_set = write_report(report, syntax)
    assert read_report(data_set, syntax) == report
    read = read_dataset(DicomBytesIO(data_set), syntax == IMPLICIT, True)
    assert read.TransactionUID == transaction
    assert [i.ReferencedSOPInstanceUID for i in read.get("ReferencedSOPSequence", [])] == [
        instance for _, instance in committed
    ]
    assert [i.FailureReason for i in read.get("FailedSOPSequence", [])] == [why for *_, why in failed]
    assert report.event_type == (2 if failed else 1)


@SYNTAXES
def test_what_pydicom_writes_is_read(syntax: str):
    data_set = encoded(syntax, TransactionUID="1.2.3", ReferencedSOPSequence=[reference(MR, "1.2.4")])
    assert read_request(data_set, syntax) == RequestInformation(Uid("1.2.3"), ((MR, "1.2.4"),))


@SYNTAXES
def test_u37_what_is_no_request_is_refused_by_its_own_code(syntax: str):
    one = [reference(MR, "1.2.4")]
    cases: list[tuple[dict[str, Any], str]] = [
        ({"ReferencedSOPSequence": one}, "commitment-transaction-missing"),
        ({"TransactionUID": "", "ReferencedSOPSequence": one}, "commitment-transaction-missing"),
        ({"TransactionUID": "1.2.3"}, "commitment-list-empty"),
        ({"TransactionUID": "1.2.3", "ReferencedSOPSequence": []}, "commitment-list-empty"),
        (
            {"TransactionUID": "1.2.3", "ReferencedSOPSequence": [reference(None, "1.2")]},
            "commitment-list",
        ),
        (
            {"TransactionUID": "1.2.3", "ReferencedSOPSequence": [reference(MR, None)]},
            "commitment-list",
        ),
        ({"TransactionUID": ["1.2.3", "1.2.4"], "ReferencedSOPSequence": one}, "commitment-uid"),
    ]
    for elements, code in cases:
        with pytest.raises(InformationError) as refused:
            read_request(encoded(syntax, **elements), syntax)
        assert refused.value.refusal.code == code, elements


@SYNTAXES
@given(data_set=st.binary(max_size=300))
def test_u37_garbage_is_refused_and_nothing_else_happens(syntax: str, data_set: bytes):
    for read in (read_request, read_report):
        with contextlib.suppress(InformationError):
            read(data_set, syntax)


def test_a_failed_reference_without_a_reason_is_no_report():
    data_set = encoded(EXPLICIT, TransactionUID="1.2.3", FailedSOPSequence=[reference(MR, "1.2.4")])
    with pytest.raises(InformationError) as refused:
        read_report(data_set, EXPLICIT)
    assert refused.value.refusal.code == "commitment-list"

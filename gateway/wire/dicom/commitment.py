"""Storage commitment information (PS3.4 J.3): what an N-ACTION asks, and what an N-EVENT-REPORT tells.

Read by the core, strictly and bounded; a list may have a hundred thousand items, so call all of this in a
thread.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from gateway import _core
from gateway.errors import MalformedInformationError, RemoteError
from gateway.model.identifiers import Uid
from gateway.model.refusal import Refusal
from gateway.wire.dicom.negotiation import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from gateway.wire.dicom.refusals import CATALOGUE, COMMITMENT_EMPTY, COMMITMENT_LIST, COMMITMENT_TRANSACTION

STORAGE_COMMITMENT_INSTANCE = Uid("1.2.840.10008.1.20.1.1")
"""The well-known instance of the Storage Commitment Push Model (PS3.4 J.3.5)."""
REQUEST_STORAGE_COMMITMENT = 1
"""Action type (PS3.4 J.3.2.1)."""
ALL_COMMITTED, SOME_FAILED = 1, 2
"""Event types (PS3.4 J.3.3.1)."""

RETRIEVE_TITLE, TRANSACTION, REASON = 0x00080054, 0x00081195, 0x00081197
FAILED_LIST, REFERENCED_LIST = 0x00081198, 0x00081199
CLASS, INSTANCE = 0x00081150, 0x00081155
SLICE = 1_000
"""References that are made into objects at once: a fraction of a millisecond."""

Reference = tuple[str, str]
"""(SOP class UID, SOP instance UID)."""
FailedReference = tuple[str, str, int]
"""(SOP class UID, SOP instance UID, failure reason)."""


class InformationError(RemoteError):
    """The information does not say what it must; `offending` is an element."""

    def __init__(self, refusal: Refusal, offending: int | None = None, byte: int | None = None) -> None:
        super().__init__(refusal.text)
        self.refusal, self.offending, self.byte = refusal, offending, byte


@dataclass(frozen=True, slots=True)
class RequestInformation:
    """What an N-ACTION asks; each reference once, in the order in which they came."""

    transaction: Uid
    references: tuple[Reference, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReportInformation:
    """What an N-EVENT-REPORT tells."""

    transaction: Uid
    committed: tuple[Reference, ...] = field(repr=False)
    failed: tuple[FailedReference, ...] = field(repr=False)
    retrieve_title: str | None = None
    """Where what is committed can be fetched from."""

    @property
    def event_type(self) -> int:
        """Whether all is well, or some failed."""
        return SOME_FAILED if self.failed else ALL_COMMITTED


def read_request(data_set: bytes, transfer_syntax: str) -> RequestInformation:
    """Reads the information of an N-ACTION-RQ. Raises `InformationError`."""
    found = _read(data_set, transfer_syntax)
    transaction = _transaction(found)
    if not found.referenced_count:
        raise InformationError(COMMITMENT_EMPTY, REFERENCED_LIST)
    return RequestInformation(transaction, tuple(dict.fromkeys(_referenced(found))))


def read_report(data_set: bytes, transfer_syntax: str) -> ReportInformation:
    """Reads the information of an N-EVENT-REPORT-RQ. Raises `InformationError`."""
    found = _read(data_set, transfer_syntax)
    return ReportInformation(
        _transaction(found), tuple(_referenced(found)), tuple(_failed(found)), found.retrieve_title
    )


def write_request(information: RequestInformation, transfer_syntax: str) -> bytes:
    """The information of an N-ACTION-RQ."""
    element = _element(transfer_syntax)
    items = (_item(element, *reference) for reference in information.references)
    return element(TRANSACTION, b"UI", _uid(information.transaction)) + element(
        REFERENCED_LIST, b"SQ", b"".join(items)
    )


def write_report(information: ReportInformation, transfer_syntax: str) -> bytes:
    """The information of an N-EVENT-REPORT-RQ; lists that are empty are left out (PS3.4 J.3.3.1.1)."""
    element = _element(transfer_syntax)
    parts: list[bytes] = []
    if information.retrieve_title is not None:
        parts.append(element(RETRIEVE_TITLE, b"AE", _even(information.retrieve_title.encode("ascii"), b" ")))
    parts.append(element(TRANSACTION, b"UI", _uid(information.transaction)))
    if information.failed:
        failed = (_item(element, *one) for one in information.failed)
        parts.append(element(FAILED_LIST, b"SQ", b"".join(failed)))
    if information.committed:
        committed = (_item(element, *one) for one in information.committed)
        parts.append(element(REFERENCED_LIST, b"SQ", b"".join(committed)))
    return b"".join(parts)


# --- reading --------------------------------------------------------------------------------------


def _read(data_set: bytes, transfer_syntax: str) -> _core.CommitmentInformation:
    try:
        return _core.read_commitment(data_set, transfer_syntax)
    except MalformedInformationError as error:
        raise InformationError(CATALOGUE[error.code], error.offending, error.byte) from None


def _transaction(found: _core.CommitmentInformation) -> Uid:
    if found.transaction is None:
        raise InformationError(COMMITMENT_TRANSACTION, TRANSACTION)
    return Uid(found.transaction)


def _referenced(found: _core.CommitmentInformation) -> Iterator[Reference]:
    for start in range(0, found.referenced_count, SLICE):
        yield from found.referenced(start, SLICE)


def _failed(found: _core.CommitmentInformation) -> Iterator[FailedReference]:
    for start in range(0, found.failed_count, SLICE):
        for sop_class, instance, reason in found.failed(start, SLICE):
            if reason is None:
                raise InformationError(COMMITMENT_LIST, REASON)
            yield sop_class, instance, reason


# --- writing --------------------------------------------------------------------------------------

_Element = Callable[[int, bytes, bytes], bytes]


def _element(transfer_syntax: str) -> _Element:
    if transfer_syntax == EXPLICIT_VR_LITTLE_ENDIAN:
        return _explicit
    assert transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN, transfer_syntax
    return _implicit


def _implicit(tag: int, _: bytes, value: bytes) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def _explicit(tag: int, vr: bytes, value: bytes) -> bytes:
    if vr == b"SQ":
        return struct.pack("<HH2sHI", tag >> 16, tag & 0xFFFF, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def _item(element: _Element, sop_class: str, instance: str, reason: int | None = None) -> bytes:
    content = element(CLASS, b"UI", _uid(sop_class)) + element(INSTANCE, b"UI", _uid(instance))
    if reason is not None:
        content += element(REASON, b"US", struct.pack("<H", reason))
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


def _uid(uid: str) -> bytes:
    return _even(uid.encode("ascii"), b"\0")


def _even(value: bytes, padding: bytes) -> bytes:
    return value + padding if len(value) % 2 else value

"""Rejection: why an association is not accepted at all (PS3.8 table 9-21)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from gateway.model.refusal import RejectAnswer
from gateway.wire.dicom.refusals import CATALOGUE

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
"""DICOM Application Context Name (PS3.7 A.2.1), the only one there is."""
PDU_LENGTH_MAX_LEAST = 64
"""A maximum PDU length below this carries nothing useful; 0 means unlimited (PS3.8 D.1)."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """An A-ASSOCIATE-RJ. `text` is for our log and for people: the PDU has no room for words."""

    code: str
    """Stable name, for profiles, logs and counters."""
    result: int
    """1 permanent, 2 transient."""
    source: int
    """1 service-user, 2 service-provider (ACSE), 3 service-provider (presentation)."""
    reason: int
    text: str


def _rejection(code: str) -> Rejection:
    entry = CATALOGUE[code]
    assert isinstance(entry.answer, RejectAnswer), code
    return Rejection(code, entry.answer.result, entry.answer.source, entry.answer.reason, entry.text)


PROTOCOL_VERSION = _rejection("protocol-version")
APPLICATION_CONTEXT_UNKNOWN = _rejection("application-context")
CALLED_UNKNOWN = _rejection("called-ae-title")
CALLING_UNKNOWN = _rejection("calling-ae-title")
PDU_LENGTH_TOO_SMALL = _rejection("pdu-length-max")
LOCAL_LIMIT = _rejection("local-limit")
CONGESTION = _rejection("congestion")

REJECTIONS = (
    PROTOCOL_VERSION,
    APPLICATION_CONTEXT_UNKNOWN,
    CALLED_UNKNOWN,
    CALLING_UNKNOWN,
    PDU_LENGTH_TOO_SMALL,
    LOCAL_LIMIT,
    CONGESTION,
)


class Greeting(Protocol):
    """What an A-ASSOCIATE-RQ says of its sender; `gateway._core.AssociateRequested` is one."""

    @property
    def protocol_version(self) -> int: ...
    @property
    def application_context(self) -> str: ...
    @property
    def called(self) -> str | None: ...
    @property
    def pdu_length_max(self) -> int: ...


def rejection_of(
    greeting: Greeting, *, called_titles: Collection[str], caller_known: bool
) -> Rejection | None:
    """The gravest reason not to accept, or None.

    `caller_known`: the calling AE title is one, and has a grant that is valid now. Limits and
    congestion are known to whoever counts associations: `LOCAL_LIMIT`, `CONGESTION`.
    """
    if not greeting.protocol_version & 1:  # PS3.8 9.3.2: only bit 0 is to be tested
        return PROTOCOL_VERSION
    if greeting.application_context != APPLICATION_CONTEXT:
        return APPLICATION_CONTEXT_UNKNOWN
    if greeting.called not in called_titles:
        return CALLED_UNKNOWN
    if not caller_known:
        return CALLING_UNKNOWN
    if 0 < greeting.pdu_length_max < PDU_LENGTH_MAX_LEAST:
        return PDU_LENGTH_TOO_SMALL
    return None

"""Refusals: the core's catalogue, as the gateway refuses, logs and explains by it. There is no other list."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from gateway import _core
from gateway.model.refusal import (
    AbortAnswer,
    Answer,
    Family,
    OtherAnswer,
    Refusal,
    RejectAnswer,
    StatusAnswer,
    Turn,
)

_PLACE = re.compile(r"^(?:(?:\w+ )?\(([0-9A-F]{4}),([0-9A-F]{4})\): )?(.*?)(?: at byte \d+)?$")


def _answer(entry: _core.RefusalEntry) -> Answer:
    kind, first, second, third = entry.answer
    match kind:
        case "status":
            return StatusAnswer(first)
        case "reject":
            return RejectAnswer(first, second, third)
        case "abort":
            return AbortAnswer(second, third)
        case _:
            return OtherAnswer(kind)


def _refusal(entry: _core.RefusalEntry) -> Refusal:
    return Refusal(
        code=entry.code, family=Family(entry.family), turn=Turn(entry.turn), value_class=entry.value_class,
        answer=_answer(entry), attribute=entry.attribute, text=entry.text, rule=entry.rule,
        standard=entry.standard, mend=entry.mend, example=entry.example,
    )  # fmt: skip


CATALOGUE: Mapping[str, Refusal] = MappingProxyType(
    {entry.code: _refusal(entry) for entry in _core.refusals()}
)
"""Every refusal by its code, in the order of the document."""


def comment_of(refusal: Refusal, *, offending: int | None = None, byte: int | None = None) -> str:
    """Its Error Comment (0000,0902), as the core renders it."""
    return _core.refusal_comment(refusal.code, offending, byte)


def attribute_of(tag: int) -> str:
    """An attribute for people: `PatientID (0010,0020)`, or the tag alone where it has no keyword."""
    place = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    keyword = _core.keyword_of(tag)
    return place if keyword is None else f"{keyword} {place}"


def log_fields(
    refusal: Refusal, *, offending: int | None = None, byte: int | None = None
) -> dict[str, object]:
    """What the log says of every refusal, besides who sent what."""
    tag = refusal.attribute if offending is None else offending
    return {
        "code": refusal.code,
        "turn": refusal.turn.value,
        "attribute": None if tag is None else attribute_of(tag),
        "value_class": refusal.value_class,
        "byte": byte,
        "rule": refusal.rule,
        "standard": refusal.standard,
        "mend": refusal.mend,
    }


def recognise(comment: str, status: int) -> Refusal | None:
    """The refusal of ours that a peer's answer is, by its words; None if it is none, or not one alone."""
    place = _PLACE.match(comment)
    words = place[3] if place else comment
    tag = int(place[1] + place[2], 16) if place and place[1] else None
    found = [r for r in CATALOGUE.values() if r.answer == StatusAnswer(status) and r.text == words]
    named = [r for r in found if r.attribute == tag] if len(found) > 1 else found
    return named[0] if len(named) == 1 else None


# Those that Python refuses by; each must be in the catalogue, or this module is not imported.
OPERATION_UNRECOGNISED = CATALOGUE["operation-unrecognised"]

IDENTIFIER_UNREADABLE = CATALOGUE["identifier-unreadable"]
IDENTIFIER_ORDER = CATALOGUE["identifier-order"]
IDENTIFIER_LENGTH = CATALOGUE["identifier-length"]
IDENTIFIER_GROUP = CATALOGUE["identifier-group"]
IDENTIFIER_VR = CATALOGUE["identifier-vr"]
IDENTIFIER_LEVEL = CATALOGUE["identifier-level"]
IDENTIFIER_KEY_MISSING = CATALOGUE["identifier-key-missing"]
IDENTIFIER_LIST = CATALOGUE["identifier-list"]
IDENTIFIER_TOO_MANY = CATALOGUE["identifier-too-many"]
IDENTIFIER_UID = CATALOGUE["identifier-uid"]
RETRIEVE_UNREACHABLE = CATALOGUE["retrieve-catalogue-unreachable"]
RETRIEVE_NONE = CATALOGUE["retrieve-none-sent"]
RETRIEVE_SOME = CATALOGUE["retrieve-some-failed"]
COMMITMENT_CLASS = CATALOGUE["commitment-class"]
COMMITMENT_INSTANCE = CATALOGUE["commitment-instance"]
COMMITMENT_ACTION = CATALOGUE["commitment-action-type"]
COMMITMENT_UNREADABLE = CATALOGUE["commitment-unreadable"]
COMMITMENT_TRANSACTION = CATALOGUE["commitment-transaction-missing"]
COMMITMENT_EMPTY = CATALOGUE["commitment-list-empty"]
COMMITMENT_LIST = CATALOGUE["commitment-list"]
COMMITMENT_UNKEPT = CATALOGUE["commitment-not-recorded"]
EVENT_REPORT_UNASKED = CATALOGUE["event-report-unasked"]
SUB_OPERATION_ELSEWHERE = CATALOGUE["sub-operation-elsewhere"]
SUB_OPERATION_CONTEXT = CATALOGUE["sub-operation-no-context"]
SUB_OPERATION_UNREADABLE = CATALOGUE["sub-operation-unreadable"]
SUB_OPERATION_REFUSED = CATALOGUE["sub-operation-refused"]

ARTIM = CATALOGUE["artim-expired"]
SOCKETS = CATALOGUE["sockets-without-association"]
IDLE = CATALOGUE["idle"]
NO_PROGRESS = CATALOGUE["no-progress"]
NOTHING_TAKEN = CATALOGUE["peer-takes-nothing"]
SHUTTING_DOWN = CATALOGUE["shutting-down"]
RELEASE_EARLY = CATALOGUE["release-in-operation"]
RESPONSE_UNASKED = CATALOGUE["response-to-nothing"]
REQUESTS_BEYOND = CATALOGUE["requests-beyond-window"]
SUB_OPERATION_UNANSWERED = CATALOGUE["sub-operation-unanswered"]
DAMAGED = CATALOGUE["instance-damaged"]
FAILED = CATALOGUE["gateway-failed"]
DEFECT = CATALOGUE["defect"]

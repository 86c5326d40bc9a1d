"""Verdicts: each answer held against what had to come of its sample."""

from collections.abc import Iterable

from gateway.demo.material import Expectation
from gateway.demo.peers import Answer

CONFLICTING = 0xC0D1


def first_findings(answers: Iterable[Answer]) -> tuple[str, ...]:
    """The answers to a first sending that are not what they must be."""
    return tuple(
        f"{a.sample.name}: {said(a)}, expected {a.sample.expectation.value}"
        for a in answers
        if not _as_expected(a)
    )


def _as_expected(answer: Answer) -> bool:
    match answer.sample.expectation:
        case Expectation.KEPT | Expectation.IDENTICAL:
            return answer.acknowledged
        case Expectation.CONFLICTING:
            return answer.status == CONFLICTING
        case Expectation.REFUSED:
            return answer.status is not None and is_failure(answer.status) and bool(answer.comment)
        case Expectation.NOT_NEGOTIATED:
            return not answer.negotiated


def second_findings(
    before: Iterable[Answer], after: Iterable[Answer], *, equivalent: frozenset[str]
) -> tuple[str, ...]:
    """The answers to a second sending of the same that are not what they must be.

    `equivalent`: SOP instances whose conflict resolved itself in between, so that 0000H is right now.
    """
    first = {answer.sample.path: answer for answer in before}
    return tuple(
        f"{again.sample.name}: at first {said(first[again.sample.path])}, now {said(again)}"
        for again in after
        if not _consistent(first[again.sample.path], again, equivalent)
    )


def _consistent(first: Answer, again: Answer, equivalent: frozenset[str]) -> bool:
    if first.status == again.status and first.negotiated == again.negotiated:
        return True
    resolved = first.sample.sop_instance in equivalent
    return first.status == CONFLICTING and again.acknowledged and resolved


def said(answer: Answer) -> str:
    """An answer for people."""
    if not answer.negotiated:
        return "presentation context refused"
    if answer.status is None:
        return "no answer"
    return f"{answer.status:04X}H {answer.comment}".rstrip()


def outcome_of(answer: Answer) -> str:
    """What came of it, without the words: for counting."""
    if answer.acknowledged:
        return "acknowledged (0000H)"
    if answer.status == CONFLICTING:
        return "conflicting (C0D1H)"
    if answer.status is not None:
        return "refused" if is_failure(answer.status) else f"answered {answer.status:04X}H"
    return said(answer)


def is_failure(status: int) -> bool:
    """Whether a C-STORE status is a failure (PS3.4 B.2.3); a warning would mean that the instance is kept."""
    return status >> 8 in range(0xA7, 0xAA) or status >> 12 == 0xC or status in range(0x0100, 0x0300)

"""Answers held against what had to come; every wrong one is a finding."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.demo.material import Expectation, Sample
from gateway.demo.peers import Answer
from gateway.demo.verdicts import first_findings, is_failure, second_findings

SAMPLE = Sample("s", "test", Path("s.dcm"), "1.2", "1.3", "1.4", "1.5", 0, 0)


def answered(
    expectation: Expectation, status: int | None, comment: str = "", *, negotiated: bool = True
) -> Answer:
    return Answer(replace(SAMPLE, expectation=expectation), status, comment, negotiated)


@pytest.mark.parametrize(
    "answer",
    [
        answered(Expectation.KEPT, 0x0000),
        answered(Expectation.IDENTICAL, 0x0000),
        answered(Expectation.CONFLICTING, 0xC0D1, "conflicts"),
        answered(Expectation.REFUSED, 0xC000, "truncated at 7"),
        answered(Expectation.REFUSED, 0xA900, "no study"),
        answered(Expectation.NOT_NEGOTIATED, None, negotiated=False),
    ],
)
def test_what_had_to_come_is_no_finding(answer: Answer) -> None:
    assert first_findings([answer]) == ()


@pytest.mark.parametrize(
    "answer",
    [
        answered(Expectation.KEPT, 0xB000),
        answered(Expectation.KEPT, None),
        answered(Expectation.CONFLICTING, 0x0000),
        answered(Expectation.CONFLICTING, 0xC000, "other"),
        answered(Expectation.REFUSED, 0x0000),
        answered(Expectation.REFUSED, 0xC000),
        answered(Expectation.REFUSED, None),
        answered(Expectation.NOT_NEGOTIATED, 0x0000),
    ],
)
def test_anything_else_is_a_finding(answer: Answer) -> None:
    assert len(first_findings([answer])) == 1


def test_a_second_sending_must_be_answered_as_the_first() -> None:
    first, other = answered(Expectation.KEPT, 0x0000), answered(Expectation.KEPT, 0xC0D1)
    assert second_findings([first], [first], equivalent=frozenset()) == ()
    assert len(second_findings([first], [other], equivalent=frozenset())) == 1


def test_a_conflict_may_turn_into_success_only_if_it_resolved_itself() -> None:
    first, now = answered(Expectation.CONFLICTING, 0xC0D1), answered(Expectation.CONFLICTING, 0x0000)
    assert second_findings([first], [now], equivalent=frozenset({SAMPLE.sop_instance})) == ()
    assert len(second_findings([first], [now], equivalent=frozenset())) == 1


def test_warnings_are_no_failures() -> None:
    assert not any(map(is_failure, (0x0000, 0xB000, 0xB006, 0xB007)))
    assert all(map(is_failure, (0xA700, 0xA900, 0xC000, 0xC0D1, 0x0122, 0x0124)))

"""Rejection: the exact codes, and which reason comes first."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.dicom import rejection
from gateway.wire.dicom.rejection import APPLICATION_CONTEXT, REJECTIONS, Rejection, rejection_of


@dataclass(frozen=True)
class Greeting:
    protocol_version: int = 1
    application_context: str = APPLICATION_CONTEXT
    called: str | None = "KUVA"
    pdu_length_max: int = 16_384


def rejected(greeting: Greeting, *, caller_known: bool = True) -> Rejection | None:
    return rejection_of(greeting, called_titles=("KUVA", "ARKISTO"), caller_known=caller_known)


def test_a_proper_greeting_is_not_rejected():
    assert rejected(Greeting()) is None
    assert rejected(Greeting(called="ARKISTO", pdu_length_max=0, protocol_version=3)) is None


@pytest.mark.parametrize(
    ("greeting", "codes"),
    [
        (Greeting(protocol_version=0), (1, 2, 2)),
        (Greeting(protocol_version=2), (1, 2, 2)),
        (Greeting(application_context="1.2.3"), (1, 1, 2)),
        (Greeting(called="STRANGER"), (1, 1, 7)),
        (Greeting(called=None), (1, 1, 7)),
        (Greeting(called="kuva"), (1, 1, 7)),
        (Greeting(pdu_length_max=63), (1, 1, 1)),
        (Greeting(pdu_length_max=1), (1, 1, 1)),
    ],
)
def test_each_fault_has_its_own_codes(greeting: Greeting, codes: tuple[int, int, int]):
    reason = rejected(greeting)
    assert reason is not None
    assert (reason.result, reason.source, reason.reason) == codes


def test_a_caller_without_a_grant_is_rejected_only_where_it_called_us():
    assert rejected(Greeting(), caller_known=False) is rejection.CALLING_UNKNOWN
    assert rejected(Greeting(called="STRANGER"), caller_known=False) is rejection.CALLED_UNKNOWN
    calling = rejection.CALLING_UNKNOWN
    assert (calling.result, calling.source, calling.reason) == (1, 1, 3)


def test_what_may_pass_is_rejected_as_transient():
    assert [(r.result, r.source, r.reason) for r in (rejection.LOCAL_LIMIT, rejection.CONGESTION)] == [
        (2, 3, 2),
        (2, 3, 1),
    ]


def test_every_rejection_is_one_that_the_standard_knows_and_has_a_code_of_its_own():
    known = {(1, (1, 2, 3, 7)), (2, (1, 2)), (3, (1, 2))}
    for reason in REJECTIONS:
        assert any(reason.source == source and reason.reason in reasons for source, reasons in known)
    assert len({reason.code for reason in REJECTIONS}) == len(REJECTIONS)


@given(
    st.builds(
        Greeting,
        protocol_version=st.integers(0, 0xFFFF),
        application_context=st.one_of(st.just(APPLICATION_CONTEXT), st.text()),
        called=st.one_of(st.none(), st.just("KUVA"), st.text(max_size=16)),
        pdu_length_max=st.integers(0, 0xFFFFFFFF),
    ),
    st.booleans(),
)
def test_whatever_is_said_the_answer_is_one_of_the_table_or_none(greeting: Greeting, caller_known: bool):
    reason = rejected(greeting, caller_known=caller_known)
    assert reason is None or reason in REJECTIONS
    if reason is None:
        assert caller_known
        assert greeting.called == "KUVA"

"""Sub-operations: what is counted as what (PS3.4 C.4.3.1.3.1)."""

from uuid import UUID

import pytest

from gateway.access.find import Match
from gateway.access.retrieve import SubOperations
from gateway.listeners.retrieve import _comment, _numbers, _refusal
from gateway.model.identifiers import NodeId, SopInstanceUid, StudyUid, Uid, VaultId
from gateway.model.instance import ReceiveId
from gateway.wire.dicom.refusals import SUB_OPERATION_CONTEXT, SUB_OPERATION_ELSEWHERE

ONE = Match(
    VaultId(UUID(int=1)),
    StudyUid("1.2"),
    SopInstanceUid("1.2.3"),
    Uid("1.2.4"),
    Uid("1.2.5"),
    10,
    ReceiveId(NodeId(UUID(int=2)), 1, 1),
)


@pytest.mark.parametrize(
    ("status", "completed", "failed", "warning"),
    [
        (0x0000, 1, 0, 0),
        (0xB000, 0, 0, 1),
        (0xB007, 0, 0, 1),
        (0x0107, 0, 0, 1),
        (0xA700, 0, 1, 0),
        (0xC0D1, 0, 1, 0),
        (0x0122, 0, 1, 0),
        (None, 0, 1, 0),
    ],
)
def test_every_status_is_counted_once(status: int | None, completed: int, failed: int, warning: int):
    counts = SubOperations(remaining=3)
    counts.count(ONE, status)
    assert (counts.remaining, counts.completed, counts.failed, counts.warning) == (
        2,
        completed,
        failed,
        warning,
    )
    assert counts.failed_instances == ["1.2.3"] * failed


@pytest.mark.parametrize(
    ("completed", "failed", "warning", "status"),
    [
        (0, 0, 0, 0x0000),
        (5, 0, 0, 0x0000),
        (5, 1, 0, 0xB000),
        (5, 0, 1, 0xB000),
        (0, 2, 1, 0xB000),
        (0, 2, 0, 0xA702),
    ],
)
def test_the_final_status_follows_from_the_counts(completed: int, failed: int, warning: int, status: int):
    counts = SubOperations(remaining=0, completed=completed, failed=failed, warning=warning)
    refusal = _refusal(counts)
    assert (0 if refusal is None else refusal.status) == status


def test_the_comment_says_how_many_failed_and_the_most_frequent_reason():
    counts = SubOperations(remaining=4)
    assert _comment(counts) is None
    for why in (SUB_OPERATION_CONTEXT, SUB_OPERATION_ELSEWHERE, SUB_OPERATION_CONTEXT):
        counts.count(ONE, None, why)
    assert _comment(counts) == "3 failed: no context to send it on"
    assert counts.reasons == {"sub-operation-no-context": 2, "sub-operation-elsewhere": 1}


def test_counts_beyond_a_us_value_stay_at_its_end():
    counts = SubOperations(remaining=70_000, completed=70_000)
    assert _numbers(counts, remaining=True) == (0xFFFF, 0xFFFF, 0, 0)
    assert _numbers(counts, remaining=False)[0] is None

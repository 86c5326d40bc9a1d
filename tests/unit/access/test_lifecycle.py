"""Lifecycle: the numbers add up, and every wait says whose turn it is."""

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from gateway.access.lifecycle import Turn, lifecycle
from gateway.model.identifiers import NodeId, StudyUid, VaultId, VolumeId
from gateway.model.study import Study, StudyAttributes
from gateway.model.volume import Volume, VolumeKind, VolumeState
from tests.catalogue_samples import NOW

STUDY = Study(1, VaultId(UUID(int=1)), StudyUid("1.2"), StudyAttributes(), NOW, 100, 1_000)


@dataclass(frozen=True)
class Standing:
    waiting_seconds: float = 10.0
    due_seconds: float = 20.0
    failures: int = 0
    stopped: bool = False
    why: str = "if nothing more arrives"


def volume(state: VolumeState, instances: int, **more: object) -> Volume:
    made = Volume(
        VolumeId("0" * 26), "key", STUDY.vault, STUDY.uid, NodeId(UUID(int=2)), VolumeKind.KEPT, state, instances,
        uncommitted=instances if state is VolumeState.VERIFIED else 0, planned_at=NOW,
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def test_each_number_is_part_of_the_one_before_and_all_that_is_left_waits():
    volumes = [
        volume(VolumeState.PLANNED, 10), volume(VolumeState.STORED, 20, stored_at=NOW),
        volume(VolumeState.VERIFIED, 40, verified_at=NOW, uncommitted=15), volume(VolumeState.ABANDONED, 99),
        volume(VolumeState.VERIFIED, 1, kind=VolumeKind.QUARANTINED), volume(VolumeState.VERIFIED, 7, superseded_by="1"),
    ]  # fmt: skip
    found = lifecycle(STUDY, volumes, Standing(), now=NOW)
    assert (found.received, found.planned, found.stored, found.verified, found.committed) == (
        100,
        70,
        60,
        40,
        25,
    )
    assert [(wait.turn, wait.instances) for wait in found.waits] == [
        (Turn.ARCHIVE, 30), (Turn.ARCHIVE, 10), (Turn.ARCHIVE, 20), (Turn.SENDER, 15),
    ]  # fmt: skip
    assert found.waits[0].since == NOW - timedelta(seconds=10)
    assert "20 s (if nothing more arrives)" in found.waits[0].what


def test_what_is_committed_whole_waits_for_nothing():
    done = volume(VolumeState.SEALED, 100, uncommitted=0, verified_at=NOW)
    assert lifecycle(STUDY, [done], None, now=NOW).waits == ()


def test_it_is_the_operators_turn_where_only_a_person_helps():
    stopped = lifecycle(STUDY, [], Standing(failures=5, stopped=True), now=NOW).waits
    assert [(wait.turn, "kuva volume retry" in wait.what) for wait in stopped] == [(Turn.OPERATOR, True)]
    away = lifecycle(
        STUDY, [volume(VolumeState.PLANNED, 100)], None, now=NOW, store_waits_for="no space"
    ).waits
    assert [(wait.turn, wait.what) for wait in away] == [
        (Turn.OPERATOR, "to be assembled and stored: no space")
    ]
    bad = volume(VolumeState.VERIFIED, 100, uncommitted=0, damaged_at=NOW)
    waits = lifecycle(STUDY, [bad], None, now=NOW, incidents=2).waits
    assert [wait.turn for wait in waits] == [Turn.OPERATOR, Turn.OPERATOR]
    assert "2 open incidents" in waits[1].what


def test_what_only_another_node_has_is_for_that_node_to_plan():
    (wait,) = lifecycle(STUDY, [], None, now=NOW).waits
    assert (wait.turn, wait.instances) == (Turn.ARCHIVE, 100)

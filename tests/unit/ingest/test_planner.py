"""The planner: what lands is planned when it is due, whatever the catalogue answers, and failures stop it in time."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from gateway.catalogue import Choices
from gateway.errors import CatalogueUnavailableError, PlanError
from gateway.ingest import planner as room
from gateway.ingest.planner import Planner
from gateway.ingest.planning import Reason
from gateway.model.batch import Flush
from gateway.model.identifiers import NodeId, StudyUid, VaultId
from gateway.model.instance import ReceiveId
from gateway.model.volume import OpenBatch, PlannedBatch, PlannedVolume, VolumePlan, VolumeState
from gateway.settings import VolumesSettings
from tests.catalogue_samples import NOW, STUDY, batch

NODE, VAULT = NodeId(UUID(int=7)), VaultId(UUID(int=8))
SOON = {"quiet_seconds": 0.05, "gather_seconds": 0.05, "age_seconds": 60.0}
LATE = {"quiet_seconds": 600.0, "gather_seconds": 0.05, "age_seconds": 600.0}


class Catalogue:
    """Keeps open batches and plans in memory, and refuses when told to."""

    def __init__(self) -> None:
        self.volumes = self.incidents = self
        self.open: dict[tuple[int, int], OpenBatch] = {}
        self.plans: list[VolumePlan] = []
        self.damaged: set[ReceiveId] = set()
        self.refusals: list[Exception] = []
        self.while_asked: Callable[[], None] = lambda: None

    def has(self, flush: Flush) -> None:
        for one in flush.batches:
            self.open[flush.epoch, one.first_position] = OpenBatch(
                VAULT, one.study_uid, flush.epoch, one.first_position, one.last_position, one.instances,
                one.length, datetime.now(UTC), NOW, NOW,
            )  # fmt: skip

    async def open_batches(self, node: NodeId) -> tuple[OpenBatch, ...]:
        found = tuple(self.open.values())
        self.while_asked()
        await asyncio.sleep(0)
        return found

    async def choices(self, vault: VaultId, study: StudyUid) -> Choices:
        if self.refusals and isinstance(self.refusals[0], AssertionError):
            self.refusals.pop(0)
            raise CatalogueUnavailableError("choices")
        return Choices({}, frozenset(self.damaged))

    async def plan(self, plan: VolumePlan) -> PlannedVolume:
        if self.refusals:
            raise self.refusals.pop(0)
        if any((one.epoch, one.first_position) not in self.open for one in plan.batches):
            raise PlanError("gone")
        taken = [self.open.pop((one.epoch, one.first_position)) for one in plan.batches]
        self.plans.append(plan)
        batches = tuple(
            PlannedBatch(one.epoch, one.first_position, one.last_position, one.instances, one.length, b"")
            for one in taken
        )
        instances = sum(one.instances for one in batches) - len(plan.excluded)
        return PlannedVolume(plan, VolumeState.PLANNED, instances, batches)


def _flush(*firsts: int, study: str = STUDY, instances: int = 3) -> Flush:
    batches = tuple(
        batch(VAULT, [(first + n, f"1.{first + n}", "x") for n in range(instances)], study=StudyUid(study))
        for first in firsts
    )
    return Flush(NODE, 2, 0, max(firsts) + instances, batches)


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RETRY_SECONDS_LEAST", "RELOAD_SECONDS", "FAILED_SECONDS_LEAST", "PRESSED_QUIET_SECONDS"):
        monkeypatch.setattr(room, name, 0.02)
    monkeypatch.setattr(room, "LOOK_SECONDS_MOST", 0.05)


class Planned:
    """What the planner handed over."""

    def __init__(self, catalogue: Catalogue, settings: dict[str, Any], **more: Any) -> None:
        self.volumes: asyncio.Queue[PlannedVolume] = asyncio.Queue(1)
        self.reasons: list[Reason] = []
        self.planner = Planner(
            catalogue, NODE, VolumesSettings(**settings), self.volumes.put,  # type: ignore[arg-type]
            on_planned=self.reasons.append, **more,
        )  # fmt: skip

    async def next(self) -> PlannedVolume:
        async with asyncio.timeout(10):
            return await self.volumes.get()


@asynccontextmanager
async def planning(catalogue: Catalogue, settings: dict[str, Any], **more: Any):
    planned = Planned(catalogue, settings, **more)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(planned.planner.run())
        yield planned
        task.cancel()


def _firsts(planned: PlannedVolume) -> Sequence[int]:
    return [one.first_position for one in planned.batches]


async def test_what_the_catalogue_had_at_start_and_what_lands_is_planned_when_quiet():
    catalogue = Catalogue()
    catalogue.has(_flush(1, study="1.1"))
    async with planning(catalogue, SOON) as planned:
        assert _firsts(await planned.next()) == [1]
        for flush in (_flush(10), _flush(20)):
            catalogue.has(flush)
            planned.planner.landed(flush)
        assert _firsts(await planned.next()) == [10, 20]
    assert planned.reasons == [Reason.QUIET, Reason.QUIET]
    assert planned.planner.reason_of(catalogue.plans[0].id) is Reason.QUIET
    assert planned.planner.standing(VAULT, STUDY) is None
    assert planned.planner.oldest_seconds() == 0


async def test_what_lands_while_the_catalogue_is_asked_is_not_forgotten():
    catalogue = Catalogue()
    async with planning(catalogue, SOON) as planned:

        def lands() -> None:
            catalogue.while_asked = lambda: None
            catalogue.has(_flush(1))
            planned.planner.landed(_flush(1))

        catalogue.while_asked = lands
        assert _firsts(await planned.next()) == [1]


@pytest.mark.parametrize("early", [True, False])
async def test_a_request_hurries_whether_it_comes_before_or_after_the_landing(early: bool):
    catalogue = Catalogue()
    async with planning(catalogue, LATE) as planned:
        catalogue.has(_flush(1))
        if early:
            planned.planner.asked(VAULT, STUDY, 3)
        planned.planner.landed(_flush(1))
        if not early:
            planned.planner.asked(VAULT, STUDY, 3)
        await planned.next()
    assert planned.reasons == [Reason.COMMITMENT]


@pytest.mark.parametrize(
    ("items", "landed", "at_once"), [(32, True, True), (32, False, False), (31, True, False)]
)
async def test_a_request_worth_a_volume_is_planned_at_once_if_all_of_it_landed(
    items: int, landed: bool, at_once: bool
):
    catalogue = Catalogue()
    catalogue.has(_flush(1))
    # The clock stands still: nothing is due by waiting.
    async with planning(catalogue, {"gather_items_max": 32}, clock=lambda: 5.0) as planned:
        planned.planner.landed(_flush(1))
        planned.planner.asked(VAULT, STUDY, items, landed=landed)
        standing = planned.planner.standing(VAULT, STUDY)
        assert standing is not None
        assert (standing.due_seconds == 0) == at_once
        if at_once:
            await planned.next()
            assert planned.reasons == [Reason.COMMITMENT]


async def test_a_request_that_is_not_complete_takes_nothing_from_one_that_is():
    catalogue = Catalogue()
    catalogue.has(_flush(1))
    async with planning(catalogue, {"gather_items_max": 32}, clock=lambda: 5.0) as planned:
        planned.planner.asked(VAULT, STUDY, 32, landed=True)
        planned.planner.asked(VAULT, STUDY, 40, landed=False)
        planned.planner.landed(_flush(1))
        await planned.next()


async def test_who_is_asked_for_goes_before_all_who_are_due():
    catalogue = Catalogue()
    for number in range(5):
        catalogue.has(_flush(10 * number + 1, study=f"1.{number}"))
    async with planning(catalogue, SOON | {"quiet_seconds": 0.01}) as planned:
        await planned.next()
        await asyncio.sleep(0.1)  # one is in the queue, one waits for room in it
        planned.planner.asked(VAULT, StudyUid("1.4"), 3)
        order = [(await planned.next()).plan.study_uid for _ in range(4)]
    assert order[2] == "1.4"


async def test_a_refused_plan_is_looked_up_again_and_an_unknown_outcome_is_the_same_plan_again():
    catalogue = Catalogue()
    catalogue.has(_flush(1))
    catalogue.refusals = [AssertionError(), CatalogueUnavailableError("away"), PlanError("not compared yet")]
    async with planning(catalogue, SOON) as planned:
        catalogue.has(_flush(1))
        assert _firsts(await planned.next()) == [1]
    assert not catalogue.refusals
    assert len(catalogue.plans) == 1


async def test_damaged_instances_are_excluded_and_what_is_all_damaged_is_not_planned():
    catalogue = Catalogue()
    catalogue.has(_flush(1, 10))
    catalogue.damaged = {ReceiveId(NODE, 2, position) for position in (1, 2, 3, 11)}
    catalogue.damaged.add(ReceiveId(NodeId(UUID(int=9)), 2, 10))
    async with planning(catalogue, SOON) as planned:
        found = await planned.next()
        assert (_firsts(found), found.plan.excluded, found.instances) == ([10], ((2, 11),), 2)
        await asyncio.sleep(0.2)
    assert len(catalogue.plans) == 1


async def test_a_study_whose_volumes_fail_is_tried_so_often_and_then_waits_for_an_operator():
    catalogue = Catalogue()
    catalogue.has(_flush(1))
    async with planning(catalogue, SOON | {"tries_max": 3}) as planned:
        for _ in range(3):
            volume = await planned.next()
            catalogue.has(_flush(1))  # released
            planned.planner.abandoned(volume, counts=True)
        await asyncio.sleep(0.3)
        assert planned.volumes.empty()
        standing = planned.planner.standing(VAULT, STUDY)
        assert standing is not None
        assert (standing.stopped, standing.failures) == (True, 3)
        assert planned.planner.stopped() == ((VAULT, STUDY),)
        assert planned.planner.retry(VAULT, STUDY)
        planned.planner.verified(await planned.next())
    assert planned.planner.stopped() == ()
    assert len({plan.id for plan in catalogue.plans}) == len({plan.key for plan in catalogue.plans}) == 4


async def test_a_rotten_journal_is_no_failure_of_the_volume():
    catalogue = Catalogue()
    catalogue.has(_flush(1))
    async with planning(catalogue, SOON | {"tries_max": 1}) as planned:
        for _ in range(3):
            volume = await planned.next()
            catalogue.has(_flush(1))
            planned.planner.abandoned(volume, counts=False)
        await planned.next()


async def test_a_journal_that_fills_up_has_the_largest_planned_although_it_arrives():
    catalogue = Catalogue()
    for first, study, instances in ((1, "1.1", 3), (10, "1.2", 9), (30, "1.3", 5)):
        catalogue.has(_flush(first, study=study, instances=instances))
    async with planning(catalogue, LATE, fill=lambda: 0.6) as planned:
        order = [(await planned.next()).plan.study_uid for _ in range(3)]
    assert order == ["1.2", "1.3", "1.1"]
    assert planned.reasons == [Reason.ROOM] * 3

"""The outbox: every delivery is brought until it is taken, in order for each destination, and none twice at once."""

import asyncio
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dispatch import outbox
from gateway.dispatch.event_report import AwayError, NowhereError, UndeliveredError
from gateway.dispatch.outbox import Outbox, pause_seconds
from gateway.errors import CatalogueUnavailableError
from gateway.model.delivery import Delivery, DeliveryKind
from gateway.model.identifiers import AeTitle, NodeId, Uid
from gateway.telemetry import Metrics

NODE = NodeId(UUID(int=1))


def delivery(number: int, destination: str) -> Delivery:
    now = datetime.now(UTC)
    return Delivery(
        id=number, lease=0, leased_until=now, kind=DeliveryKind.RESULT, destination=AeTitle(destination),
        called=AeTitle("KUVA"), transaction_uid=Uid(f"1.2.{number}"), items=(), failures={}, node=NODE,
        epoch=1, association=1, created_at=now, attempts=0,
    )  # fmt: skip


class Owed:
    """As the catalogue leases: one destination at a time, in order."""

    def __init__(self, *deliveries: Delivery) -> None:
        self.owed = {one.id: one for one in deliveries}
        self.at: dict[int, datetime] = defaultdict(lambda: datetime.now(UTC))
        self.leased: dict[int, Delivery] = {}
        self.done: list[int] = []
        self.given_up: list[int] = []
        self.errors: list[str] = []
        self.away = 0
        self.empty = asyncio.Event()

    async def release(self, node: NodeId) -> int:
        return 0

    async def due(
        self, limit: int, node: NodeId, *, lease: timedelta = timedelta(1), others_after: object = None
    ) -> tuple[Delivery, ...]:
        if self.away:
            self.away -= 1
            raise CatalogueUnavailableError("away")
        busy = {one.destination for one in self.leased.values()}
        now = datetime.now(UTC)
        found = [one for one in self.owed.values() if one.destination not in busy and self.at[one.id] <= now]
        for one in found[:limit]:
            self.leased[one.id] = replace(one, leased_until=now + lease)
        return tuple(self.leased[one.id] for one in found[:limit])

    async def delivered(self, delivery: Delivery) -> None:
        del self.owed[delivery.id], self.leased[delivery.id]
        self.done.append(delivery.id)
        self._look()

    async def failed(self, delivery: Delivery, why: str, *, next_attempt_at: datetime | None) -> None:
        del self.leased[delivery.id]
        self.errors.append(why)
        if next_attempt_at is None:
            del self.owed[delivery.id]
            self.given_up.append(delivery.id)
        else:
            self.owed[delivery.id] = replace(delivery, attempts=delivery.attempts + 1)
            self.at[delivery.id] = next_attempt_at
        self._look()

    def _look(self) -> None:
        if not self.owed:
            self.empty.set()


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(outbox, "CATALOGUE_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(outbox, "PAUSE_SECONDS_LEAST", 0.01)


async def run_until_empty(owed: Owed, bring: object) -> Metrics:
    metrics = Metrics()
    made = Outbox(owed, bring, NODE, metrics, jitter=lambda: 1.0)  # type: ignore[arg-type]
    task = asyncio.create_task(made.run())
    async with asyncio.timeout(10):
        await owed.empty.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return metrics


@given(outcomes=st.lists(st.lists(st.sampled_from(["away", "refused"]), max_size=3), min_size=1, max_size=6))
async def test_u38_p15_everything_is_delivered_once_whatever_failed_before(outcomes: list[list[str]]):
    owed = Owed(*(delivery(n, f"AE{n % 2}") for n in range(len(outcomes))))
    left = {n: list(some) for n, some in enumerate(outcomes)}
    now_with: set[AeTitle] = set()

    async def bring(one: Delivery) -> None:
        assert one.destination not in now_with, "two at once to one destination"
        now_with.add(one.destination)
        await asyncio.sleep(0)
        now_with.discard(one.destination)
        if left[one.id]:
            kind = left[one.id].pop()
            raise AwayError("unreachable", "away") if kind == "away" else UndeliveredError("refused", "0110H")

    await run_until_empty(owed, bring)
    assert sorted(owed.done) == list(range(len(outcomes)))


async def test_reports_to_one_destination_arrive_in_their_order():
    owed, seen = Owed(*(delivery(n, "CT1") for n in range(5))), []

    async def bring(one: Delivery) -> None:
        seen.append(one.id)

    await run_until_empty(owed, bring)
    assert seen == [0, 1, 2, 3, 4]


async def test_one_that_hangs_holds_up_nobody_else():
    owed, release = Owed(delivery(1, "HANGS"), delivery(2, "WELL")), asyncio.Event()

    async def bring(one: Delivery) -> None:
        if one.destination == "HANGS":
            async with asyncio.timeout(5):
                await release.wait()
        else:
            release.set()

    await run_until_empty(owed, bring)
    assert owed.done == [2, 1]


async def test_a_destination_that_is_away_is_tried_once_for_all_that_waits_for_it():
    owed, tries = Owed(*(delivery(n, "CT1") for n in range(4))), []

    async def bring(one: Delivery) -> None:
        tries.append(one.id)
        if len(tries) == 1:
            raise AwayError("unreachable", "nobody answers")

    await run_until_empty(owed, bring)
    assert owed.errors == ["nobody answers"] * 4
    assert tries[:2] == [0, 0]


async def test_what_has_no_way_is_given_up_and_says_why():
    owed = Owed(delivery(1, "CT1"))

    async def bring(one: Delivery) -> None:
        raise NowhereError("no host is recorded to report to")

    await run_until_empty(owed, bring)
    assert (owed.given_up, owed.errors) == ([1], ["no host is recorded to report to"])


async def test_a_catalogue_that_is_away_is_asked_again():
    owed = Owed(delivery(1, "CT1"))
    owed.away = 3

    async def bring(one: Delivery) -> None:
        """Taken."""

    await run_until_empty(owed, bring)
    assert owed.done == [1]


def test_pauses_double_to_a_quarter_of_an_hour(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    assert [pause_seconds(n) for n in range(4)] == [1, 2, 4, 8]
    assert pause_seconds(1000) == 900

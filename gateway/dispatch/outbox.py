"""The outbox: brings what is owed to others, again and again until it is taken.

The catalogue leases deliveries, so that what a crashed node was bringing is brought by the next one. Each
destination gets its reports one after the other, in the order in which they were owed; one that hangs or is
away holds up nobody else.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Protocol

import structlog

from gateway.dispatch.event_report import AwayError, UndeliveredError
from gateway.errors import CatalogueError, UnavailableError
from gateway.model.delivery import Delivery
from gateway.model.identifiers import AeTitle, NodeId
from gateway.telemetry import Metrics

log = structlog.get_logger(__name__)

DESTINATIONS_MAX = 8
"""Destinations to which something is on its way at once."""
LEASED_MAX = 32
LEASE = timedelta(seconds=90)
ATTEMPT = timedelta(seconds=50)
"""The longest that one attempt takes; none begins that would outlive its lease."""
PAUSE_SECONDS_LEAST, PAUSE_SECONDS_MOST = 1.0, 900.0
LOOK_SECONDS = 1.0
"""How often what has become due is looked for, without any other reason."""
CATALOGUE_PAUSE_SECONDS = 2.0


class Owed(Protocol):
    """Where deliveries are kept."""

    async def due(
        self, limit: int, node: NodeId, *, lease: timedelta = ..., others_after: timedelta = ...
    ) -> tuple[Delivery, ...]: ...

    async def release(self, node: NodeId) -> int: ...

    async def delivered(self, delivery: Delivery) -> None: ...

    async def failed(self, delivery: Delivery, why: str, *, next_attempt_at: datetime | None) -> None: ...


class Outbox:
    """One task brings; `kick` says that something may be due."""

    def __init__(
        self,
        owed: Owed,
        bring: Callable[[Delivery], Awaitable[None]],
        node: NodeId,
        metrics: Metrics,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = lambda: random.uniform(0.75, 1.25),  # noqa: S311
    ) -> None:
        self._owed, self._bring, self._node, self._metrics = owed, bring, node, metrics
        self._clock, self._jitter = clock, jitter
        self._kick = asyncio.Event()
        self._busy: set[AeTitle] = set()
        self._away: dict[AeTitle, int] = {}
        """How often in a row a destination could not be reached."""

    def kick(self) -> None:
        """Something may be due."""
        self._kick.set()

    async def run(self) -> None:
        """Until cancelled."""
        await self._release()
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._kick.clear()
                if len(self._busy) < DESTINATIONS_MAX:
                    await self._begin(tasks)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._kick.wait()

    async def _release(self) -> None:
        """A crash left leases: without this their destinations would wait for them to end."""
        try:
            await self._owed.release(self._node)
        except (UnavailableError, CatalogueError) as error:
            log.warning("leases of the last process stay until they end", reason=str(error))

    async def _begin(self, tasks: asyncio.TaskGroup) -> None:
        try:
            leased = await self._owed.due(LEASED_MAX, self._node, lease=LEASE)
        except (UnavailableError, CatalogueError) as error:
            log.warning("what is owed cannot be looked up now", reason=str(error))
            return await asyncio.sleep(CATALOGUE_PAUSE_SECONDS)
        ordered = sorted(leased, key=lambda one: (one.destination, one.id))
        for destination, group in groupby(ordered, key=lambda one: one.destination):
            self._busy.add(destination)
            tasks.create_task(self._serve(destination, tuple(group)), name=f"outbox-{destination}")
        return None

    async def _serve(self, destination: AeTitle, deliveries: Sequence[Delivery]) -> None:
        try:
            away: AwayError | None = None
            for delivery in deliveries:
                if self._clock() + ATTEMPT > delivery.leased_until:
                    return  # leased again soon, in order
                if away is not None:
                    await self._failed(delivery, away)
                else:
                    away = await self._attempt(delivery)
            if away is not None:
                self._away[destination] = self._away.get(destination, 0) + 1
        except (UnavailableError, CatalogueError) as error:
            log.warning("an outcome cannot be recorded now", destination=destination, reason=str(error))
        finally:
            self._busy.discard(destination)
            self._kick.set()

    async def _attempt(self, delivery: Delivery) -> AwayError | None:
        """Why no other need be tried now, if it is the destination itself that is away."""
        try:
            async with asyncio.timeout(ATTEMPT.total_seconds()):
                await self._bring(delivery)
        except UndeliveredError as error:
            await self._failed(delivery, error)
            return error if isinstance(error, AwayError) else None
        except TimeoutError:
            await self._failed(delivery, UndeliveredError("unanswered", "not taken in time"))
            return None
        self._away.pop(delivery.destination, None)
        await self._owed.delivered(delivery)
        self._metrics.reports.labels("delivered").inc()
        log.info(
            "report delivered", delivery=delivery.id, destination=delivery.destination,
            transaction=delivery.transaction_uid, attempts=delivery.attempts + 1,
        )  # fmt: skip
        return None

    async def _failed(self, delivery: Delivery, error: UndeliveredError) -> None:
        tries = delivery.attempts
        if isinstance(error, AwayError):
            tries = self._away.get(delivery.destination, 0)
        pause = pause_seconds(tries) * self._jitter()
        again = self._clock() + timedelta(seconds=pause) if error.may_retry else None
        self._metrics.reports.labels(error.outcome).inc()
        log.warning(
            "report not delivered", delivery=delivery.id, destination=delivery.destination,
            transaction=delivery.transaction_uid, attempts=delivery.attempts + 1, reason=str(error),
            next_attempt_in=None if again is None else round(pause, 1),
        )  # fmt: skip
        await self._owed.failed(delivery, str(error), next_attempt_at=again)


def pause_seconds(failures: int) -> float:
    """After so many failures in a row before this one: doubled each time, to a quarter of an hour."""
    return float(min(PAUSE_SECONDS_LEAST * 2 ** min(failures, 20), PAUSE_SECONDS_MOST))

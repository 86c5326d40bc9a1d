"""Uncommitted: what lies in verified volumes and was never committed, for too long; told, never deleted."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from gateway.catalogue import Catalogue
from gateway.errors import CatalogueError, UnavailableError
from gateway.model.volume import Uncommitted
from gateway.telemetry import Metrics

log = structlog.get_logger(__name__)

LOOK_SECONDS = 900.0
"""Between two looks: each reads the index of all volumes that are not committed."""
TOLD_AGAIN = timedelta(days=1)


class UncommittedWatch:
    """Looks now and then, for the metric and for health, and warns in the log at most once a day."""

    def __init__(
        self,
        catalogue: Catalogue,
        metrics: Metrics,
        *,
        after_days: float,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._catalogue, self._metrics, self._clock = catalogue, metrics, clock
        self.after_days = after_days
        self._found: Uncommitted | None = None
        self._told_at: datetime | None = None

    def found(self) -> Uncommitted | None:
        """By the last look; None: there was none yet."""
        return self._found

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except (UnavailableError, CatalogueError) as error:
                log.info("what is not committed cannot be counted now", reason=str(error))
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """One look. Raises what the catalogue raises; the last figures then stay."""
        now = self._clock()
        found = await self._catalogue.volumes.uncommitted(now - timedelta(days=self.after_days))
        self._found = found
        self._metrics.uncommitted_instances.set(found.instances)
        if found.instances and (self._told_at is None or now - self._told_at >= TOLD_AGAIN):
            self._told_at = now
            log.warning(
                "instances were not committed in time: kuva commitment missing", instances=found.instances,
                volumes=found.volumes, since=found.since and found.since.isoformat(), days=self.after_days,
            )  # fmt: skip

"""The watch over what was never committed: counted at each look, told in the log at most once a day."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.custody.uncommitted import UncommittedWatch
from gateway.errors import UnavailableError
from gateway.model.volume import Uncommitted
from gateway.telemetry import Metrics

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SOME = Uncommitted(2, 40, NOW - timedelta(days=9))
NOTHING = Uncommitted(0, 0, None)


class Archive:
    """Answers with what it is told to, at a time that a test says."""

    def __init__(self, after_days: float = 7.0) -> None:
        self.now, self.answer, self.asked = NOW, SOME, list[datetime]()
        self.away = False
        self.metrics = Metrics()
        catalogue: Any = SimpleNamespace(volumes=SimpleNamespace(uncommitted=self._uncommitted))
        self.watch = UncommittedWatch(catalogue, self.metrics, after_days=after_days, clock=lambda: self.now)

    async def _uncommitted(self, before: datetime) -> Uncommitted:
        self.asked.append(before)
        if self.away:
            raise UnavailableError("away")
        return self.answer

    async def warnings(self, after: timedelta = timedelta()) -> int:
        """How many one more look gives."""
        self.now += after
        with capture_logs() as told:
            await self.watch.look()
        return sum(line["log_level"] == "warning" for line in told)

    def gauge(self) -> float | None:
        return self.metrics.registry.get_sample_value("kuva_uncommitted_instances")


@pytest.mark.asyncio
@pytest.mark.parametrize("days", [0.0, 0.5, 7.0])
async def test_what_was_verified_before_the_profiles_time_is_counted(days: float):
    archive = Archive(days)
    assert archive.watch.found() is None
    await archive.watch.look()
    assert archive.asked == [NOW - timedelta(days=days)]
    assert (archive.watch.found(), archive.gauge()) == (SOME, 40)
    archive.answer = NOTHING
    await archive.watch.look()
    assert (archive.watch.found(), archive.gauge()) == (NOTHING, 0)


@pytest.mark.asyncio
async def test_the_log_is_warned_at_most_once_a_day():
    archive, quarter = Archive(), timedelta(minutes=15)
    told = [await archive.warnings(quarter) for _ in range(4 * 24 + 1)]
    assert (told[0], sum(told[1:-1]), told[-1]) == (1, 0, 1)


@pytest.mark.asyncio
async def test_nothing_is_told_of_nothing():
    archive = Archive()
    archive.answer = NOTHING
    assert await archive.warnings() == 0
    archive.answer = SOME
    assert await archive.warnings() == 1


@pytest.mark.asyncio
async def test_the_last_figures_stay_while_the_catalogue_is_away():
    archive = Archive()
    await archive.watch.look()
    archive.away = True
    with pytest.raises(UnavailableError):
        await archive.watch.look()
    assert (archive.watch.found(), archive.gauge()) == (SOME, 40)

"""Damage: reported without waiting, recorded once, and not lost while the catalogue cannot be asked."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.access.damage import DamageReports
from gateway.errors import CatalogueError, CatalogueUnavailableError
from tests.unit.access.test_sub_operations import ONE


class Recorder:
    """A journal, and a catalogue that fails as often as it is told to."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.recorded: list[tuple[object, str]] = []
        self.incidents = SimpleNamespace(damaged=self.recorded_as)
        self.marked: list[object] = []

    def damaged(self, receive_id: object) -> None:
        self.marked.append(receive_id)

    async def recorded_as(self, receive_id: object, *, reason: str, **_: object) -> None:
        if self.errors:
            raise self.errors.pop()
        self.recorded.append((receive_id, reason))


async def recorded(recorder: Any, *reasons: str) -> list[tuple[object, str]]:
    reports = DamageReports(recorder, recorder, retry_seconds=0.01)
    running = asyncio.ensure_future(reports.run())
    for reason in reasons:
        reports.report(ONE, reason)
    await asyncio.sleep(0.1)
    assert not running.done()
    running.cancel()
    return recorder.recorded  # type: ignore[no-any-return]


async def test_found_twice_it_is_recorded_once():
    assert await recorded(Recorder(), "rot", "rot again") == [(ONE.receive_id, "rot")]


async def test_while_the_catalogue_cannot_be_asked_the_report_waits():
    recorder = Recorder(CatalogueUnavailableError("x"), CatalogueUnavailableError("x"))
    assert await recorded(recorder, "rot") == [(ONE.receive_id, "rot")]


@pytest.mark.parametrize("error", [CatalogueError("refused")])
async def test_what_the_catalogue_refuses_keeps_no_other_waiting(error: Exception):
    assert await recorded(Recorder(error), "rot") == []


async def test_nothing_rests_on_it_from_the_moment_it_is_found_whatever_the_catalogue_does():
    recorder = Recorder(CatalogueError("refused"))
    DamageReports(recorder, recorder).report(ONE, "rot")  # type: ignore[arg-type]
    assert recorder.marked == [ONE.receive_id]

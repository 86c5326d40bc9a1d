"""Damage: reported without waiting, recorded once, and not lost while the catalogue cannot be asked."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.access.damage import DamageReports
from gateway.access.find import InVolume, Match
from gateway.errors import CatalogueError, CatalogueUnavailableError
from gateway.model.identifiers import VolumeId
from tests.unit.access.test_sub_operations import ONE


class Recorder:
    """A journal, and a catalogue that fails as often as it is told to."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.recorded: list[tuple[object, str]] = []
        self.incidents = SimpleNamespace(damaged=self.recorded_as)
        self.volumes = SimpleNamespace(damaged=self.told_of)
        self.marked: list[object] = []
        self.unsound: list[tuple[object, str]] = []
        self.changed: list[object] = []

    def damaged(self, receive_id: object) -> None:
        self.marked.append(receive_id)

    async def told_of(self, volume: object, _: object, why: str) -> None:
        self.unsound.append((volume, why))

    def study_changed(self, _: object, study: object) -> None:
        self.changed.append(study)

    async def recorded_as(self, receive_id: object, *, reason: str, **_: object) -> None:
        if self.errors:
            raise self.errors.pop()
        self.recorded.append((receive_id, reason))


async def recorded(recorder: Any, *reasons: str, match: Match = ONE) -> list[tuple[object, str]]:
    reports = DamageReports(recorder, recorder, retry_seconds=0.01)
    running = asyncio.ensure_future(reports.run())
    for reason in reasons:
        reports.report(match, reason)
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


async def test_damage_in_a_volume_is_an_incident_and_nothing_rests_on_the_volume():
    recorder = Recorder()
    stored = InVolume(VolumeId("01K4M8Q2ZJ5W3T7N9V6X1B0CDE"), "key", 700, None, bytes(16), damaged=False)
    told = await recorded(recorder, "rot", match=replace(ONE, place=stored))
    why = f"in volume {stored.volume}: rot"
    assert told == [(ONE.receive_id, why)]
    assert recorder.unsound == [(stored.volume, why)]
    assert recorder.changed == [ONE.study], "asked again at the next instance"
    assert recorder.marked == [], "the journal's copy, if there is one, is not what was read"

"""The rescuer: a rescue is read back before it is one; what was given up meanwhile is no damage."""

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.errors import InstanceAbsentError, JournalRotError
from gateway.ingest import rescue as room
from gateway.ingest.rescue import Rescuer, verify
from gateway.model.incident import Resolution


class Both:
    """A journal that keeps 1 again as 2, and a catalogue with an incident of 1."""

    def __init__(self, *, error: Exception | None = None, again: int | None = 2) -> None:
        self.error, self.again = error, again
        self.grants = self
        self.incidents = SimpleNamespace(
            list=self.open, get=self.get, damaged=self.record, rescued=self.rescued
        )
        self.studies = SimpleNamespace(get=self.blocks)
        self.resolution: Resolution | None = None
        self.marked: list[int] = []
        self.recorded: list[int] = []
        self.ended: list[tuple[int, int]] = []
        self.looked = 0

    async def vaults(self) -> list[Any]:
        return [SimpleNamespace(id="vault")]

    async def open(self, filters: object, *, limit: int, after: int | None) -> list[Any]:
        self.looked += 1
        return [] if self.ended else [await self.get(7, [])]

    async def get(self, number: int, vaults: object) -> Any:
        return SimpleNamespace(
            id=7, vault="vault", study_uid="1", sop_uid="2", receive_id=1, resolution=self.resolution
        )

    async def blocks(self, *_: object) -> tuple[None, list[Any]]:
        return None, []

    def holds(self, receive_id: int) -> bool:
        return True

    def rescue_of(self, receive_id: int) -> int | None:
        return self.again

    async def verify(self, receive_id: int) -> None:
        if self.error is not None:
            raise self.error

    def damaged(self, receive_id: int) -> None:
        self.marked.append(receive_id)

    async def record(self, receive_id: int, **_: object) -> None:
        self.recorded.append(receive_id)

    async def rescued(self, number: int, vaults: object, by: int) -> None:
        self.ended.append((number, by))


def rescuer(both: Any) -> Rescuer:
    return Rescuer(both, both)


async def test_what_is_kept_again_and_reads_back_ends_the_incident():
    both = Both()
    await rescuer(both).look()
    assert both.ended == [(7, 2)]


async def test_what_does_not_read_back_is_no_rescue_but_damaged_itself():
    both = Both(error=JournalRotError("rot"))
    await rescuer(both).look()
    assert (both.ended, both.marked, both.recorded) == ([], [2], [2])


async def test_what_is_not_kept_again_stays_open():
    both = Both(again=None)
    await rescuer(both).look()
    assert both.ended == []


@pytest.mark.parametrize(("resolution", "recorded"), [(Resolution.DISCARD, []), (None, [3])])
async def test_what_was_given_up_while_it_was_looked_at_is_no_damage(
    resolution: Resolution | None, recorded: list[int]
):
    both: Any = Both(error=InstanceAbsentError("gone"))
    both.resolution = resolution
    with pytest.raises(InstanceAbsentError):
        await verify(both, both, await both.get(7, []), 3)
    assert both.recorded == both.marked == recorded


async def test_landing_wakes_it_only_while_something_is_damaged():
    both = Both(again=None)
    made = rescuer(both)
    made.landed()
    assert not made._looking._kick.is_set()
    await made.look()
    made.landed()
    assert made._looking._kick.is_set()


async def test_what_is_in_a_verified_volume_was_read_back_there(monkeypatch: pytest.MonkeyPatch):
    both: Any = Both(error=InstanceAbsentError("forgotten"))

    async def volumes(*_: object) -> tuple[None, list[Any]]:
        return None, [SimpleNamespace(volume="A", damaged=False), SimpleNamespace(volume=None, damaged=False)]

    both.studies.get = volumes
    monkeypatch.setattr(
        room, "_copies", lambda blocks, _: {2: None} if [b.volume for b in blocks] == ["A"] else {}
    )
    await rescuer(both).look()
    assert (both.ended, both.recorded) == ([(7, 2)], [])

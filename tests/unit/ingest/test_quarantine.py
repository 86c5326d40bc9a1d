"""The comparer: an incident that cannot be compared stays as it is; the others, and the gateway, go on."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.errors import CatalogueUnavailableError, JournalError, NotFoundError
from gateway.ingest.quarantine import Comparer


class Both:
    """A journal and a catalogue with two quarantine incidents."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.grants = self.incidents = self
        self.done: list[int] = []

    async def vaults(self) -> list[Any]:
        return [SimpleNamespace(id="vault")]

    async def list(self, filters: object, *, limit: int, after: int | None) -> Any:
        return [
            SimpleNamespace(id=n, vault="vault", difference=None, receive_id=n, kept=n)
            for n in (1, 2)
            if n not in self.done
        ]

    def holds(self, receive_id: int) -> bool:
        return True

    async def verify(self, receive_id: int) -> None:
        pass

    async def compare(self, kept: int, newcomer: int, most: int) -> Any:
        if newcomer == 1 and self.error is not None:
            raise self.error
        return SimpleNamespace(equivalent=True)

    async def compared(self, incident: int, *args: object, **kwargs: object) -> Any:
        self.done.append(incident)
        return SimpleNamespace(resolution=None)


@pytest.mark.parametrize("error", [ValueError("defect"), JournalError("rot"), NotFoundError("gone")])
async def test_one_that_cannot_be_compared_keeps_nobody_waiting(error: Exception):
    both = Both(error)
    await Comparer(both, both).compare_all()  # type: ignore[arg-type]
    assert both.done == [2]


@pytest.mark.parametrize("error", [ValueError("defect"), JournalError("rot"), CatalogueUnavailableError("x")])
async def test_no_error_of_a_round_ends_the_comparer(error: Exception):
    both = Both(None)

    async def fails() -> list[Any]:
        raise error

    both.vaults = fails  # type: ignore[method-assign]
    comparing = asyncio.ensure_future(Comparer(both, both).run())  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    assert not comparing.done()
    comparing.cancel()

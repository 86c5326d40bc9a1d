"""`kuva serve` whose keeping is broken on purpose, as the environment says:

- KUVA_TEST_KILL_AT=POINT: it kills itself (SIGKILL) when a volume first gets there;
- KUVA_TEST_STORE_SEED=N, KUVA_TEST_STORE_FAULTS=P: its store harms so many of the objects after success
  (with KUVA_TEST_STORE_HARMS=.tar, only of those whose key ends so), and says which in the file `harmed`;
- KUVA_TEST_SKIP_READ_BACK: it believes its store, as a negative control.
"""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.__main__ import main
from gateway.custody import storing
from gateway.custody.storing import Reached, Stage, Storer
from gateway.ingest import planner
from gateway.storage.local import LocalStore
from gateway.storage.object_store import PutOutcome
from gateway.storage.unfinished import UnfinishedFile
from tests.faulty_store import Fault, FaultyStore

KILL_POINTS = (
    "planned", "putting", "written", "named", "assembled", "stored", "read_back", "verified", "forgotten",
)  # fmt: skip
"""In the order in which a volume gets there."""


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kill_at(point: str) -> None:
    if point in {stage.value for stage in Stage}:

        def on_stage(reached: Reached, tell: Callable[[Reached], None]) -> None:
            tell(reached)
            if reached.stage.value == point:
                _die()

        _after_made(lambda storer: _wrap_stage(storer, on_stage))
    else:
        # Its first bytes are to be written, all are and are not synced, or it has its name and nobody knows.
        name = {"putting": "write", "written": "finish", "named": "_name"}[point]
        real: Any = getattr(UnfinishedFile, name)

        def dying(self: UnfinishedFile, *arguments: Any) -> Any:
            if self._final.suffix != ".tar":  # facts are put as well
                return real(self, *arguments)
            if point == "named":
                real(self, *arguments)
            return _die()

        setattr(UnfinishedFile, name, dying)


def _wrap_stage(storer: Storer, on_stage: Callable[[Reached, Callable[[Reached], None]], None]) -> None:
    tell = storer._on_stage
    storer._on_stage = lambda reached: on_stage(reached, tell)  # type: ignore[method-assign]


def _after_made(change: Callable[[Storer], None]) -> None:
    real: Any = Storer.__init__

    def made(self: Storer, *arguments: Any, **named: Any) -> None:
        real(self, *arguments, **named)
        change(self)

    Storer.__init__ = made  # type: ignore[method-assign]


def _harm(seed: int, share: float, ending: str) -> None:
    chance = random.Random(seed)
    real: Any = LocalStore.open.__func__  # type: ignore[attr-defined]

    class Store(FaultyStore):
        async def put(self, key: str, *arguments: Any) -> PutOutcome:
            """Its own fault for each, as they run beside each other: `next_fault` would hit any of them."""
            chosen = key.endswith(ending)
            fault = chance.choice(list(Fault)) if chosen and chance.random() < share else None
            outcome = await self._store.put(key, *arguments)
            if fault is not None and outcome is PutOutcome.CREATED:
                self.harm(key, fault)
            if chosen:
                self._before = key
            return outcome

        def harm(self, key: str, fault: Fault) -> None:
            super().harm(key, fault)
            with (self._folder.parent / "harmed").open("a") as told:
                told.write(f"{key} {fault.value}\n")

        async def has_place(self, *arguments: Any) -> bool:
            return await self._store.has_place(*arguments)

        async def remove_leftovers(self) -> Any:
            return await self._store.remove_leftovers()

    async def opened(folder: Path) -> Store:
        return Store(folder, await real(LocalStore, folder), seed)

    LocalStore.open = opened  # type: ignore[method-assign,assignment]
    planner.FAILED_SECONDS_LEAST = 0.05


async def _believe(self: Storer, key: str, verification: Any) -> None:
    return None


if point := os.environ.get("KUVA_TEST_KILL_AT"):
    _kill_at(point)
if seed := os.environ.get("KUVA_TEST_STORE_SEED"):
    _harm(int(seed), float(os.environ["KUVA_TEST_STORE_FAULTS"]), os.environ.get("KUVA_TEST_STORE_HARMS", ""))
if "KUVA_TEST_SKIP_READ_BACK" in os.environ:
    Storer._read_back = _believe  # type: ignore[method-assign]
storing.RETRY_SECONDS_MOST = 0.5

if __name__ == "__main__":
    raise SystemExit(main())

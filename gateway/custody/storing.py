"""Storing: a planned volume is assembled, put, read back and compared; then the journal may forget.

Each step is durable before the next begins, and may be done again: after a crash the same plan gives the same
bytes under the same key. What was read back and differs is given up for ever; its instances are planned anew,
from the journal, which forgets nothing before `verified`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Protocol, TypeVar

import structlog

from gateway import _core
from gateway.catalogue import Catalogue
from gateway.custody.assembling import exhaust, members, pieces, remainders
from gateway.custody.rot import Rot
from gateway.errors import (
    DAMAGE,
    GatewayError,
    ObjectAbsentError,
    UnavailableError,
    VolumeMismatchError,
    VolumeStateError,
)
from gateway.journal import Journal
from gateway.model.instance import ReceiveId
from gateway.model.moment import instant
from gateway.model.volume import PlannedVolume, VolumeState
from gateway.storage.object_store import ObjectStore, PutOutcome

log = structlog.get_logger(__name__)
T = TypeVar("T")

RETRY_SECONDS_LEAST, RETRY_SECONDS_MOST = 0.5, 60.0


class Stage(Enum):
    """What became of a volume, in this order."""

    PLANNED = "planned"
    ASSEMBLED = "assembled"
    """All its bytes were given to the store, and are durable there."""
    STORED = "stored"
    """The catalogue knows."""
    READ_BACK = "read_back"
    """It was read from the medium and is what was received."""
    VERIFIED = "verified"
    """The catalogue knows: the journal may forget."""
    FORGOTTEN = "forgotten"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Reached:
    """A volume that reached a stage."""

    planned: PlannedVolume
    stage: Stage
    seconds: float = 0.0
    """Of this stage."""
    length: int = 0
    """Of the volume, where it is known."""


class Outcomes(Protocol):
    """Who wants to know what came of a plan."""

    def verified(self, planned: PlannedVolume) -> None:
        """It is what the archive has of its instances."""

    def abandoned(self, planned: PlannedVolume, *, counts: bool) -> None:
        """It is given up; `counts` unless it was the journal's fault."""


@dataclass(frozen=True, slots=True)
class _Made:
    planned: PlannedVolume
    instances: tuple[ReceiveId, ...]
    assembled: _core.Assembled


class Storer:
    """Takes plans, as many at once as the settings say, and brings each to its end."""

    def __init__(
        self,
        journal: Journal,
        catalogue: Catalogue,
        store: ObjectStore,
        *,
        assemblies_max: int,
        outcomes: Outcomes,
        on_stage: Callable[[Reached], None] = lambda reached: None,
    ) -> None:
        self._journal, self._catalogue, self._store = journal, catalogue, store
        self._assemblies_max = assemblies_max
        self._outcomes, self._on_stage = outcomes, on_stage
        self.rot = Rot(journal, catalogue)
        self._planned: asyncio.Queue[PlannedVolume] = asyncio.Queue(1)
        self._made: asyncio.Queue[_Made] = asyncio.Queue(1)
        self.working = 0
        """Volumes in work."""
        self.waits_for: str | None = None
        """What keeps volumes from being stored or verified now."""

    async def take(self, planned: PlannedVolume) -> None:
        """Waits until there is room for it: until then nothing more needs to be planned."""
        self._on_stage(Reached(planned, Stage.PLANNED))
        await self._planned.put(planned)

    async def run(self) -> None:
        """Until cancelled. What earlier starts left unfinished comes first."""
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._assemblies_max):
                tasks.create_task(self._store_all(), name=f"store-{number}")
                tasks.create_task(self._verify_all(), name=f"verify-{number}")
            for planned in await self._patiently(self._unfinished):
                log.info("an unfinished volume is assembled again", volume=planned.plan.id)
                await self._planned.put(planned)

    async def _unfinished(self) -> tuple[PlannedVolume, ...]:
        return await self._catalogue.volumes.unfinished(self._journal.identifier)

    async def _store_all(self) -> None:
        while True:
            planned = await self._planned.get()
            made = await self._worked(planned, partial(self._stored, planned))
            if made is not None:
                await self._made.put(made)

    async def _verify_all(self) -> None:
        """Another task than the one that wrote, which reads what the store returns and nothing else."""
        while True:
            made = await self._made.get()
            await self._worked(made.planned, partial(self._verified, made))

    # --- the steps -------------------------------------------------------------------------------

    async def _stored(self, planned: PlannedVolume) -> _Made:
        plan, began = planned.plan, time.monotonic()
        instances = await asyncio.to_thread(members, planned)
        assembly = await self._journal.assemble(planned, instances)
        outcome = PutOutcome.PRESENT
        if planned.state is VolumeState.PLANNED:
            outcome = await self._store.put(plan.key, assembly.length, pieces(assembly))
        if outcome is PutOutcome.PRESENT:  # from an earlier try: reading it back will tell
            await exhaust(assembly)
        assembled = await asyncio.to_thread(assembly.finish)
        self._reached(planned, Stage.ASSEMBLED, began, assembled.length)
        began = time.monotonic()
        await self._catalogue.volumes.stored(
            plan.id, plan.vault, digest=assembled.digest, length=assembled.length
        )
        self._reached(planned, Stage.STORED, began, assembled.length)
        return _Made(planned, instances, assembled)

    async def _verified(self, made: _Made) -> None:
        planned, assembled, began = made.planned, made.assembled, time.monotonic()
        plan, length = planned.plan, assembled.length
        await self._read_back(plan.key, assembled.verification())
        self._reached(planned, Stage.READ_BACK, began, length)
        began = time.monotonic()
        await self._catalogue.volumes.verified(
            plan.id, plan.vault, digest=assembled.digest, block=assembled.block,
            instances=assembled.instances,
            data_length=assembled.data_length, received_from=instant(assembled.received_from),
            received_to=instant(assembled.received_to),
            remainders=await asyncio.to_thread(remainders, planned),
        )  # fmt: skip
        self._reached(planned, Stage.VERIFIED, began, length)
        await self._journal.forget(plan.vault, plan.study_uid, made.instances)
        self._reached(planned, Stage.FORGOTTEN, began, length)
        self._outcomes.verified(planned)

    async def _read_back(self, key: str, verification: _core.Verification) -> None:
        async for piece in self._store.read_back(key):
            await asyncio.to_thread(verification.feed, piece)
        await asyncio.to_thread(verification.finish)

    def _reached(self, planned: PlannedVolume, stage: Stage, began: float, length: int) -> None:
        self._on_stage(Reached(planned, stage, time.monotonic() - began, length))

    # --- what goes wrong -------------------------------------------------------------------------

    async def _worked(self, planned: PlannedVolume, step: Callable[[], Awaitable[T]]) -> T | None:
        """None: it is abandoned, and its instances are planned anew."""
        self.working += 1
        try:
            return await self._patiently(step)
        except DAMAGE as error:
            await self._abandon(
                planned, error, counts=not await self._patiently(lambda: self.rot.find(planned))
            )
        except GatewayError as error:
            await self._abandon(planned, error, counts=True)
        finally:
            self.working -= 1
        return None

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        """Until the store and the catalogue are there; the volume stays as far as it is."""
        pause = RETRY_SECONDS_LEAST
        while True:
            try:
                done = await step()
            except UnavailableError as error:
                self.waits_for = str(error)
                log.warning("volumes wait", reason=str(error), seconds=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_SECONDS_MOST)
            else:
                self.waits_for = None
                return done

    async def _abandon(self, planned: PlannedVolume, why: GatewayError, *, counts: bool) -> None:
        """Never touched again, whatever is under its key."""
        plan = planned.plan
        told = log.error if isinstance(why, (VolumeMismatchError, ObjectAbsentError)) else log.warning
        told("volume abandoned", volume=plan.id, study=plan.study_uid, key=plan.key, reason=str(why))
        try:
            await self._patiently(lambda: self._catalogue.volumes.abandon(plan.id, plan.vault, str(why)))
        except VolumeStateError as error:
            log.warning("a volume cannot be abandoned", volume=plan.id, reason=str(error))
            return
        self._on_stage(Reached(planned, Stage.ABANDONED))
        self._outcomes.abandoned(planned, counts=counts)

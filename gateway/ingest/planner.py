"""The planner: keeps in mind what waits on this node, and has each study planned when it is due."""

import asyncio
import heapq
import itertools
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

import structlog

from gateway.catalogue import Catalogue
from gateway.errors import CatalogueError, GatewayError, PlanError, UnavailableError
from gateway.ingest.planning import WORDS, Asked, Due, Reason, Share, Waiting, WaitingBatch, due, share
from gateway.model.batch import Flush
from gateway.model.identifiers import NodeId, StudyUid, VaultId, VolumeId, ulid
from gateway.model.moment import instant
from gateway.model.volume import BatchKey, OpenBatch, PlannedBatch, PlannedVolume, VolumePlan
from gateway.settings import VolumesSettings
from gateway.storage.layout import volume_key

log = structlog.get_logger(__name__)

RETRY_SECONDS_LEAST, RETRY_SECONDS_MOST = 0.5, 30.0
FAILED_SECONDS_LEAST, FAILED_SECONDS_MOST = 2.0, 300.0
"""Before a study whose volume failed is planned anew, doubled each time."""
RELOAD_SECONDS = 2.0
"""Before the catalogue is asked again what waits, when it was not as we thought."""
LOOK_SECONDS_MOST = 1.0
"""How late a filling journal is noticed."""
PRESSED_FILL = 0.5
"""From this fill of the journal on nothing is waited for: well before receiving is slowed down."""
PRESSED_QUIET_SECONDS = 1.0
"""Then a small study that got nothing for so long is taken for complete."""
PRESSED_SECONDS = 0.5
"""How often it is looked then which studies free most."""
REASONS_KEPT = 10_000
EARLY_KEPT = 1_000

Key = tuple[VaultId, StudyUid]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(slots=True)
class _Study:
    batches: dict[BatchKey, WaitingBatch] = field(default_factory=dict)
    instances: int = 0
    length: int = 0
    oldest_at: float = 0.0
    newest_at: float = 0.0
    asked: Asked | None = None
    failures: int = 0
    not_before: float = 0.0
    version: int = 0

    def waiting(self) -> Waiting:
        return Waiting(self.instances, self.length, self.oldest_at, self.newest_at, self.asked)

    def add(self, batch: WaitingBatch) -> None:
        if batch.key not in self.batches:
            self.batches[batch.key] = batch
            self.instances, self.length = self.instances + batch.instances, self.length + batch.length

    def remove(self, key: BatchKey) -> None:
        if (batch := self.batches.pop(key, None)) is not None:
            self.instances, self.length = self.instances - batch.instances, self.length - batch.length


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with what waits of a study on this node, for people."""

    instances: int
    length: int
    waiting_seconds: float
    due_seconds: float
    """From now on; 0: at once."""
    reason: Reason
    failures: int
    """Volumes of it that failed in a row."""
    stopped: bool
    """So many that a person has to look at it."""

    @property
    def why(self) -> str:
        """The reason in words."""
        return WORDS[self.reason]


class Planner:
    """Fed by the landing, by commitment and by what came of earlier plans; one task plans."""

    def __init__(
        self,
        catalogue: Catalogue,
        node: NodeId,
        settings: VolumesSettings,
        take: Callable[[PlannedVolume], Awaitable[None]],
        *,
        fill: Callable[[], float] = lambda: 0.0,
        on_planned: Callable[[Reason], None] = lambda reason: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalogue, self._node, self._settings, self._take = catalogue, node, settings, take
        self._fill, self._on_planned, self._clock = fill, on_planned, clock
        self._studies: dict[Key, _Study] = {}
        # Studies that commitment waits for go first, however many others are due.
        self._heaps: dict[bool, list[tuple[float, int, Key]]] = {True: [], False: []}
        self._kick = asyncio.Event()
        self._reload_at: float | None = 0.0
        self._arrivals: list[tuple[Key, WaitingBatch, float]] | None = None
        self._versions = itertools.count()
        self._pressed: list[Key] = []
        self._pressed_at = 0.0
        self._early: OrderedDict[Key, Asked] = OrderedDict()
        self._reasons: OrderedDict[VolumeId, Reason] = OrderedDict()

    # --- what happens ----------------------------------------------------------------------------

    def landed(self, flush: Flush) -> None:
        """The catalogue has these batches."""
        now = self._clock()
        for batch in flush.batches:
            key = BatchKey(flush.epoch, batch.first_position)
            waiting = WaitingBatch(key, batch.last_position, batch.instances, batch.length)
            self._add((batch.vault, batch.study_uid), waiting, now)

    def asked(self, vault: VaultId, study_uid: StudyUid, items: int, *, landed: bool = False) -> None:
        """Commitment waits for so many instances of that study that are not in a verified volume.

        `landed`: everything that is asked for is catalogued.
        """
        key, now = (vault, study_uid), self._clock()
        study = self._studies.get(key)
        before = study.asked if study is not None else self._early.get(key)
        complete = landed and items >= self._settings.gather_items_max
        asked = Asked(now, now, items, complete)
        if before is not None:
            items, complete = max(before.items, items), before.complete or complete
            asked = Asked(before.first_at, now, items, complete)
        if study is not None:
            study.asked = asked
            self._changed(key, study)
        else:  # it lands just now, or all of it is on its way to the store
            _keep(self._early, key, asked, EARLY_KEPT)

    def verified(self, planned: PlannedVolume) -> None:
        """It came to its good end."""
        key = (planned.plan.vault, planned.plan.study_uid)
        if (study := self._studies.get(key)) is not None:
            study.failures = 0
            self._drop_if_empty(key, study)

    def abandoned(self, planned: PlannedVolume, *, counts: bool) -> None:
        """What it took waits again. `counts`: the volume failed, and too many of them stop the study."""
        key, now = (planned.plan.vault, planned.plan.study_uid), self._clock()
        for batch in planned.batches:
            self._add(key, _waiting(batch), now)
        if counts and (study := self._studies.get(key)) is not None:
            study.failures += 1
            pause = FAILED_SECONDS_LEAST * 2 ** min(study.failures - 1, 20)
            study.not_before = now + min(pause, FAILED_SECONDS_MOST)
            self._changed(key, study)
            if study.failures == self._settings.tries_max:
                log.error(
                    "too many volumes of a study failed; it waits for an operator", study=key[1],
                    failures=study.failures,
                )  # fmt: skip

    def retry(self, vault: VaultId, study_uid: StudyUid) -> bool:
        """An operator says that it may be tried again, and now. Whether anything of it waits here."""
        if (study := self._studies.get((vault, study_uid))) is None or not study.batches:
            return False
        study.failures, study.not_before = 0, 0.0
        study.asked = Asked(0.0, 0.0, self._settings.gather_items_max)
        self._changed((vault, study_uid), study)
        return True

    # --- what is asked ---------------------------------------------------------------------------

    def standing(self, vault: VaultId, study_uid: StudyUid) -> Standing | None:
        """None: nothing of it waits here."""
        study = self._studies.get((vault, study_uid))
        if study is None or not study.batches:
            return None
        now, waiting, next_due = self._clock(), study.waiting(), self._due(study)
        return Standing(
            waiting.instances, waiting.length, now - study.oldest_at, max(0.0, next_due.at - now),
            next_due.reason, study.failures, self._is_stopped(study),
        )  # fmt: skip

    def reason_of(self, volume: VolumeId) -> Reason | None:
        """Why it was planned; None: before this start, or long ago."""
        return self._reasons.get(volume)

    def oldest_seconds(self) -> float:
        """How long the oldest has waited that is in no volume; 0: there is nothing."""
        ages = [study.oldest_at for study in self._studies.values() if study.batches]
        return max(0.0, self._clock() - min(ages)) if ages else 0.0

    def stopped(self) -> tuple[Key, ...]:
        """Studies that wait for an operator."""
        return tuple(key for key, study in self._studies.items() if study.batches and self._is_stopped(study))

    # --- the task --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled."""
        pause = RETRY_SECONDS_LEAST
        while True:
            try:
                await self._step()
                pause = RETRY_SECONDS_LEAST
            except GatewayError as error:
                log.warning("volumes cannot be planned now", reason=str(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, RETRY_SECONDS_MOST)

    async def _step(self) -> None:
        """Plans one volume, or waits until one may be due."""
        now = self._clock()
        self._kick.clear()
        if self._reload_at is not None and self._reload_at <= now:
            await self._load()
        if (found := self._next(now)) is not None:
            return await self._plan(*found)
        until = min(self._next_times(), default=now + LOOK_SECONDS_MOST)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, min(until - now, LOOK_SECONDS_MOST))):
                await self._kick.wait()
        return None

    def _next_times(self) -> Iterator[float]:
        yield from (heap[0][0] for heap in self._heaps.values() if heap)
        if self._reload_at is not None:
            yield self._reload_at

    def _next(self, now: float) -> tuple[Key, Reason] | None:
        for heap in (self._heaps[True], self._heaps[False]):
            while heap and heap[0][0] <= now:
                _, version, key = heapq.heappop(heap)
                study = self._studies.get(key)
                if study is not None and study.version == version and study.batches:
                    return key, self._due(study).reason
        return self._largest(now)

    def _largest(self, now: float) -> tuple[Key, Reason] | None:
        """The journal fills up, and nobody is quiet or large enough: what frees most room goes."""
        if self._fill() < PRESSED_FILL:
            return None
        if now >= self._pressed_at + PRESSED_SECONDS:
            self._pressed_at = now
            pressed = [key for key, study in self._studies.items() if self._frees(study, now)]
            self._pressed = sorted(pressed, key=lambda key: self._studies[key].length)
        while self._pressed:
            key = self._pressed.pop()
            if (study := self._studies.get(key)) is not None and self._frees(study, now):
                return key, Reason.ROOM
        return None

    def _frees(self, study: _Study, now: float) -> bool:
        if not study.batches or study.not_before > now or self._is_stopped(study):
            return False
        large = study.length >= self._settings.size_target // 8
        return large or study.newest_at + PRESSED_QUIET_SECONDS <= now

    async def _plan(self, key: Key, reason: Reason) -> None:
        study = self._studies[key]
        try:
            mine = await self._share(key, study)
        except GatewayError:
            self._changed(key, study)
            raise
        if not mine.batches:
            # All of it is damaged: known by its incidents, and for a rescue to replace.
            self._taken(key, study, tuple(study.batches))
        elif (planned := await self._commit(key, mine)) is not None:
            self._taken(key, study, planned.plan.batches)
            self._note(planned, reason)
            await self._take(planned)

    def _taken(self, key: Key, study: _Study, batches: tuple[BatchKey, ...]) -> None:
        for batch in batches:
            study.remove(batch)
        study.oldest_at, study.not_before = study.newest_at, 0.0
        study.asked = study.asked if study.batches else None
        self._changed(key, study)
        self._drop_if_empty(key, study)

    async def _share(self, key: Key, study: _Study) -> Share:
        damaged = (await self._catalogue.incidents.choices(*key)).damaged
        ours = {(one.epoch, one.position) for one in damaged if one.node == self._node}
        batches = sorted(study.batches.values(), key=lambda batch: batch.key)
        return share(batches, ours, self._settings.size_target)

    async def _commit(self, key: Key, mine: Share) -> PlannedVolume | None:
        """None: the catalogue has it otherwise, and is asked what waits."""
        plan = self._plan_of(key, mine)
        while True:
            try:
                return await self._catalogue.volumes.plan(plan)
            except UnavailableError as error:  # perhaps it is committed: the same one again
                log.warning("a volume cannot be planned now", study=key[1], reason=str(error))
                await asyncio.sleep(RETRY_SECONDS_LEAST)
            except (PlanError, CatalogueError) as error:
                log.info("what waits is looked up again", study=key[1], reason=str(error))
                self._studies[key].not_before = self._clock() + RELOAD_SECONDS
                self._changed(key, self._studies[key])
                self._reload_at = self._clock() + RELOAD_SECONDS
                return None

    def _plan_of(self, key: Key, mine: Share) -> VolumePlan:
        now = time.time_ns()
        volume = VolumeId(ulid(now // 1_000_000, secrets.token_bytes(10)))
        return VolumePlan(
            id=volume, key=volume_key(key[0], volume), vault=key[0], study_uid=key[1], node=self._node,
            planned_at=instant(now // 1000),
            batches=tuple(batch.key for batch in mine.batches), excluded=mine.excluded,
        )  # fmt: skip

    def _note(self, planned: PlannedVolume, reason: Reason) -> None:
        _keep(self._reasons, planned.plan.id, reason, REASONS_KEPT)
        self._on_planned(reason)
        log.info(
            "volume planned", volume=planned.plan.id, study=planned.plan.study_uid, because=reason.value,
            instances=planned.instances, excluded=len(planned.plan.excluded),
        )  # fmt: skip

    async def _load(self) -> None:
        """What the catalogue says, and what happens while it is asked."""
        began, wall = self._clock(), datetime.now(UTC)
        self._arrivals = []
        try:
            found = await self._catalogue.volumes.open_batches(self._node)
            arrivals = self._arrivals
        finally:
            self._arrivals = None
        self._reload_at = None
        for study in self._studies.values():
            study.batches, study.instances, study.length = {}, 0, 0
        for batch in found:
            age = max(0.0, (wall - batch.landed_at).total_seconds())
            self._add((batch.vault, batch.study_uid), _waiting(batch), began - age)
        for key, waiting, at in arrivals:
            self._add(key, waiting, at)
        for key, study in [*self._studies.items()]:
            self._drop_if_empty(key, study)

    # --- within ----------------------------------------------------------------------------------

    def _add(self, key: Key, batch: WaitingBatch, at: float) -> None:
        if self._arrivals is not None:
            self._arrivals.append((key, batch, at))
        study = self._studies.setdefault(key, _Study())
        if not study.batches:
            study.oldest_at = study.newest_at = at
            study.asked = study.asked or self._early.pop(key, None)
        study.add(batch)
        study.oldest_at, study.newest_at = min(study.oldest_at, at), max(study.newest_at, at)
        self._changed(key, study)

    def _changed(self, key: Key, study: _Study) -> None:
        study.version = next(self._versions)
        if study.batches and not self._is_stopped(study):
            heap = self._heaps[study.asked is not None]
            heapq.heappush(heap, (self._due(study).at, study.version, key))
            self._kick.set()

    def _due(self, study: _Study) -> Due:
        found = due(study.waiting(), self._settings)
        return Due(max(found.at, study.not_before), found.reason)

    def _is_stopped(self, study: _Study) -> bool:
        return study.failures >= self._settings.tries_max

    def _drop_if_empty(self, key: Key, study: _Study) -> None:
        if not study.batches and not study.failures:
            self._studies.pop(key, None)


def _waiting(batch: OpenBatch | PlannedBatch) -> WaitingBatch:
    key = BatchKey(batch.epoch, batch.first_position)
    return WaitingBatch(key, batch.last_position, batch.instances, batch.length)


def _keep(kept: OrderedDict[K, V], key: K, value: V, most: int) -> None:
    kept[key] = value
    while len(kept) > most:
        kept.popitem(last=False)

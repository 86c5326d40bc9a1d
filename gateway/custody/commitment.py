"""Storage commitment, the resolving side: requests wait until each instance has its result, then get it.

Nothing is kept in memory of a request but where it waits: lists are long, and the catalogue has them.
"""

import asyncio
import heapq
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID

import structlog

from gateway import _core
from gateway.catalogue import Catalogue
from gateway.custody.decision import Decision, Entry, Key, Known, decide, known_of
from gateway.errors import CatalogueError, CommitmentStateError, NotFoundError, UnavailableError
from gateway.journal.room import LOCATOR_KEY_LENGTH
from gateway.model.commitment import Commitment, Standing
from gateway.model.identifiers import NodeId, StudyUid, Uid, VaultId
from gateway.model.instance import ReceiveId
from gateway.telemetry import Metrics

log = structlog.get_logger(__name__)

LOOK_SECONDS_LEAST = 0.02
"""Between two looks at one request; at least as long as the last one took."""
LOOK_SECONDS_MOST = 5.0
"""What other nodes do is noticed this late."""
PAUSE_SECONDS = 1.0
LANDING_LOOK_SECONDS = 0.25
"""Between two looks while what was answered before the request is on its way to the catalogue."""
LANDING_SECONDS_MAX = 30.0
"""So long it is waited for beyond the deadline; then nothing succeeds."""
OTHERS_SECONDS = 30.0
"""How often requests that other nodes left behind are looked for."""
PAGE = 2
"""Requests read at once: each may have a hundred thousand items."""


@dataclass(slots=True)
class _Waiting:
    """Where a request waits."""

    number: int
    vaults: tuple[VaultId, ...]
    deadline_at: datetime
    landed: Callable[[], bool]
    """Whether the catalogue has all that this node had answered when it was asked."""
    look_at: float = 0.0
    not_before: float = 0.0
    studies: frozenset[Key] = frozenset()
    absent: bool = True
    version: int = 0


@dataclass(frozen=True, slots=True)
class _Look:
    """What a look at a request found."""

    commitment: Commitment
    decision: Decision
    known: Known = field(repr=False)


class OnUnverified(Protocol):
    """Who wants to know what is waited for."""

    def __call__(self, vault: VaultId, study_uid: StudyUid, items: int, /, *, landed: bool) -> None:
        """So many instances of that study; `landed`: all that the request names is catalogued."""


class Resolver:
    """Fed by the door, the landing and the verification of volumes; one task looks and resolves."""

    def __init__(
        self,
        catalogue: Catalogue,
        node: NodeId,
        locator_key: bytes,
        metrics: Metrics,
        *,
        is_taken: Callable[[Uid], bool],
        on_unverified: OnUnverified = lambda vault, study, items, *, landed: None,
        on_resolved: Callable[[], None] = lambda: None,
        landing_mark: Callable[[], Callable[[], bool]] = lambda: lambda: True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._catalogue, self._node, self._metrics = catalogue, node, metrics
        self._key = locator_key[:LOCATOR_KEY_LENGTH]
        self._is_taken, self._on_unverified, self._on_resolved = is_taken, on_unverified, on_resolved
        self._landing_mark, self._clock = landing_mark, clock
        self._waiting: dict[int, _Waiting] = {}
        self._heap: list[tuple[float, int, int]] = []
        self._ties = itertools.count()
        self._kick = asyncio.Event()
        self._others_at = 0.0

    # --- what happens ----------------------------------------------------------------------------

    def asked(self, commitment: Commitment) -> None:
        """A request was kept; or asked again, and then there may be a report to bring at once."""
        if commitment.resolved_at is not None:
            return self._on_resolved()
        if (one := self._waiting.get(commitment.id)) is not None:
            one.landed = self._landing_mark()
        else:
            self._add(commitment)
        return self._on_resolved()  # another list under a used transaction UID has its report already

    def landed(self, vaults: Iterable[VaultId] | None = None) -> None:
        """Something new is catalogued in these vaults, or in any: what was not there may be there now."""
        some = None if vaults is None else set(vaults)
        for one in self._waiting.values():
            if one.absent and (some is None or not some.isdisjoint(one.vaults)):
                self._look_at(one, time.monotonic())

    def verified(self, vault: VaultId, study_uid: StudyUid) -> None:
        """A volume of that study is verified."""
        for one in self._waiting.values():
            if (vault, study_uid) in one.studies or (one.absent and vault in one.vaults):
                self._look_at(one, time.monotonic())

    @property
    def waiting(self) -> int:
        """Requests that wait here."""
        return len(self._waiting)

    # --- the task --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._kick.clear()
            try:
                if time.monotonic() >= self._others_at:
                    await self._take_over()
                    self._others_at = time.monotonic() + OTHERS_SECONDS
                if (one := self._next()) is not None:
                    await self._look_and_resolve(one)
                    continue
            except (UnavailableError, CatalogueError) as error:
                log.warning("storage commitment waits for the catalogue", reason=str(error))
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            until = min(self._heap[0][0] if self._heap else self._others_at, self._others_at)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    await self._kick.wait()

    async def _take_over(self) -> None:
        """Requests of this node from before its start, and what other nodes left past its deadline."""
        after = 0
        while page := await self._catalogue.commitments.pending(after=after, limit=PAGE):
            for commitment in page:
                overdue = (self._clock() - commitment.deadline_at).total_seconds() > OTHERS_SECONDS
                if commitment.id not in self._waiting and (commitment.node == self._node or overdue):
                    self._add(commitment)
            after = page[-1].id

    async def _look_and_resolve(self, one: _Waiting) -> None:
        began = time.monotonic()
        landed = one.landed()  # before the look
        try:
            look = await self._look(one)
            if look is not None and not landed:
                look = self._unlanded(one, look)
            if look is None or (look.decision.final and await self._resolve(look)):
                return self._drop(one)
        except (UnavailableError, CatalogueError):
            self._look_at(one, time.monotonic() + PAUSE_SECONDS)
            raise
        took = time.monotonic() - began
        if look is not None:
            self._wait(one, look.decision, max(took, LOOK_SECONDS_LEAST))
        return None

    async def _look(self, one: _Waiting) -> _Look | None:
        """None: it has its result already, or is gone."""
        expired = self._clock() >= one.deadline_at  # before the look: what came in time counts
        try:
            commitment = await self._catalogue.commitments.get(one.number, one.vaults)
        except NotFoundError:
            return None
        if commitment.resolved_at is not None:
            self._on_resolved()
            return None
        hashes = await asyncio.to_thread(_hashes, self._key, commitment)
        standings = await self._catalogue.commitments.look(commitment.vaults, hashes)
        known = await asyncio.to_thread(_known, standings, commitment)
        decision = await asyncio.to_thread(
            decide, commitment.items, known, is_taken=self._is_taken, expired=expired
        )
        return _Look(commitment, decision, known)

    def _unlanded(self, one: _Waiting, look: _Look) -> _Look:
        """What this caller sent with other bytes may be held apart, and the catalogue not know it yet."""
        decision = look.decision
        if not decision.secured:
            return look
        if (self._clock() - one.deadline_at).total_seconds() < LANDING_SECONDS_MAX:
            return replace(look, decision=replace(decision, awaits_landing=True))
        return replace(look, decision=decision.withheld(look.commitment.items))

    async def _resolve(self, look: _Look) -> bool:
        """False: something came in between, so it is looked at again."""
        commitment, decision = look.commitment, look.decision
        try:
            await self._catalogue.commitments.resolve(
                commitment, failures=decision.failures, secured=decision.secured
            )
        except CommitmentStateError as error:
            log.info("a request is looked at again", commitment=commitment.id, reason=str(error))
            return False
        self._tell(look)
        self._on_resolved()
        return True

    def _tell(self, look: _Look) -> None:
        commitment = look.commitment
        reasons = Counter(reason.name.lower() for reason in look.decision.failures.values())
        committed = commitment.items_count - sum(reasons.values())
        for result, many in (*reasons.items(), ("committed", committed)):
            self._metrics.commitments_resolved.labels(result).inc(many)
        if look.known.quarantined:
            log.warning(
                "a sender asks for what it sent with other bytes, which are held apart",
                commitment=commitment.id, calling=commitment.calling,
                incidents=sorted(set(look.known.quarantined.values()))[:20],
            )  # fmt: skip
        log.info(
            "storage commitment resolved", commitment=commitment.id, calling=commitment.calling,
            transaction=commitment.transaction_uid, committed=committed, failed=dict(reasons),
        )  # fmt: skip

    # --- waiting ---------------------------------------------------------------------------------

    def _add(self, commitment: Commitment) -> None:
        one = _Waiting(commitment.id, commitment.vaults, commitment.deadline_at, self._landing_mark())
        self._waiting[one.number] = one
        self._metrics.commitments_waiting.set(len(self._waiting))
        self._look_at(one, time.monotonic())

    def _drop(self, one: _Waiting) -> None:
        self._waiting.pop(one.number, None)
        self._metrics.commitments_waiting.set(len(self._waiting))

    def _wait(self, one: _Waiting, decision: Decision, pause: float) -> None:
        one.studies, one.absent = frozenset(decision.unverified), decision.absent > 0
        now = time.monotonic()
        one.not_before = now + pause
        left = (one.deadline_at - self._clock()).total_seconds()
        next_look = LANDING_LOOK_SECONDS if decision.awaits_landing else min(left, LOOK_SECONDS_MOST)
        one.look_at = float("inf")
        self._look_at(one, now + max(0.0, next_look))
        for (vault, study_uid), items in decision.unverified.items():
            self._on_unverified(vault, study_uid, items, landed=not one.absent)

    def _look_at(self, one: _Waiting, at: float) -> None:
        at = max(at, one.not_before)
        if at < one.look_at or one.look_at <= 0.0:
            one.look_at, one.version = at, next(self._ties)
            heapq.heappush(self._heap, (at, one.version, one.number))
            self._kick.set()

    def _next(self) -> _Waiting | None:
        while self._heap and self._heap[0][0] <= time.monotonic():
            _, version, number = heapq.heappop(self._heap)
            one = self._waiting.get(number)
            if one is not None and one.version == version:
                one.look_at = float("inf")
                return one
        return None


def _hashes(key: bytes, commitment: Commitment) -> Sequence[int]:
    """Blocking."""
    return [_core.locator_hash(key, item.sop_uid) for item in commitment.items]


def _known(standings: Sequence[Standing], commitment: Commitment) -> Known:
    """Blocking: reads the index blocks."""
    wanted = {item.sop_uid for item in commitment.items}
    return known_of(standings, wanted, commitment.calling, _entries)


def _entries(block: bytes) -> Sequence[Entry]:
    return [
        (
            known.sop_class,
            known.sop_instance,
            ReceiveId(NodeId(UUID(bytes=known.node)), known.epoch, known.position),
        )
        for known in _core.decode_block(block)
    ]

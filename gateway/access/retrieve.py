"""Retrieve: one sub-operation, a C-STORE to the peer, for each instance that was asked for."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import structlog

from gateway import _core
from gateway.access.find import Finder, Match
from gateway.access.sources import Sources
from gateway.errors import (
    DAMAGE,
    VOLUME_DAMAGE,
    CatalogueError,
    InstanceAbsentError,
    JournalError,
    LocalError,
    ObjectAbsentError,
    ResourceError,
    StoreError,
    UnavailableError,
    VolumeMismatchError,
)
from gateway.model.refusal import Refusal
from gateway.transport.association import Association
from gateway.wire.dicom.refusals import (
    DAMAGED,
    SUB_OPERATION_CONTEXT,
    SUB_OPERATION_ELSEWHERE,
    SUB_OPERATION_REFUSED,
    SUB_OPERATION_UNANSWERED,
    SUB_OPERATION_UNREADABLE,
)

log = structlog.get_logger(__name__)

SUB_OPERATION_SECONDS_MAX = 120.0
"""For the peer to answer one C-STORE of ours after its last byte."""
SMALL_LENGTH_MAX = 256 << 10
AHEAD_LENGTH_MAX = 2 << 20
AHEAD_MAX = 16
"""Small instances made ready in one visit to a thread: this many, or this many bytes together."""
MESSAGE_ID_MODULUS = 1 << 16
PLACES_MAX = 8
"""Tried for one instance, one after the other."""

_UNREADABLE = (JournalError, StoreError, VolumeMismatchError)
"""Why an instance cannot be read from a place; another may have it."""
_GONE = (InstanceAbsentError, ObjectAbsentError)
"""It is not there (any more): rightly so, if it is somewhere else by now."""


@dataclass(slots=True)
class SubOperations:
    """Counts of PS3.4 C.4.3.1.3.1, and what failed."""

    remaining: int
    completed: int = 0
    failed: int = 0
    warning: int = 0
    failed_instances: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    """Why sub-operations failed, by code of the catalogue."""

    def count(self, match: Match, status: int | None, why: Refusal = SUB_OPERATION_REFUSED) -> None:
        """Counts one outcome; None: it was never sent."""
        self.remaining -= 1
        if status is not None and status == 0:
            self.completed += 1
        elif status is not None and (status in (1, 0x0107, 0x0116) or status & 0xF000 == 0xB000):
            self.warning += 1
        else:
            self.failed += 1
            self.reasons[why.code] += 1
            self.failed_instances.append(match.sop_instance)

    def give_up(self, matches: Sequence[Match]) -> None:
        """What is left will not be sent and counts as failed (not where the peer cancelled)."""
        for match in matches:
            self.count(match, None)


@dataclass(slots=True)
class _Ready:
    """A sub-operation whose first bytes are at hand."""

    match: Match
    message_id: int
    context_id: int | None
    why: Refusal = SUB_OPERATION_REFUSED
    """Why it will fail, if it does."""
    transfer: _core.StoreTransfer | None = None
    pieces: list[bytes] = field(default_factory=list)
    whole: bool = False
    """All pieces are here; else the transfer has more."""
    error: ResourceError | None = None
    """Why it could not be opened or read."""


class Retrieval:
    """Sends matches on an association, one after the other, in constant memory."""

    def __init__(
        self,
        association: Association,
        sources: Sources,
        finder: Finder,
        matches: Sequence[Match],
        *,
        on_damaged: Callable[[Match, str], None],
        not_message_id: int = 0,
        seconds_max: float = SUB_OPERATION_SECONDS_MAX,
    ) -> None:
        self._association, self._sources, self._finder = association, sources, finder
        self._matches = matches
        self._on_damaged = on_damaged
        self._message_id = not_message_id
        self._seconds_max = seconds_max
        self.counts = SubOperations(remaining=len(matches))

    async def run(self) -> AsyncIterator[SubOperations]:
        """Yields the counts after each sub-operation. Raises `AssociationAbortedError`."""
        matches = iter(self._matches)
        while ahead := await self._prepare(matches):
            for one in ahead:
                self.counts.count(one.match, await self._send(one), one.why)
                yield self.counts

    async def _prepare(self, matches: Iterator[Match]) -> list[_Ready]:
        """The next few, opened and (where small) read, in one visit to a thread."""
        ahead: list[_Ready] = []
        length = 0
        for match in islice(matches, AHEAD_MAX):
            ahead.append(self._addressed(match))
            length += match.length
            if length >= AHEAD_LENGTH_MAX:
                break
        if any(one.context_id is not None for one in ahead):
            await self._open_all(ahead)
        for one in ahead:
            if one.error is not None:
                await self._find_elsewhere(one)
        return ahead

    async def _find_elsewhere(self, one: _Ready) -> None:
        """Another place that has what cannot be read in this one. It may also have moved meanwhile: from the
        journal into a volume, from a volume into the one that took its place."""
        tried = {one.match.where}
        while one.error is not None and len(tried) <= PLACES_MAX:
            failed, error = one.match, one.error
            now = await self._places_now(failed)
            if not isinstance(error, _GONE) or any(place.where == failed.where for place in now or ()):
                self._tell(failed, error)
            known = [*(now or ()), *failed.others]
            other = next((m for m in known if m.where not in tried and self._sources.has(m)), None)
            if other is None:
                return
            tried.add(other.where)
            one.match, one.error, one.why = other, None, SUB_OPERATION_REFUSED
            one.context_id = self._association.engine.context_for(other.sop_class, other.transfer_syntax)
            await self._open_all([one])

    async def _places_now(self, match: Match) -> Sequence[Match] | None:
        """None if the catalogue cannot be asked."""
        try:
            return await self._finder.again(match)
        except (UnavailableError, CatalogueError) as error:
            log.warning("an instance cannot be looked up again", reason=str(error))
            return None

    def _addressed(self, match: Match) -> _Ready:
        context_id, why = None, SUB_OPERATION_ELSEWHERE
        if self._sources.has(match):
            context_id = self._association.engine.context_for(match.sop_class, match.transfer_syntax)
            why = SUB_OPERATION_CONTEXT if context_id is None else SUB_OPERATION_REFUSED
        self._message_id = (self._message_id + 1) % MESSAGE_ID_MODULUS
        return _Ready(match, self._message_id, context_id, why)

    async def _open_all(self, ahead: Sequence[_Ready]) -> None:
        await asyncio.to_thread(self._read_ahead, ahead)

    def _read_ahead(self, ahead: Sequence[_Ready]) -> None:
        for one in ahead:
            if one.context_id is not None:
                try:
                    self._open(one)
                except _UNREADABLE as error:
                    one.context_id, one.error, one.why = None, error, SUB_OPERATION_UNREADABLE
                    one.pieces.clear()

    def _open(self, one: _Ready) -> None:
        assert one.context_id is not None
        source = self._sources.open(one.match)
        one.transfer = self._association.engine.store(one.context_id, one.message_id, source)
        while not one.whole:
            piece = one.transfer.next()
            if piece is None:
                one.whole = True
            else:
                one.pieces.append(piece)
            if one.match.length > SMALL_LENGTH_MAX:
                return

    async def _send(self, one: _Ready) -> int | None:
        """The status of the peer's C-STORE-RSP; None if it was not sent."""
        if one.context_id is None or one.transfer is None:
            return None
        try:
            with self._association.message():
                await self._send_message(one, one.transfer)
        except (*_UNREADABLE, LocalError) as error:
            # Part of the message is out; there is no way to take it back but this.
            self._tell(one.match, error)
            one.why = SUB_OPERATION_UNREADABLE
            self._association.abort(DAMAGED)
            return None
        try:
            answer = await self._association.response(one.message_id, seconds=self._seconds_max)
        except TimeoutError:
            self._association.abort(SUB_OPERATION_UNANSWERED)
            return None
        return answer.status

    async def _send_message(self, one: _Ready, transfer: _core.StoreTransfer) -> None:
        for piece in one.pieces:
            await self._association.send(piece)
        one.pieces.clear()
        while not one.whole:
            more = await asyncio.to_thread(transfer.next)
            if more is None:
                break
            await self._association.send(more)

    def _tell(self, match: Match, error: Exception) -> None:
        place = "journal" if match.place is None else match.place.key
        log.error(
            "an instance cannot be sent", sop_instance=match.sop_instance, place=place, reason=str(error)
        )
        if isinstance(error, DAMAGE + VOLUME_DAMAGE):
            self._on_damaged(match, f"found when it was to be sent: {error}")

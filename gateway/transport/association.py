"""An association: its socket, its timers and its queue of events. Grammar and bytes are the core's."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum, auto
from typing import cast

from gateway import _core
from gateway._core import (
    Aborted,
    AssociateAccepted,
    AssociateRejected,
    AssociateRequested,
    CommandReceived,
    Failed,
    Released,
    ReleaseRequested,
)
from gateway.errors import AssociationAbortedError
from gateway.model.refusal import AbortAnswer, Refusal
from gateway.transport.exchanges import Exchanges
from gateway.transport.timers import MessageDeadline, Timers
from gateway.wire.dicom.refusals import (
    ARTIM,
    CATALOGUE,
    IDLE,
    NO_PROGRESS,
    NOTHING_TAKEN,
    RELEASE_EARLY,
    REQUESTS_BEYOND,
    RESPONSE_UNASKED,
)

__all__ = [
    "Aborted",
    "AssociateAccepted",
    "AssociateRejected",
    "AssociateRequested",
    "Association",
    "CommandReceived",
    "Event",
    "Failed",
    "Phase",
    "ReleaseRequested",
    "Released",
    "Timers",
]

Event = (
    AssociateRequested
    | AssociateAccepted
    | AssociateRejected
    | CommandReceived
    | ReleaseRequested
    | Released
    | Aborted
    | Failed
)

EVENTS_MAX = 64
"""Events that wait for their task; beyond, the socket is not read."""
POSTPONED_MAX = 16
"""Requests put aside while an answer is awaited; as many as the widest operations window."""
WRITE_HIGH_WATER = 4 << 20
HELD_MAX = 1 << 20
"""Bytes of answers that wait for the end of a message; beyond, the socket is not read."""
C_STORE_RSP, C_CANCEL_RQ = 0x8001, 0x0FFF


class Phase(Enum):
    """What the timers need to know of the state of PS3.8."""

    OPENING = auto()
    """No A-ASSOCIATE was answered yet: ARTIM runs."""
    ESTABLISHED = auto()
    CLOSING = auto()
    """We said the last word; ARTIM runs until the peer closes."""
    LOST = auto()
    """The socket is gone."""


class Association(asyncio.BufferedProtocol):
    """One association's socket. The core's engine lends the receive buffer and says what arrived.

    One task consumes `event`; C-STOREs never reach it. Its timers are looked at by `sweep`.
    """

    def __init__(
        self,
        engine: _core.Association,
        timers: Timers,
        *,
        number: int = 0,
        on_made: "Callable[[Association], None] | None" = None,
        on_lost: "Callable[[Association], None] | None" = None,
        catch_up: Callable[[], None] = lambda: None,
    ) -> None:
        self.engine = engine
        self.timers = timers
        self.number = number
        self.phase = Phase.OPENING
        self.address = ""
        self.calling = ""
        self.why_ended = ""
        self.refusal: Refusal | None = None
        """What the catalogue says of the way in which we ended it, if we did."""
        self.refused_at: int | None = None
        """Byte of the association at which that was seen."""
        self.serving = False
        """Whether its task is in the middle of a request; set by whoever serves."""
        self.cancelled: set[int] = set()
        """Message IDs that C-CANCEL-RQ named (PS3.7 9.3.2.3)."""
        self._on_made, self._on_lost, self._catch_up = on_made, on_lost, catch_up
        self._transport: asyncio.Transport | None = None
        self._events: deque[Event] = deque()
        self._postponed: deque[CommandReceived] = deque()
        self._exchanges = Exchanges()
        self._waiter: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._reading = True
        self._within_message = False
        self._held: list[bytes] = []
        now = time.monotonic()
        self._phase_since = self._moved_at = self._window_since = self._sent_at = now
        self._deadline = MessageDeadline(self.timers, now)
        self._moved = self._window_received = 0
        self._written = self._taken = self._held_length = 0

    # --- what the event loop calls ---------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes the socket; plain ones are lent to the core, which answers C-STOREs straight on them."""
        self._transport = transport = cast("asyncio.Transport", transport)
        transport.set_write_buffer_limits(high=WRITE_HIGH_WATER)
        peer = transport.get_extra_info("peername")
        self.address = f"{peer[0]}:{peer[1]}" if peer else "unknown"
        plain = transport.get_extra_info("ssl_object") is None
        self.engine.connect_output(transport.get_extra_info("socket").fileno() if plain else None)
        if self._on_made is not None:
            self._on_made(self)

    def get_buffer(self, sizehint: int) -> _core.Association:
        """The engine is the buffer. No state is kept between this and `buffer_updated`."""
        return self.engine

    def buffer_updated(self, nbytes: int) -> None:
        """The common path: nothing for Python to hear, and nothing that would stop the reading."""
        events = self.engine.buffer_updated(nbytes)
        if events is not None:
            self._hear(events)

    def eof_received(self) -> bool:
        """A half-closed association is a closed one."""
        return False

    def pause_writing(self) -> None:
        """The peer takes less than we send: it is not read either, for what it asks makes more to send."""
        self._writable.clear()
        self._look()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._writable.set()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever was being received leaves nothing behind."""
        self.engine.closed()
        self._enter(Phase.LOST, "the connection was lost" if exc else "the peer closed the connection")
        self._writable.set()
        self._wake()
        if self._on_lost is not None:
            self._on_lost(self)

    # --- what wake-ups of the core call ----------------------------------------------------------

    def resume(self) -> None:
        """The core can go on with what it holds."""
        if self.phase is not Phase.LOST:
            self._hear(self.engine.resume())

    def answered(self, answer: bytes) -> None:
        """C-STORE-RSPs that workers handed over. None splits a message, none follows our last word."""
        if self.phase in (Phase.CLOSING, Phase.LOST):
            return
        if self._within_message:
            self._held.append(answer)
            self._held_length += len(answer)
            self._look()
        else:
            self._put(answer)

    # --- what the association's task calls -------------------------------------------------------

    async def event(self) -> Event:
        """The next thing to serve, requests that were put aside first. Raises `AssociationAbortedError`."""
        if self._postponed:
            return self._postponed.popleft()
        event = await self._next()
        self._forget_cancel(event)
        return event

    async def response(self, message_id: int, *, seconds: float) -> CommandReceived:
        """The C-STORE-RSP to one of our sub-operations; other requests are put aside meanwhile.

        Raises `AssociationAbortedError`; TimeoutError past the deadline.
        """
        async with asyncio.timeout(seconds):
            while True:
                event = await self._next()
                if self._is_response(event, message_id):
                    assert isinstance(event, CommandReceived)
                    return event
                self._put_aside(event)

    async def exchange(
        self, request: bytes, response_field: int, message_id: int, *, seconds: float
    ) -> CommandReceived:
        """The response to a whole request of ours; for any task, beside the one that consumes `event`.

        The request never splits a message. Raises `AssociationAbortedError`; TimeoutError past the deadline.
        """
        if self.phase is not Phase.ESTABLISHED:
            raise AssociationAbortedError(self.why_ended or "not established")
        answer = self._exchanges.begin(response_field, message_id)
        self._catch_up()
        self.answered(request)
        async with asyncio.timeout(seconds):
            return await answer

    def look_for_cancel(self) -> None:
        """Takes in what has arrived, without waiting: a C-CANCEL-RQ is seen between sub-operations.

        Raises `AssociationAbortedError` if it has ended, also by us: nothing more can be answered on it.
        """
        if self.phase in (Phase.CLOSING, Phase.LOST):
            raise AssociationAbortedError(self.why_ended)
        while self._events:
            self._put_aside(self._pop())

    def write(self, data: bytes) -> None:
        """Queues bytes for the peer; for what is small. What workers handed over earlier leaves earlier."""
        self._catch_up()
        self._put(data)

    @contextmanager
    def message(self) -> Iterator[None]:
        """Around the pieces of one message. Its fragments are contiguous (PS3.8 E.2): answers wait."""
        self._catch_up()
        self._within_message = True
        try:
            yield
        finally:
            self._within_message = False
            held, self._held, self._held_length = self._held, [], 0
            for answer in held:
                self.answered(answer)
            self._look()

    async def send(self, data: bytes) -> None:
        """Writes, and waits while the peer is behind. Raises `AssociationAbortedError` past the deadline."""
        self.write(data)
        if not self._writable.is_set():
            try:
                async with asyncio.timeout(self.timers.send_seconds):
                    await self._writable.wait()
            except TimeoutError:
                self.cut(NOTHING_TAKEN)
        if self.phase in (Phase.CLOSING, Phase.LOST):
            raise AssociationAbortedError(self.why_ended)

    def set_idle_seconds(self, seconds: float) -> None:
        """This caller's own idle time."""
        self.timers = replace(self.timers, idle_seconds=seconds)

    def accept(
        self,
        *,
        contexts: Sequence[tuple[int, int, str]],
        roles: Sequence[tuple[str, bool, bool]],
        operations_window: tuple[int, int] | None,
        extended: Sequence[tuple[str, bytes]],
        user_identity_answered: bool,
        admission: _core.Admission,
    ) -> bytes:
        """The A-ASSOCIATE-AC: contexts are (id, result, transfer syntax), roles (SOP class, SCU, SCP)."""
        return self.engine.accept(
            [_core.AnsweredContext(*context) for context in contexts],
            [_core.Role(*role) for role in roles],
            operations_window,
            extended,
            user_identity_answered,
            admission,
        )

    def established(self, answer: bytes) -> None:
        """Writes the A-ASSOCIATE-AC."""
        self.write(answer)
        self._enter(Phase.ESTABLISHED)

    def last_word(self, answer: bytes, why: str) -> None:
        """Writes an A-ASSOCIATE-RJ, A-RELEASE-RP or A-ABORT; the peer has ARTIM to close (PS3.8 9.1.4).

        Closing at once would reset a socket that holds unread bytes, and take our last word with it.
        """
        if self.phase not in (Phase.CLOSING, Phase.LOST):
            self.write(answer)
            self._enter(Phase.CLOSING, why)
            self._look()
            self._wake()

    def abort(self, why: Refusal) -> None:
        """Ends the association with the A-ABORT that the catalogue says."""
        if self.phase not in (Phase.CLOSING, Phase.LOST):
            assert isinstance(why.answer, AbortAnswer), why.code
            self.refusal = why
            self.last_word(self.engine.abort(why.answer.source, why.answer.reason), why.text)

    def close(self, why: str = "closed") -> None:
        """Closes the socket after what is queued for it."""
        self._enter(Phase.CLOSING, why)
        if self._transport is not None:
            self._transport.close()

    def cut(self, why: Refusal | str) -> None:
        """Drops the socket and what is queued for it. Words alone: it was ours, and we gave it up."""
        if isinstance(why, Refusal):
            if not self.why_ended:
                self.refusal = why
            why = why.text
        self._enter(Phase.CLOSING, why)
        if self._transport is not None:
            self._transport.abort()
        self._wake()

    # --- timers ----------------------------------------------------------------------------------

    def sweep(self, now: float) -> None:
        """Ends what has waited too long: one call a second instead of a timer for each read."""
        if self.phase in (Phase.OPENING, Phase.CLOSING):
            self._sweep_artim(now)
        elif self.phase is Phase.ESTABLISHED:
            self._sweep_established(now)
        self._sweep_sending(now)

    def _sweep_artim(self, now: float) -> None:
        if now - self._phase_since >= self.timers.artim_seconds:
            self.cut(ARTIM)  # PS3.8 AA-2

    def _sweep_established(self, now: float) -> None:
        progress = self.engine.progress()
        moved = progress.received + progress.sent
        # Whoever is being served is not idle: sending and sub-operations have deadlines of their own.
        if moved != self._moved or progress.outstanding or self.serving:
            self._moved, self._moved_at = moved, now
        elif now - self._moved_at >= self.timers.idle_seconds:
            return self.abort(IDLE)
        if not progress.in_message or progress.paused:
            self._window_since, self._window_received = now, progress.received
        elif now - self._window_since >= self.timers.progress_window_seconds:
            floor = self.timers.progress_bytes_per_second * self.timers.progress_window_seconds
            if progress.received - self._window_received < floor:
                return self.abort(NO_PROGRESS)
            self._window_since, self._window_received = now, progress.received
        if self._deadline.passed(now, progress):
            self.abort(NO_PROGRESS)
        return None

    def _sweep_sending(self, now: float) -> None:
        if self._transport is None or self.phase is Phase.LOST:
            return
        unsent = self._transport.get_write_buffer_size()
        taken = self._written - unsent
        # Only what leaves is progress: a queue that grows changes as well.
        if unsent == 0 or taken > self._taken:
            self._taken, self._sent_at = taken, now
        elif now - self._sent_at >= self.timers.send_seconds:
            self.cut(NOTHING_TAKEN)

    # --- within ----------------------------------------------------------------------------------

    def _hear(self, events: "Sequence[Event]") -> None:
        for event in events:
            self._take(event)
        if events:
            self._wake()
        self._look()

    def _take(self, event: Event) -> None:
        if self.phase is Phase.CLOSING:
            return
        if isinstance(event, Failed):
            self.refusal, self.refused_at = CATALOGUE[event.code], event.offset
            self.last_word(event.answer, f"protocol broken: {event.what}, at byte {event.offset}")
        elif isinstance(event, Aborted):
            self.close(f"the peer aborted (source {event.source}, reason {event.reason})")
        if not (isinstance(event, CommandReceived) and self._exchanges.take(event)):
            self._events.append(event)

    def _put(self, data: bytes) -> None:
        if self._transport is not None and self.phase not in (Phase.CLOSING, Phase.LOST):
            self._written += len(data)
            self._transport.write(data)

    def _look(self) -> None:
        """Reads the socket while somebody can take what comes, and the peer takes what that makes.

        After our last word nothing is answered any more, and only reading finds out that the peer closed.
        """
        if self._transport is None or self.phase is Phase.LOST or self._transport.is_closing():
            return
        enough = EVENTS_MAX if self._reading else EVENTS_MAX // 2
        room = self._writable.is_set() and self._held_length < HELD_MAX and len(self._events) < enough
        reading = (room or self.phase is Phase.CLOSING) and not self.engine.progress().paused
        if reading == self._reading:
            return
        self._reading = reading
        if reading:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    async def _next(self) -> Event:
        while not self._events:
            if self.phase in (Phase.LOST, Phase.CLOSING):
                raise AssociationAbortedError(self.why_ended)
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._pop()

    def _pop(self) -> Event:
        event = self._events.popleft()
        if not self._reading:
            self._look()
        return event

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @staticmethod
    def _is_response(event: Event, message_id: int) -> bool:
        return (
            isinstance(event, CommandReceived)
            and event.command_field == C_STORE_RSP
            and event.message_id_responded_to == message_id
        )

    def _put_aside(self, event: Event) -> None:
        if not isinstance(event, CommandReceived):
            if isinstance(event, ReleaseRequested):
                self.abort(RELEASE_EARLY)
            raise AssociationAbortedError(
                self.why_ended or "the association ended in the middle of an operation"
            )
        if event.command_field == C_CANCEL_RQ:
            if event.message_id_responded_to is not None and len(self.cancelled) < POSTPONED_MAX:
                self.cancelled.add(event.message_id_responded_to)
        elif event.command_field & 0x8000 or len(self._postponed) >= POSTPONED_MAX:
            self.abort(RESPONSE_UNASKED if event.command_field & 0x8000 else REQUESTS_BEYOND)
            raise AssociationAbortedError(self.why_ended)
        else:
            self._forget_cancel(event)
            self._postponed.append(event)

    def _forget_cancel(self, request: Event) -> None:
        """A C-CANCEL-RQ names what was asked before it: one that came earlier means another request."""
        if isinstance(request, CommandReceived) and request.message_id is not None:
            self.cancelled.discard(request.message_id)

    def _enter(self, phase: Phase, why: str = "") -> None:
        if self.phase is Phase.LOST:
            return
        self.why_ended = self.why_ended or why
        self.phase = phase
        if phase in (Phase.CLOSING, Phase.LOST):
            self._exchanges.end(self.why_ended)
        self._phase_since = self._moved_at = self._window_since = time.monotonic()

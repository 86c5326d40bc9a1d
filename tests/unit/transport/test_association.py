"""Associations: timers, back-pressure, who hears what; on an engine that is told what to say."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from gateway import _core
from gateway.errors import AssociationAbortedError
from gateway.transport import association as room
from gateway.transport.association import Association, Phase
from gateway.transport.timers import Timers
from gateway.wire.dicom.refusals import IDLE

TIMERS = Timers(
    artim_seconds=30,
    idle_seconds=100,
    progress_bytes_per_second=10,
    progress_window_seconds=20,
    message_seconds=300,
    message_bytes_per_second=100,
    send_seconds=5,
)
ABORT = b"abort"


@dataclass
class Engine:
    """Says what the test wants."""

    received: int = 0
    sent: int = 0
    outstanding: int = 0
    in_message: bool = False
    message: int = 0
    message_received: int = 0
    paused: bool = False
    says: list[Any] | None = None
    gone: bool = False
    connected: list[int | None] = field(default_factory=list)

    def connect_output(self, fd: int | None) -> None:
        self.connected.append(fd)

    def buffer_updated(self, nbytes: int) -> list[Any] | None:
        self.received += nbytes
        return [] if self.says is None and self.paused else self.says

    def resume(self) -> list[Any]:
        return self.says or []

    def progress(self) -> SimpleNamespace:
        return SimpleNamespace(
            received=self.received,
            sent=self.sent,
            outstanding=self.outstanding,
            in_message=self.in_message,
            message=self.message,
            message_received=self.message_received,
            paused=self.paused,
        )

    def abort(self, source: int, reason: int) -> bytes:
        return ABORT + bytes((source, reason))

    def closed(self) -> None:
        self.gone = True


class Transport:
    """A socket that remembers."""

    def __init__(self) -> None:
        self.written = b""
        self.unsent = 0
        self.reading = True
        self.ended = ""

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("127.0.0.1", 5), "socket": SimpleNamespace(fileno=lambda: 7)}.get(name)

    def set_write_buffer_limits(self, high: int) -> None:
        assert high == room.WRITE_HIGH_WATER

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.ended != ""

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = "cut"


@dataclass
class Set:
    engine: Engine
    transport: Transport
    association: Association

    def at(self, seconds: float) -> None:
        self.association.sweep(self.association._phase_since + seconds)


@pytest.fixture
def made() -> Set:
    engine, transport = Engine(), Transport()
    association = Association(engine, TIMERS)  # type: ignore[arg-type]
    association.connection_made(transport)  # type: ignore[arg-type]
    return Set(engine, transport, association)


@pytest.fixture
def established(made: Set) -> Set:
    made.association.established(b"accept")
    return made


def command(field: int, message_id: int = 1) -> Any:
    """A command, as far as the association looks at it."""
    made = object.__new__(Command)
    made.command_field, made.message_id_responded_to = field, message_id
    made.message_id = None if field == room.C_CANCEL_RQ or field & 0x8000 else message_id
    return made


class Command:
    command_field: int
    message_id: int | None
    message_id_responded_to: int


@pytest.fixture(autouse=True)
def _commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CommandReceived", Command)
    monkeypatch.setattr(room, "Failed", SimpleFailed)


@dataclass
class SimpleFailed:
    code: str = "pdu-length"
    what: str = "nonsense"
    offset: int = 6
    answer: bytes = b"failed"


def test_a_plain_socket_is_lent_to_the_core(made: Set):
    assert made.engine.connected == [7]
    assert made.association.address == "127.0.0.1:5"


def test_artim_cuts_a_socket_that_never_asks(made: Set):
    made.at(29.9)
    assert made.transport.ended == ""
    made.at(30)
    assert made.transport.ended == "cut"
    assert made.transport.written == b""  # PS3.8 AA-2: no A-ABORT before there is an association


def test_idle_is_aborted_and_whatever_moves_starts_it_anew(established: Set):
    established.at(99)
    established.engine.received += 1
    established.at(99.5)
    established.at(199)
    assert established.association.phase is Phase.ESTABLISHED
    established.at(199.6)
    assert established.transport.written.endswith(ABORT + bytes((2, 0)))
    assert established.association.phase is Phase.CLOSING
    assert established.transport.ended == ""  # the peer may read our last word


def test_waiting_for_our_own_answer_is_not_idling(established: Set):
    established.engine.outstanding = 1
    established.at(500)
    assert established.association.phase is Phase.ESTABLISHED


def test_whoever_is_being_served_is_not_idle(established: Set):
    established.association.serving = True
    established.at(500)
    assert established.association.phase is Phase.ESTABLISHED
    established.association.serving = False
    established.at(601)
    assert established.association.phase is Phase.CLOSING


def test_our_last_word_is_followed_by_artim(established: Set):
    established.association.abort(IDLE)
    established.at(29)
    assert established.transport.ended == ""
    established.at(31)
    assert established.transport.ended == "cut"


def test_a_message_below_the_progress_floor_is_aborted(established: Set):
    established.engine.in_message = True
    for second in range(21):
        established.engine.received += 9
        established.at(second)
    assert "no progress" in established.association.why_ended


def test_a_message_above_the_progress_floor_goes_on(established: Set):
    established.engine.in_message = True
    for second in range(90):
        established.engine.received += 11
        established.at(second)
    assert established.association.phase is Phase.ESTABLISHED


def _receive(established: Set, *, seconds: range, bytes_a_second: int) -> None:
    for second in seconds:
        established.engine.received += bytes_a_second
        established.engine.message_received += bytes_a_second
        established.at(second)


def test_a_message_that_never_ends_is_aborted_however_steadily_it_comes(established: Set):
    established.engine.in_message, established.engine.message = True, 1
    _receive(established, seconds=range(330), bytes_a_second=11)
    assert established.association.phase is Phase.ESTABLISHED, "300 seconds, and what its bytes earned"
    _receive(established, seconds=range(330, 345), bytes_a_second=11)
    assert "no progress" in established.association.why_ended


def test_a_long_message_over_a_slow_line_has_the_time_that_its_bytes_earn(established: Set):
    established.engine.in_message, established.engine.message = True, 1
    _receive(established, seconds=range(100_000), bytes_a_second=100)
    assert established.association.phase is Phase.ESTABLISHED


def test_each_message_has_a_deadline_of_its_own(established: Set):
    established.engine.in_message = True
    for number in range(20):
        established.engine.message, established.engine.message_received = number, 0
        _receive(established, seconds=range(number * 60, number * 60 + 60), bytes_a_second=11)
    assert established.association.phase is Phase.ESTABLISHED


def test_the_deadline_of_a_message_stands_still_while_we_do_not_read(established: Set):
    established.engine.in_message, established.engine.message = True, 1
    established.engine.outstanding = 1
    _receive(established, seconds=range(200), bytes_a_second=11)
    established.engine.paused = True
    _receive(established, seconds=range(200, 5000), bytes_a_second=0)
    established.engine.paused = False
    _receive(established, seconds=range(5000, 5100), bytes_a_second=11)
    assert established.association.phase is Phase.ESTABLISHED
    _receive(established, seconds=range(5100, 5200), bytes_a_second=11)
    assert "no progress" in established.association.why_ended


def test_a_pause_of_ours_is_not_held_against_the_peer(established: Set):
    established.engine.in_message = established.engine.paused = True
    for second in range(0, 60, 5):
        established.engine.sent += 1
        established.at(second)
    assert established.association.phase is Phase.ESTABLISHED


def test_a_peer_that_takes_nothing_is_cut(established: Set):
    established.transport.unsent = len(established.transport.written)
    established.at(1)
    established.transport.unsent -= 1
    established.at(5)
    established.at(9.9)
    assert established.transport.ended == ""
    established.at(10.1)
    assert established.transport.ended == "cut"


def test_reading_stops_while_the_core_is_full_and_goes_on_after(established: Set):
    established.engine.paused = True
    established.association.buffer_updated(1)
    assert not established.transport.reading
    established.engine.paused = False
    established.association.resume()
    assert established.transport.reading


def test_reading_stops_while_too_many_events_wait(established: Set):
    established.engine.says = [command(0x30)] * (room.EVENTS_MAX + 1)
    established.association.buffer_updated(1)
    assert not established.transport.reading

    async def serve() -> None:
        for _ in range(room.EVENTS_MAX):
            await established.association.event()

    asyncio.run(serve())
    assert established.transport.reading


def test_a_broken_protocol_is_answered_at_once(established: Set):
    established.engine.says = [SimpleFailed()]
    established.association.buffer_updated(1)
    assert established.transport.written.endswith(b"failed")
    assert "nonsense" in established.association.why_ended
    refusal = established.association.refusal
    assert refusal is not None
    assert (refusal.code, established.association.refused_at) == ("pdu-length", 6)


def test_a_lost_socket_ends_whoever_waits(established: Set):
    async def wait() -> None:
        waiting = asyncio.ensure_future(established.association.event())
        await asyncio.sleep(0)
        established.association.connection_lost(None)
        with pytest.raises(AssociationAbortedError, match="closed"):
            await waiting

    asyncio.run(wait())
    assert established.engine.gone


def test_a_response_is_told_from_requests_and_cancels_that_come_between(established: Set):
    request, cancel, response = command(0x30), command(room.C_CANCEL_RQ, 9), command(room.C_STORE_RSP, 4)
    established.engine.says = [request, cancel, response]
    established.association.buffer_updated(1)

    async def wait() -> None:
        assert await established.association.response(4, seconds=1) is response
        assert established.association.cancelled == {9}
        assert await established.association.event() is request

    asyncio.run(wait())


def test_a_cancel_names_what_was_asked_before_it_and_nothing_later(established: Set):
    association = established.association

    def hear(event: Any) -> None:
        established.engine.says = [event]
        association.buffer_updated(1)
        association.look_for_cancel()

    hear(command(room.C_CANCEL_RQ, 9))
    hear(request := command(0x10, 9))
    assert association.cancelled == set()
    hear(command(room.C_CANCEL_RQ, 9))

    async def serve() -> None:
        assert await association.event() is request

    asyncio.run(serve())
    assert association.cancelled == {9}


def test_a_response_to_nothing_is_aborted(established: Set):
    established.engine.says = [command(room.C_STORE_RSP, 5)]
    established.association.buffer_updated(1)

    async def wait() -> None:
        with pytest.raises(AssociationAbortedError):
            await established.association.response(4, seconds=1)

    asyncio.run(wait())
    assert ABORT in established.transport.written


def test_an_answer_that_does_not_come_has_a_deadline(established: Set):
    async def wait() -> None:
        with pytest.raises(TimeoutError):
            await established.association.response(4, seconds=0.01)

    asyncio.run(wait())


def test_sending_waits_for_the_peer_and_no_longer_than_allowed(established: Set):
    established.association.timers = Timers(send_seconds=0.02)

    async def send() -> None:
        await established.association.send(b"one")
        established.association.pause_writing()
        with pytest.raises(AssociationAbortedError, match="takes nothing"):
            await established.association.send(b"two")

    asyncio.run(send())
    assert established.transport.written.endswith(b"onetwo")
    assert established.transport.ended == "cut"


def test_a_peer_that_does_not_read_is_not_read_either(established: Set):
    established.association.pause_writing()
    assert not established.transport.reading
    established.association.buffer_updated(1)
    established.association.resume()
    assert not established.transport.reading
    established.association.resume_writing()
    assert established.transport.reading


def test_reading_goes_on_only_when_both_the_core_and_the_peer_have_room(established: Set):
    established.engine.paused = True
    established.association.buffer_updated(1)
    established.association.pause_writing()
    established.association.resume_writing()
    assert not established.transport.reading
    established.association.pause_writing()
    established.engine.paused = False
    established.association.resume()
    assert not established.transport.reading
    established.association.resume_writing()
    assert established.transport.reading


def test_a_queue_that_only_grows_is_no_progress(established: Set):
    for second in range(1, 8):
        established.association.answered(b"answer")
        established.transport.unsent = len(established.transport.written)
        established.at(second)
    assert established.transport.ended == "cut"


def test_a_queue_that_is_refilled_as_fast_as_it_empties_is_progress(established: Set):
    established.transport.unsent = 6
    for second in range(1, 30):
        established.association.answered(b"answer")
        established.at(second)
    assert established.transport.ended == ""


def test_answers_wait_for_the_end_of_a_message_and_leave_in_order(established: Set):
    association, transport = established.association, established.transport

    async def send() -> None:
        with association.message():
            await association.send(b"[first")
            association.answered(b"one")
            association.answered(b"two")
            await association.send(b"last]")

    asyncio.run(send())
    association.answered(b"three")
    assert transport.written.endswith(b"[firstlast]onetwothree")


def test_answers_that_wait_are_bounded(established: Set):
    with established.association.message():
        established.association.answered(bytes(room.HELD_MAX))
        assert not established.transport.reading
    assert established.transport.reading


def test_nothing_follows_our_last_word(established: Set):
    with established.association.message():
        established.association.answered(b"held")
        established.association.abort(IDLE)
    established.association.answered(b"late")
    established.association.write(b"later")
    assert established.transport.written.endswith(ABORT + bytes((2, 0)))


@pytest.mark.parametrize("how", ["write", "last_word", "message"])
def test_what_workers_handed_over_leaves_before_what_we_write(how: str):
    handed = [b"handed over "]
    association = Association(
        Engine(),  # type: ignore[arg-type]
        TIMERS,
        catch_up=lambda: association.answered(handed.pop()) if handed else None,
    )
    transport = Transport()
    association.connection_made(transport)  # type: ignore[arg-type]
    if how == "write":
        association.write(b"ours")
    elif how == "last_word":
        association.last_word(b"ours", "released")
    else:
        with association.message():
            association.write(b"ours")
    assert transport.written == b"handed over ours"


def test_the_real_engine_has_what_the_fake_one_pretends():
    for name in ("connect_output", "buffer_updated", "resume", "progress", "abort", "closed"):
        assert hasattr(_core.Association, name)

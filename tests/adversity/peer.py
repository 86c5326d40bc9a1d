"""A peer that sends what it likes, cut as it likes."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from tests.instances import CT, EXPLICIT, Instance
from tests.raw_peer import ABORT, ASSOCIATE_AC, RawPeer, c_store_rq, connected, p_data, us

BYTEWISE_MAX = 16 << 10
"""Longer inputs come byte by byte at both ends, and in pieces of an odd length between."""
ODD = 4093
FRAGMENT = 16 << 10
STATUS, ERROR_COMMENT, OFFENDING = 0x00000900, 0x00000902, 0x00000901


@dataclass(frozen=True)
class Feed:
    """How bytes are cut into writes."""

    name: str
    cut: Callable[[bytes], Iterator[bytes]]


def _whole(data: bytes) -> Iterator[bytes]:
    yield data


def _byte_by_byte(data: bytes) -> Iterator[bytes]:
    head, middle, tail = data, b"", b""
    if len(data) > 2 * BYTEWISE_MAX:
        head, middle, tail = data[:BYTEWISE_MAX], data[BYTEWISE_MAX:-BYTEWISE_MAX], data[-BYTEWISE_MAX:]
    yield from (head[n : n + 1] for n in range(len(head)))
    yield from (middle[n : n + ODD] for n in range(0, len(middle), ODD))
    yield from (tail[n : n + 1] for n in range(len(tail)))


WHOLE, BYTE_BY_BYTE = Feed("whole", _whole), Feed("byte-by-byte", _byte_by_byte)
FEEDS = (WHOLE, BYTE_BY_BYTE)


@dataclass(frozen=True)
class Refused:
    """A C-STORE-RSP, as far as a refusal is concerned."""

    status: int
    comment: str
    offending: bytes


class HostilePeer(RawPeer):
    """A socket whose writes are cut by a feed. What it writes after the other side closed is lost on it.

    It connects when it is first used, for whoever connects and then prepares is cut by ARTIM.
    """

    def __init__(self, port: int, feed: Feed, *, timeout: float = 60.0) -> None:
        self._port, self._timeout = port, timeout
        self.cutting = feed

    @cached_property
    def socket(self) -> socket.socket:  # type: ignore[override]
        """Connected, and without delay between writes."""
        made = connected(self._port, self._timeout)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def send(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for piece in self.cutting.cut(data):
                self.socket.sendall(piece)

    def aborted(self) -> tuple[int, int] | None:
        """(source, reason) of the A-ABORT that comes next; None if the socket was closed without one."""
        answer = self.pdu()
        if answer is None:
            return None
        assert answer[0] == ABORT, f"PDU type {answer[0]}: {answer[1].hex()}"
        return answer[1][2], answer[1][3]

    def established(self, *contexts: tuple[int, str, list[str]], roles: tuple[str, ...] = ()) -> None:
        """Associates, for CT in Explicit VR Little Endian unless told otherwise."""
        kind, body = self.associate(contexts or [(1, CT, [EXPLICIT])], roles=roles)
        assert kind == ASSOCIATE_AC, body.hex()

    def ask_to_store(self, instance: Instance, *, message_id: int = 1, context: int = 1) -> None:
        """The C-STORE-RQ alone."""
        command = c_store_rq(message_id, instance.sop_class, instance.sop_instance)
        self.send(p_data(context, command, command=True, last=True))

    def store(self, instance: Instance, data_set: bytes | None = None, *, context: int = 1) -> Refused:
        """One C-STORE of the data set as given, and its answer."""
        self.ask_to_store(instance, context=context)
        data = instance.data_set if data_set is None else data_set
        pieces = [data[n : n + FRAGMENT] for n in range(0, len(data), FRAGMENT)] or [b""]
        pdus = [
            p_data(context, piece, command=False, last=n == len(pieces) - 1) for n, piece in enumerate(pieces)
        ]
        self.send(b"".join(pdus))
        return self.answer()

    def answer(self) -> Refused:
        """The next C-STORE-RSP."""
        answer = self.command()
        status = us(answer, STATUS)
        assert status is not None
        comment = answer.get(ERROR_COMMENT, b"").decode("ascii").rstrip()
        return Refused(status, comment, answer.get(OFFENDING, b""))

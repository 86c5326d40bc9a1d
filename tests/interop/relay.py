"""A relay that stands between two peers and keeps every byte: what was really said, whoever tells what."""

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Self

from tests.gateway_process import eventually
from tests.raw_peer import ASSOCIATE_AC, P_DATA, elements

C_STORE_RQ, C_ECHO_RQ, C_GET_RQ, RESPONSE = 0x0001, 0x0030, 0x0010, 0x8000
UNANSWERED = -1
_SECONDS_MAX = 60.0

Change = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Message:
    """One DIMSE message: its command set, and its data set as bytes in `transfer_syntax`."""

    transfer_syntax: str
    command: dict[int, bytes]
    data_set: bytes

    @property
    def kind(self) -> int:
        return self._number(0x00000100)

    @property
    def status(self) -> int:
        return self._number(0x00000900)

    @property
    def sop_instance(self) -> str:
        return self.command[0x00001000].rstrip(b"\0 ").decode("ascii")

    def _number(self, tag: int) -> int:
        return int(struct.unpack("<H", self.command[tag])[0])


@dataclass
class Talk:
    """One connection, both directions."""

    requestor: bytearray = field(default_factory=bytearray)
    acceptor: bytearray = field(default_factory=bytearray)
    ended: threading.Event = field(default_factory=threading.Event)


class Relay:
    """Listens on `port`, passes everything on to `target`, and keeps what each side sent.

    `change_requests` and `change_answers` change bytes on their way, after they were kept: the negative
    controls break with them what arrives.
    """

    def __init__(
        self, target: int, *, change_requests: Change | None = None, change_answers: Change | None = None
    ) -> None:
        self._target = target
        self._changes = (change_requests, change_answers)
        self._talks: list[Talk] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def stored(self, *, by_acceptor: bool = False) -> dict[str, tuple[Message, int]]:
        """Each C-STORE request heard, by SOP Instance UID, with the status that it was answered."""
        found: dict[str, tuple[Message, int]] = {}
        for talk in self._over():
            requests, answers = _messages(talk)[:: -1 if by_acceptor else 1]
            # In order: some give every message the same ID.
            statuses = [one.status for one in answers if one.kind == C_STORE_RQ | RESPONSE]
            stores = (one for one in requests if one.kind == C_STORE_RQ)
            for one, status in zip(stores, chain(statuses, repeat(UNANSWERED)), strict=False):
                found[one.sop_instance] = (one, status)
        return found

    def answers(self, kind: int) -> list[int]:
        """The statuses of all responses to requests of this kind that the acceptor sent."""
        said = (message for talk in self._over() for message in _messages(talk)[1])
        return [one.status for one in said if one.kind == kind | RESPONSE]

    def _over(self) -> list[Talk]:
        """All connections, once every one of them is over."""
        for talk in self._talks:
            eventually(talk.ended.is_set, 10.0, "the end of a connection")
        return self._talks

    def _accept(self) -> None:
        while True:
            try:
                requestor, _ = self._listener.accept()
            except OSError:
                return
            acceptor = socket.create_connection(("127.0.0.1", self._target), timeout=_SECONDS_MAX)
            talk = Talk()
            self._talks.append(talk)
            threading.Thread(target=self._pass_on, args=(talk, requestor, acceptor), daemon=True).start()

    def _pass_on(self, talk: Talk, requestor: socket.socket, acceptor: socket.socket) -> None:
        with requestor, acceptor:
            for one in (requestor, acceptor):
                one.settimeout(_SECONDS_MAX)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=_pump, args=(acceptor, requestor, talk.acceptor, self._changes[1]))
            back.start()
            _pump(requestor, acceptor, talk.requestor, self._changes[0])
            back.join()
        talk.ended.set()


def _pump(source: socket.socket, sink: socket.socket, kept: bytearray, change: Change | None) -> None:
    try:
        while data := source.recv(1 << 18):
            kept += data
            sink.sendall(change(data) if change else data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:  # either side may cut the connection off
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def _messages(talk: Talk) -> tuple[list[Message], list[Message]]:
    """What the requestor and the acceptor said."""
    syntaxes = {
        number: syntax
        for kind, body in _pdus(talk.acceptor)
        if kind == ASSOCIATE_AC
        for number, syntax in _accepted(body)
    }
    return list(_spoken(talk.requestor, syntaxes)), list(_spoken(talk.acceptor, syntaxes))


def _pdus(stream: bytearray) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 6 <= len(stream):
        kind, _, length = struct.unpack_from(">BBI", stream, at)
        yield kind, bytes(stream[at + 6 : at + 6 + length])
        at += 6 + length


def _accepted(body: bytes) -> Iterator[tuple[int, str]]:
    """(presentation context ID, transfer syntax) of those accepted, PS3.8 9.3.3.2."""
    for kind, item in _items(body[68:]):
        if kind == 0x21 and item[2] == 0:
            ((_, syntax),) = _items(item[4:])
            yield item[0], syntax.rstrip(b"\0").decode("ascii")


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        kind, _, length = struct.unpack_from(">BBH", data, at)
        yield kind, data[at + 4 : at + 4 + length]
        at += 4 + length


def _spoken(stream: bytearray, syntaxes: dict[int, str]) -> Iterator[Message]:
    """Messages put together from their fragments, PS3.8 E.2; a last one that was cut off is left out."""
    command, data = bytearray(), bytearray()
    for context, header, fragment in _fragments(stream):
        (command if header & 1 else data).extend(fragment)
        if not header & 2:
            continue
        said = elements(bytes(command))
        if header & 1 and said[0x00000800] != b"\x01\x01":
            continue  # its data set follows
        yield Message(syntaxes[context], said, bytes(data))
        command, data = bytearray(), bytearray()


def _fragments(stream: bytearray) -> Iterator[tuple[int, int, bytes]]:
    for kind, body in _pdus(stream):
        at = 0
        while kind == P_DATA and at + 6 <= len(body):
            length, context, header = struct.unpack_from(">IBB", body, at)
            yield context, header, body[at + 6 : at + 4 + length]
            at += 4 + length

"""A raw peer: PDUs and command sets by hand, for what well-behaved toolkits will not send."""

import socket
import struct
from collections.abc import Iterable, Sequence
from typing import Self

APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"
COMMITMENT, COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
VERIFICATION, STUDY_ROOT_GET = "1.2.840.10008.1.1", "1.2.840.10008.5.1.4.1.2.2.3"
ASSOCIATE_AC, ASSOCIATE_RJ, P_DATA, RELEASE_RP, ABORT = 2, 3, 4, 6, 7

Context = tuple[int, str, Sequence[str]]


class RawPeer:
    """One socket. `receive_buffer` bounds what the kernel takes in for a peer that does not read."""

    def __init__(self, port: int, *, timeout: float = 10.0, receive_buffer: int | None = None) -> None:
        self.socket = connected(port, timeout, receive_buffer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def pdu(self) -> tuple[int, bytes] | None:
        """(type, what follows the header) of the next PDU; None if the peer closed."""
        header = self._exactly(6)
        if header is None:
            return None
        body = self._exactly(struct.unpack(">BBI", header)[2])
        assert body is not None, "closed in the middle of a PDU"
        return header[0], body

    def associate(
        self,
        contexts: Sequence[Context],
        *,
        called: str = "KUVA",
        calling: str = "RAWPEER",
        roles: Iterable[str] = (),
    ) -> tuple[int, bytes]:
        self.send(associate_rq(contexts, called=called, calling=calling, roles=roles))
        answer = self.pdu()
        assert answer is not None, "closed instead of an answer"
        return answer

    def closed(self) -> bool:
        """Whether the peer closes (or resets) within the timeout; whatever it still sends is dropped."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return True

    def command(self) -> dict[int, bytes]:
        """The next command set, in any number of fragments; its data set, if any, is left."""
        data = b""
        while True:
            pdu = self.pdu()
            assert pdu is not None, "closed instead of a command"
            assert pdu[0] == P_DATA, f"PDU type {pdu[0]} instead of a command: {pdu[1].hex()}"
            length, _, header = struct.unpack_from(">IBB", pdu[1])
            data += pdu[1][6 : 4 + length]
            if header & 3 == 3:
                return elements(data)

    def _exactly(self, length: int) -> bytes | None:
        parts = bytearray()
        while len(parts) < length:
            try:
                got = self.socket.recv(length - len(parts))
            except ConnectionResetError:
                got = b""
            if not got:
                return bytes(parts) if parts else None
            parts += got
        return bytes(parts)


def connected(port: int, timeout: float, receive_buffer: int | None = None) -> socket.socket:
    made = socket.socket()
    made.settimeout(timeout)
    if receive_buffer is not None:  # before the connection, or the window is scaled already
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.connect(("127.0.0.1", port))
    return made


def associate_rq(
    contexts: Sequence[Context], *, called: str = "KUVA", calling: str = "RAWPEER", roles: Iterable[str] = ()
) -> bytes:
    items = _item(0x10, APPLICATION_CONTEXT.encode())
    for number, abstract, syntaxes in contexts:
        inner = _item(0x30, abstract.encode()) + b"".join(_item(0x40, s.encode()) for s in syntaxes)
        items += _item(0x20, struct.pack(">BBBB", number, 0, 0, 0) + inner)
    user = _item(0x51, struct.pack(">I", 0)) + _item(0x52, b"1.2.3.4")
    for role in roles:
        user += _item(0x54, struct.pack(">H", len(role)) + role.encode() + b"\x00\x01")
    items += _item(0x50, user)
    fixed = struct.pack(">HH", 1, 0) + called.ljust(16).encode() + calling.ljust(16).encode() + bytes(32)
    return pdu(1, fixed + items)


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBI", kind, 0, len(body)) + body


def release_rq() -> bytes:
    return pdu(5, bytes(4))


def p_data(context: int, fragment: bytes, *, command: bool, last: bool) -> bytes:
    header = (1 if command else 0) | (2 if last else 0)
    return pdu(P_DATA, struct.pack(">IBB", len(fragment) + 2, context, header) + fragment)


def command_set(**fields: int | str) -> bytes:
    """Implicit VR little endian, sorted, with its group length. Names: f0000_0100 = tag."""
    body = b""
    for name, value in sorted(fields.items()):
        group, element = (int(part, 16) for part in name[1:].split("_"))
        data = struct.pack("<H", value) if isinstance(value, int) else value.encode()
        data += b"\0" * (len(data) % 2)
        body += struct.pack("<HHI", group, element, len(data)) + data
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def c_store_rq(message_id: int, sop_class: str, sop_instance: str) -> bytes:
    return command_set(
        f0000_0002=sop_class,
        f0000_0100=1,
        f0000_0110=message_id,
        f0000_0700=0,
        f0000_0800=1,
        f0000_1000=sop_instance,
    )


def c_echo_rq(message_id: int) -> bytes:
    return command_set(f0000_0002=VERIFICATION, f0000_0100=0x30, f0000_0110=message_id, f0000_0800=0x0101)


def c_get_rq(message_id: int) -> bytes:
    return command_set(
        f0000_0002=STUDY_ROOT_GET, f0000_0100=0x10, f0000_0110=message_id, f0000_0700=0, f0000_0800=1
    )


def n_action_rq(
    message_id: int,
    *,
    sop_class: str = COMMITMENT,
    instance: str = COMMITMENT_INSTANCE,
    action_type: int = 1,
    data_set_type: int = 1,
) -> bytes:
    return command_set(
        f0000_0003=sop_class,
        f0000_0100=0x0130,
        f0000_0110=message_id,
        f0000_0800=data_set_type,
        f0000_1001=instance,
        f0000_1008=action_type,
    )


def n_event_report_rq(message_id: int) -> bytes:
    return command_set(
        f0000_0002=COMMITMENT,
        f0000_0100=0x0100,
        f0000_0110=message_id,
        f0000_0800=0x0101,
        f0000_1000=COMMITMENT_INSTANCE,
        f0000_1002=1,
    )


def elements(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        group, element, length = struct.unpack_from("<HHI", data, at)
        found[group << 16 | element] = data[at + 8 : at + 8 + length]
        at += 8 + length
    return found


def us(command: dict[int, bytes], tag: int) -> int | None:
    return struct.unpack("<H", command[tag])[0] if tag in command else None


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body

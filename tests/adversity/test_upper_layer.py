"""U rows: what arrives before and beneath DIMSE (PS3.8)."""

import contextlib
import struct
import time

import pytest

from tests.adversity.conftest import ECHO, Left
from tests.adversity.peer import HostilePeer
from tests.gateway_process import GatewayProcess, eventually
from tests.instances import CT, IMPLICIT, ct
from tests.raw_peer import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    VERIFICATION,
    RawPeer,
    associate_rq,
    c_echo_rq,
    c_store_rq,
    p_data,
    pdu,
    release_rq,
    us,
)

UNRECOGNIZED, UNEXPECTED, INVALID, USER = (2, 1), (2, 2), (2, 6), (0, 0)
"""(source, reason) of an A-ABORT (PS3.8 table 9-26)."""
CLIENT_HELLO = bytes.fromhex("16030100a5010000a10303") + bytes(160)
MAXIMUM_LENGTH_ITEM = struct.pack(">BBHI", 0x51, 0, 4, 0)


def _patched(request: bytes, at: int, value: bytes) -> bytes:
    return request[:at] + value + request[at + len(value) :]


def _said(gateway: GatewayProcess, what: str) -> bool:
    return any(what in str(event.get("reason")) for event in gateway.events())


@pytest.mark.parametrize("words", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", CLIENT_HELLO], ids=["u1", "u2"])
def test_u1_u2_another_protocol_is_known_by_its_first_byte(
    hostile: HostilePeer, victim: GatewayProcess, words: bytes
):
    hostile.send(words)
    assert hostile.aborted() == UNRECOGNIZED
    assert hostile.closed()
    eventually(lambda: _said(victim, "at byte 0"), 3)


def test_u3_a_request_that_claims_four_gibibytes_is_aborted_from_its_header(hostile: HostilePeer):
    hostile.send(struct.pack(">BBI", 1, 0, 0xFFFFFFFF))
    assert hostile.aborted() == INVALID


def test_u3_a_request_that_never_comes_whole_ends_by_artim(hostile: HostilePeer):
    hostile.send(struct.pack(">BBI", 1, 0, 1 << 20) + bytes(1000))
    assert hostile.closed()


@pytest.mark.parametrize("length", [0, 1, 67])
def test_u4_a_request_shorter_than_its_fixed_part_is_aborted(hostile: HostilePeer, length: int):
    hostile.send(pdu(1, bytes(length)))
    assert hostile.aborted() == INVALID


def test_u5_many_sub_items_that_claim_much_are_aborted_and_nothing_is_allocated(
    hostile: HostilePeer, victim: GatewayProcess
):
    before = victim.rss()
    item = struct.pack(">BBH", 0x51, 0, 65_535)
    user = struct.pack(">BBH", 0x50, 0, 64_000) + item * 16_000
    request = associate_rq(ECHO)
    fixed = request[6 : 6 + 68]
    hostile.send(pdu(1, fixed + user))
    assert hostile.aborted() == INVALID
    assert victim.rss() - before < 32 << 20


@pytest.mark.parametrize(
    "ids", [[2], [0], [1, 1], list(range(1, 256, 2)) + [1] * 72], ids=["even", "zero", "twice", "200"]
)
def test_u6_context_ids_that_are_not_odd_and_unique_are_aborted(hostile: HostilePeer, ids: list[int]):
    hostile.send(associate_rq([(n, VERIFICATION, [IMPLICIT]) for n in ids]))
    assert hostile.aborted() == INVALID


def test_u6_a_request_without_contexts_is_aborted(hostile: HostilePeer):
    hostile.send(associate_rq([]))
    assert hostile.aborted() == INVALID


def test_u7_a_context_with_five_thousand_transfer_syntaxes_is_refused_alone(hostile: HostilePeer):
    crowd = [f"1.2.3.{n}" for n in range(1000)]
    kind, body = hostile.associate([(1, VERIFICATION, crowd * 5), (3, VERIFICATION, [IMPLICIT])])
    assert kind == ASSOCIATE_AC
    assert _results(body) == {1: 2, 3: 0}


def _results(accept: bytes) -> dict[int, int]:
    """Result of each presentation context of an A-ASSOCIATE-AC (PS3.8 9.3.3.2)."""
    at, found = 68, {}
    while at < len(accept):
        kind, length = struct.unpack_from(">BxH", accept, at)
        if kind == 0x21:
            found[accept[at + 4]] = accept[at + 6]
        at += 4 + length
    return found


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [(6, b"\0\0", (1, 2, 2)), (6, b"\0\2", (1, 2, 2)), (6 + 68 + 4, b"2", (1, 1, 2))],
    ids=["version-0", "version-2-only", "foreign-context"],
)
def test_u8_a_foreign_version_or_application_context_is_rejected(
    hostile: HostilePeer, at: int, value: bytes, reason: tuple[int, int, int]
):
    hostile.send(_patched(associate_rq(ECHO), at, value))
    assert hostile.pdu() == (ASSOCIATE_RJ, bytes((0, *reason)))


@pytest.mark.parametrize(
    "title",
    [b" " * 16, b"A\0B", b"A\\B", b"A\x1bB", b"../..", b"$(id);", b"\xc4\xc4KI", b"' OR 1=1--"],
    ids=["spaces", "nul", "backslash", "escape", "path", "shell", "non-ascii", "sql"],
)
@pytest.mark.parametrize(("at", "reason"), [(10, (1, 1, 7)), (26, (1, 1, 3))], ids=["called", "calling"])
def test_u9_a_title_that_nobody_has_is_rejected_whatever_it_holds(
    hostile: HostilePeer, title: bytes, at: int, reason: tuple[int, int, int]
):
    hostile.send(_patched(associate_rq(ECHO), at, title.ljust(16)))
    assert hostile.pdu() == (ASSOCIATE_RJ, bytes((0, *reason)))


@pytest.mark.parametrize("length", [1, 7, 63])
def test_u14_a_maximum_length_that_carries_nothing_is_rejected(hostile: HostilePeer, length: int):
    hostile.send(_with_maximum_length(length))
    assert hostile.pdu() == (ASSOCIATE_RJ, bytes((0, 1, 1, 1)))


@pytest.mark.parametrize("length", [0, 64, 0xFFFFFFFF])
def test_u14_a_maximum_length_is_honoured_exactly(hostile: HostilePeer, length: int):
    hostile.send(_with_maximum_length(length))
    answer = hostile.pdu()
    assert answer is not None
    assert answer[0] == ASSOCIATE_AC
    hostile.send(p_data(1, c_echo_rq(7), command=True, last=True))
    first = hostile.pdu()
    assert first is not None
    assert length in (0, 0xFFFFFFFF) or len(first[1]) <= length


def _with_maximum_length(length: int) -> bytes:
    return associate_rq(ECHO).replace(MAXIMUM_LENGTH_ITEM, struct.pack(">BBHI", 0x51, 0, 4, length))


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (p_data(1, c_echo_rq(1), command=True, last=True), UNEXPECTED),
        (pdu(2, bytes(100)), UNEXPECTED),
        (pdu(3, bytes(4)), UNEXPECTED),
        (release_rq(), UNEXPECTED),
        (pdu(6, bytes(4)), UNEXPECTED),
        (pdu(0, bytes(4)), UNRECOGNIZED),
        (pdu(8, bytes(4)), UNRECOGNIZED),
        (pdu(0xFF, bytes(4)), UNRECOGNIZED),
    ],
    ids=["p-data", "ac", "rj", "release-rq", "release-rp", "00", "08", "ff"],
)
def test_u15_what_has_no_place_before_an_association_is_aborted(
    hostile: HostilePeer, sent: bytes, reason: tuple[int, int]
):
    hostile.send(sent)
    assert hostile.aborted() == reason


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (associate_rq(ECHO), UNEXPECTED),
        (pdu(2, bytes(100)), UNEXPECTED),
        (pdu(6, bytes(4)), UNEXPECTED),
        (pdu(0, bytes(4)), UNRECOGNIZED),
        (pdu(0xFF, bytes(4)), UNRECOGNIZED),
    ],
    ids=["second-rq", "ac", "release-rp", "00", "ff"],
)
def test_u15_what_has_no_place_on_an_association_is_aborted(
    hostile: HostilePeer, sent: bytes, reason: tuple[int, int]
):
    hostile.established()
    hostile.send(sent)
    assert hostile.aborted() == reason


def test_u16_a_value_on_a_context_that_was_not_proposed_or_was_rejected_is_aborted(
    victim: GatewayProcess, hostile: HostilePeer
):
    hostile.established((1, VERIFICATION, [IMPLICIT]), (3, "1.2.3.4", [IMPLICIT]))
    hostile.send(p_data(3, c_echo_rq(1), command=True, last=True))
    assert hostile.aborted() == INVALID
    with RawPeer(victim.dicom_port) as other:
        assert other.associate(ECHO)[0] == ASSOCIATE_AC
        other.send(p_data(99, c_echo_rq(1), command=True, last=True))
        answer = other.pdu()
        assert answer == (ABORT, bytes((0, 0, *INVALID)))


@pytest.mark.parametrize(
    "body",
    [
        struct.pack(">I", 0),
        struct.pack(">IB", 1, 1),
        struct.pack(">IBB", 100, 1, 3) + bytes(10),
        struct.pack(">IBB", 0xFFFFFFFF, 1, 3) + bytes(10),
        struct.pack(">IBB", 2, 1, 1) + b"\0\0\0",
    ],
    ids=["0", "1", "past-the-pdu", "4-gib", "crumbs-behind"],
)
def test_u17_a_value_that_does_not_fit_its_pdu_is_aborted(hostile: HostilePeer, body: bytes):
    hostile.established()
    hostile.send(pdu(4, body))
    assert hostile.aborted() == INVALID


def test_u18_a_command_that_never_ends_is_aborted_at_64_kib(hostile: HostilePeer):
    hostile.established()
    hostile.send(p_data(1, bytes(8 << 10), command=True, last=False) * 9)
    assert hostile.aborted() == USER


def test_u18_a_data_set_that_never_ends_is_aborted_for_want_of_progress(hostile: HostilePeer):
    one = ct()
    hostile.established()
    hostile.ask_to_store(one)
    hostile.send(p_data(1, one.data_set, command=False, last=False))
    assert hostile.aborted() == (2, 0)


def test_u19_a_data_set_of_one_byte_fragments_is_aborted(hostile: HostilePeer):
    one = ct(side=64)
    hostile.established()
    hostile.ask_to_store(one)
    crumbs = b"".join(p_data(1, bytes((b,)), command=False, last=False) for b in one.data_set[:6000])
    hostile.send(crumbs)
    assert hostile.aborted() == USER


def test_u20_command_and_data_set_in_one_pdu_are_lawful(hostile: HostilePeer, left: Left):
    one = ct()
    hostile.established()
    command = p_data(1, c_store_rq(1, CT, one.sop_instance), command=True, last=True)
    data = p_data(1, one.data_set, command=False, last=True)
    hostile.send(pdu(4, command[6:] + data[6:]))
    assert hostile.answer().status == 0
    left.kept = 1


def test_u21_a_new_command_in_the_middle_of_a_data_set_is_aborted_and_the_part_dropped(hostile: HostilePeer):
    one = ct()
    hostile.established()
    hostile.ask_to_store(one)
    hostile.send(p_data(1, one.data_set[:100], command=False, last=False))
    hostile.ask_to_store(one, message_id=2)
    assert hostile.aborted() == USER


def _store_fields(one_uid: str) -> bytes:
    return c_store_rq(1, CT, one_uid)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c[:8] + struct.pack("<I", 5) + c[12:],
        lambda c: c + c[12:],
        lambda c: c[:12] + c[12:][::-1],
        lambda c: bytes.fromhex("00000000554c0400") + c[8:],
        lambda c: c[:-3],
        lambda c: b"not a command set",
    ],
    ids=["group-length", "twice", "reversed", "explicit", "cut", "garbage"],
)
def test_u22_a_command_set_that_is_none_is_aborted(hostile: HostilePeer, change):
    hostile.established()
    hostile.send(p_data(1, change(_store_fields("1.2.3")), command=True, last=True))
    assert hostile.aborted() == USER


def test_u22_a_store_without_instance_uid_is_answered_and_not_kept(hostile: HostilePeer):
    one = ct()
    hostile.established()
    command = c_store_rq(1, CT, "")
    hostile.send(p_data(1, command, command=True, last=True))
    hostile.send(p_data(1, one.data_set, command=False, last=True))
    assert hostile.answer().status in (0x0115, 0x0120)


@pytest.mark.parametrize("field", [0x0020, 0x0021, 0x0140, 0x0120, 0x7777])
def test_u22_u39_an_operation_that_nobody_serves_is_0211(hostile: HostilePeer, field: int):
    hostile.established((1, VERIFICATION, [IMPLICIT]))
    command = c_echo_rq(9).replace(
        struct.pack("<HHIH", 0, 0x0100, 2, 0x30), struct.pack("<HHIH", 0, 0x0100, 2, field)
    )
    hostile.send(p_data(1, command, command=True, last=True))
    answer = hostile.command()
    assert us(answer, 0x00000900) == 0x0211
    assert us(answer, 0x00000100) == field | 0x8000


def test_u22_a_data_set_that_was_not_announced_is_aborted(hostile: HostilePeer):
    hostile.established((1, VERIFICATION, [IMPLICIT]))
    hostile.send(p_data(1, c_echo_rq(1), command=True, last=True))
    hostile.command()
    hostile.send(p_data(1, b"data", command=False, last=True))
    assert hostile.aborted() == USER


def test_u23_a_message_id_may_come_again_and_stray_cancels_are_ignored(hostile: HostilePeer):
    hostile.established((1, VERIFICATION, [IMPLICIT]))
    cancel = (
        c_echo_rq(1)
        .replace(struct.pack("<HHIH", 0, 0x0100, 2, 0x30), struct.pack("<HHIH", 0, 0x0100, 2, 0x0FFF))
        .replace(struct.pack("<HHIH", 0, 0x0110, 2, 1), struct.pack("<HHIH", 0, 0x0120, 2, 77))
    )
    hostile.send(p_data(1, cancel, command=True, last=True) * 500)
    for _ in range(3):
        hostile.send(p_data(1, c_echo_rq(5), command=True, last=True))
        assert us(hostile.command(), 0x00000900) == 0


def test_u24_a_slow_handshake_is_cut_by_artim(hostile: HostilePeer, victim: GatewayProcess):
    request = associate_rq(ECHO)
    for at in range(len(request)):
        try:
            hostile.socket.sendall(request[at : at + 1])
        except OSError:
            break
        time.sleep(0.1)
        if _gone(hostile):
            break
    else:
        pytest.fail("a handshake at ten bytes a second was let through")


def test_u24_a_slow_data_set_is_aborted(hostile: HostilePeer):
    one = ct()
    hostile.established()
    hostile.ask_to_store(one)
    hostile.socket.settimeout(0.1)
    fragments = (p_data(1, one.data_set[n : n + 2], command=False, last=False) for n in range(0, 400, 2))
    answer = None
    for fragment in fragments:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            hostile.socket.sendall(fragment)
        with contextlib.suppress(TimeoutError):
            answer = hostile.pdu()
            break
    assert answer == (ABORT, bytes((0, 0, 2, 0)))


def _gone(peer: HostilePeer) -> bool:
    peer.socket.settimeout(0.001)
    try:
        return peer.socket.recv(100) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


def test_u26_an_association_in_silence_is_aborted(hostile: HostilePeer, victim: GatewayProcess):
    hostile.established()
    assert hostile.aborted() == (2, 0)
    eventually(lambda: _said(victim, "idle"), 3)


def _half_sent(hostile: HostilePeer):
    one = ct()
    hostile.established()
    hostile.ask_to_store(one)
    hostile.send(p_data(1, one.data_set[:300], command=False, last=False))
    return one


def test_u29_fin_in_the_middle_of_a_data_set_leaves_nothing(hostile: HostilePeer):
    _half_sent(hostile)
    hostile.socket.shutdown(1)
    assert hostile.closed()


def test_u29_reset_in_the_middle_of_a_data_set_leaves_nothing(hostile: HostilePeer):
    _half_sent(hostile)
    hostile.socket.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER 0: close sends RST
    hostile.socket.close()


def test_u29_release_in_the_middle_of_a_data_set_leaves_nothing(hostile: HostilePeer):
    _half_sent(hostile)
    hostile.send(release_rq())
    answer = hostile.pdu()
    assert answer is not None
    assert answer[0] in (6, ABORT)


def test_u29_what_was_kept_and_never_answered_is_0000h_when_sent_again(
    victim: GatewayProcess, hostile: HostilePeer, left: Left
):
    one = ct()
    hostile.established()
    hostile.ask_to_store(one)
    hostile.send(p_data(1, one.data_set, command=False, last=True))
    hostile.send(pdu(7, bytes(4)))
    hostile.socket.close()
    with HostilePeer(victim.dicom_port, hostile.cutting) as again:
        again.established()
        assert again.store(one).status == 0
    left.kept = 1

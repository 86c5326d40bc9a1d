"""U rows of storage commitment: requests that are none, or too much; peers that vanish; reports unasked."""

import contextlib
import struct

import pytest

from tests.adversity.conftest import Left
from tests.adversity.peer import HostilePeer
from tests.commitment_peer import Scu
from tests.foreign import store
from tests.gateway_process import GatewayProcess, eventually, free_port
from tests.instances import CT, IMPLICIT, new_uid, study_of
from tests.raw_peer import (
    COMMITMENT,
    COMMITMENT_INSTANCE,
    P_DATA,
    RawPeer,
    command_set,
    elements,
    n_action_rq,
    n_event_report_rq,
    p_data,
    us,
)

STATUS = 0x00000900
CONTEXT = (1, COMMITMENT, [IMPLICIT])
UNRECOGNISED, RESOURCE = 0x0211, 0x0213
LONG = 17 << 20


def element(tag: int, value: bytes) -> bytes:
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def listed(*pairs: tuple[str, str]) -> bytes:
    items = bytearray()
    for sop_class, instance in pairs:
        content = element(0x00081150, sop_class.encode()) + element(0x00081155, instance.encode())
        items += struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content
    return element(0x00081199, bytes(items))


def request(*pairs: tuple[str, str], transaction: str | None = None) -> bytes:
    return element(0x00081195, (transaction or new_uid()).encode()) + listed(*pairs)


def ask(peer: RawPeer, data_set: bytes, **command: str | int) -> int | None:
    """The status of the N-ACTION-RSP."""
    send(peer, data_set, **command)
    return us(peer.command(), STATUS)


def send(peer: RawPeer, data_set: bytes, *, last: bool = True, **command: str | int) -> None:
    rq = p_data(1, n_action_rq(7, **command), command=True, last=True)  # type: ignore[arg-type]
    pieces = [data_set[n : n + 65536] for n in range(0, len(data_set), 65536)] or [b""]
    ends = [last and n == len(pieces) - 1 for n in range(len(pieces))]
    data = [p_data(1, piece, command=False, last=end) for piece, end in zip(pieces, ends, strict=True)]
    peer.send(rq + b"".join(data))


def report_of(peer: RawPeer) -> tuple[dict[int, bytes], bytes]:
    """The next N-EVENT-REPORT-RQ and its information; it is answered 0000H."""
    command, data, ended = None, bytearray(), False
    while not ended:
        pdu = peer.pdu()
        assert pdu is not None
        assert pdu[0] == P_DATA, pdu[0]
        length, _, header = struct.unpack_from(">IBB", pdu[1])
        fragment = pdu[1][6 : 4 + length]
        if header & 1:
            command = elements(fragment)
        else:
            data += fragment
            ended = bool(header & 2)
    assert command is not None
    assert us(command, 0x00000100) == 0x0100
    answer = command_set(
        f0000_0002=COMMITMENT, f0000_0100=0x8100, f0000_0120=us(command, 0x00000110) or 0,
        f0000_0800=0x0101, f0000_0900=0, f0000_1000=COMMITMENT_INSTANCE,
    )  # fmt: skip
    peer.send(p_data(1, answer, command=True, last=True))
    return command, bytes(data)


def reasons(data: bytes) -> list[int]:
    """Failure Reasons, wherever they are."""
    needle, found, at = struct.pack("<HHI", 0x0008, 0x1197, 2), [], data.find(b"\x08\x00\x97\x11")
    while at >= 0:
        assert data[at : at + 8] == needle
        found.append(struct.unpack_from("<H", data, at + 8)[0])
        at = data.find(needle, at + 1)
    return found


@pytest.fixture(autouse=True, scope="module")
def short_parking(victim: GatewayProcess) -> None:
    victim.kuva("ae", "add", "RAWPEER", "--parking-seconds", "0", "--report-mode", "same")


@pytest.mark.parametrize(
    ("data_set", "status"),
    [
        (b"", 0x0115),
        (b"abc", 0x0115),
        (listed((CT, "1.2.3")), 0x0115),
        (request(), 0x0115),
        (request(("", "1.2.3")), 0x0115),
        (request((CT, "")), 0x0115),
        (request((CT, "1.2.3\\1.2.4")), 0x0115),
        (request((CT, "../../etc/passwd")), 0x0115),
        (request((CT, "1.2.3"))[:-3], 0x0115),
    ],
)
def test_u37_what_is_no_request_is_refused(hostile: HostilePeer, data_set: bytes, status: int):
    hostile.established(CONTEXT)
    assert ask(hostile, data_set) == status


def test_u37_another_class_instance_or_action_is_refused(hostile: HostilePeer):
    hostile.established(CONTEXT)
    good = request((CT, "1.2.3"))
    assert ask(hostile, good, instance="1.2.3") == 0x0112
    assert ask(hostile, good, action_type=2) == 0x0123
    assert ask(hostile, good, sop_class="1.2.840.10008.1.1") == 0x0118


def test_u37_duplicates_are_one_item_and_what_is_not_there_is_0112h(hostile: HostilePeer):
    hostile.established(CONTEXT)
    assert ask(hostile, request((CT, "1.2.3"), (CT, "1.2.3"), (CT, "1.2.4"))) == 0
    command, data = report_of(hostile)
    assert us(command, 0x00001002) == 2
    assert reasons(data) == [0x0112, 0x0112]


def test_u37_a_class_that_is_not_taken_is_0122h_and_another_list_0131h(hostile: HostilePeer):
    hostile.established(CONTEXT)
    transaction = new_uid()
    assert ask(hostile, request(("1.2.840.10008.1.1", "1.2.3"), transaction=transaction)) == 0
    assert reasons(report_of(hostile)[1]) == [0x0122]
    assert ask(hostile, request((CT, "1.2.9"), transaction=transaction)) == 0
    assert reasons(report_of(hostile)[1]) == [0x0131]


def test_u37_another_class_than_the_kept_one_is_0119h(
    hostile: HostilePeer, victim: GatewayProcess, left: Left, tmp_path
):
    [one] = study_of(1)
    store(victim, [one], tmp_path)
    left.kept = 1
    hostile.established(CONTEXT)

    def asked() -> list[int]:
        assert ask(hostile, request(("1.2.840.10008.5.1.4.1.1.4", one.sop_instance))) == 0
        return reasons(report_of(hostile)[1])

    eventually(lambda: asked() == [0x0119], 10, "0119H, once it has landed")


def test_u37_a_hundred_thousand_instances_are_answered_and_one_more_is_refused(victim: GatewayProcess):
    victim.kuva(
        "ae", "add", "BULK", "--vault", "north", "--parking-seconds", "0", "--idle-seconds", "120"
    )  # the list takes longer than others may be idle here
    with RawPeer(victim.dicom_port, timeout=120) as peer:
        assert peer.associate([CONTEXT], calling="BULK")[0] == 2
        many = [(CT, f"1.2.3.{n}") for n in range(100_000)]
        assert ask(peer, request(*many, (CT, "1.2.4"))) == RESOURCE
        assert ask(peer, request(*many)) == 0
        assert reasons(report_of(peer)[1]) == [0x0112] * 100_000


def test_u37_long_requests_stay_within_their_memory(victim: GatewayProcess):
    """Those that do not fit beside the others are refused; a short one is served all the time."""
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(RawPeer(victim.dicom_port, timeout=60)) for _ in range(6)]
        for peer in peers:
            assert peer.associate([CONTEXT])[0] == 2
            send(peer, bytes(LONG), last=False)
        with RawPeer(victim.dicom_port) as short:
            assert short.associate([CONTEXT])[0] == 2
            assert ask(short, request((CT, "1.2.3"))) == 0
        for peer in peers:
            peer.send(p_data(1, b"", command=False, last=True))
        answers = [us(peer.command(), STATUS) for peer in peers]
    assert set(answers) == {RESOURCE, 0x0115}, answers
    assert answers.count(RESOURCE) >= 3


def test_u38_a_peer_that_vanishes_is_told_at_its_recorded_address(victim: GatewayProcess):
    port = free_port()
    victim.kuva(
        "ae", "add", "VANISHED", "--vault", "north", "--parking-seconds", "0", "--report-host", "127.0.0.1",
        "--report-port", str(port),
    )  # fmt: skip
    caller = Scu(victim, "VANISHED")
    answers = [0x0110, 0x0000]
    caller.answer = lambda report: answers.pop(0)
    with RawPeer(victim.dicom_port) as peer:
        assert peer.associate([CONTEXT], calling="VANISHED")[0] == 2
        assert ask(peer, request((CT, "1.2.3"))) == 0
    with caller.listening(port):
        assert [caller.report(60).failed for _ in range(2)] == [{"1.2.3": 0x0112}] * 2


def test_u39_reports_and_other_normalised_services_are_not_served(hostile: HostilePeer):
    hostile.established(CONTEXT)
    hostile.send(p_data(1, n_event_report_rq(1), command=True, last=True))
    assert us(hostile.command(), STATUS) == UNRECOGNISED
    for field in (0x0110, 0x0120, 0x0140, 0x0150):  # N-GET, N-SET, N-CREATE, N-DELETE
        names = {"f0000_0002": COMMITMENT} if field == 0x0140 else {"f0000_0003": COMMITMENT}
        probe = command_set(**names, f0000_0100=field, f0000_0110=field, f0000_0800=0x0101)
        hostile.send(p_data(1, probe, command=True, last=True))
        assert us(hostile.command(), STATUS) == UNRECOGNISED


def test_u40_what_is_only_in_the_journal_is_never_committed(
    hostile: HostilePeer, victim: GatewayProcess, left: Left, tmp_path
):
    [one] = study_of(1)
    store(victim, [one], tmp_path)
    left.kept = 1
    hostile.established(CONTEXT)
    assert ask(hostile, request((CT, one.sop_instance))) == 0
    command, data = report_of(hostile)
    assert us(command, 0x00001002) == 2
    assert set(reasons(data)) <= {0x0213, 0x0112}

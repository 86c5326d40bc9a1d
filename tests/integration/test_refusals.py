"""Every refusal that the gateway itself makes, provoked on a real one; its log and its metrics say so once.

Those that the core makes are provoked in `rust_core/tests/refusals`; together they are the catalogue.
"""

import contextlib
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.model.refusal import Family, RejectAnswer
from gateway.wire.dicom.refusals import CATALOGUE, comment_of
from tests.adversity.test_retrieve import ask, fetch, messages
from tests.foreign import identifier
from tests.gateway_process import SHORT_TIMERS, GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, IMPLICIT, Instance, encode, study_of
from tests.raw_peer import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    COMMITMENT,
    STUDY_ROOT_GET,
    VERIFICATION,
    RawPeer,
    associate_rq,
    c_echo_rq,
    c_get_rq,
    c_store_rq,
    command_set,
    n_action_rq,
    n_event_report_rq,
    p_data,
    release_rq,
    us,
)

ROOT = Path(__file__).resolve().parents[2]
ECHO = [(1, VERIFICATION, [IMPLICIT])]
STORE = [(1, CT, [EXPLICIT])]
GET = [(1, STUDY_ROOT_GET, [IMPLICIT]), (3, CT, [EXPLICIT])]
STATUS, COMMENT, OFFENDING = 0x00000900, 0x00000902, 0x00000901
FAULTS = "tests/unit/listeners/test_refusals.py"
REAL = "tests/integration/test_refusal_faults.py"

NEEDS_A_FAULT = {
    "congestion": f"{REAL}::test_congestion_and_retrieve_catalogue_unreachable_while_postgresql_is_away",
    "retrieve-catalogue-unreachable": (
        f"{REAL}::test_congestion_and_retrieve_catalogue_unreachable_while_postgresql_is_away"
    ),
    "sub-operation-elsewhere": (
        f"{REAL}::test_sub_operation_elsewhere_where_another_node_of_the_same_catalogue_has_it"
    ),
    "sub-operation-unreadable": (
        f"{REAL}::test_sub_operation_unreadable_where_the_disk_turned_a_bit_of_a_short_instance"
    ),
    "instance-damaged": f"{REAL}::test_instance_damaged_where_part_of_a_long_one_is_out_already",
    "sub-operation-unanswered": (
        f"{REAL}::test_sub_operation_unanswered_by_a_peer_that_takes_it_and_says_nothing"
    ),
    # Only a defect of our own makes these: no peer and no disk can.
    "commitment-not-recorded": f"{FAULTS}::test_commitment_not_recorded",
    "commitment-memory": "tests/adversity/test_commitment.py::test_u37_long_requests_stay_within_their_memory",
    "gateway-failed": f"{FAULTS}::test_gateway_failed_and_defect",
    "defect": f"{FAULTS}::test_gateway_failed_and_defect",
    "peer-takes-nothing": "tests/integration/test_admission.py::test_u28_a_peer_that_reads_nothing_is_cut",
    "shutting-down": "tests/integration/test_refusals.py::test_shutting_down_is_told_to_who_is_still_there",
}
"""What only a fault provokes, or the end of the gateway, and the test that has it."""


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A configured gateway with short timers and small limits."""
    config = SHORT_TIMERS + "associations_per_ae_max = 2\n"
    started = GatewayProcess(tmp_path_factory.mktemp("refusals"), config=config).start()
    started.kuva("ae", "add", "RAWPEER", "--vault", "north")
    started.kuva("ae", "add", "LIMITED", "--vault", "north")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def study(strict: GatewayProcess) -> list[Instance]:
    """Two instances that can be fetched."""
    made = study_of(2)
    with RawPeer(strict.dicom_port) as peer:
        assert peer.associate(STORE)[0] == ASSOCIATE_AC
        for one in made:
            peer.send(p_data(1, c_store_rq(1, CT, one.sop_instance), command=True, last=True))
            peer.send(p_data(1, one.data_set, command=False, last=True))
            assert us(peer.command(), STATUS) == 0

    def found() -> bool:
        with RawPeer(strict.dicom_port) as peer:
            ask(peer, made)
            return us(fetch(peer, [0, 0]), 0x00001021) == 2

    eventually(found, 10, "the study being findable")
    return made


# --- what provokes each -------------------------------------------------------------------------


def rejected(request: bytes) -> Callable[[RawPeer, list[Instance]], None]:
    def provoke(peer: RawPeer, _: list[Instance]) -> None:
        peer.send(request)
        answer = peer.pdu()
        assert answer is not None
        assert answer[0] == ASSOCIATE_RJ

    return provoke


def crowded(peer: RawPeer, _: list[Instance]) -> None:
    with contextlib.ExitStack() as stack:
        for _n in range(2):
            other = stack.enter_context(RawPeer(peer.socket.getpeername()[1]))
            assert other.associate(ECHO, calling="LIMITED")[0] == ASSOCIATE_AC
        answer = peer.associate(ECHO, calling="LIMITED")
        assert answer == (ASSOCIATE_RJ, b"\0\2\3\2")


def unrecognised(peer: RawPeer, _: list[Instance]) -> None:
    assert peer.associate(ECHO)[0] == ASSOCIATE_AC
    find = command_set(f0000_0002=VERIFICATION, f0000_0100=0x20, f0000_0110=7, f0000_0800=0x0101)
    peer.send(p_data(1, find, command=True, last=True))
    answered(peer, "operation-unrecognised")


def asked(code: str, data_set: bytes, *, syntax: str = IMPLICIT) -> Callable[[RawPeer, list[Instance]], None]:
    def provoke(peer: RawPeer, _: list[Instance]) -> None:
        assert peer.associate([(1, STUDY_ROOT_GET, [syntax])])[0] == ASSOCIATE_AC
        peer.send(p_data(1, c_get_rq(1), command=True, last=True))
        pieces = [data_set[n : n + 65536] for n in range(0, len(data_set), 65536)]
        for n, piece in enumerate(pieces):
            peer.send(p_data(1, piece, command=False, last=n == len(pieces) - 1))
        answered(peer, code)

    return provoke


def answered(peer: RawPeer, code: str) -> None:
    """Status, and the comment that the catalogue makes of what was offending."""
    command = peer.command()
    assert us(command, STATUS) == CATALOGUE[code].status
    tag = None
    if OFFENDING in command:
        group, element = struct.unpack("<HH", command[OFFENDING])
        tag = group << 16 | element
    said = re.sub(r" at byte \d+$", "", command[COMMENT].decode().rstrip(" "))
    assert said == comment_of(CATALOGUE[code], offending=tag)


def element(tag: int, text: str) -> bytes:
    value = text.encode() + b"\0" * (len(text) % 2)
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def keys(level: str, **uids: str) -> bytes:
    return encode(identifier(level, **uids), IMPLICIT)


LEVEL, STUDY = 0x00080052, 0x0020000D
MANY = "\\".join(["1.2"] * 10_001)


def without_role(peer: RawPeer, study: list[Instance]) -> None:
    ask(peer, study, roles=())
    response = fetch(peer, [])
    assert us(response, STATUS) == 0xA702
    assert response[COMMENT].decode().strip() == "2 failed: no context to send it on"


def half_refused(peer: RawPeer, study: list[Instance]) -> None:
    ask(peer, study)
    response = fetch(peer, [0, 0xA700])
    assert us(response, STATUS) == 0xB000
    assert response[COMMENT].decode().strip() == "1 failed: your C-STORE SCP answered a failure"


def silent(peer: RawPeer, _: list[Instance]) -> None:
    assert peer.closed()


def silent_after_association(peer: RawPeer, _: list[Instance]) -> None:
    assert peer.associate(ECHO)[0] == ASSOCIATE_AC
    aborted(peer)


def half_a_message(peer: RawPeer, study: list[Instance]) -> None:
    assert peer.associate(STORE)[0] == ASSOCIATE_AC
    peer.send(p_data(1, c_store_rq(1, CT, study[0].sop_instance), command=True, last=True))
    peer.send(p_data(1, study[0].data_set[:100], command=False, last=False))
    aborted(peer)


def aborted(peer: RawPeer) -> None:
    answer = peer.pdu()
    while answer is not None and answer[0] == 4:
        answer = peer.pdu()
    assert answer is not None
    assert answer[0] == ABORT


def many_sockets(peer: RawPeer, _: list[Instance]) -> None:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(RawPeer(peer.socket.getpeername()[1])) for _n in range(70)]
        assert sockets[-1].closed()


def released_early(peer: RawPeer, study: list[Instance]) -> None:
    ask(peer, study)
    next(messages(peer))
    peer.send(release_rq())
    aborted(peer)


def answered_unasked(peer: RawPeer, _: list[Instance]) -> None:
    assert peer.associate(ECHO)[0] == ASSOCIATE_AC
    response = command_set(f0000_0002=CT, f0000_0100=0x8001, f0000_0120=9, f0000_0800=0x0101, f0000_0900=0)
    peer.send(p_data(1, response, command=True, last=True))
    aborted(peer)


def asked_beyond(peer: RawPeer, study: list[Instance]) -> None:
    contexts = [*GET, (5, VERIFICATION, [IMPLICIT])]
    assert peer.associate(contexts, roles=[CT])[0] == ASSOCIATE_AC
    peer.send(p_data(1, c_get_rq(1), command=True, last=True))
    peer.send(p_data(1, keys("STUDY", StudyInstanceUID=study[0].study), command=False, last=True))
    next(messages(peer))
    for number in range(20):
        peer.send(p_data(5, c_echo_rq(10 + number), command=True, last=True))
    aborted(peer)


TRANSACTION = 0x00081195


def listed(*pairs: tuple[str, str]) -> bytes:
    """A Referenced SOP Sequence."""
    items = bytearray()
    for sop_class, instance in pairs:
        content = element(0x00081150, sop_class) + element(0x00081155, instance)
        items += struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content
    return struct.pack("<HHI", 0x0008, 0x1199, len(items)) + bytes(items)


def acted(
    code: str, data_set: bytes = b"", **command: str | int
) -> Callable[[RawPeer, list[Instance]], None]:
    def provoke(peer: RawPeer, _: list[Instance]) -> None:
        assert peer.associate([(1, COMMITMENT, [IMPLICIT])])[0] == ASSOCIATE_AC
        announced = {} if data_set else {"data_set_type": 0x0101}
        peer.send(p_data(1, n_action_rq(1, **command, **announced), command=True, last=True))
        pieces = [data_set[n : n + 65536] for n in range(0, len(data_set), 65536)]
        for n, piece in enumerate(pieces):
            peer.send(p_data(1, piece, command=False, last=n == len(pieces) - 1))
        answered(peer, code)

    return provoke


def reported(peer: RawPeer, _: list[Instance]) -> None:
    assert peer.associate([(1, COMMITMENT, [IMPLICIT])])[0] == ASSOCIATE_AC
    peer.send(p_data(1, n_event_report_rq(1), command=True, last=True))
    answered(peer, "event-report-unasked")


PROVOCATIONS: dict[str, Callable[[RawPeer, list[Instance]], None]] = {
    "operation-unrecognised": unrecognised,
    "protocol-version": rejected(associate_rq(ECHO)[:6] + b"\0\2" + associate_rq(ECHO)[8:]),
    "application-context": rejected(
        associate_rq(ECHO).replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.2")
    ),
    "called-ae-title": rejected(associate_rq(ECHO, called="NOBODY")),
    "calling-ae-title": rejected(associate_rq(ECHO, calling="STRANGER")),
    "pdu-length-max": rejected(associate_rq(ECHO).replace(b"\x51\0\0\4\0\0\0\0", b"\x51\0\0\4\0\0\0\x10")),
    "local-limit": crowded,
    "identifier-unreadable": asked("identifier-unreadable", b"abc"),
    "identifier-order": asked("identifier-order", element(STUDY, "1.2") + element(LEVEL, "STUDY")),
    "identifier-length": asked("identifier-length", element(LEVEL, "STUDY")[:-2]),
    "identifier-group": asked("identifier-group", element(0x00020010, "1.2")),
    "identifier-vr": asked("identifier-vr", element(LEVEL, "STUDY"), syntax=EXPLICIT),
    "identifier-level": asked("identifier-level", element(LEVEL, "PATIENT")),
    "identifier-key-missing": asked("identifier-key-missing", keys("SERIES", SeriesInstanceUID="1.2")),
    "identifier-list": asked("identifier-list", element(LEVEL, "SERIES") + element(STUDY, "1.2\\1.3")),
    "identifier-too-many": asked("identifier-too-many", element(LEVEL, "STUDY") + element(STUDY, MANY)),
    "identifier-uid": asked("identifier-uid", element(LEVEL, "STUDY") + element(STUDY, "1.2.x")),
    "commitment-class": acted("commitment-class", sop_class=VERIFICATION),
    "commitment-instance": acted("commitment-instance", instance="1.2.3"),
    "commitment-action-type": acted("commitment-action-type", action_type=2),
    "commitment-unreadable": acted("commitment-unreadable", b"abc"),
    "commitment-transaction-missing": acted("commitment-transaction-missing", listed(("1.2", "1.3"))),
    "commitment-uid": acted("commitment-uid", element(TRANSACTION, "1.2.x") + listed(("1.2", "1.3"))),
    "commitment-list-empty": acted("commitment-list-empty", element(TRANSACTION, "1.2") + listed()),
    "commitment-list": acted("commitment-list", element(TRANSACTION, "1.2") + listed(("", "1.3"))),
    "commitment-too-many": acted(
        "commitment-too-many", element(TRANSACTION, "1.2") + listed(*[("1.2", "1.3")] * 100_001)
    ),
    "commitment-too-long": acted("commitment-too-long", bytes(21 << 20)),
    "event-report-unasked": reported,
    "retrieve-none-sent": without_role,
    "sub-operation-no-context": without_role,
    "retrieve-some-failed": half_refused,
    "sub-operation-refused": half_refused,
    "artim-expired": silent,
    "sockets-without-association": many_sockets,
    "idle": silent_after_association,
    "no-progress": half_a_message,
    "release-in-operation": released_early,
    "response-to-nothing": answered_unasked,
    "requests-beyond-window": asked_beyond,
}
NOT_A_LINE = {"sub-operation-no-context", "sub-operation-refused", "sockets-without-association"}
"""Reasons within a line of another code, and one of which a flood is told once a second."""


# --- the tests ----------------------------------------------------------------------------------


def counted(gateway: GatewayProcess) -> dict[str, int]:
    found = re.findall(
        r'^kuva_refusals_total\{code="([^"]+)"\} (\S+)$', gateway.get("/metrics")[1], re.MULTILINE
    )
    return {code: int(float(count)) for code, count in found}


def told(gateway: GatewayProcess) -> Counter[str]:
    return Counter(event["code"] for event in gateway.events() if "code" in event)


@pytest.mark.parametrize("code", PROVOCATIONS)
def test_each_is_answered_told_once_and_counted(strict: GatewayProcess, study: list[Instance], code: str):
    before, lines = counted(strict), told(strict)
    with RawPeer(strict.dicom_port) as peer:
        PROVOCATIONS[code](peer, study)
    eventually(lambda: counted(strict)[code] > before[code], 10, f"{code} being counted")
    if code in NOT_A_LINE:
        return
    eventually(lambda: (told(strict) - lines)[code], 5, f"{code} being told")
    assert (told(strict) - lines)[code] == counted(strict)[code] - before[code] == 1
    line = [event for event in strict.events() if event.get("code") == code][-1]
    assert {"association", "address", "calling", "turn", "value_class", "rule", "mend"} <= set(line)
    assert line["turn"] == CATALOGUE[code].turn.value


def test_what_the_core_refuses_is_told_with_its_peer_and_its_byte(strict: GatewayProcess):
    one, before = study_of(1)[0], counted(strict)
    with RawPeer(strict.dicom_port) as peer:
        assert peer.associate(STORE)[0] == ASSOCIATE_AC
        peer.send(p_data(1, c_store_rq(1, CT, one.sop_instance), command=True, last=True))
        peer.send(p_data(1, one.data_set[:-2], command=False, last=True))
        said = peer.command()
    cut = len(one.data_set) - 2
    assert said[COMMENT].decode().strip() == f"PixelData (7FE0,0010): data set truncated at byte {cut}"
    eventually(lambda: told(strict)["data-set-truncated"], 5)
    line = [event for event in strict.events() if event.get("code") == "data-set-truncated"][-1]
    assert (line["byte"], line["attribute"], line["turn"]) == (cut, "PixelData (7FE0,0010)", "sender")
    assert line["address"].startswith("127.0.0.1:")
    assert line["calling"] == "RAWPEER"
    assert counted(strict)["data-set-truncated"] - before["data-set-truncated"] == 1


def test_the_metric_has_every_code_and_no_other(strict: GatewayProcess):
    assert set(counted(strict)) == set(CATALOGUE)


def test_shutting_down_is_told_to_who_is_still_there(tmp_path: Path):
    gateway = GatewayProcess(tmp_path).start()
    with RawPeer(gateway.dicom_port) as peer:
        assert peer.associate(ECHO)[0] == ASSOCIATE_AC
        gateway.terminate()
        aborted(peer)
    gateway.wait()
    assert told(gateway)["shutting-down"] == 1


def test_every_refusal_of_the_gateway_is_provoked_or_names_the_test_of_its_fault():
    gateways = {Family.SERVICE, Family.REJECTION, Family.ENDING}
    ours = {code for code, refusal in CATALOGUE.items() if refusal.family in gateways}
    ours.add("operation-unrecognised")
    assert set(PROVOCATIONS) | set(NEEDS_A_FAULT) == ours
    assert not set(PROVOCATIONS) & set(NEEDS_A_FAULT)
    for place in NEEDS_A_FAULT.values():
        path, _, name = place.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text("utf-8"), place


def test_rejections_are_answered_by_the_numbers_of_the_catalogue():
    for refusal in CATALOGUE.values():
        assert (refusal.family is Family.REJECTION) == isinstance(refusal.answer, RejectAnswer)

"""U rows of C-GET: peers that answer wrongly, or not at all, to what they asked for."""

import struct
from collections.abc import Iterator

import pytest

from tests.adversity.conftest import Left
from tests.adversity.peer import HostilePeer
from tests.foreign import identifier
from tests.gateway_process import GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, IMPLICIT, Instance, encode, study_of
from tests.raw_peer import (
    ABORT,
    ASSOCIATE_AC,
    P_DATA,
    STUDY_ROOT_GET,
    RawPeer,
    c_get_rq,
    command_set,
    elements,
    p_data,
    us,
)

STATUS, COMMAND_FIELD, MESSAGE_ID = 0x00000900, 0x00000100, 0x00000110
COMPLETED, FAILED, WARNING = 0x00001021, 0x00001022, 0x00001023
C_STORE_RQ, C_GET_RSP = 0x0001, 0x8010
SUCCESS, NO_SUB_OPERATION, SOME_FAILED = 0x0000, 0xA702, 0xB000


@pytest.fixture(scope="module")
def study(victim: GatewayProcess) -> list[Instance]:
    """Three instances that can be fetched."""
    made = study_of(3)
    with RawPeer(victim.dicom_port) as peer:
        assert peer.associate([(1, CT, [EXPLICIT])])[0] == ASSOCIATE_AC
        for one in made:
            peer.send(_store_rq(one) + p_data(1, one.data_set, command=False, last=True))
            assert us(peer.command(), STATUS) == 0
    return made


def _store_rq(one: Instance) -> bytes:
    from tests.raw_peer import c_store_rq

    return p_data(1, c_store_rq(1, CT, one.sop_instance), command=True, last=True)


def ask(peer: RawPeer, study: list[Instance], *, roles: tuple[str, ...] = (CT,)) -> None:
    """Associates, and sends the C-GET-RQ for the study."""
    contexts = [(1, STUDY_ROOT_GET, [IMPLICIT]), (3, CT, [EXPLICIT])]
    assert peer.associate(contexts, roles=roles)[0] == ASSOCIATE_AC
    wanted = encode(identifier("STUDY", StudyInstanceUID=study[0].study), IMPLICIT)
    peer.send(p_data(1, c_get_rq(1), command=True, last=True))
    peer.send(p_data(1, wanted, command=False, last=True))


def messages(peer: RawPeer) -> Iterator[tuple[dict[int, bytes], bytes]]:
    """What the gateway says: (command set, data set)."""
    command: dict[int, bytes] | None = None
    data = b""
    while True:
        pdu = peer.pdu()
        assert pdu is not None, "closed"
        assert pdu[0] == P_DATA, f"PDU type {pdu[0]}"
        for control, fragment in _values(pdu[1]):
            data += fragment
            if control & 3 == 3:
                command, data = elements(data), b""
                if us(command, 0x00000800) == 0x0101:
                    yield command, b""
            elif control & 2 and command is not None:
                yield command, data
                data = b""


def _values(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(body):
        length, _, control = struct.unpack_from(">IBB", body, at)
        yield control, body[at + 6 : at + 4 + length]
        at += 4 + length


def fetch(peer: RawPeer, statuses: list[int]) -> dict[int, bytes]:
    """Answers each sub-operation with the next of `statuses`; the final C-GET-RSP."""
    for command, _ in messages(peer):
        if us(command, COMMAND_FIELD) == C_STORE_RQ:
            peer.send(p_data(3, _answer(command, statuses.pop(0)), command=True, last=True))
        elif us(command, COMMAND_FIELD) == C_GET_RSP and us(command, STATUS) != 0xFF00:
            return command
    raise AssertionError("no final response")


def _answer(command: dict[int, bytes], status: int) -> bytes:
    message_id = us(command, MESSAGE_ID)
    assert message_id is not None
    return command_set(
        f0000_0002=CT, f0000_0100=0x8001, f0000_0120=message_id, f0000_0800=0x0101, f0000_0900=status
    )


@pytest.fixture(autouse=True)
def findable(study: list[Instance], victim: GatewayProcess, left: Left, unharmed: None) -> None:
    """The study is in the catalogue before anybody asks."""

    def found() -> bool:
        with RawPeer(victim.dicom_port) as peer:
            ask(peer, study)
            return us(fetch(peer, [0] * 3), COMPLETED) == 3

    eventually(found, 10, "the study being findable")


@pytest.mark.parametrize(
    ("statuses", "final", "counts"),
    [
        ([0, 0, 0], SUCCESS, (3, 0, 0)),
        ([0xA700, 0, 0], SOME_FAILED, (2, 1, 0)),
        ([0xB000, 0xB007, 0], SOME_FAILED, (1, 0, 2)),
        ([0xC001, 0x0110, 0xA900], NO_SUB_OPERATION, (0, 3, 0)),
        ([0xC001, 0xB000, 0], SOME_FAILED, (1, 1, 1)),
    ],
    ids=["success", "failure", "warnings", "all-fail", "one-of-each"],
)
def test_u35_answers_to_sub_operations_are_counted_as_they_were_given(
    hostile: HostilePeer, study: list[Instance], statuses: list[int], final: int, counts: tuple[int, int, int]
):
    ask(hostile, study)
    response = fetch(hostile, list(statuses))
    assert us(response, STATUS) == final
    assert tuple(us(response, tag) for tag in (COMPLETED, FAILED, WARNING)) == counts


def test_u35_an_answer_to_another_message_is_aborted(hostile: HostilePeer, study: list[Instance]):
    ask(hostile, study)
    command, _ = next(messages(hostile))
    stranger = {**command, MESSAGE_ID: struct.pack("<H", 4711)}
    hostile.send(p_data(3, _answer(stranger, 0), command=True, last=True))
    answer = hostile.pdu()
    assert answer is not None
    assert answer[0] == ABORT


def _faulty(**changed: int) -> bytes:
    """A C-STORE-RSP that is malformed, or answers nothing, and what its data set would be."""
    fields = {"f0000_0002": CT, "f0000_0100": 0x8001, "f0000_0120": 1, "f0000_0800": 0x0101, "f0000_0900": 0}
    kept = {name: value for name, value in (fields | changed).items() if value != -1}
    data_set = (
        b"" if kept["f0000_0800"] == 0x0101 else p_data(3, b"\x08\0\x18\0\0\0\0\0", command=False, last=True)
    )
    return p_data(3, command_set(**kept), command=True, last=True) + data_set


@pytest.mark.parametrize("asked", [True, False], ids=["in-a-c-get", "out-of-nowhere"])
@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"f0000_0800": 1}, "response-malformed"),
        ({"f0000_0900": -1}, "response-malformed"),
        ({"f0000_0120": 4711}, "response-to-nothing"),
        ({"f0000_0100": 0x8020, "f0000_0800": 1}, "response-to-nothing"),
    ],
    ids=["announces-a-data-set", "without-status", "to-nothing", "to-nothing-with-a-data-set"],
)
def test_u40_a_response_that_is_malformed_or_answers_nothing_is_aborted_never_answered(
    hostile: HostilePeer, victim: GatewayProcess, study: list[Instance], asked: bool,
    changed: dict[str, int], code: str,
):  # fmt: skip
    if asked:
        ask(hostile, study)
        next(messages(hostile))
    else:
        assert hostile.associate([(3, CT, [EXPLICIT])])[0] == ASSOCIATE_AC
    before = [event.get("code") for event in victim.events()].count(code)
    hostile.send(_faulty(**changed))
    answer = hostile.pdu()
    assert answer is not None
    assert answer[0] == ABORT, "never a response"
    eventually(lambda: [event.get("code") for event in victim.events()].count(code) == before + 1)


def test_u36_without_the_scp_role_no_sub_operation_is_performed(hostile: HostilePeer, study: list[Instance]):
    ask(hostile, study, roles=())
    response = fetch(hostile, [])
    assert us(response, STATUS) == NO_SUB_OPERATION
    assert us(response, FAILED) == 3


@pytest.mark.parametrize("garbage", [b"", b"\x08", bytes(100), b"\xff" * 64, b"A" * (1 << 20)])
def test_u30_an_identifier_that_is_none_is_refused(hostile: HostilePeer, garbage: bytes):
    contexts = [(1, STUDY_ROOT_GET, [IMPLICIT]), (3, CT, [EXPLICIT])]
    assert hostile.associate(contexts, roles=[CT])[0] == ASSOCIATE_AC
    hostile.send(p_data(1, c_get_rq(1), command=True, last=True))
    pieces = [garbage[n : n + 65536] for n in range(0, len(garbage), 65536)] or [b""]
    for n, piece in enumerate(pieces):
        hostile.send(p_data(1, piece, command=False, last=n == len(pieces) - 1))
    assert us(hostile.command(), STATUS) == 0xA900

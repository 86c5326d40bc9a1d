"""Who may associate, how many at once, and for how long in silence."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.foreign import get, identifier, store
from tests.gateway_process import SHORT_TIMERS, CommandFailedError, GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, IMPLICIT, ct, encode
from tests.raw_peer import (
    ABORT,
    ASSOCIATE_AC,
    ASSOCIATE_RJ,
    RELEASE_RP,
    STUDY_ROOT_GET,
    VERIFICATION,
    RawPeer,
    associate_rq,
    c_echo_rq,
    c_get_rq,
    c_store_rq,
    p_data,
    pdu,
    release_rq,
    us,
)

pytestmark = pytest.mark.filterwarnings("ignore")

ECHO = [(1, VERIFICATION, ["1.2.840.10008.1.2"])]


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A configured gateway with short timers and small limits."""
    config = SHORT_TIMERS + "associations_max = 6\nassociations_per_ae_max = 3\n"
    started = GatewayProcess(tmp_path_factory.mktemp("strict"), config=config).start()
    for calling in ("RAWPEER", "SECOND"):
        started.kuva("ae", "add", calling, "--vault", "north")
    yield started
    started.stop()


def rejection(gateway: GatewayProcess, *, called: str = "KUVA", calling: str = "RAWPEER") -> bytes:
    with RawPeer(gateway.dicom_port) as peer:
        kind, body = peer.associate(ECHO, called=called, calling=calling)
        assert kind == ASSOCIATE_RJ
        return body[1:]


def test_an_unknown_caller_is_1_1_3(strict: GatewayProcess):
    assert rejection(strict, calling="STRANGER") == bytes((1, 1, 3))


def test_an_unknown_called_title_is_1_1_7(strict: GatewayProcess):
    assert rejection(strict, called="NOBODY") == bytes((1, 1, 7))


def test_without_a_configuration_any_caller_on_loopback_may_associate(gateway: GatewayProcess):
    with RawPeer(gateway.dicom_port) as peer:
        assert peer.associate(ECHO, calling="ANYBODY")[0] == ASSOCIATE_AC
    assert rejection(gateway, called="NOBODY") == bytes((1, 1, 7))


def test_a_foreign_application_context_and_version_are_rejected(gateway: GatewayProcess):
    whole = associate_rq(ECHO)
    for changed, expected in (
        (whole.replace(b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.2"), bytes((1, 1, 2))),
        (whole[:6] + b"\x00\x02" + whole[8:], bytes((1, 2, 2))),
    ):
        with RawPeer(gateway.dicom_port) as peer:
            peer.send(changed)
            answer = peer.pdu()
            assert answer is not None
            assert answer == (ASSOCIATE_RJ, b"\0" + expected)


def test_ae_add_takes_effect_at_the_next_association(strict: GatewayProcess):
    assert rejection(strict, calling="LATER") == bytes((1, 1, 3))
    strict.kuva("ae", "add", "LATER", "--vault", "north")
    with RawPeer(strict.dicom_port) as peer:
        assert peer.associate(ECHO, calling="LATER")[0] == ASSOCIATE_AC
    titles = {grant["caller"]["title"] for grant in strict.kuva("ae", "list")["grants"]}
    assert {"RAWPEER", "SECOND", "LATER"} <= titles


def test_a_second_ae_add_keeps_what_is_recorded_and_says_what_it_changes(strict: GatewayProcess):
    words = ("ae", "add", "AGAIN", "--vault", "north", "--preset", "migration", "--rule", "tag-order=refuse")
    first = strict.kuva(*words)
    assert (first["new"], first["vault_name"], first["changes"]) == (True, "north", [])
    same = strict.kuva("ae", "add", "AGAIN")
    assert (same["new"], same["changes"], same["caller"]) == (False, [], first["caller"])
    changed = strict.kuva("ae", "add", "AGAIN", "--idle-seconds", "9")
    assert changed["changes"] == [{"name": "idle_seconds", "before": None, "after": 9.0}]
    assert changed["caller"]["rule_preset"] == "migration"
    said = strict.kuva("ae", "add", "AGAIN", "--reset", "preset", plain=True)
    assert "preset: migration -> (default)" in said


def test_a_second_vault_and_what_does_not_exist_are_refused_plainly(strict: GatewayProcess):
    strict.kuva("ae", "add", "ONLY", "--vault", "north")
    for words, code, complaint in (
        (("--vault", "elsewhere"), 1, "ONLY already stores into vault north"),
        (("--called", "OTTER"), 2, "did you mean OTHER?"),
        (("--rule", "tag-ordre=flag"), 2, "did you mean tag-order?"),
        (("--rule", "uid-invalid=flag"), 2, "always refuses"),
        (("--prefer", "ExplicitVRLittleEndan"), 2, "did you mean ExplicitVRLittleEndian?"),
        (("--called", "OTHER"), 2, "say which vault"),
    ):
        with pytest.raises(CommandFailedError) as error:
            strict.kuva("ae", "add", "ONLY", *words)
        assert error.value.code == code, words
        assert complaint in error.value.complaint
    assert "elsewhere" not in {vault["name"] for vault in strict.kuva("ae", "list")["vaults"]}


def test_ae_end_takes_effect_at_the_next_association_and_is_kept_for_history(strict: GatewayProcess):
    strict.kuva("ae", "add", "LEAVER", "--vault", "[/red]", "--idle-seconds", "60")
    with RawPeer(strict.dicom_port) as peer:
        assert peer.associate(ECHO, calling="LEAVER")[0] == ASSOCIATE_AC
        (ended,) = strict.kuva("ae", "end", "LEAVER")["ended"]
        assert ended["valid_until"]
        peer.send(p_data(1, c_echo_rq(1), command=True, last=True))
        assert us(peer.command(), 0x00000900) == 0
    assert rejection(strict, calling="LEAVER") == bytes((1, 1, 3))
    listed = lambda *words: strict.kuva("ae", "list", *words, plain=True)  # noqa: E731
    assert "LEAVER" not in listed()
    assert "LEAVER" in listed("--all")
    assert "[/red]" in listed("--all")
    with pytest.raises(CommandFailedError, match="LEAVER has no grant that is in force"):
        strict.kuva("ae", "end", "LEAVER")


def test_what_peers_write_is_shown_and_not_obeyed(strict: GatewayProcess, tmp_path: Path):
    assert store(strict, [ct(name="[/red]^\x1b[31mA")], tmp_path, calling="SECOND")[0].Status == 0
    said = eventually(
        lambda: [line for line in strict.kuva("study", "list", plain=True).splitlines() if "[/red]" in line]
    )
    assert "\x1b" not in said[0]


def test_not_yours_and_not_there_look_the_same(strict: GatewayProcess, tmp_path: Path):
    strict.kuva("ae", "add", "SOUTH", "--vault", "south")
    one = ct()
    assert store(strict, [one], tmp_path, calling="RAWPEER")[0].Status == 0
    wanted = identifier("STUDY", StudyInstanceUID=one.study)
    eventually(lambda: get(strict, wanted, [(CT, EXPLICIT)], calling="RAWPEER")[1], 5)
    theirs = get(strict, wanted, [(CT, EXPLICIT)], calling="SOUTH")[0]
    nobodys = get(strict, identifier("STUDY", StudyInstanceUID="1.2.3"), [(CT, EXPLICIT)], calling="SOUTH")[0]
    assert theirs[-1][0].Status == nobodys[-1][0].Status == 0
    assert theirs[-1][0].NumberOfCompletedSuboperations == nobodys[-1][0].NumberOfCompletedSuboperations == 0


def test_a_caller_beyond_its_limit_is_2_3_2_and_others_are_not(strict: GatewayProcess):
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            peer = stack.enter_context(RawPeer(strict.dicom_port))
            assert peer.associate(ECHO)[0] == ASSOCIATE_AC
        assert rejection(strict) == bytes((2, 3, 2))
        other = stack.enter_context(RawPeer(strict.dicom_port))
        assert other.associate(ECHO, calling="SECOND")[0] == ASSOCIATE_AC


def test_u25_idle_sockets_do_not_crowd_out_associations(gateway: GatewayProcess):
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(RawPeer(gateway.dicom_port)) for _ in range(60)]
        peer = stack.enter_context(RawPeer(gateway.dicom_port))
        assert peer.associate(ECHO)[0] == ASSOCIATE_AC
        assert len(idle) == 60


def test_a_socket_that_says_nothing_is_closed_by_artim(strict: GatewayProcess):
    with RawPeer(strict.dicom_port, timeout=5) as peer:
        began = time.monotonic()
        assert peer.closed()
        assert 0.8 < time.monotonic() - began < 3


def test_http_on_the_dicom_port_is_cut_at_once(gateway: GatewayProcess):
    with RawPeer(gateway.dicom_port, timeout=5) as peer:
        began = time.monotonic()
        peer.send(b"GET / HTTP/1.1\r\n\r\n")
        answer = peer.pdu()
        assert answer is None or answer[0] == ABORT
        assert time.monotonic() - began < 2


def test_an_idle_association_is_aborted_and_a_longer_leave_is_per_caller(strict: GatewayProcess):
    strict.kuva("ae", "add", "PATIENT", "--vault", "north", "--idle-seconds", "60")
    with RawPeer(strict.dicom_port) as patient, RawPeer(strict.dicom_port) as peer:
        assert patient.associate(ECHO, calling="PATIENT")[0] == ASSOCIATE_AC
        assert peer.associate(ECHO)[0] == ASSOCIATE_AC
        began = time.monotonic()
        answer = peer.pdu()
        assert answer is not None
        assert answer == (ABORT, bytes((0, 0, 2, 0)))
        assert 1.5 < time.monotonic() - began < 5
        patient.send(p_data(1, c_echo_rq(1), command=True, last=True))
        assert us(patient.command(), 0x00000900) == 0
    eventually(lambda: any("idle" in str(e.get("reason")) for e in strict.events()), 3)


def test_a_trickle_within_a_message_is_aborted(strict: GatewayProcess):
    one = ct()
    with RawPeer(strict.dicom_port) as peer:
        assert peer.associate([(1, CT, [EXPLICIT])])[0] == ASSOCIATE_AC
        peer.send(p_data(1, c_store_rq(1, CT, one.sop_instance), command=True, last=True))
        began = time.monotonic()
        peer.socket.settimeout(0.1)
        answer = None
        for byte in one.data_set:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                peer.send(p_data(1, bytes((byte,)), command=False, last=False))
            with contextlib.suppress(TimeoutError):
                answer = peer.pdu()
                break
        assert answer is not None
        assert answer[0] == ABORT
        assert time.monotonic() - began < 8


def test_release_is_confirmed_and_the_socket_closes(gateway: GatewayProcess):
    with RawPeer(gateway.dicom_port) as peer:
        assert peer.associate(ECHO)[0] == ASSOCIATE_AC
        peer.send(release_rq())
        answer = peer.pdu()
        assert answer is not None
        assert answer[0] == RELEASE_RP


def test_what_breaks_the_protocol_is_aborted_and_the_next_peer_is_served(gateway: GatewayProcess):
    with RawPeer(gateway.dicom_port) as peer:
        assert peer.associate(ECHO)[0] == ASSOCIATE_AC
        peer.send(pdu(0xFF, bytes(4)))
        answer = peer.pdu()
        assert answer is not None
        assert answer[0] == ABORT
    with RawPeer(gateway.dicom_port) as peer:
        assert peer.associate(ECHO)[0] == ASSOCIATE_AC


def test_an_operation_we_do_not_serve_is_0211(gateway: GatewayProcess):
    with RawPeer(gateway.dicom_port) as peer:
        assert peer.associate(ECHO)[0] == ASSOCIATE_AC
        find = c_echo_rq(7).replace(
            b"\x00\x00\x00\x01\x02\x00\x00\x00\x30\x00", b"\x00\x00\x00\x01\x02\x00\x00\x00\x20\x00"
        )
        peer.send(p_data(1, find, command=True, last=True))
        answer = peer.command()
        assert us(answer, 0x00000900) == 0x0211
        assert us(answer, 0x00000100) == 0x8020


def test_u28_a_peer_that_reads_nothing_is_cut(another_gateway: Callable[..., GatewayProcess], tmp_path: Path):
    gateway = another_gateway(SHORT_TIMERS)
    gateway.kuva("ae", "add", "TESTSCU", "--vault", "north")
    gateway.kuva("ae", "add", "RAWPEER", "--vault", "north")
    # More than both kernels' buffers and the gateway's own queue hold together, or it would all be taken.
    one = ct(side=4096)
    assert {answer.Status for answer in store(gateway, [one], tmp_path)} == {0}
    wanted = identifier("STUDY", StudyInstanceUID=one.study)
    eventually(lambda: len(get(gateway, wanted, [(CT, EXPLICIT)])[1]) == 1, 10)
    with RawPeer(gateway.dicom_port, receive_buffer=64 << 10) as peer:
        contexts = [(1, STUDY_ROOT_GET, [IMPLICIT]), (3, CT, [EXPLICIT])]
        assert peer.associate(contexts, roles=[CT])[0] == ASSOCIATE_AC
        peer.send(p_data(1, c_get_rq(1), command=True, last=True))
        peer.send(p_data(1, encode(wanted, IMPLICIT), command=False, last=True))
        eventually(lambda: any("takes nothing" in str(e.get("reason")) for e in gateway.events()), 15)

"""The contract of interoperability: what every foreign peer does with a real gateway, looked at on the wire.

Each test puts a relay between the two, so that what was said does not rest on what either tells.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest
from pydicom.uid import UID

from tests import foreign
from tests.gateway_process import GatewayProcess, eventually
from tests.instances import EXPLICIT, Instance, ct
from tests.interop.material import a_study, changed, differences, encoded_as
from tests.interop.peers import PEERS, Peer
from tests.interop.peers.peer import PeerFailedError, received
from tests.interop.relay import C_ECHO_RQ, C_GET_RQ, Message, Relay

pytestmark = pytest.mark.filterwarnings("ignore")

CONFLICT = 0xC0D1
Stored = dict[str, tuple[Message, int]]


def peers(does: str, syntaxes: str = "") -> pytest.MarkDecorator:
    """Those that do it, each with each of its transfer syntaxes."""
    cases = []
    for peer in PEERS:
        if getattr(type(peer), does) is getattr(Peer, does):
            continue
        for syntax in getattr(peer, syntaxes) if syntaxes else ("",):
            name = f"{peer.name}-{UID(syntax).keyword}" if syntax else peer.name
            cases.append(pytest.param(peer, str(syntax), id=name, marks=pytest.mark.peer(peer.name)))
    return pytest.mark.parametrize(("peer", "syntax"), cases)


@peers("echo")
def test_it_echoes(gateway: GatewayProcess, peer: Peer, syntax: str):
    with Relay(gateway.dicom_port) as relay:
        peer.echo(relay.port)
        assert relay.answers(C_ECHO_RQ) == [0x0000]


@peers("store", "sends")
def test_what_it_stores_is_kept_as_it_came_over_the_wire(
    gateway: GatewayProcess, tmp_path: Path, peer: Peer, syntax: str
):
    study = a_study([syntax])
    with Relay(gateway.dicom_port) as relay:
        peer.store(relay.port, written(a_folder(tmp_path, "source"), study))
        stored = relay.stored()
    check_sent(peer, study, stored)
    check_kept(gateway, study, stored)


@peers("store")
def test_it_hears_that_one_is_refused(gateway: GatewayProcess, tmp_path: Path, peer: Peer, syntax: str):
    kept = ct()
    check_stored(gateway, [kept], tmp_path)
    other = ct(study=kept.study, series=kept.series, sop_instance=kept.sop_instance)
    study = [ct(study=kept.study), other, ct(study=kept.study)]
    with Relay(gateway.dicom_port) as relay:
        complaints = failure_of(lambda: peer.store(relay.port, written(a_folder(tmp_path, "source"), study)))
        answered = [status for _, status in relay.stored().values()]
    assert answered == [0x0000, CONFLICT] + ([] if peer.stops_at_failure else [0x0000])
    assert bool(complaints) == peer.tells_failure


@peers("get", "gets")
def test_it_gets_what_is_kept(gateway: GatewayProcess, tmp_path: Path, peer: Peer, syntax: str):
    study, folder = known(peer, a_study([syntax])), a_folder(tmp_path)
    check_stored(gateway, study, tmp_path)
    with Relay(gateway.dicom_port) as relay:
        peer.get(relay.port, study, folder)
        assert relay.answers(C_GET_RQ)[-1] == 0x0000
        check_passed_on(study, relay.stored(by_acceptor=True))
    check_files(peer, study, folder)


@peers("accept", "accepts")
def test_it_takes_what_our_sender_sends(gateway: GatewayProcess, tmp_path: Path, peer: Peer, syntax: str):
    study = known(peer, a_study([syntax]))
    source, folder = a_folder(tmp_path, "source"), a_folder(tmp_path)
    written(source, study)
    with peer.accept(folder) as port, Relay(port) as relay:
        report = gateway.kuva("send", str(source), "--to", f"127.0.0.1:{relay.port}", "--called", "INTEROP")
        check_passed_on(study, relay.stored())
    assert report["sent"] == len(study)
    check_files(peer, study, folder)


# --- negative controls --------------------------------------------------------------------------


@peers("store")
def test_a_byte_changed_on_its_way_in_is_noticed(
    gateway: GatewayProcess, tmp_path: Path, peer: Peer, syntax: str
):
    study = [ct(name=MARK)]
    with Relay(gateway.dicom_port, change_requests=spoil) as relay:
        failure_of(lambda: peer.store(relay.port, written(a_folder(tmp_path, "source"), study)))
        stored = relay.stored()
    with pytest.raises(AssertionError, match="kept differs from what came"):
        check_kept(gateway, study, stored)


@peers("get")
def test_a_byte_changed_on_its_way_out_is_noticed(
    gateway: GatewayProcess, tmp_path: Path, peer: Peer, syntax: str
):
    study, good, bad = [ct(name=MARK)], a_folder(tmp_path, "good"), a_folder(tmp_path, "bad")
    check_stored(gateway, study, tmp_path)
    peer.get(gateway.dicom_port, study, good)
    check_files(peer, study, good, even_if_it_alters=True)
    with Relay(gateway.dicom_port, change_answers=spoil) as relay:
        peer.get(relay.port, study, bad)
        check_passed_on(study, relay.stored(by_acceptor=True))
    with pytest.raises(AssertionError, match="written differs"):
        check_files(peer, study, bad, even_if_it_alters=True)


@pytest.mark.parametrize("syntax", [EXPLICIT])
def test_every_change_of_a_value_is_a_difference(syntax: str):
    for one in a_study([syntax]):
        assert differences(one, one) == []
        assert differences(one, changed(one)), one.sop_class


MARK = "Mark^Of^The^Test"


def spoil(data: bytes) -> bytes:
    return data.replace(MARK.encode(), MARK.replace("Test", "Tesu").encode())


# --- the checks ---------------------------------------------------------------------------------


def check_sent(peer: Peer, study: Sequence[Instance], stored: Stored) -> None:
    """Everything was sent, was answered 0000H, and says what the files say."""
    assert stored.keys() == uids(study)
    assert {status for _, status in stored.values()} == {0x0000}
    for one in study:
        message, _ = stored[one.sop_instance]
        if one.transfer_syntax not in peer.alters:
            sent = encoded_as(one, message.data_set, message.transfer_syntax)
            check_same(peer, one, sent, "sent")


def check_kept(gateway: GatewayProcess, study: Sequence[Instance], stored: Stored) -> None:
    """What the gateway gives back is byte for byte what came over the wire."""
    came = {uid: message.data_set for uid, (message, _) in stored.items()}
    kinds = {(one.sop_class, stored[one.sop_instance][0].transfer_syntax) for one in study}
    kept = fetched(gateway, study[0].study, kinds, len(study))
    assert kept.keys() == uids(study)
    assert [uid for uid in kept if kept[uid] != came[uid]] == [], "kept differs from what came"


def check_stored(gateway: GatewayProcess, study: Sequence[Instance], folder: Path) -> None:
    """Stored by somebody whose bytes are known, and there to be fetched."""
    assert {answer.Status for answer in foreign.store(gateway, study, folder)} == {0x0000}
    kinds = {(one.sop_class, one.transfer_syntax) for one in study}
    fetched(gateway, study[0].study, kinds, len(study))


def check_passed_on(study: Sequence[Instance], stored: Stored) -> None:
    """What we sent is byte for byte what we have, and was taken."""
    assert {uid: (message.data_set, status) for uid, (message, status) in stored.items()} == {
        one.sop_instance: (one.data_set, 0x0000) for one in study
    }


def check_files(
    peer: Peer, study: Sequence[Instance], folder: Path, *, even_if_it_alters: bool = False
) -> None:
    """What the peer wrote says what it was given."""
    files = eventually(lambda: whole(folder, len(study)), what="the peer's writing of its files")
    assert files.keys() == uids(study)
    for one in study:
        if even_if_it_alters or one.transfer_syntax not in peer.alters:
            syntax, data_set = files[one.sop_instance]
            check_same(peer, one, encoded_as(one, data_set, syntax), "written")


def check_same(peer: Peer, one: Instance, other: Instance, what: str) -> None:
    if peer.keeps_bytes:
        assert one.data_set == other.data_set, f"{what} differs: {differences(one, other)}"
    assert differences(one, other) == [], f"{what} differs"


def fetched(
    gateway: GatewayProcess, study: str, kinds: Iterable[tuple[str, str]], instances: int
) -> dict[str, bytes]:
    """The study as bytes, once the catalogue knows all of it."""
    wanted = foreign.identifier("STUDY", StudyInstanceUID=study)

    def whole_study() -> dict[str, bytes] | None:
        _, arrived = foreign.get(gateway, wanted, kinds)
        return arrived if len(arrived) == instances else None

    found: dict[str, bytes] = eventually(whole_study, 10.0, f"study {study}")
    return found


def whole(folder: Path, instances: int) -> dict[str, tuple[str, bytes]] | None:
    files = received(folder)
    return files if len(files) >= instances else None


def failure_of(doing: Callable[[], None]) -> str:
    try:
        doing()
    except PeerFailedError as error:
        return str(error)
    return ""


def written(folder: Path, study: Iterable[Instance]) -> list[Path]:
    """In folders of their own: two may have the same UID, and so the same name."""
    return [one.write(a_folder(folder, str(number))) for number, one in enumerate(study)]


def known(peer: Peer, study: Sequence[Instance]) -> list[Instance]:
    return [one for one in study if one.sop_class not in peer.knows_not]


def uids(study: Iterable[Instance]) -> set[str]:
    return {one.sop_instance for one in study}


def a_folder(parent: Path, name: str = "received") -> Path:
    folder = parent / name
    folder.mkdir()
    return folder

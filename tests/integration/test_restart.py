"""Ends: SIGTERM drains, SIGKILL loses nothing that was acknowledged."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.foreign import get, identifier, store
from tests.gateway_process import CommandFailedError, GatewayProcess, eventually
from tests.instances import CT, EXPLICIT, Instance, ct, study_of
from tests.raw_peer import ASSOCIATE_RJ, P_DATA, RELEASE_RP, RawPeer, c_store_rq, p_data, release_rq, us

pytestmark = pytest.mark.filterwarnings("ignore")

Make = Callable[..., GatewayProcess]


def fetched(gateway: GatewayProcess, study: str) -> dict[str, bytes]:
    return get(gateway, identifier("STUDY", StudyInstanceUID=study), [(CT, EXPLICIT)])[1]


def whole(gateway: GatewayProcess, study: list[Instance]) -> dict[str, Any] | None:
    """The study as shown, once all of it is catalogued."""
    (shown,) = gateway.kuva("study", "show", study[0].study)
    return shown if shown["study"]["instances"] >= len(study) else None


def test_sigkill_in_the_middle_of_a_load_keeps_all_that_was_acknowledged(
    another_gateway: Make, tmp_path: Path
):
    gateway, resume = another_gateway(), tmp_path / "acknowledged"
    study = study_of(1_500)
    (tmp_path / "in").mkdir()
    for one in study:
        one.write(tmp_path / "in")
    command = [sys.executable, "-m", "gateway", "send", str(tmp_path / "in"), "--resume", str(resume)]
    to = f"127.0.0.1:{gateway.dicom_port}"
    with subprocess.Popen(
        [*command, "--to", to], env=gateway.environment, stdout=subprocess.DEVNULL
    ) as sender:
        eventually(lambda: acknowledged(resume), 30)
        gateway.kill()
        time.sleep(0.3)
        before = acknowledged(resume)
        assert 0 < len(before) < len(study), "killed before or after the load, not within"
        gateway.start()
        assert sender.wait(60) == 0, "the sender did not go on by itself"
    shown = eventually(lambda: whole(gateway, study), 10)
    assert shown["study"]["instances"] == len(study)
    kept = fetched(gateway, study[0].study)
    assert before <= kept.keys()
    assert kept == {one.sop_instance: one.data_set for one in study}


def acknowledged(resume: Path) -> set[str]:
    """SOP Instance UIDs of the whole lines of a resume list."""
    lines = resume.read_bytes().split(b"\n")[:-1] if resume.exists() else []
    return {json.loads(line)["sop_instance"] for line in lines}


def test_sigterm_lets_the_instance_under_way_finish_and_catalogues_it(another_gateway: Make, tmp_path: Path):
    gateway = another_gateway()
    one = ct(side=64)
    with RawPeer(gateway.dicom_port) as peer:
        assert peer.associate([(1, CT, [EXPLICIT])])[0] == 2
        peer.send(p_data(1, c_store_rq(1, CT, one.sop_instance), command=True, last=True))
        half = len(one.data_set) // 2
        peer.send(p_data(1, one.data_set[:half], command=False, last=False))
        time.sleep(0.3)
        gateway.terminate()
        time.sleep(0.5)
        assert gateway.running()
        peer.send(p_data(1, one.data_set[half:], command=False, last=True))
        assert us(peer.command(), 0x00000900) == 0
        pdu = peer.pdu()
        assert pdu is None or pdu[0] == 7
    assert gateway.wait(30) == 0
    gateway.start()
    assert fetched(gateway, one.study) == {one.sop_instance: one.data_set}


def answer_to(peer: RawPeer, message_id: int, one: Instance) -> int | None:
    peer.send(p_data(1, c_store_rq(message_id, CT, one.sop_instance), command=True, last=True))
    peer.send(p_data(1, one.data_set, command=False, last=True))
    return us(peer.command(), 0x00000900)


def test_sigterm_lets_a_synchronous_sender_go_on_and_takes_no_other(another_gateway: Make):
    gateway = another_gateway()
    with RawPeer(gateway.dicom_port) as peer, RawPeer(gateway.dicom_port) as late:
        assert peer.associate([(1, CT, [EXPLICIT])])[0] == 2
        assert answer_to(peer, 1, ct()) == 0
        gateway.terminate()
        for message_id in range(2, 5):
            time.sleep(0.5)
            assert answer_to(peer, message_id, ct()) == 0
        assert late.associate([(1, CT, [EXPLICIT])], calling="LATE")[0] == ASSOCIATE_RJ
        with pytest.raises(ConnectionRefusedError):
            RawPeer(gateway.dicom_port)
        peer.send(release_rq())
        assert peer.pdu() == (RELEASE_RP, bytes(4))
    assert gateway.wait(30) == 0


def test_a_sender_that_does_not_finish_is_aborted_at_the_deadline(another_gateway: Make):
    gateway = another_gateway("drain_seconds = '1 s'\n")
    gateway.kuva("ae", "add", "RAWPEER", "--vault", "test")
    one = ct()
    with RawPeer(gateway.dicom_port) as peer:
        assert peer.associate([(1, CT, [EXPLICIT])])[0] == 2
        peer.send(p_data(1, c_store_rq(1, CT, one.sop_instance), command=True, last=True))
        peer.send(p_data(1, one.data_set[:100], command=False, last=False))
        time.sleep(0.2)
        began = time.monotonic()
        gateway.terminate()
        assert gateway.wait(30) == 0
        assert 0.8 < time.monotonic() - began < 15
        pdu = peer.pdu()
        assert pdu is None or pdu[0] in (7, P_DATA)


def test_a_second_gateway_on_the_same_folder_says_so(gateway: GatewayProcess):
    with pytest.raises(CommandFailedError, match="another gateway runs on the data folder") as error:
        gateway.kuva("serve")
    assert error.value.code == 1


def test_a_port_that_is_taken_is_said_plainly(gateway: GatewayProcess, tmp_path: Path):
    with pytest.raises(CommandFailedError, match="cannot listen on") as error:
        gateway.kuva("serve", "--data", str(tmp_path / "other"))
    assert error.value.code == 1


def test_a_command_without_a_gateway_says_how_to_start_one(gateway: GatewayProcess, tmp_path: Path):
    with pytest.raises(CommandFailedError, match="kuva serve") as error:
        gateway.kuva("study", "list", "--data", str(tmp_path / "nothing"))
    assert error.value.code == 4


def test_a_catalogue_that_was_lost_learns_all_of_it_again_from_the_journal(
    another_gateway: Make, tmp_path: Path
):
    gateway = another_gateway()
    study = study_of(12)
    answers = store(gateway, study, tmp_path)
    assert all(answer.Status == 0x0000 for answer in answers)
    gateway.terminate()
    assert gateway.wait() == 0
    shutil.rmtree(gateway.data / "postgresql")
    gateway.start()
    eventually(lambda: whole(gateway, study), 10)
    assert fetched(gateway, study[0].study) == {one.sop_instance: one.data_set for one in study}

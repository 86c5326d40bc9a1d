"""`kuva send`, our own requestor, against our own gateway."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.gateway_process import CommandFailedError, GatewayProcess, eventually, free_port
from tests.instances import IMPLICIT, ct, study_of

pytestmark = pytest.mark.filterwarnings("ignore")


def test_a_folder_is_sent_and_sent_again_it_is_skipped(gateway: GatewayProcess, tmp_path: Path):
    folder, resume = tmp_path / "in", tmp_path / "sent.jsonl"
    (folder / "deeper").mkdir(parents=True)
    study = study_of(30, series=3)
    for one in study[:20]:
        one.write(folder)
    for one in study[20:]:
        one.write(folder / "deeper")
    ct(study=study[0].study, transfer_syntax=IMPLICIT).write(folder)
    (folder / "notes.txt").write_text("not DICOM")
    to = f"127.0.0.1:{gateway.dicom_port}"
    words = ("send", str(folder), "--to", to, "--associations", "3", "--resume", str(resume))
    first = gateway.kuva(*words)
    assert (first["sent"], first["skipped"], first["not_dicom"], first["failed"]) == (31, 0, 1, [])
    assert len(resume.read_text().splitlines()) == 31
    found = lambda: {s["uid"]: s["instances"] for s in gateway.kuva("study", "list")["studies"]}  # noqa: E731
    eventually(lambda: found().get(study[0].study) == 31)
    resume.write_text(resume.read_text() + '{"path": "cut of')  # as a run that was killed leaves it
    again = gateway.kuva(*words)
    assert (again["sent"], again["skipped"]) == (0, 31)
    changed = study[0].write(folder)
    changed.touch()
    assert gateway.kuva(*words)["sent"] == 1


def test_a_file_that_was_named_and_is_no_dicom_is_a_failure(gateway: GatewayProcess, tmp_path: Path):
    to = f"127.0.0.1:{gateway.dicom_port}"
    ct().write(tmp_path)
    notes = tmp_path / "notes [/red].txt"  # a folder and a file in it
    notes.parent.mkdir()
    notes.write_text("not DICOM")
    walked = gateway.kuva("send", str(tmp_path), "--to", to)
    assert (walked["sent"], walked["not_dicom"], walked["failed"]) == (1, 1, [])  # control: only walked past
    with pytest.raises(CommandFailedError) as error:
        gateway.kuva("send", str(tmp_path), str(notes), "--to", to, plain=True)
    assert error.value.code == 1
    assert "1 instances acknowledged" in error.value.complaint
    assert "notes [/red].txt" in error.value.complaint


def test_what_is_refused_is_listed_with_its_status_and_the_exit_code_is_1(
    gateway: GatewayProcess, tmp_path: Path
):
    kept = ct()
    to = f"127.0.0.1:{gateway.dicom_port}"
    path = kept.write(tmp_path)
    assert gateway.kuva("send", str(path), "--to", to)["sent"] == 1
    ct(study=kept.study, series=kept.series, sop_instance=kept.sop_instance).write(tmp_path)
    with pytest.raises(CommandFailedError) as error:
        gateway.kuva("send", str(tmp_path), "--to", to)
    assert error.value.code == 1
    (failed,) = json.loads(error.value.complaint)["failed"]
    assert failed["status"] == 0xC0D1
    assert failed["comment"]


def test_nobody_at_the_other_end_is_said_plainly(gateway: GatewayProcess, tmp_path: Path):
    path = ct().write(tmp_path)
    with pytest.raises(CommandFailedError) as error:
        gateway.kuva("send", str(path), "--to", f"127.0.0.1:{free_port()}", plain=True)
    assert error.value.code == 1
    assert "refused" in error.value.complaint


def test_a_rejection_is_said_plainly(another_gateway: Callable[..., GatewayProcess], tmp_path: Path):
    gateway = another_gateway("")
    path = ct().write(tmp_path)
    with pytest.raises(CommandFailedError) as error:
        gateway.kuva("send", str(path), "--to", f"127.0.0.1:{gateway.dicom_port}", plain=True)
    assert "calling AE title not recognised" in error.value.complaint
    assert "Traceback" not in error.value.complaint

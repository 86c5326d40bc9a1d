"""DCMTK against a real gateway: what is particular to it. tests/interop/test_peers.py has what all peers do."""

import subprocess
from pathlib import Path

import pytest
from pydicom import dcmread

from tests.gateway_process import GatewayProcess, eventually
from tests.instances import IMPLICIT, Instance, ct, study_of
from tests.interop.peers.peer import found

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.peer("DCMTK")]


def run(gateway: GatewayProcess, program: str, *options: str, after: tuple[str, ...] = ()) -> str:
    name = found(program)
    assert name is not None
    command = [name, "-v", "-aec", "KUVA", *options, "127.0.0.1", str(gateway.dicom_port), *after]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def written(folder: Path, study: list[Instance]) -> list[str]:
    return [str(one.write(folder)) for one in study]


def instances_of(gateway: GatewayProcess, study: str) -> int:
    found = {one["uid"]: one["instances"] for one in gateway.kuva("study", "list")["studies"]}
    return found.get(study, 0)


def test_echoscu(gateway: GatewayProcess):
    run(gateway, "echoscu", "--repeat", "5")


@pytest.mark.parametrize("option", [(), ("--propose-implicit",)])
def test_storescu(gateway: GatewayProcess, tmp_path: Path, option: tuple[str, ...]):
    study = study_of(5, **({"transfer_syntax": IMPLICIT} if option else {}))
    said = run(gateway, "storescu", *option, after=tuple(written(tmp_path, study)))
    assert said.count("(Success)") == 5
    eventually(lambda: instances_of(gateway, study[0].study) == 5)


def test_dcmsend_of_a_folder(gateway: GatewayProcess, tmp_path: Path):
    study = study_of(12, series=3)
    written(tmp_path, study)
    run(gateway, "dcmsend", "--scan-directories", after=(str(tmp_path),))
    eventually(lambda: instances_of(gateway, study[0].study) == 12)


def test_getscu_gets_what_storescu_stored(gateway: GatewayProcess, tmp_path: Path):
    sent, got = tmp_path / "sent", tmp_path / "got"
    sent.mkdir()
    got.mkdir()
    study = study_of(4)
    run(gateway, "storescu", after=tuple(written(sent, study)))
    eventually(lambda: instances_of(gateway, study[0].study) == 4)
    keys = ("-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study[0].study}")
    run(gateway, "getscu", "-S", "-od", str(got), *keys)
    pixels = {str(d.SOPInstanceUID): d.PixelData for d in map(dcmread, got.iterdir())}
    assert pixels == {str(d.SOPInstanceUID): d.PixelData for d in map(dcmread, sent.iterdir())}


def test_storescu_hears_of_a_conflict(gateway: GatewayProcess, tmp_path: Path):
    kept = ct()
    twin = ct(study=kept.study, series=kept.series, sop_instance=kept.sop_instance)
    run(gateway, "storescu", after=tuple(written(tmp_path, [kept])))
    with pytest.raises(AssertionError, match="CannotUnderstand"):
        run(gateway, "storescu", after=tuple(written(tmp_path, [twin])))

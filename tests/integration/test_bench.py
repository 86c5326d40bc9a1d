"""The bench: counts right against this program, and fails a run that lost or refused an instance."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.bench.figures import Run
from gateway.bench.kit import load_kit
from gateway.bench.load import Load, plan_of
from gateway.bench.made import make, new_prefix
from gateway.bench.measuring import Bench, Configuration
from gateway.bench.peer import Kind, Peer
from gateway.bench.server import Target
from gateway.bench.store import Stores
from gateway.bench.workload import Template, Workload
from tests.gateway_process import GatewayProcess, eventually

KIT = load_kit()
FAULTY = Path(__file__).resolve().parents[1] / "faulty_peer.py"
SMALL = Workload(
    name="small",
    title="small",
    transfer_syntax="1.2.840.10008.1.2.1",
    instances=60,
    per_study=10,
    series=2,
    templates=(
        Template("1.2.840.10008.5.1.4.1.1.2", "CT", variants=3, rows=32, columns=32, bits_stored=12),
        Template("1.2.840.10008.5.1.4.1.1.88.11", "SR", text=1024),
    ),
)


def faulty(mode: str) -> Peer:
    command = ("{program}", str(FAULTY), "{port}", "{store}", mode)
    return Peer(
        name=mode, title=mode, kind=Kind.FILES, called="FAULTY", durability="", program=sys.executable,
        command=command,
    )  # fmt: skip


def measured(folder: Path, peer: Peer, *, associations: int = 2, window: int = 1) -> Run:
    stores = Stores(folder)
    bench = Bench(stores, KIT.load, seconds_max=60.0, window=window)
    what = Configuration(peer, SMALL, associations)
    try:
        bench.prepare([what])
        return bench.run(what, 0)
    finally:
        stores.remove()
        stores.close()


@pytest.mark.parametrize(("associations", "window"), [(1, 1), (4, 4)])
def test_everything_that_this_program_answers_is_counted_in_its_catalogue(
    tmp_path: Path, associations: int, window: int
):
    run = measured(tmp_path, KIT.peers["kuva"], associations=associations, window=window)
    assert run.problems == ()
    assert run.instances == 60
    assert run.seconds > 0
    assert run.latency.p50 <= run.latency.p99 <= run.latency.max
    assert 0 < run.resident_before <= run.resident_peak
    assert run.prewrite_seconds > 0


def test_a_peer_that_keeps_everything_passes(tmp_path: Path):
    run = measured(tmp_path, faulty("keep"))
    assert (run.problems, run.instances) == ((), 60)


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("lose", "60 were acknowledged, 54 were kept"),
        ("shorten", "bytes were acknowledged"),
        ("refuse", "6 answered A700H"),
        ("end", "an association ended"),
    ],
)
def test_a_peer_that_loses_or_refuses_an_instance_fails_the_run(tmp_path: Path, mode: str, words: str):
    run = measured(tmp_path, faulty(mode))
    assert not run.good
    assert any(words in problem for problem in run.problems), run.problems


def test_a_peer_that_does_not_start_fails_the_run(tmp_path: Path):
    peer = Peer(
        name="broken", title="broken", kind=Kind.FILES, called="X", durability="", program=sys.executable,
        command=("{program}", "-c", "raise SystemExit('out of order')"),
    )  # fmt: skip
    run = measured(tmp_path, peer)
    assert "out of order" in run.problems[0]


def kuva_bench(tmp_path: Path, modes: tuple[str, ...], *words: str) -> tuple[int, str, str]:
    peers = tmp_path / "peers"
    peers.mkdir()
    for mode in modes:
        (peers / f"{mode}.toml").write_text(
            f'title = "{mode}"\nkind = "files"\ncalled = "FAULTY"\ndurability = "none"\n'
            f"program = {json.dumps(sys.executable)}\n"
            f'command = ["{{program}}", {json.dumps(str(FAULTY))}, "{{port}}", "{{store}}", "{mode}"]\n'
        )
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "bench", "--peer-folder", str(peers), "--workload", "tiny", "-n", "2",
         "-r", "1", "--seconds", "0.5", "--folder", str(tmp_path / "work"), *words],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_the_command_exits_0_and_prints_every_run(tmp_path: Path):
    code, out, complaint = kuva_bench(tmp_path, ("keep",), "--json")
    assert code == 0, complaint
    found: dict[str, Any] = json.loads(out)
    assert [run["problems"] for run in found["runs"]] == [[]]
    assert found["runs"][0]["instances"] > 0
    assert found["machine"]["cores"]
    assert not [path for path in (tmp_path / "work").iterdir() if path.is_dir()]


def test_the_command_exits_1_and_leaves_out_the_figures_of_a_peer_that_loses(tmp_path: Path):
    code, out, complaint = kuva_bench(tmp_path, ("keep", "lose"))
    assert code == 1
    assert "lose, tiny x2, repetition 1" in complaint + out
    row = next(line for line in out.splitlines() if line.startswith("tiny x2") and "lose" in line)
    assert set(row.split()[3:]) == {"-"}


def test_a_peer_that_is_not_there_is_wrong_usage(tmp_path: Path):
    code, _, complaint = kuva_bench(tmp_path, ("keep",), "--peers", "orthanc")
    assert code == 2
    assert "no peer 'orthanc'; there are keep" in complaint


@pytest.mark.parametrize("name", KIT.workloads)
def test_no_workload_breaks_a_content_rule_of_this_program(
    gateway: GatewayProcess, tmp_path: Path, name: str
):
    """Each kind of instance of the workload, but for the size of the biggest images."""
    workload = KIT.workloads[name]
    templates = tuple(
        Template(
            one.sop_class, one.modality, rows=min(one.rows, 512), columns=min(one.columns, 512), text=one.text,
            frames=one.frames, bits_stored=one.bits_stored,
        )
        for one in workload.templates
    )  # fmt: skip
    small = Workload(workload.name, workload.title, workload.transfer_syntax, 4, 4, 2, templates)
    prefix = new_prefix(random.Random(os.urandom(8)))
    plan = plan_of(
        small, make(small, tmp_path), Target("127.0.0.1", gateway.dicom_port, "KUVA"), associations=1,
        window=1, seconds_max=60.0, warm_bytes=0, uid_prefix=prefix,
    )  # fmt: skip
    with Load(KIT.load, plan) as load:
        answered = load.run()
    assert (answered.stored, answered.problems) == (4, ())
    study = f"{prefix}1{0:011}"
    found = eventually(lambda: _catalogued(gateway, study, 4), what="cataloguing")
    assert found["flags"] == []
    assert len(found["series"]) == 2
    numbers = [instance["sop_instance"] for series in found["series"] for instance in series["instances"]]
    assert numbers == [f"{prefix}3{number:011}" for number in range(4)]


def _catalogued(gateway: GatewayProcess, study: str, instances: int) -> dict[str, Any] | None:
    listed = gateway.kuva("study", "list")["studies"]
    if not any(one["uid"] == study and one["instances"] == instances for one in listed):
        return None
    found: dict[str, Any] = gateway.kuva("study", "show", study)[0]
    return found

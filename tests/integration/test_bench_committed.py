"""The bench until committed: counts what reports name, and fails a run in which they do not name all."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.bench import load
from gateway.bench.figures import Run
from gateway.bench.kit import load_kit
from gateway.bench.measuring import Bench, Configuration
from gateway.bench.peer import Kind, Peer
from gateway.bench.store import Stores
from gateway.bench.workload import Template, Workload

KIT = load_kit()
COMMITTING = Path(__file__).resolve().parents[1] / "committing_peer.py"
SMALL = Workload(
    name="small",
    title="small",
    transfer_syntax="1.2.840.10008.1.2.1",
    instances=50,
    per_study=10,
    series=2,
    templates=(
        Template("1.2.840.10008.5.1.4.1.1.2", "CT", variants=3, rows=32, columns=32, bits_stored=12),
        Template("1.2.840.10008.5.1.4.1.1.88.11", "SR", text=1024),
    ),
    await_reports=True,
)


def committing(mode: str, reports: str = "new") -> Peer:
    place = "same" if reports == "same" else "{report_port}"
    command = ("{program}", str(COMMITTING), "{port}", "{store}", place, mode)
    return Peer(
        name=mode, title=mode, kind=Kind.FILES, called="COMMITTING", durability="", program=sys.executable,
        command=command, reports=reports,
    ).committing(mode)  # fmt: skip


def measured(folder: Path, peer: Peer, workload: Workload = SMALL, associations: int = 2) -> Run:
    stores = Stores(folder)
    bench = Bench(stores, KIT.load, seconds_max=60.0, workloads={SMALL.name: SMALL})
    what = Configuration(peer, workload, associations)
    try:
        bench.prepare([what])
        return bench.run(what, 0)
    finally:
        stores.remove()
        stores.close()


@pytest.mark.parametrize(
    ("reports", "await_reports"), [("same", True), ("new", True), ("new", False)]
)  # A pynetdicom peer takes nothing else while it reports on the same association.
def test_every_study_is_reported_wherever_the_report_comes_in(
    tmp_path: Path, reports: str, await_reports: bool
):
    run = measured(tmp_path, committing("commit", reports), replace(SMALL, await_reports=await_reports))
    assert run.problems == ()
    assert run.instances == 50
    assert run.committed is not None
    assert run.committed.answered == 50
    # Two associations of 25: two studies and a half each.
    assert len(run.committed.waits) == 6
    assert 0.05 <= run.committed.waits[0] <= run.committed.waits[-1]
    assert run.seconds >= run.committed.answered_seconds
    assert run.timeline[-1].resident > 0


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("fail", "instances failed commitment with 0112H"),
        ("forget", "6 commitments were never reported"),
        ("omit", "instances are in no list of their report"),
        ("invent", "were not asked for, or are there twice"),
        ("refuse", "6 requests for commitment answered 0213"),
    ],
)
def test_a_peer_that_does_not_commit_all_of_it_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, words: str
):
    monkeypatch.setattr(load, "REPORT_SECONDS_MAX", 1.0)
    run = measured(tmp_path, committing(mode))
    assert not run.good
    assert any(words in problem for problem in run.problems), run.problems


def test_what_is_stored_beside_is_counted_and_is_in_no_rate(tmp_path: Path):
    workload = replace(SMALL, name="measured", beside="small", per_study=25)
    run = measured(tmp_path, committing("commit"), workload, associations=1)
    assert run.problems == ()
    assert run.instances == 50
    assert run.committed is not None
    assert run.committed.beside > 0
    assert run.committed.beside_length > 0


def test_a_peer_that_reports_nowhere_cannot_be_measured_so():
    with pytest.raises(Exception, match="not known to report storage commitment"):
        KIT.peers["storescp"].committing("storescp")

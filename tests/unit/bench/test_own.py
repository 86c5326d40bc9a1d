"""This program as a peer: two counts that must agree, on the journal that was written beforehand."""

from pathlib import Path

import pytest

from gateway.bench.failure import RunFailedError
from gateway.bench.kit import load_kit
from gateway.bench.own import SEGMENT_LENGTH, KuvaServer, capacity_for
from gateway.bench.server import Kept


class Told(KuvaServer):
    """Says what it is told to say."""

    journalled = catalogued = (3, 30)

    def _metric(self, name: str) -> float:
        return {"kuva_core_instances_kept_total": self.journalled[0]}.get(name, self.journalled[1])

    def _studies(self) -> list[tuple[int, int]]:
        return [(1, 10), (self.catalogued[0] - 1, self.catalogued[1] - 10)]


@pytest.fixture
def server(tmp_path: Path) -> Told:
    made = Told(load_kit().peers["kuva"], tmp_path, capacity=4 * SEGMENT_LENGTH, catalogue=None)
    (tmp_path / "journal").mkdir()
    for number in range(1, 5):
        (tmp_path / "journal" / f"{number:08}.segment").touch()
    return made


def test_journal_and_catalogue_that_agree_are_believed(server: Told):
    (server.store / "journal" / "00000000.segment").touch()  # the roster
    assert server.kept() == Kept(3, 30)


@pytest.mark.parametrize("catalogued", [(2, 30), (3, 29)])
def test_journal_and_catalogue_that_disagree_fail_the_run(server: Told, catalogued: tuple[int, int]):
    server.catalogued = catalogued
    with pytest.raises(RunFailedError, match="the journal says"):
        server.kept()


def test_a_journal_that_was_not_the_prewritten_one_fails_the_run(server: Told):
    (server.store / "journal" / "00000005.segment").touch()
    with pytest.raises(RunFailedError, match="segments of its own"):
        server.kept()


@pytest.mark.parametrize(("instances", "length"), [(1, 10), (16_000, 16_000 * 10_500), (10, 1_500_000_000)])
def test_the_journal_holds_the_workload_below_the_fill_at_which_it_refuses(instances: int, length: int):
    capacity = capacity_for(instances, length)
    assert capacity % SEGMENT_LENGTH == 0
    assert capacity >= 4 * SEGMENT_LENGTH
    assert (length + instances * 8192) / capacity < 0.85

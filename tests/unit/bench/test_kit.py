"""The kit: data files that hold what they must, and a plain word where they are missing or wrong."""

from pathlib import Path

import pytest

from gateway.bench.failure import BenchError
from gateway.bench.kit import chosen, load_kit
from gateway.bench.peer import Kind, filled, load_peers
from gateway.bench.workload import load_workloads


def test_the_repositorys_own_kit_fits_together():
    kit = load_kit()
    assert {"ct", "tiny", "multiframe"} <= set(kit.workloads)
    assert {"kuva", "storescp", "orthanc"} <= set(kit.peers)
    assert kit.bars
    for bar in kit.bars:
        assert bar.workload in kit.workloads
        assert not bar.over or bar.over in kit.peers
        figures = [bar.over and bar.ratio_least, bar.resident_growth_most, bar.report_p95_most]
        assert sum(map(bool, figures)) == 1


def test_an_installed_program_says_plainly_that_it_has_no_benchmarks(tmp_path: Path):
    with pytest.raises(BenchError, match="clone the repository"):
        load_kit(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["no toml", 'title = "x"', 'kind = "files"\ntitle = "x"\ncalled = "X"\ndurability = ""',
     'kind = "magic"\ntitle = "x"\ncalled = "X"\ndurability = ""', 'kind = "kuva"\nstrange = 1'],
)  # fmt: skip
def test_a_wrong_peer_is_named_with_its_file(tmp_path: Path, text: str):
    (tmp_path / "one.toml").write_text(text)
    with pytest.raises(BenchError, match=r"one\.toml"):
        load_peers(tmp_path)


@pytest.mark.parametrize(
    "template",
    ["rows = 1", "rows = 1\ncolumns = 1\ntext = 1", "rows = 1\ncolumns = 1\nvariants = 0", "odd = 1"],
)
def test_a_wrong_workload_is_named_with_its_file(tmp_path: Path, template: str):
    head = 'title = "x"\ntransfer_syntax = "1.2"\ninstances = 1\nper_study = 1\nseries = 1\n[[template]]\n'
    (tmp_path / "one.toml").write_text(f'{head}sop_class = "1.2"\nmodality = "CT"\n{template}\n')
    with pytest.raises(BenchError, match=r"one\.toml"):
        load_workloads(tmp_path)


def test_a_name_that_is_not_known_is_told_with_those_that_are():
    with pytest.raises(BenchError, match=r"there are ct.*, multiframe, study.*, tiny"):
        chosen("workload", load_kit().workloads, ["ct", "mammo"])


def test_placeholders_are_filled_in_everywhere_and_a_port_becomes_a_number():
    values = {"port": "104", "store": "/s"}
    given = {"Port": "{port}", "Path": "{store}/x", "Title": "A104", "List": ["{port}", True], "Count": 8}
    assert filled(given, values) == {
        "Port": 104, "Path": "/s/x", "Title": "A104", "List": [104, True], "Count": 8,
    }  # fmt: skip


def test_orthanc_is_asked_to_sync_and_to_keep_what_it_has():
    configuration = load_kit().peers["orthanc"].configuration
    assert configuration["SyncStorageArea"] is True
    assert configuration["OverwriteInstances"] is False
    assert configuration["StorageCompression"] is False
    assert load_kit().peers["orthanc"].kind is Kind.ORTHANC


def test_dcmtk_based_peers_are_spared_the_delayed_acknowledgement():
    kit = load_kit()
    assert kit.peers["storescp"].environment["TCP_NODELAY"] == "1"
    assert kit.peers["orthanc"].environment["TCP_NODELAY"] == "1"

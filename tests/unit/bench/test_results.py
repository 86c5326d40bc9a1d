"""Results: nothing that failed is quoted, and everything that was measured is there."""

import json
from datetime import UTC, datetime
from pathlib import Path

from gateway.bench.figures import Bar, Run, Spread
from gateway.bench.plot import draw
from gateway.bench.results import Results, as_json, as_markdown, figure, file_stem, rows, write
from gateway.bench.series import Series
from tests.unit.bench.samples import run


def results(*runs: Run, what: str = "Quick look", notes: tuple[str, ...] = ()) -> Results:
    return Results(
        began=datetime(2026, 1, 2, 3, 4, tzinfo=UTC), what=what, machine={"processor": "a | b"},
        peers={
            name: {"title": name, "version": "1", "durability": "none"}
            for name in dict.fromkeys(one.peer for one in runs)
        },
        workloads={"ct": "CT"}, series=Series(list(runs), repetitions=2, seconds=1.0),
        bars=[Bar("ct", 4, over="orthanc", ratio_least=3.0), Bar("tiny", 4, over="orthanc", ratio_least=6.0)],
        skipped={"other": "not installed"}, notes=notes,
    )  # fmt: skip


GOOD = (
    run("kuva", 400),
    run("orthanc", 100),
    run("kuva", 300, repetition=1),
    run("orthanc", 100, repetition=1),
)


def test_the_files_are_named_after_date_and_subject(tmp_path: Path):
    assert file_stem(results(*GOOD, what="../CT: 4 x")) == "2026-01-02-ct-4-x"
    data, page = write(results(*GOOD), tmp_path)
    assert json.loads(data.read_text())["repetitions"] == 2
    assert "| ct | 4 | kuva |" in page.read_text()


def test_json_holds_every_run_and_the_ratios():
    found = as_json(results(*GOOD))
    assert len(found["runs"]) == 4
    assert found["ratios"] == [
        {"workload": "ct", "associations": 4, "peer": "kuva", "over": "orthanc",
         "ratio": {"median": 3.5, "least": 3.0, "most": 4.0, "count": 2}}
    ]  # fmt: skip
    assert found["bars"][0]["met"] is True
    assert len(found["bars"]) == 1


def test_a_bar_is_shown_as_not_met():
    assert "NOT met" in as_markdown(results(run("kuva", 299), run("orthanc", 100)), "x")
    assert "NOT met" not in as_markdown(results(*GOOD), "x")


def test_a_failed_run_is_named_and_its_figures_are_nowhere():
    failed = run("kuva", 123_456, repetition=1, problems=("1 answered A700H",))
    shown = results(GOOD[0], GOOD[1], failed)
    page = as_markdown(shown, "x")
    assert "kuva, ct x4, repetition 2: 1 answered A700H" in page
    assert "123,456" not in page
    assert [row.megabytes.count for row in rows(shown) if row.megabytes] == [1, 1]


def test_a_busy_machine_and_skipped_peers_are_told():
    shown = results(run("kuva", 400, other=0.5), run("orthanc", 100), notes=("In memory.",))
    page = as_markdown(shown, "x")
    assert "busy with other things in 1 of 2 runs (up to 50% of its CPU)" in page
    assert "In memory." in page
    assert "| other | skipped | not installed |" in page
    assert "busy" not in as_markdown(results(*GOOD), "x")


def test_a_bar_in_a_text_does_not_break_the_table():
    assert "a \\| b" in as_markdown(results(*GOOD), "x")


def test_the_picture_runs_nothing(tmp_path: Path):
    path = tmp_path / "one.svg"
    assert draw(results(*GOOD), path)
    drawn = path.read_text()
    assert "<script" not in drawn
    assert drawn.count("350") >= 1
    assert "orthanc" in drawn


def test_small_rates_keep_their_decimals():
    assert figure(Spread(1.256, 0.4, 30.0, 3)) == "1.26 (0.40-30.00)"
    assert figure(Spread(1234.5, 1000, 2000, 3)) == "1,234 (1,000-2,000)"
    assert figure(None) == "-"

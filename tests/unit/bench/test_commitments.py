"""Commitments: what counts as committed, and what as a problem."""

from typing import Any

import pytest

from gateway.bench.commitments import commitments_of, problems_of
from gateway.bench.committed import lines
from gateway.bench.figures import Bar, Spread, judge, wait_p95, waits
from tests.unit.bench.samples import committed_run, run

CASE = ("study", 1)


def request(**changes: Any) -> dict[str, Any]:
    return {
        "association": 0, "items": 2, "length": 20, "last_answer": 1.0, "asked": 1.1, "answered": 1.2,
        "status": "0000", "reported": 3.0, "repeats": 0, "committed": 2, "committed_bytes": 20, "failed": {},
        "strange": 0, "unnamed": 0,
    } | changes  # fmt: skip


def test_only_what_reports_name_is_committed_and_the_clock_ends_with_the_last():
    lost = request(reported=None, committed=0, committed_bytes=0)
    found = commitments_of([request(), request(reported=4.0, last_answer=2.5), lost])
    assert found is not None
    assert (found.committed, found.length, found.seconds) == (4, 40, 4.0)
    assert found.waits == [1.5, 2.0]
    assert commitments_of([]) is None


def test_a_request_all_of_which_is_committed_is_no_problem():
    assert list(problems_of([request(), request()])) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "0213", "reported": None}, "1 requests for commitment answered 0213"),
        ({"status": None, "reported": None}, "1 requests for commitment answered no answer"),
        ({"reported": None}, "1 commitments were never reported"),
        ({"failed": {"0112": 2}}, "2 instances failed commitment with 0112H"),
        ({"unnamed": 1}, "1 instances are in no list of their report"),
        ({"strange": 1}, "1 instances in reports were not asked for, or are there twice"),
        ({"repeats": 1}, "1 commitments were reported more than once"),
    ],
)
def test_whatever_is_not_a_report_of_success_is_a_problem(changes: dict[str, Any], words: str):
    assert list(problems_of([request(), request(**changes)])) == [words]


def test_waits_are_taken_over_all_studies_of_the_good_runs():
    runs = [
        committed_run((1.0, 2.0)),
        committed_run((3.0, 9.0), repetition=1),
        committed_run((99.0,), repetition=2, problems=("bad",)),
        run("kuva", 1.0, workload="study", associations=1, repetition=3),
    ]
    assert waits(runs, "kuva", CASE) == [1.0, 2.0, 3.0, 9.0]
    assert wait_p95(runs, "kuva", CASE) == Spread(9.0, 2.0, 9.0, 2)
    assert wait_p95(runs, "other", CASE) is None


@pytest.mark.parametrize(("most", "met"), [(9.0, False), (9.1, True)])
def test_a_bar_for_reports_is_judged_by_their_95th_percentile(most: float, met: bool):
    bar = Bar("study", 1, report_p95_most=most)
    assert judge(bar, [committed_run((1.0, 9.0))], "kuva").met is met
    assert judge(bar, [run("kuva", workload="study", associations=1)], "kuva").met is None


def test_the_table_has_a_line_for_each_peer_that_was_measured_so():
    runs = [committed_run((1.0, 9.0)), run("orthanc", workload="study", associations=1)]
    found = lines(
        runs, [CASE], ["kuva", "orthanc"], lambda value, _, scale: f"{value and value.median * scale:g}"
    )
    assert [line[:2] for line in found] == [("study x1", "kuva")]
    assert found[0][5:9] == ("2", "1.00", "9.00", "9.00")
    assert found[0][10] == "0.5"

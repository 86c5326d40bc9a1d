"""Figures: the arithmetic over runs and repetitions."""

import pytest

from gateway.bench.figures import Bar, Spread, judge, latency_of, over_repetitions, percentile, ratios, spread
from tests.unit.bench.samples import run


def test_a_percentile_is_a_value_that_was_measured_by_nearest_rank():
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, share) for share in (0.01, 0.5, 0.99, 1.0)] == [1, 50, 99, 100]
    assert percentile([7.0], 0.5) == percentile([7.0], 0.99) == 7.0
    assert percentile([1.0, 2.0, 3.0], 0.5) == 2.0


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.1)])
def test_a_percentile_of_nothing_is_an_error(values: list[float], share: float):
    with pytest.raises(ValueError, match="no values"):
        percentile(values, share)


def test_latencies_are_milliseconds_in_whatever_order_they_came():
    latency = latency_of([3000, 1000, 2000, 900_000])
    assert (latency.p50, latency.p99, latency.max) == (2.0, 900.0, 900.0)


def test_a_spread_is_median_least_and_most():
    assert spread([3.0, 1.0, 2.0]) == Spread(2.0, 1.0, 3.0, 3)
    assert spread([1.0, 2.0]) == Spread(1.5, 1.0, 2.0, 2)
    assert spread([]) is None


def test_rates_are_over_the_time_from_start_to_last_answer():
    measured = run(rate=100.0)
    assert measured.instances_per_second == 100.0
    assert measured.megabytes_per_second == 100.0
    assert measured.cpu_milliseconds_per_instance == 5.0


def test_ratios_are_taken_within_a_repetition_and_never_across():
    runs = [
        run("kuva", 100, repetition=0), run("orthanc", 50, repetition=0),
        run("kuva", 30, repetition=1), run("orthanc", 10, repetition=1),
    ]  # fmt: skip
    assert ratios(runs, "kuva", "orthanc", ("ct", 4)) == {0: 2.0, 1: 3.0}


def test_a_repetition_in_which_either_failed_has_no_ratio():
    runs = [
        run("kuva", 100, repetition=0), run("orthanc", 50, repetition=0, problems=("lost one",)),
        run("kuva", 100, repetition=1, problems=("lost one",)), run("orthanc", 50, repetition=1),
        run("kuva", 90, repetition=2), run("orthanc", 30, repetition=2),
    ]  # fmt: skip
    assert ratios(runs, "kuva", "orthanc", ("ct", 4)) == {2: 3.0}


def test_cases_are_not_mixed():
    runs = [run("kuva", 100), run("orthanc", 50, associations=1), run("orthanc", 50, workload="tiny")]
    assert ratios(runs, "kuva", "orthanc", ("ct", 4)) == {}


def test_a_failed_runs_figures_are_left_out():
    runs = [run(rate=10), run(rate=1000, repetition=1, problems=("refused",))]
    rate = over_repetitions(runs, "kuva", ("ct", 4), lambda one: one.instances_per_second)
    assert rate == Spread(10, 10, 10, 1)


def test_a_ratio_bar_is_judged_by_the_median():
    bar = Bar("ct", 4, over="orthanc", ratio_least=3.0)
    runs = [run("orthanc", 10, repetition=n) for n in range(3)]
    ours = [run("kuva", rate, repetition=n) for n, rate in enumerate((20, 30, 90))]
    assert judge(bar, runs + ours, "kuva").met is True
    ours[1] = run("kuva", 29, repetition=1)
    assert judge(bar, runs + ours, "kuva").met is False


def test_a_growth_bar_is_judged_by_the_worst_repetition():
    bar = Bar("ct", 4, resident_growth_most=64)
    runs = [run(growth=10), run(growth=63, repetition=1)]
    assert judge(bar, runs, "kuva").met is True
    assert judge(bar, [*runs, run(growth=64, repetition=2)], "kuva").met is False


def test_a_bar_that_nothing_was_measured_for_is_neither_met_nor_missed():
    assert judge(Bar("ct", 4, over="orthanc", ratio_least=3.0), [run()], "kuva").met is None
    failed = [run(problems=("lost",))]
    assert judge(Bar("ct", 4, resident_growth_most=64), failed, "kuva").met is None

"""A series: what is measured when, and what ends it."""

import itertools

import pytest

from gateway.bench import series
from gateway.bench.figures import Run
from gateway.bench.measuring import Configuration
from gateway.bench.peer import Kind, Peer
from gateway.bench.series import in_turn, measure
from gateway.bench.workload import Template, Workload
from tests.unit.bench.samples import run


def peer(name: str) -> Peer:
    return Peer(name=name, title=name, kind=Kind.FILES, called="X", durability="")


WORKLOADS = [Workload(name, name, "1.2", 1, 1, 1, (Template("1.2", "CT", text=1),)) for name in ("a", "b")]
ALL = [Configuration(peer(p), w, n) for w in WORKLOADS for n in (1, 4) for p in ("kuva", "x", "y")]


class FakeBench:
    """Takes no time of its own; the clock is a list."""

    def __init__(self) -> None:
        self.order: list[tuple[int, str, int, str]] = []

    def run(self, what: Configuration, repetition: int) -> Run:
        self.order.append((repetition, what.workload.name, what.associations, what.peer.name))
        return run(what.peer.name, repetition=repetition, workload=what.workload.name)


def test_repetition_is_outermost_and_peers_stand_side_by_side():
    bench = FakeBench()
    found = measure(bench, ALL, 2, seconds_most=60)  # type: ignore[arg-type]
    assert found.repetitions == 2
    assert [repetition for repetition, *_ in bench.order] == [0] * 12 + [1] * 12
    for repetition in (0, 1):
        cases = [entry[1:3] for entry in bench.order if entry[0] == repetition]
        assert [case for case, _ in itertools.groupby(cases)] == [("a", 1), ("a", 4), ("b", 1), ("b", 4)]


def test_everybody_comes_first_in_turn():
    firsts = [in_turn(ALL, repetition)[0].peer.name for repetition in range(4)]
    assert firsts == ["kuva", "x", "y", "kuva"]
    for repetition in range(4):
        assert sorted(map(repr, in_turn(ALL, repetition))) == sorted(map(repr, ALL))


@pytest.mark.parametrize(("seconds_most", "made"), [(1000, 5), (55, 4), (10, 3)])
def test_no_repetition_is_begun_that_would_not_end_in_time_but_three_are_made(
    monkeypatch: pytest.MonkeyPatch, seconds_most: float, made: int
):
    seconds = itertools.count(step=10)  # each repetition asks once and takes ten seconds
    monkeypatch.setattr(series.time, "monotonic", lambda: float(next(seconds)))
    found = measure(FakeBench(), ALL, 5, seconds_most=seconds_most)  # type: ignore[arg-type]
    assert (found.repetitions, found.cut_short) == (made, made < 5)

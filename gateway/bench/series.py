"""A series: all configurations interleaved, repetition outermost, within a time that was promised."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.bench.figures import Run
from gateway.bench.measuring import Bench, Configuration

REPETITIONS_LEAST = 3


@dataclass(slots=True)
class Series:
    """What has been measured so far."""

    runs: list[Run] = field(default_factory=list)
    repetitions: int = 0
    seconds: float = 0.0
    cut_short: bool = False
    """The time was up before all repetitions were made."""

    @property
    def failed(self) -> list[Run]:
        return [run for run in self.runs if not run.good]


def measure(
    bench: Bench,
    configurations: Sequence[Configuration],
    repetitions: int,
    *,
    seconds_most: float,
    on_run: Callable[[Run], None] = lambda _: None,
    on_begin: Callable[[Configuration, int], None] = lambda _, __: None,
) -> Series:
    """Repeats all configurations. At least `REPETITIONS_LEAST` times (or as often as asked, if that is
    less); beyond that no repetition is begun that would not end in time."""
    series, began = Series(), time.monotonic()
    for repetition in range(repetitions):
        taken = time.monotonic() - began
        longest = taken / repetition if repetition else 0.0
        if repetition >= REPETITIONS_LEAST and taken + longest > seconds_most:
            series.cut_short = True
            break
        for what in in_turn(configurations, repetition):
            on_begin(what, repetition)
            run = bench.run(what, repetition)
            series.runs.append(run)
            on_run(run)
        series.repetitions += 1
    series.seconds = time.monotonic() - began
    return series


def in_turn(configurations: Sequence[Configuration], repetition: int) -> list[Configuration]:
    """Cases in order, peers side by side; who comes first changes, so that nobody always follows the same."""
    cases: dict[tuple[str, int], list[Configuration]] = {}
    for one in configurations:
        cases.setdefault((one.workload.name, one.associations), []).append(one)
    ordered = []
    for peers in cases.values():
        first = repetition % len(peers)
        ordered += peers[first:] + peers[:first]
    return ordered

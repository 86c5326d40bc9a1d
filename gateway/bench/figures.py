"""Figures: what one run measured, and the arithmetic over repetitions. Pure."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Latency:
    """Response times of one run, milliseconds."""

    p50: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Moment:
    """One look at a server and its machine while a load runs."""

    seconds: float
    """Since the clock started."""
    dirty: int
    """Bytes in the page cache of the whole machine that no disk has yet."""
    resident: int
    """Of the server with all its children, summed, bytes."""
    cpu_seconds: float
    """Of the same, since the clock started."""
    gauges: dict[str, float]
    """What the server says of itself."""


@dataclass(frozen=True, slots=True)
class Committed:
    """Of a run that was measured until everything was committed: what it was by its answers alone."""

    answered: int
    """Instances."""
    answered_length: int
    """Bytes of their data sets."""
    answered_seconds: float
    """To the last answer."""
    waits: tuple[float, ...]
    """From last answer to report, of each study, in order; seconds."""
    beside: int = 0
    """Instances that another association stored meanwhile; they are in no rate."""
    beside_length: int = 0
    """Bytes of their data sets."""
    beside_seconds: float = 0.0
    """From the start of the load until that one had its last answer."""

    @property
    def answered_megabytes_per_second(self) -> float:
        return self.answered_length / self.answered_seconds / MEGABYTE


@dataclass(frozen=True, slots=True)
class Run:
    """One run: one peer, one workload, one number of associations, one repetition."""

    peer: str
    workload: str
    associations: int
    repetition: int
    instances: int
    """Answered with success; where commitment was asked for: committed."""
    length: int
    """Bytes of their data sets."""
    seconds: float
    """From the moment when all associations stood to the last response, or the last report."""
    latency: Latency
    cpu_seconds: float
    """Of the server with all its children, until it has settled."""
    load_cpu_seconds: float
    """Of the load generator, which shares the machine."""
    other_cpu_share: float
    """Of the machine's CPU time meanwhile that went neither to the server nor to the load, 0 to 1."""
    resident_before: int
    resident_peak: int
    """Resident memory of the server with all its children, summed, bytes."""
    settle_seconds: float = 0.0
    """From the last response until everything was in the peer's index, where we can see that."""
    prewrite_seconds: float = 0.0
    """To write the journal's segments before the clock started."""
    start_seconds: float = 0.0
    problems: tuple[str, ...] = ()
    """Why the figures must not be used."""
    committed: Committed | None = None
    timeline: tuple[Moment, ...] = ()

    @property
    def good(self) -> bool:
        return not self.problems

    @property
    def instances_per_second(self) -> float:
        return self.instances / self.seconds

    @property
    def megabytes_per_second(self) -> float:
        return self.length / self.seconds / MEGABYTE

    @property
    def cpu_milliseconds_per_instance(self) -> float:
        return 1000 * self.cpu_seconds / max(1, self.instances)

    @property
    def resident_growth(self) -> int:
        return max(0, self.resident_peak - self.resident_before)


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over the repetitions."""

    median: float
    least: float
    most: float
    count: int


Case = tuple[str, int]
"""(workload, associations)."""


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """Nearest rank: the least value that `share` of all are not above. ValueError if there is none."""
    if not sorted_values or not 0 < share <= 1:
        raise ValueError("no values, or no share of them")
    return sorted_values[math.ceil(share * len(sorted_values)) - 1]


def latency_of(microseconds: Iterable[int]) -> Latency:
    """Of all answers of a run. ValueError if there were none."""
    ordered = sorted(microseconds)
    p50, p99, most = (percentile(ordered, share) / 1000 for share in (0.5, 0.99, 1.0))
    return Latency(p50, p99, most)


def spread(values: Iterable[float]) -> Spread | None:
    """None if there are no values."""
    found = list(values)
    return Spread(statistics.median(found), min(found), max(found), len(found)) if found else None


def ratios(runs: Iterable[Run], peer: str, over: str, case: Case) -> dict[int, float]:
    """Instances a second of `peer` over those of `over`, within each repetition in which both are good."""
    rates: dict[tuple[str, int], float] = {
        (run.peer, run.repetition): run.instances_per_second
        for run in runs
        if (run.workload, run.associations) == case and run.good
    }
    return {
        repetition: rate / rates[over, repetition]
        for (name, repetition), rate in sorted(rates.items())
        if name == peer and (over, repetition) in rates
    }


def over_repetitions(
    runs: Iterable[Run], peer: str, case: Case, figure: Callable[[Run], float]
) -> Spread | None:
    """A figure of one peer and case; runs with problems have none."""
    return spread(
        figure(run)
        for run in runs
        if run.peer == peer and (run.workload, run.associations) == case and run.good
    )


def waits(runs: Iterable[Run], peer: str, case: Case) -> list[float]:
    """From last answer to report, of every study in all good runs of a case; seconds, in order."""
    return sorted(
        wait
        for run in runs
        if run.peer == peer and (run.workload, run.associations) == case and run.good and run.committed
        for wait in run.committed.waits
    )


def wait_p95(runs: Sequence[Run], peer: str, case: Case) -> Spread | None:
    """Over all studies; least and most are those of the repetitions' own."""
    found = waits(runs, peer, case)
    if not found:
        return None
    of = [percentile(own, 0.95) for run in runs if (own := waits([run], peer, case))]
    return Spread(percentile(found, 0.95), min(of), max(of), len(of))


@dataclass(frozen=True, slots=True)
class Bar:
    """What was set out to be reached in one case: a ratio at least, or a growth at most."""

    workload: str
    associations: int
    over: str = ""
    ratio_least: float = 0.0
    resident_growth_most: int = 0
    report_p95_most: float = 0.0
    """Seconds from a study's last answer to its report."""
    aim: float = 0.0
    """What would be better still, of whichever figure it is."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A bar and what was measured; `met` is None where nothing was."""

    bar: Bar
    measured: Spread | None
    met: bool | None


def judge(bar: Bar, runs: Sequence[Run], peer: str) -> Judged:
    """A ratio is judged by its median, a growth by its worst repetition, a wait over all studies."""
    case = bar.workload, bar.associations
    if bar.over:
        measured = spread(ratios(runs, peer, bar.over, case).values())
        met = None if measured is None else measured.median >= bar.ratio_least
    elif bar.report_p95_most:
        measured = wait_p95(runs, peer, case)
        met = None if measured is None else measured.median < bar.report_p95_most
    else:
        measured = over_repetitions(runs, peer, case, lambda run: run.resident_growth)
        met = None if measured is None else measured.most < bar.resident_growth_most
    return Judged(bar, measured, met)


def bar_of(said: Mapping[str, object]) -> Bar:
    """From a table of `bars.toml`. TypeError for an unknown or missing key."""
    return Bar(**said)  # type: ignore[arg-type]

"""Committed: the tables about runs that were measured until everything was committed."""

from collections.abc import Callable, Sequence

from gateway.bench.figures import Case, Committed, Run, Spread, over_repetitions, percentile, waits

HEADINGS = (
    "case", "peer", "seconds", "committed MB/s", "by answers alone MB/s", "studies", "wait p50 s", "p95 s",
    "max s", "CPU s/GB", "journal fill, most", "dirty MB, most", "beside MB/s",
)  # fmt: skip
_FILL = "kuva_journal_fill"
Figure = Callable[[Spread | None, str, float], str]


def lines(
    runs: Sequence[Run], cases: Sequence[Case], peers: Sequence[str], figure: Figure
) -> list[tuple[str, ...]]:
    """A line for each peer and case that was measured so, below `HEADINGS`."""
    return [
        _line(runs, case, peer, figure)
        for case in cases
        for peer in peers
        if any(_is(run, peer, case) and run.committed for run in runs)
    ]


def _line(runs: Sequence[Run], case: Case, peer: str, figure: Figure) -> tuple[str, ...]:
    def over(value: Callable[[Run, Committed], float], form: str = "", scale: float = 1.0) -> str:
        def of(run: Run) -> float:
            assert run.committed is not None
            return value(run, run.committed)

        return figure(over_repetitions(runs, peer, case, of), form, scale)

    return (
        f"{case[0]} x{case[1]}", peer, over(lambda run, _: run.seconds),
        over(lambda run, _: run.megabytes_per_second),
        over(lambda _, one: one.answered_megabytes_per_second), *_waits(waits(runs, peer, case)),
        over(lambda run, one: run.cpu_seconds / (run.length + one.beside_length), ".2f", 1e9),
        over(lambda run, _: most(run, _FILL), ".0%"),
        over(lambda run, _: max((moment.dirty for moment in run.timeline), default=0), ".0f", 1e-6),
        over(lambda _, one: one.beside_length / max(one.beside_seconds, 1e-9), ".0f", 1e-6),
    )  # fmt: skip


def _waits(found: Sequence[float]) -> tuple[str, ...]:
    """How many, and p50, p95 and max."""
    if not found:
        return "0", "-", "-", "-"
    return (str(len(found)), *(f"{percentile(found, share):.2f}" for share in (0.5, 0.95, 1.0)))


def most(run: Run, gauge: str) -> float:
    """Of a gauge over the timeline."""
    return max((moment.gauges[gauge] for moment in run.timeline if gauge in moment.gauges), default=0.0)


def _is(run: Run, peer: str, case: Case) -> bool:
    return run.peer == peer and (run.workload, run.associations) == case and run.good

"""Runs as they might have been measured."""

from dataclasses import replace

from gateway.bench.figures import Committed, Latency, Moment, Run


def run(
    peer: str = "kuva",
    rate: float = 100.0,
    *,
    repetition: int = 0,
    workload: str = "ct",
    associations: int = 4,
    growth: int = 10,
    problems: tuple[str, ...] = (),
    other: float = 0.0,
) -> Run:
    return Run(
        peer=peer,
        workload=workload,
        associations=associations,
        repetition=repetition,
        instances=int(rate * 2),
        length=int(rate * 2) * 1_000_000,
        seconds=2.0,
        latency=Latency(1.0, 2.0, 3.0),
        cpu_seconds=1.0,
        load_cpu_seconds=0.5,
        other_cpu_share=other,
        resident_before=1000,
        resident_peak=1000 + growth,
        problems=problems,
    )


def committed_run(
    waits: tuple[float, ...], *, repetition: int = 0, problems: tuple[str, ...] = (), fill: float = 0.5
) -> Run:
    """Of one association with the workload "study"."""
    committed = Committed(answered=200, answered_length=200_000_000, answered_seconds=1.0, waits=waits)
    moment = Moment(0.0, 1000, 1000, 0.0, {"kuva_journal_fill": fill})
    return replace(
        run(workload="study", associations=1, repetition=repetition, problems=problems),
        committed=committed, timeline=(moment,),
    )  # fmt: skip

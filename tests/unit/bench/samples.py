"""Runs as they might have been measured."""

from gateway.bench.figures import Latency, Run


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

"""`kuva flame`: where this program's CPU time goes while it stores."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from gateway.bench import results
from gateway.bench.failure import BenchError
from gateway.bench.flame import Flame
from gateway.bench.kit import ROOT, chosen, load_kit
from gateway.bench.measuring import Bench, Configuration
from gateway.bench.store import Stores
from gateway.bench.workload import Until
from gateway.cli.bench import Folder, UntilWhat, default_folder, names, number
from gateway.cli.speaking import Json, output, plain_errors, print_json

LONGER = 3
"""Times as many instances as are measured: more samples."""
SECONDS_MAX = {Until.ANSWERED: 6.0, Until.COMMITTED: 15.0}
"""Of one load: samples of 16 KiB of stack fill memory and disk."""

Workloads = Annotated[str, typer.Option("--workload", "-w", help="Names, with commas: benchmarks/workloads.")]
Associations = Annotated[str, typer.Option("--associations", "-n", help="A number.")]


def flame(
    *,
    workload: Workloads = "ct,tiny",
    associations: Associations = "4",
    folder: Folder = None,
    until: UntilWhat = Until.ANSWERED,
    into: Annotated[Path | None, typer.Option(help="Where the pictures go; else benchmarks/results.")] = None,
    json: Json = False,
) -> None:
    """Draw flame graphs of the gateway and its PostgreSQL under load, with perf and inferno.

    Sampling slows it down: the rates in the titles are not to be quoted.

    Example: kuva flame --workload tiny --associations 4
    Example: kuva flame --until committed --workload ct-sustained
    """
    with plain_errors():
        kit = load_kit()
        stores = Stores(folder or default_folder())
        try:
            recording = Flame(ROOT / "target" / "tools" / "bin", stores.new("samples"))
            bench = Bench(
                stores, kit.load, seconds_max=SECONDS_MAX[until], workloads=kit.workloads,
                beside=recording.recording,
            )  # fmt: skip
            drawn = []
            for chosen_workload in chosen("workload", kit.workloads, names(workload)):
                longer = replace(chosen_workload, instances=LONGER * chosen_workload.instances)
                peer = kit.peers[results.OURS]
                if until is Until.COMMITTED:
                    peer = peer.committing(peer.name)
                what = Configuration(peer, longer, number(associations))
                drawn.append(_drawn(bench, recording, what, into or kit.results))
        finally:
            stores.remove()
            stores.close()
    if json:
        print_json(drawn)
    else:
        for one in drawn:
            output.print(
                f"{one['cpu_seconds']:.1f} s of CPU time: {one['path']}", markup=False, soft_wrap=True
            )


def _drawn(bench: Bench, recording: Flame, what: Configuration, into: Path) -> dict[str, object]:
    bench.prepare([what])
    run = bench.run(what, 0)
    if not run.good:
        raise BenchError("; ".join(run.problems))
    case = f"{what.workload.name}-x{what.associations}"
    path = into / f"{results.now():%Y-%m-%d}-flame-{case}.svg"
    title = f"{case}, {run.megabytes_per_second:,.0f} MB/s while sampled"
    return {"path": str(path), "cpu_seconds": recording.draw(path, title)}

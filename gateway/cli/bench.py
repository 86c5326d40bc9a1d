"""`kuva bench`: measures this program beside DCMTK and Orthanc on this machine."""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.bench import committed, machine, plot, results
from gateway.bench.cases import cases, configured, default_peers, kit_for
from gateway.bench.failure import BenchError, BenchUsageError
from gateway.bench.figures import Run
from gateway.bench.kit import Kit, chosen, load_kit
from gateway.bench.measuring import Bench, Configuration
from gateway.bench.peer import Peer
from gateway.bench.results import Results
from gateway.bench.series import Series, measure
from gateway.bench.store import MEMORY_FILE_SYSTEMS, Stores
from gateway.bench.workload import Until
from gateway.cli.speaking import Exit, Json, complaint, output, plain_errors, print_json, table


@dataclass(frozen=True, slots=True)
class _Extent:
    """How much is measured."""

    repetitions: int
    seconds: float
    """Of one load; slow peers are cut off, and their rates are what they did until then."""
    minutes: float


FULL = _Extent(repetitions=5, seconds=2.5, minutes=12.0)
QUICK = _Extent(repetitions=3, seconds=1.5, minutes=3.0)
COMMITTED = _Extent(repetitions=3, seconds=60.0, minutes=10.0)
COMMITTED_QUICK = _Extent(repetitions=1, seconds=15.0, minutes=3.0)


_USUAL = {
    (Until.ANSWERED, False): FULL, (Until.ANSWERED, True): QUICK,
    (Until.COMMITTED, False): COMMITTED, (Until.COMMITTED, True): COMMITTED_QUICK,
}  # fmt: skip
_WHOLE = {
    (Until.ANSWERED, False): "full", (Until.ANSWERED, True): "quick",
    (Until.COMMITTED, False): "committed", (Until.COMMITTED, True): "committed-quick",
}  # fmt: skip
"""Names of the results of all that there is, in full or quick."""

Peers = Annotated[str, typer.Option(help="Names, with commas: benchmarks/peers.")]
Workloads = Annotated[str, typer.Option("--workload", "-w", help="Names, with commas: benchmarks/workloads.")]
Associations = Annotated[str, typer.Option("--associations", "-n", help="Numbers, with commas.")]
Repetitions = Annotated[int | None, typer.Option("--repetitions", "-r", min=1, help="Of everything.")]
Quick = Annotated[bool, typer.Option("--quick", help="Only the cases with bars, 3 times; under 3 minutes.")]
Seconds = Annotated[float | None, typer.Option(min=0.1, help="Longest time of one load.")]
Minutes = Annotated[float | None, typer.Option(min=0.1, help="No fourth repetition would end after that.")]
UntilWhat = Annotated[Until, typer.Option("--until", help="When an instance counts.")]
Window = Annotated[int, typer.Option(min=1, max=16, help="C-STOREs at once on one association.")]
Against = Annotated[Path | None, typer.Option(help="Another checkout of this program, as peer 'before'.")]
Folder = Annotated[Path | None, typer.Option(help="Where the stores go: on a real disk.")]
Keep = Annotated[
    bool, typer.Option("--keep", help="Leave the emptied files: another bench can follow at once.")
]
PeerFolder = Annotated[Path | None, typer.Option(help="Peers from there, not benchmarks/peers.")]
What = Annotated[str | None, typer.Option(help="Name of the results, written to benchmarks/results.")]


def bench(
    *,
    peers: Peers = "",
    workload: Workloads = "",
    associations: Associations = "",
    repetitions: Repetitions = None,
    until: UntilWhat = Until.ANSWERED,
    quick: Quick = False,
    seconds: Seconds = None,
    minutes: Minutes = None,
    window: Window = 1,
    against: Against = None,
    folder: Folder = None,
    keep: Keep = False,
    peer_folder: PeerFolder = None,
    what: What = None,
    json: Json = False,
) -> None:
    """Measure how fast instances are stored, beside other archives, and count what was kept.

    Everything runs on this machine, in turn, each time on a fresh store. Results of a whole or --quick run
    are written to benchmarks/results; those of a part of it only with --what. Exits 1 if any run lost or
    refused an instance: its figures are left out. With --until committed ours is measured until the last
    storage commitment report, and Orthanc, unless named as orthanc-committed, still until its last answer.

    Example: kuva bench --peers kuva,storescp --workload ct --associations 4 --repetitions 3
    """
    extent = _extent(_USUAL[until, quick], repetitions, seconds, minutes)
    partial = bool(peers or workload or associations or against)
    name = what or (None if partial else _WHOLE[until, quick])
    with plain_errors():
        kit = kit_for(load_kit(peers=peer_folder), until)
        measured, skipped = _peers(kit, names(peers), against)
        wanted = cases(kit, names(workload), [number(text) for text in names(associations)], until, quick)
        configurations = configured(kit, measured, wanted, every_peer=bool(peers) or until is Until.ANSWERED)
        asked = _Asked(name or "part", skipped, window, json, until)
        shown = _measured(kit, folder or default_folder(), configurations, extent, asked, keep=keep)
        written = _written(shown, kit.results) if name else []
    if json:
        print_json(results.as_json(shown))
    else:
        _tell(shown, written)
    if shown.series.failed:
        raise typer.Exit(Exit.FAILED)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What goes with the measuring, beside what is measured."""

    what: str
    skipped: dict[str, str]
    window: int
    quiet: bool
    until: Until


def _measured(
    kit: Kit, folder: Path, configurations: list[Configuration], extent: _Extent, asked: _Asked, *, keep: bool
) -> Results:
    """Measures, with a progress bar, and puts together what one must know to read it."""
    stores = Stores(folder)
    notes = tuple(_notes(stores, asked))
    described, began = machine.described(stores.file_system), results.now()
    measuring = Bench(
        stores, kit.load, seconds_max=extent.seconds, window=asked.window, workloads=kit.workloads
    )
    try:
        series = _series(measuring, configurations, extent, quiet=asked.quiet)
    finally:
        if not keep:
            stores.remove()
        stores.close()
    measured = {one.peer.name: one.peer for one in configurations}
    return Results(
        began=began, what=asked.what, machine=described, series=series, bars=kit.bars, skipped=asked.skipped,
        until=asked.until,
        workloads={one.workload.name: one.workload.title for one in configurations}, notes=notes,
        peers={
            peer.name: {
                "title": peer.title, "version": machine.version_of(peer),
                "durability": measuring.durability.get(peer.name, peer.durability),
            }
            for peer in measured.values()
        },
    )  # fmt: skip


def _series(measuring: Bench, configurations: list[Configuration], extent: _Extent, *, quiet: bool) -> Series:
    columns = (
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=complaint, disable=quiet or not complaint.is_terminal) as progress:
        bar = progress.add_task("making data sets", total=len(configurations) * extent.repetitions)
        measuring.prepare(configurations)

        def begin(what: Configuration, repetition: int) -> None:
            case = f"{what.workload.name} x{what.associations}"
            progress.update(bar, description=f"repetition {repetition + 1}: {case}, {what.peer.name}")

        def done(run: Run) -> None:
            progress.advance(bar)
            if not run.good:
                complaint.print(results.failure_words(run), markup=False, style="red", soft_wrap=True)

        return measure(
            measuring, configurations, extent.repetitions, seconds_most=60 * extent.minutes, on_run=done,
            on_begin=begin,
        )  # fmt: skip


def _peers(kit: Kit, names: list[str], against: Path | None) -> tuple[list[Peer], dict[str, str]]:
    """Those that are there, and why the others are skipped. One that was asked for by name must be there."""
    wanted = chosen("peer", kit.peers, names or default_peers(kit))
    skipped = {
        peer.name: f"{peer.program} is not installed" + (f" (package {peer.package})" if peer.package else "")
        for peer in wanted
        if not peer.installed
    }
    if names and skipped:
        raise BenchError("; ".join(skipped.values()))
    measured = [peer for peer in wanted if peer.installed]
    if against is not None:
        measured.append(kit.peers[results.OURS].at(against.expanduser().absolute(), "before"))
    return measured, skipped


def _extent(usual: _Extent, repetitions: int | None, seconds: float | None, minutes: float | None) -> _Extent:
    return _Extent(repetitions or usual.repetitions, seconds or usual.seconds, minutes or usual.minutes)


def names(text: str) -> list[str]:
    """Of a list with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def number(text: str) -> int:
    """Of associations. Raises `BenchUsageError`."""
    if not text.isdecimal() or not 1 <= int(text) <= 64:
        raise BenchUsageError(f"--associations {text}: write numbers from 1 to 64, like 1,4")
    return int(text)


def default_folder() -> Path:
    """Below /var/tmp: on a disk, where the temporary folder may be memory."""
    lasting = Path("/var/tmp")  # noqa: S108 - a folder of our own is made in it
    return (lasting if lasting.is_dir() else Path(tempfile.gettempdir())) / "kuva-bench"


def _notes(stores: Stores, asked: _Asked) -> Iterable[str]:
    """What makes these figures worth less."""
    if stores.file_system.split()[0] in MEMORY_FILE_SYSTEMS:
        yield f"The stores are in memory ({stores.file_system}): nothing here is durable."
    if (ago := stores.deleted_seconds_ago()) is not None:
        yield (
            f"The files of an earlier bench were removed {ago:.0f} s before: ext4 may create files more "
            "slowly, to the disadvantage of peers that keep a file for each instance. Wait, or use --keep."
        )
    if asked.window > 1:
        yield f"Asynchronous window of {asked.window}, where the peer agrees."


def _written(shown: Results, folder: Path) -> list[Path]:
    """The results, and a picture of them where pygal is installed."""
    written = results.write(shown, folder)
    stem = results.file_stem(shown)
    picture, journal = folder / f"{stem}.svg", folder / f"{stem}-journal.svg"
    if plot.draw(shown, picture):
        written.append(picture)
    if plot.draw_journal(shown, journal):
        written.append(journal)
    return written


def _tell(shown: Results, written: list[Path]) -> None:
    for note in shown.remarks:
        output.print(note, markup=False, style="yellow", soft_wrap=True)
    for name, why in shown.skipped.items():
        output.print(f"skipped: {name}: {why}", markup=False, style="yellow")
    first, second, *numbers = results.HEADINGS_SHORT
    made = table(first, second, *(f">{heading}" for heading in numbers))
    for row in results.rows(shown):
        made.add_row(*results.cells_short(row))
    output.print(made)
    output.print(
        f"median (least-most) of {shown.series.repetitions} repetitions, {shown.series.seconds:.0f} s"
    )
    if lines := results.committed_lines(shown):
        first, second, *numbers = committed.HEADINGS
        made = table(first, second, *(f">{heading}" for heading in numbers))
        for line in lines:
            made.add_row(*line)
        output.print(made)
    bars = table("bar", "measured", "")
    for one in shown.judged():
        what, measured, word = results.bar_words(one)
        bars.add_row(what, measured, word, style=None if one.met else "yellow")
    if bars.row_count:
        output.print(bars)
    for run in shown.series.failed:
        output.print(results.failure_words(run), markup=False, style="red", soft_wrap=True)
    for path in written:
        output.print(f"written: {path}", markup=False, soft_wrap=True)

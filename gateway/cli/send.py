"""`kuva send`: stores files in any archive that speaks DICOM."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from gateway.cli.sending import File, Outcome, Report, ResumeList, Sender, read, walk
from gateway.cli.speaking import Exit, Json, complaint, output, plain_errors, print_json, size
from gateway.cli.values import address, ae_title, file, place
from gateway.errors import GatewayError
from gateway.wire.dicom.refusals import recognise
from gateway.wire.dicom.status import name_of

LISTED_MAX = 50
READ_AT_ONCE = 256

Called = Annotated[str, typer.Option(help="Called AE title.", parser=ae_title, metavar="TITLE")]
Calling = Annotated[str, typer.Option(help="Calling AE title.", parser=ae_title, metavar="TITLE")]
Resume = Annotated[
    Path | None,
    typer.Option(help="List of acknowledged files, kept and skipped next time.", parser=file, metavar="FILE"),
]


def send(
    paths: Annotated[list[Path], typer.Argument(parser=place, metavar="PATH...", help="Files and folders.")],
    *,
    to: Annotated[str, typer.Option(help="HOST:PORT of the archive.")] = "127.0.0.1:11112",
    called: Called = "KUVA",
    calling: Calling = "KUVASEND",
    associations: Annotated[int, typer.Option("--associations", "-n", min=1, max=64, help="At once.")] = 2,
    resume: Resume = None,
    json: Json = False,
) -> None:
    """Send DICOM files by C-STORE: folders are walked, associations reused, failures tried again.

    Exits 1 if any file was not acknowledged. What folders hold beside DICOM is counted, and no failure; a
    file that you name is one if it is not DICOM, and so is whatever cannot be read.

    Example: kuva send /archive/2019 --to 127.0.0.1:11112 --associations 4 --resume 2019.sent
    """
    host, port = address(to)
    began = time.monotonic()
    with plain_errors():
        load = _Load(ResumeList(resume), quiet=json or not complaint.is_terminal)
        sender = Sender(
            host=host, port=port, called=called, calling=calling,
            associations=associations, on_outcome=load.done,
        )  # fmt: skip
        with load.progress, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                runner.run(load.run(sender, paths))
            finally:
                load.acknowledged.close()
    report, seconds = load.report, time.monotonic() - began
    if json:
        print_json({**asdict(report), "seconds": round(seconds, 3)})
    else:
        _tell(report, seconds)
    if report.failed or report.left:
        raise typer.Exit(Exit.FAILED)


class _Load:
    """One run of the command: what is to be sent, and how far it is."""

    def __init__(self, acknowledged: ResumeList, *, quiet: bool) -> None:
        self.report = Report()
        self.acknowledged = acknowledged
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self.progress = Progress(*columns, console=complaint, disable=quiet)
        self._bar = self.progress.add_task("reading", total=None)

    async def run(self, sender: Sender, paths: Sequence[Path]) -> None:
        files: list[File] = []
        named = set(map(str, paths))  # a folder's path is no file's
        for some in _batches(walk(paths, self.report.failed.append)):
            left = [path for path in some if path not in self.acknowledged]
            self.report.skipped += len(some) - len(left)
            reading = await asyncio.to_thread(read, left)
            files += reading.files
            missed = [outcome for outcome in reading.not_dicom if outcome.path in named]
            self.report.not_dicom += len(reading.not_dicom) - len(missed)
            self.report.failed += missed + reading.unreadable
        unread = len(self.report.failed)
        self.progress.update(self._bar, description="sending", total=sum(file.length for file in files))
        try:
            await sender.send(files)
        except GatewayError as error:
            self.report.ended = str(error)
        self.report.left = len(files) - self.report.sent - (len(self.report.failed) - unread)

    def done(self, outcome: Outcome) -> None:
        self.progress.advance(self._bar, outcome.length)
        if outcome.acknowledged:
            self.acknowledged.add(outcome)  # first: what the list does not have is not told as done
            self.report.sent += 1
            self.report.length += outcome.length
        else:
            self.report.failed.append(outcome)


def _tell(report: Report, seconds: float) -> None:
    rate = f"{report.sent / seconds:,.0f} a second, {size(report.length / seconds)}/s" if seconds > 0 else ""
    output.print(
        f"{report.sent} instances acknowledged, {size(report.length)} in {seconds:.1f} s ({rate})",
    )
    for many, what in (
        (report.skipped, "skipped: acknowledged earlier, as the resume list says"),
        (report.not_dicom, "not DICOM Part 10 files, left out"),
    ):
        if many:
            output.print(f"{many} {what}")
    if report.ended:
        output.print(
            f"{report.left} not tried, since sending ended: {report.ended}", style="red", soft_wrap=True
        )
    if report.failed:
        output.print(f"{len(report.failed)} were not acknowledged:")
        for outcome in report.failed[:LISTED_MAX]:
            output.print(outcome.path, markup=False, soft_wrap=True)
            output.print(
                f"  {_status_of(outcome)}: {outcome.comment}".rstrip(": "), markup=False, soft_wrap=True
            )
        for line in _meanings(report.failed):
            output.print(line, markup=False)
        if len(report.failed) > LISTED_MAX:
            output.print(f"... and {len(report.failed) - LISTED_MAX} more; --json lists all")


def _status_of(outcome: Outcome) -> str:
    if outcome.status is not None:
        return name_of(outcome.status)
    return "no answer" if outcome.sent else "not sent"


def _meanings(failed: Iterable[Outcome]) -> Iterator[str]:
    """What to do about each refusal of an archive of ours, once: its words are in our own catalogue."""
    found = (recognise(one.comment, one.status) for one in failed if one.status is not None)
    for refusal in dict.fromkeys(found):
        if refusal is not None:
            yield f"{refusal.code}: {refusal.mend} (kuva refusal show {refusal.code})"


def _batches(paths: Iterable[Path]) -> Iterator[list[Path]]:
    rest = iter(paths)
    while some := list(islice(rest, READ_AT_ONCE)):
        yield some

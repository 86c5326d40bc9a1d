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

from gateway.cli.committing import Commitments, Committer
from gateway.cli.sending import File, Outcome, Report, ResumeList, Sender, read, walk
from gateway.cli.speaking import Exit, Json, complaint, output, plain_errors, print_json, size, table
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

ReportPort = Annotated[
    int | None,
    typer.Option(
        min=1, max=65_535,
        help="Take reports also on associations that the archive opens to this port of ours.",
    ),
]  # fmt: skip


def send(
    paths: Annotated[list[Path], typer.Argument(parser=place, metavar="PATH...", help="Files and folders.")],
    *,
    to: Annotated[str, typer.Option(help="HOST:PORT of the archive.")] = "127.0.0.1:11112",
    called: Called = "KUVA",
    calling: Calling = "KUVASEND",
    associations: Annotated[int, typer.Option("--associations", "-n", min=1, max=64, help="At once.")] = 2,
    resume: Resume = None,
    commit: Annotated[
        bool, typer.Option("--commit", help="Then ask for storage commitment, and wait for it.")
    ] = False,
    report_port: ReportPort = None,
    commit_seconds: Annotated[float, typer.Option(min=1, help="How long to wait for reports.")] = 300.0,
    json: Json = False,
) -> None:
    """Send DICOM files by C-STORE: folders are walked, associations reused, failures tried again.

    Exits 1 if any file was not acknowledged. What folders hold beside DICOM is counted, and no failure; a
    file that you name is one if it is not DICOM, and so is whatever cannot be read. With --commit it exits 1,
    too, unless the archive answers for every instance that this run sent.

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
        committer = Committer(
            host=host, port=port, called=called, calling=calling, report_port=report_port,
            seconds=commit_seconds, on_report=load.reported,
        )  # fmt: skip
        with load.progress, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                runner.run(load.run(sender, paths, committer if commit else None))
            finally:
                load.acknowledged.close()
    _finish(load, time.monotonic() - began, json=json)


def _finish(load: "_Load", seconds: float, *, json: bool) -> None:
    report, commitments = load.report, load.commitments
    if json:
        told = {"commitment": _shown(commitments)} if commitments else {}
        print_json({**asdict(report), **told, "seconds": round(seconds, 3)})
    else:
        _tell(report, seconds)
        if commitments:
            _tell_commitments(commitments)
    uncommitted = commitments is not None and commitments.committed < commitments.asked
    if report.failed or report.left or uncommitted:
        raise typer.Exit(Exit.FAILED)


class _Load:
    """One run of the command: what is to be sent, and how far it is."""

    def __init__(self, acknowledged: ResumeList, *, quiet: bool) -> None:
        self.report = Report()
        self.acknowledged = acknowledged
        self.commitments: Commitments | None = None
        self._taken: set[str] = set()
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self.progress = Progress(*columns, console=complaint, disable=quiet)
        self._bar = self.progress.add_task("reading", total=None)

    async def run(self, sender: Sender, paths: Sequence[Path], committer: Committer | None = None) -> None:
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
        if committer is not None:
            await self._commit(committer, files)

    async def _commit(self, committer: Committer, files: Sequence[File]) -> None:
        taken = (file for file in files if str(file.path) in self._taken)
        references = list(dict.fromkeys((file.sop_class, file.sop_instance) for file in taken))
        self.progress.reset(self._bar, description="waiting for reports", total=len(references))
        self.commitments = await committer.commit(references)

    def reported(self, instances: int) -> None:
        """So many instances have their result."""
        self.progress.advance(self._bar, instances)

    def done(self, outcome: Outcome) -> None:
        self.progress.advance(self._bar, outcome.length)
        if outcome.acknowledged:
            self.acknowledged.add(outcome)  # first: what the list does not have is not told as done
            self._taken.add(outcome.path)
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


def _shown(commitments: Commitments) -> dict[str, object]:
    failed = {uid: f"{reason:04X}H" for uid, reason in commitments.failed.items()}
    return {**asdict(commitments), "failed": failed}


def _tell_commitments(commitments: Commitments) -> None:
    output.print(
        f"{commitments.committed} of {commitments.asked} instances committed: the archive answers for them"
    )
    if commitments.ended:
        output.print(
            f"{commitments.unreported} without a report: {commitments.ended}", style="red", soft_wrap=True
        )
    if commitments.failed:
        shown = table("SOP Instance UID", "Why", title=f"{len(commitments.failed)} were not committed")
        for uid, reason in list(commitments.failed.items())[:LISTED_MAX]:
            shown.add_row(uid, name_of(reason))
        output.print(shown)


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

"""Telling: what a person sees while the demo runs, and at its end."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from gateway.demo.outcome import Outcome

FINDINGS_MAX = 20
"""Of one act, that are told one by one."""


class Telling:
    """Writes to one console; with `--json` that is standard error, so that standard output stays clean."""

    def __init__(self, *, json: bool) -> None:
        console = Console(stderr=json, highlight=False)
        self.console = console if console.is_terminal else Console(stderr=json, highlight=False, width=120)
        self._acts = 0

    def act(self, title: str) -> None:
        """A new act begins."""
        self._acts += 1
        self.console.print(f"\n[bold]{self._acts}. {title}[/bold]", soft_wrap=True)

    def say(self, text: str) -> None:
        """One line of what happened, indented below its act. Plain text: no markup is read in it."""
        self.console.print("   " + text, markup=False, soft_wrap=True)

    @contextmanager
    def progress(self, text: str, total: int) -> Iterator["Step"]:
        """A bar that `Step.done` moves; it may be called from any thread."""
        columns = (
            TextColumn("   {task.description}"), BarColumn(bar_width=30), MofNCompleteColumn(),
            TimeElapsedColumn(),
        )  # fmt: skip
        with Progress(
            *columns, console=self.console, transient=True, disable=not self.console.is_terminal
        ) as bar:
            yield Step(bar, text, total)

    def table(self, *columns: str, rows: Sequence[Sequence[str]], title: str = "") -> None:
        """A table below the act, its cells plain text."""
        table = Table(*columns, title=title or None, title_justify="left", pad_edge=False)
        for row in rows:
            table.add_row(*(cell.replace("[", "\\[") for cell in row))
        self.console.print(table)

    def summary(self, outcomes: Sequence[Outcome]) -> None:
        """All acts in one table, with their verdicts."""
        rows = [
            (
                o.title,
                f"{o.instances:,}",
                size(o.length),
                rate(o),
                f"{o.seconds:.1f} s",
                o.verdict,
            )
            for o in outcomes
        ]
        self.console.print()
        self.table("what", "instances", "data", "rate", "took", "verdict", rows=rows)
        for outcome in outcomes:
            for finding in told(outcome.findings):
                self.console.print(
                    f"MISMATCH {outcome.title}: {finding}", style="bold red", markup=False, soft_wrap=True
                )


class Step:
    """One progress bar."""

    def __init__(self, bar: Progress, text: str, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task(text, total=total)

    def done(self, _: object = None) -> None:
        """One more is done."""
        self._bar.advance(self._task)


def told(findings: Sequence[str]) -> Sequence[str]:
    """The first of them, and how many more there are; `--json` has all."""
    more = len(findings) - FINDINGS_MAX
    return findings if more <= 0 else (*findings[:FINDINGS_MAX], f"and {more} more")


def size(length: int) -> str:
    """Bytes as people read them."""
    return f"{length / 1e6:,.1f} MB" if length >= 100_000 else f"{length:,} B"


def rate(outcome: Outcome) -> str:
    """Instances a second, the foreign peer's own time included; "" where that says nothing."""
    return f"{outcome.instances / outcome.transfer_seconds:,.0f}/s" if outcome.transfer_seconds else ""

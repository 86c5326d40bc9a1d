"""`kuva rebuild`: a catalogue that was lost is made again from the object store."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.cli.speaking import (
    Config,
    Data,
    Exit,
    Json,
    complaint,
    output,
    plain_errors,
    print_json,
    settings_of,
)
from gateway.settings import Settings
from gateway.telemetry import set_up_log

if TYPE_CHECKING:
    from gateway.custody.rebuilding import Progress as Done
    from gateway.custody.rebuilding import Rebuilt

SHOWN_MAX = 20


def rebuild(
    *,
    leave_unread: Annotated[
        bool,
        typer.Option("--leave-unread", help="End it without what the store cannot give; it is named."),
    ] = False,
    config: Config = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Make a lost catalogue again: what was received from the volumes, what was decided from the facts.

    Needs an empty catalogue and no running gateway. Every volume is read whole and checked. May be stopped
    at any time and run again; until it is finished the gateway does not start. What is only in a node's
    journal is landed when that node starts.

    Example: kuva rebuild --config kuva.toml
    """
    settings = settings_of(config, data)
    set_up_log(settings.log_level, settings.log_format)
    with plain_errors(), _bar(shown=not json and sys.stdout.isatty()) as told:
        rebuilt = asyncio.run(_run(settings, told, leave_unread=leave_unread))
    if json:
        print_json(_document(rebuilt))
    else:
        _tell(rebuilt, leave_unread=leave_unread)
    raise typer.Exit(_code(rebuilt, leave_unread=leave_unread))


async def _run(settings: Settings, told: "Callable[[Done], None]", *, leave_unread: bool) -> "Rebuilt":
    # Late: other commands need not load the core.
    from gateway.app import locked
    from gateway.catalogue.opening import open_catalogue
    from gateway.custody.rebuilding import Rebuilder
    from gateway.ingest.arbitration import matches
    from gateway.journal.room import LOCATOR_KEY_LENGTH
    from gateway.storage.local import LocalStore

    async with AsyncExitStack() as stack:
        stack.enter_context(locked(settings.data))
        store = await LocalStore.open(settings.store_folder)
        stack.push_async_callback(store.close)
        catalogue, _ = await open_catalogue(settings, matches, stack)
        key = (await catalogue.nodes.locator_key())[:LOCATOR_KEY_LENGTH]
        rebuilder = Rebuilder(catalogue, store, key, told)
        return await rebuilder.run(leave_unread=leave_unread)


class _bar:  # noqa: N801 - a context manager, called like a function
    """A progress bar over the bytes of the volumes, where somebody looks."""

    def __init__(self, *, shown: bool) -> None:
        columns = (TextColumn("volumes"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=complaint, disable=not shown, transient=True)
        self._task = self._progress.add_task("volumes", total=None)

    def __enter__(self) -> "Callable[[Done], None]":
        self._progress.start()
        return self._told

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _told(self, done: "Done") -> None:
        self._progress.update(self._task, completed=done.done, total=done.whole)


def _code(rebuilt: "Rebuilt", *, leave_unread: bool) -> Exit:
    if not rebuilt.whole and not leave_unread:
        return Exit.FAILED
    return Exit.ATTENTION if rebuilt.damaged or rebuilt.lost or rebuilt.unread else Exit.DONE


def _document(rebuilt: "Rebuilt") -> dict[str, object]:
    names = (
        "volumes", "volumes_before", "instances", "quarantined", "facts", "custody", "uncommitted",
        "finished", "damaged", "unread", "lost",
    )  # fmt: skip
    return {name: getattr(rebuilt, name) for name in names}


def _tell(rebuilt: "Rebuilt", *, leave_unread: bool) -> None:
    before = f" ({rebuilt.volumes_before:,} more were in already)" if rebuilt.volumes_before else ""
    output.print(
        f"{rebuilt.volumes:,} volumes{before} with {rebuilt.instances:,} instances"
        f" and {rebuilt.quarantined:,} in quarantine; {rebuilt.facts:,} facts; "
        f"custody of {rebuilt.custody:,} instances.",
        soft_wrap=True,
    )
    if rebuilt.uncommitted:
        output.print(
            f"{rebuilt.uncommitted:,} volumes hold instances that no fact says are in custody: "
            "nobody asked for commitment, or the fact is lost.",
            soft_wrap=True,
        )
    _list("not what it was, left where it is", rebuilt.damaged)
    _list("the store could not give it", rebuilt.unread)
    _list(
        "IN CUSTODY, AND NOT THERE", {one: f"facts {', '.join(facts)}" for one, facts in rebuilt.lost.items()}
    )
    if not rebuilt.finished:
        complaint.print(
            "The rebuild is not finished, and the gateway does not start: run it again, "
            "or with --leave-unread to go on without what the store cannot give.",
            style="red", soft_wrap=True,
        )  # fmt: skip
    elif not leave_unread or not rebuilt.unread:
        output.print("Finished. What is only in a node's journal is landed when that node starts.")


def _list(title: str, found: dict[str, str]) -> None:
    for number, (name, why) in enumerate(sorted(found.items())):
        if number == SHOWN_MAX:
            output.print(f"  ... and {len(found) - SHOWN_MAX:,} more: --json lists them all")
            return
        output.print(f"  {title}: {name}: {why}", soft_wrap=True)

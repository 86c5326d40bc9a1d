"""Speaking to people and to scripts: exit codes, plain errors, tables, JSON."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from json import dumps
from pathlib import Path
from typing import Annotated, Any, NoReturn
from unicodedata import category

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.bench.failure import BenchUsageError
from gateway.cli.values import folder
from gateway.errors import GatewayError, JournalRotError, SettingsError
from gateway.settings import Settings, load

WIDTH_ELSEWHERE = 250
"""Columns where nobody looks: pipes and files, in which a folded UID is of no use."""


def printable(text: str) -> str:
    """With what would steer a terminal made visible: names, keys and paths are other people's words."""
    return "".join(c if _is_plain(c) else repr(c)[1:-1] for c in text)


def _is_plain(character: str) -> bool:
    return character.isprintable() or character in "\n\t" or category(character) == "Zs"


class Plain(Console):
    """A console that prints what it is given and obeys none of it: no markup, no emoji, no control codes.

    Names, reasons and paths come from peers and people; square brackets in them are square brackets.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        watched = (sys.stderr if stderr else sys.stdout).isatty()
        super().__init__(
            stderr=stderr,
            highlight=False,
            markup=False,
            emoji=False,
            width=None if watched else WIDTH_ELSEWHERE,
        )

    def render_str(self, text: str, **how: Any) -> Text:  # noqa: ANN401 - rich's own
        """Every string comes through here, those in tables too."""
        return super().render_str(printable(text), **how)


output = Plain()
complaint = Plain(stderr=True)


UID_WIDTH = 44
"""Most UIDs; longer ones are folded on a narrow terminal, never cut."""


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    FAILED = 1
    """What was asked for could not be done, or not all of it."""
    USAGE = 2
    """The command or the settings are wrong."""
    ATTENTION = 3
    """Done, and something waits for a person: a mismatch, an open incident."""
    NOT_RUNNING = 4
    """The command needs a running gateway, and none runs on that data folder."""


Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="The settings file (kuva.toml).", exists=True, dir_okay=False),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", "-d", help="The data folder; wins over the settings.", parser=folder, metavar="FOLDER"
    ),
]


def settings_of(config: Path | None, data: Path | None = None, **changes: dict[str, Any]) -> Settings:
    """The settings in force. `changes` are (section -> fields) from options; they win. Ends on an error."""
    with plain_errors():
        settings = load(config)
        update: dict[str, Any] = {"data": data.expanduser().absolute()} if data is not None else {}
        for section, fields in changes.items():
            wanted = {name: value for name, value in fields.items() if value is not None}
            update[section] = getattr(settings, section).model_copy(update=wanted)
        settings = settings.model_copy(update=update)
        settings.check()
        return settings
    raise AssertionError("unreachable")


@contextmanager
def plain_errors() -> Iterator[None]:
    """Says what is wrong and what to do, and ends the command with the right code."""
    try:
        yield
    except SettingsError as error:
        for finding in error.findings:
            complaint.print(f"settings: {finding}", style="red", soft_wrap=True)
        fail("Nothing was started. 'kuva config show' prints every setting with its meaning.", Exit.USAGE)
    except JournalRotError as error:
        complaint.print(f"kuva: {error}", style="red", soft_wrap=True)
        fail(
            "A record that was known durable has changed on the disk; nothing was written. Keep the data "
            "folder as it is, look at the disk (dmesg, smartctl), and restore the folder from an earlier "
            "copy, or ask for help: going on could hide a loss."
        )
    except BenchUsageError as error:
        fail(str(error), Exit.USAGE)
    except GatewayError as error:
        fail(str(error))


def fail(message: str, code: Exit = Exit.FAILED) -> NoReturn:
    """Ends the command."""
    complaint.print(f"kuva: {message}", style="red", soft_wrap=True)
    raise typer.Exit(code)


def print_json(value: object) -> None:
    """One JSON document, on one line where nobody looks, indented on a terminal."""
    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0)
    try:
        written = orjson.dumps(value, option=option, default=str)
    except TypeError:  # a path that is not UTF-8: the standard library writes it as Python reads it back
        written = dumps(value, default=str).encode() + b"\n"
    sys.stdout.buffer.write(written)
    sys.stdout.flush()


def table(*columns: str, title: str | None = None) -> Table:
    """A plain table; columns that begin with `>` are flush right."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(
            column.removeprefix(">"),
            justify="right" if column.startswith(">") else "left",
            overflow="fold",
            min_width=UID_WIDTH if column.endswith("UID") else None,
        )
    return made


def size(number: float) -> str:
    """Bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if number < 1024 or unit == "GiB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    raise AssertionError("unreachable")

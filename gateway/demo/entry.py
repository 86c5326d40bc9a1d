"""`kuva demo`, as the command line sees it; what it needs is loaded when it is asked for."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer


def _folder(text: str) -> Path:
    """An empty word, which a path would take for here, is more likely a variable that was not set."""
    if not text.strip():
        raise typer.BadParameter("empty")
    return Path(text)


def demo(
    *,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the gateway running at the end.")] = False,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where everything goes; kept at the end. Without: a temporary one, removed if all is well.",
            parser=_folder,
            metavar="FOLDER",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a summary as JSON on standard output.")
    ] = False,
) -> None:
    """Start a gateway, send and fetch back real DICOM with foreign peers, and try to break it.

    Exits with 0 if everything was as promised, 3 on any mismatch, 1 if it could not be played to the end.

    Example: kuva demo --keep --folder /tmp/kuva-demo
    """
    from gateway.demo.playing import perform  # late: other commands need no foreign peers

    try:
        code = asyncio.run(perform(keep=keep, folder=folder, as_json=as_json))
    except asyncio.CancelledError:  # by a signal; the gateway is stopped
        code = 1
    raise typer.Exit(code)

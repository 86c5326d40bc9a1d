"""Playing the story from the command line: the place, the verdict, and what is left behind."""

import asyncio
import dataclasses
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
import typer

from gateway.demo.outcome import Outcome
from gateway.demo.peers import PeerError
from gateway.demo.running import GatewayFailed, RunningGateway
from gateway.demo.story import play
from gateway.demo.telling import Telling

_BROKEN, _MISMATCH = 1, 3
"""Exit codes, as of every `kuva` command: not done; done, and a person must look."""


async def perform(*, keep: bool, folder: Path | None, as_json: bool) -> int:
    """Plays the demo and returns the exit code of the command."""
    began = time.monotonic()
    telling = Telling(json=as_json)
    place = await asyncio.to_thread(_place, folder)
    gateway = RunningGateway(place / "data")
    outcomes: list[Outcome] = []
    trouble = ""
    try:
        async for outcome in play(gateway, place, telling):
            outcomes.append(outcome)
    except (GatewayFailed, PeerError) as error:
        trouble = str(error)
    finally:
        stopped = await _leave(
            gateway, place, telling, keep=keep and not trouble, keep_folder=folder is not None
        )
    trouble = trouble or stopped
    telling.summary(outcomes)
    seconds = time.monotonic() - began
    code = _BROKEN if trouble else _MISMATCH if any(o.findings for o in outcomes) else 0
    _close(telling, code=code, trouble=trouble, seconds=seconds)
    if keep and not trouble:
        _tell_next(gateway, telling)
    if as_json:
        sys.stdout.buffer.write(_summary(outcomes, code=code, trouble=trouble, seconds=seconds) + b"\n")
    return code


def _place(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="kuva-demo-"))
    folder = folder.expanduser().absolute()
    if (folder / "data").exists():
        raise typer.BadParameter(f"{folder} holds a data folder already; the demo starts from an empty one")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def _leave(
    gateway: RunningGateway, place: Path, telling: Telling, *, keep: bool, keep_folder: bool
) -> str:
    """Stops the gateway and removes the temporary folder, unless told to keep; returns what went wrong."""
    if keep:
        return ""
    trouble = ""
    try:
        if gateway.pid and (code := await gateway.stop()):
            trouble = f"on SIGTERM the gateway exited with {code}"
    except GatewayFailed as error:
        trouble = str(error)
    if keep_folder or trouble:
        telling.say(f"everything is left in {place}")
    else:
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
    return trouble


def _close(telling: Telling, *, code: int, trouble: str, seconds: float) -> None:
    if trouble:
        telling.console.print(f"\nNot played to the end: {trouble}", style="bold red", markup=False)
    verdict = {0: "Everything was as promised", _MISMATCH: "Something was not as promised"}.get(
        code, "Broken off"
    )
    telling.console.print(f"\n{verdict} ({seconds:.0f} s).", style="bold green" if code == 0 else "bold red")


def _tell_next(gateway: RunningGateway, telling: Telling) -> None:
    listening = gateway.listening
    assert listening is not None
    settings = " ".join(f"{name}='{value}'" for name, value in gateway.settings.items())
    telling.console.print("\n[bold]It is still running[/bold]")
    for line in (
        f"data folder   {gateway.data} (journal, embedded PostgreSQL); log {gateway.log}",
        f"DICOM         {listening.host}:{listening.dicom_port}, AE title KUVA",
        f"HTTP          http://{listening.host}:{listening.http_port}/metrics",
        f"stop it       kill -TERM {gateway.pid}",
        "",
        "What to try next:",
        f"  export {settings}",
        "  kuva study list",
        "  kuva incident list",
        "  kuva journal show",
        f"  kuva send --help         # then send your own files to {listening.host}:{listening.dicom_port}",
    ):
        telling.console.print(line, markup=False, soft_wrap=True)


def _summary(outcomes: Sequence[Outcome], *, code: int, trouble: str, seconds: float) -> bytes:
    return orjson.dumps(
        {
            "exit": code,
            "trouble": trouble,
            "seconds": round(seconds, 1),
            "acts": [dataclasses.asdict(outcome) for outcome in outcomes],
        },
        option=orjson.OPT_INDENT_2,
    )

"""Playing the story from the command line: the place, the verdict, and what is left behind."""

import asyncio
import dataclasses
import shutil
import signal
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

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_BROKEN, _MISMATCH = 1, 3
"""Exit codes, as of every `kuva` command: not done; done, and a person must look."""


async def perform(*, keep: bool, folder: Path | None, as_json: bool) -> int:
    """Plays the demo and returns the exit code of the command."""
    began = time.monotonic()
    telling = Telling(json=as_json)
    place = await asyncio.to_thread(_place, folder)
    gateway = RunningGateway(place / "data", outlives=keep)
    break_off_on_signals()
    outcomes: list[Outcome] = []
    trouble, finished = "", False
    try:
        async for outcome in play(gateway, place, telling):
            outcomes.append(outcome)  # noqa: PERF401 - what was shown before it broke off is told too
        finished = True
    except (GatewayFailed, PeerError) as error:
        trouble = str(error)
    finally:
        stopped = await _leave(
            gateway,
            place,
            telling,
            keep=keep and finished,
            keep_folder=folder is not None or bool(trouble) or any(o.findings for o in outcomes),
        )
    trouble = trouble or stopped
    telling.summary(outcomes)
    seconds = time.monotonic() - began
    code = _BROKEN if trouble else _MISMATCH if any(o.findings for o in outcomes) else 0
    _close(telling, code=code, trouble=trouble, seconds=seconds)
    await asyncio.to_thread(_tell_places, gateway, place, telling)
    if as_json:
        sys.stdout.buffer.write(_summary(outcomes, code=code, trouble=trouble, seconds=seconds) + b"\n")
    return code


def break_off_on_signals() -> None:
    """SIGTERM and SIGHUP cancel this task, once: the gateway is stopped and nothing is left running."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None, "called by the task that is to be cancelled"

    def cancel() -> None:
        for number in _ENDING:
            loop.add_signal_handler(number, lambda: None)  # it is under way
        task.cancel()

    for number in _ENDING:
        loop.add_signal_handler(number, cancel)


def _place(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="kuva-demo-"))
    folder = folder.expanduser().absolute()
    if (folder / "data").exists():
        raise typer.BadParameter(
            f"{folder} holds a data folder already; the demo starts from an empty one", param_hint="--folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"{folder}: {error.strerror}", param_hint="--folder") from None
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
        telling.console.print(
            f"\nNot played to the end: {trouble}", style="bold red", markup=False, soft_wrap=True
        )
    verdict = {0: "Everything was as promised", _MISMATCH: "Something was not as promised"}.get(
        code, "Broken off"
    )
    telling.console.print(f"\n{verdict} ({seconds:.0f} s).", style="bold green" if code == 0 else "bold red")


def _tell_places(gateway: RunningGateway, place: Path, telling: Telling) -> None:
    """Where things are, and what to try next."""
    kuva, data = _kuva(), f"--data {gateway.data}"
    material = place / "material"
    lines = [("everything", f"{place} ({'kept' if place.exists() else 'temporary, removed'})")]
    listening = gateway.listening
    if listening:
        lines += [
            ("data folder", f"{gateway.data}: journal/ (1 GiB), postgresql/ (embedded); log: {gateway.log}"),
            ("DICOM", f"{listening.host}:{listening.dicom_port}, called AE title KUVA, any calling title"),
            ("HTTP", f"http://{listening.host}:{listening.http_port}/health, /ready, /metrics"),
        ]
    if gateway.pid and listening:
        to = f"{listening.host}:{listening.dicom_port}"
        lines += [
            ("running", f"process {gateway.pid}; stop it with: kill -TERM {gateway.pid}"),
            ("try next", f"{kuva} study list {data}"),
            ("", f"{kuva} incident list {data} --state all"),
            ("", f"{kuva} journal show {data}"),
            (
                "",
                f"{kuva} send {material}/made --to {to} --called KUVA",
            ),
        ]
    else:
        lines += [
            ("try next", f"{kuva} demo --keep --folder FOLDER   # the same, and the gateway stays"),
            ("", f"{kuva} serve                         # an archive of your own, in .kuva"),
            ("", f"{kuva} send --help                   # then send it your own files"),
        ]
    telling.console.print()
    for name, value in lines:
        telling.console.print(f"{name:<12} {value}", markup=False, soft_wrap=True)


def _kuva() -> str:
    """The command as it was called, so that what is printed can be copied."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "kuva" else f"{sys.executable} -m gateway"


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

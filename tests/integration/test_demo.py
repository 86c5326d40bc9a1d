"""`kuva demo`, whole: what it shows a stranger must stay true."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.gateway_process import eventually

ACTS = [
    "start",
    "send",
    "fetch back",
    "DCMTK, there and back",
    "send again",
    "conflicting twin",
    "crash and recovery",
    "storage commitment",
    "volumes, read by others",
    "killed between stages",
]


@pytest.mark.slow
def test_the_demo_plays_to_its_end_and_everything_is_as_promised() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KUVA_")}
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "demo", "--json"],
        capture_output=True,
        timeout=480,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr.decode()[-4000:]
    said = orjson.loads(done.stdout)
    assert [act["title"] for act in said["acts"]] == ACTS
    assert [act["findings"] for act in said["acts"]] == [[]] * len(ACTS)
    by_title = {act["title"]: act for act in said["acts"]}
    # Images that packages carry without their pixels are refused, and not among them.
    assert by_title["fetch back"]["instances"] > 140
    assert by_title["crash and recovery"]["instances"] == 600
    assert by_title["storage commitment"]["instances"] == by_title["volumes, read by others"]["instances"]
    assert by_title["killed between stages"]["instances"] >= 6 * 48


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sign", "options"),
    [(signal.SIGTERM, ()), (signal.SIGHUP, ("--keep",)), (signal.SIGKILL, ())],
    ids=["terminated", "hung-up-while-to-be-kept", "killed"],
)
def test_a_demo_that_is_broken_off_leaves_no_process_behind(
    tmp_path: Path, sign: signal.Signals, options: tuple[str, ...]
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KUVA_")}
    place = tmp_path / "place"
    playing = subprocess.Popen(
        [sys.executable, "-m", "gateway", "demo", "--json", "--folder", str(place), *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    try:
        log = place / "gateway.log"  # from the first association on it is ready, and would go on by itself
        eventually(lambda: log.exists() and "association accepted" in log.read_text(), 90, "the first act")
        assert "postgres" in " ".join(running_on(place))
        playing.send_signal(sign)
        playing.wait(60)
        eventually(lambda: not running_on(place), 60, "the end of every process of the demo")
    finally:
        playing.kill()
        playing.wait()


def running_on(place: Path) -> list[str]:
    """Command lines of the processes that name the folder, or whose working or data folder is in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            said = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
            if str(place).encode() in said:
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found

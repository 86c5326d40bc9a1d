"""`kuva demo`, whole: what it shows a stranger must stay true."""

import os
import subprocess
import sys

import orjson
import pytest

ACTS = [
    "start",
    "send",
    "fetch back",
    "DCMTK, there and back",
    "send again",
    "conflicting twin",
    "crash and recovery",
]


@pytest.mark.slow
def test_the_demo_plays_to_its_end_and_everything_is_as_promised() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KUVA_")}
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "demo", "--json"],
        capture_output=True,
        timeout=240,
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

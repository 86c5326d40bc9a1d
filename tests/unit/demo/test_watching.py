"""What a kill hit is told from what was seen outside, and afterwards."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.demo.watching import Evidence, Stage, Watch, evidence, stage_of, strike

READER = """
import sys
for action in sys.stdin:
    if action == "open\\n":
        file = open(sys.argv[1])
    else:
        file.close()
    print("done", flush=True)
"""
DEAD_AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    for room in ("volumes", "facts"):
        (tmp_path / room / "v").mkdir(parents=True)
    (tmp_path / "volumes/v/OLD.tar").touch()
    (tmp_path / "volumes/v/.OLD.tar.1.unfinished").touch()
    (tmp_path / "facts/v/OLD.json").touch()
    return tmp_path


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def order(process: subprocess.Popen[bytes], action: str) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{action}\n".encode())
    process.stdin.flush()
    assert process.stdout.readline() == b"done\n"


def test_what_was_there_before_is_not_looked_at(store: Path) -> None:
    watch = Watch(store, 1 << 30)
    watch.look()
    assert not any((watch.unfinished, watch.put, watch.read_back, watch.decided))


def test_a_volume_is_seen_on_its_way_and_under_its_name(store: Path) -> None:
    watch = Watch(store, 1 << 30)
    part = store / "volumes/v/.NEW.tar.1.unfinished"
    part.touch()
    watch.look()
    assert (watch.unfinished, watch.put) == (True, False)
    part.rename(store / "volumes/v/NEW.tar")
    (store / "facts/v/.NEW.json.1.unfinished").touch()
    watch.look()
    assert (watch.unfinished, watch.put, watch.decided) == (False, True, True)


def test_reading_back_is_over_when_the_file_is_closed_again(store: Path) -> None:
    volume = store / "volumes/v/NEW.tar"
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(volume)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        watch = Watch(store, process.pid)
        volume.touch()
        for action, read_back in (("open", False), ("close", True), ("open", True)):
            order(process, action)
            watch.look()
            assert watch.read_back is read_back
        process.kill()


def test_what_died_while_it_read_was_not_read_back(store: Path, sleeper: subprocess.Popen[bytes]) -> None:
    volume = store / "volumes/v/NEW.tar"
    watch = Watch(store, sleeper.pid)
    volume.touch()
    watch._reading = True  # as the last look before the kill saw it
    sleeper.kill()
    sleeper.wait()
    found = evidence(watch, reported=False)
    assert (found.put, found.read_back) == (True, False)


def test_the_kill_comes_when_it_is_seen(store: Path, sleeper: subprocess.Popen[bytes]) -> None:
    watch = Watch(store, sleeper.pid)
    over = threading.Event()
    assert not strike(watch, lambda w: w.put, seconds=0.05, given_up=over)
    assert sleeper.poll() is None
    (store / "volumes/v/NEW.tar").touch()
    assert strike(watch, lambda w: w.put, seconds=60, given_up=over)
    assert sleeper.wait() == -9
    over.set()
    assert not strike(watch, lambda w: True, seconds=60, given_up=over)


BEFORE, AFTER = DEAD_AT - timedelta(seconds=1), DEAD_AT + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("found", "verified_at", "stage"),
    [
        (Evidence(DEAD_AT), AFTER, Stage.RECEIVED),
        (Evidence(DEAD_AT, unfinished=True), AFTER, Stage.ASSEMBLED),
        (Evidence(DEAD_AT, put=True), AFTER, Stage.PUT),
        (Evidence(DEAD_AT, put=True), None, Stage.PUT),
        (Evidence(DEAD_AT, put=True, read_back=True), AFTER, Stage.READ_BACK),
        (Evidence(DEAD_AT, put=True, read_back=True), BEFORE, Stage.CATALOGUED),
        (Evidence(DEAD_AT, put=True, read_back=True, reported=True), BEFORE, Stage.REPORTED),
    ],
)
def test_the_stage_follows_from_the_evidence(
    found: Evidence, verified_at: datetime | None, stage: Stage
) -> None:
    assert stage_of(found, verified_at) is stage

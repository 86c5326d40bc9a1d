"""Watching a gateway from outside: its store's folder, its open files, and SIGKILL at what is seen."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

LOOK_SECONDS = 0.0004
"""Between two looks. What takes less may be missed."""


class Stage(Enum):
    """What had happened to a study, and nothing after it, when the gateway died; in this order."""

    RECEIVED = "received"
    """Every instance answered 0000H; nothing in the store."""
    ASSEMBLED = "assembled"
    """Its bytes are on their way into the store, under no name yet."""
    PUT = "put"
    """The volume stands in the store, durable; nothing rests on it."""
    READ_BACK = "read back"
    """It was read from the medium; the catalogue does not know."""
    CATALOGUED = "catalogued"
    """Verified; no report reached the sender."""
    REPORTED = "reported"
    """A report reached the sender; no answer to it reached the gateway."""


class Watch:
    """What is new in a store's folder since it began, and which of it a gateway has open for reading."""

    def __init__(self, store: Path, pid: int) -> None:
        self.pid = pid
        self._store, self._files = store, Path(f"/proc/{pid}/fd")
        self._known = frozenset(self._names())
        self._reading = False
        self.unfinished = False
        """A volume is being put: its file has no name yet."""
        self.put = False
        """A volume stands under its name."""
        self.read_back = False
        """It was open for reading while the gateway lived, and is closed again."""
        self.decided = False
        """A fact is being written: the result is decided, and not told yet."""

    def look(self) -> None:
        """Looks once, and remembers."""
        new = [name for name in self._names() if name not in self._known]
        self.unfinished = any(_is(name, "volumes", hidden=True) for name in new)
        volumes = [str(self._store / name) for name in new if _is(name, "volumes", hidden=False)]
        self.put = bool(volumes)
        self.decided = any(name.startswith("facts/") for name in new)
        if volumes and not self.read_back:
            was, self._reading = self._reading, any(_link(file) in volumes for file in self._open())
            self.read_back = was and not self._reading

    def after_death(self) -> None:
        """What the store's folder holds now that nobody writes; what was read is as it was last seen."""
        read_back = self.read_back
        self.look()
        self.read_back = read_back

    def _names(self) -> list[str]:
        """Files below volumes/VAULT and facts/VAULT, hidden ones too."""
        return [
            f"{room}/{vault}/{name}"
            for room in ("volumes", "facts")
            for vault in _entries(self._store / room)
            for name in _entries(self._store / room / vault)
        ]

    def _open(self) -> list[Path]:
        return [self._files / number for number in _entries(self._files)]


def _is(name: str, room: str, *, hidden: bool) -> bool:
    return name.startswith(f"{room}/") and name.rpartition("/")[2].startswith(".") is hidden


def _entries(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _link(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def strike(watch: Watch, seen: Callable[[Watch], bool], *, seconds: float, given_up: threading.Event) -> bool:
    """Blocking: SIGKILL as soon as it is seen; whether it was, before the time was over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not given_up.is_set():
        watch.look()
        if seen(watch):
            return kill(watch.pid)
        time.sleep(LOOK_SECONDS)
    return False


def kill(pid: int) -> bool:
    """SIGKILL from any thread; whether there was anybody."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Evidence:
    """What tells afterwards how far a study was when the gateway died."""

    dead_at: datetime
    unfinished: bool = False
    put: bool = False
    read_back: bool = False
    reported: bool = False


def evidence(watch: Watch, *, reported: bool) -> Evidence:
    """Taken once the gateway is dead, before it starts again."""
    watch.after_death()
    return Evidence(datetime.now(UTC), watch.unfinished, watch.put, watch.read_back, reported)


def stage_of(evidence: Evidence, verified_at: datetime | None) -> Stage:
    """`verified_at`: when the catalogue learned of the volume, as it says after the restart."""
    if evidence.reported:
        return Stage.REPORTED
    if verified_at is not None and verified_at <= evidence.dead_at:
        return Stage.CATALOGUED
    if evidence.put:
        return Stage.READ_BACK if evidence.read_back else Stage.PUT
    return Stage.ASSEMBLED if evidence.unfinished else Stage.RECEIVED

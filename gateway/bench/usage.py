"""Usage: CPU time and resident memory of a server with all its children, read from /proc."""

import contextlib
import os
import threading
from pathlib import Path
from typing import Self

SAMPLE_SECONDS = 0.05
_FAMILY_EVERY = 10
"""Samples between two looks for new children."""
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def family(pid: int) -> list[int]:
    """The process and all that descend from it, those that ended and were not waited for too."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit() and (fields := _fields(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found, unvisited = [], [pid]
    while unvisited:
        one = unvisited.pop()
        found.append(one)
        unvisited += children.get(one, [])
    return found


def _fields(pid: int) -> list[str]:
    """State, parent, and what follows them in proc(5)'s stat; none if the process is gone."""
    try:
        # The name before them, in parentheses, may hold spaces.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def cpu_seconds(pid: int) -> float:
    """User and system time of the family so far, that of children which ended and were waited for too."""
    return sum(_ticks(one) for one in family(pid)) / _TICK


def _ticks(pid: int) -> int:
    return sum(int(field) for field in _fields(pid)[11:15])


def machine_busy_seconds() -> float:
    """CPU time that the whole machine has used since it was started, time stolen by its host included."""
    user, nice, system, _, _, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICK


def resident(pids: list[int]) -> int:
    """Resident memory, summed, bytes: pages that processes share count for each."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError, IndexError, ValueError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    return total


class Sampler:
    """Looks at a family's resident memory twenty times a second, and keeps the peak."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = threading.Event()
        self._family = family(pid)
        self.before = self.peak = resident(self._family)
        self._thread = threading.Thread(target=self._run, name="resident memory")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        samples = 0
        while not self._ended.wait(SAMPLE_SECONDS):
            samples += 1
            if samples % _FAMILY_EVERY == 0:
                self._family = family(self._pid)
            self._look()

    def _look(self) -> None:
        self.peak = max(self.peak, resident(self._family))

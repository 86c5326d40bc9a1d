"""The timeline: what a server and the machine look like once a second while a load runs."""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from gateway.bench import usage
from gateway.bench.failure import RunFailedError
from gateway.bench.figures import Moment

SAMPLE_SECONDS = 1.0


class Timeline:
    """Looks once a second, in a thread of its own, and once more at the end."""

    def __init__(self, pid: int, gauges: Callable[[], dict[str, float]]) -> None:
        self._pid, self._gauges = pid, gauges
        self._ended = threading.Event()
        self._began, self._cpu = time.monotonic(), usage.cpu_seconds(pid)
        self._thread = threading.Thread(target=self._run, name="timeline")
        self.moments: list[Moment] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        self._look()
        while not self._ended.wait(SAMPLE_SECONDS):
            self._look()

    def _look(self) -> None:
        gauges: dict[str, float] = {}
        # A server that does not answer now has a hole in its timeline, not a failed run.
        with contextlib.suppress(RunFailedError):
            gauges = self._gauges()
        self.moments.append(
            Moment(
                round(time.monotonic() - self._began, 2), dirty(), usage.resident(usage.family(self._pid)),
                round(usage.cpu_seconds(self._pid) - self._cpu, 2), gauges,
            )
        )  # fmt: skip


def dirty() -> int:
    """Bytes that await or are under writeback."""
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return sum(int(line[1]) << 10 for line in lines if line[0] in ("Dirty:", "Writeback:"))

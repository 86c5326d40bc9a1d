"""Flame graphs: where the CPU time of a server goes while it is loaded, sampled by perf, drawn by inferno."""

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.bench import usage
from gateway.bench.failure import BenchError

SAMPLES_PER_SECOND = 499
"""Not a round number, or samples would fall in step with timers."""
_STACK_BYTES = 16384
_START_SECONDS = 0.5
_STOP_SECONDS_MAX = 60.0
_SCRIPT_SECONDS_MAX = 600.0


class Flame:
    """One recording, from perf's samples to a picture."""

    def __init__(self, tools: Path, folder: Path) -> None:
        """`tools`: the folder with inferno's programs. Raises `BenchError` if anything is missing."""
        self._perf = shutil.which("perf")
        self._tools, self._samples = tools, folder / "samples"
        if self._perf is None:
            raise BenchError("perf is not installed (Debian: linux-perf)")
        if not (tools / "inferno-flamegraph").exists():
            raise BenchError(f"{tools} has no inferno-flamegraph: 'make profile' builds it")

    @contextlib.contextmanager
    def recording(self, pid: int) -> Iterator[None]:
        """Samples the process and all its children. By the CPU's clock: guests have no hardware counters."""
        assert self._perf is not None
        pids = ",".join(map(str, usage.family(pid)))
        words = [
            self._perf, "record", "--quiet", "-e", "cpu-clock", "-F", str(SAMPLES_PER_SECOND), "--call-graph",
            f"dwarf,{_STACK_BYTES}", "-p", pids, "-o", str(self._samples),
        ]  # fmt: skip
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(_START_SECONDS)
        try:
            if process.poll() is not None:
                raise BenchError(f"perf does not record: {_complaint(process)}")
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(_STOP_SECONDS_MAX)

    def draw(self, path: Path, title: str) -> float:
        """Writes the SVG; returns the seconds of CPU time in it. Raises `BenchError`."""
        assert self._perf is not None
        stacks = self._said([self._perf, "script", "--no-inline", "-i", str(self._samples)])
        folded = self._said([str(self._tools / "inferno-collapse-perf")], stacks)
        folded, seconds = in_microseconds(folded)
        words = [
            str(self._tools / "inferno-flamegraph"), "--title", title, "--countname", "us", "--hash",
            "--minwidth", "0.2",
        ]  # fmt: skip
        path.write_bytes(self._said(words, folded))
        return seconds

    def _said(self, words: list[str], given: bytes = b"") -> bytes:
        try:
            done = subprocess.run(
                words, input=given, capture_output=True, timeout=_SCRIPT_SECONDS_MAX, check=False
            )
        except subprocess.TimeoutExpired:
            raise BenchError(f"{words[0]} takes longer than {_SCRIPT_SECONDS_MAX:.0f} s") from None
        if done.returncode != 0:
            raise BenchError(f"{words[0]}: {done.stderr.decode(errors='replace').strip()[-500:]}")
        return done.stdout


def in_microseconds(folded: bytes) -> tuple[bytes, float]:
    """Folded stacks in microseconds, where perf counts nanoseconds; and all of it in seconds."""
    lines, total = [], 0
    for line in folded.splitlines():
        stack, _, nanoseconds = line.rpartition(b" ")
        total += int(nanoseconds)
        lines.append(b"%b %d\n" % (stack, int(nanoseconds) // 1000))
    return b"".join(lines), total / 1e9


def _complaint(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.read().strip() or f"exit code {process.returncode}"

"""The load generator's process: `kuva-load`, spoken to in JSON lines."""

import contextlib
import json
import queue
import subprocess
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from gateway.bench.commitments import Commitments, commitments_of, problems_of
from gateway.bench.failure import BenchError, RunFailedError
from gateway.bench.made import MARKS, Made
from gateway.bench.usage import cpu_seconds
from gateway.bench.workload import Workload

ANSWER_SECONDS_MAX = 30.0
PDU_LENGTH_MAX = 131_072
CALLING = "KUVALOAD"
REPORT_SECONDS_MAX = 120.0
"""Longest wait for the next report: longer than an archive may park a request."""
_STANDING_SECONDS_MAX = 60.0
_RELEASE_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to send to."""

    host: str
    port: int
    called: str


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a load."""

    seconds: float
    stored: int
    length: int
    """Bytes of data sets answered with success."""
    latencies: tuple[int, ...]
    """Microseconds, of all answers."""
    problems: tuple[str, ...]
    commitments: Commitments | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """How storage commitment is asked for, study by study."""

    listen_port: int | None
    """Where the archive brings its reports; None: on the association on which was asked."""
    await_each: bool
    """Whether the next study waits for the report on the one before."""


class Load:
    """One load: stands ready when made, runs once, and lets go of its associations when closed."""

    def __init__(self, program: Path, plan: dict[str, Any]) -> None:
        try:
            self._process = subprocess.Popen(
                [str(program)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        except OSError as error:
            raise BenchError(f"{program}: {error.strerror}; 'make bench' builds it") from None
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, name="load", daemon=True)
        self._reader.start()
        self._patience = plan["seconds_max"] + plan["answer_seconds_max"] * plan["window"] + 30.0
        if plan.get("commitment"):
            self._patience += REPORT_SECONDS_MAX
        try:
            self.standing: dict[str, Any] = self._ask(json.dumps(plan), _STANDING_SECONDS_MAX)
        except RunFailedError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets it release its associations."""
        pipes = self._process.stdin, self._process.stdout, self._process.stderr
        with contextlib.suppress(BrokenPipeError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        try:
            self._process.wait(_RELEASE_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        for pipe in pipes[1:]:
            if pipe is not None:
                pipe.close()

    @property
    def cpu_seconds(self) -> float:
        """Of the generator so far."""
        return cpu_seconds(self._process.pid)

    def run(self) -> Answered:
        """Starts the clock. Raises `RunFailedError`."""
        return answered(self._ask("go", self._patience))

    def stop(self) -> None:
        """Lets no further instance begin: `run`, in another thread, comes to its end."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("stop\n")
            self._process.stdin.flush()

    def _ask(self, line: str, seconds: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            said = self._lines.get(timeout=seconds)
        except (BrokenPipeError, queue.Empty):
            said = ""
        if not said:
            self._process.kill()
            assert self._process.stderr is not None
            complaint = self._process.stderr.read().strip()
            raise RunFailedError(complaint or f"the load generator did nothing for {seconds:.0f} s")
        found: dict[str, Any] = json.loads(said)
        return found

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")


def plan_of(
    workload: Workload,
    made: Sequence[Made],
    target: Target,
    *,
    associations: int,
    window: int,
    seconds_max: float,
    warm_bytes: int,
    uid_prefix: str,
    calling: str = CALLING,
    asking: Asking | None = None,
) -> dict[str, Any]:
    """As `rust_core/load/src/plan.rs` wants it."""
    return {
        "host": target.host, "port": target.port, "called": target.called, "calling": calling,
        "associations": associations, "window": window, "pdu_length_max": PDU_LENGTH_MAX,
        "instances_each": max(1, workload.instances // associations), "seconds_max": seconds_max,
        "answer_seconds_max": ANSWER_SECONDS_MAX, "warm_bytes": warm_bytes,
        "per_study": workload.per_study, "series": workload.series, "uid_prefix": uid_prefix, "marks": MARKS,
        "templates": [
            {
                "path": str(one.path), "sop_class": one.sop_class,
                "transfer_syntax": workload.transfer_syntax,
            }
            for one in made
        ],
        "commitment": asking and {**asdict(asking), "report_seconds_max": REPORT_SECONDS_MAX},
    }  # fmt: skip


def answered(report: dict[str, Any]) -> Answered:
    """From the generator's report: whatever is not success is a problem, so is a broken association."""
    associations, told = report["associations"], report["commitments"]
    latencies = tuple(value for one in associations for value in one["latencies"])
    statuses: dict[str, int] = {}
    for one in associations:
        for status, count in one["statuses"].items():
            statuses[status] = statuses.get(status, 0) + count
    stored = statuses.pop("0000", 0)
    return Answered(
        seconds=report["seconds"], stored=stored, length=sum(one["stored_bytes"] for one in associations),
        latencies=latencies, problems=(*_problems(associations, statuses), *problems_of(told)),
        commitments=commitments_of(told),
    )  # fmt: skip


def _problems(associations: list[dict[str, Any]], refused: dict[str, int]) -> Iterable[str]:
    for status, count in sorted(refused.items()):
        comments = {r["comment"] for one in associations for r in one["refusals"] if r["status"] == status}
        why = "; ".join(sorted(filter(None, comments)))
        yield f"{count} answered {status}H" + (f" ({why})" if why else "")
    for one in associations:
        if one["trouble"]:
            yield f"an association ended: {one['trouble']}"
        unanswered = one["sent"] - len(one["latencies"])
        if unanswered:
            yield f"{unanswered} never answered"

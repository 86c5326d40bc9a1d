"""Servers: a peer in a process of its own, on a fresh store; started, counted, stopped."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.bench.failure import RunFailedError
from gateway.bench.load import Asking, Target
from gateway.bench.peer import Kind, Peer, filled, found

START_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 60.0
_POLL_SECONDS = 0.02
_HTTP_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Kept:
    """What a peer says, or shows, that it has."""

    instances: int
    length: int
    """Bytes: of data sets alone, or of files, which are longer."""


class Server(ABC):
    """One peer at one store."""

    prewrite_seconds = 0.0

    def __init__(self, peer: Peer, store: Path) -> None:
        self.peer, self.store = peer, store
        self.port, self.http_port, self.report_port = free_ports(3)
        self._process: subprocess.Popen[str] | None = None

    @property
    def target(self) -> Target:
        return Target("127.0.0.1", self.port, self.peer.called)

    def asking(self, *, await_each: bool) -> Asking | None:
        """How it is asked for storage commitment, if it is."""
        if not self.peer.asked:
            return None
        return Asking(self.report_port if self.peer.reports == "new" else None, await_each)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> float:
        """Returns when it takes associations: seconds. Raises `RunFailedError`."""
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), cwd=self.store, env=self.environment(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, text=True,
            )  # fmt: skip
        while not self.ready():
            if self._process.poll() is not None or time.monotonic() - began > START_SECONDS_MAX:
                raise RunFailedError(f"{self.peer.name} did not start: {self.said()}")
            time.sleep(_POLL_SECONDS)
        return time.monotonic() - began

    def stop(self) -> None:
        """SIGTERM to all of it, SIGKILL to what does not go."""
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._process = None

    @property
    def log(self) -> Path:
        return self.store.parent / f"{self.store.name}.log"

    def said(self) -> str:
        """The last lines of its log."""
        try:
            lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        except OSError:
            lines = []
        return " / ".join(lines[-3:]) or "it said nothing"

    @abstractmethod
    def command(self) -> list[str]: ...
    @abstractmethod
    def environment(self) -> dict[str, str]: ...
    @abstractmethod
    def ready(self) -> bool: ...
    @abstractmethod
    def settle(self, instances: int) -> None:
        """Waits, within a deadline, until that many are in its index too."""

    @abstractmethod
    def kept(self) -> Kept:
        """Counts. Raises `RunFailedError`."""

    def gauges(self) -> dict[str, float]:
        """What it says of itself while it runs, by name."""
        return {}

    def durability(self) -> str:
        """What an answer stands for, in words."""
        return self.peer.durability


class ForeignServer(Server):
    """A peer that a command starts."""

    def command(self) -> list[str]:
        values = self._values()
        if self.peer.configuration:
            path = self.store.parent / f"{self.store.name}.json"
            path.write_text(json.dumps(filled(self.peer.configuration, values)))
            values["configuration"] = str(path)
        return [str(filled(word, values)) for word in self.peer.command]

    def _values(self) -> dict[str, str]:
        return {
            "program": found(self.peer.program) or self.peer.program, "store": str(self.store),
            "port": str(self.port), "http_port": str(self.http_port), "report_port": str(self.report_port),
        }  # fmt: skip

    def environment(self) -> dict[str, str]:
        return {**os.environ, **self.peer.environment}

    def ready(self) -> bool:
        return accepts(self.port)

    def settle(self, instances: int) -> None:
        """Nothing to be waited for: what it has, it had at the answer."""

    def kept(self) -> Kept:
        """One file, not empty, for each instance."""
        lengths = [
            Path(root, name).stat().st_size for root, _, names in os.walk(self.store) for name in names
        ]
        return Kept(sum(1 for length in lengths if length), sum(lengths))


class Orthanc(ForeignServer):
    """Orthanc, which is asked over HTTP."""

    def ready(self) -> bool:
        return accepts(self.port) and accepts(self.http_port)

    def kept(self) -> Kept:
        said = asked(f"http://127.0.0.1:{self.http_port}/statistics")
        return Kept(int(said["CountInstances"]), int(said["TotalDiskSize"]))


def server_of(peer: Peer, store: Path) -> Server:
    """The foreign peers' servers; this program's own is `gateway.bench.own`."""
    return Orthanc(peer, store) if peer.kind is Kind.ORTHANC else ForeignServer(peer, store)


def fetched(url: str) -> bytes:
    """The answer to a GET. Raises `RunFailedError`."""
    try:
        with urllib.request.urlopen(url, timeout=_HTTP_SECONDS_MAX) as response:  # noqa: S310 - our own URLs
            body: bytes = response.read()
            return body
    except (urllib.error.URLError, TimeoutError) as error:
        raise RunFailedError(f"{url}: {error}") from None


def asked(url: str) -> dict[str, Any]:
    """A JSON object over HTTP. Raises `RunFailedError`."""
    said = json.loads(fetched(url))
    if not isinstance(said, dict):
        raise RunFailedError(f"{url}: not what was expected")
    return said


def accepts(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    """Ports that are free now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]

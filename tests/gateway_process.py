"""A real gateway in a process of its own, for tests: `kuva serve` on a temporary folder and free ports."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

START_SECONDS_MAX = 90.0
STOP_SECONDS_MAX = 60.0

SHORT_TIMERS = """
[dicom]
ae_titles = ["KUVA", "OTHER"]
artim_seconds = "1 s"
idle_seconds = "2 s"
progress_floor_bytes_per_second = 1024
progress_window_seconds = "2 s"
"""


class CommandFailedError(Exception):
    """A `kuva` command ended with another exit code than 0."""

    def __init__(self, code: int, complaint: str) -> None:
        super().__init__(f"exit code {code}: {complaint}")
        self.code = code
        self.complaint = complaint


class GatewayProcess:
    """`kuva serve`, started, asked, stopped and killed like anybody's process."""

    def __init__(
        self,
        folder: Path,
        *,
        config: str | None = None,
        journal: str = "256 MiB",
        segment: str = "16 MiB",
        within: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
        program: Sequence[str] = ("-m", "gateway"),
    ):
        """`settings`: as environment variables, without their KUVA_.

        Nothing leaves the journal because it is quiet unless they say when: most tests mean the journal.
        """
        self.folder = folder
        self.data = folder / "data"
        self.log = folder / "log"
        self.dicom_port, self.http_port = free_port(), free_port()
        self.ready: dict[str, Any] = {}
        self.program = [*program]
        self._process: subprocess.Popen[str] | None = None
        self._within = list(within)
        self._sizes = {"KUVA_JOURNAL__CAPACITY": journal, "KUVA_JOURNAL__SEGMENT": segment}
        self._sizes |= {"KUVA_VOLUMES__QUIET_SECONDS": "1 h", "KUVA_VOLUMES__AGE_SECONDS": "1 h"}
        self._sizes |= {f"KUVA_{name}": value for name, value in (settings or {}).items()}
        self._config = folder / "kuva.toml" if config is not None else None
        if self._config is not None:
            self._config.write_text(config or "")

    def start(self) -> "GatewayProcess":
        command = [*self._within, sys.executable, *self.program, "serve", "--json"]
        if self._config is not None:
            command += ["--config", str(self._config)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self.environment,
                text=True,
            )
        watchdog = threading.Timer(START_SECONDS_MAX, self._process.kill)
        watchdog.start()
        try:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        assert line, f"the gateway did not start: {self.said()}"
        self.ready = json.loads(line)
        return self

    @property
    def environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("KUVA_")},
            "KUVA_DATA": str(self.data),
            "KUVA_DICOM__PORT": str(self.dicom_port),
            "KUVA_HTTP__PORT": str(self.http_port),
            "KUVA_LOG_FORMAT": "json",
            **self._sizes,
        }

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float = STOP_SECONDS_MAX) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        code = self._process.wait(seconds)
        self._process.stdout.close()
        return code

    def stop(self) -> int:
        if not self.running():
            return self.wait()
        self.terminate()
        return self.wait()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self.wait()

    def said(self) -> str:
        return self.log.read_text("utf-8", "replace")[-4000:]

    def events(self) -> list[dict[str, Any]]:
        """What it logged."""
        return [json.loads(line) for line in self.log.read_text("utf-8").splitlines() if line.startswith("{")]

    def kuva(self, *words: str, plain: bool = False) -> Any:
        """What a `kuva` command prints. Raises `CommandFailedError`."""
        command = [sys.executable, "-m", "gateway", *words, *(() if plain else ("--json",))]
        config = (
            ["--config", str(self._config)] if self._config and words[0] not in ("send", "config") else []
        )
        done = subprocess.run(
            command + config, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode != 0:
            raise CommandFailedError(done.returncode, done.stderr + done.stdout)
        return done.stdout if plain else json.loads(done.stdout)

    def ask(self, path: str) -> Any:
        """What the operator's socket answers: like `kuva`, without starting one."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            connection.connect(str(self.data / "admin.sock"))
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: gateway\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b" 200 " in head.splitlines()[0], answer[:500]
        return json.loads(body)

    def get(self, path: str) -> tuple[int, str]:
        """HTTP."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}{path}", timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def counters(self) -> dict[str, int]:
        return self.kuva("journal", "show")["counters"]

    def rss(self) -> int:
        """Resident memory, bytes."""
        return self._memory("VmRSS")

    def rss_peak(self) -> int:
        """The most resident memory there ever was, bytes."""
        return self._memory("VmHWM")

    def _memory(self, what: str) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(f"{what}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(condition: Any, seconds: float = 5.0, what: str = "it") -> Any:
    """The first true value of `condition()`; AssertionError past the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(0.05)

"""A running gateway: started as an operator starts it, stopped, killed, and asked through its own command."""

import asyncio
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import orjson

from gateway.catalogue.embedded import ends_with_parent

START_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 45.0
COMMAND_SECONDS_MAX = 60.0
_LINE_LENGTH_MAX = 1 << 20


class GatewayFailed(Exception):  # noqa: N818 # reads as what happened
    """The gateway did not start, did not end, or a command of it failed; says what it printed last."""


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the gateway said that it listens."""

    host: str
    dicom_port: int
    http_port: int
    seconds: float
    """From the start of the process to its word that it is ready."""


class RunningGateway:
    """`kuva serve` in a process of its own, on one data folder; restarted, it listens where it did before."""

    def __init__(self, data: Path, *, journal: str = "1 GiB", outlives: bool = False) -> None:
        """Unless it `outlives` us, it drains and ends when this process does, however that ends (Linux)."""
        self.data = data
        self.log = data.parent / "gateway.log"
        self._journal = journal
        self._outlives = outlives
        self._ports = _free_ports()
        self._process: asyncio.subprocess.Process | None = None
        self.listening: Listening | None = None

    @property
    def pid(self) -> int:
        """The process id, 0 while it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else 0

    @property
    def store(self) -> Path:
        """The folder of its object store."""
        return self.data / "store"

    @property
    def settings(self) -> dict[str, str]:
        """As environment variables: without a configuration file anybody on loopback may store."""
        return {
            "KUVA_DATA": str(self.data),
            "KUVA_DICOM__PORT": str(self._ports[0]),
            "KUVA_HTTP__PORT": str(self._ports[1]),
            "KUVA_JOURNAL__CAPACITY": self._journal,
        }

    @property
    def _environment(self) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith("KUVA_")}
        return others | self.settings

    async def start(self) -> Listening:
        """Returns when the gateway says that it is ready. Raises `GatewayFailed`."""
        began = time.monotonic()
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "gateway", "serve",
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=log,
                env=self._environment, start_new_session=True, limit=_LINE_LENGTH_MAX,
                preexec_fn=None if self._outlives else ends_with_parent(signal.SIGTERM),
            )  # fmt: skip
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                await self._ready()
        except TimeoutError:
            await self.kill()
            raise GatewayFailed(f"not ready within {START_SECONDS_MAX:g} s; see {self.log}") from None
        self.listening = Listening("127.0.0.1", *self._ports, time.monotonic() - began)
        return self.listening

    async def _ready(self) -> None:
        """Reads up to the JSON line that says so."""
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            try:
                said = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(said, dict) and said.get("event") == "ready":
                return
        raise GatewayFailed(f"it ended before it was ready: {await asyncio.to_thread(_tail, self.log)}")

    async def kill(self) -> None:
        """SIGKILL: no last word, no flush, nothing put in order."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM, and its exit code once it drained. Raises `GatewayFailed` if it had to be killed."""
        return await self._end(signal.SIGTERM)

    async def _end(self, sign: signal.Signals) -> int:
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(sign)
        try:
            async with asyncio.timeout(STOP_SECONDS_MAX):
                return await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise GatewayFailed(f"did not drain within {STOP_SECONDS_MAX:g} s of SIGTERM") from None

    async def command(self, *words: str) -> object:
        """What `kuva WORDS --json` prints. Raises `GatewayFailed`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *words, "--json",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=self._environment,
        )  # fmt: skip
        try:
            async with asyncio.timeout(COMMAND_SECONDS_MAX):
                out, complaint = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise GatewayFailed(f"kuva {' '.join(words)}: no answer in {COMMAND_SECONDS_MAX:g} s") from None
        if process.returncode != 0:
            last = complaint.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no word why"]
            raise GatewayFailed(f"kuva {' '.join(words)}: exit {process.returncode}: {last[0]}")
        try:
            return orjson.loads(out)
        except orjson.JSONDecodeError:
            raise GatewayFailed(f"kuva {' '.join(words)}: prints no JSON") from None

    async def metrics(self) -> dict[str, float]:
        """The samples at /metrics, each by its name with labels. Raises `GatewayFailed`."""
        assert self.listening is not None
        url = f"http://{self.listening.host}:{self.listening.http_port}/metrics"
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
                session.get(url) as response,
            ):
                response.raise_for_status()
                return samples_of(await response.text())
        except (aiohttp.ClientError, TimeoutError) as error:
            raise GatewayFailed(f"{url}: {error!r}") from None


def samples_of(exposition: str) -> dict[str, float]:
    """The samples of a Prometheus text exposition."""
    lines = (line for line in exposition.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def _free_ports() -> tuple[int, int]:
    """Two ports that are free now. Fixed ones, so that a restart listens where it did before."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _tail(path: Path) -> str:
    lines = path.read_text("utf-8", "replace").strip().splitlines()
    return f"{' / '.join(line.strip() for line in lines[-3:]) or 'it said nothing'} ({path})"

"""The embedded server: our own launcher for PostgreSQL, one below each data folder."""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import asyncpg
import structlog

from gateway.catalogue.cluster import Cluster, locate, prepare, quiet_environment
from gateway.catalogue.database import Address, translated
from gateway.catalogue.queries import queries
from gateway.errors import CatalogueUnavailableError, EmbeddedServerError

log = structlog.get_logger(__name__)

READY_SECONDS_MAX = 1800.0
"""Recovery after a crash may be long, and giving up helps nobody; a peer's launcher gives up after 10 s."""
STOP_SECONDS_MAX = 60.0
RESTART_SECONDS_MAX = 30.0
_PROGRESS_SECONDS = 5.0
_POLL_SECONDS = 0.05
_LOG_LENGTH_MAX = 16 << 20
_PR_SET_PDEATHSIG = 1

_CONFIGURATION = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_connections": "40",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "logging_collector": "off",
    # What PostgreSQL quotes in its messages are rows, and rows hold patients.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


class EmbeddedServer:
    """PostgreSQL below `home`, reachable over a Unix socket only.

    Who holds the folder's lock runs the server; anybody else (a `kuva` command beside `kuva serve`)
    uses it. Start it from the main thread: on Linux the server stops when the thread that started it
    dies, so that a gateway that is killed leaves nothing running.
    """

    def __init__(self, home: Path, configuration: Mapping[str, str] | None = None) -> None:
        """`configuration`: parameters over ours, for measurements."""
        self._home = home
        self._configuration = {**_CONFIGURATION, **(configuration or {})}
        self._cluster: Cluster | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None
        self._stopping = False

    @property
    def gateway(self) -> Address:
        """For the gateway: a plain role, bound by row-level security."""
        return self._address("kuva_gateway")

    @property
    def owner(self) -> Address:
        """For migrations."""
        return self._address("kuva_owner")

    @property
    def running(self) -> bool:
        """Whether a server that we started is alive."""
        return self._process is not None and self._process.poll() is None

    async def start(self, *, seconds_max: float = READY_SECONDS_MAX) -> None:
        """Returns when the server answers and has its roles and database. Raises `EmbeddedServerError`."""
        self._stopping = False
        self._home.mkdir(parents=True, exist_ok=True)
        self._lock = self._lock or _try_lock(self._home / "lock")
        try:
            self._cluster = await self._found(seconds_max)
            if self._lock is not None:
                await self._launch()
            await self._ready(seconds_max)
        except BaseException:
            await self.stop()
            raise

    async def stop(self, *, seconds_max: float = STOP_SECONDS_MAX) -> None:
        """Fast shutdown (sessions end, a checkpoint is written); if that takes too long, an immediate one."""
        self._stopping = True
        if (process := self._process) is not None:
            for sign, seconds in (
                (signal.SIGINT, seconds_max),
                (signal.SIGQUIT, 10.0),
                (signal.SIGKILL, 10.0),
            ):
                if process.poll() is None:
                    process.send_signal(sign)
                if await _until(lambda: process.poll() is not None, seconds):
                    break
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def supervise(self) -> None:
        """For a task group: starts the server again whenever it dies, until cancelled or stopped."""
        pause = 1.0
        while not self._stopping:
            if self._process is None or self.running:
                await asyncio.sleep(0.2)
                continue
            log.error("embedded PostgreSQL ended", status=self._process.returncode, said=self._said())
            try:
                await self._launch()
                await self._ready(READY_SECONDS_MAX)
                pause = 1.0
            except EmbeddedServerError as error:
                log.error("embedded PostgreSQL does not start", reason=str(error))  # noqa: TRY400
                await asyncio.sleep(pause)
                pause = min(2 * pause, RESTART_SECONDS_MAX)

    async def _found(self, seconds_max: float) -> Cluster:
        """The cluster: prepared if the lock is ours, else once its holder has got that far."""
        if self._lock is not None:
            return await asyncio.to_thread(prepare, self._home)
        if await _until((self._home / "data" / "postmaster.pid").exists, seconds_max):
            return await asyncio.to_thread(locate, self._home)
        raise EmbeddedServerError(f"somebody holds {self._home}, and runs no PostgreSQL there")

    def _address(self, role: str, database: str = "kuva") -> Address:
        if self._cluster is None:
            raise EmbeddedServerError("embedded PostgreSQL was not started")
        return Address(socket_folder=str(self._cluster.socket_folder), user=role, database=database)

    async def _launch(self) -> None:
        cluster = self._cluster
        assert cluster is not None
        await _clear_remains(cluster)
        _shorten(cluster.server_log)
        settings = {
            **self._configuration,
            "cluster_name": cluster.mark,
            "unix_socket_directories": str(cluster.socket_folder),
            "hba_file": str(cluster.home / "hba.conf"),
            "ident_file": str(cluster.home / "ident.conf"),
        }
        command = [str(cluster.programs / "postgres"), "-D", str(cluster.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        with cluster.server_log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: ASYNC220 - a fork, and the thread must outlive the server
                command,
                cwd="/",
                env=quiet_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # a Ctrl-C is the gateway's to answer
                preexec_fn=ends_with_parent(signal.SIGINT),  # noqa: PLW1509 - one system call, looked up before
                **cluster.account.arguments(),
            )

    async def _ready(self, seconds_max: float) -> None:
        began = told = time.monotonic()
        while True:
            if self._process is not None and self._process.poll() is not None:
                raise EmbeddedServerError(
                    f"PostgreSQL ended with status {self._process.returncode}: {self._said()}"
                )
            try:
                return await self._furnish()
            except CatalogueUnavailableError as error:
                now = time.monotonic()
                if now - began > seconds_max:
                    raise EmbeddedServerError(
                        f"PostgreSQL was not ready in {seconds_max:.0f} s: {error}"
                    ) from None
                if now - told > _PROGRESS_SECONDS:
                    log.info(
                        "waiting for PostgreSQL (recovery?)", seconds=round(now - began), said=self._said(200)
                    )
                    told = now
            await asyncio.sleep(_POLL_SECONDS)

    async def _furnish(self) -> None:
        """Roles and database, where missing."""
        with translated():
            connection = await asyncpg.connect(
                **self._address("postgres", "postgres").arguments(), timeout=5.0
            )
            try:
                for name, exists in (
                    ("owner_role", "role"),
                    ("gateway_role", "role"),
                    ("database", "database"),
                ):
                    wanted = {"owner_role": "kuva_owner", "gateway_role": "kuva_gateway", "database": "kuva"}[
                        name
                    ]
                    if not await connection.fetchval(queries("embedded")[f"{exists}_exists"], wanted):
                        await connection.execute(queries("roles")[name])
            finally:
                connection.terminate()

    def _said(self, length: int = 500) -> str:
        try:
            assert self._cluster is not None
            with self._cluster.server_log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - length))
                return file.read().decode(errors="replace").strip()
        except OSError:
            return ""


def _try_lock(path: Path) -> IO[bytes] | None:
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def ends_with_parent(sign: signal.Signals) -> Callable[[], None] | None:
    """Runs in the child, which gets this signal when its parent dies, however it dies (Linux)."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def ask() -> None:
        prctl(_PR_SET_PDEATHSIG, sign, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask


async def _clear_remains(cluster: Cluster) -> None:
    """Ends what an earlier gateway's server left running, and lock files of one that is gone.

    We hold the folder's lock, so whatever still runs on it is nobody's. PostgreSQL would believe a lock
    file whose process id is in use again by somebody else; having looked for its processes we know better.
    """
    if sys.platform != "linux":
        return
    remains = _processes(cluster)
    if remains:
        log.warning("a server of an earlier run is still there; stopping it", processes=sorted(remains))
    for sign, seconds in ((signal.SIGINT, STOP_SECONDS_MAX), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0)):
        if not (remains := _processes(cluster)):
            break
        head = _pid_in(cluster.pid_file)
        # Without their head the others end by themselves, unless stuck.
        targets = {head} & remains if sign is not signal.SIGKILL else remains
        for pid in targets:
            _send(pid, sign)
        await _until(lambda: not _processes(cluster), seconds if targets else 5.0)
    if _processes(cluster):
        raise EmbeddedServerError("a server of an earlier run does not end")
    cluster.pid_file.unlink(missing_ok=True)
    for name in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
        (cluster.socket_folder / name).unlink(missing_ok=True)


def _processes(cluster: Cluster) -> set[int]:
    """Every process that carries the cluster's mark in its title. Titles can be read whoever's they are."""
    mark, found = cluster.mark.encode(), set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name, title = (entry / "comm").read_bytes(), (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if name.startswith(b"postgres") and mark in title:
            found.add(int(entry.name))
    return found


def _pid_in(file: Path) -> int:
    try:
        return int(file.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return 0


def _send(pid: int, sign: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, sign)


async def _until(condition: Callable[[], bool], seconds_max: float) -> bool:
    deadline = time.monotonic() + seconds_max
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


def _shorten(file: Path) -> None:
    """Keeps the last part of a log that has grown."""
    if file.exists() and file.stat().st_size > _LOG_LENGTH_MAX:
        file.replace(file.with_suffix(".log.1"))

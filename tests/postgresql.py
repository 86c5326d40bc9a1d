"""PostgreSQL servers for tests: the embedded one, and Debian's where it is installed; one of each per run."""

import asyncio
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from gateway.catalogue import Catalogue
from gateway.catalogue.cluster import locate
from gateway.catalogue.database import Address
from gateway.catalogue.embedded import EmbeddedServer
from gateway.catalogue.migrator import migrate
from gateway.catalogue.queries import queries

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("1[5-9]/bin"))
KINDS = ("embedded", "debian") if DEBIAN else ("embedded",)


@dataclass(frozen=True)
class Server:
    """A running server with both roles and a migrated template database."""

    socket_folder: str
    superuser: Callable[[str], Address]

    def address(self, role: str, database: str) -> Address:
        return Address(socket_folder=self.socket_folder, user=role, database=database)

    async def execute(self, sql: str) -> None:
        connection = await asyncpg.connect(**self.superuser("postgres").arguments())
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    async def new_database(self, *, migrated: bool = True) -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        template = "migrated" if migrated else "template0"
        await self.execute(f"CREATE DATABASE {name} OWNER kuva_owner TEMPLATE {template}")
        return name

    async def drop_database(self, name: str) -> None:
        await self.execute(f"DROP DATABASE {name} WITH (FORCE)")


@dataclass(frozen=True)
class Base:
    """A database with the catalogue on it, and ways to look behind it."""

    server: Server
    name: str
    catalogue: Catalogue

    @property
    def gateway(self) -> Address:
        return self.server.address("kuva_gateway", self.name)

    @property
    def superuser(self) -> Address:
        return self.server.address("postgres", self.name)


@asynccontextmanager
async def running(kind: str) -> AsyncIterator[Server]:
    """A server for the whole run."""
    home = scratch()
    home.chmod(0o711)
    try:
        async with (_embedded if kind == "embedded" else _debian)(home) as server:
            await server.execute("CREATE DATABASE migrated OWNER kuva_owner TEMPLATE template0")
            await migrate(server.address("kuva_owner", "migrated"))
            yield server
    finally:
        shutil.rmtree(home, ignore_errors=True)


def scratch() -> Path:
    """A folder with a short name, as socket addresses are short; in memory where there is room."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2 << 30
    return Path(tempfile.mkdtemp(prefix="kuva-pg-", dir=memory if roomy else "/tmp"))


@asynccontextmanager
async def _embedded(home: Path) -> AsyncIterator[Server]:
    server = EmbeddedServer(home / "postgresql")
    await server.start()
    folder = server.gateway.socket_folder
    assert folder is not None
    try:
        yield Server(
            folder, lambda database: Address(socket_folder=folder, user="postgres", database=database)
        )
    finally:
        await server.stop()


@asynccontextmanager
async def _debian(home: Path) -> AsyncIterator[Server]:
    """A foreign server: no launcher of ours, trust over its socket."""
    account = locate(home).account
    data, bin_folder = home / "data", DEBIAN[0]
    data.mkdir(mode=0o700)
    os.chown(data, account.uid, account.gid)
    os.chown(home, account.uid, account.gid)
    options = ("--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync")
    command = [str(bin_folder / "initdb"), f"--pgdata={data}", *options]
    done = subprocess.run(  # noqa: ASYNC221
        command, check=False, capture_output=True, text=True, cwd="/", **account.arguments()
    )
    assert done.returncode == 0, f"initdb ended with {done.returncode}: {done.stdout}{done.stderr}"
    start = [str(bin_folder / "postgres"), "-D", str(data), "-k", str(home), "-c", "listen_addresses="]
    process = subprocess.Popen(  # noqa: ASYNC220
        start, cwd="/", stderr=subprocess.DEVNULL, **account.arguments()
    )
    server = Server(
        str(home), lambda database: Address(socket_folder=str(home), user="postgres", database=database)
    )
    try:
        for _ in range(200):
            try:
                await server.execute(queries("roles")["owner_role"])
                break
            except (OSError, asyncpg.CannotConnectNowError):
                await asyncio.sleep(0.05)
        await server.execute(queries("roles")["gateway_role"])
        yield server
    finally:
        process.send_signal(2)
        process.wait(30)

"""A server's own PostgreSQL, as the gateway meets it: TCP, scram-sha-256, passwords; stopped and started at will."""

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from gateway.catalogue.cluster import Account, locate, quiet_environment
from tests.gateway_process import free_port
from tests.postgresql import DEBIAN, scratch

RUNNING = Path(__file__).parents[1] / "docs" / "operating" / "running.md"
PASSWORDS = {"postgres": "s/u:p@r", "kuva_owner": "own & migrate", "kuva_gateway": "gåte?way#1"}


class OwnPostgresql:
    """One cluster with a superuser; nothing of ours runs or furnishes it."""

    def __init__(self, programs: Path, home: Path, account: Account) -> None:
        self._programs, self._home, self._account = programs, home, account
        self._data = home / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def initialise(self) -> None:
        self._data.mkdir(mode=0o700)
        word = self._home / "word"
        word.write_text(PASSWORDS["postgres"])
        for path in (self._home, self._data, word):
            os.chown(path, self._account.uid, self._account.gid)
        self._run(
            "initdb", f"--pgdata={self._data}", "--username=postgres", f"--pwfile={word}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip

    def start(self) -> None:
        options = {"port": self.port, "unix_socket_directories": "", "listen_addresses": "127.0.0.1"}
        command = [str(self._programs / "postgres"), "-D", str(self._data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd="/", stderr=log, env=quiet_environment(), **self._account.arguments()
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                return self.execute("SELECT 1")
            except (OSError, asyncpg.CannotConnectNowError):
                assert time.monotonic() < deadline, (self._home / "log").read_text()[-2000:]
                time.sleep(0.05)

    def stop(self, *, immediately: bool = False) -> None:
        """Away: as in a restart, or (a SIGKILL would leave children) as after a crash."""
        if self._process is not None:
            self._process.send_signal(3 if immediately else 2)
            self._process.wait(60)
            self._process = None

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._programs / program), *arguments], check=False, cwd="/", capture_output=True, text=True,
            env=quiet_environment(), **self._account.arguments(),
        )  # fmt: skip
        assert done.returncode == 0, f"{program} ended with {done.returncode}: {done.stdout}{done.stderr}"

    def new_database(self, template: str = "template0") -> str:
        """Roles and a database as the manual says, under a name of its own."""
        name = f"own_{uuid.uuid4().hex[:12]}"
        for statement in manual(name, template):
            try:
                self.execute(statement)
            except asyncpg.DuplicateObjectError:  # the roles are there from the database before
                assert statement.startswith("CREATE ROLE")
        return name

    def dsn(self, role: str, database: str, *, password: str | None = None) -> str:
        word = PASSWORDS[role] if password is None else password
        encoded = "".join(f"%{byte:02X}" for byte in word.encode())
        return f"postgresql://{role}:{encoded}@127.0.0.1:{self.port}/{database}"

    def new_role(self, what: str) -> tuple[str, str]:
        """A login role with further options; its name and password."""
        name, word = f"role_{uuid.uuid4().hex[:8]}", secrets.token_hex(8)
        self.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{word}' {what}")
        return name, word

    def execute(self, sql: str, database: str = "postgres") -> None:
        self.fetch(sql, database)

    def fetch(self, sql: str, database: str = "postgres", role: str = "postgres") -> list[asyncpg.Record]:
        return asyncio.run(_fetch(self.dsn(role, database), sql))

    def sessions(self, database: str) -> int:
        return len(self.fetch(f"SELECT 1 FROM pg_stat_activity WHERE datname = '{database}'"))

    def cut(self, database: str) -> None:
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")


async def _fetch(dsn: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return await connection.fetch(sql)
    finally:
        connection.terminate()


def manual(database: str, template: str) -> list[str]:
    """The statements of the manual's block, with this database's name and the tests' passwords."""
    (block,) = re.findall(r"```sql\n(.*?)```", RUNNING.read_text("utf-8"), re.DOTALL)
    for role in ("kuva_owner", "kuva_gateway"):
        block = re.sub(rf"(ROLE {role} LOGIN PASSWORD) '[^']*'", rf"\1 '{PASSWORDS[role]}'", block)
    block = block.replace("DATABASE kuva ", f"DATABASE {database} ").replace("template0", template)
    return [statement.strip() for statement in block.split(";") if statement.strip()]


@contextmanager
def own_postgresql(kind: str) -> Iterator[OwnPostgresql]:
    """A running one, of the dependency's programs or of Debian's."""
    home = scratch()
    home.chmod(0o711)
    cluster = locate(home)
    server = OwnPostgresql(cluster.programs if kind == "embedded" else DEBIAN[0], home, cluster.account)
    try:
        server.initialise()
        server.start()
        yield server
    finally:
        with contextlib.suppress(OSError):
            server.stop(immediately=True)
        shutil.rmtree(home, ignore_errors=True)

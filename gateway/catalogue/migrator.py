"""Migrations: numbered `.sql` steps, each applied once, whole, in order, and never changed afterwards."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

import asyncpg
import structlog

from gateway.catalogue.database import CONNECT_SECONDS_MAX, Address, translated
from gateway.catalogue.queries import queries
from gateway.catalogue.suitability import check_owner_role, check_server
from gateway.errors import CatalogueSchemaError

log = structlog.get_logger(__name__)

_FILE = re.compile(r"([0-9]{4})_(pre|post)_([a-z0-9_]+)\.sql")
MIGRATION_SECONDS_MAX = 3600.0

Stage = Literal["pre", "post"]


@dataclass(frozen=True, slots=True)
class Migration:
    """One step. Earlier programs must run on `pre`; `post` is for when nobody runs them any more."""

    number: int
    stage: Stage
    name: str
    sql: str

    @property
    def checksum(self) -> bytes:
        """SHA-256 of the text."""
        return hashlib.sha256(self.sql.encode()).digest()

    def __str__(self) -> str:
        return f"{self.number:04}_{self.stage}_{self.name}"


def bundled() -> tuple[Migration, ...]:
    """The steps that came with this program, in order."""
    found = []
    for file in files("gateway.catalogue").joinpath("migrations").iterdir():
        if match := _FILE.fullmatch(file.name):
            stage: Stage = "pre" if match[2] == "pre" else "post"
            found.append(Migration(int(match[1]), stage, match[3], file.read_text("utf-8")))
    ordered = tuple(sorted(found, key=lambda step: step.number))
    if [step.number for step in ordered] != list(range(1, len(ordered) + 1)):
        raise CatalogueSchemaError("the migrations are not numbered 1, 2, 3, ...")
    return ordered


async def migrate(
    address: Address, *, through: Stage = "post", steps: Sequence[Migration] | None = None
) -> tuple[Migration, ...]:
    """Brings the database up to date as its owner; returns what was applied.

    With `through="pre"` stops before the outstanding `post` steps; if a `pre` step stands behind one, the
    upgrade before this one was never ended, and nothing is applied. Only one migrator runs at a time;
    each step is one transaction, so that a crash leaves whole steps. Raises `CatalogueSchemaError` if an
    applied step's text has changed since, the database is newer than this program, or an upgrade is to be
    ended first.
    """
    steps = bundled() if steps is None else steps
    with translated():
        async with asyncio.timeout(MIGRATION_SECONDS_MAX):
            connection = await asyncpg.connect(
                **address.arguments(),
                timeout=CONNECT_SECONDS_MAX,
                server_settings={"application_name": "kuva migrate"},
            )
            try:
                await check_server(connection)
                await check_owner_role(connection)
                await connection.execute(queries("migrator")["lock"])
                await _check_gateway_exists(connection)
                await connection.execute(queries("migrator")["table"])
                return await _apply(connection, _through(await _outstanding(connection, steps), through))
            finally:
                connection.terminate()  # ends the lock as well


async def outstanding(address: Address, *, steps: Sequence[Migration] | None = None) -> tuple[Migration, ...]:
    """The steps that the database does not have. Changes nothing; errors as `migrate`."""
    steps = bundled() if steps is None else steps
    with translated():
        connection = await asyncpg.connect(
            **address.arguments(), timeout=CONNECT_SECONDS_MAX, command_timeout=CONNECT_SECONDS_MAX
        )
        try:
            await check_server(connection)
            if await connection.fetchval(queries("migrator")["exists"]) is None:
                return tuple(steps)
            return await _outstanding(connection, steps)
        finally:
            connection.terminate()


async def _check_gateway_exists(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    if not await connection.fetchval(queries("embedded")["role_exists"], "kuva_gateway"):
        raise CatalogueSchemaError(
            "the role kuva_gateway does not exist; the migrations grant it what the gateway needs: "
            "create it first"
        )


async def _outstanding(
    connection: "asyncpg.Connection[asyncpg.Record]", steps: Sequence[Migration]
) -> tuple[Migration, ...]:
    applied = {row["number"]: row for row in await connection.fetch(queries("migrator")["applied"])}
    if unknown := applied.keys() - {step.number for step in steps}:
        raise CatalogueSchemaError(
            f"the database has migration {max(unknown)}; it is newer than this program"
        )
    for step in steps:
        if step.number in applied and applied[step.number]["checksum"] != step.checksum:
            raise CatalogueSchemaError(f"migration {step} is not the one that was applied")
    left = tuple(step for step in steps if step.number not in applied)
    if applied and left and left[0].number < max(applied):
        raise CatalogueSchemaError(f"migration {left[0]} was passed over")
    return left


def _through(steps: Sequence[Migration], stage: Stage) -> Sequence[Migration]:
    """Those of the outstanding steps that may be applied now, in order."""
    waiting = next((number for number, step in enumerate(steps) if step.stage == "post"), len(steps))
    if stage == "post":
        return steps
    if late := [step for step in steps[waiting:] if step.stage == "pre"]:
        raise CatalogueSchemaError(
            f"migration {late[0]} comes after {steps[waiting]}, which waits until no program older than that "
            "step's runs: end that upgrade first, with 'kuva schema migrate' (without --pre) of the program "
            "that runs now. Where none runs, go without --pre."
        )
    return steps[:waiting]


async def _apply(
    connection: "asyncpg.Connection[asyncpg.Record]", steps: Sequence[Migration]
) -> tuple[Migration, ...]:
    done: list[Migration] = []
    for step in steps:
        try:
            async with connection.transaction():
                await connection.execute(step.sql)
                await connection.execute(queries("migrator")["record"], step.number, str(step), step.checksum)
        except asyncpg.PostgresError as error:
            # The first argument is the message alone; the details, which may quote rows, are not in it.
            raise CatalogueSchemaError(f"migration {step} failed: {error.args[0]}") from None
        log.info("migration applied", migration=str(step))
        done.append(step)
    return tuple(done)

"""The database: a bounded pool, transactions that name their vaults, foreign errors translated."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from gateway.catalogue.queries import queries
from gateway.catalogue.suitability import check_gateway_role, check_server
from gateway.errors import CatalogueError, CatalogueSchemaError, CatalogueUnavailableError
from gateway.model.identifiers import VaultId

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "PoolConnectionProxy[asyncpg.Record]"

SOCKET_PORT = 5432
CONNECT_SECONDS_MAX = 10.0
IDLE_IN_TRANSACTION_SECONDS_MAX = 10

# Not the server's class of the same name, which hides it.
_UNSENDABLE = asyncpg.exceptions._base.DataError  # noqa: SLF001
_SILENCE = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_TRY_AGAIN = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # asyncpg's own confusion after a lost connection
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, for as long as a failover takes
    OSError,
    TimeoutError,
)
_WRONG_SCHEMA = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
)


class NoPartitionError(CatalogueError):
    """A row's time lies past the partitions that were made; more can be made."""


class ExclusionError(CatalogueError):
    """A row overlaps another that may not be there at the same time."""


class UniqueError(CatalogueError):
    """A row with that key is there already."""


@dataclass(frozen=True, slots=True)
class Address:
    """How PostgreSQL is reached: a URL, or a socket folder with role and database."""

    dsn: str | None = field(default=None, repr=False)
    socket_folder: str | None = None
    user: str | None = None
    database: str | None = None

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for asyncpg."""
        if self.dsn is not None:
            return {"dsn": self.dsn}
        # All that the environment (PGPORT, PGSSLMODE, ...) would else add is said here.
        return {
            "host": self.socket_folder,
            "port": SOCKET_PORT,
            "user": self.user,
            "database": self.database,
            "ssl": False,
            "target_session_attrs": "any",
        }


@contextmanager
def translated() -> Iterator[None]:
    """Turns every foreign exception into ours.

    PostgreSQL's details quote rows, and rows hold patients: they are left out always, and its message too
    unless it is about the server, the role or the schema, which quotes no values.
    """
    try:
        yield
    except _UNSENDABLE as error:
        raise CatalogueError(f"a value cannot be sent to the catalogue: {_plain(error)}") from None
    except asyncpg.ClientConfigurationError as error:
        raise CatalogueSchemaError(f"the database's URL or a PG* variable is wrong: {error}") from None
    except _TRY_AGAIN as error:
        raise CatalogueUnavailableError(f"catalogue cannot be asked now: {_told(error)}") from None
    except _WRONG_SCHEMA as error:
        raise CatalogueSchemaError(f"database, schema or role does not fit: {_told(error)}") from None
    except asyncpg.CheckViolationError as error:
        kind = CatalogueError if error.constraint_name else NoPartitionError
        raise kind(f"catalogue refused: {_plain(error)}") from None
    except asyncpg.ExclusionViolationError as error:
        raise ExclusionError(f"catalogue refused: {_plain(error)}") from None
    except asyncpg.UniqueViolationError as error:
        raise UniqueError(f"catalogue refused: {_plain(error)}") from None
    except asyncpg.PostgresError as error:
        raise CatalogueError(f"catalogue refused: {_plain(error)}") from None


def _plain(error: BaseException) -> str:
    code = getattr(error, "sqlstate", None)
    constraint = getattr(error, "constraint_name", None)
    described = (
        type(error).__name__ + (f" {code}" if code else "") + (f" of {constraint}" if constraint else "")
    )
    if not (isinstance(error, OSError) and error.strerror):
        return described
    return f"{described}: {error.strerror}" + (f": {error.filename}" if error.filename else "")


def _told(error: BaseException) -> str:
    message = error.args[0] if isinstance(error, asyncpg.PostgresError) and error.args else ""
    return f"{_plain(error)}: {message}" if message else _plain(error)


class Database:
    """A bounded pool. Every wait has a deadline; a connection whose state is unknown is never used again."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", *, query_seconds_max: float) -> None:
        self._pool = pool
        self._seconds_max = query_seconds_max

    @classmethod
    async def open(
        cls, address: Address, *, connections_max: int = 8, query_seconds_max: float = 30.0
    ) -> "Database":
        """Connects; `CatalogueSchemaError` for a server or role on which promises would not hold."""
        milliseconds = str(int(query_seconds_max * 1000))
        with translated():
            pool = await asyncpg.create_pool(
                **address.arguments(),
                min_size=0,  # else asyncpg connects by itself, for ever, while the server is away
                max_size=connections_max,
                timeout=CONNECT_SECONDS_MAX,
                command_timeout=query_seconds_max,
                max_inactive_connection_lifetime=300.0,
                server_settings={
                    "application_name": "kuva",
                    "search_path": "kuva",
                    "timezone": "UTC",
                    "statement_timeout": milliseconds,
                    "lock_timeout": milliseconds,
                    "idle_in_transaction_session_timeout": f"{IDLE_IN_TRANSACTION_SECONDS_MAX}s",
                },
            )
        database = cls(pool, query_seconds_max=query_seconds_max)
        try:
            async with database.connection() as connection:
                await check_server(connection)
                await check_gateway_role(connection)
        except BaseException:
            pool.terminate()
            raise
        return database

    async def close(self, seconds_max: float = 5.0) -> None:
        """Closes the connections; those that do not end in time are cut."""
        try:
            await asyncio.wait_for(self._pool.close(), seconds_max)
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def transaction(
        self, vaults: Sequence[VaultId] = (), *, every_vault: bool = False
    ) -> "AsyncIterator[Connection]":
        """One transaction that sees `vaults` and no others. When it returns, the work MUST be committed.

        `every_vault` is for a node's own work, which nobody asked for: planning, writing facts, reporting.

        If it raises `CatalogueUnavailableError` the outcome is unknown: the connection is cut, and whoever
        wrote must ask again what is there. Never do anything slow or foreign inside.
        """
        with translated():
            async with asyncio.timeout(self._seconds_max):
                connection = await self._pool.acquire(timeout=self._seconds_max)
                try:
                    async with _settled(connection):
                        if every_vault:
                            await connection.execute(queries("database")["set_every_vault"])
                        elif vaults:
                            await connection.execute(queries("database")["set_vaults"], list(vaults))
                        yield connection
                finally:
                    await self._pool.release(connection, timeout=1.0)

    @asynccontextmanager
    async def connection(self) -> "AsyncIterator[Connection]":
        """One connection for a single statement that is its own transaction."""
        with translated():
            async with asyncio.timeout(self._seconds_max):
                connection = await self._pool.acquire(timeout=self._seconds_max)
                try:
                    yield connection
                except BaseException as error:
                    if not _answered(error):
                        connection.terminate()
                    raise
                finally:
                    await self._pool.release(connection, timeout=1.0)

    async def ping(self) -> None:
        """Asks the database anything at all. Raises `CatalogueUnavailableError`."""
        async with self.connection() as connection:
            await connection.fetchval(queries("database")["ping"])


@asynccontextmanager
async def _settled(connection: "Connection") -> AsyncIterator[None]:
    """Begins and commits. After an answer it rolls back; after silence, or a COMMIT that failed, it cuts."""
    transaction = connection.transaction()
    try:
        await transaction.start()
        yield
    except BaseException as error:
        await _undo(connection, transaction, error)
        raise
    try:
        await transaction.commit()
    except BaseException:
        connection.terminate()
        raise


async def _undo(
    connection: "Connection", transaction: asyncpg.transaction.Transaction, error: BaseException
) -> None:
    if not _answered(error) or connection.is_closed():
        connection.terminate()
        return
    try:
        await transaction.rollback()
    except BaseException:
        connection.terminate()
        raise


def _answered(error: BaseException) -> bool:
    """Whether the connection's state is known: the server answered, or the error is our own."""
    if isinstance(error, asyncpg.PostgresError):
        return True
    return isinstance(error, Exception) and not isinstance(
        error, (OSError, TimeoutError, asyncpg.InterfaceError)
    )

"""Suitability: whether a server, and the role on it, can keep what the archive promises."""

from typing import TYPE_CHECKING, Any, TypeAlias

from gateway.catalogue.queries import queries
from gateway.errors import CatalogueSchemaError

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    AnyConnection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

SERVER_VERSION_LEAST = 150_000


async def check_server(connection: "AnyConnection") -> None:
    """Raises `CatalogueSchemaError` for a server that is too old, or may forget what it committed."""
    row = await connection.fetchrow(queries("suitability")["server"])
    assert row is not None
    unsafe = [name for name in ("fsync", "full_page_writes", "synchronous_commit") if row[name] == "off"]
    _refuse(
        (row["version"] < SERVER_VERSION_LEAST, f"PostgreSQL is older than 15: {row['version_text']}"),
        (bool(unsafe), f"{', '.join(unsafe)} is off: what was committed could be lost"),
        (row["encoding"] != "UTF8", f"the encoding of the database is {row['encoding']}, not UTF8"),
    )


async def check_gateway_role(connection: "AnyConnection") -> None:
    """Raises `CatalogueSchemaError` for a role that row-level security would not bind."""
    row = await _role(connection)
    _refuse(
        (bool(why := _unbound(row)), f"the role {row['name']} {why}; catalogue.dsn needs a plain role"),
        (not why and row["unguarded"] > 0, f"row-level security is off on {row['unguarded']} of its tables"),
    )


def _unbound(row: Any) -> str:  # noqa: ANN401 - a row
    if row["superuser"] or row["bypass"]:
        return "is a superuser or bypasses row-level security"
    if row["owns"]:
        return "owns the schema, so that row-level security would not bind it"
    return "is a member of one that bypasses row-level security" if row["becomes"] else ""


async def check_owner_role(connection: "AnyConnection") -> None:
    """Raises `CatalogueSchemaError` for a superuser: functions of the schema run with its owner's rights."""
    row = await _role(connection)
    why = f"the role {row['name']} is a superuser or bypasses row-level security"
    remedy = "catalogue.migration_dsn needs a plain role that owns the database"
    _refuse((row["superuser"] or row["bypass"], f"{why}; {remedy}"))


async def _role(connection: "AnyConnection") -> Any:  # noqa: ANN401 - a row
    row = await connection.fetchrow(queries("suitability")["role"])
    assert row is not None
    return row


def _refuse(*faults: tuple[bool, str]) -> None:
    if found := [text for wrong, text in faults if wrong]:
        raise CatalogueSchemaError("the database may not be used: " + "; ".join(found))

"""Opening: the catalogue that the settings name, with the embedded PostgreSQL where they name none."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

import structlog

from gateway.catalogue import Catalogue
from gateway.catalogue.arbitration import Verifier
from gateway.catalogue.database import Address
from gateway.catalogue.embedded import EmbeddedServer
from gateway.catalogue.migrator import Migration, migrate, outstanding
from gateway.errors import CatalogueSchemaError
from gateway.settings import Settings

log = structlog.get_logger(__name__)


async def open_catalogue(
    settings: Settings, verifier: Verifier, stack: AsyncExitStack
) -> tuple[Catalogue, EmbeddedServer | None]:
    """Opens it until the stack ends; an embedded server is started, and migrated, first.

    Raises `CatalogueSchemaError` if one's own server lacks a `pre` migration.
    """
    embedded: EmbeddedServer | None = None
    if settings.catalogue.dsn is None:
        embedded = EmbeddedServer(settings.data / "postgresql")
        await embedded.start()
        stack.push_async_callback(embedded.stop)
        await migrate(embedded.owner)
        address = embedded.gateway
    else:
        address = Address(dsn=settings.catalogue.dsn.get_secret_value())
        check_schema(await outstanding(address))
    catalogue = await Catalogue.open(
        address,
        verifier,
        connections_max=settings.catalogue.connections_max,
        query_seconds_max=settings.catalogue.query_seconds_max,
    )
    stack.push_async_callback(catalogue.close)
    return catalogue, embedded


def check_schema(missing: Sequence[Migration]) -> None:
    """`post` steps may wait until no older program runs any more (ADR 5); `pre` steps may not."""
    if any(step.stage == "pre" for step in missing):
        raise CatalogueSchemaError(
            f"the database lacks {len(missing)} migrations, from {missing[0]} on: run 'kuva schema migrate'"
        )
    if missing:
        log.warning("migrations wait for 'kuva schema migrate'", steps=[str(step) for step in missing])

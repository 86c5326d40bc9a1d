"""Grants: vaults, application entities, and which of these may reach which."""

from datetime import datetime

from gateway.catalogue.database import Database, ExclusionError
from gateway.catalogue.granting import entity_of, grant, grant_of, grant_with, overlap, vault_called
from gateway.catalogue.queries import queries
from gateway.catalogue.storable import storable
from gateway.errors import CatalogueError, NotFoundError
from gateway.model.association import ApplicationEntity, Grant, Granted, GrantWanted
from gateway.model.identifiers import AeTitle, VaultId
from gateway.model.vault import OrganisationAttributes, Vault


class Grants:
    """Few rows, read when an association opens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_vault(self, identifier: VaultId, name: str) -> Vault:
        """Creates a vault, or returns the one of that id and name.

        Raises `CatalogueError` if the name or id is another's.
        """
        async with self._database.transaction() as connection:
            await connection.execute(queries("grants")["insert_vault"], identifier, storable(name))
            row = await connection.fetchrow(queries("grants")["vault_named"], storable(name))
        if row is None or row["id"] != identifier:
            raise CatalogueError(f"vault {name!r}: its name or its id belongs to another vault")
        return Vault(**dict(row))

    async def vaults(self) -> tuple[Vault, ...]:
        """All vaults by name."""
        async with self._database.connection() as connection:
            return tuple(Vault(**dict(row)) for row in await connection.fetch(queries("grants")["vaults"]))

    async def describe_vault(self, vault: VaultId, attributes: OrganisationAttributes) -> None:
        """Adds a version of whose a vault is; earlier versions stay."""
        async with self._database.transaction() as connection:
            await connection.execute(
                queries("grants")["insert_attributes"], vault, attributes.valid_from,
                storable(attributes.controller), storable(attributes.register_type),
                storable(attributes.register_specifier),
            )  # fmt: skip

    async def whose(self, vault: VaultId, at: datetime) -> OrganisationAttributes:
        """Whose a vault was at a time. Raises `NotFoundError`."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(queries("grants")["attributes"], vault, at)
        if row is None:
            raise NotFoundError(f"nothing says whose vault {vault} was at {at.isoformat()}")
        return OrganisationAttributes(**dict(row))

    async def entities(self) -> tuple[ApplicationEntity, ...]:
        """All application entities by title."""
        async with self._database.connection() as connection:
            return tuple(entity_of(row) for row in await connection.fetch(queries("grants")["entities"]))

    async def entity(self, title: str) -> ApplicationEntity | None:
        """A known caller; None: nobody has recorded it."""
        return next((one for one in await self.entities() if one.title == title), None)

    async def add(self, wanted: GrantWanted) -> Granted:
        """Grants a caller a vault, and changes what is recorded of the caller; safe to do twice.

        What is not given stays as it is recorded. When it returns, all of it MUST be durable; if it raises,
        nothing is changed. Raises `GrantOverlapError` if the pair has another vault in that time,
        `GrantError` if no vault follows from what was said.
        """
        try:
            async with self._database.transaction() as connection:
                return await grant(connection, wanted)
        except ExclusionError:  # written past us, without the caller's lock
            raise overlap(wanted, "another vault") from None

    async def end(
        self, calling: AeTitle, *, called: str = "", vault: str = "", at: datetime
    ) -> tuple[Grant, ...]:
        """Ends a caller's grants, all or those of one called AE title or vault; the rows stay, for history.

        A grant that has not begun yet becomes void. Takes effect at the next association. Raises
        `NotFoundError` if there is nothing to end.
        """
        async with self._database.transaction() as connection:
            entity = await connection.fetchrow(queries("grants")["lock_entity"], calling)
            narrowed = await vault_called(connection, vault) if vault else None
            if vault and narrowed is None:
                raise NotFoundError(f"there is no vault {vault}")
            rows = await connection.fetch(
                queries("grants")["end"], calling, called, narrowed and narrowed.id, at
            )
            if entity is None or not rows:
                raise NotFoundError(_nothing_to_end(calling, called, vault))
            return tuple(grant_with(entity_of(entity), row) for row in rows)

    async def list(self, calling: str = "", *, valid_after: datetime | None = None) -> tuple[Grant, ...]:
        """All grants, or those of one calling AE title; past and future ones too.

        With `valid_after`, without those that had ended by then.
        """
        async with self._database.connection() as connection:
            rows = await connection.fetch(queries("grants")["grants"], storable(calling), valid_after)
        return tuple(grant_of(row) for row in rows)

    async def resolve(self, *, calling: str, called: str, at: datetime) -> tuple[Grant, ...]:
        """What a caller is granted at a time, at most one; empty: it is not known here."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                queries("grants")["resolve"], storable(calling), storable(called), at
            )
        return tuple(grant_of(row) for row in rows)


def _nothing_to_end(calling: str, called: str, vault: str) -> str:
    under = f" for {called}" if called else ""
    to = f" to vault {vault}" if vault else ""
    return f"{calling} has no grant{under}{to} that is in force; 'kuva ae list --all' shows those that ended"

"""Grants: vaults, application entities, and which of these may reach which."""

import json
from datetime import datetime

from gateway.catalogue.database import Database
from gateway.catalogue.queries import queries
from gateway.catalogue.storable import storable
from gateway.catalogue.wording import Row
from gateway.errors import CatalogueError, NotFoundError
from gateway.model.association import ApplicationEntity, Grant, Role
from gateway.model.identifiers import AeTitle, Uid, VaultId
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

    async def put_entity(self, entity: ApplicationEntity) -> None:
        """Creates or replaces an application entity."""
        overrides = json.dumps(dict(entity.rule_overrides))
        async with self._database.transaction() as connection:
            await connection.execute(
                queries("grants")["put_entity"], entity.title, storable(entity.description),
                list(entity.transfer_syntax_preference), entity.idle_seconds, entity.rule_preset, overrides,
                entity.certificate_fingerprint,
            )  # fmt: skip

    async def entities(self) -> tuple[ApplicationEntity, ...]:
        """All application entities by title."""
        async with self._database.connection() as connection:
            return tuple(_entity_of(row) for row in await connection.fetch(queries("grants")["entities"]))

    async def add(self, grant: Grant) -> None:
        """Adds a grant and its application entity; safe to do twice."""
        await self.put_entity(grant.caller)
        async with self._database.transaction() as connection:
            await connection.execute(
                queries("grants")["insert_grant"], grant.caller.title, grant.called, grant.vault,
                grant.role.value, grant.valid_from, grant.valid_until,
            )  # fmt: skip

    async def list(self, calling: str = "") -> tuple[Grant, ...]:
        """All grants, or those of one calling AE title, past and future ones too."""
        async with self._database.connection() as connection:
            return tuple(
                _grant_of(row)
                for row in await connection.fetch(queries("grants")["grants"], storable(calling))
            )

    async def resolve(self, *, calling: str, called: str, at: datetime) -> tuple[Grant, ...]:
        """What a caller is granted at a time, its own vault first; empty: it is not known here."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                queries("grants")["resolve"], storable(calling), storable(called), at
            )
        return tuple(_grant_of(row) for row in rows)


def _entity_of(row: Row) -> ApplicationEntity:
    return ApplicationEntity(
        title=AeTitle(row["title"]),
        description=row["description"],
        transfer_syntax_preference=tuple(Uid(uid) for uid in row["transfer_syntax_preference"]),
        idle_seconds=row["idle_seconds"],
        rule_preset=row["rule_preset"],
        rule_overrides=tuple(sorted(json.loads(row["rule_overrides"]).items())),
        certificate_fingerprint=row["certificate_fingerprint"],
    )


def _grant_of(row: Row) -> Grant:
    return Grant(
        caller=_entity_of(row),
        called=AeTitle(row["called"]),
        vault=VaultId(row["vault"]),
        role=Role(row["role"]),
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
    )

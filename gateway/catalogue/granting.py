"""Granting: one caller is given a vault, or what is recorded of it changes, in one transaction."""

import json
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

from gateway.catalogue.database import Connection
from gateway.catalogue.queries import queries
from gateway.catalogue.storable import storable
from gateway.catalogue.wording import Row
from gateway.errors import GrantError, GrantOverlapError
from gateway.model.association import (
    ApplicationEntity,
    Change,
    Grant,
    Granted,
    GrantWanted,
    ReportMode,
    Role,
    differences,
)
from gateway.model.identifiers import AeTitle, Uid, VaultId
from gateway.model.vault import Vault


async def grant(connection: Connection, wanted: GrantWanted) -> Granted:
    """Makes it so, in the caller's transaction. Errors as `Grants.add`."""
    recorded, known = await _lock_entity(connection, wanted.caller.title)
    caller = wanted.caller.applied_to(recorded)
    changes = differences(recorded, caller)
    if changes:
        await connection.execute(
            queries("grants")["update_entity"], caller.title, caller.description,
            list(caller.transfer_syntax_preference), caller.idle_seconds, caller.rule_preset,
            json.dumps(dict(caller.rule_overrides)), caller.report_host, caller.report_port,
            caller.report_mode and caller.report_mode.value, caller.parking_seconds,
        )  # fmt: skip
    met = await connection.fetch(
        queries("grants")["overlapping"], caller.title, wanted.called, wanted.valid_from, wanted.valid_until
    )
    vault, made = await _vault_for(connection, wanted, met)
    if met:
        _one_vault_at_a_time(wanted, met, vault)
        made_so, role_change = await _kept(connection, wanted, caller, met[0])
        changes += role_change
    else:
        made_so = await _insert(connection, wanted, caller, vault)
    return Granted(made_so, vault.name, not met, made, changes if known else ())


async def _lock_entity(connection: Connection, title: AeTitle) -> tuple[ApplicationEntity, bool]:
    """The caller's record, and whether there was one; whoever changes its grants waits for us."""
    made = await connection.execute(queries("grants")["insert_entity"], title)
    row = await connection.fetchrow(queries("grants")["lock_entity"], title)
    assert row is not None
    return entity_of(row), made.endswith(" 0")


async def _vault_for(connection: Connection, wanted: GrantWanted, met: Sequence[Row]) -> tuple[Vault, bool]:
    """The vault that is meant, and whether it had to be made."""
    named = wanted.vault
    if named is None:
        meant = met[0]["vault"] if met else wanted.default_vault
        if meant is None:
            raise GrantError(
                f"{wanted.caller.title} has no grant for {wanted.called} yet: "
                "say which vault with --vault NAME (it is made if it does not exist)"
            )
        named = str(meant)
    found = await vault_called(connection, named)
    if found is not None:
        return found, False
    if _is_uuid(named):
        raise GrantError(f"there is no vault with the id {named}")
    await connection.execute(queries("grants")["insert_vault"], uuid4(), named)
    found = await vault_called(connection, named)
    assert found is not None
    return found, True


async def vault_called(connection: Connection, name: str) -> Vault | None:
    """By id or name; no name looks like an id."""
    row = await connection.fetchrow(queries("grants")["vault_called"], storable(name))
    return None if row is None else Vault(**dict(row))


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _one_vault_at_a_time(wanted: GrantWanted, met: Sequence[Row], vault: Vault) -> None:
    for row in met:
        if row["vault"] != vault.id:
            raise overlap(wanted, f"vault {row['name']}, from {row['valid_from'].isoformat()}")


def overlap(wanted: GrantWanted, other: str) -> GrantOverlapError:
    """The refusal, with what to do."""
    caller, called = wanted.caller.title, wanted.called
    return GrantOverlapError(
        f"{caller} already stores into {other}, when it calls {called}; a C-STORE has one vault at a time. "
        f"End that grant first (kuva ae end {caller} --called {called}), or use another called AE title"
    )


async def _kept(
    connection: Connection, wanted: GrantWanted, caller: ApplicationEntity, row: Row
) -> tuple[Grant, tuple[Change, ...]]:
    """The grant that there is, in the role that is wanted."""
    kept = grant_with(caller, row)
    if wanted.role is None or wanted.role is kept.role:
        return kept, ()
    await connection.execute(
        queries("grants")["set_role"],
        caller.title, kept.called, kept.vault, kept.valid_from, wanted.role.value,
    )  # fmt: skip
    return replace(kept, role=wanted.role), (Change("role", kept.role, wanted.role),)


async def _insert(
    connection: Connection, wanted: GrantWanted, caller: ApplicationEntity, vault: Vault
) -> Grant:
    role = wanted.role or Role.OWN
    new = Grant(caller, wanted.called, vault.id, role, wanted.valid_from, wanted.valid_until)
    await connection.execute(
        queries("grants")["insert_grant"], caller.title, new.called, new.vault, role.value,
        new.valid_from, new.valid_until,
    )  # fmt: skip
    return new


def entity_of(row: Row) -> ApplicationEntity:
    """A row of application_entity, or one joined to it."""
    return ApplicationEntity(
        title=AeTitle(row["title"]),
        description=row["description"],
        transfer_syntax_preference=tuple(Uid(uid) for uid in row["transfer_syntax_preference"]),
        idle_seconds=row["idle_seconds"],
        rule_preset=row["rule_preset"],
        rule_overrides=tuple(sorted(json.loads(row["rule_overrides"]).items())),
        certificate_fingerprint=row["certificate_fingerprint"],
        report_host=row["report_host"],
        report_port=row["report_port"],
        report_mode=ReportMode(row["report_mode"]) if row["report_mode"] else None,
        parking_seconds=row["parking_seconds"],
    )


def grant_of(row: Row) -> Grant:
    """A row of ae_grant joined to its caller."""
    return grant_with(entity_of(row), row)


def grant_with(caller: ApplicationEntity, row: Row) -> Grant:
    """A row of ae_grant, its caller known."""
    return Grant(
        caller=caller,
        called=AeTitle(row["called"]),
        vault=VaultId(row["vault"]),
        role=Role(row["role"]),
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
    )

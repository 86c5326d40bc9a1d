"""Grants: one vault for a pair at a time, changes of what is given only, ends that are kept for history."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from gateway.catalogue import Catalogue
from gateway.errors import GrantError, GrantOverlapError, NotFoundError
from gateway.model.association import (
    ApplicationEntity,
    Change,
    EntityChange,
    Granted,
    GrantWanted,
    Role,
)
from gateway.model.identifiers import AeTitle, Uid, VaultId
from tests.catalogue_samples import NOW
from tests.postgresql import Base

pytestmark = pytest.mark.asyncio(loop_scope="session")

CT1, KUVA = AeTitle("CT1"), AeTitle("KUVA")
LATER = NOW + timedelta(days=1)
FULL = EntityChange(
    CT1,
    description="scanner",
    transfer_syntax_preference=(Uid("1.2.840.10008.1.2.1"),),
    idle_seconds=60.0,
    rule_preset="migration",
    rule_overrides={"tag-order": "flag"},
)
RECORDED = ApplicationEntity(
    CT1, "scanner", (Uid("1.2.840.10008.1.2.1"),), 60.0, "migration", (("tag-order", "flag"),)
)


def wanted(change: EntityChange = FULL, vault: str | None = "north", **more: object) -> GrantWanted:
    return replace(GrantWanted(change, KUVA, NOW, vault=vault), **more)  # type: ignore[arg-type]


async def held(catalogue: Catalogue, at: datetime = NOW) -> list[str]:
    names = {vault.id: vault.name for vault in await catalogue.grants.vaults()}
    return [names[one.vault] for one in await catalogue.grants.resolve(calling=CT1, called=KUVA, at=at)]


async def test_grants_hold_between_their_dates_and_carry_the_caller(catalogue: Catalogue) -> None:
    granted = await catalogue.grants.add(wanted(valid_until=LATER))
    assert (granted.new, granted.vault_made, granted.changes) == (True, True, ())
    assert granted.grant.caller == RECORDED
    resolve = catalogue.grants.resolve
    assert await resolve(calling="CT1", called="KUVA", at=NOW) == (granted.grant,)
    assert await resolve(calling="CT1", called="KUVA", at=NOW - timedelta(seconds=1)) == ()
    assert await resolve(calling="CT1", called="KUVA", at=LATER) == ()
    assert await resolve(calling="CT2", called="KUVA", at=NOW) == ()
    assert await resolve(calling="CT1", called="OTHER", at=NOW) == ()
    assert await catalogue.grants.list("CT1") == (granted.grant,) == await catalogue.grants.list()
    assert await catalogue.grants.entities() == (RECORDED,)


async def test_the_same_again_changes_nothing_and_what_is_not_given_stays(base: Base) -> None:
    catalogue = base.catalogue
    first = await catalogue.grants.add(wanted())
    connection = await asyncpg.connect(**base.superuser.arguments())
    await connection.execute("UPDATE kuva.application_entity SET certificate_fingerprint = $1", bytes(32))
    await connection.close()
    whole = replace(first.grant, caller=replace(RECORDED, certificate_fingerprint=bytes(32)))
    for again in (wanted(), wanted(EntityChange(CT1)), wanted(EntityChange(CT1), vault=None)):
        granted = await catalogue.grants.add(replace(again, valid_from=LATER))
        assert granted == Granted(whole, "north", new=False, vault_made=False, changes=())
    assert await catalogue.grants.list() == (whole,)


async def test_only_what_is_given_changes_and_it_is_said(catalogue: Catalogue) -> None:
    await catalogue.grants.add(wanted())
    change = EntityChange(CT1, idle_seconds=30.0, rule_overrides={"odd-length": "refuse"})
    granted = await catalogue.grants.add(wanted(change, role=Role.PROCESSOR))
    rules = (("odd-length", "refuse"), ("tag-order", "flag"))
    assert granted.changes == (
        Change("idle_seconds", 60.0, 30.0),
        Change("rule_overrides", (("tag-order", "flag"),), rules),
        Change("role", Role.OWN, Role.PROCESSOR),
    )
    (kept,) = await catalogue.grants.list()
    assert kept == granted.grant
    assert kept.caller == replace(RECORDED, idle_seconds=30.0, rule_overrides=rules)
    assert kept.role is Role.PROCESSOR
    reset = EntityChange(CT1, reset=frozenset(("rule_overrides", "rule_preset", "idle_seconds")))
    back = await catalogue.grants.add(wanted(reset))
    assert back.grant.caller == replace(RECORDED, idle_seconds=None, rule_preset=None, rule_overrides=())


async def test_a_pair_has_one_vault_at_a_time_and_a_refusal_leaves_nothing(catalogue: Catalogue) -> None:
    await catalogue.grants.add(wanted())
    with pytest.raises(GrantOverlapError, match="CT1 already stores into vault north"):
        await catalogue.grants.add(wanted(EntityChange(CT1, description="x"), vault="south"))
    assert [vault.name for vault in await catalogue.grants.vaults()] == ["north"]
    assert await catalogue.grants.entities() == (RECORDED,)
    assert await held(catalogue) == ["north"]
    other = await catalogue.grants.add(wanted(vault="south", called=AeTitle("OTHER")))
    assert other.new  # control: another called AE title is another pair


async def test_vaults_of_a_pair_may_follow_one_another_and_not_overlap(catalogue: Catalogue) -> None:
    await catalogue.grants.add(wanted(valid_until=LATER))
    with pytest.raises(GrantOverlapError):
        await catalogue.grants.add(wanted(vault="south", valid_from=LATER - timedelta(microseconds=1)))
    await catalogue.grants.add(wanted(vault="south", valid_from=LATER))
    assert await held(catalogue) == ["north"]
    assert await held(catalogue, LATER) == ["south"]


async def test_the_database_itself_refuses_two_at_a_time(base: Base) -> None:
    await base.catalogue.grants.add(wanted())
    await base.catalogue.grants.add(wanted(vault="south", called=AeTitle("OTHER")))
    connection = await asyncpg.connect(**base.gateway.arguments())
    second = "INSERT INTO kuva.ae_grant SELECT calling, 'KUVA', vault, role, valid_from{} FROM kuva.ae_grant WHERE called = 'OTHER'"
    with pytest.raises(asyncpg.ExclusionViolationError):
        await connection.execute(second.format(" + interval '1 day'"))
    before = second.format(" - interval '1 day', valid_from")
    await connection.execute(before)  # control: one that ends where the other begins
    await connection.close()


async def test_many_at_once_leave_one_vault(catalogue: Catalogue) -> None:
    names = ["a", "b", "c"] * 3
    asked = (catalogue.grants.add(wanted(vault=name)) for name in names)
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    taken = [one for one in outcomes if isinstance(one, Granted)]
    assert len(taken) == 3
    assert sum(one.new for one in taken) == 1
    assert all(isinstance(one, Granted | GrantOverlapError) for one in outcomes)
    assert await held(catalogue, NOW) == [taken[0].vault_name]


async def test_without_a_vault_the_pairs_own_or_the_default_is_meant(catalogue: Catalogue) -> None:
    with pytest.raises(GrantError, match="CT1 has no grant for KUVA yet"):
        await catalogue.grants.add(wanted(vault=None))
    assert await catalogue.grants.entities() == ()
    demo = await catalogue.grants.create_vault(VaultId(UUID(int=1)), "demo")
    granted = await catalogue.grants.add(wanted(vault=None, default_vault=demo.id))
    assert granted.grant.vault == demo.id
    by_id = await catalogue.grants.add(wanted(vault=str(demo.id)))
    assert (by_id.new, by_id.vault_name) == (False, "demo")
    with pytest.raises(GrantError, match="no vault with the id"):
        await catalogue.grants.add(wanted(vault=str(UUID(int=2))))


async def test_a_grant_that_was_ended_is_kept_and_another_vault_may_follow(catalogue: Catalogue) -> None:
    first = (await catalogue.grants.add(wanted())).grant
    await catalogue.grants.add(wanted(called=AeTitle("OTHER")))
    (ended,) = await catalogue.grants.end(CT1, called="KUVA", at=LATER)
    assert ended == replace(first, valid_until=LATER)
    assert await held(catalogue, LATER - timedelta(seconds=1)) == ["north"]
    assert await held(catalogue, LATER) == []
    assert [one.called for one in await catalogue.grants.list(valid_after=LATER)] == ["OTHER"]
    assert len(await catalogue.grants.list()) == 2
    after = await catalogue.grants.add(wanted(EntityChange(CT1), "south", valid_from=LATER))
    assert after.new
    assert after.grant.caller == RECORDED
    assert await held(catalogue, LATER) == ["south"]


async def test_what_is_not_in_force_cannot_be_ended(catalogue: Catalogue) -> None:
    granted = await catalogue.grants.add(wanted())
    assert granted.new
    with pytest.raises(NotFoundError, match="CT2 has no grant"):
        await catalogue.grants.end(AeTitle("CT2"), at=LATER)
    with pytest.raises(NotFoundError, match="no vault south"):
        await catalogue.grants.end(CT1, vault="south", at=LATER)
    with pytest.raises(NotFoundError, match="CT1 has no grant for OTHER"):
        await catalogue.grants.end(CT1, called="OTHER", at=LATER)
    await catalogue.grants.end(CT1, vault="north", at=LATER)
    with pytest.raises(NotFoundError, match="that is in force"):
        await catalogue.grants.end(CT1, at=LATER)


async def test_a_grant_that_is_ended_before_it_begins_was_never_valid(catalogue: Catalogue) -> None:
    await catalogue.grants.add(wanted(valid_from=LATER))
    (ended,) = await catalogue.grants.end(CT1, at=NOW)
    assert ended.valid_until == ended.valid_from == LATER
    assert await held(catalogue, LATER) == []
    assert await catalogue.grants.list(valid_after=NOW) == ()
    with pytest.raises(NotFoundError):
        await catalogue.grants.end(CT1, at=NOW)
    assert (await catalogue.grants.add(wanted(vault="south"))).new

"""Rebuilding: only an empty catalogue, every step may be done again, and the order of volumes does not matter."""

import dataclasses
import itertools
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from gateway.catalogue import Catalogue
from gateway.errors import CatalogueSchemaError, RebuildError
from gateway.model.fact import CustodyFact, VaultFact
from gateway.model.identifiers import FactId, VaultId, VolumeId
from gateway.model.study import StudyAttributes
from gateway.model.volume import RebuiltVolume, VolumeKind, VolumeState
from tests.catalogue_samples import NOW, STUDY, batch, flush, locator_hash, node_id, vault_id
from tests.postgresql import Base
from tests.volume_samples import landed, volume_id

pytestmark = pytest.mark.asyncio(loop_scope="session")


def _volume(vault: VaultId, *uids: str, minutes: int = 0, **more: object) -> RebuiltVolume:
    """Received so many minutes after noon; its patient says when."""
    identifier, received = volume_id(), NOW + timedelta(minutes=minutes)
    plain = RebuiltVolume(
        id=identifier, key=f"volumes/{vault}/{identifier}.tar", vault=vault, study_uid=STUDY, node=node_id(),
        kind=VolumeKind.KEPT, planned_at=received, supersedes=(), digest=bytes(32), length=9_000,
        instances=len(uids), data_length=1000 * len(uids), received_from=received, received_to=received,
        block="\n".join(f"{uid}={n}:x" for n, uid in enumerate(uids, 1)).encode(),
        locator_hashes=tuple(locator_hash(uid) for uid in uids),
        attributes=StudyAttributes(patient_id=f"P{minutes}"),
    )  # fmt: skip
    return dataclasses.replace(plain, **more)  # type: ignore[arg-type]


def _fact(number: int) -> FactId:
    return FactId(f"{number:026}")


async def test_only_an_empty_catalogue_is_rebuilt(catalogue: Catalogue) -> None:
    await landed(catalogue, [(1, "1.1", "x")])
    with pytest.raises(RebuildError, match="not empty"):
        await catalogue.rebuilding.begin()
    assert not await catalogue.rebuilding.unfinished()


async def test_what_was_begun_may_be_begun_again_until_it_is_finished(catalogue: Catalogue) -> None:
    assert not await catalogue.rebuilding.begin()
    vault = vault_id()
    await catalogue.rebuilding.volume(_volume(vault, "1.1"))
    assert await catalogue.rebuilding.begin()
    assert await catalogue.rebuilding.unfinished()
    await catalogue.rebuilding.finish()
    assert not await catalogue.rebuilding.unfinished()
    with pytest.raises(RebuildError):
        await catalogue.rebuilding.begin()


async def test_without_a_rebuild_no_study_is_made_past_landing(catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueSchemaError):
        await catalogue.rebuilding.volume(_volume(vault_id(), "1.1"))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_the_study_is_that_of_the_instance_received_first_in_any_order(
    catalogue: Catalogue, order: tuple[int, ...]
) -> None:
    vault = vault_id()
    volumes = [_volume(vault, f"1.{minutes}", minutes=minutes) for minutes in range(3)]
    await catalogue.rebuilding.begin()
    for number in order:
        for _ in range(2):  # after an unknown outcome
            await catalogue.rebuilding.volume(volumes[number])
    study, blocks = await catalogue.studies.get(vault, STUDY)
    assert (study.attributes.patient_id, study.first_seen, study.instances) == ("P0", NOW, 3)
    assert {block.volume for block in blocks} == {volume.id for volume in volumes}
    assert await catalogue.rebuilding.volumes() == {volume.id for volume in volumes}
    (standing,) = await catalogue.commitments.look([vault], [locator_hash("1.1")])
    assert len(standing.volumes) == 3


async def test_hashes_are_located_once_however_often_a_volume_is_taken(base: Base) -> None:
    vault = vault_id()
    await base.catalogue.rebuilding.begin()
    one = _volume(vault, "1.1", "1.2")
    for _ in range(3):
        await base.catalogue.rebuilding.volume(one)
    connection = await asyncpg.connect(**base.superuser.arguments())
    assert await connection.fetchval("SELECT count(*) FROM kuva.locator") == 2
    await connection.close()
    with pytest.raises(RebuildError, match="another file"):
        await base.catalogue.rebuilding.volume(dataclasses.replace(one, digest=bytes([1]) * 32))


async def test_a_study_of_years_ago_has_its_hashes_with_its_month(base: Base) -> None:
    long_ago = datetime(2011, 2, 3, tzinfo=UTC)
    await base.catalogue.rebuilding.begin()
    one = _volume(vault_id(), "1.1", received_from=long_ago, received_to=long_ago)
    await base.catalogue.rebuilding.volume(one)
    connection = await asyncpg.connect(**base.superuser.arguments())
    assert await connection.fetchval("SELECT count(*) FROM kuva.locator_201102") == 1
    await connection.close()


@pytest.mark.parametrize("newer_first", [False, True])
async def test_a_superseded_volume_counts_for_nothing_in_any_order(
    catalogue: Catalogue, newer_first: bool
) -> None:
    vault = vault_id()
    old = _volume(vault, "1.1", "1.2")
    new = _volume(vault, "1.1", minutes=5, supersedes=(old.id,))
    await catalogue.rebuilding.begin()
    for one in (new, old) if newer_first else (old, new):
        await catalogue.rebuilding.volume(one)
    study, (block,) = await catalogue.studies.get(vault, STUDY)
    assert (study.instances, block.volume) == (1, new.id)


async def test_a_quarantine_volume_is_listed_and_in_no_study_s_counts(catalogue: Catalogue) -> None:
    vault = vault_id()
    await catalogue.rebuilding.begin()
    held = _volume(vault, "1.1", kind=VolumeKind.QUARANTINED, locator_hashes=())
    await catalogue.rebuilding.volume(held)
    (listed,) = await catalogue.volumes.list([vault])
    assert (listed.kind, listed.state, listed.uncommitted) == (
        VolumeKind.QUARANTINED,
        VolumeState.VERIFIED,
        0,
    )
    study, blocks = await catalogue.studies.get(vault, STUDY)
    assert (study.instances, blocks) == (0, ())


async def test_the_first_fact_of_an_instance_counts_and_each_is_taken_once(catalogue: Catalogue) -> None:
    vault = vault_id()
    await catalogue.rebuilding.begin()
    one = _volume(vault, "1.1", "1.2", "1.3")
    await catalogue.rebuilding.volume(one)
    told = [CustodyFact(vault, NOW + timedelta(hours=n), "CT1", f"2.25.{n}", ()) for n in range(3)]
    members: list[dict[VolumeId, list[int] | None]] = [{one.id: [0, 2]}, {one.id: None}, {one.id: [1]}]
    begun = [
        await catalogue.rebuilding.custody(_fact(n), fact, named, NOW)
        for n, (fact, named) in enumerate(zip(told, members, strict=True))
    ]
    again = await catalogue.rebuilding.custody(_fact(0), told[0], members[0], NOW)
    assert (begun, again) == ([2, 1, 0], 0)
    custody = await catalogue.commitments.custody([one.id], [vault])
    assert [(c.since, c.ordinals, c.commitment) for c in custody] == [
        (NOW, (0, 2), None), (NOW + timedelta(hours=1), (1,), None),
    ]  # fmt: skip
    assert (await catalogue.volumes.get(one.id, [vault])).uncommitted == 0
    assert await catalogue.rebuilding.uncommitted() == 0


async def test_a_vault_keeps_its_name_and_one_without_a_fact_leaves_one(catalogue: Catalogue) -> None:
    named, nameless, twin = vault_id(), vault_id(), vault_id()
    await catalogue.rebuilding.begin()
    for _ in range(2):
        await catalogue.rebuilding.vault(_fact(1), VaultFact(named, "north"), NOW)
    await catalogue.rebuilding.vault(_fact(2), VaultFact(twin, "north"), NOW)
    await catalogue.rebuilding.volume(_volume(nameless, "1.1"))
    assert await catalogue.facts.unwritten() == ()
    await catalogue.rebuilding.finish()
    names = {vault.id: vault.name for vault in await catalogue.grants.vaults()}
    assert names == {named: "north", nameless: f"recovered {nameless}", twin: f"recovered {twin}"}
    (fact,) = await catalogue.facts.unwritten()
    assert fact.vault == nameless


async def test_what_lands_later_meets_what_was_rebuilt(catalogue: Catalogue) -> None:
    vault, node = vault_id(), node_id()
    await catalogue.rebuilding.begin()
    await catalogue.rebuilding.volume(_volume(vault, "1.1"))
    await catalogue.rebuilding.finish()
    epoch = (await catalogue.nodes.start(node)).epoch
    assert await catalogue.land(flush(node, epoch, batch(vault, [(1, "1.1", "y")]))) == 1
    study = await catalogue.studies.find(vault, STUDY)
    assert study is not None
    assert (study.instances, study.attributes.patient_id) == (2, "P0")

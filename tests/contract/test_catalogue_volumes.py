"""Volumes: an open batch is in at most one live plan, and goes when its volume is verified, not before."""

import asyncio
import dataclasses
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from gateway.catalogue import Catalogue, IncidentFilters
from gateway.catalogue.database import Database
from gateway.catalogue.landing import Landing
from gateway.errors import NotFoundError, PlanError, VolumeStateError
from gateway.ingest.recovery import recover
from gateway.model.identifiers import NodeId, StudyUid
from gateway.model.incident import IncidentKind, Resolution
from gateway.model.instance import ReceiveId
from gateway.model.study import StudyFilters
from gateway.model.volume import VolumeKind, VolumePlan, VolumeState
from tests.catalogue_samples import NOW, STUDY, batch, flush, node_id, quarantined, vault_id
from tests.postgresql import Base
from tests.volume_samples import digest_of, kept, landed, merged, plan_of, remainder, stored, verified

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_plan_has_all_that_assembly_needs_and_is_found_again_after_a_crash(
    catalogue: Catalogue,
) -> None:
    vault, node, epoch = await landed(catalogue, [(1, "1.1", "x"), (2, "1.2", "y")], [(3, "1.3", "z")])
    assert [(b.first_position, b.instances) for b in await catalogue.volumes.open_batches(node)] == [
        (1, 2),
        (3, 1),
    ]
    plan = plan_of(vault, node, (epoch, 1), (epoch, 3), excluded=((epoch, 2),))
    planned = await catalogue.volumes.plan(plan)
    assert (planned.plan, planned.state, planned.instances) == (plan, VolumeState.PLANNED, 2)
    assert [(b.epoch, b.first_position, b.last_position) for b in planned.batches] == [
        (epoch, 1, 2),
        (epoch, 3, 3),
    ]
    assert merged(planned) == b"1.1=1:x\n1.3=3:z"
    assert await catalogue.volumes.plan(plan) == planned  # after an unknown outcome
    assert await catalogue.volumes.unfinished(node) == (planned,)
    assert await catalogue.volumes.unfinished(node_id()) == ()
    assert await catalogue.volumes.open_batches(node) == ()


async def test_a_planned_or_stored_volume_counts_for_nothing(catalogue: Catalogue) -> None:
    vault, node, epoch = await landed(catalogue, [(1, "1.1", "x")])
    planned = await stored(catalogue, plan_of(vault, node, (epoch, 1)))
    study, blocks = await catalogue.studies.get(vault, STUDY)
    assert (study.instances, [b.kind for b in blocks]) == (1, ["open"])
    assert (await catalogue.known(vault, STUDY)).volumes == ()
    (again,) = await catalogue.volumes.unfinished(node)
    assert (again.state, again.digest, again.length) == (VolumeState.STORED, digest_of(planned), 10_240)


async def test_a_verified_volume_takes_the_place_of_its_batches(catalogue: Catalogue) -> None:
    vault, node, epoch = await landed(catalogue, [(1, "1.1", "x"), (2, "1.2", "y")], [(3, "1.3", "z")])
    before = await catalogue.studies.find(vault, STUDY)
    planned = await stored(catalogue, plan_of(vault, node, (epoch, 1)))
    one = await verified(catalogue, planned)
    assert await verified(catalogue, planned) == one  # after an unknown outcome
    assert (one.state, one.instances, one.uncommitted, one.block) == (
        VolumeState.VERIFIED,
        2,
        2,
        merged(planned),
    )
    study, blocks = await catalogue.studies.get(vault, STUDY)
    assert study == before
    assert [(b.kind, b.volume, b.key, b.instances, b.damaged) for b in blocks] == [
        ("volume", one.id, one.key, 2, False), ("open", None, None, 1, False),
    ]  # fmt: skip
    (listed,) = (await catalogue.studies.list(StudyFilters((vault,)))).studies
    assert (listed.instances, listed.length) == (3, 3000)
    known = await catalogue.known(vault, STUDY)
    assert (known.volumes, [b.block for b in known.blocks]) == ((merged(planned),), [b"1.3=3:z"])
    assert await catalogue.volumes.unfinished(node) == ()
    assert [b.first_position for b in await catalogue.volumes.open_batches(node)] == [3]


async def test_excluded_instances_stay_open(catalogue: Catalogue) -> None:
    vault, node, epoch = await landed(catalogue, [(1, "1.1", "x"), (2, "1.2", "y")])
    planned = await stored(catalogue, plan_of(vault, node, (epoch, 1), excluded=((epoch, 1),)))
    with pytest.raises(VolumeStateError):
        await verified(catalogue, planned)  # and the excluded one would be nowhere
    left = batch(vault, [(1, "1.1", "x")])
    await verified(catalogue, planned, [remainder(epoch, left)])
    study, blocks = await catalogue.studies.get(vault, STUDY)
    assert (study.instances, [(b.kind, b.first_position, b.block) for b in blocks]) == (
        2, [("volume", 0, b"1.2=2:y"), ("open", 1, left.block)],
    )  # fmt: skip
    (open_batch,) = await catalogue.volumes.open_batches(node)
    assert (open_batch.epoch, open_batch.first_position, open_batch.instances) == (epoch, 1, 1)


async def test_two_plans_never_share_a_batch(catalogue: Catalogue) -> None:
    vault, node, epoch = await landed(catalogue, [(1, "1.1", "x")], [(2, "1.2", "y")])
    plans = [plan_of(vault, node, (epoch, 1)), plan_of(vault, node, (epoch, 1), (epoch, 2))]
    outcomes = await asyncio.gather(*(catalogue.volumes.plan(p) for p in plans), return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["PlanError", "PlannedVolume"]
    assert len(await catalogue.volumes.unfinished(node)) == 1


async def test_a_plan_that_waited_for_a_volume_to_be_verified_gets_none_of_its_batches(base: Base) -> None:
    """The key alone would let it in: its row is free again, and the batch is gone."""
    vault, node, epoch = await landed(base.catalogue, [(1, "1.1", "x")])
    await stored(base.catalogue, plan_of(vault, node, (epoch, 1)))
    superuser = await asyncpg.connect(**base.superuser.arguments())
    ending = superuser.transaction()  # all that `verified` does to batches and plans
    await ending.start()
    await superuser.execute("DELETE FROM kuva.open_batch")
    await superuser.execute("DELETE FROM kuva.planned_batch")
    late = asyncio.ensure_future(base.catalogue.volumes.plan(plan_of(vault, node, (epoch, 1))))
    await asyncio.sleep(0.2)  # it has seen the batch, and waits for the key
    assert not late.done()
    await ending.commit()
    await superuser.close()
    with pytest.raises(PlanError, match="0 of its 1 batches"):
        await late
    assert len(await base.catalogue.volumes.list([vault])) == 1


@pytest.mark.parametrize(
    "wrong", ["no batch", "other node", "other study", "excluded elsewhere", "empty", "twice"]
)
async def test_what_cannot_be_planned_is_refused_whole(catalogue: Catalogue, wrong: str) -> None:
    vault, node, epoch = await landed(catalogue, [(1, "1.1", "x")])
    plans = {
        "no batch": plan_of(vault, node, (epoch, 1), (epoch, 7)),
        "other node": plan_of(vault, node_id(), (epoch, 1)),
        "other study": plan_of(vault, node, (epoch, 1), study=StudyUid("1.9")),
        "excluded elsewhere": plan_of(vault, node, (epoch, 1), excluded=((epoch, 2),)),
        "empty": plan_of(vault, node, (epoch, 1), excluded=((epoch, 1),)),
        "twice": plan_of(vault, node, (epoch, 1), (epoch, 1)),
    }
    with pytest.raises(PlanError):
        await catalogue.volumes.plan(plans[wrong])
    assert await catalogue.volumes.unfinished(node) == ()
    assert len(await catalogue.volumes.open_batches(node)) == 1


async def test_a_batch_that_was_not_compared_yet_is_not_planned(base: Base) -> None:
    vault, node = vault_id(), node_id()
    await base.catalogue.grants.create_vault(vault, "a")
    epoch = (await base.catalogue.nodes.start(node)).epoch
    database = await Database.open(base.gateway)
    await Landing(database).land(flush(node, epoch, batch(vault, [(1, "1.1", "x")])))  # killed here
    await database.close()
    with pytest.raises(PlanError, match="compared"):
        await base.catalogue.volumes.plan(plan_of(vault, node, (epoch, 1)))
    await recover(started_with_nothing(node), base.catalogue)
    await base.catalogue.volumes.plan(plan_of(vault, node, (epoch, 1)))


def started_with_nothing(node: NodeId) -> Any:
    """A journal that was opened again and holds nothing that the catalogue lacks."""
    found = SimpleNamespace(
        vaults=[],
        epochs=[],
        damaged=[],
        instances=0,
        quarantined=0,
        unwritten_bytes=0,
        segments=0,
        seconds=0.0,
    )
    return SimpleNamespace(recovery=found, identifier=node)


async def test_an_abandoned_volume_gives_its_batches_back_and_never_comes_back(catalogue: Catalogue) -> None:
    vault, node, epoch = await landed(catalogue, [(1, "1.1", "x")])
    plan = plan_of(vault, node, (epoch, 1))
    planned = await stored(catalogue, plan)
    for _ in range(2):
        await catalogue.volumes.abandon(plan.id, vault, "the store gave other bytes back")
    with pytest.raises(VolumeStateError):
        await verified(catalogue, planned)
    with pytest.raises(VolumeStateError):
        await catalogue.volumes.stored(plan.id, vault, digest=digest_of(planned), length=10_240)
    with pytest.raises(VolumeStateError):
        await catalogue.volumes.plan(plan)
    shown = await catalogue.volumes.get(plan.id, [vault])
    assert (shown.state, shown.reason) == (VolumeState.ABANDONED, "the store gave other bytes back")
    one = await kept(catalogue, vault, node, (epoch, 1))
    with pytest.raises(VolumeStateError):
        await catalogue.volumes.abandon(one.id, vault, "too late")


async def test_only_what_was_stored_like_this_is_verified(catalogue: Catalogue) -> None:
    vault, node, epoch = await landed(catalogue, [(1, "1.1", "x")])
    planned = await catalogue.volumes.plan(plan_of(vault, node, (epoch, 1)))
    with pytest.raises(VolumeStateError):
        await verified(catalogue, planned)
    await catalogue.volumes.stored(planned.plan.id, vault, digest=bytes(32), length=7)
    with pytest.raises(VolumeStateError):
        await catalogue.volumes.stored(planned.plan.id, vault, digest=bytes(32), length=8)
    with pytest.raises(VolumeStateError):
        await verified(catalogue, planned)  # another digest
    await catalogue.volumes.abandon(planned.plan.id, vault, "x")
    planned = await stored(catalogue, plan_of(vault, node, (epoch, 1)))
    with pytest.raises(VolumeStateError):
        await verified(catalogue, dataclasses.replace(planned, instances=2))
    await verified(catalogue, planned)
    with pytest.raises(VolumeStateError):
        await verified(catalogue, planned, block=b"another block")


async def test_a_damaged_volume_is_shown_and_counts_for_nothing(catalogue: Catalogue) -> None:
    vault, node, epoch = await landed(catalogue, [(1, "1.1", "x")])
    one = await kept(catalogue, vault, node, (epoch, 1))
    for why in ("a bit flipped", "and another"):
        await catalogue.volumes.damaged(one.id, vault, why)
    assert (await catalogue.known(vault, STUDY)).volumes == ()
    _, (block,) = await catalogue.studies.get(vault, STUDY)
    assert block.damaged
    (listed,) = await catalogue.volumes.list([vault], damaged=True)
    assert (listed.id, listed.damage, listed.block) == (one.id, "a bit flipped", None)
    with pytest.raises(NotFoundError):
        await catalogue.volumes.damaged(one.id, vault_id(), "not mine")


async def test_volumes_are_listed_newest_first_and_of_a_study_with_their_blocks(catalogue: Catalogue) -> None:
    vault, node, epoch = await landed(catalogue, *[[(n, f"1.{n}", "x")] for n in range(1, 6)])
    made = [await kept(catalogue, vault, node, (epoch, n)) for n in range(1, 6)]
    ids = sorted((one.id for one in made), reverse=True)
    first = await catalogue.volumes.list([vault], limit=3)
    rest = await catalogue.volumes.list([vault], limit=3, after=first[-1].id)
    assert [one.id for one in (*first, *rest)] == ids
    assert await catalogue.volumes.list([vault], states=[VolumeState.PLANNED]) == ()
    assert [one.id for one in await catalogue.volumes.of_study(vault, STUDY)] == sorted(ids)
    assert await catalogue.volumes.verified_since(node, NOW) == await catalogue.volumes.of_study(vault, STUDY)
    assert await catalogue.volumes.verified_since(node, NOW + timedelta(seconds=1)) == ()
    assert await catalogue.volumes.verified_since(node_id(), NOW) == ()


async def test_not_yours_and_not_there_are_the_same(catalogue: Catalogue) -> None:
    vault, node, epoch = await landed(catalogue, [(1, "1.1", "x")])
    one, stranger = await kept(catalogue, vault, node, (epoch, 1)), vault_id()
    for asked in (one.id, plan_of(vault, node, (epoch, 1)).id):
        with pytest.raises(NotFoundError, match=f"^no volume {asked}$"):
            await catalogue.volumes.get(asked, [stranger])
    assert await catalogue.volumes.list([stranger]) == ()
    assert await catalogue.volumes.of_study(stranger, STUDY) == ()


@pytest.mark.parametrize(("content", "kinds"), [("x", []), ("y", [IncidentKind.DISPUTE])])
async def test_a_newcomer_is_compared_with_what_is_in_volumes(
    catalogue: Catalogue, content: str, kinds: list[IncidentKind]
) -> None:
    vault, node, epoch = await landed(catalogue, [(1, "1.1", "x"), (2, "1.2", "z")])
    await kept(catalogue, vault, node, (epoch, 1))
    other = node_id()
    later = (await catalogue.nodes.start(other)).epoch
    await catalogue.land(flush(other, later, batch(vault, [(1, "1.1", content)])))
    incidents = await catalogue.incidents.list(IncidentFilters((vault,)))
    assert [i.kind for i in incidents] == kinds
    study = await catalogue.studies.find(vault, STUDY)
    assert study is not None
    assert study.instances == 3  # both are kept
    if incidents:
        assert incidents[0].receive_id == ReceiveId(other, later, 1)
        choose = Resolution.PREFER_KEPT
        await catalogue.incidents.resolve(incidents[0].id, (vault,), resolution=choose, reason="r", by="b")
        choices = await catalogue.incidents.choices(vault, STUDY)
        assert {uid: place.node for uid, place in choices.preferred.items()} == {"1.1": node}


async def test_two_that_met_before_one_went_into_a_volume_stay_one_incident(base: Base) -> None:
    vault, node, other = vault_id(), node_id(), node_id()
    await base.catalogue.grants.create_vault(vault, "a")
    epochs = [(await base.catalogue.nodes.start(one)).epoch for one in (other, node)]
    database = await Database.open(base.gateway)
    await Landing(database).land(flush(other, epochs[0], batch(vault, [(1, "1.1", "y")])))  # killed here
    await database.close()
    assert await base.catalogue.land(flush(node, epochs[1], batch(vault, [(1, "1.1", "x")]))) == 1
    await kept(base.catalogue, vault, node, (epochs[1], 1))
    assert await base.catalogue._arbitration.settle() == 1
    (incident,) = await base.catalogue.incidents.list(IncidentFilters((vault,)))
    assert (incident.receive_id.node, incident.kept and incident.kept.node) == (node, other)


async def test_same_uid_in_a_volume_of_another_study_is_an_incident(catalogue: Catalogue) -> None:
    vault, node, epoch = await landed(catalogue, [(1, "1.1", "x")])
    await kept(catalogue, vault, node, (epoch, 1))
    elsewhere = batch(vault, [(2, "1.1", "x")], study=StudyUid("1.9"))
    assert await catalogue.land(flush(node, epoch, elsewhere, after=1)) == 1
    (incident,) = await catalogue.incidents.list(IncidentFilters((vault,)))
    assert (incident.kind, incident.study_uid) == (IncidentKind.CROSS_STUDY_UID, "1.9")


async def test_quarantined_newcomers_get_volumes_of_their_own(catalogue: Catalogue) -> None:
    vault, node = vault_id(), node_id()
    await catalogue.grants.create_vault(vault, "a")
    epoch = (await catalogue.nodes.start(node)).epoch
    held = [quarantined(vault, node, epoch, n) for n in (2, 3)]
    await catalogue.land(flush(node, epoch, batch(vault, [(1, "1.2.3.4.5", "x")]), quarantined=held))
    loose = await catalogue.volumes.loose_newcomers(node)
    assert [(one.epoch, one.position, one.length) for one in loose] == [(epoch, 2, 4096), (epoch, 3, 4096)]
    await catalogue.incidents.resolve(
        loose[1].incident, (vault,), resolution=Resolution.DISCARD, reason="r", by="b"
    )
    (one,) = await catalogue.volumes.loose_newcomers(node)
    with pytest.raises(PlanError):
        await catalogue.volumes.plan(_quarantine_plan(vault, node, loose[0].incident, loose[1].incident))
    plan = _quarantine_plan(vault, node, one.incident)
    planned = await stored(catalogue, plan)
    assert (planned.newcomers, planned.instances) == (((epoch, 2),), 1)
    assert await catalogue.volumes.loose_newcomers(node) == ()
    done = await verified(catalogue, planned, block=b"1.2.3.4.5=2:q")
    assert (done.kind, done.uncommitted) == (VolumeKind.QUARANTINED, 0)
    study, blocks = await catalogue.studies.get(vault, STUDY)
    assert (study.instances, [b.kind for b in blocks]) == (1, ["open"])
    known = await catalogue.known(vault, STUDY)
    assert (known.volumes, len(known.quarantined)) == ((), 1)
    with pytest.raises(PlanError):
        await catalogue.volumes.plan(_quarantine_plan(vault, node, one.incident))


def _quarantine_plan(vault: object, node: object, *incidents: int) -> VolumePlan:
    plain = plan_of(vault, node, (1, 1))  # type: ignore[arg-type]
    return dataclasses.replace(plain, kind=VolumeKind.QUARANTINED, batches=(), incidents=incidents)


async def test_the_database_lets_no_open_batch_go_without_a_stored_volume(base: Base) -> None:
    vault, node, epoch = await landed(base.catalogue, [(1, "1.1", "x")], [(2, "1.2", "x")])
    await base.catalogue.volumes.plan(plan_of(vault, node, (epoch, 1)))
    gateway = await asyncpg.connect(**base.gateway.arguments(), server_settings={"search_path": "kuva"})
    await gateway.execute(f"SET kuva.vaults = '{{{vault}}}'")
    assert await gateway.execute("DELETE FROM open_batch") == "DELETE 0"
    await gateway.close()

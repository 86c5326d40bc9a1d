"""Storage commitment: kept before it is answered, resolved in one transaction, custody begins once."""

import asyncio
import dataclasses
import json

import asyncpg
import pytest

from gateway.catalogue import Catalogue, IncidentFilters
from gateway.catalogue.custody import bits_of, ordinals_of
from gateway.errors import CommitmentStateError, NotFoundError, ResolutionError
from gateway.model.batch import KnownBlock
from gateway.model.commitment import Asked, Commitment, FailureReason
from gateway.model.fact import FactKind
from gateway.model.identifiers import AeTitle, StudyUid, VaultId
from gateway.model.incident import Incident, IncidentKind, IncidentState, Resolution
from gateway.model.instance import ReceiveId
from gateway.model.volume import Uncommitted, Volume
from tests.catalogue_samples import (
    NOW,
    STUDY,
    batch,
    flush,
    locator_hash,
    node_id,
    quarantined,
    vault_id,
)
from tests.postgresql import Base
from tests.volume_samples import item, kept, landed, plan_of, request, secured, stored

pytestmark = pytest.mark.asyncio(loop_scope="session")

UIDS = ("1.1", "1.2", "1.3")


async def _kept(catalogue: Catalogue) -> tuple[VaultId, int, Volume]:
    """A verified volume of three instances."""
    vault, node, epoch = await landed(catalogue, [(n + 1, uid, "x") for n, uid in enumerate(UIDS)])
    return vault, epoch, await kept(catalogue, vault, node, (epoch, 1))


async def _committed(
    catalogue: Catalogue, vault: VaultId, epoch: int, volume: Volume, *uids: str, transaction: str = "2.25.1"
) -> Commitment:
    _, asked = await catalogue.commitments.ask(request([vault], *uids, transaction=transaction))
    return await catalogue.commitments.resolve(asked, failures={}, secured=[secured(volume, epoch, *uids)])


async def test_a_request_is_found_again_as_it_was_asked(catalogue: Catalogue) -> None:
    vault, _, _ = await _kept(catalogue)
    wanted = request([vault], "1.2", "1.1", "1.9")
    how, asked = await catalogue.commitments.ask(wanted)
    assert how is Asked.NEW
    assert (asked.items, asked.items_count) == ((item("1.1"), item("1.2"), item("1.9")), 3)
    assert (asked.calling, asked.called, asked.vaults, asked.association, asked.deadline_at, asked.resolved_at) == (
        "CT1", "KUVA", (vault,), 1, NOW, None,
    )  # fmt: skip
    assert asked in await catalogue.commitments.pending()
    assert await catalogue.commitments.get(asked.id, [vault]) == asked
    assert await catalogue.commitments.list([vault], pending=True) == (asked,)
    assert await catalogue.commitments.list([vault_id()]) == ()
    with pytest.raises(NotFoundError):
        await catalogue.commitments.get(asked.id, [vault_id()])


async def test_the_same_list_in_any_order_is_the_same_request(catalogue: Catalogue) -> None:
    vault, _, _ = await _kept(catalogue)
    _, first = await catalogue.commitments.ask(request([vault], "1.1", "1.2"))
    how, again = await catalogue.commitments.ask(request([vault], "1.2", "1.1", association=7))
    assert (how, again) == (Asked.AGAIN, dataclasses.replace(first, association=7, node=again.node))
    how, other = await catalogue.commitments.ask(request([vault], "1.1", "1.2", calling="MR1"))
    assert (how, other.id == first.id) == (Asked.NEW, False)


async def test_custody_begins_with_the_result_its_fact_and_its_report_together(base: Base) -> None:
    catalogue = base.catalogue
    vault, epoch, volume = await _kept(catalogue)
    before = {fact.id for fact in await catalogue.facts.unwritten()}
    _, asked = await catalogue.commitments.ask(request([vault], "1.1", "1.3", "1.9"))
    failures = {item("1.9"): FailureReason.NO_SUCH_INSTANCE}
    members = [secured(volume, epoch, "1.1", "1.3")]
    done = await catalogue.commitments.resolve(asked, failures=failures, secured=members)
    assert await catalogue.commitments.resolve(asked, failures={}, secured=[]) == done  # unknown outcome
    assert (done.failures, done.resolved_at is None) == (failures, False)
    (custody,) = await catalogue.commitments.custody([volume.id], [vault])
    assert (custody.commitment, custody.since, custody.ordinals) == (done.id, done.resolved_at, (0, 2))
    assert (await catalogue.volumes.get(volume.id, [vault])).uncommitted == 1
    (fact,) = [f for f in await catalogue.facts.unwritten() if f.id not in before]
    assert (fact.kind, json.loads(fact.payload)) == (
        FactKind.CUSTODY,
        {
            "kind": "custody", "vault": str(vault), "since": custody.since.isoformat(), "calling": "CT1",
            "transaction_uid": "2.25.1",
            "volumes": [{
                "volume": volume.id,
                "members": [{"node": str(volume.node), "epoch": epoch, "positions": [[1, 1], [3, 3]]}],
            }],
        },
    )  # fmt: skip
    (report,) = (await catalogue.deliveries.of([done.id], [vault]))[done.id]
    assert (report.destination, report.waits_for_fact, report.delivered_at) == ("CT1", True, None)
    assert await catalogue.commitments.pending() == ()


async def test_committing_again_restarts_nothing(catalogue: Catalogue) -> None:
    vault, epoch, volume = await _kept(catalogue)
    first = await _committed(catalogue, vault, epoch, volume, "1.1", "1.2")
    await _committed(catalogue, vault, epoch, volume, *UIDS, transaction="2.25.2")
    await catalogue.facts.written([fact.id for fact in await catalogue.facts.unwritten(1000)])
    await _committed(catalogue, vault, epoch, volume, *UIDS, transaction="2.25.3")
    custody = await catalogue.commitments.custody([volume.id], [vault])
    assert [one.ordinals for one in custody] == [(0, 1), (2,)]
    assert custody[0].since == first.resolved_at
    assert (await catalogue.volumes.get(volume.id, [vault])).uncommitted == 0
    assert await catalogue.facts.unwritten() == ()  # nothing new was decided


async def test_a_whole_volume_is_one_row_without_a_bitmap(catalogue: Catalogue) -> None:
    vault, epoch, volume = await _kept(catalogue)
    await _committed(catalogue, vault, epoch, volume, *UIDS)
    (custody,) = await catalogue.commitments.custody([volume.id], [vault])
    assert custody.ordinals is None
    fact = json.loads((await catalogue.facts.unwritten())[-1].payload)
    assert fact["volumes"] == [{"volume": volume.id, "members": None}]
    await _committed(catalogue, vault, epoch, volume, "1.1", transaction="2.25.2")
    assert await catalogue.commitments.custody([volume.id], [vault]) == (custody,)


async def test_many_at_once_over_the_same_volume_share_it_out_once(catalogue: Catalogue) -> None:
    vault, epoch, volume = await _kept(catalogue)
    lists = [("1.1", "1.2"), ("1.2", "1.3"), ("1.1", "1.3"), UIDS]
    await asyncio.gather(
        *(
            _committed(catalogue, vault, epoch, volume, *uids, transaction=f"2.25.{number}")
            for number, uids in enumerate(lists)
        )
    )
    custody = await catalogue.commitments.custody([volume.id], [vault])
    held = [ordinal for one in custody for ordinal in (range(3) if one.ordinals is None else one.ordinals)]
    assert sorted(held) == [0, 1, 2]
    assert (await catalogue.volumes.get(volume.id, [vault])).uncommitted == 0


async def test_nothing_succeeds_that_is_not_named_as_a_member_of_a_volume(catalogue: Catalogue) -> None:
    vault, epoch, volume = await _kept(catalogue)
    _, asked = await catalogue.commitments.ask(request([vault], "1.1", "1.2"))
    for members in ([], [secured(volume, epoch, "1.1")], [secured(volume, epoch, *UIDS)]):
        with pytest.raises(CommitmentStateError, match="said to be secured"):
            await catalogue.commitments.resolve(asked, failures={}, secured=members)
    assert await catalogue.commitments.custody([volume.id], [vault]) == ()
    assert asked in await catalogue.commitments.pending()


@pytest.mark.parametrize("state", ["stored", "damaged", "foreign"])
async def test_nothing_rests_on_a_volume_that_is_not_verified_sound_and_granted(
    catalogue: Catalogue, state: str
) -> None:
    vault, epoch, volume = await _kept(catalogue)
    asking = vault
    if state == "damaged":
        await catalogue.volumes.damaged(volume.id, vault, "a bit flipped")
    elif state == "foreign":
        asking, _, _ = await _kept(catalogue)
    else:
        await catalogue.land(flush(volume.node, epoch, batch(vault, [(4, "1.4", "x")]), after=3))
        planned = await stored(catalogue, plan_of(vault, volume.node, (epoch, 4)))
        volume = dataclasses.replace(volume, id=planned.plan.id)
    _, asked = await catalogue.commitments.ask(request([asking], "1.1"))
    with pytest.raises(CommitmentStateError, match="not verified and sound"):
        await catalogue.commitments.resolve(asked, failures={}, secured=[secured(volume, epoch, "1.1")])
    assert asked in await catalogue.commitments.pending()


@pytest.mark.parametrize("kind", ["dispute", "damaged", "quarantine"])
async def test_an_incident_between_look_and_result_stops_it(catalogue: Catalogue, kind: str) -> None:
    vault, epoch, volume = await _kept(catalogue)
    if kind == "dispute":
        other = node_id()
        later = (await catalogue.nodes.start(other)).epoch
        await catalogue.land(flush(other, later, batch(vault, [(1, "1.1", "y")])))
    elif kind == "damaged":
        place = ReceiveId(volume.node, epoch, 1)
        await catalogue.incidents.damaged(
            place, vault=vault, study_uid=STUDY, sop_uid=item("1.1").sop_uid, reason="r"
        )
    else:
        twin = quarantined(vault, volume.node, epoch, 4, uid="1.1")
        await catalogue.land(flush(volume.node, epoch, after=3, quarantined=[twin]))
    _, asked = await catalogue.commitments.ask(request([vault], "1.1"))
    _, free = await catalogue.commitments.ask(request([vault], "1.2", transaction="2.25.2"))
    with pytest.raises(CommitmentStateError, match=kind):
        await catalogue.commitments.resolve(asked, failures={}, secured=[secured(volume, epoch, "1.1")])
    await catalogue.commitments.resolve(free, failures={}, secured=[secured(volume, epoch, "1.2")])  # control
    _, stranger = await catalogue.commitments.ask(request([vault], "1.1", calling="WS9"))
    if kind == "quarantine":  # nobody refused this one's bytes
        await catalogue.commitments.resolve(stranger, failures={}, secured=[secured(volume, epoch, "1.1")])


async def _refused(catalogue: Catalogue) -> tuple[VaultId, int, Volume, int]:
    """A verified volume, and a twin of its 1.1 from CT1 that is held apart -> with its incident."""
    vault, epoch, volume = await _kept(catalogue)
    twin = quarantined(vault, volume.node, epoch, 4, uid="1.1")
    await catalogue.land(flush(volume.node, epoch, after=3, quarantined=[twin]))
    (apart,) = await catalogue.incidents.list(IncidentFilters((vault,)))
    return vault, epoch, volume, apart.id


async def _failing(
    catalogue: Catalogue, vault: VaultId, transaction: str, reason: FailureReason, calling: str = "CT1"
) -> tuple[Incident, ...]:
    """What is told of twins once a request for 1.1 failed."""
    _, asked = await catalogue.commitments.ask(
        request([vault], "1.1", transaction=transaction, calling=calling)
    )
    await catalogue.commitments.resolve(asked, failures={item("1.1"): reason}, secured=[])
    filters = IncidentFilters((vault,), state=None, kind=IncidentKind.COMMITMENT_OF_TWIN)
    return await catalogue.incidents.list(filters)


async def test_whoever_asks_for_what_it_sent_with_refused_bytes_is_one_incident_while_it_is_open(
    catalogue: Catalogue,
) -> None:
    vault, epoch, volume, apart = await _refused(catalogue)
    failed = FailureReason.PROCESSING_FAILURE
    (told,) = await _failing(catalogue, vault, "2.25.1", failed)
    assert (told.state, told.study_uid, told.sop_uid) == (IncidentState.OPEN, STUDY, "1.1")
    assert (told.receive_id, told.kept) == (
        ReceiveId(volume.node, epoch, 4), ReceiveId(volume.node, epoch, 1),
    )  # fmt: skip
    assert told.newcomer is not None
    assert told.newcomer.sender.calling == "CT1"
    assert "CT1" in told.reason
    assert "2.25.1)" in told.reason
    assert told.reason.endswith(f"by incident {apart}")
    assert await _failing(catalogue, vault, "2.25.2", failed) == (told,)
    another = quarantined(vault, volume.node, epoch, 5, uid="1.1")
    await catalogue.land(flush(volume.node, epoch, after=4, quarantined=[another]))
    assert await _failing(catalogue, vault, "2.25.3", failed) == (told,)  # one of a UID and a sender


async def test_who_looked_at_an_asked_for_twin_hears_of_another_one_only(catalogue: Catalogue) -> None:
    vault, epoch, volume, _ = await _refused(catalogue)
    failed = FailureReason.PROCESSING_FAILURE
    (told,) = await _failing(catalogue, vault, "2.25.1", failed)
    with pytest.raises(ResolutionError, match="may not end in discard"):
        await catalogue.incidents.resolve(told.id, [vault], resolution=Resolution.DISCARD, reason="r", by="b")
    ended = await catalogue.incidents.resolve(
        told.id, [vault], resolution=Resolution.KEEP, reason="the sender was told", by="b"
    )
    assert await _failing(catalogue, vault, "2.25.2", failed) == (ended,)
    another = quarantined(vault, volume.node, epoch, 5, uid="1.1")
    await catalogue.land(flush(volume.node, epoch, after=4, quarantined=[another]))
    assert [one.state for one in await _failing(catalogue, vault, "2.25.3", failed)] == [
        IncidentState.OPEN, IncidentState.RESOLVED,
    ]  # fmt: skip


async def test_nobody_is_told_of_a_twin_that_is_anothers_or_is_resolved_or_is_not_why_it_failed(
    catalogue: Catalogue,
) -> None:
    vault, _, _, apart = await _refused(catalogue)
    failed = FailureReason.PROCESSING_FAILURE
    assert await _failing(catalogue, vault, "2.25.1", failed, calling="WS9") == ()
    assert await _failing(catalogue, vault, "2.25.2", FailureReason.CLASS_NOT_SUPPORTED) == ()
    await catalogue.incidents.resolve(apart, [vault], resolution=Resolution.DISCARD, reason="r", by="b")
    assert await _failing(catalogue, vault, "2.25.3", failed) == ()


async def test_two_requests_at_once_open_one_incident(catalogue: Catalogue) -> None:
    vault, _, _, _ = await _refused(catalogue)
    failed = FailureReason.PROCESSING_FAILURE
    await asyncio.gather(*(_failing(catalogue, vault, f"2.25.{n}", failed) for n in range(4)))
    assert len(await _failing(catalogue, vault, "2.25.9", failed)) == 1


async def test_nothing_succeeds_while_something_of_its_study_landed_and_was_not_compared(
    catalogue: Catalogue,
) -> None:
    """The node that landed it crashed before it compared; what it holds may be the sender's other content."""
    vault, epoch, volume = await _kept(catalogue)
    other = node_id()
    later = (await catalogue.nodes.start(other)).epoch
    await catalogue._landing.land(flush(other, later, batch(vault, [(1, "1.1", "y")])))
    _, asked = await catalogue.commitments.ask(request([vault], "1.1"))
    for why in ("uncompared", "dispute"):
        with pytest.raises(CommitmentStateError, match=why):
            await catalogue.commitments.resolve(asked, failures={}, secured=[secured(volume, epoch, "1.1")])
        await catalogue.settle()
    failures = {item("1.1"): FailureReason.PROCESSING_FAILURE}
    await catalogue.commitments.resolve(asked, failures=failures, secured=[])


async def test_looking_tells_all_that_decides_and_nothing_of_another_vault(catalogue: Catalogue) -> None:
    vault, node, epoch = await landed(catalogue, [(1, "1.1", "x")], [(2, "1.2", "x")])
    volume = await kept(catalogue, vault, node, (epoch, 1))
    twin = quarantined(vault, node, epoch, 3, uid="1.2")
    await catalogue.land(flush(node, epoch, after=2, quarantined=[twin]))
    other = node_id()
    later = (await catalogue.nodes.start(other)).epoch
    await catalogue.land(flush(other, later, batch(vault, [(1, "1.1", "y")])))
    hashes = [locator_hash("1.1"), locator_hash("1.2"), locator_hash("1.9")]
    (standing,) = await catalogue.commitments.look([vault], hashes)
    assert (standing.vault, standing.study_uid) == (vault, STUDY)
    assert [(one.id, one.node, one.damaged, one.block) for one in standing.volumes] == [
        (volume.id, node, False, volume.block)
    ]
    assert standing.open_blocks == (
        KnownBlock(node, epoch, b"1.2=2:x"), KnownBlock(other, later, b"1.1=1:y"),
    )  # fmt: skip
    assert standing.disputed == {"1.1"}
    assert [(one.sop_uid, one.calling) for one in standing.quarantined] == [("1.2", "CT1")]
    await catalogue.volumes.damaged(volume.id, vault, "r")
    (dispute,) = [i for i in await catalogue.incidents.list(IncidentFilters((vault,))) if i.sop_uid == "1.1"]
    choose = Resolution.PREFER_KEPT
    await catalogue.incidents.resolve(dispute.id, [vault], resolution=choose, reason="r", by="b")
    (standing,) = await catalogue.commitments.look([vault], hashes)
    assert (standing.volumes[0].damaged, standing.disputed) == (True, frozenset())
    assert standing.preferred == {"1.1": ReceiveId(node, epoch, 1)}
    assert await catalogue.commitments.look([vault_id()], hashes) == ()
    assert await catalogue.commitments.look([vault], [locator_hash("1.9")]) == ()


async def test_what_was_never_committed_is_told_after_a_time(catalogue: Catalogue) -> None:
    vault, epoch, volume = await _kept(catalogue)
    assert volume.verified_at is not None
    asked = catalogue.volumes.uncommitted_since
    assert await asked([vault], volume.verified_at) == ()
    later = volume.verified_at.replace(year=volume.verified_at.year + 1)
    await _committed(catalogue, vault, epoch, volume, "1.1", "1.2")
    (told,) = await asked([vault], later)
    assert (told.id, told.uncommitted) == (volume.id, 1)
    another, _, second = await _kept(catalogue)  # control: what is counted is the whole archive's
    assert second.verified_at is not None
    assert await catalogue.volumes.uncommitted(later) == Uncommitted(2, 4, volume.verified_at)
    assert await catalogue.volumes.uncommitted(second.verified_at) == Uncommitted(1, 1, volume.verified_at)
    assert await catalogue.volumes.uncommitted(volume.verified_at) == Uncommitted(0, 0, None)
    await _committed(catalogue, vault, epoch, volume, "1.3", transaction="2.25.2")
    assert await asked([vault], later) == ()
    assert [one.id for one in await asked([vault, another], later)] == [second.id]
    assert await catalogue.volumes.uncommitted(later) == Uncommitted(1, 3, second.verified_at)


async def test_a_transaction_uid_of_grants_that_are_over_is_refused(catalogue: Catalogue) -> None:
    (first, _, _), (second, _, _) = await _kept(catalogue), await _kept(catalogue)
    await catalogue.commitments.ask(request([first], "1.1"))
    with pytest.raises(CommitmentStateError):
        await catalogue.commitments.ask(request([second], "1.1"))


async def test_a_result_over_two_vaults_is_not_told_again_to_whoever_has_one_of_them(
    catalogue: Catalogue,
) -> None:
    """What is in the other one must look as if it were not there."""
    vault, epoch, volume = await _kept(catalogue)
    other = vault_id()
    await catalogue.grants.create_vault(other, "other")
    node = node_id()
    _, asked = await catalogue.commitments.ask(request([vault, other], "1.1", node=node))
    await catalogue.commitments.resolve(asked, failures={}, secured=[secured(volume, epoch, "1.1")])
    await catalogue.facts.written([fact.id for fact in await catalogue.facts.unwritten(1000)])
    (told,) = await catalogue.deliveries.due(10, node)
    await catalogue.deliveries.delivered(told)
    for uids in (("1.1",), ("1.2",)):
        with pytest.raises(CommitmentStateError):
            await catalogue.commitments.ask(request([other], *uids, node=node))
    assert await catalogue.deliveries.due(10, node) == ()
    how, _ = await catalogue.commitments.ask(request([vault, other], "1.1", node=node))
    assert (how, len(await catalogue.deliveries.due(10, node))) == (Asked.AGAIN, 1)


async def test_a_request_over_two_vaults_makes_a_fact_in_each(catalogue: Catalogue) -> None:
    ours = [await _kept(catalogue) for _ in range(2)]
    vaults = [vault for vault, _, _ in ours]
    known = {fact.id for fact in await catalogue.facts.unwritten()}
    uids = [("1.1",), ("1.1", "1.2")]
    _, asked = await catalogue.commitments.ask(request(vaults, "1.1", "1.2"))
    members = [secured(volume, epoch, *of) for (_, epoch, volume), of in zip(ours, uids, strict=True)]
    await catalogue.commitments.resolve(asked, failures={}, secured=members)
    new = [fact for fact in await catalogue.facts.unwritten() if fact.id not in known]
    assert sorted(fact.vault for fact in new) == sorted(vaults)


async def test_a_list_of_a_hundred_thousand_is_kept_in_a_small_column(base: Base) -> None:
    vault, _, _ = await _kept(base.catalogue)
    uids = [f"1.2.840.113619.2.55.3.{n // 500}.{n % 500}" for n in range(100_000)]
    _, asked = await base.catalogue.commitments.ask(request([vault], *uids))
    assert len(asked.items) == 100_000
    connection = await asyncpg.connect(**base.superuser.arguments())
    assert await connection.fetchval("SELECT length(list) FROM kuva.commitment") < 1_000_000
    await connection.close()


@pytest.mark.parametrize("ordinals", [(), (0,), (7, 8), (0, 1, 2, 300), tuple(range(273))])
async def test_a_bitmap_gives_back_its_members(ordinals: tuple[int, ...]) -> None:
    assert ordinals_of(bits_of(ordinals)) == ordinals
    assert StudyUid(STUDY)
    assert AeTitle("CT1")

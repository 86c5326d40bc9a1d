"""Deliveries and facts: a report goes out only after its fact, to one destination by one node, until taken."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from gateway.catalogue import Catalogue
from gateway.errors import NotFoundError
from gateway.model.association import EntityChange, GrantWanted
from gateway.model.commitment import Asked, Commitment, FailureReason
from gateway.model.delivery import DeliveryKind
from gateway.model.fact import FactKind
from gateway.model.identifiers import AeTitle, NodeId, VaultId
from tests.catalogue_samples import NOW, node_id, vault_id
from tests.postgresql import Base
from tests.volume_samples import item, kept, landed, request, secured

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALWAYS = timedelta(0)


async def _resolved(
    catalogue: Catalogue, *, transaction: str = "2.25.1", calling: str = "CT1", node: NodeId | None = None
) -> tuple[VaultId, Commitment]:
    vault, receiver, epoch = await landed(catalogue, [(1, "1.1", "x")])
    volume = await kept(catalogue, vault, receiver, (epoch, 1))
    wanted = request([vault], "1.1", "1.9", transaction=transaction, calling=calling, node=node)
    _, asked = await catalogue.commitments.ask(wanted)
    failures = {item("1.9"): FailureReason.NO_SUCH_INSTANCE}
    members = [secured(volume, epoch, "1.1")]
    return vault, await catalogue.commitments.resolve(asked, failures=failures, secured=members)


async def _write(catalogue: Catalogue) -> None:
    await catalogue.facts.written([fact.id for fact in await catalogue.facts.unwritten(1000)])


async def test_a_report_waits_for_its_fact(catalogue: Catalogue) -> None:
    node = node_id()
    await _resolved(catalogue, node=node)
    assert await catalogue.deliveries.due(10, node) == ()
    assert (await catalogue.facts.waiting())[0] == 2  # the vault's, and the custody's
    await _write(catalogue)
    assert await catalogue.facts.waiting() == (0, None)
    (one,) = await catalogue.deliveries.due(10, node)
    assert (one.kind, one.destination, one.called, one.transaction_uid, one.attempts) == (
        DeliveryKind.RESULT, "CT1", "KUVA", "2.25.1", 0,
    )  # fmt: skip
    assert (one.items, one.failures) == (
        (item("1.1"), item("1.9")), {item("1.9"): FailureReason.NO_SUCH_INSTANCE},
    )  # fmt: skip
    assert (one.node, one.association) == (node, 1)


async def test_a_report_does_not_rest_on_what_another_request_has_only_in_the_catalogue(
    catalogue: Catalogue,
) -> None:
    """Both name the same instance: the second begins no custody, and waits for a fact all the same."""
    vault, receiver, epoch = await landed(catalogue, [(1, "1.1", "x"), (2, "1.2", "x")])
    volume = await kept(catalogue, vault, receiver, (epoch, 1))
    before = {fact.id for fact in await catalogue.facts.unwritten(1000)}
    node = node_id()
    for transaction in ("2.25.1", "2.25.2"):
        wanted = request([vault], "1.1", transaction=transaction, calling=f"CT{transaction[-1]}", node=node)
        _, asked = await catalogue.commitments.ask(wanted)
        await catalogue.commitments.resolve(asked, failures={}, secured=[secured(volume, epoch, "1.1")])
    assert await catalogue.deliveries.due(10, node) == ()
    first, second = [fact for fact in await catalogue.facts.unwritten(1000) if fact.id not in before]
    assert json.loads(first.payload)["volumes"] == json.loads(second.payload)["volumes"]
    (custody,) = await catalogue.commitments.custody([volume.id], [vault])
    assert custody.ordinals == (0,)
    await catalogue.facts.written([second.id])
    (due,) = await catalogue.deliveries.due(10, node)
    assert due.destination == "CT2"
    await _write(catalogue)
    _, asked = await catalogue.commitments.ask(request([vault], "1.1", transaction="2.25.3", node=node))
    await catalogue.commitments.resolve(asked, failures={}, secured=[secured(volume, epoch, "1.1")])
    assert await catalogue.facts.unwritten(1000) == (), "nothing is told twice that the store has"


async def test_a_result_without_a_new_fact_is_due_at_once(catalogue: Catalogue) -> None:
    vault, _, _ = await landed(catalogue, [(1, "1.1", "x")])
    _, asked = await catalogue.commitments.ask(request([vault], "1.9"))
    failures = {item("1.9"): FailureReason.NO_SUCH_INSTANCE}
    await catalogue.commitments.resolve(asked, failures=failures, secured=[])
    assert len(await catalogue.deliveries.due(10, asked.node)) == 1


async def test_what_was_taken_is_not_brought_again_and_its_list_goes(base: Base) -> None:
    catalogue = base.catalogue
    vault, done = await _resolved(catalogue)
    await _write(catalogue)
    (one,) = await catalogue.deliveries.due(10, done.node)
    for _ in range(2):  # after an unknown outcome
        await catalogue.deliveries.delivered(one)
    assert await catalogue.deliveries.due(10, done.node, lease=ALWAYS) == ()
    shown = await catalogue.commitments.get(done.id, [vault])
    assert (shown.items, shown.items_count, shown.failures) == ((), 2, done.failures)
    (status,) = (await catalogue.deliveries.of([done.id], [vault]))[done.id]
    assert status.delivered_at is not None
    assert await catalogue.deliveries.owed() == {}
    with pytest.raises(NotFoundError):
        await catalogue.deliveries.again(done.id, [vault])


async def test_the_same_request_after_its_report_gets_the_same_report(catalogue: Catalogue) -> None:
    vault, done = await _resolved(catalogue)
    await _write(catalogue)
    (one,) = await catalogue.deliveries.due(10, done.node)
    await catalogue.deliveries.delivered(one)
    node = node_id()
    for association in (8, 9):
        wanted = request([vault], "1.9", "1.1", node=node, association=association)
        assert (await catalogue.commitments.ask(wanted))[0] is Asked.AGAIN
    (again,) = await catalogue.deliveries.due(10, node)
    assert (again.items, again.failures, again.association) == (one.items, one.failures, 9)
    await catalogue.deliveries.delivered(again)
    assert await catalogue.deliveries.due(10, node) == ()


async def test_another_list_fails_whole_and_leaves_the_first_alone(catalogue: Catalogue) -> None:
    vault, done = await _resolved(catalogue)
    await _write(catalogue)
    for _ in range(2):  # after an unknown outcome: one report all the same
        how, shown = await catalogue.commitments.ask(request([vault], "1.1", node=done.node))
        assert (how, shown.failures) == (Asked.OTHER_LIST, done.failures)
    first, second = await catalogue.deliveries.due(10, done.node)
    assert (first.kind, second.kind) == (DeliveryKind.RESULT, DeliveryKind.DUPLICATE)
    assert second.failures == {item("1.1"): FailureReason.DUPLICATE_TRANSACTION_UID}
    await catalogue.deliveries.delivered(second)
    assert len((await catalogue.commitments.get(done.id, [vault])).items) == 2
    await catalogue.deliveries.delivered(first)
    assert (await catalogue.commitments.get(done.id, [vault])).items == ()


async def test_a_lease_keeps_others_away_until_it_ends(catalogue: Catalogue) -> None:
    _, done = await _resolved(catalogue)
    await _write(catalogue)
    (lost,) = await catalogue.deliveries.due(10, done.node, lease=timedelta(seconds=0.2))
    assert await catalogue.deliveries.due(10, done.node) == ()
    await asyncio.sleep(0.3)
    (again,) = await catalogue.deliveries.due(10, done.node)
    assert (again.id, again.attempts) == (lost.id, 1)
    later = datetime.now(UTC) + timedelta(hours=1)
    await catalogue.deliveries.failed(lost, "too late to say so", next_attempt_at=later)
    assert await catalogue.deliveries.due(10, done.node) == ()  # still the second's
    await catalogue.deliveries.failed(again, "no answer", next_attempt_at=datetime.now(UTC))
    (third,) = await catalogue.deliveries.due(10, done.node)
    assert third.attempts == 2


async def test_what_a_node_was_bringing_when_it_crashed_is_due_at_its_start(catalogue: Catalogue) -> None:
    node = node_id()
    await _resolved(catalogue, node=node)
    await _write(catalogue)
    (first,) = await catalogue.deliveries.due(10, node)
    assert await catalogue.deliveries.release(node_id()) == 0
    assert await catalogue.deliveries.due(10, node) == ()
    assert await catalogue.deliveries.release(node) == 1
    (again,) = await catalogue.deliveries.due(10, node)
    assert (again.id, again.attempts) == (first.id, 1)
    await catalogue.deliveries.delivered(again)
    assert await catalogue.deliveries.release(node) == 0


async def test_a_destination_is_served_by_one_in_order(catalogue: Catalogue) -> None:
    node = node_id()
    for number in range(3):
        await _resolved(catalogue, transaction=f"2.25.{number}", node=node)
    await _resolved(catalogue, calling="MR1", node=node)
    await _write(catalogue)
    taken = await asyncio.gather(*(catalogue.deliveries.due(2, node) for _ in range(4)))
    given = [[(one.destination, one.transaction_uid) for one in some] for some in taken if some]
    assert sorted(given) == [[("CT1", "2.25.0"), ("CT1", "2.25.1")], [("MR1", "2.25.1")]]


async def test_one_that_fails_waits_without_holding_up_the_others(catalogue: Catalogue) -> None:
    node = node_id()
    vaults = [(await _resolved(catalogue, transaction=f"2.25.{number}", node=node)) for number in range(2)]
    await _write(catalogue)
    first, second = await catalogue.deliveries.due(10, node)
    later = datetime.now(UTC) + timedelta(hours=1)
    await catalogue.deliveries.failed(first, "refused: \x00 0110H", next_attempt_at=later)
    await catalogue.deliveries.failed(second, "away", next_attempt_at=None)
    assert await catalogue.deliveries.due(10, node) == ()
    assert list(await catalogue.deliveries.owed()) == ["CT1"]
    for (vault, done), gave_up in zip(vaults, (False, True), strict=True):
        (status,) = (await catalogue.deliveries.of([done.id], [vault]))[done.id]
        assert (status.given_up_at is not None, status.attempts) == (gave_up, 1)
        assert await catalogue.deliveries.again(done.id, [vault]) == 1
    assert len(await catalogue.deliveries.due(10, node)) == 2


async def test_the_node_that_was_asked_reports_and_others_only_later(catalogue: Catalogue) -> None:
    await _resolved(catalogue)
    await _write(catalogue)
    assert await catalogue.deliveries.due(10, node_id()) == ()
    assert len(await catalogue.deliveries.due(10, node_id(), others_after=ALWAYS)) == 1


async def test_whatever_makes_a_vault_leaves_a_fact(base: Base) -> None:
    catalogue = base.catalogue
    made, adopted, node = vault_id(), vault_id(), node_id()
    await catalogue.nodes.start(node)
    for _ in range(2):
        await catalogue.grants.create_vault(made, 'The "north"')
        await catalogue.nodes.adopt(node, [1], [adopted])
    change = EntityChange(AeTitle("CT1"))
    granted = await catalogue.grants.add(GrantWanted(change, AeTitle("KUVA"), NOW, vault="south"))
    facts = await catalogue.facts.unwritten()
    assert [(f.kind, f.vault, json.loads(f.payload)) for f in facts] == [
        (FactKind.VAULT, vault, {"kind": "vault", "vault": str(vault), "name": name})
        for vault, name in ((made, 'The "north"'), (adopted, f"recovered {adopted}"), (granted.grant.vault, "south"))
    ]  # fmt: skip
    assert [f.id for f in facts] == sorted(f.id for f in facts)
    assert all(len(f.id) == 26 for f in facts)
    await catalogue.facts.written([f.id for f in facts])
    assert await catalogue.facts.unwritten() == ()
    connection = await asyncpg.connect(**base.superuser.arguments())
    assert await connection.fetchval("SELECT count(*) FROM kuva.fact WHERE payload IS NULL") == 3
    await connection.close()

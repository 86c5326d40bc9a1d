"""Landing: once, whole, in order, whoever else lands."""

import asyncio
import dataclasses

import asyncpg
import pytest

from gateway.catalogue import Catalogue, IncidentFilters, StudyCopy
from gateway.catalogue.arbitration import Arbitration
from gateway.catalogue.database import Database
from gateway.catalogue.landing import Landing
from gateway.errors import CatalogueError, FlushOrderError, ResolutionError
from gateway.model.identifiers import StudyUid, VaultId
from gateway.model.incident import Incident, IncidentKind, Resolution
from gateway.model.study import StudyAttributes
from tests.catalogue_samples import ATTRIBUTES, STUDY, batch, flush, node_id, quarantined, vault_id, verify
from tests.postgresql import Base

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_what_landed_is_found_whole(catalogue: Catalogue) -> None:
    vault, node = vault_id(), node_id()
    await catalogue.grants.create_vault(vault, "a")
    epoch = (await catalogue.nodes.start(node)).epoch
    landed = batch(vault, [(1, "1.1", "x"), (2, "1.2", "y")])
    assert await catalogue.land(flush(node, epoch, landed)) == 0
    study, blocks = await catalogue.studies.get(vault, STUDY)
    assert (study.instances, study.length, study.attributes) == (2, 2000, ATTRIBUTES)
    assert [(b.node, b.epoch, b.first_position, b.last_position, b.block) for b in blocks] == [
        (node, epoch, 1, 2, landed.block)
    ]
    known = await catalogue.known(vault, STUDY)
    assert [(b.node, b.epoch, b.block) for b in known.blocks] == [(node, epoch, landed.block)]
    assert known.volumes == ()
    assert await catalogue.nodes.catalogued_through(node, epoch) == 2
    statistics = await catalogue.statistics()
    assert statistics.bytes > 0
    await catalogue.ping()


async def test_nothing_is_known_of_a_study_that_never_came(catalogue: Catalogue) -> None:
    known = await catalogue.known(vault_id(), STUDY)
    assert (known.blocks, known.equivalents, known.quarantined, known.disputed) == ((), (), (), ())
    assert await catalogue.studies.find(vault_id(), STUDY) is None


async def test_landing_twice_is_landing_once(catalogue: Catalogue) -> None:
    vault, node = vault_id(), node_id()
    await catalogue.grants.create_vault(vault, "a")
    epoch = (await catalogue.nodes.start(node)).epoch
    one = flush(
        node, epoch, batch(vault, [(1, "1.1", "x")]), quarantined=[quarantined(vault, node, epoch, 2)]
    )
    for _ in range(3):
        assert await catalogue.land(one) == 0
    study, blocks = await catalogue.studies.get(vault, STUDY)
    assert (study.instances, len(blocks)) == (1, 1)
    assert len(await catalogue.incidents.list(IncidentFilters((vault,)))) == 1


async def test_a_flush_that_follows_a_lost_one_is_refused(catalogue: Catalogue) -> None:
    vault, node = vault_id(), node_id()
    await catalogue.grants.create_vault(vault, "a")
    epoch = (await catalogue.nodes.start(node)).epoch
    await catalogue.land(flush(node, epoch, batch(vault, [(1, "1.1", "x")])))
    with pytest.raises(FlushOrderError):
        await catalogue.land(flush(node, epoch, batch(vault, [(4, "1.4", "x")]), after=3))
    with pytest.raises(FlushOrderError):  # overlaps what is there
        await catalogue.land(flush(node, epoch, batch(vault, [(1, "1.1", "x"), (2, "1.2", "x")]), after=0))
    with pytest.raises(FlushOrderError):
        await catalogue.land(flush(node, epoch + 1, batch(vault, [(1, "1.1", "x")])))
    await catalogue.land(flush(node, epoch, batch(vault, [(2, "1.2", "x")]), after=1))


async def test_a_flush_lands_whole_or_not_at_all(catalogue: Catalogue) -> None:
    vault, node = vault_id(), node_id()
    await catalogue.grants.create_vault(vault, "a")
    epoch = (await catalogue.nodes.start(node)).epoch
    good, orphan = (
        batch(vault, [(1, "1.1", "x")]),
        batch(vault_id(), [(2, "1.2", "x")], study=StudyUid("1.9")),
    )
    with pytest.raises(CatalogueError):
        await catalogue.land(flush(node, epoch, good, orphan))
    assert await catalogue.studies.find(vault, STUDY) is None
    assert await catalogue.nodes.catalogued_through(node, epoch) == 0


async def test_an_empty_flush_moves_the_position(catalogue: Catalogue) -> None:
    node = node_id()
    epoch = (await catalogue.nodes.start(node)).epoch
    await catalogue.land(flush(node, epoch, through=5))
    assert await catalogue.nodes.catalogued_through(node, epoch) == 5


async def test_text_that_no_database_takes_does_not_stop_a_node(catalogue: Catalogue) -> None:
    vault, node = vault_id(), node_id()
    await catalogue.grants.create_vault(vault, "a")
    epoch = (await catalogue.nodes.start(node)).epoch
    hostile = StudyAttributes(
        patient_id="\x00\ud800" + "𝄞" * 5000, patient_name="\x00^\udfff" + "ﷺ" * 5000, description="\x00"
    )
    bad = dataclasses.replace(quarantined(vault, node, epoch, 2), reason="\x00\ud800")
    await catalogue.land(
        flush(node, epoch, batch(vault, [(1, "1.1", "x")], attributes=hostile), quarantined=[bad])
    )
    study = await catalogue.studies.find(vault, STUDY)
    assert study is not None
    assert study.attributes.description == "\N{REPLACEMENT CHARACTER}"


async def test_each_start_raises_the_epoch_above_both_memories(catalogue: Catalogue) -> None:
    node = node_id()
    first = await catalogue.nodes.start(node, epoch_least=7)
    await catalogue.land(flush(node, first.epoch, through=3))
    second = await catalogue.nodes.start(node, epoch_least=2)
    assert (first.epoch, second.epoch) == (7, 8)
    assert (first.catalogued_through, second.catalogued_through) == ((), ((7, 3),))
    assert len(await catalogue.nodes.locator_key()) == 32
    assert await catalogue.nodes.locator_key() == await catalogue.nodes.locator_key()


async def test_two_nodes_that_land_one_study_at_once_share_its_row(catalogue: Catalogue) -> None:
    vault, nodes = vault_id(), [node_id() for _ in range(4)]
    await catalogue.grants.create_vault(vault, "a")
    epochs = [(await catalogue.nodes.start(node)).epoch for node in nodes]

    async def land(node_number: int) -> None:
        node, epoch = nodes[node_number], epochs[node_number]
        for position in range(1, 9):
            studies = [StudyUid(f"1.2.{position}"), StudyUid(f"1.3.{position}")]
            batches = [
                batch(vault, [(2 * position - 1 + i, f"1.{node_number}.{position}.{i}", "x")], study=study)
                for i, study in enumerate(studies if node_number % 2 else reversed(studies))
            ]
            await catalogue.land(flush(node, epoch, *batches, after=2 * (position - 1)))

    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(land(number))
    for position in range(1, 9):
        study, blocks = await catalogue.studies.get(vault, StudyUid(f"1.2.{position}"))
        assert (study.instances, {b.node for b in blocks}) == (4, set(nodes))


@pytest.mark.parametrize(("contents", "kinds"), [(("x", "x"), []), (("x", "y"), [IncidentKind.DISPUTE])])
async def test_same_uid_from_two_nodes_is_disputed_only_if_contents_differ(
    catalogue: Catalogue, contents: tuple[str, str], kinds: list[IncidentKind]
) -> None:
    vault = vault_id()
    await catalogue.grants.create_vault(vault, "a")
    found = 0
    for content in contents:
        node = node_id()
        epoch = (await catalogue.nodes.start(node)).epoch
        found += await catalogue.land(
            flush(node, epoch, batch(vault, [(1, "1.1", content), (2, f"1.2.{node.int}", "z")]))
        )
    incidents = await catalogue.incidents.list(IncidentFilters((vault,)))
    assert ([i.kind for i in incidents], found) == (kinds, len(kinds))
    assert list((await catalogue.known(vault, STUDY)).disputed) == ["1.1" for _ in kinds]


async def _disputed(catalogue: Catalogue) -> tuple[VaultId, Incident]:
    """`x` on one node, then `y` on another."""
    vault = vault_id()
    await catalogue.grants.create_vault(vault, "a")
    for content in "xy":
        node = node_id()
        epoch = (await catalogue.nodes.start(node)).epoch
        await catalogue.land(flush(node, epoch, batch(vault, [(1, "1.1", content)])))
    (incident,) = await catalogue.incidents.list(IncidentFilters((vault,)))
    return vault, incident


@pytest.mark.parametrize("choice", [Resolution.PREFER_KEPT, Resolution.PREFER_NEWCOMER])
async def test_a_dispute_ends_in_a_preference_that_every_node_is_told(
    catalogue: Catalogue, choice: Resolution
) -> None:
    vault, incident = await _disputed(catalogue)
    with pytest.raises(ResolutionError, match="prefer_kept, prefer_newcomer"):
        await catalogue.incidents.resolve(
            incident.id, (vault,), resolution=Resolution.KEEP, reason="r", by="b"
        )
    assert (await catalogue.incidents.choices(vault, STUDY)).preferred == {}
    await catalogue.incidents.resolve(incident.id, (vault,), resolution=choice, reason="r", by="b")
    chosen = incident.kept if choice is Resolution.PREFER_KEPT else incident.receive_id
    known = await catalogue.known(vault, STUDY)
    assert (known.disputed, known.preferred, len(known.blocks)) == ((), (chosen,), 2)
    assert (await catalogue.incidents.choices(vault, STUDY)).preferred == {incident.sop_uid: chosen}
    assert (await catalogue.incidents.choices(vault_id(), STUDY)).preferred == {}


@pytest.mark.parametrize(("content", "kinds"), [("x", 0), ("y", 0), ("z", 1)])
async def test_after_a_preference_only_a_third_content_is_a_new_dispute(
    catalogue: Catalogue, content: str, kinds: int
) -> None:
    vault, incident = await _disputed(catalogue)
    await catalogue.incidents.resolve(
        incident.id, (vault,), resolution=Resolution.PREFER_NEWCOMER, reason="r", by="b"
    )
    node = node_id()
    epoch = (await catalogue.nodes.start(node)).epoch
    await catalogue.land(flush(node, epoch, batch(vault, [(1, "1.1", content)])))
    assert len(await catalogue.incidents.list(IncidentFilters((vault,)))) == kinds
    assert len((await catalogue.known(vault, STUDY)).disputed) == kinds


async def test_whoever_arbitrates_a_race_opens_one_incident(base: Base) -> None:
    """Both land before either compares: each sees the other, and they agree on who is the newcomer."""
    vault, nodes = vault_id(), [node_id(), node_id()]
    await base.catalogue.grants.create_vault(vault, "a")
    database = await Database.open(base.gateway)
    landing, arbitration = Landing(database), Arbitration(database, verify, study_copy=StudyCopy.INCIDENT)
    subjects = []
    for content, node in zip("xy", nodes, strict=True):
        epoch = (await base.catalogue.nodes.start(node)).epoch
        subjects.append(await landing.land(flush(node, epoch, batch(vault, [(1, "1.1", content)]))))
    for one in (*subjects, *reversed(subjects)):
        assert one is not None
        await arbitration.arbitrate(one)
    (incident,) = await base.catalogue.incidents.list(IncidentFilters((vault,)))
    assert (incident.receive_id.node, incident.kept and incident.kept.node) == (nodes[1], nodes[0])
    await database.close()


async def test_a_crash_between_landing_and_arbitration_loses_no_dispute(base: Base) -> None:
    vault, nodes = vault_id(), [node_id(), node_id()]
    await base.catalogue.grants.create_vault(vault, "a")
    database = await Database.open(base.gateway)
    flushes = []
    for content, node in zip("xy", nodes, strict=True):
        epoch = (await base.catalogue.nodes.start(node)).epoch
        flushes.append(flush(node, epoch, batch(vault, [(1, "1.1", content)])))
        await Landing(database).land(flushes[-1])  # and no arbitration: killed here
    await database.close()
    assert await base.catalogue.incidents.list(IncidentFilters((vault,))) == ()
    await base.catalogue.land(flushes[1])  # what recovery does
    (incident,) = await base.catalogue.incidents.list(IncidentFilters((vault,)))
    assert incident.kind is IncidentKind.DISPUTE
    connection = await asyncpg.connect(**base.superuser.arguments())
    assert await connection.fetchval("SELECT count(*) FROM kuva.arbitration") == 0
    await connection.close()


async def test_same_uid_in_another_study_is_an_incident_that_names_it(catalogue: Catalogue) -> None:
    vault, node = vault_id(), node_id()
    await catalogue.grants.create_vault(vault, "a")
    epoch = (await catalogue.nodes.start(node)).epoch
    await catalogue.land(flush(node, epoch, batch(vault, [(1, "1.1", "x")])))
    assert (
        await catalogue.land(
            flush(node, epoch, batch(vault, [(2, "1.1", "x")], study=StudyUid("1.9")), after=1)
        )
        == 1
    )
    (incident,) = await catalogue.incidents.list(IncidentFilters((vault,)))
    assert (incident.kind, incident.study_uid, incident.sop_uid) == (
        IncidentKind.CROSS_STUDY_UID,
        "1.9",
        "1.1",
    )
    assert STUDY in incident.reason
    assert incident.kept is not None
    assert incident.kept.position == 1


async def test_a_hash_that_meets_another_uid_is_no_incident(catalogue: Catalogue) -> None:
    vault, node = vault_id(), node_id()
    await catalogue.grants.create_vault(vault, "a")
    epoch = (await catalogue.nodes.start(node)).epoch
    first = batch(vault, [(1, "1.1", "x")])
    second = dataclasses.replace(
        batch(vault, [(2, "1.2", "x")], study=StudyUid("1.9")), locator_hashes=first.locator_hashes
    )
    await catalogue.land(flush(node, epoch, first))
    assert await catalogue.land(flush(node, epoch, second, after=1)) == 0


@pytest.mark.parametrize(("study_copy", "incidents"), [(StudyCopy.ACCEPT, 0), (StudyCopy.INCIDENT, 1)])
async def test_a_study_copy_is_what_the_profile_says_and_tells_nothing_of_the_other_vault(
    base: Base, study_copy: StudyCopy, incidents: int
) -> None:
    catalogue = await Catalogue.open(base.gateway, verify, study_copy=study_copy)
    vaults, node = [vault_id(), vault_id()], node_id()
    epoch = (await catalogue.nodes.start(node)).epoch
    for number, vault in enumerate(vaults):
        await catalogue.grants.create_vault(vault, f"v{number}")
        await catalogue.land(flush(node, epoch, batch(vault, [(number + 1, "1.1", "x")]), after=number))
    assert await catalogue.incidents.list(IncidentFilters((vaults[0],))) == ()
    found = await catalogue.incidents.list(IncidentFilters((vaults[1],)))
    assert len(found) == incidents
    assert all(i.kept is None and str(vaults[0]) not in i.reason for i in found)
    await catalogue.close()

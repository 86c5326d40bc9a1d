"""Studies, incidents and grants: what is asked of the catalogue."""

import dataclasses
from datetime import timedelta

import asyncpg
import pytest

from gateway.catalogue import Catalogue, IncidentFilters
from gateway.errors import CatalogueError, NotFoundError, ResolutionError
from gateway.model.identifiers import StudyUid, VaultId
from gateway.model.incident import Difference, Incident, IncidentKind, IncidentState, Resolution
from gateway.model.study import StudyFilters
from gateway.model.vault import OrganisationAttributes
from tests.catalogue_samples import ATTRIBUTES, NOW, STUDY, batch, flush, node_id, quarantined, vault_id
from tests.postgresql import Base

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _with_studies(catalogue: Catalogue, number: int) -> VaultId:
    vault, node = vault_id(), node_id()
    await catalogue.grants.create_vault(vault, "a")
    epoch = (await catalogue.nodes.start(node)).epoch
    names = ["Sälä^Åke", "SALA^PIA", "Virtanen^Maija"]
    batches = [
        batch(
            vault,
            [(n + 1, f"1.{n}.1", "x")],
            study=StudyUid(f"1.{n}"),
            attributes=dataclasses.replace(
                ATTRIBUTES,
                patient_id=f"P{n % 4}",
                patient_name=names[n % 3],
                study_date=f"202601{n + 1:02}",
                accession_number=f"A{n}",
            ),
        )
        for n in range(number)
    ]
    await catalogue.land(flush(node, epoch, *batches))
    return vault


async def test_paging_gives_every_study_once_newest_first(catalogue: Catalogue) -> None:
    vault = await _with_studies(catalogue, 11)
    seen, after = [], None
    while True:
        page = await catalogue.studies.list(StudyFilters((vault,)), limit=4, after=after)
        seen += [study.id for study in page.studies]
        if (after := page.after) is None:
            break
    assert len(seen) == 11
    assert seen == sorted(set(seen), reverse=True)


@pytest.mark.parametrize(
    ("narrowed", "expected"),
    [
        ({"patient_id": "P1"}, {1, 5, 9}),
        ({"patient_name": "sala"}, {0, 1, 3, 4, 6, 7, 9}),
        ({"patient_name": "SÄLÄ, å".replace(",", "")}, {0, 3, 6, 9}),
        ({"accession_number": "A7"}, {7}),
        ({"study_uid": "1.3"}, {3}),
        ({"study_date_from": "20260103", "study_date_to": "20260105"}, {2, 3, 4}),
        ({"patient_id": "%"}, set()),
    ],
)
async def test_filters_narrow(catalogue: Catalogue, narrowed: dict[str, str], expected: set[int]) -> None:
    vault = await _with_studies(catalogue, 10)
    page = await catalogue.studies.list(StudyFilters((vault,), **narrowed))
    assert {int(study.uid.removeprefix("1.")) for study in page.studies} == expected


async def test_not_yours_and_not_there_are_the_same(catalogue: Catalogue) -> None:
    await _with_studies(catalogue, 3)
    stranger = vault_id()
    for uid in (StudyUid("1.1"), StudyUid("1.999")):
        assert await catalogue.studies.find(stranger, uid) is None
        with pytest.raises(NotFoundError, match=f"^no study {uid}$"):
            await catalogue.studies.get(stranger, uid)
    assert (await catalogue.studies.list(StudyFilters((stranger,)))).studies == ()


async def _quarantine(catalogue: Catalogue) -> Incident:
    vault, node = vault_id(), node_id()
    await catalogue.grants.create_vault(vault, f"a {vault}")
    epoch = (await catalogue.nodes.start(node)).epoch
    item = quarantined(vault, node, epoch, 2)
    await catalogue.land(flush(node, epoch, batch(vault, [(1, "1.2.3.4.5", "x")]), quarantined=[item]))
    (incident,) = await catalogue.incidents.list(IncidentFilters((vault,), kind=IncidentKind.QUARANTINE))
    assert (incident.newcomer, incident.kept) == (item.newcomer, item.conflicts_with)
    assert incident.difference is None
    return incident


async def test_a_quarantined_newcomer_is_known_shown_and_discarded_with_name_and_reason(
    catalogue: Catalogue,
) -> None:
    incident = await _quarantine(catalogue)
    vaults = (incident.vault,)
    known = await catalogue.known(incident.vault, STUDY)
    assert incident.newcomer is not None
    assert [(q.sop_uid, q.content) for q in known.quarantined] == [
        (incident.sop_uid, incident.newcomer.content)
    ]
    assert await catalogue.open_incidents(vaults) == {IncidentKind.QUARANTINE: 1}
    first, resolved = [  # the second time: after an unknown outcome
        await catalogue.incidents.resolve(
            incident.id, vaults, resolution=Resolution.DISCARD, reason="sent twice", by="maija"
        )
        for _ in range(2)
    ]
    assert first == resolved
    assert (resolved.state, resolved.resolution, resolved.resolution_reason, resolved.resolved_by) == (
        IncidentState.RESOLVED, Resolution.DISCARD, "sent twice", "maija",
    )  # fmt: skip
    assert (await catalogue.known(incident.vault, STUDY)).quarantined == ()
    with pytest.raises(ResolutionError, match="was resolved"):
        await catalogue.incidents.resolve(
            incident.id, vaults, resolution=Resolution.DISCARD, reason="other", by="pia"
        )


async def test_a_discard_is_owed_by_its_node_until_it_is_said_to_be_done(catalogue: Catalogue) -> None:
    incident = await _quarantine(catalogue)
    node, vaults = incident.receive_id.node, (incident.vault,)
    with pytest.raises(NotFoundError):
        await catalogue.incidents.discarded(incident.id, vaults)  # nobody decided it
    assert await catalogue.incidents.discarding(node, vaults) == ()
    decided = await catalogue.incidents.resolve(
        incident.id, vaults, resolution=Resolution.DISCARD, reason="sent twice", by="maija"
    )
    assert decided.discard_owed
    assert await catalogue.incidents.discarding(node, vaults) == (decided,)
    assert await catalogue.incidents.discarding(node, vaults, after=decided.id) == ()
    assert await catalogue.incidents.discarding(node_id(), vaults) == ()
    assert await catalogue.incidents.discarding(node, (vault_id(),)) == ()
    first, second = [await catalogue.incidents.discarded(incident.id, vaults) for _ in range(2)]
    assert first == second
    assert not first.discard_owed
    assert await catalogue.incidents.discarding(node, vaults) == ()


@pytest.mark.parametrize(("reason", "by"), [("", "maija"), ("why", " ")])
async def test_no_resolution_without_name_and_reason(catalogue: Catalogue, reason: str, by: str) -> None:
    incident = await _quarantine(catalogue)
    with pytest.raises(ResolutionError, match="needs a reason"):
        await catalogue.incidents.resolve(
            incident.id, (incident.vault,), resolution=Resolution.DISCARD, reason=reason, by=by
        )


async def test_what_got_success_is_never_discarded(base: Base) -> None:
    catalogue = base.catalogue
    vault, node = vault_id(), node_id()
    await catalogue.grants.create_vault(vault, "a")
    epoch = (await catalogue.nodes.start(node)).epoch
    twin = batch(vault, [(2, "1.1", "x")], study=StudyUid("1.9"))
    await catalogue.land(flush(node, epoch, batch(vault, [(1, "1.1", "x")]), twin))
    (incident,) = await catalogue.incidents.list(IncidentFilters((vault,)))
    with pytest.raises(ResolutionError, match="may not end in discard"):
        await catalogue.incidents.resolve(
            incident.id, (vault,), resolution=Resolution.DISCARD, reason="r", by="b"
        )
    connection = await asyncpg.connect(**base.superuser.arguments())
    with pytest.raises(asyncpg.CheckViolationError):  # nor beneath us
        await connection.execute(
            "UPDATE kuva.incident "
            "SET state='resolved', resolution='discard', resolved_by='x', resolved_at=now()"
        )
    await connection.close()
    kept = await catalogue.incidents.resolve(
        incident.id, (vault,), resolution=Resolution.KEEP, reason="r", by="b"
    )
    assert kept.resolution is Resolution.KEEP


async def test_an_equivalent_newcomer_resolves_itself(catalogue: Catalogue) -> None:
    incident = await _quarantine(catalogue)
    resolved = await catalogue.incidents.compared(incident.id, (incident.vault,), (), equivalent=True)
    assert resolved.resolution is Resolution.EQUIVALENT
    assert resolved.difference == ()
    known = await catalogue.known(incident.vault, STUDY)
    assert incident.newcomer is not None
    assert [(e.sop_uid, e.content) for e in known.equivalents] == [
        (incident.sop_uid, incident.newcomer.content)
    ]
    assert known.quarantined == ()


async def test_a_difference_is_kept_and_leaves_the_incident_open(catalogue: Catalogue) -> None:
    incident = await _quarantine(catalogue)
    difference = (Difference("(0010,0010)", "changed", "A\x00", "B"),)
    compared = await catalogue.incidents.compared(
        incident.id, (incident.vault,), difference, equivalent=False
    )
    assert compared.state is IncidentState.OPEN
    assert compared.difference == (Difference("(0010,0010)", "changed", "A\N{REPLACEMENT CHARACTER}", "B"),)


async def test_an_incident_of_another_vault_is_not_there(catalogue: Catalogue) -> None:
    incident = await _quarantine(catalogue)
    with pytest.raises(NotFoundError):
        await catalogue.incidents.get(incident.id, (vault_id(),))
    with pytest.raises(NotFoundError):
        await catalogue.incidents.resolve(
            incident.id, (vault_id(),), resolution=Resolution.DISCARD, reason="r", by="b"
        )


async def test_damage_is_recorded_once_for_each_instance(catalogue: Catalogue) -> None:
    incident = await _quarantine(catalogue)
    for _ in range(2):
        await catalogue.incidents.damaged(
            incident.receive_id, vault=incident.vault, study_uid=STUDY, sop_uid=incident.sop_uid, reason="rot"
        )
    found = await catalogue.incidents.list(IncidentFilters((incident.vault,), kind=IncidentKind.DAMAGED))
    assert [i.reason for i in found] == ["rot"]


async def _damaged(catalogue: Catalogue) -> Incident:
    incident = await _quarantine(catalogue)
    await catalogue.incidents.damaged(
        incident.receive_id, vault=incident.vault, study_uid=STUDY, sop_uid=incident.sop_uid, reason="rot"
    )
    (found,) = await catalogue.incidents.list(IncidentFilters((incident.vault,), kind=IncidentKind.DAMAGED))
    return found


async def test_what_is_damaged_is_told_when_a_study_opens_however_its_incident_ended(
    catalogue: Catalogue,
) -> None:
    other = await _quarantine(catalogue)
    assert (await catalogue.known(other.vault, STUDY)).damaged == ()
    incident = await _damaged(catalogue)
    vaults, where = (incident.vault,), incident.receive_id
    for _ in range(2):
        assert (await catalogue.known(incident.vault, STUDY)).damaged == (where,)
        assert (await catalogue.incidents.choices(incident.vault, STUDY)).damaged == {where}
        await catalogue.incidents.resolve(
            incident.id, vaults, resolution=Resolution.KEEP, reason="lost", by="b"
        )
    assert (await catalogue.incidents.choices(other.vault, STUDY)).damaged == frozenset()


async def test_a_rescue_says_where_and_does_not_undo_what_a_person_decided(catalogue: Catalogue) -> None:
    incident = await _damaged(catalogue)
    vaults, by = (incident.vault,), dataclasses.replace(incident.receive_id, position=99)
    assert incident.rescued is None
    ended = await catalogue.incidents.rescued(incident.id, vaults, by)
    assert (ended.resolution, ended.resolved_by, ended.rescued) == (Resolution.RESCUED, "kuva", by)
    assert ended == await catalogue.incidents.rescued(incident.id, vaults, incident.receive_id), "once"
    decided = await _damaged(catalogue)
    vaults = (decided.vault,)
    kept = await catalogue.incidents.resolve(
        decided.id, vaults, resolution=Resolution.KEEP, reason="lost", by="b"
    )
    assert await catalogue.incidents.rescued(decided.id, vaults, by) == kept


async def test_only_damage_ends_in_a_rescue(catalogue: Catalogue) -> None:
    incident = await _quarantine(catalogue)
    vaults = (incident.vault,)
    assert await catalogue.incidents.rescued(incident.id, vaults, incident.receive_id) == incident
    damaged = await _damaged(catalogue)
    with pytest.raises(CatalogueError, match="incident_rescued"):  # and never without a place
        await catalogue.incidents.resolve(
            damaged.id, (damaged.vault,), resolution=Resolution.RESCUED, reason="r", by="b"
        )


async def test_a_vault_is_created_once_and_described_over_time(catalogue: Catalogue) -> None:
    vault = vault_id()
    created = await catalogue.grants.create_vault(vault, "hospital")
    assert await catalogue.grants.create_vault(vault, "hospital") == created
    with pytest.raises(CatalogueError):
        await catalogue.grants.create_vault(vault_id(), "hospital")
    with pytest.raises(CatalogueError):
        await catalogue.grants.create_vault(vault, "other name")
    assert await catalogue.grants.vaults() == (created,)
    for year in (0, 1):
        await catalogue.grants.describe_vault(
            vault, OrganisationAttributes(f"controller {year}", "2", "", NOW + timedelta(days=365 * year))
        )
    assert (await catalogue.grants.whose(vault, NOW + timedelta(days=400))).controller == "controller 1"
    assert (await catalogue.grants.whose(vault, NOW)).controller == "controller 0"
    with pytest.raises(NotFoundError):
        await catalogue.grants.whose(vault, NOW - timedelta(days=1))


async def test_upkeep_may_run_at_any_time(catalogue: Catalogue) -> None:
    vault = await _with_studies(catalogue, 2)
    await catalogue.upkeep()
    assert len((await catalogue.studies.list(StudyFilters((vault,)))).studies) == 2

"""Mix-ups: told once, whoever lands, in whatever order; and nothing is told where nothing is mixed up."""

import asyncio
import dataclasses
import uuid
from collections.abc import Sequence

import pytest

from gateway.catalogue import Catalogue, IncidentFilters
from gateway.errors import NotFoundError, ResolutionError
from gateway.model.batch import Batch, BatchSeries, NamedPatient
from gateway.model.identifiers import NodeId, SeriesUid, SopInstanceUid, StudyUid, VaultId
from gateway.model.incident import Incident, IncidentKind, IncidentState, Resolution
from gateway.model.study import StudyAttributes
from tests.catalogue_samples import STUDY, batch, flush, node_id, vault_id

pytestmark = pytest.mark.asyncio(loop_scope="session")

OTHER_STUDY = StudyUid("1.2.9")


def naming(vault: VaultId, first: int, *patients: tuple[str, str], study: StudyUid = STUDY) -> Batch:
    """A batch with one instance for each (Patient ID, issuer)."""
    named = [
        NamedPatient(position, SopInstanceUid(f"1.9.{uuid.uuid4().int}"), StudyAttributes(*patient))
        for position, patient in enumerate(patients, first)
    ]
    made = batch(
        vault, [(n.position, n.sop_uid, "x") for n in named], study=study, attributes=named[0].attributes
    )
    return dataclasses.replace(made, patients=tuple(n for n in named if n.attributes.patient_id))


def holding(vault: VaultId, position: int, *series: str, study: StudyUid = STUDY) -> Batch:
    """A batch with one instance of each series."""
    held = tuple(
        BatchSeries(at, SopInstanceUid(f"1.9.{uuid.uuid4().int}"), SeriesUid(uid), uuid.uuid5(vault, uid))
        for at, uid in enumerate(series, position)
    )
    return dataclasses.replace(
        batch(vault, [(one.position, one.sop_uid, "x") for one in held], study=study), series=held
    )


class Sender:
    """A node that lands batches one after the other."""

    def __init__(self, catalogue: Catalogue, node: NodeId, epoch: int) -> None:
        self._catalogue, self._node, self._epoch = catalogue, node, epoch
        self.through = 0

    @classmethod
    async def start(cls, catalogue: Catalogue) -> "Sender":
        node = node_id()
        return cls(catalogue, node, (await catalogue.nodes.start(node)).epoch)

    async def land(self, *batches: Batch) -> None:
        landing = flush(self._node, self._epoch, *batches, after=self.through)
        for _ in range(2):  # an answer that was lost
            await self._catalogue.land(landing)
        self.through = landing.through


@pytest.fixture
def vault() -> VaultId:
    return vault_id()


async def started(catalogue: Catalogue, vault: VaultId) -> Sender:
    await catalogue.grants.create_vault(vault, str(vault))
    return await Sender.start(catalogue)


async def told(catalogue: Catalogue, vault: VaultId) -> list[Incident]:
    """Oldest first."""
    return list(reversed(await catalogue.incidents.list(IncidentFilters((vault,), state=None))))


# --- patients -------------------------------------------------------------------------------------


async def test_a_second_patient_is_told_once_with_what_differs(catalogue: Catalogue, vault: VaultId) -> None:
    sender = await started(catalogue, vault)
    await sender.land(naming(vault, 1, ("A", "")))
    second = naming(vault, 2, ("B", "X"))
    second = dataclasses.replace(
        second,
        patients=tuple(
            dataclasses.replace(p, attributes=dataclasses.replace(p.attributes, patient_name="B^B"))
            for p in second.patients
        ),
    )
    await sender.land(second)
    await sender.land(naming(vault, 3, ("B", "X"), ("A", "")))
    await (await Sender.start(catalogue)).land(naming(vault, 1, ("B", "X")))
    (incident,) = await told(catalogue, vault)
    assert (incident.kind, incident.study_uid) == (IncidentKind.SECOND_PATIENT, STUDY)
    assert (incident.sop_uid, incident.receive_id.position) == (second.patients[0].sop_uid, 2)
    assert incident.difference is not None
    assert [(d.path, d.kind, d.before, d.after) for d in incident.difference] == [
        ("(0010,0020)", "changed", "A", "B"),
        ("(0010,0021)", "added", "", "X"),
        ("(0010,0010)", "added", "", "B^B"),
    ]
    assert all(text not in incident.reason for text in ("A", "B", "X"))
    study, _ = await catalogue.studies.get(vault, STUDY)
    assert study.instances == 5


@pytest.mark.parametrize(
    ("patients", "incidents"),
    [
        ([("A", ""), ("A", "")], 0),
        ([("A", ""), ("", "")], 0),
        ([("", ""), ("A", "")], 0),
        ([("A", ""), ("A", "X")], 0),
        ([("A", "X"), ("A", "\ufffd")], 0),
        ([("A", ""), ("\ufffd", "")], 0),
        ([("A", "X"), ("A", "Y")], 1),
        ([("A", ""), ("A", "X"), ("A", "Y")], 1),
        ([("", ""), ("A", ""), ("B", "")], 1),
        ([("A", ""), ("a", "")], 1),
        ([("A", ""), ("B", ""), ("C", ""), ("B", "")], 2),
    ],
)
@pytest.mark.parametrize("at_once", [True, False], ids=["one-batch", "batches"])
async def test_who_is_a_second_patient(
    catalogue: Catalogue,
    vault: VaultId,
    patients: Sequence[tuple[str, str]],
    incidents: int,
    *,
    at_once: bool,
) -> None:
    sender = await started(catalogue, vault)
    if at_once:
        await sender.land(naming(vault, 1, *patients))
    else:
        for position, patient in enumerate(patients, 1):
            await sender.land(naming(vault, position, patient))
    found = await told(catalogue, vault)
    assert [one.kind for one in found] == [IncidentKind.SECOND_PATIENT] * incidents


async def test_text_that_no_database_takes_is_one_patient(catalogue: Catalogue, vault: VaultId) -> None:
    sender = await started(catalogue, vault)
    for position, text in enumerate(("A\x00", "A\x00", "\ud800"), 1):
        await sender.land(naming(vault, position, (text + "𝄞" * 500, text)))
    assert await told(catalogue, vault) == []


async def test_two_nodes_that_land_two_patients_at_once_open_one_incident_for_each_other(
    catalogue: Catalogue, vault: VaultId
) -> None:
    await catalogue.grants.create_vault(vault, "a")
    senders = [await Sender.start(catalogue) for _ in range(4)]
    studies = [StudyUid(f"1.2.{number}") for number in range(8)]
    async with asyncio.TaskGroup() as group:
        for number, sender in enumerate(senders):
            batches = [
                naming(vault, at, (f"P{number % 2}", ""), study=study)
                for at, study in enumerate(studies if number < 2 else reversed(studies), 1)
            ]
            group.create_task(sender.land(*batches))
    assert sorted(one.study_uid for one in await told(catalogue, vault)) == sorted(studies)


async def test_a_second_patient_is_resolved_by_a_person_and_not_told_again(
    catalogue: Catalogue, vault: VaultId
) -> None:
    sender = await started(catalogue, vault)
    await sender.land(naming(vault, 1, ("A", ""), ("B", "")))
    (incident,) = await told(catalogue, vault)
    with pytest.raises(ResolutionError, match="permitted: keep"):
        await catalogue.incidents.resolve(
            incident.id, (vault,), resolution=Resolution.DISCARD, reason="r", by="b"
        )
    with pytest.raises(NotFoundError):
        await catalogue.incidents.get(incident.id, (vault_id(),))
    await catalogue.incidents.resolve(incident.id, (vault,), resolution=Resolution.KEEP, reason="r", by="b")
    await sender.land(naming(vault, 3, ("B", "")))
    (incident,) = await told(catalogue, vault)
    assert incident.state is IncidentState.RESOLVED
    assert (await catalogue.known(vault, STUDY)).disputed == ()


# --- series ---------------------------------------------------------------------------------------


async def test_a_series_in_a_second_study_is_told_once(catalogue: Catalogue, vault: VaultId) -> None:
    sender = await started(catalogue, vault)
    await sender.land(holding(vault, 1, "1.1", "1.2"))
    second = holding(vault, 3, "1.2", "1.3", study=OTHER_STUDY)
    await sender.land(second)
    await sender.land(holding(vault, 5, "1.2", study=OTHER_STUDY), holding(vault, 6, "1.2"))
    await (await Sender.start(catalogue)).land(holding(vault, 1, "1.2", "1.1"))
    (incident,) = await told(catalogue, vault)
    assert (incident.kind, incident.study_uid) == (IncidentKind.CROSS_STUDY_SERIES, OTHER_STUDY)
    assert incident.sop_uid == second.series[0].sop_uid
    assert incident.reason == f"series 1.2 is also in study {STUDY}"
    assert incident.difference is not None
    assert [(d.path, d.before, d.after) for d in incident.difference] == [("(0020,000D)", STUDY, OTHER_STUDY)]
    resolved = await catalogue.incidents.resolve(
        incident.id, (vault,), resolution=Resolution.KEEP, reason="r", by="b"
    )
    assert resolved.state is IncidentState.RESOLVED


async def test_a_series_that_is_in_many_studies_is_told_once_for_each_beside_the_first(
    catalogue: Catalogue, vault: VaultId
) -> None:
    sender = await started(catalogue, vault)
    studies = [StudyUid(f"1.2.{number}") for number in range(5)]
    for position, study in enumerate(studies[:3], 1):
        await sender.land(holding(vault, position, "1.1", study=study))
    await sender.land(*(holding(vault, at, "1.1", study=study) for at, study in enumerate(studies[3:], 4)))
    assert sorted(one.study_uid for one in await told(catalogue, vault)) == studies[1:]


async def test_a_series_that_reaches_two_vaults_is_no_mix_up(catalogue: Catalogue, vault: VaultId) -> None:
    sender, other = await started(catalogue, vault), vault_id()
    await catalogue.grants.create_vault(other, "other")
    one = holding(vault, 1, "1.1")
    await sender.land(one)
    copied = dataclasses.replace(holding(other, 2, "1.1"), study_uid=OTHER_STUDY)
    same_hash = dataclasses.replace(copied.series[0], hash=one.series[0].hash)  # and even then
    await sender.land(dataclasses.replace(copied, series=(same_hash,)))
    assert await told(catalogue, vault) == await told(catalogue, other) == []


async def test_two_nodes_that_land_one_series_in_two_studies_at_once_open_one_incident(
    catalogue: Catalogue, vault: VaultId
) -> None:
    await catalogue.grants.create_vault(vault, "a")
    senders = [await Sender.start(catalogue) for _ in range(4)]
    rounds = [[f"1.{one}.{number}" for number in range(5)] for one in range(10)]
    for one in rounds:
        async with asyncio.TaskGroup() as group:
            for number, sender in enumerate(senders):
                held = one if number < 2 else reversed(one)
                study = OTHER_STUDY if number % 2 else STUDY
                group.create_task(sender.land(holding(vault, sender.through + 1, *held, study=study)))
    found = await told(catalogue, vault)
    assert sorted(one.reason.split()[1] for one in found) == sorted(uid for one in rounds for uid in one)

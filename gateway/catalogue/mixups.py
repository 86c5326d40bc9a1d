"""Mix-ups: a study whose instances name two patients, a series in two studies; told when they land.

All of it was answered 0000H and stays. A person is told once for each other patient of a study, and once for
each study that a series turns up in beside its first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from gateway.catalogue.database import Connection
from gateway.catalogue.queries import queries
from gateway.catalogue.storable import storable
from gateway.catalogue.wording import Row, difference_json
from gateway.model.batch import Batch, BatchSeries, Flush, NamedPatient
from gateway.model.identifiers import SopInstanceUid
from gateway.model.incident import Difference, IncidentKind
from gateway.model.patient import PatientIdentity

PREVIEW_LENGTH_MAX = 64
_STUDY_UID = "(0020,000D)"
_IDENTIFIERS = {"(0010,0020)": "patient_id", "(0010,0021)": "issuer"}
_DESCRIBING = {"(0010,0010)": "patient_name", "(0010,0030)": "birth_date", "(0010,0040)": "sex"}


@dataclass(frozen=True, slots=True)
class Landed:
    """A batch and the row of its study."""

    batch: Batch
    study: int
    patient: PatientIdentity
    """Of the row: the first instance's, ever."""


@dataclass(frozen=True, slots=True)
class _MixUp:
    kind: IncidentKind
    batch: Batch
    position: int
    sop_uid: SopInstanceUid
    reason: str
    difference: tuple[Difference, ...]


_Stranger = tuple[Landed, NamedPatient, PatientIdentity]


async def tell_mix_ups(connection: Connection, flush: Flush, landed: Sequence[Landed]) -> int:
    """Opens an incident for what does not belong together; returns how many.

    Part of the landing transaction, its last part: from here on no other flush of the vaults can be here.
    """
    new_series = await _insert_series(connection, landed)
    strangers = [stranger for one in landed for stranger in _strangers(one)]
    vaults = {one.batch.vault for one, _ in new_series} | {one.batch.vault for one, _, _ in strangers}
    if not vaults:
        return 0
    await connection.execute(queries("mixups")["lock"], sorted(vaults))
    found = await _series_elsewhere(connection, new_series)
    found += await _second_patients(connection, strangers)
    await connection.executemany(
        queries("mixups")["insert_incident"], [_incident_row(flush, one) for one in found]
    )
    return len(found)


# --- series ---------------------------------------------------------------------------------------


async def _insert_series(
    connection: Connection, landed: Sequence[Landed]
) -> list[tuple[Landed, BatchSeries]]:
    """Those that their study did not have."""
    offered = {(of.hash, one.study): (one, of) for one in landed for of in one.batch.series}
    if not offered:
        return []
    keys = sorted(offered)  # one order everywhere: two nodes cannot wait in a circle
    rows = await connection.fetch(
        queries("mixups")["insert_series"], [series for series, _ in keys], [study for _, study in keys]
    )
    return [offered[row["series"], row["study"]] for row in rows]


async def _series_elsewhere(
    connection: Connection, new: Sequence[tuple[Landed, BatchSeries]]
) -> list[_MixUp]:
    offered: dict[tuple[UUID, int], tuple[Landed, BatchSeries]] = {
        (of.hash, o.study): (o, of) for o, of in new
    }
    rows = await connection.fetch(
        queries("mixups")["series_elsewhere"], [key for key, _ in offered], [study for _, study in offered]
    )
    return [_series_mix_up(*offered[row["series"], row["study"]], row["study_uid"]) for row in rows]


def _series_mix_up(one: Landed, of: BatchSeries, elsewhere: str) -> _MixUp:
    reason = f"series {of.series_uid} is also in study {elsewhere}"
    difference = Difference(_STUDY_UID, "changed", elsewhere, one.batch.study_uid)
    return _MixUp(IncidentKind.CROSS_STUDY_SERIES, one.batch, of.position, of.sop_uid, reason, (difference,))


# --- patients -------------------------------------------------------------------------------------


def _strangers(one: Landed) -> Iterable[_Stranger]:
    for named in one.batch.patients:
        identity = _identity_of(named.attributes.patient_id, named.attributes.issuer)
        if identity.told and identity != one.patient:
            yield one, named, identity


async def _second_patients(connection: Connection, strangers: Sequence[_Stranger]) -> list[_MixUp]:
    if not strangers:
        return []
    known = await _known_patients(connection, sorted({one.study for one, *_ in strangers}))
    found: list[_MixUp] = []
    new: list[tuple[object, ...]] = []
    for one, named, identity in strangers:
        those = known[one.study]
        if identity in those:
            continue  # told before, or by the flush that brought them
        new.append((one.study, one.batch.vault, identity.patient_id, identity.issuer))
        met = next((other for other in those if identity.is_other_than(other)), None)
        if met is not None:
            found.append(_patient_mix_up(one, named, _differences(identity, named, met, those[met])))
        those[identity] = None
    await connection.executemany(queries("mixups")["insert_patient"], new)
    return found


_Known = dict[PatientIdentity, Row | None]
"""Whom a study names, first things first; with the study's row for the first instance's patient."""


async def _known_patients(connection: Connection, studies: Sequence[int]) -> dict[int, _Known]:
    known: dict[int, _Known] = {}
    for row in await connection.fetch(queries("mixups")["first_patients"], studies):
        known[row["study"]] = {PatientIdentity(row["patient_id"], row["issuer"]): row}
    for row in await connection.fetch(queries("mixups")["other_patients"], studies):
        known[row["study"]].setdefault(PatientIdentity(row["patient_id"], row["issuer"]), None)
    return known


def _differences(
    identity: PatientIdentity, named: NamedPatient, met: PatientIdentity, row: Row | None
) -> tuple[Difference, ...]:
    pairs = [(path, getattr(met, name), getattr(identity, name)) for path, name in _IDENTIFIERS.items()]
    if row is not None:
        of = named.attributes
        pairs += [(path, row[name], storable(getattr(of, name))) for path, name in _DESCRIBING.items()]
    return tuple(
        Difference(path, _how(before, after), before[:PREVIEW_LENGTH_MAX], after[:PREVIEW_LENGTH_MAX])
        for path, before, after in pairs
        if before != after
    )


def _how(before: str, after: str) -> str:
    return "changed" if before and after else "removed" if before else "added"


def _patient_mix_up(one: Landed, named: NamedPatient, difference: tuple[Difference, ...]) -> _MixUp:
    reason = "the study's instances name another patient, too"
    return _MixUp(IncidentKind.SECOND_PATIENT, one.batch, named.position, named.sop_uid, reason, difference)


def _identity_of(patient_id: str, issuer: str) -> PatientIdentity:
    """As the catalogue holds it, whatever a peer wrote."""
    return PatientIdentity(storable(patient_id), storable(issuer))


def _incident_row(flush: Flush, one: _MixUp) -> tuple[object, ...]:
    return (
        one.kind.value, one.batch.vault, one.batch.study_uid, one.sop_uid, one.reason,
        flush.node, flush.epoch, one.position, difference_json(one.difference),
    )  # fmt: skip

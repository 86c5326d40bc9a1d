"""Incidents: shown, compared, and resolved with a name and a reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.catalogue.database import Database
from gateway.catalogue.queries import queries
from gateway.catalogue.storable import storable
from gateway.catalogue.wording import Row, difference_json, incident_of
from gateway.errors import NotFoundError, ResolutionError
from gateway.model.identifiers import NodeId, SopInstanceUid, StudyUid, VaultId
from gateway.model.incident import PERMITTED, Difference, Incident, IncidentKind, IncidentState, Resolution
from gateway.model.instance import ReceiveId

LIST_AT_MOST = 1000
REASON_LENGTH_MAX = 2000
MACHINE = "kuva"
"""Who resolves what no person needs to look at."""
RECEIVED_AGAIN = "the same content was received again, and read back"


@dataclass(frozen=True, slots=True)
class IncidentFilters:
    """What a list of incidents is narrowed by; None and "" do not narrow."""

    vaults: tuple[VaultId, ...]
    state: IncidentState | None = IncidentState.OPEN
    kind: IncidentKind | None = None
    study_uid: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """What incidents say of the copies of a study's instances."""

    preferred: dict[SopInstanceUid, ReceiveId]
    """Of UIDs that were disputed: the instance that a person chose."""
    damaged: frozenset[ReceiveId]
    """Found damaged or gone."""


class Incidents:
    """An incident in another vault is not there. None is ever deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(
        self, filters: IncidentFilters, *, limit: int = 100, after: int | None = None
    ) -> tuple[Incident, ...]:
        """Newest first; `after` is the id of the last one of the previous page."""
        async with self._database.transaction(filters.vaults) as connection:
            rows = await connection.fetch(
                queries("incidents")["list"], list(filters.vaults), filters.state and filters.state.value,
                filters.kind and filters.kind.value, storable(filters.study_uid), after,
                max(1, min(limit, LIST_AT_MOST)),
            )  # fmt: skip
        return tuple(incident_of(row) for row in rows)

    async def get(self, number: int, vaults: Sequence[VaultId]) -> Incident:
        """One incident. Raises `NotFoundError`."""
        async with self._database.transaction(vaults) as connection:
            row = await connection.fetchrow(queries("incidents")["get"], number, list(vaults))
        if row is None:
            raise NotFoundError(f"no incident {number}")
        return incident_of(row)

    async def resolve(
        self, number: int, vaults: Sequence[VaultId], *, resolution: Resolution, reason: str, by: str
    ) -> Incident:
        """Ends an incident and returns it as it now is. When it returns, the decision MUST be durable;
        bytes to be discarded are owed from then on (`discarding`), whoever crashes.

        Raises `NotFoundError`; `ResolutionError` if it was resolved already, its kind does not permit this,
        or no name and reason are given. Only what never got 0000H may be discarded. The same decision by
        the same person again (after an unknown outcome) is accepted.
        """
        reason, by = storable(reason.strip(), REASON_LENGTH_MAX), storable(by.strip())
        if not reason or not by:
            raise ResolutionError("a resolution needs a reason and the name of who decides")
        async with self._database.transaction(vaults) as connection:
            row = await connection.fetchrow(queries("incidents")["lock"], number, list(vaults))
            if row is None:
                raise NotFoundError(f"no incident {number}")
            incident = incident_of(row)
            if (incident.resolution, incident.resolution_reason, incident.resolved_by) != (
                resolution,
                reason,
                by,
            ):
                _permit(incident, resolution)
                await connection.execute(
                    queries("incidents")["resolve"], number, resolution.value, reason, by
                )
                if resolution is Resolution.EQUIVALENT and incident.newcomer is not None:
                    content = incident.newcomer.content
                    await connection.execute(
                        queries("incidents")["insert_equivalent"],
                        incident.vault, incident.study_uid, incident.sop_uid,
                        content.digest, content.transfer_syntax, content.sop_class, number,
                    )  # fmt: skip
            resolved = await connection.fetchrow(queries("incidents")["get"], number, list(vaults))
            assert resolved is not None
        return incident_of(resolved)

    async def discarding(
        self, node: NodeId, vaults: Sequence[VaultId], *, after: int = 0, limit: int = 100
    ) -> tuple[Incident, ...]:
        """Oldest first: what a person decided to discard and `node`'s journal may still hold."""
        async with self._database.transaction(vaults) as connection:
            rows = await connection.fetch(
                queries("incidents")["discarding"], node, list(vaults), after, min(limit, LIST_AT_MOST)
            )
        return tuple(incident_of(row) for row in rows)

    async def discarded(self, number: int, vaults: Sequence[VaultId]) -> Incident:
        """The journal has done it. Raises `NotFoundError` if that was not decided."""
        async with self._database.transaction(vaults) as connection:
            row = await connection.fetchrow(queries("incidents")["discarded"], number, list(vaults))
        if row is None:
            raise NotFoundError(f"no incident {number} whose newcomer is to be discarded")
        return incident_of(row)

    async def choices(self, vault: VaultId, study_uid: StudyUid) -> Choices:
        """Which copy of an instance of the study is to be given out, and which is not."""
        async with self._database.transaction([vault]) as connection:
            preferred = await connection.fetch(queries("incidents")["preferred"], vault, study_uid)
            damaged = await connection.fetch(queries("incidents")["damaged"], vault, study_uid)
        return Choices(
            {SopInstanceUid(row["sop_uid"]): _place_of(row) for row in preferred},
            frozenset(_place_of(row) for row in damaged),
        )

    async def compared(
        self, number: int, vaults: Sequence[VaultId], difference: tuple[Difference, ...], *, equivalent: bool
    ) -> Incident:
        """Says how a quarantined newcomer differs; if it is equivalent, the incident resolves itself."""
        async with self._database.transaction(vaults) as connection:
            await connection.execute(
                queries("incidents")["set_difference"], number, list(vaults), difference_json(difference)
            )
        incident = await self.get(number, vaults)
        if not equivalent or incident.state is IncidentState.RESOLVED:
            return incident
        reason = "element by element the same in another encoding"
        return await self.resolve(number, vaults, resolution=Resolution.EQUIVALENT, reason=reason, by=MACHINE)

    async def damaged(
        self,
        receive_id: ReceiveId,
        *,
        vault: VaultId,
        study_uid: StudyUid,
        sop_uid: SopInstanceUid,
        reason: str,
    ) -> None:
        """Records that kept bytes no longer match their digest. Once for each instance."""
        async with self._database.transaction([vault]) as connection:
            await connection.execute(
                queries("incidents")["insert_damaged"], vault, study_uid, sop_uid, storable(reason),
                receive_id.node, receive_id.epoch, receive_id.position,
            )  # fmt: skip

    async def rescued(self, number: int, vaults: Sequence[VaultId], by: ReceiveId) -> Incident:
        """The damaged instance is kept again, as `by`, which MUST have been read back.

        Returns the incident as it is then: one resolved meanwhile stays as it was. Raises `NotFoundError`.
        """
        async with self._database.transaction(vaults) as connection:
            await connection.execute(
                queries("incidents")["rescue"], number, list(vaults), RECEIVED_AGAIN, MACHINE,
                by.node, by.epoch, by.position,
            )  # fmt: skip
        return await self.get(number, vaults)


def _place_of(row: Row) -> ReceiveId:
    return ReceiveId(NodeId(row["node"]), row["epoch"], row["position"])


def _permit(incident: Incident, resolution: Resolution) -> None:
    if incident.state is IncidentState.RESOLVED:
        how = incident.resolution.value if incident.resolution else ""
        raise ResolutionError(f"incident {incident.id} was resolved ({how}) by {incident.resolved_by}")
    if resolution not in PERMITTED[incident.kind]:
        permitted = ", ".join(sorted(r.value for r in PERMITTED[incident.kind])) or "nothing yet"
        raise ResolutionError(
            f"a {incident.kind.value} incident may not end in {resolution.value}; permitted: {permitted}"
        )

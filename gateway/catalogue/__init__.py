"""Data management: the only room that speaks SQL. A `Catalogue` is one node's way in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from gateway.catalogue.arbitration import Arbitration, Match, StudyCopy, Verifier
from gateway.catalogue.commitments import Commitments
from gateway.catalogue.database import Address, Database
from gateway.catalogue.deliveries import Deliveries
from gateway.catalogue.facts import Facts
from gateway.catalogue.grants import Grants
from gateway.catalogue.incidents import Choices, IncidentFilters, Incidents
from gateway.catalogue.landing import Landing
from gateway.catalogue.nodes import Nodes, NodeStart
from gateway.catalogue.queries import queries
from gateway.catalogue.rebuilding import Rebuilding
from gateway.catalogue.studies import Studies
from gateway.catalogue.volumes import Volumes
from gateway.model.batch import Flush, Known
from gateway.model.identifiers import StudyUid, VaultId
from gateway.model.incident import IncidentKind

__all__ = [
    "Address", "Catalogue", "Choices", "IncidentFilters", "Match", "NodeStart", "Statistics", "StudyCopy",
    "Verifier",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Statistics:
    """Estimates as of PostgreSQL's last look; nothing is counted in the ingest path."""

    studies: int
    instances: int
    bytes: int
    """Size of the database's tables and indexes."""


class Catalogue:
    """What can be asked. Every call has a deadline and raises only our own errors.

    `CatalogueUnavailableError` says that nothing is known of the outcome; all that writes may then be done
    again.
    """

    def __init__(
        self, database: Database, verifier: Verifier, *, study_copy: StudyCopy = StudyCopy.INCIDENT
    ) -> None:
        self._database = database
        self._landing = Landing(database)
        self._arbitration = Arbitration(database, verifier, study_copy=study_copy)
        self.studies = Studies(database)
        self.incidents = Incidents(database)
        self.grants = Grants(database)
        self.nodes = Nodes(database)
        self.commitments = Commitments(database)
        self.deliveries = Deliveries(database)
        self.facts = Facts(database)
        self.rebuilding = Rebuilding(database)
        self.volumes = Volumes(database, lambda: self._landing.make_partitions(now=True))

    @classmethod
    async def open(
        cls,
        address: Address,
        verifier: Verifier,
        *,
        study_copy: StudyCopy = StudyCopy.INCIDENT,
        connections_max: int = 8,
        query_seconds_max: float = 30.0,
    ) -> "Catalogue":
        """Connects as the gateway's plain role.

        Raises `CatalogueSchemaError` where promises would not hold.
        """
        database = await Database.open(
            address, connections_max=connections_max, query_seconds_max=query_seconds_max
        )
        return cls(database, verifier, study_copy=study_copy)

    async def close(self) -> None:
        """Gives the connections back."""
        await self._database.close()

    async def land(self, flush: Flush) -> int:
        """Makes a flush part of the catalogue, then arbitrates it; returns the incidents that this opened.

        When it returns, the flush MUST be durable and compared with the whole archive. Safe to do twice. If
        it
        raises `CatalogueUnavailableError`, land the same flush again: only what is missing is done.
        """
        subjects = await self._landing.land(flush)
        if subjects is None:
            await self._arbitration.settle()
            return 0
        return await self._arbitration.arbitrate(subjects)

    async def known(self, vault: VaultId, study_uid: StudyUid) -> Known:
        """All that is known of a study when it opens on a node: one round trip."""
        return await self.studies.known(vault, study_uid)

    async def upkeep(self) -> None:
        """For any node, every few minutes: partitions ahead, empty ones away, debts of dead nodes settled."""
        await self._landing.make_partitions(now=True)
        async with self._database.connection() as connection:
            await connection.fetchval(queries("landing")["drop_empty_partitions"])
        await self._arbitration.settle(older_than=timedelta(minutes=1))

    async def settle(self) -> int:
        """Compares what landed and was never compared; returns how many batches. For a start: nobody is at it
        who could be waited for, and until then nothing can be planned of them."""
        return await self._arbitration.settle()

    async def ping(self) -> None:
        """For health: asks the database anything at all."""
        await self._database.ping()

    async def statistics(self) -> Statistics:
        """Estimates of how much there is, over all vaults."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(queries("statistics")["estimates"])
        assert row is not None
        return Statistics(row["studies"], row["instances"], row["bytes"])

    async def sizes(self) -> dict[str, tuple[int, int]]:
        """Of each table, partitions together: bytes with everything, and of its indexes alone."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(queries("statistics")["sizes"])
        return {row["name"]: (row["bytes"], row["indexes"]) for row in rows}

    async def open_incidents(self, vaults: Sequence[VaultId]) -> dict[IncidentKind, int]:
        """How many incidents wait for somebody, by kind."""
        async with self._database.transaction(vaults) as connection:
            rows = await connection.fetch(queries("statistics")["open_incidents"], list(vaults))
        return {IncidentKind(row["kind"]): row["incidents"] for row in rows}

"""Studies: what is known of one, one whole, and lists of them."""

from gateway.catalogue.database import Database
from gateway.catalogue.queries import queries
from gateway.catalogue.storable import storable
from gateway.catalogue.wording import Row, content_of
from gateway.errors import NotFoundError
from gateway.model.batch import Known, KnownBlock, KnownContent
from gateway.model.identifiers import NodeId, SopInstanceUid, StudyUid, VaultId
from gateway.model.incident import IncidentKind
from gateway.model.instance import ReceiveId
from gateway.model.study import Study, StudyAttributes, StudyBlock, StudyFilters, StudyPage, normalise_name

LIST_AT_MOST = 1000


class Studies:
    """Reads. A study in another vault is not there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def known(self, vault: VaultId, study_uid: StudyUid) -> Known:
        """All that is known of a study when it opens on a node, in one round trip; may be empty."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(queries("studies")["known"], vault, study_uid)
        contents: dict[str, list[KnownContent]] = {"equivalent": [], IncidentKind.QUARANTINE.value: []}
        blocks: list[KnownBlock] = []
        volumes: list[bytes] = []
        disputed: dict[SopInstanceUid, None] = {}
        places: dict[str, list[ReceiveId]] = {"preferred": [], IncidentKind.DAMAGED.value: []}
        for row in rows:
            if row["kind"] == "open":
                blocks.append(KnownBlock(NodeId(row["node"]), row["epoch"], row["block"]))
            elif row["kind"] == "volume":
                volumes.append(row["block"])
            elif row["kind"] in places:
                places[row["kind"]].append(ReceiveId(NodeId(row["node"]), row["epoch"], row["position"]))
            elif row["kind"] == IncidentKind.DISPUTE.value:
                disputed[SopInstanceUid(row["sop_uid"])] = None
            else:
                contents[row["kind"]].append(KnownContent(SopInstanceUid(row["sop_uid"]), content_of(row)))
        return Known(
            tuple(blocks), tuple(contents["equivalent"]), tuple(contents["quarantine"]), tuple(disputed),
            tuple(places["preferred"]), tuple(places["damaged"]), tuple(volumes),
        )  # fmt: skip

    async def find(self, vault: VaultId, study_uid: StudyUid) -> Study | None:
        """The study's row with its counts; None if it is not there (or not in this vault)."""
        async with self._database.transaction([vault]) as connection:
            row = await connection.fetchrow(queries("studies")["get"], vault, study_uid)
        return None if row is None else _study_of(row)

    async def get(self, vault: VaultId, study_uid: StudyUid) -> tuple[Study, tuple[StudyBlock, ...]]:
        """The study and its index blocks: volumes first, then oldest first. Raises `NotFoundError`."""
        async with self._database.transaction([vault]) as connection:
            row = await connection.fetchrow(queries("studies")["get"], vault, study_uid)
            if row is None:
                raise NotFoundError(f"no study {study_uid}")
            rows = await connection.fetch(queries("studies")["blocks"], row["id"], vault)
        return _study_of(row), tuple(StudyBlock(**dict(block)) for block in rows)

    async def list(self, filters: StudyFilters, *, limit: int = 100, after: int | None = None) -> StudyPage:
        """Studies of the named vaults, newest first; `after` is the previous page's."""
        limit = max(1, min(limit, LIST_AT_MOST))
        async with self._database.transaction(filters.vaults) as connection:
            rows = await connection.fetch(
                queries("studies")["list"], list(filters.vaults), after,
                storable(filters.study_uid), storable(filters.patient_id),
                storable(normalise_name(filters.patient_name)),
                storable(filters.accession_number), storable(filters.study_date_from),
                storable(filters.study_date_to), limit + 1,
            )  # fmt: skip
        studies = tuple(_study_of(row) for row in rows[:limit])
        return StudyPage(studies, studies[-1].id if len(rows) > limit else None)


def _study_of(row: Row) -> Study:
    attributes = StudyAttributes(**{name: row[name] for name in StudyAttributes.__dataclass_fields__})
    return Study(
        id=row["id"],
        vault=VaultId(row["vault"]),
        uid=StudyUid(row["study_uid"]),
        attributes=attributes,
        first_seen=row["first_seen"],
        instances=row["instances"],
        length=row["length"],
    )

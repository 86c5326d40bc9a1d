"""Standing: all that decides whether instances of a study may be committed, read at once."""

from collections import defaultdict
from collections.abc import Sequence

from gateway.catalogue.database import Connection
from gateway.catalogue.queries import queries
from gateway.catalogue.wording import Row
from gateway.model.batch import KnownBlock
from gateway.model.commitment import KnownVolume, QuarantinedTwin, Standing
from gateway.model.identifiers import NodeId, SopInstanceUid, StudyUid, VaultId, VolumeId
from gateway.model.incident import IncidentKind
from gateway.model.instance import ReceiveId

Grouped = dict[int, list[Row]]


async def standing_of(
    connection: Connection, studies: Sequence[Row], vaults: Sequence[VaultId]
) -> tuple[Standing, ...]:
    """Of rows of `study`, in their order."""
    if not studies:
        return ()
    ids, named = [row["id"] for row in studies], list(vaults)
    # Open batches first: one that becomes a volume in between is then seen twice, and not nowhere.
    opened = _grouped(await connection.fetch(queries("commitments")["open_blocks"], ids, named))
    volumes = _grouped(await connection.fetch(queries("commitments")["volume_blocks"], ids, named))
    incidents = _grouped(await connection.fetch(queries("commitments")["incidents"], ids))
    preferred = _grouped(await connection.fetch(queries("commitments")["preferred"], ids))
    return tuple(
        _standing(row, opened[row["id"]], volumes[row["id"]], incidents[row["id"]], preferred[row["id"]])
        for row in studies
    )


def _grouped(rows: Sequence[Row]) -> Grouped:
    found: Grouped = defaultdict(list)
    for row in rows:
        found[row["study"]].append(row)
    return found


def _standing(
    study: Row,
    opened: Sequence[Row],
    volumes: Sequence[Row],
    incidents: Sequence[Row],
    preferred: Sequence[Row],
) -> Standing:
    of_kind = {kind: [row for row in incidents if row["kind"] == kind.value] for kind in IncidentKind}
    return Standing(
        vault=VaultId(study["vault"]),
        study_uid=StudyUid(study["study_uid"]),
        volumes=tuple(
            KnownVolume(VolumeId(v["id"]), NodeId(v["node"]), v["damaged"], v["block"]) for v in volumes
        ),
        open_blocks=tuple(KnownBlock(NodeId(o["node"]), o["epoch"], o["block"]) for o in opened),
        disputed=frozenset(SopInstanceUid(row["sop_uid"]) for row in of_kind[IncidentKind.DISPUTE]),
        quarantined=tuple(
            QuarantinedTwin(row["id"], SopInstanceUid(row["sop_uid"]), row["calling"])
            for row in of_kind[IncidentKind.QUARANTINE]
        ),
        damaged=frozenset(_place(row) for row in of_kind[IncidentKind.DAMAGED]),
        preferred={SopInstanceUid(row["sop_uid"]): _place(row) for row in preferred},
    )


def _place(row: Row) -> ReceiveId:
    return ReceiveId(NodeId(row["node"]), row["epoch"], row["position"])

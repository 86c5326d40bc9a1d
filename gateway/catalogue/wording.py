"""Wording: the model's nouns as the columns of rows, and back."""

import json

import asyncpg

from gateway.catalogue.storable import storable
from gateway.model.identifiers import NodeId, SopInstanceUid, StudyUid, Uid, VaultId, VolumeId
from gateway.model.incident import Difference, Incident, IncidentKind, IncidentState, Newcomer, Resolution
from gateway.model.instance import Content, ReceiveId, Sender
from gateway.model.volume import Volume, VolumeKind, VolumeState

Row = asyncpg.Record


def difference_json(difference: tuple[Difference, ...] | None) -> str | None:
    """JSON for the column; None stays None (nobody compared)."""
    if difference is None:
        return None
    return json.dumps([[storable(text) for text in (d.path, d.kind, d.before, d.after)] for d in difference])


def difference_of(text: str | None) -> tuple[Difference, ...] | None:
    """The inverse of `difference_json`."""
    return None if text is None else tuple(Difference(*parts) for parts in json.loads(text))


def incident_of(row: Row) -> Incident:
    """A row of `incident`."""
    receive_id = ReceiveId(NodeId(row["node"]), row["epoch"], row["position"])
    kept = row["kept_node"] and ReceiveId(NodeId(row["kept_node"]), row["kept_epoch"], row["kept_position"])
    rescued = row["rescued_node"] and ReceiveId(
        NodeId(row["rescued_node"]), row["rescued_epoch"], row["rescued_position"]
    )
    return Incident(
        id=row["id"],
        kind=IncidentKind(row["kind"]),
        state=IncidentState(row["state"]),
        vault=VaultId(row["vault"]),
        study_uid=StudyUid(row["study_uid"]),
        sop_uid=SopInstanceUid(row["sop_uid"]),
        reason=row["reason"],
        receive_id=receive_id,
        kept=kept or None,
        newcomer=_newcomer_of(row, receive_id) if row["digest"] is not None else None,
        difference=difference_of(row["difference"]),
        opened_at=row["opened_at"],
        resolution=Resolution(row["resolution"]) if row["resolution"] else None,
        resolution_reason=row["resolution_reason"],
        resolved_by=row["resolved_by"],
        resolved_at=row["resolved_at"],
        discarded_at=row["discarded_at"],
        rescued=rescued or None,
        volume=VolumeId(row["volume"]) if row["volume"] else None,
    )


_PLAIN = (
    "key", "instances", "uncommitted", "planned_at", "stored_at", "verified_at", "abandoned_at", "reason",
    "length", "digest", "data_length", "received_from", "received_to", "block", "damaged_at", "damage",
)  # fmt: skip
"""Columns of `volume` that are called like the fields of a `Volume`, and are the same."""


def volume_of(row: Row) -> Volume:
    """A row of `volume` joined to its study."""
    return Volume(
        id=VolumeId(row["id"]),
        vault=VaultId(row["vault"]),
        study_uid=StudyUid(row["study_uid"]),
        node=NodeId(row["node"]),
        kind=VolumeKind(row["kind"]),
        state=VolumeState(row["state"]),
        supersedes=tuple(VolumeId(one) for one in row["supersedes"] or ()),
        superseded_by=VolumeId(row["superseded_by"]) if row["superseded_by"] else None,
        **{name: row[name] for name in _PLAIN},
    )


def content_of(row: Row) -> Content:
    """The columns digest, transfer_syntax, sop_class."""
    return Content(row["digest"], Uid(row["transfer_syntax"]), Uid(row["sop_class"]))


def _newcomer_of(row: Row, receive_id: ReceiveId) -> Newcomer:
    sender = Sender(row["calling"], row["called"], row["address"], row["association"])
    return Newcomer(receive_id, content_of(row), row["length"], sender, row["received_at"])

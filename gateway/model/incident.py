"""An incident: something that a person should know of and can resolve."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from gateway.model.identifiers import SopInstanceUid, StudyUid, VaultId, VolumeId
from gateway.model.instance import Content, ReceiveId, Sender


class IncidentKind(Enum):
    """What happened (design 3, Duplicates)."""

    QUARANTINE = "quarantine"
    """Same UID as a kept instance, other content; answered C0D1H, held apart."""
    CROSS_STUDY_UID = "cross_study_uid"
    """The same SOP Instance UID is kept in another study or vault; both were answered 0000H."""
    CROSS_STUDY_SERIES = "cross_study_series"
    """One Series Instance UID is in two studies of a vault; all was answered 0000H."""
    SECOND_PATIENT = "second_patient"
    """Instances of one study name two patients; all were answered 0000H."""
    DISPUTE = "dispute"
    """Two nodes answered 0000H for one UID with different content: commitment of it fails for everyone."""
    DAMAGED = "damaged"
    """Kept bytes no longer match their digest."""
    COMMITMENT_OF_TWIN = "commitment_of_twin"
    """A sender asked for commitment of a UID under which it sent other bytes, which are held apart."""


class IncidentState(Enum):
    """Whether anybody still has to look at it."""

    OPEN = "open"
    RESOLVED = "resolved"


class Resolution(Enum):
    """How an incident ended."""

    DISCARD = "discard"
    """The held-apart newcomer is given up, by a person. Only what never got 0000H may be discarded."""
    EQUIVALENT = "equivalent"
    """The newcomer says the same in another encoding; decided by the machine."""
    KEEP = "keep"
    """By a person: both are kept as they are; of a damaged instance, it is known as lost."""
    RESCUED = "rescued"
    """The damaged instance was received again; decided by the machine, which has read it back."""
    PREFER_KEPT = "prefer_kept"
    """Of a disputed UID: the earlier one is the instance; the other is kept apart. By a person."""
    PREFER_NEWCOMER = "prefer_newcomer"
    """Of a disputed UID: the newcomer is the instance; the other is kept apart. By a person."""


PERMITTED: dict[IncidentKind, frozenset[Resolution]] = {
    IncidentKind.QUARANTINE: frozenset({Resolution.DISCARD, Resolution.EQUIVALENT}),
    IncidentKind.CROSS_STUDY_UID: frozenset({Resolution.KEEP}),
    IncidentKind.CROSS_STUDY_SERIES: frozenset({Resolution.KEEP}),
    IncidentKind.SECOND_PATIENT: frozenset({Resolution.KEEP}),
    IncidentKind.DISPUTE: frozenset({Resolution.PREFER_KEPT, Resolution.PREFER_NEWCOMER}),
    IncidentKind.DAMAGED: frozenset({Resolution.RESCUED, Resolution.KEEP}),
    IncidentKind.COMMITMENT_OF_TWIN: frozenset({Resolution.KEEP}),
}
"""Which incident may end how."""
BY_MACHINE = frozenset({Resolution.EQUIVALENT, Resolution.RESCUED})
"""What no person may decide: it is found out."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One element in which two data sets differ; previews only, never whole values."""

    path: str
    kind: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Newcomer:
    """The instance that caused the incident."""

    receive_id: ReceiveId
    content: Content
    length: int
    sender: Sender
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident as the catalogue keeps it; it is never deleted."""

    id: int
    kind: IncidentKind
    state: IncidentState
    vault: VaultId
    study_uid: StudyUid
    sop_uid: SopInstanceUid
    reason: str
    receive_id: ReceiveId
    """Of the newcomer."""
    kept: ReceiveId | None
    """Of the instance that it met, where known."""
    newcomer: Newcomer | None
    """Whole for one in quarantine, also where its sender asked for commitment of it; others are described by
    their index block."""
    difference: tuple[Difference, ...] | None
    """None until somebody compared."""
    opened_at: datetime
    resolution: Resolution | None = None
    resolution_reason: str = ""
    resolved_by: str = ""
    resolved_at: datetime | None = None
    discarded_at: datetime | None = None
    """When the journal had done what was decided; None: it is still owed, or nothing was discarded."""
    rescued: ReceiveId | None = None
    """Where what was damaged is kept again."""
    volume: VolumeId | None = None
    """The quarantine volume in which the newcomer lies alone; None: in its node's journal."""

    @property
    def discard_owed(self) -> bool:
        """Whether it was decided to discard the newcomer, and its node's journal may still hold it."""
        return self.resolution is Resolution.DISCARD and self.discarded_at is None

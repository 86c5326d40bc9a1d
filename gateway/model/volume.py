"""A volume: immutable, instances of one study of one node; and the plan that it is made from."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from gateway.model.batch import Batch
from gateway.model.identifiers import NodeId, StudyUid, VaultId, VolumeId
from gateway.model.study import StudyAttributes


class VolumeKind(Enum):
    """What is in it."""

    KEPT = "kept"
    QUARANTINED = "quarantined"
    """Newcomers held apart: never in an index block of a study, never committed."""


class VolumeState(Enum):
    """How far it is (design 4)."""

    PLANNED = "planned"
    STORED = "stored"
    """In the store, and not yet read back: nothing rests on it."""
    VERIFIED = "verified"
    """Read back and compared with the closing records; the journal may forget its instances."""
    SEALED = "sealed"
    ABANDONED = "abandoned"
    """Given up, with a reason; its key is never used again."""


READABLE = frozenset((VolumeState.VERIFIED, VolumeState.SEALED))
"""States in which instances are read from the volume."""


@dataclass(frozen=True, slots=True, order=True)
class BatchKey:
    """An open batch of the plan's study and node."""

    epoch: int
    first_position: int


@dataclass(frozen=True, slots=True)
class VolumePlan:
    """What is to become a volume: whole open batches of one study and node, or quarantined newcomers.

    The TAR file is a pure function of this, so it never changes once it is committed.
    """

    id: VolumeId
    key: str
    """Where the store keeps it; unique for ever."""
    vault: VaultId
    study_uid: StudyUid
    node: NodeId
    planned_at: datetime
    batches: tuple[BatchKey, ...] = ()
    excluded: tuple[tuple[int, int], ...] = ()
    """(epoch, position) of instances of the batches that cannot be assembled; they stay open."""
    kind: VolumeKind = VolumeKind.KEPT
    incidents: tuple[int, ...] = ()
    """Of a quarantine volume: the incidents whose newcomers it takes."""
    supersedes: tuple[VolumeId, ...] = ()

    def __post_init__(self) -> None:
        kept = self.kind is VolumeKind.KEPT
        if kept == bool(self.incidents) or kept != bool(self.batches) or (self.excluded and not kept):
            raise ValueError("a volume has open batches, or incidents if it is a quarantine volume")


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """An open batch that a live plan takes, with its index block."""

    epoch: int
    first_position: int
    last_position: int
    instances: int
    length: int
    block: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PlannedVolume:
    """A live plan with all that assembly needs; the same after every crash."""

    plan: VolumePlan
    state: VolumeState
    instances: int
    """Without the excluded ones."""
    batches: tuple[PlannedBatch, ...] = ()
    newcomers: tuple[tuple[int, int], ...] = ()
    """(epoch, position) of the quarantined instances."""
    length: int | None = None
    """Of the TAR file, once it is stored."""
    digest: bytes | None = field(default=None, repr=False)
    """The volume's digest (docs/design/volume-format.md), once it is stored."""


@dataclass(frozen=True, slots=True)
class Remainder:
    """Excluded instances of one epoch, as the batch that stays open."""

    epoch: int
    batch: Batch


@dataclass(frozen=True, slots=True)
class OpenBatch:
    """An open batch that is in no plan, for the planner; without its index block."""

    vault: VaultId
    study_uid: StudyUid
    epoch: int
    first_position: int
    last_position: int
    instances: int
    length: int
    landed_at: datetime
    received_from: datetime
    received_to: datetime


@dataclass(frozen=True, slots=True)
class LooseNewcomer:
    """A quarantined instance that is in the journal of its node only, and in no plan."""

    vault: VaultId
    study_uid: StudyUid
    incident: int
    epoch: int
    position: int
    length: int
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume as the catalogue keeps it; its row is never deleted."""

    id: VolumeId
    key: str
    vault: VaultId
    study_uid: StudyUid
    node: NodeId
    kind: VolumeKind
    state: VolumeState
    instances: int
    uncommitted: int
    """Instances in it of which no commitment was confirmed yet."""
    planned_at: datetime
    stored_at: datetime | None = None
    verified_at: datetime | None = None
    abandoned_at: datetime | None = None
    reason: str = ""
    """Why it was abandoned."""
    length: int | None = None
    """Of the TAR file."""
    digest: bytes | None = field(default=None, repr=False)
    """See `Volume.digest`."""
    data_length: int | None = None
    """All data sets together, bytes."""
    received_from: datetime | None = None
    received_to: datetime | None = None
    block: bytes | None = field(default=None, repr=False)
    """Index block, where it was asked for; its order is that of a custody bitmap."""
    damaged_at: datetime | None = None
    damage: str = ""
    supersedes: tuple[VolumeId, ...] = ()
    superseded_by: VolumeId | None = None


@dataclass(frozen=True, slots=True)
class Uncommitted:
    """What lies in verified volumes for too long without having been committed."""

    volumes: int
    """That hold any of it."""
    instances: int
    since: datetime | None
    """When the oldest of these volumes was verified."""


@dataclass(frozen=True, slots=True)
class RebuiltVolume:
    """A volume as it says itself what it is, checked whole: for a catalogue that was lost."""

    id: VolumeId
    key: str
    vault: VaultId
    study_uid: StudyUid
    node: NodeId
    kind: VolumeKind
    planned_at: datetime
    supersedes: tuple[VolumeId, ...]
    digest: bytes = field(repr=False)
    length: int
    instances: int
    data_length: int
    received_from: datetime
    received_to: datetime
    block: bytes = field(repr=False)
    locator_hashes: tuple[int, ...] = field(repr=False)
    attributes: StudyAttributes = field(repr=False)
    """Of the instance in it that was received first."""

"""A batch: what a node tells the catalogue of one study, and the flush that carries many of them."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from gateway.model.identifiers import NodeId, SeriesUid, SopInstanceUid, StudyUid, VaultId
from gateway.model.incident import Difference, Newcomer
from gateway.model.instance import Content, ReceiveId
from gateway.model.study import StudyAttributes


@dataclass(frozen=True, slots=True)
class NamedPatient:
    """Whom a batch's instances name: the first that names this patient."""

    position: int
    sop_uid: SopInstanceUid
    attributes: StudyAttributes = field(repr=False)


@dataclass(frozen=True, slots=True)
class BatchSeries:
    """A series that a batch has instances of: the first of them."""

    position: int
    sop_uid: SopInstanceUid
    series_uid: SeriesUid
    hash: UUID = field(repr=False)
    """Keyed 128-bit hash of vault and Series Instance UID."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Kept instances of one study, of one node and epoch."""

    vault: VaultId
    study_uid: StudyUid
    first_position: int
    last_position: int
    instances: int
    length: int
    """All data sets together, bytes."""
    block: bytes = field(repr=False)
    """Index block, written and read by Rust; opaque here."""
    locator_hashes: tuple[int, ...] = field(repr=False)
    """One keyed 64-bit hash of each SOP Instance UID, signed or not, in any order.

    Equal UIDs must have equal hashes in every vault, or arbitration cannot see past vaults.
    """
    attributes: StudyAttributes = field(repr=False)
    received_from: datetime
    received_to: datetime
    patients: tuple[NamedPatient, ...] = ()
    """Every patient that is named, once."""
    series: tuple[BatchSeries, ...] = ()
    """Every series, once."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An instance held apart: it was answered C0D1H and is not in any batch."""

    vault: VaultId
    study_uid: StudyUid
    sop_uid: SopInstanceUid
    newcomer: Newcomer
    reason: str
    conflicts_with: ReceiveId | None = None
    difference: tuple[Difference, ...] | None = None


@dataclass(frozen=True, slots=True)
class Flush:
    """Everything of one node and epoch after position `after` up to and including `through`.

    The catalogue takes flushes in order, without a gap: `after` must be what it has, so that a lost
    flush is found at once instead of never.
    """

    node: NodeId
    epoch: int
    after: int
    through: int
    batches: tuple[Batch, ...] = ()
    quarantined: tuple[Quarantined, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.after <= self.through:
            raise ValueError(f"a flush runs forward, not from {self.after} to {self.through}")


@dataclass(frozen=True, slots=True)
class KnownBlock:
    """Kept instances of a study that are in some node's journal only."""

    node: NodeId
    epoch: int
    block: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KnownContent:
    """One content of a SOP Instance UID beside the kept one."""

    sop_uid: SopInstanceUid
    content: Content


@dataclass(frozen=True, slots=True)
class Known:
    """All that the catalogue knows of a study when it opens on a node."""

    blocks: tuple[KnownBlock, ...] = ()
    equivalents: tuple[KnownContent, ...] = ()
    """Other encodings of kept instances: a resend gets 0000H and nothing is kept."""
    quarantined: tuple[KnownContent, ...] = ()
    """Contents already held apart, incident open: a resend is refused and need not be held twice."""
    disputed: tuple[SopInstanceUid, ...] = ()
    preferred: tuple[ReceiveId, ...] = ()
    """Of UIDs that were disputed: where the content lies that a person chose."""
    damaged: tuple[ReceiveId, ...] = ()
    """What was found damaged or gone, whatever became of the incident: nothing rests on it."""
    volumes: tuple[bytes, ...] = field(default=(), repr=False)
    """Index blocks of its verified volumes that were not found damaged."""

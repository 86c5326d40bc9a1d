"""Storage commitment: what was asked (PS3.4 J), where each instance stands, and what was answered."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from gateway.model.batch import KnownBlock
from gateway.model.identifiers import AeTitle, NodeId, SopInstanceUid, StudyUid, Uid, VaultId, VolumeId
from gateway.model.instance import ReceiveId


class FailureReason(Enum):
    """Failure Reason (0008,1197), PS3.4 J.3.3.1.1 and PS3.3 C.14.1.1."""

    PROCESSING_FAILURE = 0x0110
    NO_SUCH_INSTANCE = 0x0112
    CLASS_INSTANCE_CONFLICT = 0x0119
    CLASS_NOT_SUPPORTED = 0x0122
    DUPLICATE_TRANSACTION_UID = 0x0131
    RESOURCE_LIMITATION = 0x0213


@dataclass(frozen=True, slots=True, order=True)
class CommitmentItem:
    """One instance of a request."""

    sop_class: Uid
    sop_uid: SopInstanceUid


@dataclass(frozen=True, slots=True)
class CommitmentRequest:
    """An N-ACTION that was understood. Each item stands in it once."""

    transaction_uid: Uid
    calling: AeTitle
    called: AeTitle
    vaults: tuple[VaultId, ...]
    """What the caller was granted when it asked; nothing else is looked at."""
    items: tuple[CommitmentItem, ...] = field(repr=False)
    node: NodeId
    """Where it was asked, and on which association."""
    epoch: int
    association: int
    deadline_at: datetime
    """Until then what is not there or not verified is waited for."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of the sorted list: the same list in another order is the same request."""
        lines = (f"{item.sop_class} {item.sop_uid}\n" for item in sorted(self.items))
        return hashlib.sha256("".join(lines).encode()).digest()


class Asked(Enum):
    """What a request is to what was asked before under its transaction UID by that caller."""

    NEW = "new"
    AGAIN = "again"
    """The same list: answered with the same result, again."""
    OTHER_LIST = "other_list"
    """Another list: its report says 0131H of every item."""


@dataclass(frozen=True, slots=True)
class Commitment:
    """One request as the catalogue keeps it."""

    id: int
    transaction_uid: Uid
    calling: AeTitle
    called: AeTitle
    vaults: tuple[VaultId, ...]
    items: tuple[CommitmentItem, ...] = field(repr=False)
    """Empty once its report was delivered: the digest of the list is kept, the list is not."""
    items_count: int
    node: NodeId
    epoch: int
    association: int
    asked_at: datetime
    deadline_at: datetime
    resolved_at: datetime | None = None
    failures: Mapping[CommitmentItem, FailureReason] = field(default_factory=dict, repr=False)
    """Every item that is not here was committed, once it is resolved."""


@dataclass(frozen=True, slots=True)
class Member:
    """An instance of a volume: its place in the index block, and its receive id."""

    ordinal: int
    receive_id: ReceiveId
    sop_uid: SopInstanceUid


@dataclass(frozen=True, slots=True)
class Secured:
    """What a request names of one verified volume."""

    volume: VolumeId
    members: tuple[Member, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Custody:
    """Since when the archive answers for instances of a volume."""

    volume: VolumeId
    commitment: int | None
    """None after a rebuild: facts tell what was decided, not by which row."""
    since: datetime
    ordinals: tuple[int, ...] | None
    """Places in the volume's index block; None: all."""


@dataclass(frozen=True, slots=True)
class KnownVolume:
    """A verified volume of a study, with its index block."""

    id: VolumeId
    node: NodeId
    damaged: bool
    block: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class QuarantinedTwin:
    """A newcomer that is held apart, its incident open."""

    incident: int
    sop_uid: SopInstanceUid
    calling: str


@dataclass(frozen=True, slots=True)
class Standing:
    """All that decides on the instances of one study that a request names."""

    vault: VaultId
    study_uid: StudyUid
    volumes: tuple[KnownVolume, ...]
    open_blocks: tuple[KnownBlock, ...]
    """Kept and not yet in a verified volume."""
    disputed: frozenset[SopInstanceUid]
    quarantined: tuple[QuarantinedTwin, ...]
    damaged: frozenset[ReceiveId]
    """Found damaged or gone: these never count as kept."""
    preferred: Mapping[SopInstanceUid, ReceiveId]
    """Of UIDs that were disputed: the instance that a person chose."""

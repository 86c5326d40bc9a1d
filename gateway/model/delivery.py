"""A delivery: a report that is owed to another system until it has taken it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from gateway.model.commitment import CommitmentItem, FailureReason
from gateway.model.identifiers import AeTitle, NodeId, Uid


class DeliveryKind(Enum):
    """What is reported."""

    RESULT = "result"
    """Of a storage commitment request."""
    DUPLICATE = "duplicate"
    """Another list under a used transaction UID: every item fails."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One report, leased to whoever was given it until `leased_until`."""

    id: int
    lease: int
    """Counts the leases: who lost its lease can no longer end the delivery."""
    leased_until: datetime
    kind: DeliveryKind
    destination: AeTitle
    """The caller that asked."""
    called: AeTitle
    """Our title, as it was called."""
    transaction_uid: Uid
    items: tuple[CommitmentItem, ...] = field(repr=False)
    failures: Mapping[CommitmentItem, FailureReason] = field(repr=False)
    node: NodeId
    """Where it was asked, and on which association, which may still be open."""
    epoch: int
    association: int
    created_at: datetime
    attempts: int
    """Before this one."""


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """One report, for operators."""

    id: int
    kind: DeliveryKind
    destination: AeTitle
    transaction_uid: Uid
    created_at: datetime
    attempts: int
    next_attempt_at: datetime
    last_error: str
    delivered_at: datetime | None
    given_up_at: datetime | None
    waits_for_fact: bool

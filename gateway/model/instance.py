"""An instance: where it was received, and what it is beside its identity."""

from dataclasses import dataclass

from gateway.model.identifiers import NodeId, Uid

CONTENT_DIGEST_LENGTH = 32


@dataclass(frozen=True, slots=True, order=True)
class ReceiveId:
    """Where an instance was received: unique for ever, increasing within an epoch in durable order."""

    node: NodeId
    epoch: int
    position: int
    """Counts the closing records of the epoch, from 1."""


@dataclass(frozen=True, slots=True)
class Content:
    """What an instance is: equal content means that there is nothing new to keep."""

    digest: bytes
    """BLAKE3 of the data set exactly as received, 32 bytes."""
    transfer_syntax: Uid
    sop_class: Uid

    def __post_init__(self) -> None:
        if len(self.digest) != CONTENT_DIGEST_LENGTH:
            raise ValueError(f"a content digest has {CONTENT_DIGEST_LENGTH} bytes, not {len(self.digest)}")


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent an instance, for the record."""

    calling: str
    called: str
    address: str
    """Peer address, `host:port`."""
    association: int
    """Number of the association on this node and epoch."""

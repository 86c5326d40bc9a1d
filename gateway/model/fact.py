"""A fact: something that was decided, as the object store keeps it (docs/design/facts.md)."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from uuid import UUID

from gateway.model.identifiers import FactId, NodeId, VaultId, VolumeId
from gateway.model.instance import ReceiveId


class FactKind(Enum):
    """What was decided."""

    VAULT = "vault"
    CUSTODY = "custody"


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact that the store may not have yet. Its payload is JSON text, and never changes."""

    id: FactId
    vault: VaultId
    kind: FactKind
    decided_at: datetime
    payload: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class VaultFact:
    """A vault was made."""

    vault: VaultId
    name: str


@dataclass(frozen=True, slots=True)
class Run:
    """Instances that one node received one after the other."""

    node: NodeId
    epoch: int
    first: int
    last: int

    def holds(self, one: ReceiveId) -> bool:
        """Whether that instance is among them."""
        same = (one.node, one.epoch) == (self.node, self.epoch)
        return same and self.first <= one.position <= self.last


@dataclass(frozen=True, slots=True)
class VolumeCustody:
    """What of a volume came into custody."""

    volume: VolumeId
    members: tuple[Run, ...] | None
    """None: all of it."""


@dataclass(frozen=True, slots=True)
class CustodyFact:
    """Storage commitment was confirmed."""

    vault: VaultId
    since: datetime
    calling: str
    transaction_uid: str
    volumes: tuple[VolumeCustody, ...]


def parse_fact(payload: bytes) -> VaultFact | CustodyFact:
    """What a payload says. ValueError if it says nothing that is known here."""
    try:
        told = json.loads(payload)
        kind, vault = FactKind(told["kind"]), VaultId(UUID(told["vault"]))
        if kind is FactKind.VAULT:
            return VaultFact(vault, _text(told["name"]))
        since = datetime.fromisoformat(told["since"])
        if since.tzinfo is None:
            raise ValueError("a time without a zone")
        volumes = tuple(_volume(one) for one in told["volumes"])
        return CustodyFact(vault, since, _text(told["calling"]), _text(told["transaction_uid"]), volumes)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a fact: {type(error).__name__} {error}") from None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text is missing")
    return value


def _volume(told: dict[str, object]) -> VolumeCustody:
    members = told["members"]
    if members is None:
        return VolumeCustody(VolumeId(_text(told["volume"])), None)
    if not isinstance(members, list):
        raise TypeError("members are a list, or nothing")
    runs = [run for one in members for run in _runs(one)]
    return VolumeCustody(VolumeId(_text(told["volume"])), tuple(runs))


def _runs(told: dict[str, object]) -> list[Run]:
    node, epoch, positions = NodeId(UUID(_text(told["node"]))), told["epoch"], told["positions"]
    if not isinstance(epoch, int) or not isinstance(positions, list):
        raise TypeError("members are an epoch and runs of positions")
    runs: list[Run] = []
    for one in positions:
        if not (isinstance(one, list) and len(one) == 2 and all(isinstance(p, int) for p in one)):
            raise ValueError("a run is two positions")
        runs.append(Run(node, epoch, *one))
    return runs

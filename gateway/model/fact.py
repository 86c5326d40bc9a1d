"""A fact: something that was decided, as the object store keeps it beside the volumes."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from gateway.model.identifiers import FactId, VaultId


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

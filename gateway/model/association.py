"""An application entity and its grant: which caller may reach which vault, in which role, and when."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from gateway.model.identifiers import AeTitle, Uid, VaultId


class Role(Enum):
    """On whose behalf a caller acts (design 5)."""

    OWN = "own"
    PROCESSOR = "processor"


@dataclass(frozen=True, slots=True)
class ApplicationEntity:
    """A known caller, with what it may deviate in from the profile."""

    title: AeTitle
    description: str = ""
    transfer_syntax_preference: tuple[Uid, ...] = ()
    """Transfer syntaxes taken before the requestor's own order; empty: the requestor's order decides."""
    idle_seconds: float | None = None
    """Idle time of its associations; None: as in the settings."""
    rule_preset: str | None = None
    """Preset of content rules, such as `migration`; None: the profile's."""
    rule_overrides: tuple[tuple[str, str], ...] = ()
    """(rule, severity) pairs over the preset, sorted by rule."""
    certificate_fingerprint: bytes | None = field(default=None, repr=False)
    """SHA-256 of its client certificate; has no effect before TLS."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Calling AE title x called AE title -> vault.

    Valid from `valid_from` (inclusive) until before `valid_until`.
    """

    caller: ApplicationEntity
    called: AeTitle
    vault: VaultId
    role: Role
    valid_from: datetime
    valid_until: datetime | None = None

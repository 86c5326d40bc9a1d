"""An application entity and its grant: which caller may reach which vault, in which role, and when."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import Enum

from gateway.model.identifiers import AeTitle, Uid, VaultId


class Role(Enum):
    """On whose behalf a caller acts (design 5)."""

    OWN = "own"
    PROCESSOR = "processor"


class ReportMode(Enum):
    """On which association a caller takes the report of a storage commitment (PS3.4 J.3.3)."""

    SAME = "same"
    """The one on which it asked, while it is open."""
    NEW = "new"
    """One that we open to it."""
    SAME_THEN_NEW = "same_then_new"


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
    report_host: str | None = None
    """Where it takes reports; None: only on an association of its own."""
    report_port: int | None = None
    """None: 104 (PS3.8 9.1.1)."""
    report_mode: ReportMode | None = None
    """None: the same association, then a new one where the host is known."""
    parking_seconds: float | None = None
    """How long its commitment requests wait for what is not verified; None: as in the settings."""


_SINGLE = (
    "description", "transfer_syntax_preference", "idle_seconds", "rule_preset",
    "report_host", "report_port", "report_mode", "parking_seconds",
)  # fmt: skip
"""Fields that are replaced whole."""
RESETTABLE = frozenset((*_SINGLE, "rule_overrides"))
"""Fields of an application entity that can go back to their defaults."""


@dataclass(frozen=True, slots=True)
class EntityChange:
    """What is to change of a caller's record. What is None stays as it is recorded."""

    title: AeTitle
    description: str | None = None
    transfer_syntax_preference: tuple[Uid, ...] | None = None
    idle_seconds: float | None = None
    rule_preset: str | None = None
    rule_overrides: Mapping[str, str] = field(default_factory=dict)
    """Rule -> severity; rules that are not named stay as they are recorded."""
    report_host: str | None = None
    report_port: int | None = None
    report_mode: ReportMode | None = None
    parking_seconds: float | None = None
    reset: frozenset[str] = frozenset()
    """Fields that go back to their defaults before the others are applied; see `RESETTABLE`."""

    def applied_to(self, recorded: ApplicationEntity) -> ApplicationEntity:
        """The record as it is to be."""
        plain = ApplicationEntity(recorded.title)
        base = replace(recorded, **{name: getattr(plain, name) for name in self.reset & RESETTABLE})
        given = {name: getattr(self, name) for name in _SINGLE if getattr(self, name) is not None}
        rules = tuple(sorted({**dict(base.rule_overrides), **self.rule_overrides}.items()))
        return replace(base, **given, rule_overrides=rules)


@dataclass(frozen=True, slots=True)
class Grant:
    """Calling AE title x called AE title -> vault; a pair has one at a time.

    Valid from `valid_from` (inclusive) until before `valid_until`.
    """

    caller: ApplicationEntity
    called: AeTitle
    vault: VaultId
    role: Role
    valid_from: datetime
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class GrantWanted:
    """A grant as asked for. What is None stays as it is recorded, or begins with its default."""

    caller: EntityChange
    called: AeTitle
    valid_from: datetime
    valid_until: datetime | None = None
    vault: str | None = None
    """By name or id; made if there is none of that name. None: the vault that the pair has."""
    default_vault: VaultId | None = None
    """For a pair that has none."""
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One recorded value that became another."""

    name: str
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class Granted:
    """A grant as it is now, and what was changed to make it so; nothing: all was recorded already."""

    grant: Grant
    vault_name: str
    new: bool
    """The pair had no grant; it has now."""
    vault_made: bool
    changes: tuple[Change, ...]
    """Of what was recorded before; empty for a new caller."""


def differences(before: ApplicationEntity, after: ApplicationEntity) -> tuple[Change, ...]:
    """What is not the same in two records of one caller."""
    pairs = ((one.name, getattr(before, one.name), getattr(after, one.name)) for one in fields(before))
    return tuple(Change(name, old, new) for name, old, new in pairs if old != new)

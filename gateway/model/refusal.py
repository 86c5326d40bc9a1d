"""Refusal: why an instance was not taken, and how grave each content rule is."""

from dataclasses import dataclass
from enum import Enum

ERROR_COMMENT_LENGTH_MAX = 64
"""Error Comment (0000,0902), characters (VR LO)."""


class Severity(Enum):
    """What follows when a content rule is broken."""

    REFUSE = "refuse"
    """The instance is refused."""
    FLAG = "flag"
    """It is kept, and the rule's bit stands in its flags."""


class Preset(Enum):
    """Severities to begin with; the core holds the table."""

    STRICT = "strict"
    """The normal default."""
    MIGRATION = "migration"
    """For old archives: what can be read is kept, and flagged."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One instance, refused. The comment names the rule and the attribute, never a value."""

    code: str
    """Stable name of the rule, such as `data-set-truncated`."""
    status: int
    """DIMSE status (PS3.4 B.2.3, PS3.7 C)."""
    comment: str
    """Error Comment (0000,0902)."""
    offending: int | None = None
    """Offending Element (0000,0901), `(group << 16) | element`, if one can be named."""

    def __post_init__(self) -> None:
        if len(self.comment) > ERROR_COMMENT_LENGTH_MAX:
            raise ValueError(f"a comment of {len(self.comment)} characters; {ERROR_COMMENT_LENGTH_MAX} fit")

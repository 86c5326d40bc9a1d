"""Refusal: an entry of the catalogue of refusals; and how grave each content rule is."""

from dataclasses import dataclass
from enum import Enum


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


class Turn(Enum):
    """Whose turn it is."""

    SENDER = "sender"
    """What was sent must change before it can be taken."""
    OPERATOR = "operator"
    """Somebody who runs this archive must do something."""
    NOBODY = "nobody"
    """It passes by itself: the same may be sent again later."""


class Family(Enum):
    """Where in a peer's conversation a refusal belongs."""

    DATA_SET = "data-set"
    CONTENT = "content"
    STORAGE = "storage"
    COMMAND = "command"
    SERVICE = "service"
    REJECTION = "rejection"
    PROTOCOL = "protocol"
    ENDING = "ending"


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """A status in a DIMSE response (0000,0900)."""

    status: int


@dataclass(frozen=True, slots=True)
class RejectAnswer:
    """An A-ASSOCIATE-RJ (PS3.8 table 9-21)."""

    result: int
    """1 permanent, 2 transient."""
    source: int
    """1 service-user, 2 service-provider (ACSE), 3 service-provider (presentation)."""
    reason: int


@dataclass(frozen=True, slots=True)
class AbortAnswer:
    """An A-ABORT (PS3.8 table 9-26)."""

    source: int
    """0 service-user, 2 service-provider."""
    reason: int


class OtherAnswer(Enum):
    """What the peer gets where it gets no message."""

    CLOSE = "close"
    """The connection is closed without a word."""
    COUNTED = "counted"
    """A sub-operation is counted as failed."""


Answer = StatusAnswer | RejectAnswer | AbortAnswer | OtherAnswer


@dataclass(frozen=True, slots=True)
class Refusal:
    """An entry of the catalogue: one way in which something is refused. No text says a peer's value."""

    code: str
    """Stable name, such as `data-set-truncated`; never given to another reason."""
    family: Family
    turn: Turn
    value_class: str
    """What is wrong with the value: `missing`, `malformed`, ...; `none` if no value is at fault."""
    answer: Answer
    attribute: int | None
    """`(group << 16) | element` where it is always the same; else each occurrence names it."""
    text: str
    """What is wrong, in the words of an Error Comment."""
    rule: str
    """What the rule says, one sentence."""
    standard: str
    """Where the standard says so; empty if the rule is ours alone."""
    mend: str
    """How to mend it."""
    example: str
    """How to provoke it."""

    @property
    def status(self) -> int:
        """The DIMSE status; ValueError for what is answered by none."""
        if isinstance(self.answer, StatusAnswer):
            return self.answer.status
        raise ValueError(f"{self.code} is answered by no status")

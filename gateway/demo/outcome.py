"""An outcome: what one act of the demo showed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """One act. `findings` are mismatches between what was promised and what happened; none is success."""

    title: str
    instances: int = 0
    length: int = 0
    """Bytes of data sets."""
    seconds: float = 0.0
    findings: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    """What happened, one sentence each."""

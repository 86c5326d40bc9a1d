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
    """How long the act took, all of it."""
    transfer_seconds: float = 0.0
    """How long the transfers alone took, the foreign peer's own time included; 0 where that says nothing."""
    findings: tuple[str, ...] = ()
    skipped: str = ""
    """Why it was not tried."""

    @property
    def verdict(self) -> str:
        """For people."""
        if self.skipped:
            return f"skipped: {self.skipped}"
        return "mismatch" if self.findings else "as promised"

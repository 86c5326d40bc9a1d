"""Timers: how long an association may take for what."""

from dataclasses import dataclass

from gateway import _core


@dataclass(frozen=True, slots=True)
class Timers:
    """How long an association may take for what; all in seconds."""

    artim_seconds: float = 30.0
    """From transport connection to A-ASSOCIATE, and for the peer to close (PS3.8 9.1.4)."""
    idle_seconds: float = 600.0
    progress_bytes_per_second: int = 1 << 10
    progress_window_seconds: float = 60.0
    message_seconds: float = 600.0
    """For one whole message, beside what its bytes are given."""
    message_bytes_per_second: int = 32 << 10
    """A message has another second for each so many bytes that came: 8 GiB has three days, if need be."""
    send_seconds: float = 60.0
    """For the peer to take what waits to be written: one with a zero window is aborted."""

    def sweep_seconds(self) -> float:
        """How often the timers are to be looked at."""
        least = min(self.artim_seconds, self.idle_seconds, self.progress_window_seconds, self.send_seconds)
        return max(0.02, min(1.0, least / 5))


class MessageDeadline:
    """When a message must be here whole: what it takes of the journal meanwhile nobody else has."""

    def __init__(self, timers: Timers, now: float) -> None:
        self._timers, self._swept_at = timers, now
        self._message, self._since = 0, now

    def passed(self, now: float, progress: _core.Progress) -> bool:
        """To be asked at every sweep. The clock stands still while it is we who do not read."""
        since_sweep, self._swept_at = now - self._swept_at, now
        if not progress.in_message or progress.message != self._message:
            self._message, self._since = progress.message, now
        elif progress.paused:
            self._since += since_sweep
        earned = progress.message_received / self._timers.message_bytes_per_second
        return now - self._since > self._timers.message_seconds + earned

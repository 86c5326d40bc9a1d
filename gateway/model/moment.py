"""A moment: microseconds since 1970, as the core counts, and aware UTC, as everybody else does; exactly."""

from datetime import UTC, datetime, timedelta

_BEGAN = datetime(1970, 1, 1, tzinfo=UTC)


def instant(microseconds: int) -> datetime:
    """Microseconds since 1970 as aware UTC."""
    return _BEGAN + timedelta(microseconds=microseconds)


def microseconds(at: datetime) -> int:
    """An aware time as microseconds since 1970."""
    return (at - _BEGAN) // timedelta(microseconds=1)

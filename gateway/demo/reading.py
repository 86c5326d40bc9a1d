"""Reading: the JSON that the gateway's commands print, held to what the demo expects of it."""

from collections.abc import Mapping
from datetime import datetime

from gateway.demo.running import GatewayFailed


def mapping(said: object) -> Mapping[str, object]:
    """An object. Raises `GatewayFailed`, as do the others."""
    if isinstance(said, dict):
        return said
    raise GatewayFailed(f"a command's JSON is no object: {str(said)[:80]}")


def listed(said: object) -> list[object]:
    """A list."""
    if isinstance(said, list):
        return said
    raise GatewayFailed(f"a command's JSON is no list: {str(said)[:80]}")


def whole(said: Mapping[str, object], name: str) -> int:
    """A whole number under a name."""
    value = said.get(name)
    if isinstance(value, int):
        return value
    raise GatewayFailed(f"a command's JSON lacks the number {name!r}")


def moment(said: Mapping[str, object], name: str) -> datetime | None:
    """A time under a name, None where there is none yet."""
    value = said.get(name)
    if value is None:
        return None
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        raise GatewayFailed(f"a command's JSON has no time as {name!r}: {str(value)[:40]}") from None

"""The layout: which key an object has. Pure; keys are built from our own identifiers, never from a UID."""

import re

from gateway.errors import ObjectKeyError
from gateway.model.identifiers import VaultId

VOLUMES, QUARANTINE, FACTS = "volumes/", "quarantine/", "facts/"

_ULID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")  # Crockford's base 32, 128 bits


def volume_key(vault: VaultId, volume: str, *, quarantined: bool = False) -> str:
    """Where a volume is kept. `volume` is a ULID, used once for ever; `ObjectKeyError` otherwise."""
    return f"{QUARANTINE if quarantined else VOLUMES}{vault}/{_ulid(volume)}.tar"


def fact_key(vault: VaultId, fact: str) -> str:
    """Where a fact's payload is kept. `fact` is a ULID; `ObjectKeyError` otherwise."""
    return f"{FACTS}{vault}/{_ulid(fact)}.json"


def _ulid(text: str) -> str:
    if not _ULID.fullmatch(text):
        raise ObjectKeyError(f"not a ULID: {text[:40]!r}")
    return text

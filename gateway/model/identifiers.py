"""Identifiers: what names a vault, a node, a study, an instance; and how text becomes one."""

import re
from datetime import UTC, datetime, timedelta
from typing import NewType
from uuid import UUID

VaultId = NewType("VaultId", UUID)
"""The opaque, immutable key under which an organisation's material is kept."""

NodeId = NewType("NodeId", UUID)
"""A node of the archive, fixed for the life of its data folder."""

VolumeId = NewType("VolumeId", str)
"""A ULID, 26 characters: unique for ever, and sorted by the time of planning."""

FactId = NewType("FactId", str)
"""A ULID, 26 characters."""

Uid = NewType("Uid", str)
"""A UID already validated by PS3.5 9.1 (characters and length)."""

StudyUid = NewType("StudyUid", str)
"""Study Instance UID (0020,000D), validated."""

SeriesUid = NewType("SeriesUid", str)
"""Series Instance UID (0020,000E), validated."""

SopInstanceUid = NewType("SopInstanceUid", str)
"""SOP Instance UID (0008,0018), validated."""

AeTitle = NewType("AeTitle", str)
"""An application entity title without its padding (PS3.8 9.3.2), 1 to 16 characters."""

_ULID_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32
_UID = re.compile(r"(?=.{1,64}\Z)[0-9]+(?:\.[0-9]+)*")
_LEADING_ZERO = re.compile(r"(?:\A|\.)0[0-9]")
_AE_TITLE = re.compile(r"(?! )[ -\[\]-~]{1,16}(?<! )")  # PS3.5 6.2: no backslash, no control characters


def ulid(milliseconds: int, entropy: bytes) -> str:
    """26 characters of a time since 1970 (48 bits) and 80 random bits: unique for ever, sorted by time."""
    if len(entropy) != 10 or not 0 <= milliseconds < 1 << 48:
        raise ValueError("a ULID is made of 48 bits of milliseconds and 10 random bytes")
    number = milliseconds << 80 | int.from_bytes(entropy)
    return "".join(_ULID_DIGITS[number >> shift & 31] for shift in range(125, -1, -5))


def ulid_time(text: str) -> datetime:
    """When a ULID was made, to the millisecond. ValueError if it is none."""
    number = 0
    for character in text:
        number = number << 5 | _ULID_DIGITS.index(character)
    if len(text) != 26 or number >> 128:
        raise ValueError(f"not a ULID: {text[:40]!r}")
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number >> 80)


def parse_uid(text: str) -> Uid:
    """A UID of our own making or from a profile: PS3.5 9.1 in full, without leading zeros.

    ValueError otherwise. (UIDs inside instances are judged by the core, where a leading zero may be
    forgiven: old archives are full of them.)
    """
    if not _UID.fullmatch(text) or _LEADING_ZERO.search(text):
        raise ValueError(f"not a UID: {text[:70]!r} (PS3.5 9.1)")
    return Uid(text)


def parse_received_uid(text: str) -> Uid:
    """A UID as instances may have it, a leading zero forgiven; ValueError otherwise."""
    if not _UID.fullmatch(text):
        raise ValueError(f"not a UID: {text[:70]!r} (PS3.5 9.1)")
    return Uid(text)


def parse_ae_title(text: str) -> AeTitle:
    """An AE title without padding; ValueError otherwise."""
    if not _AE_TITLE.fullmatch(text):
        raise ValueError(
            f"not an AE title: {text[:20]!r}; 1 to 16 characters, no backslash, not padded (PS3.5 6.2)"
        )
    return AeTitle(text)

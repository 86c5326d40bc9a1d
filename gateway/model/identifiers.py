"""Identifiers: what names a vault, a node, a study, an instance; and how text becomes one."""

import re
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

_UID = re.compile(r"(?=.{1,64}\Z)[0-9]+(?:\.[0-9]+)*")
_LEADING_ZERO = re.compile(r"(?:\A|\.)0[0-9]")
_AE_TITLE = re.compile(r"(?! )[ -\[\]-~]{1,16}(?<! )")  # PS3.5 6.2: no backslash, no control characters


def parse_uid(text: str) -> Uid:
    """A UID of our own making or from a profile: PS3.5 9.1 in full, without leading zeros.

    ValueError otherwise. (UIDs inside instances are judged by the core, where a leading zero may be
    forgiven: old archives are full of them.)
    """
    if not _UID.fullmatch(text) or _LEADING_ZERO.search(text):
        raise ValueError(f"not a UID: {text[:70]!r} (PS3.5 9.1)")
    return Uid(text)


def parse_ae_title(text: str) -> AeTitle:
    """An AE title without padding; ValueError otherwise."""
    if not _AE_TITLE.fullmatch(text):
        raise ValueError(
            f"not an AE title: {text[:20]!r}; 1 to 16 characters, no backslash, not padded (PS3.5 6.2)"
        )
    return AeTitle(text)

"""Arbitration: which UIDs two index blocks have in common, for the catalogue that cannot read them."""

from gateway import _core
from gateway.catalogue import Match
from gateway.model.identifiers import SopInstanceUid


def matches(block: bytes, other: bytes) -> list[Match]:
    """Every SOP Instance UID that is in both. Blocking."""
    there = {known.sop_instance: known for known in _core.decode_block(other)}
    found: list[Match] = []
    for known in _core.decode_block(block):
        if (twin := there.get(known.sop_instance)) is not None:
            same = _content(known) == _content(twin)
            uid, places = SopInstanceUid(known.sop_instance), (known.position, twin.position)
            found.append(Match(uid, same, *places, epoch=known.epoch, other_epoch=twin.epoch))
    return found


def _content(known: _core.KnownInstance) -> tuple[bytes, str, str]:
    return known.digest, known.transfer_syntax, known.sop_class

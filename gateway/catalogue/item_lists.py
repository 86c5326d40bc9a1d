"""Item lists: the instances of a storage commitment request, compact, as a column holds them.

UTF-8 text under zlib: a line `=CLASS` or `=CLASS REASON`, then a line for each SOP Instance UID of it. Within
a head, UIDs stand in order, so that neighbours share their fronts.
"""

import zlib
from collections.abc import Iterable, Mapping
from itertools import groupby

from gateway.model.commitment import CommitmentItem, FailureReason
from gateway.model.identifiers import SopInstanceUid, Uid


def packed_items(items: Iterable[CommitmentItem]) -> bytes:
    """The inverse of `items_of`."""
    return _packed((f"={item.sop_class}", item.sop_uid) for item in items)


def items_of(packed: bytes | None) -> tuple[CommitmentItem, ...]:
    """Sorted; none of nothing."""
    return tuple(sorted(CommitmentItem(Uid(head), uid) for head, uid in _unpacked(packed)))


def packed_failures(failures: Mapping[CommitmentItem, FailureReason]) -> bytes | None:
    """The inverse of `failures_of`; nothing of none."""
    if not failures:
        return None
    return _packed((f"={item.sop_class} {why.value}", item.sop_uid) for item, why in failures.items())


def failures_of(packed: bytes | None) -> dict[CommitmentItem, FailureReason]:
    """Which items failed, and why."""
    found: dict[CommitmentItem, FailureReason] = {}
    for head, uid in _unpacked(packed):
        sop_class, _, reason = head.partition(" ")
        found[CommitmentItem(Uid(sop_class), uid)] = FailureReason(int(reason))
    return found


def _packed(pairs: Iterable[tuple[str, str]]) -> bytes:
    lines: list[str] = []
    for head, of_head in groupby(sorted(pairs), key=lambda pair: pair[0]):
        lines += (head, *(uid for _, uid in of_head))
    return zlib.compress("\n".join(lines).encode(), 9)


def _unpacked(packed: bytes | None) -> Iterable[tuple[str, SopInstanceUid]]:
    head = ""
    for line in zlib.decompress(packed).decode().split("\n") if packed else ():
        if line.startswith("="):
            head = line[1:]
        else:
            yield head, SopInstanceUid(line)

"""Planning: when what waits of a study is due to become a volume, and how much of it. Pure; times in seconds.

Instances leave the journal by volumes. Few large ones are wanted, so a study is left alone while it arrives;
but nobody shall wait for long for a commitment, and nothing shall lie in one node's journal for long.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from gateway.model.volume import BatchKey

SETTLE_SECONDS = 0.3
"""What was answered just now lands this late: a request worth a volume waits so long for its last ones."""
INSTANCES_MAX = 100_000
"""Instances of one volume: its index block is read whole."""


class Limits(Protocol):
    """The settings that matter here."""

    size_target: int
    quiet_seconds: float
    age_seconds: float
    gather_seconds: float
    gather_seconds_max: float
    gather_items_max: int
    gather_bytes_max: int


class Reason(Enum):
    """Why a volume is planned."""

    COMMITMENT = "commitment"
    """Somebody asked for it."""
    SIZE = "size"
    """There is enough for a volume, although more arrives."""
    QUIET = "quiet"
    """Nothing was added for a while."""
    AGE = "age"
    """It trickles in, and the oldest has waited long enough."""
    ROOM = "room"
    """The journal fills up, and it frees most."""


WORDS = {
    Reason.COMMITMENT: "storage commitment was asked for",
    Reason.SIZE: "there is enough for a volume",
    Reason.QUIET: "if nothing more arrives",
    Reason.AGE: "the oldest has waited long enough",
    Reason.ROOM: "the journal fills up",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Requests for storage commitment that wait for instances of the study."""

    first_at: float
    last_at: float
    items: int
    """Of the largest of them."""
    complete: bool = False
    """One of them is worth a volume by its items, and all that it names had landed when it was looked at."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of a study is in this node's journal, catalogued, and in no plan."""

    instances: int
    length: int
    oldest_at: float
    """When the first of it came."""
    newest_at: float
    """When the last of it came."""
    asked: Asked | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """From when on it is to be planned, if nothing else happens until then."""

    at: float
    reason: Reason


def due(study: Waiting, limits: Limits) -> Due:
    """The first of all reasons that lie in the study itself."""
    every = [
        Due(study.oldest_at + limits.age_seconds, Reason.AGE),
        Due(study.newest_at + limits.quiet_seconds, Reason.QUIET),
    ]
    if study.length >= limits.size_target or study.instances >= INSTANCES_MAX:
        every.append(Due(study.newest_at, Reason.SIZE))
    if study.asked is not None:
        every.append(Due(_gathered_at(study, study.asked, limits), Reason.COMMITMENT))
    return min(every, key=lambda one: one.at)


def _gathered_at(study: Waiting, asked: Asked, limits: Limits) -> float:
    """A request that is worth a volume waits for what lands just now; a small one also for its like.

    Where nothing came for a while before it was asked, or all that it names is there, nothing is waited for.
    """
    if asked.complete:
        return asked.first_at
    if asked.items >= limits.gather_items_max or study.length >= limits.gather_bytes_max:
        quiet, most, stirred_at = (
            min(SETTLE_SECONDS, limits.gather_seconds),
            limits.gather_seconds,
            study.newest_at,
        )
    else:
        quiet, most = limits.gather_seconds, limits.gather_seconds_max
        arriving = asked.first_at < study.newest_at + quiet
        stirred_at = max(study.newest_at, asked.last_at) if arriving else study.newest_at
    return max(asked.first_at, min(stirred_at + quiet, asked.first_at + most))


@dataclass(frozen=True, slots=True)
class WaitingBatch:
    """An open batch that is in no plan."""

    key: BatchKey
    last_position: int
    instances: int
    length: int


@dataclass(frozen=True, slots=True)
class Share:
    """What one volume takes of a study."""

    batches: tuple[WaitingBatch, ...]
    excluded: tuple[tuple[int, int], ...]
    """(epoch, position) of damaged instances in them."""


def share(batches: Sequence[WaitingBatch], damaged: Collection[tuple[int, int]], size_target: int) -> Share:
    """Whole batches, oldest first, up to the target; all of them, if that is less than twice the target.

    Batches of which everything is damaged are in no share: nothing of them can be assembled.
    """
    usable = [(batch, bad) for batch in batches if len(bad := _within(batch, damaged)) < batch.instances]
    whole = sum(batch.length for batch, _ in usable)
    taken: list[tuple[WaitingBatch, list[tuple[int, int]]]] = []
    length = instances = 0
    for batch, bad in usable:
        full = length >= size_target and whole >= 2 * size_target
        if taken and (full or instances + batch.instances > INSTANCES_MAX):
            break
        taken.append((batch, bad))
        length, instances = length + batch.length, instances + batch.instances
    return Share(tuple(batch for batch, _ in taken), tuple(one for _, bad in taken for one in bad))


def _within(batch: WaitingBatch, damaged: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
    first, last = batch.key.first_position, batch.last_position
    return sorted(one for one in damaged if one[0] == batch.key.epoch and first <= one[1] <= last)

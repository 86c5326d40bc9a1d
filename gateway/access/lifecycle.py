"""The lifecycle of a study: how far it is, what it waits for since when, whose turn it is. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from gateway.model.study import Study
from gateway.model.volume import READABLE, Volume, VolumeKind, VolumeState


class Turn(Enum):
    """Who has to do something."""

    ARCHIVE = "archive"
    SENDER = "sender"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that is waited for."""

    what: str
    instances: int
    turn: Turn
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Instances by how far they are; each number is part of the one before."""

    received: int
    """Answered 0000H, and catalogued."""
    planned: int
    """In a volume, or in the plan of one."""
    stored: int
    verified: int
    committed: int
    waits: tuple[Wait, ...]


class Standing(Protocol):
    """What the planner says of what waits on this node."""

    @property
    def waiting_seconds(self) -> float:
        """Of the oldest."""

    @property
    def due_seconds(self) -> float:
        """Until it is planned, if nothing else happens."""

    @property
    def failures(self) -> int:
        """Volumes that failed in a row."""

    @property
    def stopped(self) -> bool:
        """Whether a person has to look at it."""

    @property
    def why(self) -> str:
        """Why it will be planned then."""


def lifecycle(
    study: Study,
    volumes: Sequence[Volume],
    standing: Standing | None,
    *,
    now: datetime,
    incidents: int = 0,
    store_waits_for: str | None = None,
) -> Lifecycle:
    """`incidents`: open ones of the study; `store_waits_for`: what keeps volumes from being stored now."""
    kept = [volume for volume in volumes if volume.kind is VolumeKind.KEPT and volume.superseded_by is None]
    plans = [volume for volume in kept if volume.state is VolumeState.PLANNED]
    stored = [volume for volume in kept if volume.state is VolumeState.STORED]
    verified = [volume for volume in kept if volume.state in READABLE]
    done, on_the_way = _instances(verified), _instances(stored)
    uncommitted = sum(volume.uncommitted for volume in verified)
    return Lifecycle(
        received=study.instances, planned=_instances(plans) + on_the_way + done, stored=on_the_way + done,
        verified=done, committed=done - uncommitted,
        waits=(
            *_of_journal(study.instances - _instances(plans) - on_the_way - done, standing, now),
            *_of_volumes("to be assembled and stored", plans, store_waits_for),
            *_of_volumes("to be read back", stored, store_waits_for),
            *_of_sender(uncommitted, verified),
            *_of_damage(verified, incidents),
        ),
    )  # fmt: skip


def _instances(volumes: Sequence[Volume]) -> int:
    return sum(volume.instances for volume in volumes)


def _of_journal(instances: int, standing: Standing | None, now: datetime) -> list[Wait]:
    if instances <= 0:
        return []
    if standing is None:
        return [
            Wait(
                "a volume is planned on the node that has them, unless they are damaged",
                instances,
                Turn.ARCHIVE,
            )
        ]
    since = now - timedelta(seconds=standing.waiting_seconds)
    if standing.stopped:
        what = (
            f"{standing.failures} volumes failed in a row: find out why, then 'kuva volume retry {{study}}'"
        )
        return [Wait(what, instances, Turn.OPERATOR, since)]
    what = f"a volume is planned in {standing.due_seconds:.0f} s ({standing.why})"
    return [Wait(what, instances, Turn.ARCHIVE, since)]


def _of_volumes(what: str, volumes: Sequence[Volume], waits_for: str | None) -> list[Wait]:
    if not volumes:
        return []
    since = min(volume.stored_at or volume.planned_at for volume in volumes)
    if waits_for:
        return [Wait(f"{what}: {waits_for}", _instances(volumes), Turn.OPERATOR, since)]
    return [Wait(what, _instances(volumes), Turn.ARCHIVE, since)]


def _of_sender(uncommitted: int, verified: Sequence[Volume]) -> list[Wait]:
    if not uncommitted:
        return []
    since = min((v.verified_at for v in verified if v.uncommitted and v.verified_at), default=None)
    return [Wait("a request for storage commitment", uncommitted, Turn.SENDER, since)]


def _of_damage(verified: Sequence[Volume], incidents: int) -> list[Wait]:
    damaged = [volume for volume in verified if volume.damaged_at is not None]
    waits = []
    if damaged:
        since = min(volume.damaged_at for volume in damaged if volume.damaged_at)
        waits.append(
            Wait("damaged volumes: send the instances again", _instances(damaged), Turn.OPERATOR, since)
        )
    if incidents:
        waits.append(Wait(f"{incidents} open incidents: 'kuva incident list'", 0, Turn.OPERATOR))
    return waits

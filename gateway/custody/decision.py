"""The decision on a storage commitment request, pure: what the catalogue says in, results out (design 6).

Success is for what lies in a verified, undamaged volume, and for nothing else. What may still come is waited
for until the request's deadline.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.model.commitment import CommitmentItem, FailureReason, Member, Secured, Standing
from gateway.model.identifiers import AeTitle, SopInstanceUid, StudyUid, Uid, VaultId, VolumeId
from gateway.model.instance import ReceiveId

Key = tuple[VaultId, StudyUid]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an instance is kept."""

    sop_class: Uid
    study: Key
    receive_id: ReceiveId
    volume: VolumeId | None = None
    """A verified one, undamaged; None: a journal only."""
    ordinal: int = 0
    """Its place in the volume's index block."""


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of the instances that a request names."""

    places: Mapping[SopInstanceUid, Sequence[Place]]
    """Undamaged ones, of what a person chose where there was a choice."""
    disputed: frozenset[SopInstanceUid] = frozenset()
    quarantined: Mapping[SopInstanceUid, int] = field(default_factory=dict)
    """Those of which a newcomer from this very caller is held apart -> its incident."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a request stands. It has its result when nothing is waited for any more."""

    failures: Mapping[CommitmentItem, FailureReason]
    secured: tuple[Secured, ...]
    unverified: Mapping[Key, int]
    """Studies whose instances are kept and in no verified volume -> how many of them are waited for."""
    absent: int
    """Instances that are waited for and not there."""
    awaits_landing: bool = False
    """What was answered before it was asked is not in the catalogue yet, and may forbid a success."""

    @property
    def final(self) -> bool:
        """Whether every item has its result."""
        return not self.unverified and not self.absent and not self.awaits_landing

    def withheld(self, items: Iterable[CommitmentItem]) -> "Decision":
        """Without any success: what would decide on them cannot be seen in time."""
        failures = {item: self.failures.get(item, FailureReason.RESOURCE_LIMITATION) for item in items}
        return Decision(failures, (), {}, 0)


Entry = tuple[str, str, ReceiveId]
"""(SOP class, SOP instance, receive id) of an index block's entry, in its order."""


def known_of(
    standings: Iterable[Standing],
    wanted: Collection[SopInstanceUid],
    calling: AeTitle,
    entries_of: Callable[[bytes], Sequence[Entry]],
) -> Known:
    """What standings say of the instances wanted. `entries_of` reads an index block."""
    places: dict[SopInstanceUid, list[Place]] = defaultdict(list)
    disputed: set[SopInstanceUid] = set()
    quarantined: dict[SopInstanceUid, int] = {}
    for standing in standings:
        disputed |= standing.disputed.intersection(wanted)
        for twin in standing.quarantined:
            if twin.sop_uid in wanted and twin.calling == calling:
                quarantined.setdefault(twin.sop_uid, twin.incident)
        for place, uid in _places(standing, wanted, entries_of):
            if place.receive_id not in standing.damaged and _is_chosen(standing, uid, place):
                places[uid].append(place)
    return Known(places, frozenset(disputed), quarantined)


def _places(
    standing: Standing,
    wanted: Collection[SopInstanceUid],
    entries_of: Callable[[bytes], Sequence[Entry]],
) -> Iterable[tuple[Place, SopInstanceUid]]:
    study = (standing.vault, standing.study_uid)
    blocks: list[tuple[bytes, VolumeId | None]] = [
        (volume.block, volume.id) for volume in standing.volumes if not volume.damaged
    ]
    blocks += [(opened.block, None) for opened in standing.open_blocks]
    for block, volume_id in blocks:
        for ordinal, (sop_class, instance, receive_id) in enumerate(entries_of(block)):
            uid = SopInstanceUid(instance)
            if uid in wanted:
                yield Place(Uid(sop_class), study, receive_id, volume_id, ordinal), uid


def _is_chosen(standing: Standing, uid: SopInstanceUid, place: Place) -> bool:
    return standing.preferred.get(uid, place.receive_id) == place.receive_id


def decide(
    items: Iterable[CommitmentItem],
    known: Known,
    *,
    is_taken: Callable[[Uid], bool],
    expired: bool,
) -> Decision:
    """The result of each item, as far as it has one. `is_taken`: whether the profile takes a SOP class."""
    failures: dict[CommitmentItem, FailureReason] = {}
    members: dict[VolumeId, dict[int, Member]] = defaultdict(dict)
    unverified: dict[Key, int] = defaultdict(int)
    absent = 0
    for item in items:
        outcome = _outcome(item, known, is_taken)
        if isinstance(outcome, FailureReason):
            failures[item] = outcome
        elif outcome is None:
            absent += 1
            failures[item] = FailureReason.NO_SUCH_INSTANCE
        elif outcome.volume is None:
            unverified[outcome.study] += 1
            failures[item] = FailureReason.RESOURCE_LIMITATION
        else:
            member = Member(outcome.ordinal, outcome.receive_id, item.sop_uid)
            members[outcome.volume][outcome.ordinal] = member
    secured = tuple(
        Secured(volume, tuple(member for _, member in sorted(those.items())))
        for volume, those in sorted(members.items())
    )
    if expired:
        return Decision(failures, secured, {}, 0)
    return Decision(failures, secured, dict(unverified), absent)


def _outcome(
    item: CommitmentItem, known: Known, is_taken: Callable[[Uid], bool]
) -> FailureReason | Place | None:
    """A failure that no waiting changes; or the best place; None: nowhere."""
    if not is_taken(item.sop_class):
        return FailureReason.CLASS_NOT_SUPPORTED
    # A sender whose bytes were refused must not hear that "its" instance is safe.
    if item.sop_uid in known.disputed or item.sop_uid in known.quarantined:
        return FailureReason.PROCESSING_FAILURE
    places = known.places.get(item.sop_uid, ())
    fitting = [place for place in places if place.sop_class == item.sop_class]
    if not fitting:
        return FailureReason.CLASS_INSTANCE_CONFLICT if places else None
    verified = [place for place in fitting if place.volume is not None]
    return min(verified, key=lambda place: (place.volume or "", place.ordinal)) if verified else fitting[0]

"""Find: which instances a retrieve identifier matches, within the vaults of the caller."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from gateway import _core
from gateway.catalogue import Catalogue, Choices
from gateway.errors import NotFoundError
from gateway.model.identifiers import NodeId, SopInstanceUid, StudyUid, Uid, VaultId, VolumeId
from gateway.model.instance import ReceiveId
from gateway.model.study import StudyBlock
from gateway.wire.dicom.identifier import Level, RetrieveIdentifier


@dataclass(frozen=True, slots=True)
class InVolume:
    """Where an instance lies in a verified volume, and what proves its bytes."""

    volume: VolumeId
    key: str
    """Where the store keeps the volume."""
    offset: int
    """Of the data set, bytes."""
    ranges_offset: int | None
    """Of its chaining values, if it has more than 1 MiB."""
    digest: bytes = field(repr=False)
    """The first 16 bytes of BLAKE3 of the data set."""
    damaged: bool
    """The volume was found damaged: this instance of it may be whole."""


@dataclass(frozen=True, slots=True)
class Match:
    """One instance to be sent, from one place where it is."""

    vault: VaultId
    study: StudyUid
    sop_instance: SopInstanceUid
    sop_class: Uid
    transfer_syntax: Uid
    length: int
    receive_id: ReceiveId
    place: InVolume | None = None
    """None: in the journal of the node that received it."""
    others: tuple["Match", ...] = field(default=(), compare=False, repr=False)
    """Other places that have the same content, the best first."""

    @property
    def where(self) -> tuple[ReceiveId, VolumeId | None]:
        """What tells one place from another."""
        return self.receive_id, None if self.place is None else self.place.volume

    @property
    def form(self) -> tuple[Uid, Uid]:
        """What makes its content, beside the digest."""
        return self.transfer_syntax, self.sop_class


@dataclass(frozen=True, slots=True)
class _Copy:
    """A place with what is known of it."""

    match: Match
    digest: bytes

    @property
    def content(self) -> tuple[bytes, tuple[Uid, Uid]]:
        return self.digest, self.match.form


_Wanted = Callable[[_core.KnownInstance], bool]


class Finder:
    """Reads the catalogue. Not yours and not there look the same: no match."""

    def __init__(self, catalogue: Catalogue, here: NodeId) -> None:
        self._catalogue, self._here = catalogue, here

    async def matches(self, identifier: RetrieveIdentifier, vaults: Sequence[VaultId]) -> list[Match]:
        """Every instance that is asked for, once in each vault, in the order in which they landed.

        Raises `CatalogueUnavailableError`.
        """
        found: list[Match] = []
        wanted = _asked_for(identifier)
        for vault in vaults:
            for study in identifier.studies:
                found.extend(await self._of_study(vault, study, wanted))
        return found

    async def again(self, match: Match) -> tuple[Match, ...]:
        """Where that instance is by now, the best place first: what was in a journal when it was looked up
        may be in a volume. Raises `CatalogueUnavailableError`."""
        wanted: _Wanted = lambda known: known.sop_instance == match.sop_instance  # noqa: E731
        found = await self._of_study(match.vault, match.study, wanted)
        return tuple(place for one in found for place in (one, *one.others) if place.form == match.form)

    async def _of_study(self, vault: VaultId, study: StudyUid, wanted: _Wanted) -> list[Match]:
        try:
            _, blocks = await self._catalogue.studies.get(vault, study)
        except NotFoundError:
            return []
        choices = await self._catalogue.incidents.choices(vault, study)
        found = await asyncio.to_thread(_copies, vault, study, blocks, wanted)
        return [_chosen(copies, choices, self._here) for copies in found.values()]


def _asked_for(identifier: RetrieveIdentifier) -> _Wanted:
    series, instances = frozenset(identifier.series), frozenset(identifier.instances)

    def wanted(known: _core.KnownInstance) -> bool:
        if identifier.level is not Level.STUDY and known.series not in series:
            return False
        return identifier.level is not Level.IMAGE or known.sop_instance in instances

    return wanted


def _copies(
    vault: VaultId, study: StudyUid, blocks: Sequence[StudyBlock], wanted: _Wanted
) -> dict[SopInstanceUid, list[_Copy]]:
    found: dict[SopInstanceUid, list[_Copy]] = {}
    for block in blocks:
        for known in _core.decode_block(block.block):
            if wanted(known):
                match = _match(vault, study, block, known)
                found.setdefault(match.sop_instance, []).append(_Copy(match, known.digest))
    return found


def _chosen(copies: Sequence[_Copy], choices: Choices, here: NodeId) -> Match:
    """Of a UID the content that a person chose, else the first that landed; of its copies the best place."""
    preferred = choices.preferred.get(copies[0].match.sop_instance)
    first = next((copy for copy in copies if copy.match.receive_id == preferred), copies[0])

    def rank(copy: _Copy) -> tuple[bool, int]:
        """What was found damaged last; this node's journal first; another node's journal cannot be read."""
        match = copy.match
        damaged = match.receive_id in choices.damaged
        if match.place is not None:
            return damaged or match.place.damaged, 1
        return damaged, 0 if match.receive_id.node == here else 2

    best, *others = sorted((copy for copy in copies if copy.content == first.content), key=rank)
    return replace(best.match, others=tuple(copy.match for copy in others))


def _match(vault: VaultId, study: StudyUid, block: StudyBlock, known: _core.KnownInstance) -> Match:
    return Match(
        vault,
        study,
        SopInstanceUid(known.sop_instance),
        Uid(known.sop_class),
        Uid(known.transfer_syntax),
        known.length,
        ReceiveId(NodeId(UUID(bytes=known.node)), known.epoch, known.position),
        _place(block, known),
    )


def _place(block: StudyBlock, known: _core.KnownInstance) -> InVolume | None:
    if block.volume is None or block.key is None or known.offset is None:
        return None
    return InVolume(block.volume, block.key, known.offset, known.ranges_offset, known.digest, block.damaged)

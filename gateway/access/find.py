"""Find: which instances a retrieve identifier matches, within the vaults of the caller."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
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
    """Where an instance lies in a verified volume."""

    volume: VolumeId
    key: str
    offset: int
    ranges_offset: int | None
    digest: bytes
    """The first 16 bytes of BLAKE3 of the data set."""
    damaged: bool
    """The volume was found damaged: this instance of it may be whole."""


@dataclass(frozen=True, slots=True)
class Match:
    """One instance to be sent."""

    vault: VaultId
    study: StudyUid
    sop_instance: SopInstanceUid
    sop_class: Uid
    transfer_syntax: Uid
    length: int
    receive_id: ReceiveId
    place: InVolume | None = None
    """None: in the journal of the node that received it."""

    @property
    def form(self) -> tuple[Uid, Uid]:
        """What makes its content, beside the digest."""
        return self.transfer_syntax, self.sop_class


_Copy = tuple[bytes, Match]
"""With the digest of its data set."""


class Finder:
    """Reads the catalogue. Not yours and not there look the same: no match."""

    def __init__(self, catalogue: Catalogue, here: NodeId) -> None:
        self._catalogue, self._here = catalogue, here

    async def matches(self, identifier: RetrieveIdentifier, vaults: Sequence[VaultId]) -> list[Match]:
        """Every instance that is asked for, once in each vault, in the order in which they landed.

        Raises `CatalogueUnavailableError`.
        """
        found: list[Match] = []
        for vault in vaults:
            for study in identifier.studies:
                found.extend(await self._of_study(vault, study, identifier))
        return found

    async def _of_study(self, vault: VaultId, study: StudyUid, identifier: RetrieveIdentifier) -> list[Match]:
        try:
            _, blocks = await self._catalogue.studies.get(vault, study)
        except NotFoundError:
            return []
        choices = await self._catalogue.incidents.choices(vault, study)
        found = await asyncio.to_thread(_wanted, vault, study, blocks, identifier)
        return [_chosen(copies, choices, self._here) for copies in found.values()]

    async def again(self, match: Match) -> Match | None:
        """Where the same instance is now: perhaps in a volume, since it was found. None: nowhere."""
        try:
            _, blocks = await self._catalogue.studies.get(match.vault, match.study)
        except NotFoundError:
            return None
        return await asyncio.to_thread(_same, match, blocks)


def _wanted(
    vault: VaultId, study: StudyUid, blocks: Sequence[StudyBlock], identifier: RetrieveIdentifier
) -> dict[SopInstanceUid, list[_Copy]]:
    series, instances = frozenset(identifier.series), frozenset(identifier.instances)
    found: dict[SopInstanceUid, list[_Copy]] = {}
    for block in blocks:
        for known in _core.decode_block(block.block):
            if identifier.level is not Level.STUDY and known.series not in series:
                continue
            if identifier.level is Level.IMAGE and known.sop_instance not in instances:
                continue
            match = _match(vault, study, block, known)
            found.setdefault(match.sop_instance, []).append((known.digest, match))
    return found


def _same(match: Match, blocks: Sequence[StudyBlock]) -> Match | None:
    for block in blocks:
        for known in _core.decode_block(block.block):
            if known.sop_instance == match.sop_instance:
                found = _match(match.vault, match.study, block, known)
                if found.receive_id == match.receive_id:
                    return found
    return None


def _chosen(copies: Sequence[_Copy], choices: Choices, here: NodeId) -> Match:
    """Of a UID the content that a person chose, else the first that landed; of its copies one that was not
    found damaged, if there is one, and from this node, if it is here."""
    preferred = choices.preferred.get(copies[0][1].sop_instance)
    first = next((copy for copy in copies if copy[1].receive_id == preferred), copies[0])
    same = [match for digest, match in copies if (digest, match.form) == (first[0], first[1].form)]
    sound = [match for match in same if match.receive_id not in choices.damaged] or same
    sound = [match for match in sound if match.place is None or not match.place.damaged] or sound
    return next((match for match in sound if match.place or match.receive_id.node == here), sound[0])


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

"""Find: which instances a retrieve identifier matches, within the vaults of the caller."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from gateway import _core
from gateway.catalogue import Catalogue
from gateway.errors import NotFoundError
from gateway.model.identifiers import SopInstanceUid, StudyUid, Uid, VaultId
from gateway.model.instance import ReceiveId
from gateway.model.study import StudyBlock
from gateway.wire.dicom.identifier import Level, RetrieveIdentifier


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


class Finder:
    """Reads the catalogue. Not yours and not there look the same: no match."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

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
        return await asyncio.to_thread(_wanted, vault, study, blocks, identifier)


def _wanted(
    vault: VaultId, study: StudyUid, blocks: Sequence[StudyBlock], identifier: RetrieveIdentifier
) -> list[Match]:
    series, instances = frozenset(identifier.series), frozenset(identifier.instances)
    found: dict[str, Match] = {}
    for block in blocks:
        for known in _core.decode_block(block.block):
            if identifier.level is not Level.STUDY and known.series not in series:
                continue
            if identifier.level is Level.IMAGE and known.sop_instance not in instances:
                continue
            found.setdefault(known.sop_instance, _match(vault, study, block, known))
    return list(found.values())


def _match(vault: VaultId, study: StudyUid, block: StudyBlock, known: _core.KnownInstance) -> Match:
    return Match(
        vault,
        study,
        SopInstanceUid(known.sop_instance),
        Uid(known.sop_class),
        Uid(known.transfer_syntax),
        known.length,
        ReceiveId(block.node, block.epoch, known.position),
    )

"""Checking: a volume is read from the medium and held against itself and the catalogue."""

import asyncio
from dataclasses import dataclass

import structlog

from gateway import _core
from gateway.catalogue import Catalogue
from gateway.errors import ObjectAbsentError, VolumeMismatchError
from gateway.journal import Journal
from gateway.model.volume import READABLE, Volume, VolumeKind
from gateway.storage.object_store import ObjectStore

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found; nothing wrong: no findings."""

    volume: str
    length: int
    """Bytes that were read."""
    instances: int
    findings: tuple[str, ...]


class Checker:
    """Reads whole volumes. What it finds damaged counts no more: not for duplicates, not for commitment."""

    def __init__(
        self, journal: Journal, catalogue: Catalogue, store: ObjectStore, *, locator_key: bytes
    ) -> None:
        self._journal, self._catalogue, self._store = journal, catalogue, store
        self._locator_key = locator_key

    async def check(self, volume: Volume) -> Checked:
        """Raises `StoreUnavailableError`: nothing was found out."""
        length, contents, findings = 0, None, []
        scan = _core.VolumeScan(self._locator_key)
        try:
            async for piece in self._store.read_back(volume.key):
                length += len(piece)
                await asyncio.to_thread(scan.feed, piece)
            contents = await asyncio.to_thread(scan.finish)
        except (VolumeMismatchError, ObjectAbsentError) as error:
            findings.append(str(error))
        if contents is not None:
            findings += differences(volume, contents)
        if findings and volume.state in READABLE:
            await self._tell(volume, findings)
        return Checked(volume.id, length, contents.instances if contents else 0, tuple(findings))

    async def _tell(self, volume: Volume, findings: list[str]) -> None:
        log.error("a volume is damaged", volume=volume.id, study=volume.study_uid, findings=findings)
        await self._catalogue.volumes.damaged(volume.id, volume.vault, "; ".join(findings))
        self._journal.study_changed(volume.vault, volume.study_uid)


def differences(volume: Volume, contents: _core.VolumeContents) -> list[str]:
    """Where a volume that is whole is not the one that the catalogue has under its id."""
    pairs = [
        ("id", volume.id, contents.volume),
        ("vault", volume.vault.bytes, contents.vault),
        ("study", volume.study_uid, contents.study),
        ("kind", volume.kind is VolumeKind.QUARANTINED, contents.quarantined),
        ("length", volume.length, contents.length),
        ("digest", volume.digest, contents.digest),
        ("instances", volume.instances, contents.instances),
    ]
    if volume.block is not None:
        pairs.append(("index block", volume.block, contents.block))
    return [
        f"{name}: not what the catalogue has"
        for name, ours, found in pairs
        if ours is not None and ours != found
    ]

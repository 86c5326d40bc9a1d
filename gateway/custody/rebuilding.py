"""Rebuilding: volumes say what was received, facts what was decided; both make the catalogue again."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from gateway import _core
from gateway.catalogue import Catalogue
from gateway.errors import (
    ObjectAbsentError,
    ObjectKeyError,
    RebuildError,
    StoreUnavailableError,
    VolumeMismatchError,
)
from gateway.model.fact import CustodyFact, VaultFact, VolumeCustody, parse_fact
from gateway.model.identifiers import FactId, NodeId, StudyUid, VaultId, VolumeId, ulid_time
from gateway.model.instance import ReceiveId
from gateway.model.moment import instant
from gateway.model.volume import RebuiltVolume, VolumeKind
from gateway.storage.layout import FACTS, QUARANTINE, VOLUMES, fact_key, volume_key
from gateway.storage.object_store import ObjectStore, StoredObject
from gateway.wire.dicom.attributes import study_attributes

log = structlog.get_logger(__name__)

FACT_LENGTH_MAX = 64 << 20
"""Bytes. The longest list of a request, written member by member, is a tenth of that."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is; volumes only, for they are nearly all of the work."""

    done: int
    """Bytes of the volumes that are in, or were found damaged."""
    whole: int


@dataclass(slots=True)
class Rebuilt:
    """What was done, and what was found wrong."""

    volumes: int = 0
    """Taken into the catalogue now."""
    volumes_before: int = 0
    """In it already, by a rebuild that was stopped."""
    instances: int = 0
    quarantined: int = 0
    """Instances of quarantine volumes, which nobody may retrieve."""
    facts: int = 0
    custody: int = 0
    """Instances whose custody was taken over now."""
    damaged: dict[str, str] = field(default_factory=dict)
    """Object key -> what is wrong with it: not taken, and left where it is."""
    unread: dict[str, str] = field(default_factory=dict)
    """Object key -> why the store could not give it."""
    lost: dict[str, list[str]] = field(default_factory=dict)
    """Volumes that facts say are in custody, and that are not there -> the facts."""
    finished: bool = False
    """The archive may serve."""
    uncommitted: int = 0
    """Volumes that no fact speaks of in whole: nobody asked commitment, or the fact was lost."""

    @property
    def whole(self) -> bool:
        """Whether everything in the store was read, whatever was found in it."""
        return not self.unread


class Rebuilder:
    """Makes the catalogue again. May be stopped anywhere, and run again."""

    def __init__(
        self,
        catalogue: Catalogue,
        store: ObjectStore,
        locator_key: bytes,
        told: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._catalogue, self._store, self._locator_key, self._told = catalogue, store, locator_key, told
        self._rebuilt = Rebuilt()

    async def run(self, *, leave_unread: bool = False) -> Rebuilt:
        """Into an empty catalogue, or that of an unfinished rebuild.

        It is ended, and the archive may serve, only when everything in the store was read; with
        `leave_unread` without what the store could not give. Raises `RebuildError`.
        """
        if not await self._anything():
            raise RebuildError("the store holds neither volumes nor facts: is it the right one?")
        await self._catalogue.rebuilding.begin()
        facts = [one async for one in self._facts()]
        for fact, told in facts:
            if isinstance(told, VaultFact):
                await self._catalogue.rebuilding.vault(fact, told, ulid_time(fact))
                self._rebuilt.facts += 1
        await self._volumes()
        for fact, told in facts:
            if isinstance(told, CustodyFact):
                await self._custody(fact, told)
        self._rebuilt.uncommitted = await self._catalogue.rebuilding.uncommitted()
        if self._rebuilt.whole or leave_unread:
            await self._catalogue.rebuilding.finish()
            self._rebuilt.finished = True
        return self._rebuilt

    async def _anything(self) -> bool:
        for prefix in (VOLUMES, FACTS, QUARANTINE):
            async for _ in self._store.list(prefix):
                return True
        return False

    # --- facts -----------------------------------------------------------------------------------

    async def _facts(self) -> AsyncIterator[tuple[FactId, VaultFact | CustodyFact]]:
        """Oldest first: the first commitment of an instance is the one that counts."""
        objects = [one async for one in self._store.list(FACTS)]
        for one in sorted(objects, key=_by_ulid):
            told = await self._fact(one)
            if told is not None:
                yield FactId(_stem(one.key)), told

    async def _fact(self, one: StoredObject) -> VaultFact | CustodyFact | None:
        try:
            if one.length > FACT_LENGTH_MAX:
                raise ValueError(f"{one.length} bytes are too many for a fact")  # noqa: TRY301
            told = parse_fact(await self._store.read(one.key, 0, one.length))
            if one.key != fact_key(told.vault, _stem(one.key)):
                raise ValueError("it speaks of another vault than its key")  # noqa: TRY301
        except StoreUnavailableError as error:
            self._rebuilt.unread[one.key] = str(error)
        except (ValueError, ObjectKeyError, ObjectAbsentError) as error:
            self._rebuilt.damaged[one.key] = str(error)
        else:
            return told
        return None

    async def _custody(self, fact: FactId, told: CustodyFact) -> None:
        wanted = {one.volume: one for one in told.volumes}
        blocks = await self._catalogue.rebuilding.blocks(told.vault, list(wanted))
        for volume in wanted.keys() - blocks.keys():
            self._rebuilt.lost.setdefault(volume, []).append(fact)
        ordinals: dict[VolumeId, list[int] | None] = {}
        for volume, block in blocks.items():
            ordinals[volume] = await asyncio.to_thread(_ordinals, wanted[volume], block)
        begun = await self._catalogue.rebuilding.custody(fact, told, ordinals, ulid_time(fact))
        self._rebuilt.facts += 1
        self._rebuilt.custody += begun

    # --- volumes ---------------------------------------------------------------------------------

    async def _volumes(self) -> None:
        objects = [one for prefix in (VOLUMES, QUARANTINE) async for one in self._store.list(prefix)]
        known, done = await self._catalogue.rebuilding.volumes(), 0
        whole = sum(one.length for one in objects)
        for one in sorted(objects, key=_by_ulid):
            self._told(Progress(done, whole))
            if _stem(one.key) in known:
                self._rebuilt.volumes_before += 1
            else:
                await self._volume(one)
            done += one.length
        self._told(Progress(done, whole))

    async def _volume(self, one: StoredObject) -> None:
        try:
            contents = await self._scanned(one.key)
            volume = await asyncio.to_thread(_rebuilt_volume, one.key, contents)
        except StoreUnavailableError as error:
            self._rebuilt.unread[one.key] = str(error)
        except (VolumeMismatchError, ObjectAbsentError) as error:
            log.error("a volume is not what it was", key=one.key, reason=str(error))  # noqa: TRY400
            self._rebuilt.damaged[one.key] = str(error)
        else:
            await self._catalogue.rebuilding.volume(volume)
            self._rebuilt.volumes += 1
            if volume.kind is VolumeKind.KEPT:
                self._rebuilt.instances += volume.instances
            else:
                self._rebuilt.quarantined += volume.instances

    async def _scanned(self, key: str) -> _core.VolumeContents:
        """All of it, as the medium has it, held against everything that it says of itself."""
        scan = _core.VolumeScan(self._locator_key)
        async for piece in self._store.read_back(key):
            await asyncio.to_thread(scan.feed, piece)
        return await asyncio.to_thread(scan.finish)


def _rebuilt_volume(key: str, contents: _core.VolumeContents) -> RebuiltVolume:
    """Blocking. Raises `VolumeMismatchError` if it lies where another volume belongs."""
    vault = VaultId(UUID(bytes=contents.vault))
    if key != volume_key(vault, contents.volume, quarantined=contents.quarantined):
        raise VolumeMismatchError(f"{key} holds volume {contents.volume} of vault {vault}")
    nodes = {known.node for known in _core.decode_block(contents.block)}
    if len(nodes) != 1:
        raise VolumeMismatchError(f"{key} holds instances of {len(nodes)} nodes")
    return RebuiltVolume(
        id=VolumeId(contents.volume), key=key, vault=vault, study_uid=StudyUid(contents.study),
        node=NodeId(UUID(bytes=nodes.pop())),
        kind=VolumeKind.QUARANTINED if contents.quarantined else VolumeKind.KEPT,
        planned_at=instant(contents.planned_at),
        supersedes=tuple(VolumeId(one) for one in contents.supersedes), digest=contents.digest,
        length=contents.length, instances=contents.instances, data_length=contents.data_length,
        received_from=instant(contents.received_from), received_to=instant(contents.received_to),
        block=contents.block, locator_hashes=tuple(contents.locator_hashes),
        attributes=study_attributes(contents.captured).attributes,
    )  # fmt: skip


def _ordinals(told: VolumeCustody, block: bytes) -> list[int] | None:
    """Places of the members in the index block. Blocking."""
    if told.members is None:
        return None
    runs = told.members
    return [
        ordinal
        for ordinal, known in enumerate(_core.decode_block(block))
        if any(run.holds(_receive_id(known)) for run in runs)
    ]


def _receive_id(known: _core.KnownInstance) -> ReceiveId:
    return ReceiveId(NodeId(UUID(bytes=known.node)), known.epoch, known.position)


def _stem(key: str) -> str:
    return key.rpartition("/")[2].partition(".")[0]


def _by_ulid(one: StoredObject) -> tuple[str, str]:
    """By time, whatever the vault."""
    return _stem(one.key), one.key

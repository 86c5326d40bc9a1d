"""An archive with everything in it that a rebuild needs: volumes, facts, custody, and a journal with more."""

import asyncio
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from gateway import _core
from gateway.catalogue import Catalogue
from gateway.catalogue.embedded import EmbeddedServer
from gateway.custody.facts import FactWriter
from gateway.ingest.arbitration import matches
from gateway.ingest.recovery import NodeIdentity, keep_identity, read_identity
from gateway.journal.room import LOCATOR_KEY_LENGTH
from gateway.model.commitment import CommitmentItem, CommitmentRequest, Member, Secured
from gateway.model.identifiers import (
    AeTitle,
    NodeId,
    SopInstanceUid,
    StudyUid,
    Uid,
    VaultId,
    VolumeId,
    ulid,
)
from gateway.model.instance import ReceiveId
from gateway.model.moment import instant
from gateway.model.study import StudyAttributes, StudyFilters
from gateway.model.volume import BatchKey, OpenBatch, Volume, VolumePlan
from gateway.storage.layout import volume_key
from gateway.storage.local import LocalStore
from tests.gateway_process import GatewayProcess
from tests.instances import Instance

Custody = tuple[int, tuple[tuple[datetime, tuple[int, ...] | None], ...]]


@dataclass(frozen=True)
class Told:
    """What a catalogue says of one study, without its own keys and times."""

    vault: str
    attributes: StudyAttributes
    """Without the accession number: in these instances each has its own, and whether the first to come or the
    first to be durable gives the study's is left open."""
    instances: int
    length: int
    blocks: tuple[bytes, ...]
    """Of its verified volumes."""
    custody: dict[VolumeId, Custody]
    """Volume -> (instances without, (since, places))."""
    open: tuple[tuple[str, bytes, ReceiveId], ...]
    """(SOP instance, digest, receive id) of what is in a journal only."""


async def told_of(catalogue: Catalogue) -> dict[StudyUid, Told]:
    """Everything, by study."""
    names = {vault.id: vault.name for vault in await catalogue.grants.vaults()}
    page = await catalogue.studies.list(StudyFilters(tuple(names)), limit=1000)
    found: dict[StudyUid, Told] = {}
    for study in page.studies:
        _, blocks = await catalogue.studies.get(study.vault, study.uid)
        volumes = await catalogue.volumes.of_study(study.vault, study.uid)
        found[study.uid] = Told(
            names[study.vault], replace(study.attributes, accession_number=""), study.instances, study.length,
            tuple(block.block for block in blocks if block.kind == "volume"),
            {volume.id: await _custody(catalogue, volume) for volume in volumes},
            tuple(
                sorted(
                    (known.sop_instance, known.digest, _receive_id(known))
                    for block in blocks if block.kind == "open" for known in _core.decode_block(block.block)
                )
            ),
        )  # fmt: skip
    return found


async def told_by(data: Path) -> dict[StudyUid, Told]:
    """Everything that the embedded catalogue of a stopped gateway says."""
    server = EmbeddedServer(data / "postgresql")
    await server.start()
    catalogue = await Catalogue.open(server.gateway, matches)
    try:
        return await told_of(catalogue)
    finally:
        await catalogue.close()
        await server.stop()


async def _custody(catalogue: Catalogue, volume: Volume) -> Custody:
    rows = await catalogue.commitments.custody([volume.id], [volume.vault])
    return volume.uncommitted, tuple((row.since, row.ordinals) for row in rows)


class Keeper:
    """Does by hand what the gateway's own tasks do: assembles, stores, reads back, commits, writes facts."""

    def __init__(self, data: Path, catalogue: Catalogue, store: LocalStore) -> None:
        self._data, self.catalogue, self.store = data, catalogue, store
        self._node: _core.Node | None = None
        self.identifier = NodeId(UUID(int=0))

    async def open(self) -> None:
        """The data folder's node, as a start of its own."""
        identity = read_identity(self._data)
        start = await self.catalogue.nodes.start(identity.id, epoch_least=identity.epoch + 1)
        keep_identity(self._data, NodeIdentity(identity.id, start.epoch))
        key = (await self.catalogue.nodes.locator_key())[:LOCATOR_KEY_LENGTH]
        self.identifier = identity.id
        self._node = await asyncio.to_thread(
            lambda: _core.Node(
                str(self._data / "journal"), node=identity.id.bytes, epoch=start.epoch, capacity=256 << 20,
                segment=16 << 20, block_pool=64 << 20, locator_key=key,
            )
        )  # fmt: skip

    async def close(self) -> None:
        assert self._node is not None
        await asyncio.to_thread(self._node.stop)

    async def keep(self, study: str) -> Volume:
        """All open batches of a study as one verified volume."""
        batches = [
            one
            for one in await self.catalogue.volumes.open_batches(self.identifier)
            if one.study_uid == study
        ]
        plan = self._plan(batches)
        planned = await self.catalogue.volumes.plan(plan)
        instances = [
            (known.epoch, known.position)
            for batch in planned.batches
            for known in _core.decode_block(batch.block)
        ]
        assembled = await self._put(plan, instances)
        await self.catalogue.volumes.stored(
            plan.id, plan.vault, digest=assembled.digest, length=assembled.length
        )
        verification = assembled.verification()
        async for piece in self.store.read_back(plan.key):
            await asyncio.to_thread(verification.feed, piece)
        await asyncio.to_thread(verification.finish)
        return await self.catalogue.volumes.verified(
            plan.id, plan.vault, digest=assembled.digest, block=assembled.block, instances=assembled.instances,
            data_length=assembled.data_length, received_from=instant(assembled.received_from),
            received_to=instant(assembled.received_to),
        )  # fmt: skip

    def _plan(self, batches: list[OpenBatch]) -> VolumePlan:
        identifier = VolumeId(ulid(time.time_ns() // 1_000_000, secrets.token_bytes(10)))
        planned_at = datetime.now(UTC).replace(microsecond=0)
        return VolumePlan(
            identifier, volume_key(batches[0].vault, identifier), batches[0].vault, batches[0].study_uid,
            self.identifier, planned_at, tuple(BatchKey(b.epoch, b.first_position) for b in batches),
        )  # fmt: skip

    async def _put(self, plan: VolumePlan, instances: list[tuple[int, int]]) -> _core.Assembled:
        node = self._node
        assert node is not None
        assembly = await asyncio.to_thread(
            lambda: node.assemble(
                volume=plan.id, vault=plan.vault.bytes, study=plan.study_uid,
                planned_at=int(plan.planned_at.timestamp()) * 1_000_000, instances=instances,
            )
        )  # fmt: skip

        async def pieces() -> AsyncIterator[memoryview]:
            while (piece := await asyncio.to_thread(assembly.next)) is not None:
                yield memoryview(piece)

        await self.store.put(plan.key, assembly.length, pieces())
        return assembly.finish()

    async def commit(self, volume: Volume, transaction: str, *ordinals: int) -> None:
        """Those places of the volume (all, if none are named), and the fact of it in the store."""
        assert volume.block is not None
        known = list(enumerate(_core.decode_block(volume.block)))
        chosen = [(n, one) for n, one in known if not ordinals or n in ordinals]
        items = tuple(
            CommitmentItem(Uid(one.sop_class), SopInstanceUid(one.sop_instance)) for _, one in chosen
        )
        request = CommitmentRequest(
            Uid(transaction), AeTitle("CT1"), AeTitle("KUVA"), (volume.vault,), items, self.identifier, 1, 1,
            datetime.now(UTC),
        )  # fmt: skip
        _, asked = await self.catalogue.commitments.ask(request)
        members = tuple(Member(n, _receive_id(one), SopInstanceUid(one.sop_instance)) for n, one in chosen)
        await self.catalogue.commitments.resolve(asked, failures={}, secured=[Secured(volume.id, members)])
        while await FactWriter(self.catalogue, self.store).write():
            pass


@dataclass(frozen=True)
class KeptArchive:
    """The data folder of a stopped gateway, and what its catalogue said."""

    data: Path
    told: dict[StudyUid, Told]
    whole: StudyUid
    """In a volume, all of it in custody."""
    part: StudyUid
    """In two volumes, two instances of the first in custody."""
    left: StudyUid
    """In the journal only."""

    def copy(self, folder: Path) -> Path:
        """Journal, store and node, and no database."""
        data = folder / "data"
        shutil.copytree(self.data, data, ignore=shutil.ignore_patterns("postgresql", "*.sock", "kuva.lock"))
        return data

    @property
    def store(self) -> Path:
        return self.data / "store"


async def keep_archive(gateway: GatewayProcess, studies: list[list[Instance]]) -> KeptArchive:
    """Of three studies that a gateway received; `studies[1]` in two halves."""
    whole, part, left = studies
    _send(gateway, "first", [*whole, *part[: len(part) // 2]])
    gateway.stop()
    await _keep(gateway.data, whole[0].study, part[0].study)
    gateway.start()
    _send(gateway, "second", [*part[len(part) // 2 :], *left])
    gateway.stop()
    told = await _keep(gateway.data, part[0].study)
    uids = [StudyUid(study[0].study) for study in studies]
    return KeptArchive(gateway.data, told, *uids)


def _send(gateway: GatewayProcess, name: str, instances: list[Instance]) -> None:
    folder = gateway.folder / name
    folder.mkdir()
    for instance in instances:
        instance.write(folder)
    gateway.kuva("send", str(folder), "--to", f"127.0.0.1:{gateway.dicom_port}", "--called", "KUVA")


async def _keep(data: Path, *studies: str) -> dict[StudyUid, Told]:
    server = EmbeddedServer(data / "postgresql")
    await server.start()
    catalogue = await Catalogue.open(server.gateway, matches)
    store = await LocalStore.open(data / "store")
    keeper = Keeper(data, catalogue, store)
    await keeper.open()
    try:
        for number, study in enumerate(studies):
            volume = await keeper.keep(study)
            if len(studies) > 1:
                await keeper.commit(volume, f"2.25.{number + 1}", *((0, 2) if number else ()))
        return await told_of(catalogue)
    finally:
        await keeper.close()
        await store.close()
        await catalogue.close()
        await server.stop()


def _receive_id(known: _core.KnownInstance) -> ReceiveId:
    return ReceiveId(NodeId(UUID(bytes=known.node)), known.epoch, known.position)


def vault_of(data: Path) -> VaultId:
    """The only vault of the store."""
    (name,) = os.listdir(data / "store" / "volumes")
    return VaultId(UUID(name))

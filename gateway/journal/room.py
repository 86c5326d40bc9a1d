"""The journal room: one node's journal, its wake-ups, and what it is asked."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway import _core
from gateway.model.batch import Known
from gateway.model.identifiers import NodeId, StudyUid, VaultId
from gateway.model.instance import ReceiveId
from gateway.model.moment import microseconds
from gateway.model.volume import PlannedVolume, VolumeKind

BLOCK_POOL_BYTES = 64 << 20
FLUSH_INSTANCES_MAX = 20_000
"""Instances landed in one transaction."""
"""Blocks shared by all associations on their way to the journal; when they are out, sockets wait."""
LOCATOR_KEY_LENGTH = 16
DISCARD_REASON_LENGTH_MAX = 4096
"""Bytes of UTF-8 in a discard record (docs/design/journal-format.md)."""

Journalled = tuple[int, int, str, str, str, int, str]
"""(epoch, position, study, SOP instance, transfer syntax, length, kept | quarantined | damaged)."""


@dataclass(frozen=True, slots=True)
class JournalSpace:
    """The journal's room and state, for health."""

    capacity: int
    live: int
    dead: int
    fill: float
    writable: bool
    why: str | None
    write_mode: str
    drain: float
    """Bytes a second."""
    slowed: int
    """Associations whose reading is held back now."""


class Journal:
    """One node's journal. Blocking calls run in threads; everything else is quick enough for the loop."""

    def __init__(self, node: _core.Node, identifier: NodeId, epoch: int) -> None:
        self._node = node
        self.identifier = identifier
        self.epoch = epoch

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        identifier: NodeId,
        epoch: int,
        capacity: int,
        segment: int,
        locator_key: bytes,
        overwrite_after: int | None = None,
    ) -> "Journal":
        """Recovers the journal in `folder`, or makes it. Raises `JournalRotError`, `JournalError`."""

        def make() -> _core.Node:
            folder.mkdir(parents=True, exist_ok=True)
            return _core.Node(
                str(folder), node=identifier.bytes, epoch=epoch, capacity=capacity, segment=segment,
                block_pool=BLOCK_POOL_BYTES, locator_key=locator_key[:LOCATOR_KEY_LENGTH],
                overwrite_after=overwrite_after,
            )  # fmt: skip

        return cls(await asyncio.to_thread(make), identifier, epoch)

    async def stop(self) -> None:
        """What is queued becomes durable; threads end."""
        await asyncio.to_thread(self._node.stop)

    # --- associations and wake-ups ---------------------------------------------------------------

    @property
    def recovery(self) -> _core.Recovery:
        """What was found at start."""
        return self._node.recovery

    @property
    def wake_fd(self) -> int:
        """Readable whenever `drain` has something."""
        return self._node.wake_fd

    def drain(self) -> _core.Wake:
        """Everything that happened since the last drain."""
        return self._node.drain()

    def acceptor(self, number: int) -> _core.Association:
        """An engine for a socket that was accepted."""
        return _core.Association.acceptor(self._node, number)

    # --- what the catalogue knows ----------------------------------------------------------------

    async def study_opened(self, vault: VaultId, study: StudyUid, known: Known) -> None:
        """Tells the duplicates table what the catalogue knows of a study."""
        blocks = [(block.node.bytes, block.epoch, block.block) for block in known.blocks]
        equivalents = [
            (str(k.sop_uid), k.content.digest, str(k.content.transfer_syntax), str(k.content.sop_class))
            for k in known.equivalents
        ]
        disputed = [str(uid) for uid in known.disputed]
        preferred = [(one.node.bytes, one.epoch, one.position) for one in known.preferred]
        damaged = [(one.node.bytes, one.epoch, one.position) for one in known.damaged]
        told = (vault.bytes, study, blocks, equivalents, disputed, preferred, damaged)
        if not blocks and not equivalents and not known.volumes:
            self._node.study_opened(*told)
        else:
            await asyncio.to_thread(self._node.study_opened, *told, volumes=known.volumes)

    def study_changed(self, vault: VaultId, study: StudyUid) -> None:
        """What the catalogue told of a study is true no longer: it is asked again at the next instance."""
        self._node.study_changed(vault.bytes, study)

    def study_failed(self, vault: VaultId, study: StudyUid) -> None:
        """Whoever waits for that study is answered A700H."""
        self._node.study_failed(vault.bytes, study)

    def evict(self, now_microseconds: int) -> None:
        """Forgets studies that are catalogued and quiet."""
        self._node.evict(now_microseconds)

    # --- landing ---------------------------------------------------------------------------------

    async def recovered_after(self, epoch: int, position: int) -> None:
        """Queues what an earlier epoch received after `position`."""
        await asyncio.to_thread(self._node.recovered_after, epoch, position)

    async def take_flush(self) -> _core.Flush | None:
        """Everything closed and not yet landed, oldest epoch first; the same again until `landed`."""
        return await asyncio.to_thread(self._node.take_flush, FLUSH_INSTANCES_MAX)

    def landed(self, epoch: int, through: int) -> None:
        """The catalogue has it."""
        self._node.landed(epoch, through)

    def landing_mark(self) -> Callable[[], bool]:
        """Tells whether the catalogue has all that was answered before the mark was made."""
        newest = self._node.newest_closed()
        return lambda: newest is None or self._node.has_landed_through(newest)

    # --- instances -------------------------------------------------------------------------------

    def holds(self, receive_id: ReceiveId) -> bool:
        """Whether that instance was received by this node."""
        return receive_id.node == self.identifier

    def source(self, epoch: int, position: int) -> _core.InstanceSource:
        """An instance's bytes, to be sent. Raises `InstanceAbsentError`. Quick, but reads the disk."""
        return self._node.source(epoch, position)

    async def compare(self, kept: ReceiveId, newcomer: ReceiveId, limit: int = 100) -> _core.Comparison:
        """Element by element. Raises `InstanceAbsentError`, `DamagedInstanceError`."""
        return await asyncio.to_thread(self._node.compare, _place(kept), _place(newcomer), limit)

    async def verify(self, receive_id: ReceiveId) -> None:
        """Reads it to its end. Raises `InstanceAbsentError`, `JournalRotError`: not what was received."""
        await asyncio.to_thread(self._node.verify, _place(receive_id))

    def damaged(self, receive_id: ReceiveId) -> None:
        """Nothing rests on its bytes from now on: the same content is kept again when it comes."""
        if self.holds(receive_id):
            self._node.damaged(_place(receive_id))

    def rescue_of(self, receive_id: ReceiveId) -> ReceiveId | None:
        """Where this journal keeps the same content again. Raises `InstanceAbsentError`: it knows no such."""
        found = self._node.rescue_of(_place(receive_id))
        return None if found is None else ReceiveId(self.identifier, *found)

    def accept_equivalent(self, newcomer: ReceiveId) -> None:
        """Its content is answered 0000H from now on."""
        self._node.accept_equivalent(_place(newcomer))

    async def discard(self, newcomers: Sequence[ReceiveId], reason: str) -> None:
        """Durable when it returns; what is gone already is left out, so it may be done again.

        Raises `NotDiscardableError` for anything that got 0000H, `JournalReadOnlyError`. The reason is cut at
        what a record holds.
        """
        # Bytes, not characters: the catalogue keeps the whole of it.
        cut = reason.encode()[:DISCARD_REASON_LENGTH_MAX].decode(errors="ignore")
        await asyncio.to_thread(self._node.discard, [_place(one) for one in newcomers], cut)

    async def forget(self, vault: VaultId, study: StudyUid, instances: Sequence[ReceiveId]) -> None:
        """They are in a verified volume: the journal needs them no more.

        May be said again, and must be after a restart. Raises `LocalError` for what has not landed yet; then
        nothing is forgotten.
        """
        places = [_place(one) for one in instances if self.holds(one)]
        await asyncio.to_thread(self._node.forget, vault.bytes, study, places)

    async def assemble(self, planned: PlannedVolume, instances: Sequence[ReceiveId]) -> _core.Assembly:
        """The TAR of a plan, a pure function of it: the same after every crash.

        Raises one of `DAMAGE` if an instance is not here or not what was received.
        """
        plan = planned.plan
        return await asyncio.to_thread(
            self._node.assemble, volume=plan.id, vault=plan.vault.bytes, study=plan.study_uid,
            planned_at=microseconds(plan.planned_at), instances=[_place(one) for one in instances],
            quarantined=plan.kind is VolumeKind.QUARANTINED, supersedes=plan.supersedes,
        )  # fmt: skip

    async def entries(self, limit: int) -> list[Journalled]:
        """Newest first."""
        return await asyncio.to_thread(self._node.journal_entries, limit)

    # --- health ----------------------------------------------------------------------------------

    def space(self) -> JournalSpace:
        """Room and state."""
        room = self._node.room()
        return JournalSpace(
            room.capacity, room.live, room.dead, room.fill, room.writable, room.why, room.write_mode,
            room.drain, room.slowed,
        )  # fmt: skip

    def counters(self) -> dict[str, int]:
        """Monotonic counters of the stages, by name."""
        return dict(sorted(self._node.counters().items()))

    def refusals(self) -> dict[str, int]:
        """How often the core refused, by every code of the catalogue."""
        return self._node.refusal_counters()


def _place(receive_id: ReceiveId) -> tuple[int, int]:
    return receive_id.epoch, receive_id.position

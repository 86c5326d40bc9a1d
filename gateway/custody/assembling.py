"""Assembling: which instances a plan takes, and its bytes on their way to the store."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

from gateway import _core
from gateway.errors import PlanError
from gateway.model.batch import Batch
from gateway.model.identifiers import NodeId
from gateway.model.instance import ReceiveId
from gateway.model.moment import instant
from gateway.model.study import StudyAttributes
from gateway.model.volume import PlannedBatch, PlannedVolume, Remainder, VolumeKind


def members(planned: PlannedVolume) -> tuple[ReceiveId, ...]:
    """What a plan takes. Blocking, for a thread. Raises `PlanError` if its batches are not what it says."""
    node = planned.plan.node
    if planned.plan.kind is VolumeKind.QUARANTINED:
        return tuple(ReceiveId(node, *place) for place in planned.newcomers)
    excluded = set(planned.plan.excluded)
    found = tuple(
        ReceiveId(node, known.epoch, known.position)
        for batch in planned.batches
        for known in _decoded(batch)
        if (known.epoch, known.position) not in excluded
    )
    if len(found) != planned.instances:
        raise PlanError(f"volume {planned.plan.id}: {len(found)} instances, {planned.instances} were planned")
    return found


def members_of(block: bytes) -> tuple[ReceiveId, ...]:
    """What a volume's index block says that it has. Blocking, for a thread."""
    return tuple(
        ReceiveId(NodeId(UUID(bytes=known.node)), known.epoch, known.position)
        for known in _core.decode_block(block)
    )


def remainders(planned: PlannedVolume) -> tuple[Remainder, ...]:
    """What stays open of the batches: their excluded instances. Blocking, for a thread."""
    found = []
    for batch in planned.batches:
        left = [known for known in _decoded(batch) if (known.epoch, known.position) in planned.plan.excluded]
        if left:
            found.append(Remainder(batch.epoch, _batch_of(planned, batch, left)))
    return tuple(found)


def _batch_of(planned: PlannedVolume, batch: PlannedBatch, left: list[_core.KnownInstance]) -> Batch:
    positions = sorted(known.position for known in left)
    received = [known.received_at for known in left]
    return Batch(
        vault=planned.plan.vault, study_uid=planned.plan.study_uid,
        first_position=positions[0], last_position=positions[-1], instances=len(left),
        length=sum(known.length for known in left), block=_core.restrict_block(batch.block, positions),
        locator_hashes=(), attributes=StudyAttributes(),  # the catalogue has them already
        received_from=instant(min(received)), received_to=instant(max(received)),
    )  # fmt: skip


def _decoded(batch: PlannedBatch) -> list[_core.KnownInstance]:
    try:
        return _core.decode_block(batch.block)
    except ValueError as error:
        raise PlanError(f"batch {batch.epoch}/{batch.first_position}: {error}") from None


async def pieces(assembly: _core.Assembly) -> AsyncIterator[memoryview]:
    """The volume's bytes, piece by piece, as a thread makes them. Raises one of `DAMAGE`."""
    while (piece := await asyncio.to_thread(assembly.next)) is not None:
        yield memoryview(piece)


async def exhaust(assembly: _core.Assembly) -> None:
    """Makes all of it for its digests alone: the store has it already."""
    async for _ in pieces(assembly):
        pass

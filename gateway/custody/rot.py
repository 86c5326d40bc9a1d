"""Rot: instances of a plan that the journal cannot give out any more become incidents, all at once."""

import asyncio
from collections.abc import Callable

import structlog

from gateway import _core
from gateway.catalogue import Catalogue
from gateway.custody.assembling import members
from gateway.errors import DAMAGE
from gateway.journal import Journal
from gateway.model.identifiers import SopInstanceUid
from gateway.model.instance import ReceiveId
from gateway.model.volume import PlannedVolume, VolumeKind

log = structlog.get_logger(__name__)


class Rot:
    """Looks for what is rotten when assembling found that something is."""

    def __init__(self, journal: Journal, catalogue: Catalogue) -> None:
        self._journal, self._catalogue = journal, catalogue
        self.on_told: Callable[[], None] = lambda: None
        """Whoever looks for rescues is called."""

    async def find(self, planned: PlannedVolume) -> bool:
        """Reads all its instances to their ends. Whether any is damaged: the next plan leaves it out."""
        names = await asyncio.to_thread(_names, planned)
        rotten = [
            one
            for one in await asyncio.to_thread(members, planned)
            if not await self._tell(one, planned, names)
        ]
        if rotten:
            self.on_told()
        return bool(rotten)

    async def _tell(
        self, receive_id: ReceiveId, planned: PlannedVolume, names: dict[ReceiveId, SopInstanceUid]
    ) -> bool:
        try:
            await self._journal.verify(receive_id)
        except DAMAGE as error:
            plan = planned.plan
            self._journal.damaged(receive_id)
            log.warning(
                "an instance is damaged",
                epoch=receive_id.epoch,
                position=receive_id.position,
                reason=str(error),
            )
            if plan.kind is VolumeKind.KEPT:
                await self._catalogue.incidents.damaged(
                    receive_id, vault=plan.vault, study_uid=plan.study_uid, sop_uid=names[receive_id],
                    reason=f"found when volume {plan.id} was assembled: {error}",
                )  # fmt: skip
            return False
        return True


def _names(planned: PlannedVolume) -> dict[ReceiveId, SopInstanceUid]:
    return {
        ReceiveId(planned.plan.node, known.epoch, known.position): SopInstanceUid(known.sop_instance)
        for batch in planned.batches
        for known in _core.decode_block(batch.block)
    }

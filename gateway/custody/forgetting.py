"""Forgetting: at start, the journal is told again what is in verified volumes; it keeps no note of it."""

import asyncio

import structlog

from gateway.catalogue import Catalogue
from gateway.custody.assembling import members_of
from gateway.errors import LocalError
from gateway.journal import Journal
from gateway.model.moment import instant

log = structlog.get_logger(__name__)


async def forget_verified(journal: Journal, catalogue: Catalogue) -> int:
    """How many volumes there were that the journal may still hold something of.

    To be done before what the catalogue lacks is queued for landing: a catalogue that was rebuilt has what is
    in volumes, and no node's positions. From then on a resend is compared with the volume.
    """
    oldest = journal.recovery.received_oldest
    if oldest is None:
        return 0
    volumes = await catalogue.volumes.verified_since(journal.identifier, instant(oldest))
    for volume in volumes:
        assert volume.block is not None
        instances = await asyncio.to_thread(members_of, volume.block)
        try:
            await journal.forget(volume.vault, volume.study_uid, instances)
        except LocalError as error:  # a catalogue that was restored, say: the journal keeps it, to be safe
            log.warning("the journal keeps what is in a verified volume", volume=volume.id, reason=str(error))
    if volumes:
        log.info("the journal forgets what is in verified volumes", volumes=len(volumes))
    return len(volumes)

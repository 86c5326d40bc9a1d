"""Rescue: what was kept and found damaged is received again, and its incident ends by itself.

The core keeps a resend of damaged content as it keeps what is new. Here it is found, read back, and only
then told as the rescue: after a crash in between it is found at the next start.
"""

import asyncio
from collections.abc import Sequence

import structlog

from gateway import _core
from gateway.catalogue import Catalogue, IncidentFilters
from gateway.errors import DAMAGE, InstanceAbsentError, NotFoundError
from gateway.ingest.looking import Looking
from gateway.journal import Journal
from gateway.model.identifiers import SopInstanceUid
from gateway.model.incident import Incident, IncidentKind, Resolution
from gateway.model.instance import ReceiveId
from gateway.model.study import StudyBlock

log = structlog.get_logger(__name__)

PAGE = 200


async def verify(journal: Journal, catalogue: Catalogue, incident: Incident, receive_id: ReceiveId) -> None:
    """Reads back one of the instances that an incident is about; if it is damaged, that is an incident, too.

    What is in a verified volume was read back there, and the journal need not have it any more. Raises one of
    `DAMAGE`.
    """
    try:
        await journal.verify(receive_id)
    except DAMAGE as error:
        if isinstance(error, InstanceAbsentError) and await _is_in_volume(catalogue, incident, receive_id):
            return
        # What was given up meanwhile is gone, and rightly so.
        now = await catalogue.incidents.get(incident.id, [incident.vault])
        if now.resolution is not Resolution.DISCARD:
            journal.damaged(receive_id)
            await catalogue.incidents.damaged(
                receive_id, vault=incident.vault, study_uid=incident.study_uid, sop_uid=incident.sop_uid,
                reason=f"found when it was looked at for incident {incident.id}: {error}",
            )  # fmt: skip
        raise


async def _is_in_volume(catalogue: Catalogue, incident: Incident, receive_id: ReceiveId) -> bool:
    try:
        _, blocks = await catalogue.studies.get(incident.vault, incident.study_uid)
    except NotFoundError:
        return False
    volumes = [block for block in blocks if block.volume is not None and not block.damaged]
    return receive_id in await asyncio.to_thread(_copies, volumes, incident.sop_uid)


class Rescuer:
    """Looks for rescues while anything is damaged: when something landed, and every half minute."""

    def __init__(self, journal: Journal, catalogue: Catalogue) -> None:
        self._journal, self._catalogue = journal, catalogue
        self._looking = Looking(self.look, "rescues cannot be looked for now")
        self._open = False
        self._seen: dict[int, int] = {}

    def kick(self) -> None:
        """Damage was recorded."""
        self._looking.kick()

    def landed(self) -> None:
        """Something landed: perhaps what is waited for."""
        if self._open:
            self._looking.kick()

    async def run(self) -> None:
        """Until cancelled."""
        await self._looking.run()

    async def look(self) -> None:
        """Ends every open incident whose damaged instance this node keeps again."""
        vaults = tuple(vault.id for vault in await self._catalogue.grants.vaults())
        after: int | None = None
        found_open, more = False, bool(vaults)
        while more:
            filters = IncidentFilters(vaults, kind=IncidentKind.DAMAGED)
            page = await self._catalogue.incidents.list(filters, limit=PAGE, after=after)
            for incident in page:
                found_open = not await self._ended(incident) or found_open
                after = incident.id
            more = len(page) == PAGE
        self._open = found_open

    async def _ended(self, incident: Incident) -> bool:
        try:
            copy = await self._copy(incident)
            if copy is None:
                return False
            await verify(self._journal, self._catalogue, incident, copy)
        except DAMAGE as error:
            reason = str(error)
            log.warning("what was received again is damaged, too", incident=incident.id, reason=reason)
            return False
        await self._catalogue.incidents.rescued(incident.id, [incident.vault], copy)
        log.info("a damaged instance was received again", incident=incident.id, sop_instance=incident.sop_uid)
        return True

    async def _copy(self, incident: Incident) -> ReceiveId | None:
        if self._journal.holds(incident.receive_id):
            try:
                return self._journal.rescue_of(incident.receive_id)
            except InstanceAbsentError:
                pass
        return await self._landed_here(incident)

    async def _landed_here(self, incident: Incident) -> ReceiveId | None:
        """By the catalogue: the damaged instance is of another node, or gone from the journal altogether."""
        study = await self._catalogue.studies.find(incident.vault, incident.study_uid)
        if study is None or self._seen.get(incident.id) == study.instances:
            return None
        try:
            _, blocks = await self._catalogue.studies.get(incident.vault, incident.study_uid)
        except NotFoundError:
            return None
        choices = await self._catalogue.incidents.choices(incident.vault, incident.study_uid)
        copies = await asyncio.to_thread(_copies, blocks, incident.sop_uid)
        content = copies.pop(incident.receive_id, None)
        for place, other in copies.items():
            if other == content and self._journal.holds(place) and place not in choices.damaged:
                return place
        self._seen[incident.id] = study.instances
        return None


_Content = tuple[bytes, str, str]


def _copies(blocks: Sequence[StudyBlock], sop_uid: SopInstanceUid) -> dict[ReceiveId, _Content]:
    """Where the catalogue has that instance, and with which content. Blocking."""
    return {
        ReceiveId(block.node, known.epoch, known.position): (
            known.digest, known.transfer_syntax, known.sop_class,
        )
        for block in blocks
        for known in _core.decode_block(block.block)
        if known.sop_instance == sop_uid
    }  # fmt: skip

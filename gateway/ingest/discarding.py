"""Discarding: what a person decided to give up leaves journal and store, whatever happens in between.

The decision is durable in the catalogue first: bytes that are gone without one could never be explained. From
then on it is owed, until the journal has done it and the catalogue knows. Every step may be done again.
"""

import asyncio

import structlog

from gateway.catalogue import Catalogue
from gateway.errors import DamagedInstanceError, GatewayError
from gateway.journal import Journal
from gateway.model.identifiers import VaultId, VolumeId
from gateway.model.incident import Incident
from gateway.storage.object_store import ObjectStore

log = structlog.get_logger(__name__)

LOOK_AGAIN_SECONDS = 30.0
PAGE = 200


class Discarder:
    """Pays what is owed: at once when a person decides here, else at start and every half minute."""

    def __init__(self, journal: Journal, catalogue: Catalogue, store: ObjectStore) -> None:
        self._journal, self._catalogue, self._store = journal, catalogue, store
        self._damaged = {(one.epoch, one.position) for one in journal.recovery.damaged}
        self._told: set[int] = set()

    async def run(self) -> None:
        """Until cancelled. Other nodes' decisions on newcomers of this one are found here."""
        while True:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            await self.pay_all()

    async def pay_all(self) -> None:
        """Everything that is owed by this node; what cannot be done now stays owed."""
        try:
            vaults = tuple(vault.id for vault in await self._catalogue.grants.vaults())
            after, more = 0, bool(vaults)
            while more:
                page = await self._catalogue.incidents.discarding(
                    self._journal.identifier, vaults, after=after, limit=PAGE
                )
                for incident in page:
                    await self.pay(incident)
                    after = incident.id
                more = len(page) == PAGE
        except GatewayError as error:
            log.warning("what is to be discarded cannot be looked up now", reason=str(error))

    async def pay(self, incident: Incident) -> Incident:
        """The incident as it is then: `discard_owed` still, if it could not be done now."""
        if not incident.discard_owed or not self._journal.holds(incident.receive_id):
            return incident
        try:
            return await self._discard(incident)
        except GatewayError as error:
            if incident.id not in self._told:
                log.warning("a newcomer cannot be discarded yet", incident=incident.id, reason=str(error))
            self._told.add(incident.id)
            return incident

    async def _discard(self, incident: Incident) -> Incident:
        where = incident.receive_id
        if (where.epoch, where.position) in self._damaged:
            raise DamagedInstanceError("a power cut damaged it; what is left of it stays in its segment")
        because = f"incident {incident.id}: {incident.resolution_reason} ({incident.resolved_by})"
        if incident.volume is not None:
            await self._remove(incident.volume, incident.vault, because)
        await self._journal.discard([where], because)
        return await self._catalogue.incidents.discarded(incident.id, [incident.vault])

    async def _remove(self, volume: VolumeId, vault: VaultId, because: str) -> None:
        """It holds one newcomer alone. Its row stays, and says why there is nothing any more."""
        gone = await self._catalogue.volumes.get(volume, [vault])
        await self._catalogue.volumes.damaged(volume, vault, f"discarded: {because}")
        await self._store.remove(gone.key)

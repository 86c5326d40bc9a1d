"""Setting aside: quarantined newcomers that nobody resolves leave the journal, each in its own volume."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import structlog

from gateway.catalogue import Catalogue
from gateway.errors import GatewayError, PlanError
from gateway.journal import Journal
from gateway.model.identifiers import VolumeId, ulid
from gateway.model.incident import Incident, IncidentState
from gateway.model.moment import instant
from gateway.model.volume import LooseNewcomer, PlannedVolume, VolumeKind, VolumePlan
from gateway.storage.layout import volume_key

log = structlog.get_logger(__name__)

LOOK_SECONDS_MOST = 60.0
LOOK_SECONDS_LEAST = 0.05


class Setter:
    """Plans what has waited long enough; what cannot be assembled stays in the journal."""

    def __init__(
        self,
        journal: Journal,
        catalogue: Catalogue,
        take: Callable[[PlannedVolume], Awaitable[None]],
        *,
        seconds: float,
    ) -> None:
        self._journal, self._catalogue, self._take = journal, catalogue, take
        self._age = timedelta(seconds=seconds)
        self._pause = min(LOOK_SECONDS_MOST, max(LOOK_SECONDS_LEAST, seconds / 4))
        self._given_up: set[int] = set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except GatewayError as error:
                log.warning("quarantined instances cannot be set aside now", reason=str(error))
            await asyncio.sleep(self._pause)

    async def look(self) -> None:
        """Plans a volume for each newcomer that is due."""
        before = datetime.now(UTC) - self._age
        for newcomer in await self._catalogue.volumes.loose_newcomers(self._journal.identifier):
            if newcomer.received_at <= before and newcomer.incident not in self._given_up:
                incident = await self._catalogue.incidents.get(newcomer.incident, [newcomer.vault])
                if self._is_due(incident):
                    await self._set_aside(newcomer)

    def abandoned(self, planned: PlannedVolume) -> None:
        """Its bytes cannot be had, or the store does not keep them: it stays until the next start."""
        self._given_up.update(planned.plan.incidents)

    def _is_due(self, incident: Incident) -> bool:
        """An open one that was compared, if it can be: comparing needs both in the journal."""
        comparable = incident.kept is not None and self._journal.holds(incident.kept)
        return incident.state is IncidentState.OPEN and (incident.difference is not None or not comparable)

    async def _set_aside(self, newcomer: LooseNewcomer) -> None:
        now = time.time_ns()
        volume = VolumeId(ulid(now // 1_000_000, secrets.token_bytes(10)))
        plan = VolumePlan(
            id=volume, key=volume_key(newcomer.vault, volume, quarantined=True), vault=newcomer.vault,
            study_uid=newcomer.study_uid, node=self._journal.identifier, planned_at=instant(now // 1000),
            kind=VolumeKind.QUARANTINED, incidents=(newcomer.incident,),
        )  # fmt: skip
        try:
            planned = await self._catalogue.volumes.plan(plan)
        except PlanError as error:  # resolved meanwhile
            log.info("a quarantined instance is not set aside", incident=newcomer.incident, reason=str(error))
            return
        log.info("a quarantined instance is set aside", incident=newcomer.incident, volume=volume)
        await self._take(planned)

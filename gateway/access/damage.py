"""Damage: an instance found damaged while it was read becomes an incident, off the reader's path."""

import asyncio
from collections.abc import Callable

import structlog

from gateway.access.find import Match
from gateway.catalogue import Catalogue
from gateway.errors import CatalogueError, GatewayError
from gateway.journal import Journal

log = structlog.get_logger(__name__)

WAITING_MAX = 10_000
"""Beyond this, damage stays in the log alone until it is read again: the disk itself is dying."""
RETRY_SECONDS = 10.0


class DamageReports:
    """Found by readers, told to the catalogue by a task of its own; once for each instance."""

    def __init__(
        self,
        journal: Journal,
        catalogue: Catalogue,
        *,
        on_told: Callable[[], None] = lambda: None,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._journal, self._catalogue = journal, catalogue
        self._on_told = on_told
        self._retry_seconds = retry_seconds
        self._waiting: dict[Match, str] = {}
        self._kick = asyncio.Event()

    def report(self, match: Match, reason: str) -> None:
        """Never waits. What is damaged in the journal is kept again from now on when it comes; what is in a
        volume, once the catalogue has heard of it. The same report again opens no second incident."""
        if match.place is None:
            self._journal.damaged(match.receive_id)
        if len(self._waiting) < WAITING_MAX:
            self._waiting.setdefault(match, reason)
            self._kick.set()

    async def run(self) -> None:
        """Until cancelled. While the catalogue cannot be asked, reports wait."""
        while True:
            await self._kick.wait()
            self._kick.clear()
            if not await self._tell_all():
                await asyncio.sleep(self._retry_seconds)
                self._kick.set()

    async def _tell_all(self) -> bool:
        for match, reason in list(self._waiting.items()):
            try:
                await self._record(match, reason)
            except CatalogueError as error:
                log.warning("damage cannot be recorded", sop_instance=match.sop_instance, reason=str(error))
            except GatewayError as error:
                log.warning("damage cannot be recorded now", waiting=len(self._waiting), reason=str(error))
                return False
            del self._waiting[match]
            self._on_told()
        return True

    async def _record(self, match: Match, reason: str) -> None:
        """Where one instance is damaged, nothing rests on the whole volume until somebody has checked it."""
        if match.place is not None:
            reason = f"in volume {match.place.volume}: {reason}"
        await self._catalogue.incidents.damaged(
            match.receive_id, vault=match.vault, study_uid=match.study,
            sop_uid=match.sop_instance, reason=reason,
        )  # fmt: skip
        if match.place is not None:
            await self._catalogue.volumes.damaged(match.place.volume, match.vault, reason)
            self._journal.study_changed(match.vault, match.study)

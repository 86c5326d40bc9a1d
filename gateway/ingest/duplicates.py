"""Duplicates: when a study opens here, what the catalogue knows of it is loaded once."""

import asyncio
from uuid import UUID

import structlog

from gateway import _core
from gateway.catalogue import Catalogue
from gateway.errors import CatalogueUnavailableError, GatewayError, UnavailableError
from gateway.journal import Journal
from gateway.model.identifiers import StudyUid, VaultId

log = structlog.get_logger(__name__)

ASKING_MAX = 6
"""Studies asked for at once; fewer than the catalogue's connections, so that landing is never starved."""
KNOWN_SECONDS_MAX = 10.0
"""From the core's question on, with the wait for a place: a sender's patience ends, too."""
SILENT_SECONDS = 1.0
"""After a question that stayed without an answer none is asked for so long: senders hear A700H at once."""


class StudyOpener:
    """Answers the core's question: what is known of this study?"""

    def __init__(self, journal: Journal, catalogue: Catalogue, *, asking_max: int = ASKING_MAX) -> None:
        self._journal, self._catalogue = journal, catalogue
        self._room = asyncio.Semaphore(asking_max)
        self._silent_until = 0.0

    async def open(self, opening: _core.StudyOpening) -> None:
        """Tells the core; if the catalogue cannot be asked, the study's senders get A700H: never guess."""
        vault, study = VaultId(UUID(bytes=opening.vault)), StudyUid(opening.study)
        told = False
        try:
            await self._ask(vault, study)
            told = True
        except (GatewayError, TimeoutError, ValueError) as error:
            reason = str(error) or "the catalogue did not answer in time"
            log.warning("study cannot be opened", vault=str(vault), study=study, reason=reason)
        finally:
            if not told:
                self._journal.study_failed(vault, study)

    async def _ask(self, vault: VaultId, study: StudyUid) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        if began < self._silent_until:
            raise CatalogueUnavailableError("the catalogue did not answer just now")
        try:
            async with asyncio.timeout(KNOWN_SECONDS_MAX), self._room:
                known = await self._catalogue.known(vault, study)
                await self._journal.study_opened(vault, study, known)
        except (UnavailableError, TimeoutError):
            # One that is refused at once costs nobody time, and may be over at once.
            if loop.time() - began >= SILENT_SECONDS:
                self._silent_until = loop.time() + SILENT_SECONDS
            raise

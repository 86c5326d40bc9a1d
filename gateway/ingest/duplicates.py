"""Duplicates: when a study opens here, what the catalogue knows of it is loaded once."""

import asyncio
from uuid import UUID

import structlog

from gateway import _core
from gateway.catalogue import Catalogue
from gateway.errors import CatalogueError, UnavailableError
from gateway.journal import Journal
from gateway.model.identifiers import StudyUid, VaultId

log = structlog.get_logger(__name__)

ASKING_MAX = 6
"""Studies asked for at once; fewer than the catalogue's connections, so that landing is never starved."""
KNOWN_SECONDS_MAX = 10.0


class StudyOpener:
    """Answers the core's question: what is known of this study?"""

    def __init__(self, journal: Journal, catalogue: Catalogue, *, asking_max: int = ASKING_MAX) -> None:
        self._journal, self._catalogue = journal, catalogue
        self._room = asyncio.Semaphore(asking_max)

    async def open(self, opening: _core.StudyOpening) -> None:
        """Tells the core; if the catalogue cannot be asked, the study's senders get A700H: never guess."""
        vault, study = VaultId(UUID(bytes=opening.vault)), StudyUid(opening.study)
        told = False
        try:
            async with self._room, asyncio.timeout(KNOWN_SECONDS_MAX):
                known = await self._catalogue.known(vault, study)
                await self._journal.study_opened(vault, study, known)
                told = True
        except (UnavailableError, CatalogueError, TimeoutError, ValueError) as error:
            reason = str(error) or "the catalogue did not answer in time"
            log.warning("study cannot be opened", vault=str(vault), study=study, reason=reason)
        finally:
            if not told:
                self._journal.study_failed(vault, study)

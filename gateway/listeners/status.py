"""Status: what the node says of itself, for health, for metrics and for people."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.catalogue import Catalogue
from gateway.errors import CatalogueError, UnavailableError
from gateway.journal import Journal, JournalSpace
from gateway.model.identifiers import StudyUid
from gateway.model.volume import Uncommitted
from gateway.storage.object_store import StoreHealth


@dataclass(frozen=True, slots=True)
class Keeping:
    """How it stands with volumes and the store."""

    store: StoreHealth | None
    """None: the store does not answer."""
    working: int
    """Volumes that are assembled, stored or read back now."""
    waits_for: str | None
    """What keeps them from it."""
    oldest_seconds: float
    """How long the oldest has waited that is in no volume yet."""
    stopped: tuple[StudyUid, ...]
    """Studies of which too many volumes failed: they wait for `kuva volume retry`."""


@dataclass(frozen=True, slots=True)
class Status:
    """One look at the node. `ready` means that a C-STORE sent now can be answered 0000H."""

    live: bool
    ready: bool
    why_not: tuple[str, ...]
    draining: bool
    associations: int
    catalogue: bool
    behind: bool
    journal: JournalSpace
    counters: dict[str, int]
    keeping: Keeping
    uncommitted: Uncommitted | None
    """What of the whole archive was not committed for longer than the profile's time, by a look that is a
    quarter of an hour old at most; None: there was none yet."""


class Node:
    """The parts of the node that know how it is."""

    def __init__(
        self,
        journal: Journal,
        catalogue: Catalogue,
        *,
        associations: Callable[[], int],
        behind: Callable[[], bool],
        draining: Callable[[], bool],
        keeping: Callable[[], Awaitable[Keeping]],
        uncommitted: Callable[[], Uncommitted | None],
    ) -> None:
        self._journal, self._catalogue = journal, catalogue
        self._associations, self._behind, self._draining = associations, behind, draining
        self._keeping, self._uncommitted = keeping, uncommitted

    async def status(self) -> Status:
        """Asks the catalogue and the journal."""
        space = self._journal.space()
        catalogue = await self._catalogue_answers()
        why_not = tuple(
            why
            for wrong, why in (
                (space.why is not None, str(space.why)),
                (not catalogue, "the catalogue cannot be asked"),
                (self._draining(), "shutting down"),
            )
            if wrong
        )
        return Status(
            live=True, ready=not why_not, why_not=why_not, draining=self._draining(),
            associations=self._associations(), catalogue=catalogue, behind=self._behind(), journal=space,
            counters=self._journal.counters(), keeping=await self._keeping(),
            uncommitted=self._uncommitted(),
        )  # fmt: skip

    async def _catalogue_answers(self) -> bool:
        try:
            await self._catalogue.ping()
        except (UnavailableError, CatalogueError):
            return False
        return True

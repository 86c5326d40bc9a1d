"""Status: what the node says of itself, for health, for metrics and for people."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.catalogue import Catalogue
from gateway.errors import CatalogueError, UnavailableError
from gateway.journal import Journal, JournalSpace


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
    ) -> None:
        self._journal, self._catalogue = journal, catalogue
        self._associations, self._behind, self._draining = associations, behind, draining

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
            counters=self._journal.counters(),
        )  # fmt: skip

    async def _catalogue_answers(self) -> bool:
        try:
            await self._catalogue.ping()
        except (UnavailableError, CatalogueError):
            return False
        return True

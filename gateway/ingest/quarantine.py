"""Quarantine: newcomers held apart are compared with what was kept, in the background."""

import structlog

from gateway import _core
from gateway.catalogue import Catalogue, IncidentFilters
from gateway.errors import GatewayError, UnavailableError
from gateway.ingest.looking import Looking
from gateway.ingest.rescue import verify
from gateway.journal import Journal
from gateway.model.incident import Difference, Incident, IncidentKind, Resolution

log = structlog.get_logger(__name__)

DIFFERENCES_MAX = 100
PAGE = 200


class Comparer:
    """Gives each quarantine incident its field-level difference; equivalent newcomers resolve themselves."""

    def __init__(self, journal: Journal, catalogue: Catalogue) -> None:
        self._journal, self._catalogue = journal, catalogue
        self._looking = Looking(self.compare_all, "quarantined instances cannot be compared now")
        self._given_up: set[int] = set()

    def kick(self) -> None:
        """Something was quarantined."""
        self._looking.kick()

    async def run(self) -> None:
        """Until cancelled."""
        await self._looking.run()

    async def compare_all(self) -> None:
        """Compares every open incident of this node that nobody has compared."""
        vaults = tuple(vault.id for vault in await self._catalogue.grants.vaults())
        after: int | None = None
        while vaults:
            filters = IncidentFilters(vaults, kind=IncidentKind.QUARANTINE)
            page = await self._catalogue.incidents.list(filters, limit=PAGE, after=after)
            for incident in page:
                if incident.difference is None and self._can_compare(incident):
                    await self._try(incident)
            if len(page) < PAGE:
                return
            after = page[-1].id

    def _can_compare(self, incident: Incident) -> bool:
        return (
            incident.id not in self._given_up
            and incident.kept is not None
            and self._journal.holds(incident.receive_id)
            and self._journal.holds(incident.kept)
        )

    async def _try(self, incident: Incident) -> None:
        """One that cannot be compared stays as it is, and the others are not kept waiting by it."""
        try:
            await self._compare(incident)
        except UnavailableError:
            raise
        except (GatewayError, ValueError) as error:
            self._given_up.add(incident.id)
            log.warning("a quarantined instance cannot be compared", incident=incident.id, reason=str(error))

    async def _compare(self, incident: Incident) -> None:
        assert incident.kept is not None
        # The CRCs that comparing checks do not say that it is what was received.
        for one in (incident.kept, incident.receive_id):
            await verify(self._journal, self._catalogue, incident, one)
        found = await self._journal.compare(incident.kept, incident.receive_id, DIFFERENCES_MAX)
        difference = () if found.equivalent else _differences(found)
        now = await self._catalogue.incidents.compared(
            incident.id, [incident.vault], difference, equivalent=found.equivalent
        )
        if now.resolution is Resolution.EQUIVALENT:
            self._journal.accept_equivalent(incident.receive_id)


def _differences(found: _core.Comparison) -> tuple[Difference, ...]:
    listed = tuple(Difference(d.path, d.kind, d.kept, d.newcomer) for d in found.differences)
    if not listed:
        listed = (Difference("transfer syntax", "changed", "", "not comparable element by element"),)
    if not found.complete:
        listed += (Difference("...", "changed", "", f"more than {DIFFERENCES_MAX} differences"),)
    return listed

"""Asking the running gateway through its own commands, as an operator would."""

import asyncio
import time
from dataclasses import dataclass

from gateway.demo.reading import listed, mapping, whole
from gateway.demo.running import GatewayFailed, RunningGateway

COMPARED_SECONDS_MAX = 15.0
"""For the gateway to compare, in the background, what it holds apart with what it keeps."""
_DISPUTES = ("quarantine", "dispute")
_STUDIES_MAX, _INCIDENTS_MAX = "1000", "1000"


@dataclass(frozen=True, slots=True)
class Stock:
    """What the archive holds: instances it can find, and live bytes in its journal."""

    instances: int
    live: int

    def is_no_more_than(self, before: "Stock") -> bool:
        """Whether nothing was added since; the journal may have been relieved by a volume meanwhile."""
        return self.instances == before.instances and self.live <= before.live

    def __str__(self) -> str:
        return f"{self.instances:,} instances, {self.live:,} bytes live"


@dataclass(frozen=True, slots=True)
class Difference:
    """One element in which a newcomer differs from the kept instance."""

    path: str
    kind: str
    kept: str
    newcomer: str


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as `kuva incident show` tells it. `differences` is None until it was compared."""

    number: int
    kind: str
    state: str
    sop_instance: str
    resolution: str
    differences: tuple[Difference, ...] | None


class Archive:
    """The gateway's own account of what it holds."""

    def __init__(self, gateway: RunningGateway) -> None:
        self._gateway = gateway

    async def stock(self) -> Stock:
        """Instances in all studies, and the journal's live bytes."""
        page = mapping(await self._gateway.command("study", "list", "--limit", _STUDIES_MAX))
        if page.get("after") is not None:
            raise GatewayFailed(f"more than {_STUDIES_MAX} studies: the demo counts one page only")
        studies = listed(page.get("studies"))
        journal = mapping(await self._gateway.command("journal", "show"))
        instances = sum(whole(mapping(study), "instances") for study in studies)
        return Stock(instances, whole(mapping(journal.get("space")), "live"))

    async def incident_of(self, sop_instance: str) -> Incident | None:
        """The newest incident of an instance, once it was compared; None if there is none in time."""
        deadline = time.monotonic() + COMPARED_SECONDS_MAX
        while time.monotonic() < deadline:
            for incident in await self._incidents():
                if incident.sop_instance == sop_instance and incident.differences is not None:
                    return incident_from(
                        await self._gateway.command("incident", "show", str(incident.number))
                    )
            await asyncio.sleep(0.5)
        return None

    async def equivalents(self) -> frozenset[str]:
        """SOP instances whose conflict resolved itself: the same, in another uncompressed transfer syntax."""
        return frozenset(i.sop_instance for i in await self._incidents() if i.resolution == "equivalent")

    async def disputed(self) -> frozenset[str]:
        """SOP instances of which a twin with other content is held apart."""
        incidents = await self._incidents()
        return frozenset(i.sop_instance for i in incidents if i.kind in _DISPUTES and i.state == "open")

    async def _incidents(self) -> list[Incident]:
        said = await self._gateway.command("incident", "list", "--state", "all", "--limit", _INCIDENTS_MAX)
        return [incident_from(one) for one in listed(said)]


def incident_from(said: object) -> Incident:
    """An incident from a command's JSON. Raises `GatewayFailed` if it is none."""
    one = mapping(said)
    differences = one.get("difference")
    return Incident(
        number=whole(one, "id"),
        kind=str(one.get("kind")),
        state=str(one.get("state")),
        sop_instance=str(one.get("sop_uid")),
        resolution=str(one.get("resolution")),
        differences=None if differences is None else tuple(map(_difference, listed(differences))),
    )


def _difference(said: object) -> Difference:
    one = mapping(said)
    return Difference(
        path=str(one.get("path")),
        kind=str(one.get("kind")),
        kept=str(one.get("before")),
        newcomer=str(one.get("after")),
    )

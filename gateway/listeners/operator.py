"""The operator's socket: what `kuva` commands ask of the running gateway, over HTTP on a Unix socket."""

import os
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from gateway.access.overview import Overview
from gateway.catalogue import Catalogue, IncidentFilters
from gateway.ingest.discarding import Discarder
from gateway.journal import Journal
from gateway.listeners import SOCKET_NAME
from gateway.listeners.asked import (
    RequestError,
    answer,
    body_of,
    enum_of,
    number,
    plain_errors,
    study_uid_of,
    text_of,
)
from gateway.listeners.callers import Callers
from gateway.listeners.commitments import CommitmentRoutes
from gateway.listeners.http import runner
from gateway.listeners.status import Node
from gateway.model.identifiers import VaultId
from gateway.model.incident import BY_MACHINE, Incident, IncidentKind, IncidentState, Resolution
from gateway.model.study import StudyFilters

BODY_LENGTH_MAX = 64 << 10


class OperatorListener:
    """Serves whoever may open the socket: the folder's owner, nobody else."""

    def __init__(
        self,
        data: Path,
        journal: Journal,
        catalogue: Catalogue,
        node: Node,
        *,
        callers: Callers,
        commitments: CommitmentRoutes,
        discarder: Discarder,
        overview: Overview,
        more: Sequence[web.RouteDef] = (),
    ) -> None:
        self._path = data / SOCKET_NAME
        self._journal, self._catalogue, self._node = journal, catalogue, node
        self._discarder = discarder
        self._overview = overview
        application = web.Application(middlewares=[plain_errors], client_max_size=BODY_LENGTH_MAX)
        application.add_routes(
            [
                web.get("/status", self._status),
                web.get("/studies", self._studies),
                web.get("/studies/{uid}", self._study),
                web.get("/journal", self._entries),
                web.get("/incidents", self._incidents),
                web.get("/incidents/{id:[0-9]{1,18}}", self._incident),
                web.post("/incidents/{id:[0-9]{1,18}}/resolve", self._resolve),
                *callers.routes(),
                *commitments.routes(),
                *more,
            ]
        )
        self._runner = runner(application, "operator", shutdown_seconds=1.0)

    async def open(self) -> None:
        """Makes the socket, for its owner only."""
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            await self._runner.setup()
            await web.UnixSite(self._runner, str(self._path)).start()
        finally:
            os.umask(before)

    async def close(self) -> None:
        """Ends what is being answered; the socket goes away."""
        await self._runner.cleanup()
        self._path.unlink(missing_ok=True)

    async def _vaults(self) -> tuple[VaultId, ...]:
        return tuple(vault.id for vault in await self._catalogue.grants.vaults())

    async def _status(self, _: web.Request) -> web.Response:
        return answer(await self._node.status())

    # --- studies ---------------------------------------------------------------------------------

    async def _studies(self, request: web.Request) -> web.Response:
        asked = request.query
        vaults = {vault.id: vault.name for vault in await self._catalogue.grants.vaults()}
        filters = StudyFilters(
            vaults=tuple(vaults),
            patient_id=asked.get("patient_id", ""),
            patient_name=asked.get("patient_name", ""),
            accession_number=asked.get("accession_number", ""),
            study_date_from=asked.get("date_from", ""),
            study_date_to=asked.get("date_to", ""),
        )
        after = number(asked.get("after")) if "after" in asked else None
        page = await self._catalogue.studies.list(filters, limit=number(asked.get("limit"), 50), after=after)
        named = {str(vault): name for vault, name in vaults.items()}
        return answer({"studies": page.studies, "after": page.after, "vaults": named})

    async def _study(self, request: web.Request) -> web.Response:
        uid = study_uid_of(request.match_info["uid"])
        return answer(await self._overview.study(uid, await self._vaults()))

    # --- journal ---------------------------------------------------------------------------------

    async def _entries(self, request: web.Request) -> web.Response:
        names = ("epoch", "position", "study", "sop_instance", "transfer_syntax", "length", "verdict")
        entries = await self._journal.entries(number(request.query.get("limit"), 20))
        return answer(
            {
                "node": self._journal.identifier,
                "epoch": self._journal.epoch,
                "space": self._journal.space(),
                "counters": self._journal.counters(),
                "newest": [dict(zip(names, entry, strict=True)) for entry in entries],
            }
        )

    # --- incidents -------------------------------------------------------------------------------

    async def _incidents(self, request: web.Request) -> web.Response:
        asked = request.query
        filters = IncidentFilters(
            vaults=await self._vaults(),
            state=None if asked.get("state") == "all" else enum_of(IncidentState, asked.get("state", "open")),
            kind=enum_of(IncidentKind, asked["kind"]) if "kind" in asked else None,
            study_uid=study_uid_of(asked["study"]) if asked.get("study") else "",
        )
        return answer(await self._catalogue.incidents.list(filters, limit=number(asked.get("limit"), 100)))

    async def _incident(self, request: web.Request) -> web.Response:
        return answer(await self._get_incident(request))

    async def _get_incident(self, request: web.Request) -> Incident:
        return await self._catalogue.incidents.get(int(request.match_info["id"]), await self._vaults())

    async def _resolve(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        resolution = enum_of(Resolution, text_of(body, "resolution"))
        reason, by = text_of(body, "reason"), text_of(body, "by")
        incident = await self._get_incident(request)
        if resolution in BY_MACHINE:
            raise RequestError(f"only the machine resolves an incident as {resolution.value}")
        resolved = await self._catalogue.incidents.resolve(
            incident.id, [incident.vault], resolution=resolution, reason=reason, by=by
        )
        if incident.kind is IncidentKind.DISPUTE:
            self._journal.study_changed(incident.vault, incident.study_uid)
        return answer(await self._discarder.pay(resolved))

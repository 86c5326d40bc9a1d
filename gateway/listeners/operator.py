"""The operator's socket: what `kuva` commands ask of the running gateway, over HTTP on a Unix socket."""

import base64
import os
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import TypeVar

import orjson
from aiohttp import web

from gateway.access.overview import Overview
from gateway.catalogue import Catalogue, IncidentFilters
from gateway.errors import (
    CatalogueError,
    GatewayError,
    LocalError,
    NotDiscardableError,
    NotFoundError,
    ResolutionError,
    UnavailableError,
)
from gateway.journal import Journal
from gateway.listeners import SOCKET_NAME
from gateway.listeners.status import Node
from gateway.model.association import ApplicationEntity, Grant, Role
from gateway.model.identifiers import VaultId, parse_ae_title, parse_uid
from gateway.model.incident import Incident, IncidentKind, IncidentState, Resolution
from gateway.model.refusal import Preset, Severity
from gateway.model.study import StudyFilters

BODY_LENGTH_MAX = 64 << 10
IDLE_SECONDS_MAX = 24 * 3600

_Member = TypeVar("_Member", bound=Enum)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RequestError(GatewayError):
    """What the command asked for makes no sense; it is told why."""


class OperatorListener:
    """Serves whoever may open the socket: the folder's owner, nobody else."""

    def __init__(
        self, data: Path, journal: Journal, catalogue: Catalogue, node: Node, default_vault: VaultId | None
    ) -> None:
        self._path = data / SOCKET_NAME
        self._journal, self._catalogue, self._node = journal, catalogue, node
        self._default_vault = default_vault
        self._overview = Overview(catalogue)
        application = web.Application(middlewares=[_plain_errors], client_max_size=BODY_LENGTH_MAX)
        application.add_routes(
            [
                web.get("/status", self._status),
                web.get("/studies", self._studies),
                web.get("/studies/{uid}", self._study),
                web.get("/journal", self._entries),
                web.get("/incidents", self._incidents),
                web.get("/incidents/{id:[0-9]{1,18}}", self._incident),
                web.post("/incidents/{id:[0-9]{1,18}}/resolve", self._resolve),
                web.get("/ae", self._list_grants),
                web.post("/ae", self._add_grant),
            ]
        )
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)

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
        return _json(await self._node.status())

    # --- studies ---------------------------------------------------------------------------------

    async def _studies(self, request: web.Request) -> web.Response:
        asked = request.query
        filters = StudyFilters(
            vaults=await self._vaults(),
            patient_id=asked.get("patient_id", ""),
            patient_name=asked.get("patient_name", ""),
            accession_number=asked.get("accession_number", ""),
            study_date_from=asked.get("date_from", ""),
            study_date_to=asked.get("date_to", ""),
        )
        after = _number(asked.get("after")) if "after" in asked else None
        return _json(
            await self._catalogue.studies.list(filters, limit=_number(asked.get("limit"), 50), after=after)
        )

    async def _study(self, request: web.Request) -> web.Response:
        shown = await self._overview.study(request.match_info["uid"], await self._vaults())
        return _json(shown)

    # --- journal ---------------------------------------------------------------------------------

    async def _entries(self, request: web.Request) -> web.Response:
        names = ("epoch", "position", "study", "sop_instance", "transfer_syntax", "length", "verdict")
        entries = await self._journal.entries(_number(request.query.get("limit"), 20))
        return _json(
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
            state=None if asked.get("state") == "all" else _enum(IncidentState, asked.get("state", "open")),
            kind=_enum(IncidentKind, asked["kind"]) if "kind" in asked else None,
            study_uid=asked.get("study", ""),
        )
        return _json(await self._catalogue.incidents.list(filters, limit=_number(asked.get("limit"), 100)))

    async def _incident(self, request: web.Request) -> web.Response:
        return _json(await self._get_incident(request))

    async def _get_incident(self, request: web.Request) -> Incident:
        return await self._catalogue.incidents.get(int(request.match_info["id"]), await self._vaults())

    async def _resolve(self, request: web.Request) -> web.Response:
        body = await _body(request)
        resolution = _enum(Resolution, _text(body, "resolution"))
        reason, by = _text(body, "reason"), _text(body, "by")
        incident = await self._get_incident(request)
        if resolution is Resolution.EQUIVALENT:
            raise RequestError("only the machine says that two instances are equivalent")
        resolved = await self._catalogue.incidents.resolve(
            incident.id, [incident.vault], resolution=resolution, reason=reason, by=by
        )
        if resolution is Resolution.DISCARD and self._journal.holds(incident.receive_id):
            # The decision is durable first: bytes that are gone without one could never be explained.
            await self._journal.discard([incident.receive_id], f"incident {incident.id}: {reason} ({by})")
        return _json(resolved)

    # --- application entities --------------------------------------------------------------------

    async def _list_grants(self, _: web.Request) -> web.Response:
        return _json(
            {"vaults": await self._catalogue.grants.vaults(), "grants": await self._catalogue.grants.list()}
        )

    async def _add_grant(self, request: web.Request) -> web.Response:
        body = await _body(request)
        try:
            entity = _entity(body)
            called = parse_ae_title(_text(body, "called"))
            role = Role(_text(body, "role") or "own")
        except ValueError as error:
            raise RequestError(str(error)) from None
        vault = await self._vault_named(_text(body, "vault"))
        grant = Grant(caller=entity, called=called, vault=vault, role=role, valid_from=datetime.now(UTC))
        await self._catalogue.grants.add(grant)
        return _json(grant)

    async def _vault_named(self, name: str) -> VaultId:
        """The vault of that name, made if there is none; without a name the demo vault, where there is."""
        if not name:
            if self._default_vault is None:
                raise RequestError("say which vault: --vault NAME (it is made if it does not exist)")
            return self._default_vault
        for vault in await self._catalogue.grants.vaults():
            if name in (vault.name, str(vault.id)):
                return vault.id
        return (await self._catalogue.grants.create_vault(VaultId(uuid.uuid4()), name)).id


def _entity(body: dict[str, object]) -> ApplicationEntity:
    preset = _text(body, "rule_preset")
    rules, preference = body.get("rules") or {}, body.get("transfer_syntaxes") or []
    if not isinstance(rules, dict) or not isinstance(preference, list):
        raise RequestError("rules are pairs, transfer syntaxes a list")
    overrides = ((rule, Severity(_text(rules, rule)).value) for rule in rules)
    return ApplicationEntity(
        title=parse_ae_title(_text(body, "calling")),
        description=_text(body, "description"),
        transfer_syntax_preference=tuple(parse_uid(_text({"UID": uid}, "UID")) for uid in preference),
        idle_seconds=_idle_seconds(body.get("idle_seconds")),
        rule_preset=Preset(preset).value if preset else None,
        rule_overrides=tuple(sorted(overrides)),
    )


def _idle_seconds(value: object) -> float | None:
    """Whoever sets a timer to nothing, to never or to no number has made no setting."""
    if value is None:
        return None
    if not isinstance(value, int | float) or not 1 <= value <= IDLE_SECONDS_MAX:
        raise RequestError(f"idle seconds are 1 to {IDLE_SECONDS_MAX}")
    return float(value)


def _text(body: dict[str, object], name: str) -> str:
    """The text of that name; empty if there is none. Nothing else is made into a text."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RequestError(f"{name[:40]} is a text")
    return value


async def _body(request: web.Request) -> dict[str, object]:
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise RequestError(f"not JSON: {error}") from None
    if not isinstance(body, dict):
        raise RequestError("a JSON object is expected")
    return body


def _number(text: str | None, default: int = 0) -> int:
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 18:
        raise RequestError(f"not a number: {text[:20]!r}")
    return int(text)


def _enum(kind: type[_Member], value: str) -> _Member:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(str(member.value) for member in kind)
        raise RequestError(f"{value[:40]!r}: there is {known}") from None


def _json(body: object, status: int = 200) -> web.Response:
    data = orjson.dumps(body, default=_shown, option=orjson.OPT_APPEND_NEWLINE)
    return web.Response(body=data, status=status, content_type="application/json")


def _shown(value: object) -> object:
    if isinstance(value, uuid.UUID):
        return str(value)  # a subclass of the database driver's
    if isinstance(value, bytes):
        return base64.b16encode(value).decode().lower()
    raise TypeError(type(value).__name__)


@web.middleware
async def _plain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Our errors as words; anything else is a defect and stays 500."""
    try:
        return await handler(request)
    except NotFoundError as error:
        return _json({"error": str(error)}, 404)
    except (RequestError, ResolutionError, NotDiscardableError) as error:
        return _json({"error": str(error)}, 409)
    except UnavailableError as error:
        return _json({"error": str(error)}, 503)
    except (CatalogueError, LocalError, GatewayError) as error:
        return _json({"error": str(error)}, 500)

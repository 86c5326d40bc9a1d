"""The callers' records, as an operator asks for them: checked against what exists, then kept."""

import math
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from gateway.catalogue import Catalogue
from gateway.listeners.asked import RequestError, answer, body_of, text_of
from gateway.model.association import RESETTABLE, EntityChange, Granted, GrantWanted, ReportMode, Role
from gateway.model.identifiers import AeTitle, Uid, VaultId, parse_ae_title
from gateway.model.refusal import Preset, Severity
from gateway.profiles import Profile
from gateway.settings import nearest

SECONDS_MAX = 24 * 3600.0
PORT_MAX = 65_535
TEXT_LENGTH_MAX = 200
"""Characters of a description or a vault's name."""
KNOWN_FIELDS = frozenset(
    (
        "calling",
        "called",
        "vault",
        "role",
        "description",
        "idle_seconds",
        "preset",
        "rules",
        "prefer",
        "report_host",
        "report_port",
        "report_mode",
        "parking_seconds",
        "reset",
    )
)
RESETS = {
    "description": "description",
    "idle-seconds": "idle_seconds",
    "prefer": "transfer_syntax_preference",
    "preset": "rule_preset",
    "rules": "rule_overrides",
    "report-host": "report_host",
    "report-port": "report_port",
    "report-mode": "report_mode",
    "parking-seconds": "parking_seconds",
}
"""What can go back to its default, as the command calls it -> as the record does."""
assert set(RESETS.values()) == RESETTABLE


@dataclass(frozen=True, slots=True)
class Existing:
    """What a caller's record may name."""

    called_titles: tuple[str, ...]
    """AE titles that are ours, the first by default."""
    rule_codes: frozenset[str]
    settable_rules: frozenset[str]
    """Those of them whose severity is not fixed."""
    profile: Profile
    default_vault: VaultId | None
    """For callers that are given none; only where nothing is configured."""


class Callers:
    """Routes of the operator's socket."""

    def __init__(self, catalogue: Catalogue, existing: Existing) -> None:
        self._grants, self._existing = catalogue.grants, existing

    def routes(self) -> Sequence[web.RouteDef]:
        """What `kuva ae` asks."""
        return (
            web.get("/ae", self._list),
            web.post("/ae", self._add),
            web.post("/ae/end", self._end),
        )

    async def _list(self, request: web.Request) -> web.Response:
        ended = request.query.get("ended") == "1"
        grants = await self._grants.list(valid_after=None if ended else datetime.now(UTC))
        return answer({"vaults": await self._grants.vaults(), "grants": grants})

    async def _add(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        wanted = wanted_of(body, self._existing, datetime.now(UTC))
        return answer(_shown(await self._grants.add(wanted)))

    async def _end(self, request: web.Request) -> web.Response:
        body = await body_of(request)
        ended = await self._grants.end(
            _title(body, "calling"),
            called=_title(body, "called") if body.get("called") is not None else "",
            vault=_text(body["vault"], "vault") if body.get("vault") is not None else "",
            at=datetime.now(UTC),
        )
        return answer({"vaults": await self._grants.vaults(), "ended": ended})


def wanted_of(body: dict[str, object], existing: Existing, now: datetime) -> GrantWanted:
    """A grant as asked for; what is absent or null is left as recorded. Raises `RequestError`."""
    if unknown := body.keys() - KNOWN_FIELDS:
        raise RequestError(f"{min(unknown)[:40]}: unknown{nearest(min(unknown)[:40], KNOWN_FIELDS)}")
    given = {name: value for name, value in body.items() if value is not None}
    return GrantWanted(
        caller=_change(given, existing),
        called=_called(given, existing.called_titles),
        valid_from=now,
        vault=_text(given["vault"], "vault") if "vault" in given else None,
        default_vault=existing.default_vault,
        role=Role(_one_of(given["role"], _values(Role), "role")) if "role" in given else None,
    )


def _change(given: dict[str, object], existing: Existing) -> EntityChange:
    return EntityChange(
        title=_title(given, "calling"),
        description=_text(given["description"], "description", empty=True)
        if "description" in given
        else None,
        transfer_syntax_preference=_syntaxes(given["prefer"], existing.profile)
        if "prefer" in given
        else None,
        idle_seconds=_seconds(given["idle_seconds"], "idle seconds", 1) if "idle_seconds" in given else None,
        report_host=_host(given["report_host"]) if "report_host" in given else None,
        report_port=_port(given["report_port"]) if "report_port" in given else None,
        report_mode=ReportMode(_one_of(given["report_mode"], _values(ReportMode), "report mode"))
        if "report_mode" in given
        else None,
        parking_seconds=_seconds(given["parking_seconds"], "parking seconds", 0)
        if "parking_seconds" in given
        else None,
        rule_preset=_one_of(given["preset"], _values(Preset), "preset") if "preset" in given else None,
        rule_overrides=_rules(given.get("rules", {}), existing),
        reset=frozenset(
            RESETS[_one_of(name, RESETS, "reset")] for name in _list_of(given.get("reset", []), "reset")
        ),
    )


def _values(kind: type[Role | Preset | Severity | ReportMode]) -> tuple[str, ...]:
    return tuple(member.value for member in kind)


def _one_of(value: object, known: Collection[str], what: str) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{what}: a text is expected")
    if value not in known:
        raise RequestError(f"{what} {value[:70]!r} does not exist{nearest(value[:70], known)}")
    return value


def _list_of(value: object, what: str) -> list[object]:
    if not isinstance(value, list):
        raise RequestError(f"{what}: a list is expected")
    return value


def _title(body: dict[str, object], name: str) -> AeTitle:
    try:
        return parse_ae_title(text_of(body, name))
    except ValueError as error:
        raise RequestError(str(error)) from None


def _called(body: dict[str, object], titles: tuple[str, ...]) -> AeTitle:
    title = _title({"called": titles[0], **body}, "called")
    if title not in titles:
        raise RequestError(
            f"called AE title {title} is not one of ours (dicom.ae_titles){nearest(title, titles)}"
        )
    return title


def _text(value: object, what: str, *, empty: bool = False) -> str:
    """A line for people: nothing in it that a terminal would obey."""
    if not isinstance(value, str) or len(value) > TEXT_LENGTH_MAX:
        raise RequestError(f"{what}: a text of at most {TEXT_LENGTH_MAX} characters is expected")
    if value != value.strip() or not (value or empty):
        raise RequestError(f"{what}: empty, or with space at an end")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in value):
        raise RequestError(f"{what}: control characters are not text")
    return value


def _seconds(value: object, what: str, least: int) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RequestError(f"{what}: a number is expected")
    if not least <= value <= SECONDS_MAX:
        raise RequestError(f"{what}: {least} to {SECONDS_MAX:,.0f}")
    return float(value)


def _host(value: object) -> str:
    """A name or an address; whether anybody is there shows when the first report is due."""
    host = _text(value, "report host")
    if not host.isascii() or any(character in " /@?#" for character in host):
        raise RequestError("report host: a name or an address, without port")
    return host


def _port(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= PORT_MAX:
        raise RequestError(f"report port: 1 to {PORT_MAX}")
    return value


def _rules(value: object, existing: Existing) -> dict[str, str]:
    if not isinstance(value, dict):
        raise RequestError("rules: CODE -> refuse or flag")
    for code in value:
        _one_of(code, existing.rule_codes, "content rule")
        if code not in existing.settable_rules:
            raise RequestError(f"content rule {code} always refuses: its severity cannot be set")
    return {code: _one_of(how, _values(Severity), f"{code}: severity") for code, how in value.items()}


def _syntaxes(value: object, profile: Profile) -> tuple[Uid, ...]:
    """Transfer syntaxes that the profile accepts, by UID or keyword, each once."""
    uids = {profile.keywords[uid]: uid for uid in profile.acceptance.transfer_syntaxes}
    known = {*uids, *uids.values()}
    named = [_one_of(name, known, "transfer syntax") for name in _list_of(value, "prefer")]
    return tuple(dict.fromkeys(uids.get(name, Uid(name)) for name in named))


def _shown(granted: Granted) -> dict[str, object]:
    grant = granted.grant
    return {
        "caller": grant.caller,
        "called": grant.called,
        "vault": grant.vault,
        "vault_name": granted.vault_name,
        "vault_made": granted.vault_made,
        "role": grant.role,
        "valid_from": grant.valid_from,
        "valid_until": grant.valid_until,
        "new": granted.new,
        "changes": granted.changes,
    }

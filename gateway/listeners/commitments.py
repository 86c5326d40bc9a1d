"""Storage commitment requests, as an operator asks for them: what they wait for, what is owed."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from aiohttp import web

from gateway.catalogue import Catalogue
from gateway.listeners.asked import RequestError, answer, number
from gateway.model.commitment import Commitment
from gateway.model.delivery import DeliveryStatus
from gateway.model.identifiers import VaultId

FAILURES_SHOWN_MAX = 1_000
DAYS_MAX = 36_500


class CommitmentRoutes:
    """Routes of the operator's socket."""

    def __init__(
        self, catalogue: Catalogue, *, on_retry: Callable[[], None], uncommitted_after_days: float
    ) -> None:
        self._catalogue, self._on_retry = catalogue, on_retry
        self._after_days = uncommitted_after_days

    def routes(self) -> Sequence[web.RouteDef]:
        """What `kuva commitment` asks."""
        return (
            web.get("/commitments", self._list),
            web.get("/commitments/missing", self._missing),
            web.get("/commitments/{id:[0-9]{1,18}}", self._show),
            web.post("/commitments/{id:[0-9]{1,18}}/retry", self._retry),
        )

    async def _vaults(self) -> tuple[VaultId, ...]:
        return tuple(vault.id for vault in await self._catalogue.grants.vaults())

    async def _list(self, request: web.Request) -> web.Response:
        asked, vaults = request.query, await self._vaults()
        found = await self._catalogue.commitments.list(
            vaults,
            calling=asked.get("calling", ""),
            transaction_uid=asked.get("transaction", ""),
            pending=asked.get("pending") == "1",
            limit=number(asked.get("limit"), 50),
            after=number(asked["after"]) if "after" in asked else None,
        )
        reports = await self._catalogue.deliveries.of([one.id for one in found], vaults)
        return answer([_shown(one, reports[one.id]) for one in found])

    async def _show(self, request: web.Request) -> web.Response:
        vaults = await self._vaults()
        commitment = await self._catalogue.commitments.get(int(request.match_info["id"]), vaults)
        reports = await self._catalogue.deliveries.of([commitment.id], vaults)
        failures = [
            {"sop_class": item.sop_class, "sop_instance": item.sop_uid, "reason": f"{reason.value:04X}H",
             "words": reason.name.lower().replace("_", " ")}
            for item, reason in list(commitment.failures.items())[:FAILURES_SHOWN_MAX]
        ]  # fmt: skip
        return answer({**_shown(commitment, reports[commitment.id]), "failures": failures})

    async def _missing(self, request: web.Request) -> web.Response:
        """What was verified and never committed, for so many days."""
        days = _days_of(request.query.get("days"), self._after_days)
        before = datetime.now(UTC) - timedelta(days=days)
        named = {vault.id: vault.name for vault in await self._catalogue.grants.vaults()}
        volumes = self._catalogue.volumes
        found = await volumes.uncommitted(before)
        listed = await volumes.uncommitted_since(
            tuple(named), before, limit=number(request.query.get("limit"), 100)
        )
        missing = [
            {"vault": one.vault, "vault_name": named[one.vault], "study_uid": one.study_uid, "volume": one.id,
             "instances": one.uncommitted, "of": one.instances, "verified_at": one.verified_at}
            for one in listed
        ]  # fmt: skip
        return answer(
            {"after_days": days, "volumes": found.volumes, "instances": found.instances,
             "since": found.since, "missing": missing}
        )  # fmt: skip

    async def _retry(self, request: web.Request) -> web.Response:
        """What is owed is brought now, also what was given up."""
        many = await self._catalogue.deliveries.again(int(request.match_info["id"]), await self._vaults())
        self._on_retry()
        return answer({"reports": many})


def _days_of(text: str | None, default: float) -> float:
    """Days as an operator gives them. Raises `RequestError`."""
    try:
        days = default if text is None else float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= DAYS_MAX:
        raise RequestError(f"days: a number from 0 to {DAYS_MAX:,}")
    return days


def _shown(commitment: Commitment, reports: Sequence[DeliveryStatus]) -> dict[str, object]:
    resolved = commitment.resolved_at is not None
    failed = len(commitment.failures)
    return {
        "id": commitment.id,
        "transaction_uid": commitment.transaction_uid,
        "calling": commitment.calling,
        "called": commitment.called,
        "asked_at": commitment.asked_at,
        "deadline_at": commitment.deadline_at,
        "resolved_at": commitment.resolved_at,
        "instances": commitment.items_count,
        "committed": commitment.items_count - failed if resolved else None,
        "failed": failed if resolved else None,
        "waits_for": _waits_for(commitment, reports),
        "reports": reports,
    }


def _waits_for(commitment: Commitment, reports: Sequence[DeliveryStatus]) -> str:
    """Whose turn it is, in words; empty: all is done."""
    if commitment.resolved_at is None:
        return "its instances: to arrive, or to be verified in a volume"
    owed = [one for one in reports if one.delivered_at is None]
    if any(one.given_up_at is not None for one in owed):
        return f"an operator, or the sender: {owed[-1].last_error}"
    if any(one.waits_for_fact for one in owed):
        return "the object store: the fact of it is not written yet"
    if owed:
        return f"{owed[-1].destination} to take the report" + (
            f": {owed[-1].last_error}" if owed[-1].last_error else ""
        )
    return ""

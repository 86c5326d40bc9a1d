"""What the gateway itself says of its volumes and of what was asked of it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.demo.reading import listed, mapping, moment, whole
from gateway.demo.running import GatewayFailed, RunningGateway

_VOLUMES_MAX = 1000
LIVE = frozenset({"planned", "stored", "verified", "sealed"})
"""States in which a volume is, or is to become, the place of its instances."""
READABLE = frozenset({"verified", "sealed"})


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume, as `kuva volume list` tells it."""

    id: str
    key: str
    study: str
    kind: str
    state: str
    instances: int
    stored_at: datetime | None = None
    verified_at: datetime | None = None
    superseded: bool = False
    damaged: bool = False

    @property
    def live(self) -> bool:
        """Whether the instances of a study are counted in it."""
        return self.kind == "kept" and self.state in LIVE and not self.superseded

    @property
    def sound(self) -> bool:
        """Whether something may rest on it."""
        return self.state in READABLE and not self.damaged


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """How far the instances of one study are, as `kuva study show` tells it."""

    received: int
    planned: int
    stored: int
    verified: int
    committed: int
    waits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One storage commitment request, as `kuva commitment list` tells it."""

    transaction: str
    instances: int
    committed: int | None
    failed: int | None


class Keeping:
    """Asks the running gateway."""

    def __init__(self, gateway: RunningGateway) -> None:
        self._gateway = gateway

    async def volumes(self, study: str | None = None) -> tuple[Volume, ...]:
        """All but the abandoned ones; of a study, those too."""
        which = ("--study", study) if study else ("--limit", str(_VOLUMES_MAX))
        said = listed(await self._gateway.command("volume", "list", *which))
        if study is None and len(said) == _VOLUMES_MAX:
            raise GatewayFailed(f"{_VOLUMES_MAX} volumes or more: the demo counts one page only")
        return tuple(volume_from(one) for one in said)

    async def lifecycle(self, study: str) -> Lifecycle:
        """Of a study that lies in one vault. Raises `GatewayFailed`."""
        said = listed(await self._gateway.command("study", "show", study))
        if len(said) != 1:
            raise GatewayFailed(f"study {study} is in {len(said)} vaults")
        return lifecycle_from(mapping(said[0]).get("lifecycle"))

    async def requests(self, transaction: str) -> tuple[Request, ...]:
        """Everything that was asked under one transaction UID."""
        said = await self._gateway.command("commitment", "list", "--transaction", transaction)
        return tuple(request_from(one) for one in listed(said))

    async def take_reports(self, calling: str, *, port: int) -> None:
        """Records that a caller takes reports on its own association, else at a port of loopback."""
        await self._gateway.command(
            "ae", "add", calling, "--report-host", "127.0.0.1", "--report-port", str(port),
            "--report-mode", "same_then_new",
        )  # fmt: skip


async def together(keeping: Keeping, study: str, transaction: str) -> tuple[
    tuple[Volume, ...], Lifecycle, tuple[Request, ...]
]:  # fmt: skip
    """All three of a study, asked at once: each command takes its time to start."""
    return await asyncio.gather(
        keeping.volumes(study), keeping.lifecycle(study), keeping.requests(transaction)
    )


def volume_from(said: object) -> Volume:
    """From a command's JSON. Raises `GatewayFailed` if it is none, as do the others."""
    one = mapping(said)
    return Volume(
        id=str(one.get("id")),
        key=str(one.get("key")),
        study=str(one.get("study_uid")),
        kind=str(one.get("kind")),
        state=str(one.get("state")),
        instances=whole(one, "instances"),
        stored_at=moment(one, "stored_at"),
        verified_at=moment(one, "verified_at"),
        superseded=one.get("superseded_by") is not None,
        damaged=one.get("damaged_at") is not None,
    )


def lifecycle_from(said: object) -> Lifecycle:
    """From `kuva study show`."""
    one = mapping(said)
    waits = (mapping(wait) for wait in listed(one.get("waits")))
    return Lifecycle(
        whole(one, "received"),
        whole(one, "planned"),
        whole(one, "stored"),
        whole(one, "verified"),
        whole(one, "committed"),
        waits=tuple(f"{w.get('turn')}: {w.get('what')}" for w in waits),
    )


def request_from(said: object) -> Request:
    """From `kuva commitment list`."""
    one = mapping(said)
    return Request(
        str(one.get("transaction_uid")),
        whole(one, "instances"),
        _known(one, "committed"),
        _known(one, "failed"),
    )


def _known(one: Mapping[str, object], name: str) -> int | None:
    return None if one.get(name) is None else whole(one, name)

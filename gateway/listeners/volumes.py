"""The volumes' part of the operator's socket: listed, shown, checked, given out, tried again."""

from aiohttp import web

from gateway.catalogue import Catalogue
from gateway.custody.checking import Checker
from gateway.ingest.planner import Planner
from gateway.listeners.asked import RequestError, answer, body_of, enum_of, number, text_of
from gateway.model.identifiers import StudyUid, VaultId, VolumeId
from gateway.model.volume import Volume, VolumeState
from gateway.storage.object_store import ObjectStore

LIVE_OR_DONE = tuple(state for state in VolumeState if state is not VolumeState.ABANDONED)
_SENT_AT_ONCE = 1 << 20
"""Bytes that the event loop copies without a pause."""


class Volumes:
    """Handlers for `kuva volume`."""

    def __init__(self, catalogue: Catalogue, store: ObjectStore, checker: Checker, planner: Planner) -> None:
        self._catalogue, self._store, self._checker, self._planner = catalogue, store, checker, planner

    def routes(self) -> list[web.RouteDef]:
        """What the operator's listener serves of them."""
        return [
            web.get("/volumes", self._list),
            web.get("/volumes/{id:[0-9A-Z]{26}}", self._show),
            web.post("/volumes/{id:[0-9A-Z]{26}}/check", self._check),
            web.get("/volumes/{id:[0-9A-Z]{26}}/tar", self._tar),
            web.post("/volumes/retry", self._retry),
        ]

    async def _vaults(self) -> tuple[VaultId, ...]:
        return tuple(vault.id for vault in await self._catalogue.grants.vaults())

    async def _list(self, request: web.Request) -> web.Response:
        asked, vaults = request.query, await self._vaults()
        if study := asked.get("study"):
            found = [
                v for vault in vaults for v in await self._catalogue.volumes.of_study(vault, StudyUid(study))
            ]
            return answer([_shown(volume) for volume in found])
        state = asked.get("state", "")
        states = None if state == "all" else (enum_of(VolumeState, state),) if state else LIVE_OR_DONE
        listed = await self._catalogue.volumes.list(
            vaults, states=states, damaged="damaged" in asked, limit=number(asked.get("limit"), 50),
            after=VolumeId(asked["after"]) if "after" in asked else None,
        )  # fmt: skip
        return answer([_shown(volume) for volume in listed])

    async def _get(self, request: web.Request) -> Volume:
        return await self._catalogue.volumes.get(VolumeId(request.match_info["id"]), await self._vaults())

    async def _show(self, request: web.Request) -> web.Response:
        volume = await self._get(request)
        reason = self._planner.reason_of(volume.id)
        return answer(_shown(volume) | {"planned_because": reason and reason.value})

    async def _check(self, request: web.Request) -> web.Response:
        volume = await self._get(request)
        if volume.digest is None:
            raise RequestError(f"volume {volume.id} is {volume.state.value}: nothing is stored yet")
        return answer(await self._checker.check(volume))

    async def _tar(self, request: web.Request) -> web.StreamResponse:
        """The volume as it is in the store. Whoever takes it checks it: half of it is no volume."""
        volume = await self._get(request)
        length = await self._store.size(volume.key)
        response = web.StreamResponse(headers={"Content-Type": "application/x-tar"})
        response.content_length = length
        await response.prepare(request)
        async for piece in self._store.read_back(volume.key):
            for offset in range(0, len(piece), _SENT_AT_ONCE):
                # A copy, as it may be sent later than the next piece is read.
                await response.write(bytes(piece[offset : offset + _SENT_AT_ONCE]))
        await response.write_eof()
        return response

    async def _retry(self, request: web.Request) -> web.Response:
        study = StudyUid(text_of(await body_of(request), "study"))
        waiting = [vault for vault in await self._vaults() if self._planner.retry(vault, study)]
        if not waiting:
            raise RequestError(f"nothing of study {study} waits for a volume on this node")
        return answer({"study": study, "vaults": waiting})


def _shown(volume: Volume) -> dict[str, object]:
    """Without its block, which no person reads."""
    return {name: getattr(volume, name) for name in Volume.__dataclass_fields__ if name != "block"}

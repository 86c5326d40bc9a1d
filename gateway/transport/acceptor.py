"""The acceptor: a listening socket, the associations that come through it, one sweeper for their timers."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from gateway import _core
from gateway.transport.association import Association, Phase
from gateway.transport.bounded import who_pays
from gateway.transport.timers import Timers
from gateway.wire.dicom.refusals import SOCKETS

log = structlog.get_logger(__name__)

OPENING_MAX = 512
"""Sockets without an association yet; counted apart, so that idle ones cannot crowd out associations."""
OPENING_PER_ADDRESS_MAX = 64
BACKLOG = 1024


class Acceptor:
    """Accepts sockets and gives each association a task in one task group."""

    def __init__(
        self,
        new_engine: Callable[[int], _core.Association],
        serve: Callable[[Association], Awaitable[None]],
        timers: Timers,
        *,
        catch_up: Callable[[], None] = lambda: None,
        on_turned_away: Callable[[Association], None] = lambda association: None,
    ) -> None:
        self._catch_up, self._on_turned_away = catch_up, on_turned_away
        self._new_engine, self._serve, self._timers = new_engine, serve, timers
        self._associations: dict[int, Association] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._server: asyncio.Server | None = None
        self._serving = asyncio.Event()
        self._number = 0
        self.turned_away = 0
        """Sockets closed unread, for want of room before any A-ASSOCIATE."""

    async def open(self, host: str, port: int) -> int:
        """Binds; returns the port. OSError if it cannot be had."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._new, host, port, backlog=BACKLOG, reuse_address=True, start_serving=False
        )
        chosen: int = self._server.sockets[0].getsockname()[1]
        return chosen

    async def run(self) -> None:
        """Accepts until cancelled."""
        assert self._server is not None, "open it first"
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            await self._server.start_serving()
            self._serving.set()
            try:
                await self._sweep()
            finally:
                self._server.close()

    async def serving(self) -> None:
        """Returns once sockets are accepted."""
        await self._serving.wait()

    def stop_accepting(self) -> None:
        """Closes the listening socket. Associations go on; whoever serves rejects those that only now ask."""
        if self._server is not None:
            self._server.close()

    def get(self, number: int) -> Association | None:
        """The association of that number, if it is still there."""
        return self._associations.get(number)

    def established(self) -> list[Association]:
        """Associations that were accepted and have not ended."""
        return [a for a in self._associations.values() if a.phase is Phase.ESTABLISHED]

    def __len__(self) -> int:
        """Sockets, in whatever phase."""
        return len(self._associations)

    def _new(self) -> Association:
        self._number += 1
        engine = self._new_engine(self._number)
        return Association(
            engine,
            self._timers,
            number=self._number,
            on_made=self._made,
            on_lost=self._lost,
            catch_up=self._catch_up,
        )

    def _made(self, association: Association) -> None:
        if self._tasks is None or not self._make_room(association):
            self.turned_away += 1
            association.cut(SOCKETS)
            self._on_turned_away(association)
            return
        self._associations[association.number] = association
        self._tasks.create_task(self._attend(association), name=f"association-{association.number}")

    async def _attend(self, association: Association) -> None:
        await self._serve(association)

    def _make_room(self, newcomer: Association) -> bool:
        """When the pool is full its greediest address pays, or a few idle hosts would lock out all others."""
        opening = [a for a in self._associations.values() if a.phase is Phase.OPENING]
        if sum(_host(a) == _host(newcomer) for a in opening) >= OPENING_PER_ADDRESS_MAX:
            return False
        paying = who_pays([_host(a) for a in opening], OPENING_MAX)  # they are kept in order of arrival
        if paying is not None:
            self.turned_away += 1
            opening[paying].cut(SOCKETS)
        return True

    def _lost(self, association: Association) -> None:
        self._associations.pop(association.number, None)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self._timers.sweep_seconds())
            now = time.monotonic()
            for association in list(self._associations.values()):
                association.sweep(now)


def _host(association: Association) -> str:
    return association.address.rpartition(":")[0]

"""HTTP as the doors serve it: named limits, deadlines, and a log in which strangers cannot make noise."""

import asyncio
import logging
import time

import structlog
from aiohttp import http_exceptions, web

from gateway.transport.bounded import Bounds

log = structlog.get_logger(__name__)

SOCKETS_MAX = 64
"""On one port: watchers are few."""
HEADER_SECONDS_MAX = 10.0
"""For a request's header to be whole, from the connection or the answer before it: so long may a kept-alive
socket be idle, too."""
SOCKET_SECONDS_MAX = 300.0
"""Of one socket, whatever it does: no one holds a place by trickling a body or not reading an answer."""
BODY_LINGER_SECONDS = 1.0
"""For the rest of a body that nobody asked for."""
TOLD_SECONDS = 1.0
"""Of a flood the log hears so often, with how many there were."""


class Throttled:
    """One event of the log at most each second; the next one says how many went untold."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._told_at, self._untold = float("-inf"), 0

    def tell(self, **fields: object) -> None:
        """Logs it, or counts it."""
        now = time.monotonic()
        if now - self._told_at < TOLD_SECONDS:
            self._untold += 1
            return
        untold, self._untold, self._told_at = self._untold, 0, now
        log.warning(self._event, untold=untold, **fields)


class QuietLogger(logging.Logger):
    """What aiohttp logs: a request that is no HTTP is its peer's matter, what else fails a defect of ours."""

    def __init__(self, door: str) -> None:
        super().__init__(f"gateway.{door}", logging.WARNING)
        self.parent = logging.getLogger()
        self._door, self._malformed = door, Throttled("HTTP request malformed")

    def exception(self, msg: object, *args: object, exc_info: object = True, **_: object) -> None:
        """As aiohttp calls it: with the peer's address for what is wrong with a request."""
        if not self._told_malformed(args, exc_info):
            log.error("HTTP request met a defect", door=self._door, exc_info=exc_info)

    def debug(self, msg: object, *args: object, exc_info: object = None, **_: object) -> None:
        """As aiohttp calls it for TLS, or another language, on this port."""
        self._told_malformed(args, exc_info)

    def _told_malformed(self, args: tuple[object, ...], error: object) -> bool:
        if not isinstance(error, http_exceptions.HttpProcessingError):
            return False
        # Its words quote the peer's bytes: its kind is enough.
        peer = str(args[0]) if args else "unknown"
        self._malformed.tell(door=self._door, address=peer, why=type(error).__name__)
        return True


def runner(application: web.Application, door: str, *, shutdown_seconds: float) -> web.AppRunner:
    """Serves the application with the deadlines and the log of this module."""
    return web.AppRunner(
        application, access_log=None, handle_signals=False, shutdown_timeout=shutdown_seconds,
        keepalive_timeout=HEADER_SECONDS_MAX, lingering_time=BODY_LINGER_SECONDS, logger=QuietLogger(door),
    )  # fmt: skip


class HttpPort:
    """A TCP port of an application, with no more sockets than it may have."""

    def __init__(self, application: web.Application, door: str, *, shutdown_seconds: float) -> None:
        self._runner = runner(application, door, shutdown_seconds=shutdown_seconds)
        self._door, self._cut = door, Throttled("HTTP socket cut")
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Binds and serves; returns the port. OSError if it cannot be had."""
        await self._runner.setup()
        assert self._runner.server is not None, "set up just now"
        bounds = Bounds(
            self._runner.server,
            sockets_max=SOCKETS_MAX,
            seconds_max=SOCKET_SECONDS_MAX,
            on_cut=self._tell_cut,
        )
        self._server = await asyncio.get_running_loop().create_server(bounds, host, port, reuse_address=True)
        chosen: int = self._server.sockets[0].getsockname()[1]
        return chosen

    async def close(self) -> None:
        """Ends what is being answered."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    def _tell_cut(self, address: str) -> None:
        self._cut.tell(door=self._door, address=address)

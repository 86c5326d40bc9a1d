"""Looking: what is done again and again in the background, when called for and every half minute."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from gateway.errors import GatewayError

log = structlog.get_logger(__name__)

LOOK_AGAIN_SECONDS = 30.0


class Looking:
    """Calls `look` until cancelled. One that fails is told as `cannot`, and tried again."""

    def __init__(self, look: Callable[[], Awaitable[None]], cannot: str) -> None:
        self._look, self._cannot = look, cannot
        self._kick = asyncio.Event()

    def kick(self) -> None:
        """Look again now; during a look: once more after it."""
        self._kick.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._look()
            except (GatewayError, ValueError) as error:
                log.warning(self._cannot, reason=str(error))
            try:
                async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                    await self._kick.wait()
            except TimeoutError:
                pass
            self._kick.clear()

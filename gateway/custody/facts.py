"""Facts: what was decided goes from the catalogue into the object store, before anybody is told of it."""

import asyncio
from collections.abc import AsyncIterator, Callable

import structlog

from gateway.catalogue import Catalogue
from gateway.errors import DamagedFactError, GatewayError
from gateway.model.fact import Fact
from gateway.storage.layout import fact_key
from gateway.storage.object_store import ObjectStore, PutOutcome

log = structlog.get_logger(__name__)

AT_ONCE = 32
EVERY_SECONDS = 5.0
"""Facts of other nodes, and those of a crash, are looked for so often; our own kick."""
PAUSE_SECONDS_MAX = 60.0
"""Between tries while store or catalogue is away."""


class FactWriter:
    """Brings facts into the store. Any node may; the store takes each once."""

    def __init__(
        self, catalogue: Catalogue, store: ObjectStore, on_written: Callable[[], None] = lambda: None
    ) -> None:
        self._catalogue, self._store, self._on_written = catalogue, store, on_written
        self._kicked = asyncio.Event()

    def kick(self) -> None:
        """A fact was made just now."""
        self._kicked.set()

    async def run(self) -> None:
        """Until cancelled. What cannot be done now is tried again; nothing is lost by a stop."""
        pause = EVERY_SECONDS
        while True:
            self._kicked.clear()
            try:
                while await self.write():
                    pass
                pause = EVERY_SECONDS
            except GatewayError as error:
                pause = min(2 * pause, PAUSE_SECONDS_MAX)
                log.warning("facts wait to be written", reason=str(error), seconds=pause)
                await asyncio.sleep(pause)
                continue
            try:
                async with asyncio.timeout(pause):
                    await self._kicked.wait()
            except TimeoutError:
                pass

    async def write(self) -> int:
        """Writes some of what waits, and returns how many.

        Only what the store has, durable, is called written. One that the store will not take stays, and
        does not hold up the others; the last such error is raised once they are done.
        """
        facts = await self._catalogue.facts.unwritten(AT_ONCE)
        outcomes = await asyncio.gather(*(self._put(fact) for fact in facts), return_exceptions=True)
        failed = [one for one in outcomes if isinstance(one, BaseException)]
        written = [fact.id for fact, one in zip(facts, outcomes, strict=True) if one is None]
        if written:
            await self._catalogue.facts.written(written)
            self._on_written()
        if failed:
            raise failed[-1]
        return len(written)

    async def _put(self, fact: Fact) -> None:
        key, payload = fact_key(fact.vault, fact.id), fact.payload.encode()
        if await self._store.put(key, len(payload), _once(payload)) is PutOutcome.CREATED:
            return
        # Ours from an earlier try, of which nobody heard; or not, and then nothing rests on it.
        if await self._store.read(key, 0, len(payload) + 1) != payload:
            raise DamagedFactError(f"{key} is in the store, and says something else")


async def _once(payload: bytes) -> AsyncIterator[bytes]:
    yield payload

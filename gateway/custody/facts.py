"""Facts: what was decided goes from the catalogue into the object store, before anybody is told of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import structlog

from gateway.catalogue import Catalogue
from gateway.errors import DamagedFactError, GatewayError
from gateway.model.fact import Fact
from gateway.storage.layout import fact_key
from gateway.storage.object_store import ObjectStore

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
                if await self.write():
                    pause = EVERY_SECONDS
                    continue
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

        Only what the store has, durable and read back, is called written. One of which it has something else
        gets a new id, and so a new key. Neither that nor one that the store will not take holds up the
        others; if nothing at all could be written, the last error is raised once they are done.
        """
        facts = await self._catalogue.facts.unwritten(AT_ONCE)
        outcomes = await asyncio.gather(*(self._put(fact) for fact in facts), return_exceptions=True)
        failed = [one for one in outcomes if isinstance(one, BaseException)]
        written = [fact.id for fact, one in zip(facts, outcomes, strict=True) if one is None]
        for fact, one in zip(facts, outcomes, strict=True):
            if isinstance(one, DamagedFactError):
                log.error("a fact is not in the store as it was put", fact=fact.id, reason=str(one))
                await self._catalogue.facts.renew(fact.id)
        if written:
            await self._catalogue.facts.written(written)
            self._on_written()
        _raise_if(failed, unless=bool(written))
        return len(written)

    async def _put(self, fact: Fact) -> None:
        """Read back like a volume: a store that says that it has something is not believed.

        What is there may be ours from an earlier try of which nobody heard.
        """
        key, payload = fact_key(fact.vault, fact.id), fact.payload.encode()
        await self._store.put(key, len(payload), _once(payload))
        if await self._store.size(key) != len(payload) or await self._read_back(key) != payload:
            raise DamagedFactError(f"{key} is in the store, and says something else")

    async def _read_back(self, key: str) -> bytes:
        return b"".join([bytes(piece) async for piece in self._store.read_back(key)])


def _raise_if(failed: Sequence[BaseException], *, unless: bool) -> None:
    """What is no trouble of store or catalogue is a defect, and always raised."""
    defects = [error for error in failed if not isinstance(error, GatewayError)]
    if defects:
        raise defects[-1]
    if failed and not unless:
        raise failed[-1]


async def _once(payload: bytes) -> AsyncIterator[bytes]:
    yield payload

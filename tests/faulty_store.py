"""A folder store that fails after success, as promises.md's P3 wants: for tests of whoever believes in it."""

import os
import random
from collections.abc import AsyncIterator, Callable
from enum import Enum
from pathlib import Path

from gateway.storage.local import LocalStore
from gateway.storage.object_store import PutOutcome, StoredObject, StoreHealth


class Fault(Enum):
    LOSE = "lose"
    TRUNCATE = "truncate"
    SWAP = "swap"
    """The bytes of the object that was put before under this one's name; of the first, two of its own blocks."""
    FLIP = "flip"
    LIE_ONCE = "lie-once"
    """Good bytes, wrong the first time they are read back."""


class FaultyStore:
    """Everything goes to a real folder; what `next_fault` says happens once a put has succeeded."""

    def __init__(self, folder: Path, store: LocalStore, seed: int) -> None:
        self._folder = folder
        self._store = store
        self._random = random.Random(seed)
        self.next_fault: Fault | None = None
        self.harmed: dict[str, Fault] = {}
        self._lies: set[str] = set()
        self._before: str | None = None

    async def put(self, key: str, length: int, pieces: AsyncIterator[bytes]) -> PutOutcome:
        outcome = await self._store.put(key, length, pieces)
        fault, self.next_fault = self.next_fault, None
        if fault is not None and outcome is PutOutcome.CREATED:
            self.harm(key, fault)
        self._before = key
        return outcome

    def harm(self, key: str, fault: Fault) -> None:
        """Makes of a good object what a bad store would."""
        path = self._folder / key
        good = path.read_bytes()
        self.harmed[key] = fault
        match fault:
            case Fault.LOSE:
                path.unlink()
            case Fault.TRUNCATE:
                self._replace(path, good[: self._random.randrange(len(good))])
            case Fault.SWAP:
                self._replace(path, self._swapped(good))
            case Fault.FLIP:
                bad = bytearray(good)
                bad[self._random.randrange(len(bad))] ^= 1 << self._random.randrange(8)
                self._replace(path, bytes(bad))
            case Fault.LIE_ONCE:
                self._lies.add(key)

    def _swapped(self, good: bytes) -> bytes:
        other = self._folder / (self._before or ".")
        if other.is_file() and (bad := other.read_bytes()) != good:
            return bad
        half = len(good) // 2
        return good[half:] + good[:half]

    @staticmethod
    def _replace(path: Path, content: bytes) -> None:
        beside = path.with_name(".bad")
        beside.write_bytes(content)
        os.replace(beside, path)

    async def read_back(self, key: str) -> AsyncIterator[bytes | memoryview]:
        lies = key in self._lies
        self._lies.discard(key)
        async for piece in self._store.read_back(key):
            yield bytes([piece[0] ^ 1]) + bytes(piece[1:]) if lies else piece

    async def read(self, key: str, offset: int, length: int) -> bytes:
        return await self._store.read(key, offset, length)

    def reader(self, key: str) -> Callable[[int, int], bytes]:
        return self._store.reader(key)

    async def size(self, key: str) -> int:
        return await self._store.size(key)

    async def list(self, prefix: str) -> AsyncIterator[StoredObject]:
        async for found in self._store.list(prefix):
            yield found

    async def remove(self, key: str) -> None:
        await self._store.remove(key)

    async def health(self) -> StoreHealth:
        return await self._store.health()

    async def close(self) -> None:
        await self._store.close()

"""The memory store: for tests and simulations; promises what the others do, but to outlive the process."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from gateway.errors import ObjectAbsentError, ObjectLengthError
from gateway.storage.object_store import (
    PIECE_LENGTH_MAX,
    PutOutcome,
    StoredObject,
    StoreHealth,
    check_key,
    check_prefix,
)


class MemoryStore:
    """Objects in a dictionary."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, datetime]] = {}

    async def put(self, key: str, length: int, pieces: AsyncIterator[bytes | memoryview]) -> PutOutcome:
        """See `ObjectStore.put`."""
        if check_key(key) in self._objects:
            return PutOutcome.PRESENT
        content = b"".join([piece async for piece in pieces])
        if len(content) != length:
            raise ObjectLengthError(f"{key}: {len(content)} bytes came, {length} were said")
        if key in self._objects:  # somebody else's, meanwhile
            return PutOutcome.PRESENT
        self._objects[key] = (content, datetime.now(UTC))
        return PutOutcome.CREATED

    async def read(self, key: str, offset: int, length: int) -> bytes:
        """See `ObjectStore.read`."""
        return self._content(key)[offset : offset + length]

    def reader(self, key: str) -> Callable[[int, int], bytes]:
        """See `ObjectStore.reader`."""
        check_key(key)
        return lambda offset, length: self._content(key)[offset : offset + length]

    async def read_back(self, key: str) -> AsyncIterator[bytes | memoryview]:
        """See `ObjectStore.read_back`."""
        content = self._content(key)
        for offset in range(0, len(content), PIECE_LENGTH_MAX):
            yield content[offset : offset + PIECE_LENGTH_MAX]

    async def size(self, key: str) -> int:
        """See `ObjectStore.size`."""
        return len(self._content(key))

    async def list(self, prefix: str) -> AsyncIterator[StoredObject]:
        """See `ObjectStore.list`."""
        check_prefix(prefix)
        for key, (content, modified) in [*self._objects.items()]:
            if key.startswith(prefix):
                yield StoredObject(key, len(content), modified)

    async def remove(self, key: str) -> None:
        """See `ObjectStore.remove`."""
        self._objects.pop(check_key(key), None)

    async def health(self) -> StoreHealth:
        """See `ObjectStore.health`."""
        return StoreHealth("memory", "this process", None, "cached")

    async def close(self) -> None:
        """See `ObjectStore.close`."""

    def _content(self, key: str) -> bytes:
        try:
            return self._objects[check_key(key)][0]
        except KeyError:
            raise ObjectAbsentError(f"{key}: not in the store") from None

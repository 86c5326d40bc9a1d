"""The object store: what every store promises, whatever it is made of."""

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from gateway.errors import ObjectKeyError

KEY_LENGTH_MAX = 512
PIECE_LENGTH_MAX = 4 << 20
"""Bytes of a piece that `read_back` gives: more than the event loop may copy at once."""

# No part begins with a dot: neither "..", nor a hidden file, nor an unfinished one is ever a key.
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,126}(?:/[A-Za-z0-9_-][A-Za-z0-9._-]{0,126}){0,7}")


class PutOutcome(Enum):
    """What became of a put."""

    CREATED = "created"
    PRESENT = "present"
    """Something is there already: ours from an earlier try, or not; the caller compares it by digest."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a listing shows it."""

    key: str
    length: int
    modified: datetime
    """When it was put, by the store's clock."""


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """A store's state, for people."""

    kind: str
    place: str
    free: int | None
    """Bytes of room; None: not known, or without limit."""
    read_back: str
    """What `read_back` is worth: `direct` and `evicted` go around the page cache, `cached` does not."""


class ObjectStore(Protocol):
    """Keeps objects that never change. There is no verb that overwrites.

    A key is a lawful relative path (`check_key`); any other raises `ObjectKeyError`. Every verb raises
    `StoreUnavailableError` or `StoreFullError` if it did not happen and may be asked again.
    """

    async def put(self, key: str, length: int, pieces: AsyncIterator[bytes | memoryview]) -> PutOutcome:
        """Puts an object, if there is none under that key.

        CREATED MUST mean: all `length` bytes, and the name, are durable. PRESENT MUST mean: the name is, and
        the pieces were perhaps not asked for. Otherwise nothing is visible under the key. Raises what the
        pieces raise, `ObjectLengthError` if they are not `length` bytes, `ObjectDoubtfulError` if it
        cannot be known any more whether the name is durable: never again then under that key.
        """

    async def read(self, key: str, offset: int, length: int) -> bytes:
        """A range; shorter only where the object ends. `ObjectAbsentError`."""

    def reader(self, key: str) -> Callable[[int, int], bytes]:
        """As `read`, blocking, for threads: (offset, length) to bytes. `ObjectKeyError` at once."""

    def read_back(self, key: str) -> AsyncIterator[bytes | memoryview]:
        """The whole object as the medium has it, around the page cache (`health`). `ObjectAbsentError`.

        A piece is valid until the next one is asked for: copy what is kept longer.
        """

    async def size(self, key: str) -> int:
        """Its length. `ObjectAbsentError`."""

    def list(self, prefix: str) -> AsyncIterator[StoredObject]:
        """What is there below a folder ("volumes/"; "" is all), in no order, for audits."""

    async def remove(self, key: str) -> None:
        """Gone, and durably so, when it returns; it may be done again. Only for what a tombstone names."""

    async def health(self) -> StoreHealth:
        """State and room."""

    async def close(self) -> None:
        """What is under way ends."""


def check_key(key: str) -> str:
    """The key itself. Raises `ObjectKeyError` if it is no lawful relative path."""
    if len(key) > KEY_LENGTH_MAX or not _KEY.fullmatch(key):
        raise ObjectKeyError(f"no key of an object: {key[:100]!r}")
    return key


def check_prefix(prefix: str) -> str:
    """The prefix itself: nothing, or a key and a slash. Raises `ObjectKeyError`."""
    if prefix:
        if not prefix.endswith("/"):
            raise ObjectKeyError(f"a prefix ends with a slash: {prefix[:100]!r}")
        check_key(prefix[:-1])
    return prefix

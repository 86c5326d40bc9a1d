"""The object store's contract: one suite for every store there is."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.errors import ObjectAbsentError, ObjectKeyError, ObjectLengthError
from gateway.storage.local import LocalStore
from gateway.storage.memory import MemoryStore
from gateway.storage.object_store import PIECE_LENGTH_MAX, ObjectStore, PutOutcome
from tests.faulty_store import FaultyStore

KEY = "volumes/6e4bd5b5-8f0c-4c6c-9d3c-0c9f2a9a3f10/01ARZ3NDEKTSV4RRFFQ69G5FAV.tar"
OTHER = "facts/6e4bd5b5-8f0c-4c6c-9d3c-0c9f2a9a3f10/01ARZ3NDEKTSV4RRFFQ69G5FAW.json"
# Around the pages of the cache, the pieces and the blocks of reading back, and the window of writing.
LENGTHS = (0, 1, 4095, 4096, 4097, PIECE_LENGTH_MAX, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, (21 << 20) + 7)


@pytest_asyncio.fixture(params=("local", "memory", "double"))
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    made: ObjectStore
    match request.param:
        case "local":
            made = await LocalStore.open(tmp_path / "new" / "store")
        case "memory":
            made = MemoryStore()
        case _:  # what tests of others believe in must itself keep the contract
            made = FaultyStore(tmp_path, await LocalStore.open(tmp_path), seed=1)
    yield made
    await made.close()


def _content(length: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(length)


async def _in_pieces(content: bytes, length: int = 777_777) -> AsyncIterator[bytes]:
    for offset in range(0, len(content), length):
        yield content[offset : offset + length]
        await asyncio.sleep(0)


async def _put(store: ObjectStore, key: str, content: bytes) -> PutOutcome:
    return await store.put(key, len(content), _in_pieces(content))


async def _read_back(store: ObjectStore, key: str) -> bytes:
    pieces = [bytes(piece) async for piece in store.read_back(key)]
    assert all(0 < len(piece) <= PIECE_LENGTH_MAX for piece in pieces)
    return b"".join(pieces)


async def _keys(store: ObjectStore, prefix: str = "") -> set[str]:
    return {found.key async for found in store.list(prefix)}


@pytest.mark.parametrize("length", LENGTHS)
async def test_what_was_put_is_read_back(store: ObjectStore, length: int):
    content = _content(length)
    assert await _put(store, KEY, content) is PutOutcome.CREATED
    assert await _read_back(store, KEY) == content
    assert await store.read(KEY, 0, length) == content
    assert await store.size(KEY) == length


async def test_a_range_ends_where_the_object_ends(store: ObjectStore):
    content = _content(10_000)
    await _put(store, KEY, content)
    for offset, length in (
        (0, 1),
        (9_999, 1),
        (4_095, 2),
        (9_999, 2),
        (10_000, 1),
        (20_000, 5),
        (0, 0),
        (0, 20_000),
    ):
        assert await store.read(KEY, offset, length) == content[offset : offset + length]
        assert store.reader(KEY)(offset, length) == content[offset : offset + length]


async def test_nothing_is_ever_overwritten(store: ObjectStore):
    await _put(store, KEY, b"first")
    assert await _put(store, KEY, b"second, and longer") is PutOutcome.PRESENT
    assert await _read_back(store, KEY) == b"first"


async def test_of_many_puts_at_once_one_wins_whole(store: ObjectStore):
    contents = [_content(300_000 + seed, seed) for seed in range(8)]
    outcomes = await asyncio.gather(*(_put(store, KEY, content) for content in contents))
    assert sorted(outcome.value for outcome in outcomes) == ["created"] + ["present"] * 7
    assert await _read_back(store, KEY) == contents[outcomes.index(PutOutcome.CREATED)]
    assert await _keys(store) == {KEY}


class _TornError(Exception):
    pass


async def _torn(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    raise _TornError


async def _hangs() -> AsyncIterator[bytes]:
    yield b"beginning"
    await asyncio.Event().wait()


async def test_a_torn_put_leaves_nothing_and_may_be_done_again(store: ObjectStore, tmp_path: Path):
    with pytest.raises(_TornError):
        await store.put(KEY, 100_000, _torn([_content(50_000)]))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await store.put(KEY, 100_000, _hangs())
    for length in (99, 101):
        with pytest.raises(ObjectLengthError):
            await store.put(KEY, length, _in_pieces(b"x" * 100))
    with pytest.raises(ObjectAbsentError):
        await store.size(KEY)
    assert await _keys(store) == set()
    assert not [name for _, _, names in os.walk(tmp_path) for name in names]
    assert await _put(store, KEY, b"whole") is PutOutcome.CREATED


async def test_what_is_absent_is_said_to_be(store: ObjectStore):
    with pytest.raises(ObjectAbsentError):
        await store.read(KEY, 0, 1)
    with pytest.raises(ObjectAbsentError):
        await store.size(KEY)
    with pytest.raises(ObjectAbsentError):
        store.reader(KEY)(0, 1)
    with pytest.raises(ObjectAbsentError):
        await _read_back(store, KEY)


async def test_a_listing_has_what_is_below_the_prefix_with_lengths(store: ObjectStore):
    await _put(store, KEY, b"12345")
    await _put(store, OTHER, b"{}")
    listed = {found.key: found.length async for found in store.list("volumes/")}
    assert listed == {KEY: 5}
    assert await _keys(store) == {KEY, OTHER}
    assert await _keys(store, "nothing/") == set()
    with pytest.raises(ObjectKeyError):
        await _keys(store, "volumes")


async def test_what_is_removed_is_gone_and_may_be_removed_again(store: ObjectStore):
    await _put(store, KEY, b"12345")
    for _ in range(2):
        await store.remove(KEY)
    with pytest.raises(ObjectAbsentError):
        await store.size(KEY)


UNLAWFUL = (
    "", "/", "/etc/passwd", "..", "../x", "a/../b", "a//b", "a/", ".hidden", "a/.hidden", "a b", "a\0b", "a\n", "ä",
    "x" * 128, "/".join("abcdefghi"), "a\\b",
)  # fmt: skip


@pytest.mark.parametrize("key", UNLAWFUL)
async def test_a_key_that_is_no_lawful_path_is_refused_by_every_verb(store: ObjectStore, key: str):
    for verb in (
        lambda: _put(store, key, b""), lambda: store.read(key, 0, 1), lambda: store.size(key),
        lambda: store.remove(key), lambda: _read_back(store, key),
    ):  # fmt: skip
        with pytest.raises(ObjectKeyError):
            await verb()


async def test_health_says_how_much_reading_back_is_worth(store: ObjectStore):
    assert (await store.health()).read_back in ("direct", "evicted", "cached")

"""Facts go into the store, each once; only what is there, and says the same, is called written."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.catalogue import Catalogue
from gateway.custody.facts import FactWriter
from gateway.errors import DamagedFactError, ObjectAbsentError, StoreUnavailableError
from gateway.model.fact import VaultFact, parse_fact
from gateway.model.identifiers import VaultId
from gateway.storage.layout import fact_key
from gateway.storage.memory import MemoryStore
from gateway.storage.object_store import PutOutcome
from tests.catalogue_samples import vault_id, verify
from tests.postgresql import Server, running

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    async with running("embedded") as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def catalogue(server: Server) -> AsyncIterator[Catalogue]:
    opened = await Catalogue.open(server.address("kuva_gateway", await server.new_database()), verify)
    yield opened
    await opened.close()


async def _made(catalogue: Catalogue, *names: str) -> list[VaultId]:
    vaults = [vault_id() for _ in names]
    for vault, name in zip(vaults, names, strict=True):
        await catalogue.grants.create_vault(vault, name)
    return vaults


async def test_every_fact_is_in_the_store_before_it_is_called_written(catalogue: Catalogue) -> None:
    vaults, store, told = await _made(catalogue, "a", "b"), MemoryStore(), []
    facts = await catalogue.facts.unwritten()
    assert await FactWriter(catalogue, store, lambda: told.append(1)).write() == 2
    assert (await catalogue.facts.unwritten(), told) == ((), [1])
    kept = [parse_fact(await store.read(fact_key(f.vault, f.id), 0, 1000)) for f in facts]
    assert kept == [VaultFact(vaults[0], "a"), VaultFact(vaults[1], "b")]


async def test_one_that_was_put_and_not_called_written_is_not_put_again(catalogue: Catalogue) -> None:
    await _made(catalogue, "a")
    store = MemoryStore()
    (fact,) = await catalogue.facts.unwritten()
    payload = fact.payload.encode()
    await store.put(fact_key(fact.vault, fact.id), len(payload), _pieces(payload))  # and killed here
    assert await FactWriter(catalogue, store).write() == 1


async def test_another_object_under_its_key_is_never_taken_for_it(catalogue: Catalogue) -> None:
    await _made(catalogue, "a", "b")
    store = MemoryStore()
    first, second = await catalogue.facts.unwritten()
    await store.put(fact_key(first.vault, first.id), 2, _pieces(b"{}"))
    assert await FactWriter(catalogue, store).write() == 1  # the other is not held up
    assert await store.size(fact_key(second.vault, second.id)) > 2
    (again,) = await catalogue.facts.unwritten()
    assert (again.id != first.id, again.payload) == (True, first.payload)
    assert await FactWriter(catalogue, store).write() == 1
    assert await store.read(fact_key(again.vault, again.id), 0, 1000) == first.payload.encode()
    assert await store.read(fact_key(first.vault, first.id), 0, 1000) == b"{}"


class _Harming(MemoryStore):
    """Says that it has what it was given, and has something else, or nothing, the first time."""

    def __init__(self, kept: bytes | None) -> None:
        super().__init__()
        self._kept, self._harms = kept, True

    async def put(self, key: str, length: int, pieces: AsyncIterator[bytes | memoryview]) -> PutOutcome:
        if not self._harms:
            return await super().put(key, length, pieces)
        self._harms = False
        if self._kept is not None:
            await super().put(key, len(self._kept), _pieces(self._kept))
        return PutOutcome.CREATED


async def test_a_store_that_has_something_else_than_it_was_given_is_not_believed(
    catalogue: Catalogue,
) -> None:
    await _made(catalogue, "a")
    (fact,) = await catalogue.facts.unwritten()
    store = _Harming(fact.payload.replace("a", "b").encode())
    writer = FactWriter(catalogue, store)
    with pytest.raises(DamagedFactError, match=fact.id):
        await writer.write()
    (again,) = await catalogue.facts.unwritten()
    assert await writer.write() == 1
    assert await store.read(fact_key(again.vault, again.id), 0, 1000) == fact.payload.encode()


async def test_what_a_store_lost_is_put_again(catalogue: Catalogue) -> None:
    await _made(catalogue, "a")
    (fact,) = await catalogue.facts.unwritten()
    writer = FactWriter(catalogue, _Harming(None))
    with pytest.raises(ObjectAbsentError):
        await writer.write()
    assert await catalogue.facts.unwritten() == (fact,)
    assert await writer.write() == 1


class _Away(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.tries = 0

    async def put(self, key: str, length: int, pieces: AsyncIterator[bytes]) -> PutOutcome:
        self.tries += 1
        if self.tries < 3:
            raise StoreUnavailableError("away")
        return await super().put(key, length, pieces)


async def test_it_goes_on_when_the_store_is_back(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.custody.facts.EVERY_SECONDS", 0.01)
    await _made(catalogue, "a")
    store, written = _Away(), asyncio.Event()
    task = asyncio.ensure_future(FactWriter(catalogue, store, written.set).run())
    async with asyncio.timeout(10):
        await written.wait()
    task.cancel()
    assert store.tries == 3


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    yield content

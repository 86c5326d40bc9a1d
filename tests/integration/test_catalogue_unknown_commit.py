"""Unknown outcomes: connections cut around COMMIT or frozen, tasks cancelled. Nothing lands twice."""

import asyncio
import contextlib
import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from gateway.catalogue import Address, Catalogue
from gateway.errors import CatalogueUnavailableError
from tests.catalogue_samples import STUDY, batch, flush, node_id, vault_id, verify
from tests.postgresql import Server, running, scratch

FLUSHES = 24


class Proxy:
    """Between gateway and PostgreSQL; harms the COMMITs that it is told to."""

    def __init__(self, target: str) -> None:
        self._target = target
        self.harm: list[str] = []
        self.harmed = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def ended(self) -> None:
        """Waits until the gateway has closed all its connections."""
        while self._tasks:  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ours = asyncio.current_task()
        assert ours is not None
        self._tasks.add(ours)
        up_reader, up_writer = await asyncio.open_unix_connection(self._target)
        state = {"deaf": False}
        back = asyncio.ensure_future(self._back(up_reader, writer, state))
        try:
            with contextlib.suppress(ConnectionError):
                await self._forth(reader, up_writer, state)
        finally:
            if state["deaf"]:
                await asyncio.sleep(0.05)  # let the server commit what nobody will hear of
            back.cancel()
            for end in (up_writer, writer):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()
            self._tasks.discard(ours)

    async def _forth(
        self, reader: asyncio.StreamReader, up: asyncio.StreamWriter, state: dict[str, bool]
    ) -> None:
        while data := await reader.read(65536):
            kind = self.harm.pop(0) if b"COMMIT" in data and self.harm else ""
            self.harmed += bool(kind)
            if kind == "cut before":
                return
            state["deaf"] = bool(kind)
            up.write(data)
            await up.drain()
            if kind == "cut after":
                return
            if kind == "freeze":
                await reader.read()  # until the gateway gives up

    async def _back(
        self, up: asyncio.StreamReader, writer: asyncio.StreamWriter, state: dict[str, bool]
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await up.read(65536):
                if not state["deaf"]:
                    writer.write(data)
                    await writer.drain()
            writer.close()


@contextlib.asynccontextmanager
async def proxied(server: Server, database: str) -> AsyncIterator[tuple[Proxy, Address]]:
    folder = scratch()
    proxy = Proxy(f"{server.socket_folder}/.s.PGSQL.5432")
    listener = await asyncio.start_unix_server(proxy.serve, Path(folder) / ".s.PGSQL.5432")
    try:
        yield proxy, Address(socket_folder=str(folder), user="kuva_gateway", database=database)
    finally:
        listener.close()
        await asyncio.wait_for(proxy.ended(), 5.0)
        shutil.rmtree(folder)


async def _idle_in_transaction(server: Server) -> int:
    connection = await asyncpg.connect(**server.superuser("postgres").arguments())
    try:
        count: int = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'"
        )
        return count
    finally:
        await connection.close()


async def test_a_flush_whose_commit_is_cut_or_frozen_lands_exactly_once() -> None:
    source = random.Random(7)
    async with (
        running("embedded") as server,
        proxied(server, name := await server.new_database()) as (proxy, address),
    ):
        catalogue = await Catalogue.open(address, verify, query_seconds_max=0.6)
        vault, node = vault_id(), node_id()
        await catalogue.grants.create_vault(vault, "a")
        epoch = (await catalogue.nodes.start(node)).epoch
        tries = 0
        for position in range(FLUSHES):
            proxy.harm = [
                source.choice(["cut before", "cut after", "freeze"]) for _ in range(source.randint(0, 2))
            ]
            one = flush(node, epoch, batch(vault, [(position + 1, f"1.{position}", "x")]), after=position)
            while True:
                tries += 1
                try:
                    await catalogue.land(one)
                    break
                except CatalogueUnavailableError:
                    continue
        study, blocks = await catalogue.studies.get(vault, STUDY)
        assert (study.instances, len(blocks)) == (FLUSHES, FLUSHES)
        assert proxy.harmed > FLUSHES // 2 < tries - FLUSHES + FLUSHES // 2  # the harm was done
        assert await _idle_in_transaction(server) == 0
        await catalogue.close()
        superuser = await asyncpg.connect(**server.address("postgres", name).arguments())
        counts = await superuser.fetchrow(
            "SELECT (SELECT count(*) FROM kuva.locator) AS l, (SELECT count(*) FROM kuva.arbitration) AS a"
        )
        await superuser.close()
        assert counts is not None
        assert (counts["l"], counts["a"]) == (FLUSHES, 0)


async def test_landing_again_without_looking_would_land_twice() -> None:
    """Negative control: with the position's check taken out, the same harm doubles rows."""
    async with (
        running("embedded") as server,
        proxied(server, await server.new_database()) as (proxy, address),
    ):
        catalogue = await Catalogue.open(address, verify, query_seconds_max=2.0)
        vault, node = vault_id(), node_id()
        await catalogue.grants.create_vault(vault, "a")
        epoch = (await catalogue.nodes.start(node)).epoch
        proxy.harm = ["cut after"]
        with pytest.raises(CatalogueUnavailableError):
            await catalogue.land(flush(node, epoch, batch(vault, [(1, "1.1", "x")])))
        blind = flush(
            node, epoch, batch(vault, [(2, "1.1", "x")]), after=1
        )  # same instance, position forgotten
        await catalogue.land(blind)
        study = await catalogue.studies.find(vault, STUDY)
        assert study is not None
        assert study.instances == 2
        await catalogue.close()


async def test_a_landing_cancelled_anywhere_leaves_no_open_transaction_and_lands_once() -> None:
    async with running("embedded") as server:
        catalogue = await Catalogue.open(server.address("kuva_gateway", await server.new_database()), verify)
        vault, node = vault_id(), node_id()
        await catalogue.grants.create_vault(vault, "a")
        epoch = (await catalogue.nodes.start(node)).epoch
        cancelled = 0
        for position in range(30):
            one = flush(node, epoch, batch(vault, [(position + 1, f"1.{position}", "x")]), after=position)
            task = asyncio.ensure_future(catalogue.land(one))
            for _ in range(position):  # one step of the loop further each time
                await asyncio.sleep(0)
            await asyncio.sleep(0.0002 * position)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                cancelled += 1
            await catalogue.land(one)
        study = await catalogue.studies.find(vault, STUDY)
        assert study is not None
        assert study.instances == 30
        assert cancelled > 5
        await asyncio.sleep(0.1)
        assert await _idle_in_transaction(server) == 0
        await catalogue.close()

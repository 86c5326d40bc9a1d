"""Unknown outcomes: connections cut around COMMIT or frozen, tasks cancelled. Nothing lands twice."""

import asyncio
import random

import asyncpg
import pytest

from gateway.catalogue import Catalogue
from gateway.errors import CatalogueUnavailableError
from tests.catalogue_samples import STUDY, batch, flush, node_id, vault_id, verify
from tests.integration.proxy import proxied
from tests.postgresql import Server, running

FLUSHES = 24


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

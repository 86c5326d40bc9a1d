"""Unknown outcomes on the way from open batch to custody: whatever is cut, every step is done once."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg
import pytest

from gateway.catalogue import Catalogue
from gateway.errors import CatalogueUnavailableError, VolumeStateError
from gateway.model.volume import VolumeState
from tests.catalogue_samples import STUDY, verify
from tests.integration.proxy import Proxy, proxied
from tests.postgresql import running
from tests.volume_samples import digest_of, item, landed, merged, plan_of, request, secured

VOLUMES = 12
HARMS = ["cut before", "cut after", "freeze"]
Result = TypeVar("Result")

COUNTS = """
SELECT (SELECT count(*) FROM kuva.volume WHERE state = 'verified') AS volumes,
       (SELECT count(*) FROM kuva.volume) AS planned,
       (SELECT count(*) FROM kuva.planned_batch) AS plans,
       (SELECT count(*) FROM kuva.open_batch) AS batches,
       (SELECT count(*) FROM kuva.commitment) AS asked,
       (SELECT count(*) FROM kuva.custody) AS custody,
       (SELECT count(*) FROM kuva.fact WHERE kind = 'custody') AS facts,
       (SELECT count(*) FROM kuva.delivery) AS reports,
       (SELECT sum(uncommitted) FROM kuva.volume) AS uncommitted
"""
ONCE = {
    "volumes": VOLUMES, "planned": VOLUMES, "plans": 0, "batches": 0, "asked": VOLUMES, "custody": VOLUMES,
    "facts": VOLUMES, "reports": VOLUMES, "uncommitted": 0,
}  # fmt: skip


async def _harmed(proxy: Proxy, source: random.Random, step: Callable[[], Awaitable[Result]]) -> Result:
    """The step's result, done again as long as its outcome is unknown."""
    proxy.harm = [source.choice(HARMS) for _ in range(source.randint(0, 2))]
    while True:
        try:
            return await step()
        except CatalogueUnavailableError:
            continue


async def _counts(arguments: dict[str, object]) -> dict[str, int]:
    connection = await asyncpg.connect(**arguments)  # type: ignore[call-overload]
    row = await connection.fetchrow(COUNTS)
    await connection.close()
    return dict(row)


async def test_every_step_to_custody_is_done_once_whatever_becomes_of_its_commit() -> None:
    source = random.Random(11)
    async with (
        running("embedded") as server,
        proxied(server, name := await server.new_database()) as (proxy, address),
    ):
        catalogue = await Catalogue.open(address, verify, query_seconds_max=0.6)
        batches = [[(number, f"1.{number}", "x")] for number in range(1, VOLUMES + 1)]
        vault, node, epoch = await landed(catalogue, *batches)
        for number in range(1, VOLUMES + 1):
            plan = plan_of(vault, node, (epoch, number))
            planned = await _harmed(proxy, source, lambda plan=plan: catalogue.volumes.plan(plan))
            digest = digest_of(planned)
            await _harmed(
                proxy, source,
                lambda plan=plan, digest=digest: catalogue.volumes.stored(plan.id, vault, digest=digest, length=9),
            )  # fmt: skip
            volume = await _harmed(
                proxy, source,
                lambda planned=planned, digest=digest: catalogue.volumes.verified(
                    planned.plan.id, vault, digest=digest, block=merged(planned), instances=1, data_length=1000,
                    received_from=planned.plan.planned_at, received_to=planned.plan.planned_at,
                ),
            )  # fmt: skip
            wanted = request([vault], f"1.{number}", transaction=f"2.25.{number}", node=node)
            _, asked = await _harmed(proxy, source, lambda wanted=wanted: catalogue.commitments.ask(wanted))
            members = [secured(volume, epoch, f"1.{number}")]
            done = await _harmed(
                proxy, source,
                lambda asked=asked, members=members: catalogue.commitments.resolve(
                    asked, failures={}, secured=members
                ),
            )  # fmt: skip
            assert (done.items, done.failures) == ((item(f"1.{number}"),), {})
        assert proxy.harmed > VOLUMES  # the harm was done
        proxy.harm = []
        study = await catalogue.studies.find(vault, STUDY)
        assert study is not None
        assert study.instances == VOLUMES
        await catalogue.close()
        assert await _counts(server.address("postgres", name).arguments()) == ONCE


async def test_planning_anew_instead_of_again_would_leave_a_plan_behind() -> None:
    """Negative control: with another id after an unknown outcome, the first plan is there as well."""
    async with (
        running("embedded") as server,
        proxied(server, await server.new_database()) as (proxy, address),
    ):
        catalogue = await Catalogue.open(address, verify, query_seconds_max=2.0)
        vault, node, epoch = await landed(catalogue, [(1, "1.1", "x")])
        proxy.harm = ["cut after"]
        with pytest.raises(CatalogueUnavailableError):
            await catalogue.volumes.plan(plan_of(vault, node, (epoch, 1)))
        (left,) = await catalogue.volumes.unfinished(node)
        assert left.state is VolumeState.PLANNED
        assert await catalogue.volumes.open_batches(node) == ()
        await catalogue.close()


async def test_a_verification_cancelled_anywhere_leaves_the_batch_open_or_the_volume_verified() -> None:
    async with running("embedded") as server:
        catalogue = await Catalogue.open(server.address("kuva_gateway", await server.new_database()), verify)
        tries = 24
        batches = [[(number, f"1.{number}", "x")] for number in range(1, tries + 1)]
        vault, node, epoch = await landed(catalogue, *batches)
        cancelled = 0
        for number in range(1, tries + 1):
            planned = await catalogue.volumes.plan(plan_of(vault, node, (epoch, number)))
            digest = digest_of(planned)
            await catalogue.volumes.stored(planned.plan.id, vault, digest=digest, length=9)
            task = asyncio.ensure_future(
                catalogue.volumes.verified(
                    planned.plan.id, vault, digest=digest, block=merged(planned), instances=1, data_length=1000,
                    received_from=planned.plan.planned_at, received_to=planned.plan.planned_at,
                )
            )  # fmt: skip
            await asyncio.sleep(0.0004 * number)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                cancelled += 1
            study = await catalogue.studies.find(vault, STUDY)
            assert study is not None
            assert study.instances == tries  # never in both, never in neither
            if (await catalogue.volumes.get(planned.plan.id, [vault])).state is VolumeState.VERIFIED:
                with pytest.raises(VolumeStateError):
                    await catalogue.volumes.abandon(planned.plan.id, vault, "cancelled")
        assert cancelled > 3
        await catalogue.close()

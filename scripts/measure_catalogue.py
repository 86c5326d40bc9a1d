"""Measures the catalogue: bytes of database an instance, drain rate, lag; a page for benchmarks/results.

    .venv/bin/python scripts/measure_catalogue.py FOLDER [--instances N] [--page FILE]

FOLDER is on a real disk; an embedded PostgreSQL is made in it, with buffers smaller than the locator's index.
"""

import argparse
import asyncio
import math
import statistics
import time
from pathlib import Path

import asyncpg

from gateway.bench import machine
from gateway.bench.catalogue import BLOCK_BYTES, INSTANCES, Filling, Timing
from gateway.bench.store import file_system
from gateway.catalogue import Address, Catalogue
from gateway.catalogue.embedded import EmbeddedServer
from gateway.catalogue.migrator import migrate

SHARED_BUFFERS = "16MB"
SECONDS = 20.0
RATES = (1_000, 3_000, 10_000)
"""Instances a second; tiny ones over four associations reach about the last."""


async def main(folder: Path, instances: int) -> str:
    """The page."""
    server = EmbeddedServer(folder / "postgresql", {"shared_buffers": SHARED_BUFFERS})
    await server.start()
    try:
        await migrate(server.owner)
        catalogue = await Catalogue.open(server.gateway, lambda first, second: ())
        filling = await Filling.begin(catalogue)
        timing = await filling.fill(math.ceil(instances / INSTANCES), _told)
        await _vacuum(server.owner)
        size = await catalogue.sizes()
        drained = await filling.drain(SECONDS)
        lags = {rate: await filling.lag(rate, SECONDS) for rate in RATES}
        await catalogue.close()
    finally:
        await server.stop()
    return _page(machine.described(file_system(folder)), timing, size, drained, lags)


def _told(instances: int) -> None:
    if instances // INSTANCES % 200 == 0:
        print(f"{time.strftime('%H:%M:%S')} {instances:,} instances", flush=True)


async def _vacuum(address: Address) -> None:
    connection = await asyncpg.connect(**address.arguments())
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def _page(
    where: dict[str, str],
    timing: Timing,
    size: dict[str, tuple[int, int]],
    drained: float,
    lags: dict[int, list[float]],
) -> str:
    each = sum(whole for whole, _ in size.values()) / timing.instances
    shares = "\n".join(
        f"| {name} | {whole / timing.instances:.1f} | {indexes / timing.instances:.1f} |"
        for name, (whole, indexes) in sorted(size.items(), key=lambda one: -one[1][0])
        if whole / timing.instances >= 0.05
    )
    return PAGE.format(
        instances=timing.instances, studies=timing.instances // INSTANCES, each=each, shares=shares,
        block=BLOCK_BYTES, buffers=SHARED_BUFFERS, index=size["locator"][1] / 1e6,
        machine="\n".join(f"- {name}: {value}" for name, value in where.items()),
        landing=timing.instances / timing.landing, verifying=timing.instances / timing.verifying,
        committing=timing.instances / timing.committing, drained=drained, seconds=SECONDS,
        lags="\n".join(_lag_row(rate, found) for rate, found in lags.items()),
    )  # fmt: skip


def _lag_row(rate: int, lags: list[float]) -> str:
    cuts = statistics.quantiles(lags, n=100)
    return f"| {rate:,} | {1000 * cuts[49]:.0f} | {1000 * cuts[94]:.0f} | {1000 * max(lags):.0f} |"


PAGE = """# Size and speed of the catalogue

Made by `scripts/measure_catalogue.py`: {instances:,} instances of {studies:,} studies of 273, each landed
in three batches, then planned, stored and verified as a volume, asked for commitment, resolved and
reported. No bytes of instances: only what the catalogue is told of them. Index blocks are {block} random
bytes an instance, the dearest kind of UID that was measured (docs/design/index-block.md). PostgreSQL is the
embedded one, with {buffers} of shared buffers, so that the locator's index ({index:.0f} MB) is larger; the
operating system's cache holds it all the same.

{machine}

## Bytes of database an instance

`pg_total_relation_size` of all tables, after a vacuum: **{each:.1f}** (demanded: at most 160; aimed at:
100).

| table | bytes | of these indexes |
|---|---|---|
{shares}

## Rates

| step | instances a second |
|---|---|
| landing, while filling | {landing:,.0f} |
| planned, stored, verified | {verifying:,.0f} |
| asked, resolved, reported | {committing:,.0f} |
| landing alone, as fast as it goes, {seconds:.0f} s after all that | {drained:,.0f} |

## Lag

From an instance's answer until it can be found, of the oldest in each flush, while instances arrive evenly
in four studies for {seconds:.0f} s; nothing else is done meanwhile.

| instances a second | median ms | 95 % ms | longest ms |
|---|---|---|---|
{lags}
"""

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--instances", type=int, default=1_000_000)
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    page = asyncio.run(main(given.folder, given.instances))
    print(page) if given.page is None else given.page.write_text(page, "utf-8")

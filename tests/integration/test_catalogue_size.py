"""The size of the catalogue: at most 160 bytes of database per instance, indexes included (design 5)."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from gateway.bench.catalogue import INSTANCES, Filling
from gateway.catalogue import Address, Catalogue
from tests.postgresql import running

BYTES_PER_INSTANCE_MAX = 160
STUDIES = 300


async def test_an_instance_in_custody_costs_at_most_160_bytes_of_database(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with running("embedded") as server:
        name = await server.new_database()
        catalogue = await Catalogue.open(server.address("kuva_gateway", name), lambda first, second: ())
        filling = await Filling.begin(catalogue)
        empty = await catalogue.sizes()
        await filling.fill(STUDIES)
        await _vacuum(server.address("postgres", name))
        size = await catalogue.sizes()
        vaults = [vault.id for vault in await catalogue.grants.vaults()]
        assert await catalogue.volumes.uncommitted_since(vaults, _far_future()) == ()
        assert len(await catalogue.volumes.list(vaults, limit=1000)) == STUDIES
        assert await catalogue.deliveries.owed() == {}
        await catalogue.close()
    instances = STUDIES * INSTANCES
    each = sum(whole for whole, _ in size.values()) / instances
    shares = ", ".join(
        f"{table} {(size[table][0] - empty.get(table, (0, 0))[0]) / instances:.1f}" for table in sorted(size)
    )
    with capsys.disabled():
        print(f"\ncatalogue: {each:.1f} bytes per instance ({instances} of {STUDIES} studies): {shares}")
    assert each <= BYTES_PER_INSTANCE_MAX


async def _vacuum(address: Address) -> None:
    """As autovacuum does by and by: what was superseded gives its room back."""
    connection = await asyncpg.connect(**address.arguments())
    await connection.execute("VACUUM")
    await connection.close()


def _far_future() -> datetime:
    return datetime.now(UTC) + timedelta(days=1)

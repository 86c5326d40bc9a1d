"""Row-level security: vaults stay apart even where a query forgets to ask, with negative controls."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from gateway.catalogue import suitability
from gateway.catalogue.database import Address, Database
from gateway.catalogue.migrator import migrate, outstanding
from gateway.errors import CatalogueSchemaError
from gateway.model.identifiers import StudyUid, VaultId
from tests.catalogue_samples import batch, flush, node_id, quarantined, vault_id
from tests.postgresql import Base

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABLES = (
    "study", "open_batch", "locator", "incident", "arbitration", "volume", "planned_batch", "commitment", "custody",
    "fact", "delivery",
)  # fmt: skip
Raw = asyncpg.Connection


@pytest_asyncio.fixture(loop_scope="session")
async def vaults(base: Base) -> tuple[VaultId, VaultId]:
    """Two vaults with one row each in every guarded table."""
    pair, node = (vault_id(), vault_id()), node_id()
    epoch = (await base.catalogue.nodes.start(node)).epoch
    for number, vault in enumerate(pair):
        await base.catalogue.grants.create_vault(vault, f"v{number}")
        first, study = 2 * number + 1, StudyUid(f"1.{number}")
        held = quarantined(vault, node, epoch, first + 1, study=study)
        one = flush(
            node,
            epoch,
            batch(vault, [(first, f"1.{number}.1", "x")], study=study),
            after=first - 1,
            quarantined=[held],
        )
        landed = await base.catalogue._landing.land(one)  # no arbitration, so that its rows stay
        assert landed
    await _with_custody(base, pair)
    return pair


async def _with_custody(base: Base, pair: tuple[VaultId, VaultId]) -> None:
    """A row each of what follows landing; written by the owner, so that no other row changes."""
    owner = await asyncpg.connect(**base.server.address("kuva_owner", base.name).arguments())
    await owner.execute("SET search_path = kuva")
    for number, vault in enumerate(pair):
        for statement in CUSTODY_ROWS:
            await owner.execute(statement.format(vault=vault, number=number))
    await owner.close()


CUSTODY_ROWS = (
    """INSERT INTO volume (id, key, study, vault, node, kind, instances, planned_at)
    SELECT lpad('{number}', 26, '0'), '{number}', s.id, s.vault, s.vault, 'kept', 1, now()
    FROM study s WHERE s.vault = '{vault}'""",
    """INSERT INTO planned_batch
    SELECT o.study, o.node, o.epoch, o.first_position, o.landed_at, o.vault, lpad('{number}', 26, '0')
    FROM open_batch o WHERE o.vault = '{vault}'""",
    """INSERT INTO commitment (
        transaction_uid, calling, called, vaults, node, epoch, association, items, deadline_at, digest, list)
    SELECT '2.25.{number}', 'CT1', 'KUVA', ARRAY['{vault}'::uuid], '{vault}', 1, 1, 1, now(),
        decode(repeat('00', 32), 'hex'), ''""",
    "INSERT INTO custody (volume, vault, since) VALUES (lpad('{number}', 26, '0'), '{vault}', now())",
    """INSERT INTO delivery (commitment, kind, destination, called, vaults, node, epoch, association, digest)
    SELECT id, 'result', calling, called, vaults, node, 1, 1, digest
    FROM commitment WHERE vaults = ARRAY['{vault}'::uuid]""",
)


@pytest_asyncio.fixture(loop_scope="session")
async def raw(base: Base) -> AsyncIterator["Raw[asyncpg.Record]"]:
    connection = await asyncpg.connect(**base.gateway.arguments(), server_settings={"search_path": "kuva"})
    yield connection
    await connection.close()


async def _rows(raw: "Raw[asyncpg.Record]", table: str, vaults: list[VaultId]) -> int:
    async with raw.transaction():
        await raw.execute("SELECT set_config('kuva.vaults', ($1::uuid[])::text, true)", vaults)
        count: int = await raw.fetchval(f"SELECT count(*) FROM {table}")
        return count


@pytest.mark.parametrize("table", TABLES)
async def test_a_select_that_forgets_the_vault_sees_only_its_own(
    base: Base, raw: "Raw[asyncpg.Record]", vaults: tuple[VaultId, VaultId], table: str
) -> None:
    assert await raw.fetchval(f"SELECT count(*) FROM {table}") == 0  # no vault named: nothing
    assert await _rows(raw, table, [vaults[0]]) == 1
    assert await _rows(raw, table, list(vaults)) == 2
    assert await raw.fetchval(f"SELECT count(*) FROM {table}") == 0  # and the name ends with its transaction
    superuser = await asyncpg.connect(**base.superuser.arguments())
    await superuser.execute(f"ALTER TABLE kuva.{table} DISABLE ROW LEVEL SECURITY")  # control
    assert await _rows(raw, table, [vaults[0]]) == 2
    await superuser.close()


async def test_no_row_can_be_written_into_another_vault(
    raw: "Raw[asyncpg.Record]", vaults: tuple[VaultId, VaultId]
) -> None:
    copy = (
        "INSERT INTO open_batch SELECT 1, node, 9, instances, 9, 9, length, landed_at, "
        "received_from, received_to, $1, block FROM open_batch"
    )
    async with raw.transaction():
        await raw.execute("SELECT set_config('kuva.vaults', ($1::uuid[])::text, true)", [vaults[0]])
        await raw.execute(copy, vaults[0])  # control
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with raw.transaction():
                await raw.execute(copy.replace(" 9,", " 8,", 1), vaults[1])


async def test_partitions_cannot_be_reached_around_their_parent(
    raw: "Raw[asyncpg.Record]", vaults: tuple[VaultId, VaultId]
) -> None:
    names = await raw.fetch(
        "SELECT inhrelid::regclass::text AS name "
        "FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE c.relkind = 'r'"
    )
    assert len(names) == 4
    for row in names:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await raw.fetchval(f"SELECT count(*) FROM {row['name']}")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE kuva.x ()",
        "CREATE TABLE public.x ()",
        "DELETE FROM study",
        "UPDATE study SET patient_id = ''",
        "DELETE FROM volume",
        "UPDATE volume SET key = 'x'",
        "DELETE FROM custody",
        "UPDATE custody SET since = now()",
        "DELETE FROM fact",
        "DELETE FROM commitment",
        "UPDATE incident SET reason = ''",
        "DELETE FROM incident",
        "UPDATE archive SET locator_key = locator_key",
        "SELECT make_partition('study', 'x', 'a', 'b')",
        "ALTER TABLE study DISABLE ROW LEVEL SECURITY",
        "SET ROLE kuva_owner",
    ],
)
async def test_the_gateway_may_not(raw: "Raw[asyncpg.Record]", statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await raw.execute(statement)


@pytest.mark.parametrize("role", ["postgres", "kuva_owner"])
async def test_a_role_that_row_level_security_does_not_bind_is_refused(base: Base, role: str) -> None:
    with pytest.raises(CatalogueSchemaError, match="may not be used"):
        await Database.open(base.server.address(role, base.name))


async def test_a_server_that_may_forget_commits_is_refused(base: Base) -> None:
    superuser = await asyncpg.connect(**base.superuser.arguments())
    await superuser.execute(f"ALTER DATABASE {base.name} SET synchronous_commit = off")
    await superuser.close()
    with pytest.raises(CatalogueSchemaError, match="synchronous_commit"):
        await Database.open(
            Address(socket_folder=base.gateway.socket_folder, user="kuva_gateway", database=base.name)
        )


async def test_a_server_that_is_too_old_is_refused_by_everybody(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suitability, "SERVER_VERSION_LEAST", 990_000)
    owner = base.server.address("kuva_owner", base.name)
    for meeting in (Database.open(base.gateway), outstanding(base.gateway), migrate(owner)):
        with pytest.raises(CatalogueSchemaError, match="older than"):
            await meeting

"""Migrations: both roads lead to the same database; steps are whole, in order, once, and never change."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

import gateway.catalogue
from gateway.catalogue.cluster import locate
from gateway.catalogue.database import Address
from gateway.catalogue.migrator import Migration, bundled, migrate, outstanding
from gateway.errors import CatalogueSchemaError
from tests.postgresql import Server, running

SCHEMA = Path(gateway.catalogue.__file__).parent / "sql" / "schema.sql"
ONE = Migration(1, "pre", "one", "CREATE TABLE public.one (a int)")
TWO = Migration(2, "post", "two", "ALTER TABLE public.one ADD b int")
THREE = Migration(3, "pre", "three", "ALTER TABLE public.one ADD c int")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    async with running("embedded") as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def owner(server: Server) -> Address:
    return server.address("kuva_owner", await server.new_database(migrated=False))


pytestmark = pytest.mark.asyncio(loop_scope="module")


def _dump(address: Address) -> str:
    pg_dump = locate(Path(str(address.socket_folder)).parent).programs / "pg_dump"
    where = ["-h", str(address.socket_folder), "-U", "postgres", str(address.database)]
    done = subprocess.run(
        [str(pg_dump), "--schema-only", "--schema=kuva", *where], capture_output=True, check=True, text=True
    )
    # A random token against injection, and nothing else, differs between two dumps of one schema.
    return "\n".join(
        line for line in done.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))
    )


async def test_the_migrations_and_schema_sql_make_the_same_database(server: Server, owner: Address) -> None:
    await migrate(owner)
    direct = server.address("kuva_owner", await server.new_database(migrated=False))
    connection = await asyncpg.connect(**direct.arguments())
    async with connection.transaction():
        await connection.execute(SCHEMA.read_text())
    migrated = await asyncio.to_thread(_dump, owner)
    assert "CREATE POLICY" in migrated
    assert migrated == await asyncio.to_thread(_dump, direct)
    await connection.execute("ALTER TABLE kuva.study ADD x int")  # control: the comparison sees a column
    assert migrated != await asyncio.to_thread(_dump, direct)
    await connection.close()


async def test_each_step_is_applied_once(owner: Address) -> None:
    assert await outstanding(owner, steps=[ONE]) == (ONE,)
    assert await migrate(owner, steps=[ONE]) == (ONE,)
    assert await migrate(owner, steps=[ONE]) == ()
    assert await outstanding(owner, steps=[ONE, TWO]) == (TWO,)


async def test_pre_stops_before_the_last_post(owner: Address) -> None:
    assert await migrate(owner, through="pre", steps=[ONE, TWO]) == (ONE,)
    assert await migrate(owner, through="pre", steps=[ONE, TWO]) == ()
    assert await migrate(owner, steps=[ONE, TWO]) == (TWO,)
    assert await migrate(owner, through="pre", steps=[ONE, TWO, THREE]) == (THREE,)


async def test_an_upgrade_is_ended_before_the_next_begins(owner: Address) -> None:
    """Else the next program's `pre` would be passed over in silence, or a `post` applied beside older ones."""
    await migrate(owner, through="pre", steps=[ONE, TWO])
    with pytest.raises(CatalogueSchemaError, match="0003_pre_three comes after 0002_post_two"):
        await migrate(owner, through="pre", steps=[ONE, TWO, THREE])
    assert await outstanding(owner, steps=[ONE, TWO, THREE]) == (TWO, THREE)
    assert await migrate(owner, steps=[ONE, TWO, THREE]) == (TWO, THREE)


async def test_a_step_that_fails_leaves_nothing_and_those_before_it_stay(owner: Address) -> None:
    bad = Migration(2, "pre", "bad", "CREATE TABLE public.half (a int); SELECT 1 / 0")
    with pytest.raises(CatalogueSchemaError, match="0002_pre_bad failed: division by zero"):
        await migrate(owner, steps=[ONE, bad])
    connection = await asyncpg.connect(**owner.arguments())
    assert await connection.fetchval("SELECT to_regclass('public.half')") is None
    assert await connection.fetchval("SELECT to_regclass('public.one')") is not None
    await connection.close()
    assert await migrate(owner, steps=[ONE, TWO]) == (TWO,)


async def test_an_applied_step_may_not_change(owner: Address) -> None:
    await migrate(owner, steps=[ONE])
    with pytest.raises(CatalogueSchemaError, match="not the one that was applied"):
        await migrate(owner, steps=[Migration(1, "pre", "one", ONE.sql + " "), TWO])


async def test_a_newer_database_is_refused(owner: Address) -> None:
    await migrate(owner, steps=[ONE, TWO])
    with pytest.raises(CatalogueSchemaError, match="newer than this program"):
        await migrate(owner, steps=[ONE])


async def test_two_migrators_at_once_apply_each_step_once(owner: Address) -> None:
    steps = [Migration(1, "pre", "slow", "CREATE TABLE public.one (a int); SELECT pg_sleep(0.1)"), TWO]
    applied = await asyncio.gather(*(migrate(owner, steps=steps) for _ in range(3)))
    assert sorted(len(done) for done in applied) == [0, 0, 2]


async def test_the_bundled_steps_are_numbered_without_a_gap() -> None:
    assert [step.number for step in bundled()] == list(range(1, len(bundled()) + 1))


async def test_vaults_that_there_are_get_the_fact_that_later_ones_leave(owner: Address) -> None:
    before, after = bundled()[:6], bundled()
    await migrate(owner, steps=before)
    connection = await asyncpg.connect(**owner.arguments())
    await connection.execute("INSERT INTO kuva.vault (id, name) VALUES (gen_random_uuid(), 'north')")
    await migrate(owner, steps=after)
    await connection.execute("INSERT INTO kuva.vault (id, name) VALUES (gen_random_uuid(), 'south')")
    rows = await connection.fetch(
        "SELECT v.name, f.payload::json ->> 'name' AS told, f.payload::json ->> 'vault' = v.id::text AS same"
        " FROM kuva.vault v LEFT JOIN kuva.fact f ON f.vault = v.id ORDER BY f.id"
    )
    await connection.close()
    assert [tuple(row) for row in rows] == [("north", "north", True), ("south", "south", True)]


OVERLAPPING = """
INSERT INTO kuva.vault (id, name) SELECT lpad(n::text, 32, '0')::uuid, 'v' || n FROM generate_series(1, 4) n;
INSERT INTO kuva.application_entity (title) VALUES ('CT'), ('MR');
INSERT INTO kuva.ae_grant (calling, called, vault, role, valid_from, valid_until)
SELECT calling, called, lpad(vault, 32, '0')::uuid, role, valid_from::timestamptz, valid_until::timestamptz
FROM (VALUES
    ('CT', 'A', '1', 'own', '2026-02-01Z', NULL),
    ('CT', 'A', '1', 'own', '2026-03-01Z', NULL),
    ('CT', 'A', '2', 'own', '2026-04-01Z', '2026-05-01Z'),
    ('CT', 'A', '3', 'processor', '2026-01-01Z', NULL),
    ('CT', 'A', '4', 'processor', '2025-01-01Z', '2025-02-01Z'),
    ('CT', 'B', '2', 'own', '2026-03-01Z', NULL),
    ('MR', 'A', '2', 'own', '2026-03-01Z', NULL)
) AS given (calling, called, vault, role, valid_from, valid_until)
"""


async def test_grants_that_overlap_give_way_to_the_one_that_received(owner: Address) -> None:
    first, *others = bundled()
    assert await migrate(owner, steps=[first]) == (first,)
    connection = await asyncpg.connect(**owner.arguments())
    await connection.execute(OVERLAPPING)
    assert await migrate(owner, steps=[first, *others]) == tuple(others)
    rows = await connection.fetch(
        "SELECT calling, called, right(vault::text, 1) AS v, to_char(valid_from, 'YYYYMM') AS since,"
        " to_char(valid_until, 'YYYYMM') AS until FROM kuva.ae_grant ORDER BY calling, called, v, since"
    )
    await connection.close()
    assert [tuple(row) for row in rows] == [
        ("CT", "A", "1", "202602", None),  # where its instances went
        ("CT", "A", "1", "202603", "202603"),
        ("CT", "A", "2", "202604", "202604"),
        ("CT", "A", "3", "202601", "202602"),
        ("CT", "A", "4", "202501", "202502"),
        ("CT", "B", "2", "202603", None),
        ("MR", "A", "2", "202603", None),
    ]

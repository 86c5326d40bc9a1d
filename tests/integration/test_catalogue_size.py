"""The size of the catalogue: at most 160 bytes of database per instance, indexes included (design 5)."""

import os
import random
from hashlib import blake2b
from uuid import UUID

import asyncpg
import pytest

from gateway.catalogue import Catalogue
from gateway.model.batch import Batch, BatchSeries
from gateway.model.identifiers import SeriesUid, SopInstanceUid, StudyUid
from gateway.model.study import StudyAttributes
from tests.catalogue_samples import NOW, flush, node_id, vault_id
from tests.postgresql import running

BYTES_PER_INSTANCE_MAX = 160
STUDIES, INSTANCES, BATCHES, SERIES = 300, 273, 3, 5
BLOCK_BYTES_PER_INSTANCE = 60


def _batch(vault: object, study: int, first: int, instances: int, source: random.Random) -> Batch:
    attributes = StudyAttributes(
        patient_id=f"{study:06}-123A", issuer="1.2.246.21", patient_name=f"Virtanen^Maija {study}",
        birth_date="19010101",
        sex="F", study_date="20261123", study_time="120000", accession_number=f"ACC{study:010}",
        study_id=str(study),
        description="CT abdomen", referring_physician="Lääkäri^Liisa", modality="CT",
    )  # fmt: skip
    return Batch(
        vault=vault,  # type: ignore[arg-type]
        study_uid=StudyUid(f"1.2.246.10.1234567.20261123120000.{study}"),
        first_position=first,
        last_position=first + instances - 1,
        instances=instances,
        length=instances << 19,
        block=os.urandom(BLOCK_BYTES_PER_INSTANCE * instances),
        locator_hashes=tuple(source.getrandbits(64) for _ in range(instances)),
        attributes=attributes,
        received_from=NOW,
        received_to=NOW,
        series=tuple(
            BatchSeries(
                first,
                SopInstanceUid("1.2"),
                SeriesUid("1.2"),
                UUID(bytes=blake2b(f"{study} {number}".encode(), digest_size=16).digest()),
            )
            for number in range(SERIES)
        ),
    )


async def test_an_instance_costs_at_most_160_bytes_of_database(capsys: pytest.CaptureFixture[str]) -> None:
    source = random.Random(1)
    async with running("embedded") as server:
        name = await server.new_database()
        catalogue = await Catalogue.open(server.address("kuva_gateway", name), lambda first, second: ())
        vault, node = vault_id(), node_id()
        await catalogue.grants.create_vault(vault, "a")
        epoch, position = (await catalogue.nodes.start(node)).epoch, 0
        per_batch = INSTANCES // BATCHES
        empty = await _size(server.address("postgres", name).arguments())
        for group in range(0, STUDIES, 20):
            for _ in range(BATCHES):
                batches = [
                    _batch(vault, study, position + 1 + (study - group) * per_batch, per_batch, source)
                    for study in range(group, group + 20)
                ]
                await catalogue.land(flush(node, epoch, *batches, after=position))
                position += 20 * per_batch
        size = await _size(server.address("postgres", name).arguments())
        await catalogue.close()
    each = sum(size.values()) / position
    shares = ", ".join(
        f"{table} {(size[table] - empty.get(table, 0)) / position:.1f}" for table in sorted(size)
    )
    with capsys.disabled():
        print(f"\ncatalogue: {each:.1f} bytes per instance ({position} of {STUDIES} studies): {shares}")
    assert each <= BYTES_PER_INSTANCE_MAX


async def _size(arguments: dict[str, object]) -> dict[str, int]:
    connection = await asyncpg.connect(**arguments)  # type: ignore[call-overload]
    await connection.execute("VACUUM")
    rows = await connection.fetch(
        """SELECT regexp_replace(relname, '_[0-9_]+$', '') AS name,
               sum(pg_total_relation_size(oid))::bigint AS bytes
        FROM pg_class WHERE relnamespace = 'kuva'::regnamespace AND relkind = 'r' GROUP BY 1"""
    )
    await connection.close()
    return {row["name"]: row["bytes"] for row in rows}

"""Landing: a flush of a node becomes rows of the catalogue, once."""

import time
from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from uuid import UUID

from gateway.catalogue.arbitration import Subject
from gateway.catalogue.database import Connection, Database, NoPartitionError
from gateway.catalogue.mixups import Landed, tell_mix_ups
from gateway.catalogue.queries import queries
from gateway.catalogue.storable import storable
from gateway.catalogue.wording import difference_json
from gateway.errors import FlushOrderError
from gateway.model.batch import Batch, Flush, Quarantined
from gateway.model.patient import PatientIdentity
from gateway.model.study import StudyAttributes, normalise_name

PARTITIONS_AGAIN_SECONDS = 600.0

StudyKey = tuple[UUID, str]
StudyRow = tuple[int, PatientIdentity]


class Landing:
    """Writes flushes. Knows nothing of what is inside a block."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._partitions_at = -PARTITIONS_AGAIN_SECONDS

    async def land(self, flush: Flush) -> tuple[Subject, ...] | None:
        """Commits `flush` in one transaction; returns what is to be arbitrated, None if it had landed before.

        When it returns, studies, batches, locator rows, incidents and the node's position MUST be durable
        together. After `CatalogueUnavailableError` the same flush may be landed again, whatever became of
        the first try:
        the position, read under its lock, says. Raises `FlushOrderError` if flushes before it are missing.
        """
        await self.make_partitions()
        try:
            return await self._land(flush)
        except NoPartitionError:
            # The database's clock passed a partition's end while nothing landed.
            await self.make_partitions(now=True)
            return await self._land(flush)

    async def make_partitions(self, *, now: bool = False) -> None:
        """Makes the partitions of this and the next hour and month, unless that was just done."""
        if now or time.monotonic() - self._partitions_at >= PARTITIONS_AGAIN_SECONDS:
            async with self._database.connection() as connection:
                await connection.fetchval(queries("landing")["make_partitions"])
            self._partitions_at = time.monotonic()

    async def _land(self, flush: Flush) -> tuple[Subject, ...] | None:
        vaults = {batch.vault for batch in flush.batches} | {item.vault for item in flush.quarantined}
        async with self._database.transaction(sorted(vaults)) as connection:
            through = await connection.fetchval(queries("landing")["lock_epoch"], flush.node, flush.epoch)
            if through is None:
                raise FlushOrderError(f"epoch {flush.epoch} of node {flush.node} was never started")
            if through >= flush.through:
                return None
            if through != flush.after:
                raise FlushOrderError(
                    f"epoch {flush.epoch} is catalogued through {through}, not {flush.after}"
                )
            landed = await _landed(connection, flush.batches)
            subjects = await _insert_batches(connection, flush, landed)
            await _insert_quarantined(connection, flush.quarantined)
            await tell_mix_ups(connection, flush, landed)
            await connection.execute(queries("landing")["advance"], flush.node, flush.epoch, flush.through)
        return subjects


async def _insert_batches(
    connection: Connection, flush: Flush, landed: Sequence[Landed]
) -> tuple[Subject, ...]:
    if not flush.batches:
        return ()
    ids = [one.study for one in landed]
    await connection.execute(
        queries("landing")["insert_batches"], flush.node, flush.epoch, ids,
        [b.vault for b in flush.batches], [b.first_position for b in flush.batches],
        [b.last_position for b in flush.batches], [b.instances for b in flush.batches],
        [b.length for b in flush.batches], [b.received_from for b in flush.batches],
        [b.received_to for b in flush.batches], [b.block for b in flush.batches],
    )  # fmt: skip
    hashes = [[signed(number) for number in batch.locator_hashes] for batch in flush.batches]
    of_study = list(
        chain.from_iterable(repeat(study, len(own)) for study, own in zip(ids, hashes, strict=True))
    )
    await connection.execute(
        queries("landing")["insert_locators"], list(chain.from_iterable(hashes)), of_study
    )
    subjects = tuple(
        Subject(flush.node, flush.epoch, b.first_position, study, b.vault, b.study_uid, tuple(own))
        for b, study, own in zip(flush.batches, ids, hashes, strict=True)
    )
    await connection.executemany(
        queries("landing")["insert_arbitration"],
        [(s.node, s.epoch, s.first_position, s.study, s.vault, s.hashes) for s in subjects],
    )
    return subjects


async def _landed(connection: Connection, batches: Sequence[Batch]) -> tuple[Landed, ...]:
    """Each batch with its study's row; new ones are inserted with the attributes of their first batch."""
    rows = await _studies(connection, batches) if batches else {}
    return tuple(Landed(batch, *rows[batch.vault, batch.study_uid]) for batch in batches)


async def _studies(connection: Connection, batches: Sequence[Batch]) -> Mapping[StudyKey, StudyRow]:
    wanted: dict[StudyKey, StudyAttributes] = {}
    for batch in batches:
        wanted.setdefault((batch.vault, batch.study_uid), batch.attributes)
    found = await _find_studies(connection, list(wanted))
    missing = sorted(wanted.keys() - found.keys())  # one order everywhere: two nodes cannot wait in a circle
    if missing:
        columns = zip(*(_study_row(key, wanted[key]) for key in missing), strict=True)
        await connection.execute(queries("landing")["insert_studies"], *(list(column) for column in columns))
        found |= await _find_studies(connection, missing)
    return found


async def _find_studies(connection: Connection, keys: Sequence[StudyKey]) -> dict[StudyKey, StudyRow]:
    rows = await connection.fetch(
        queries("landing")["find_studies"], [k[0] for k in keys], [k[1] for k in keys]
    )
    return {
        (row["vault"], row["study_uid"]): (row["id"], PatientIdentity(row["patient_id"], row["issuer"]))
        for row in rows
    }


def _study_row(key: StudyKey, of: StudyAttributes) -> tuple[object, ...]:
    return (*key, *study_texts(of))


def study_texts(of: StudyAttributes) -> list[str]:
    """Columns of a study, in their order, from `patient_id` to `modality`."""
    texts = (
        of.patient_id, of.issuer, of.patient_name, normalise_name(of.patient_name), of.birth_date, of.sex,
        of.study_date,
        of.study_time, of.timezone_offset, of.accession_number, of.study_id, of.description,
        of.referring_physician, of.modality,
    )  # fmt: skip
    return [storable(text) for text in texts]


async def _insert_quarantined(connection: Connection, items: Sequence[Quarantined]) -> None:
    await connection.executemany(
        queries("landing")["insert_quarantine"], [_quarantine_row(item) for item in items]
    )


def _quarantine_row(item: Quarantined) -> tuple[object, ...]:
    new, kept = item.newcomer, item.conflicts_with
    return (
        item.vault, item.study_uid, item.sop_uid, storable(item.reason),
        new.receive_id.node, new.receive_id.epoch, new.receive_id.position,
        kept and kept.node, kept and kept.epoch, kept and kept.position,
        new.content.digest, new.content.transfer_syntax, new.content.sop_class, new.length,
        storable(new.sender.calling), storable(new.sender.called), storable(new.sender.address),
        new.sender.association,
        new.received_at, difference_json(item.difference),
    )  # fmt: skip


def signed(number: int) -> int:
    """A 64-bit hash, signed or not, as PostgreSQL's bigint holds it."""
    return number - (1 << 64) if number >= 1 << 63 else number

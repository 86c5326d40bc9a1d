"""Rebuilding: a lost catalogue is made again from volumes and facts, and serves nothing until then."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from gateway.catalogue.custody import bits_of, ordinals_of
from gateway.catalogue.database import Connection, Database
from gateway.catalogue.landing import signed, study_texts
from gateway.catalogue.queries import queries
from gateway.catalogue.storable import storable
from gateway.catalogue.wording import Row
from gateway.errors import RebuildError
from gateway.model.fact import CustodyFact, FactKind, VaultFact
from gateway.model.identifiers import FactId, VaultId, VolumeId
from gateway.model.volume import RebuiltVolume


class Rebuilding:
    """Every step is one transaction and may be done again: a rebuild may be stopped and go on."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def unfinished(self) -> bool:
        """Whether a rebuild was begun and not ended."""
        async with self._database.connection() as connection:
            return bool(await connection.fetchval(queries("rebuilding")["unfinished"]))

    async def begin(self) -> bool:
        """From here until `finish` nothing is served. Returns whether one goes on that was begun before.

        Raises `RebuildError` if anything is in the catalogue that is not of an unfinished rebuild.
        """
        async with self._database.transaction() as connection:
            if await connection.fetchval(queries("rebuilding")["lock"]):
                return True
            if await connection.fetchval(queries("rebuilding")["occupied"]):
                raise RebuildError(
                    "the catalogue is not empty: a rebuild is for one that was lost, and made anew"
                )
            await connection.execute(queries("rebuilding")["set"], True)
        return False

    async def volumes(self) -> frozenset[VolumeId]:
        """Those that are in already."""
        async with self._database.transaction(every_vault=True) as connection:
            return frozenset(
                VolumeId(row["id"]) for row in await connection.fetch(queries("rebuilding")["volumes"])
            )

    async def vault(self, fact: FactId, told: VaultFact, decided_at: datetime) -> None:
        """Makes a vault as its fact tells."""
        name = storable(told.name)
        async with self._database.transaction([told.vault]) as connection:
            await connection.execute(queries("rebuilding")["insert_vault"], told.vault, name)
            await _fact(connection, fact, told.vault, FactKind.VAULT, decided_at)

    async def volume(self, told: RebuiltVolume) -> None:
        """Makes the rows of a volume: vault, study, volume, locator. It MUST have been checked whole.

        Raises `RebuildError` if another file was taken for that volume before.
        """
        async with self._database.transaction([told.vault]) as connection:
            await connection.execute(queries("rebuilding")["insert_vault"], told.vault, "")
            study: int = await connection.fetchval(
                queries("rebuilding")["study"], told.vault, told.study_uid, told.received_from,
                study_texts(told.attributes),
            )  # fmt: skip
            if await _insert_volume(connection, told, study):
                await connection.execute(
                    queries("rebuilding")["supersede"], told.id, list(told.supersedes), study
                )
                hashes = [signed(number) for number in told.locator_hashes]
                await connection.execute(queries("landing")["insert_locators"], hashes, [study] * len(hashes))

    async def blocks(self, vault: VaultId, volumes: Sequence[VolumeId]) -> dict[VolumeId, bytes]:
        """Index blocks of those of the volumes that are in."""
        async with self._database.transaction([vault]) as connection:
            rows = await connection.fetch(queries("rebuilding")["blocks"], list(volumes), vault)
        return {VolumeId(row["id"]): row["block"] for row in rows}

    async def custody(
        self,
        fact: FactId,
        told: CustodyFact,
        ordinals: Mapping[VolumeId, Sequence[int] | None],
        decided_at: datetime,
    ) -> int:
        """Custody as a fact tells, of volumes that are in; returns how many instances came into it now.

        Facts MUST come oldest first: the first commitment counts. None: all of the volume.
        """
        begun = 0
        async with self._database.transaction([told.vault]) as connection:
            rows = await connection.fetch(queries("rebuilding")["lock_volumes"], list(ordinals), told.vault)
            names = [row["id"] for row in rows]
            earlier = await connection.fetch(queries("commitments")["custody"], names, [told.vault])
            for row in rows:
                held = [one["members"] for one in earlier if one["volume"] == row["id"]]
                begun += await _begin(connection, row, told, ordinals[VolumeId(row["id"])], held)
            await _fact(connection, fact, told.vault, FactKind.CUSTODY, decided_at)
        return begun

    async def uncommitted(self) -> int:
        """Volumes with instances that no fact told of."""
        async with self._database.transaction(every_vault=True) as connection:
            return int(await connection.fetchval(queries("rebuilding")["uncommitted"]))

    async def finish(self) -> None:
        """All volumes and facts are in: what is only in journals is landed by each node's next start."""
        async with self._database.transaction(every_vault=True) as connection:
            await connection.execute(queries("rebuilding")["missing_facts"])
            await connection.execute(queries("rebuilding")["set"], False)


async def _fact(
    connection: Connection, fact: FactId, vault: VaultId, kind: FactKind, decided_at: datetime
) -> None:
    await connection.execute(queries("rebuilding")["insert_fact"], fact, vault, kind.value, decided_at)


async def _insert_volume(connection: Connection, told: RebuiltVolume, study: int) -> bool:
    """Whether it was not there yet."""
    made = await connection.fetchval(
        queries("rebuilding")["insert_volume"], told.id, told.key, study, told.vault, told.node,
        told.kind.value, told.instances, told.planned_at, told.received_from, told.received_to, told.length,
        told.data_length, list(told.supersedes) or None, told.digest, told.block,
    )  # fmt: skip
    if made is not None:
        return True
    if await connection.fetchval(queries("rebuilding")["digest"], told.id, told.vault) != told.digest:
        raise RebuildError(f"volume {told.id} was taken from another file before")
    return False


async def _begin(
    connection: Connection,
    row: Row,
    told: CustodyFact,
    ordinals: Sequence[int] | None,
    held: Sequence[bytes | None],
) -> int:
    everything = range(row["instances"])
    before = {one for bits in held for one in (everything if bits is None else ordinals_of(bits))}
    new = sorted(set(everything if ordinals is None else ordinals) - before)
    if not new:
        return 0
    bits = None if len(new) == row["instances"] else bits_of(new)
    await connection.execute(
        queries("commitments")["insert_custody"], row["id"], told.vault, None, told.since, bits
    )
    await connection.execute(queries("commitments")["committed"], row["id"], len(new))
    return len(new)

"""Volumes: planned, stored, verified, abandoned; what is kept of each, and what is still open."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from gateway.catalogue.database import Connection, Database, NoPartitionError, UniqueError
from gateway.catalogue.planned import LIVE, insert_plan, planned_of
from gateway.catalogue.queries import queries
from gateway.catalogue.storable import storable
from gateway.catalogue.wording import Row, volume_of
from gateway.errors import NotFoundError, PlanError, VolumeStateError
from gateway.model.identifiers import NodeId, StudyUid, VaultId, VolumeId
from gateway.model.volume import (
    READABLE,
    LooseNewcomer,
    OpenBatch,
    PlannedVolume,
    Remainder,
    Uncommitted,
    Volume,
    VolumeKind,
    VolumePlan,
    VolumeState,
)

LIST_AT_MOST = 1000
REASON_LENGTH_MAX = 2000


class Volumes:
    """A volume in another vault is not there. All that writes may be done again after an unknown outcome."""

    def __init__(self, database: Database, make_partitions: Callable[[], Awaitable[None]]) -> None:
        self._database = database
        self._make_partitions = make_partitions

    async def plan(self, plan: VolumePlan) -> PlannedVolume:
        """Commits what is to become a volume.

        When it returns the plan MUST be durable, and its batches in no other live plan.

        The same plan again is accepted. Raises `PlanError` if a batch is gone, in another live plan, or not
        compared with the archive yet: look again and plan anew; `VolumeStateError` if a volume of that id
        is something else.
        """
        try:
            async with self._database.transaction([plan.vault]) as connection:
                return await insert_plan(connection, plan)
        except UniqueError as error:
            raise PlanError(f"volume {plan.id} takes what another volume has: {error}") from None

    async def unfinished(self, node: NodeId) -> tuple[PlannedVolume, ...]:
        """What a node planned and did not bring to its end, oldest first: assembled again after a crash."""
        async with self._database.transaction(every_vault=True) as connection:
            rows = await connection.fetch(queries("volumes")["unfinished"], node)
            return tuple([await planned_of(connection, row) for row in rows])

    async def open_batches(self, node: NodeId) -> tuple[OpenBatch, ...]:
        """All open batches of a node that are in no live plan, in the order in which they were received."""
        async with self._database.transaction(every_vault=True) as connection:
            rows = await connection.fetch(queries("volumes")["open_batches"], node)
        return tuple(OpenBatch(**dict(row)) for row in rows)

    async def loose_newcomers(self, node: NodeId) -> tuple[LooseNewcomer, ...]:
        """Quarantined instances of a node that are in no volume and no live plan, oldest incident first."""
        async with self._database.transaction(every_vault=True) as connection:
            rows = await connection.fetch(queries("volumes")["loose_newcomers"], node)
        return tuple(LooseNewcomer(**dict(row)) for row in rows)

    async def stored(self, volume: VolumeId, vault: VaultId, *, digest: bytes, length: int) -> None:
        """The store has it, durable. Raises `VolumeStateError` if it is abandoned, or was another file."""
        async with self._database.transaction([vault]) as connection:
            row = await _lock(connection, volume, vault)
            if row["state"] == VolumeState.PLANNED.value:
                await connection.execute(queries("volumes")["stored"], volume, digest, length)
            elif (row["digest"], row["length"]) != (digest, length) or row["state"] == "abandoned":
                raise VolumeStateError(f"volume {volume} is {row['state']}, and was not stored like this")

    async def verified(
        self,
        volume: VolumeId,
        vault: VaultId,
        *,
        digest: bytes,
        block: bytes,
        instances: int,
        data_length: int,
        received_from: datetime,
        received_to: datetime,
        remainders: Sequence[Remainder] = (),
    ) -> Volume:
        """It was read back and is what was received: from now on it is what the archive has of its instances.

        In one transaction its open batches go, `remainders` (the excluded instances) stay open, and the block
        counts. When it returns, that MUST be durable; before, the journal MUST NOT forget anything. Raises
        `VolumeStateError` if it is not stored with that digest, or would not hold what was planned.
        """
        values = (block, data_length, received_from, received_to)
        for last in (False, True):
            try:
                async with self._database.transaction([vault]) as connection:
                    row = await _lock(connection, volume, vault)
                    if row["digest"] != digest or not _may_be_verified(row, block, instances, remainders):
                        raise VolumeStateError(
                            f"volume {volume} is {row['state']}, and not the one that was verified"
                        )
                    if row["state"] == VolumeState.STORED.value:
                        await _supersede(connection, row, remainders)
                        await connection.execute(queries("volumes")["verified"], volume, *values)
                    return volume_of(await _lock(connection, volume, vault))
            except NoPartitionError:
                if last:
                    raise
                await self._make_partitions()
        raise AssertionError("unreachable")

    async def abandon(self, volume: VolumeId, vault: VaultId, reason: str) -> None:
        """Gives a plan up; its batches may be planned again, under another id and key.

        Raises `VolumeStateError` if it is verified.
        """
        async with self._database.transaction([vault]) as connection:
            row = await _lock(connection, volume, vault)
            state = VolumeState(row["state"])
            if state in READABLE:
                raise VolumeStateError(f"volume {volume} is {state.value}; it cannot be abandoned")
            if state in LIVE:
                text = storable(reason, REASON_LENGTH_MAX) or "no reason given"
                await connection.execute(queries("volumes")["abandon"], volume, text)
                await connection.execute(queries("volumes")["release_batches"], volume)
                await connection.execute(queries("volumes")["release_newcomers"], volume)

    async def damaged(self, volume: VolumeId, vault: VaultId, why: str) -> None:
        """Nothing rests on it any more: not duplicates, not commitment. The first reason stays."""
        async with self._database.transaction([vault]) as connection:
            found = await connection.fetchval(
                queries("volumes")["damaged"], volume, vault, storable(why, REASON_LENGTH_MAX)
            )
        if found is None:
            raise NotFoundError(f"no volume {volume}")

    async def get(self, volume: VolumeId, vaults: Sequence[VaultId]) -> Volume:
        """One volume with its block. Raises `NotFoundError`."""
        async with self._database.transaction(vaults) as connection:
            row = await connection.fetchrow(queries("volumes")["row"], volume, list(vaults))
        if row is None:
            raise NotFoundError(f"no volume {volume}")
        return volume_of(row)

    async def of_study(self, vault: VaultId, study_uid: StudyUid) -> tuple[Volume, ...]:
        """All volumes of a study with their blocks, whatever became of them, oldest plan first."""
        async with self._database.transaction([vault]) as connection:
            rows = await connection.fetch(queries("volumes")["of_study"], vault, study_uid)
        return tuple(volume_of(row) for row in rows)

    async def list(
        self,
        vaults: Sequence[VaultId],
        *,
        states: Sequence[VolumeState] | None = None,
        damaged: bool = False,
        limit: int = 100,
        after: VolumeId | None = None,
    ) -> tuple[Volume, ...]:
        """Newest plan first, without blocks; `after` is the last one of the previous page."""
        wanted = None if states is None else [state.value for state in states]
        async with self._database.transaction(vaults) as connection:
            rows = await connection.fetch(
                queries("volumes")["list"], list(vaults), wanted, after, damaged,
                max(1, min(limit, LIST_AT_MOST)),
            )  # fmt: skip
        return tuple(volume_of(row) for row in rows)

    async def anything(self) -> bool:
        """Whether any volume should be in the store."""
        async with self._database.transaction(every_vault=True) as connection:
            return bool(await connection.fetchval(queries("volumes")["anything"]))

    async def verified_since(self, node: NodeId, received_at: datetime) -> tuple[Volume, ...]:
        """A node's verified volumes, with blocks, that hold anything received then or later.

        What its journal may still hold of them it may forget.
        """
        async with self._database.transaction(every_vault=True) as connection:
            rows = await connection.fetch(queries("volumes")["verified_since"], node, received_at)
        return tuple(volume_of(row) for row in rows)

    async def uncommitted(self, before: datetime) -> Uncommitted:
        """How much of the whole archive was verified before then and never committed."""
        async with self._database.transaction(every_vault=True) as connection:
            row = await connection.fetchrow(queries("volumes")["uncommitted"], before)
        assert row is not None
        return Uncommitted(row["volumes"], int(row["instances"]), row["since"])

    async def uncommitted_since(
        self, vaults: Sequence[VaultId], before: datetime, *, limit: int = 100
    ) -> tuple[Volume, ...]:
        """Volumes verified before then with instances that were never committed, oldest first."""
        async with self._database.transaction(vaults) as connection:
            rows = await connection.fetch(
                queries("volumes")["uncommitted_since"],
                list(vaults),
                before,
                max(1, min(limit, LIST_AT_MOST)),
            )
        return tuple(volume_of(row) for row in rows)


async def _lock(connection: Connection, volume: VolumeId, vault: VaultId) -> Row:
    row = await connection.fetchrow(queries("volumes")["lock"], volume, vault)
    if row is None:
        raise NotFoundError(f"no volume {volume}")
    return row


def _may_be_verified(row: Row, block: bytes, instances: int, remainders: Sequence[Remainder]) -> bool:
    if VolumeState(row["state"]) in READABLE:
        return bool(row["block"] == block)
    left = sum(one.batch.instances for one in remainders)
    return (
        row["state"] == VolumeState.STORED.value
        and row["instances"] == instances
        and left == len(row["excluded_positions"] or ())
    )


async def _supersede(connection: Connection, row: Row, remainders: Sequence[Remainder]) -> None:
    """Everything that the volume takes the place of."""
    if row["kind"] == VolumeKind.QUARANTINED.value:
        await connection.execute(queries("volumes")["place_newcomers"], row["id"])
        await connection.execute(queries("volumes")["release_newcomers"], row["id"])
        return
    await _supersede_batches(connection, row)
    if remainders:
        batches = [one.batch for one in remainders]
        await connection.execute(
            queries("volumes")["insert_remainders"], row["study"], row["node"], row["vault"],
            [one.epoch for one in remainders], [b.first_position for b in batches],
            [b.last_position for b in batches], [b.instances for b in batches], [b.length for b in batches],
            [b.received_from for b in batches], [b.received_to for b in batches], [b.block for b in batches],
        )  # fmt: skip
    if row["supersedes"]:
        done = await connection.execute(
            queries("volumes")["supersede"], row["id"], row["supersedes"], row["study"]
        )
        if int(done.split()[-1]) != len(row["supersedes"]):
            # A custody bitmap speaks of places in one volume; nothing carries it over to another yet.
            raise VolumeStateError(f"volume {row['id']} cannot supersede what is committed or not verified")


async def _supersede_batches(connection: Connection, row: Row) -> None:
    span = await connection.fetchrow(queries("volumes")["planned_span"], row["id"])
    assert span is not None
    if not span["batches"]:
        raise VolumeStateError(f"volume {row['id']} has no plan")
    done = await connection.execute(
        queries("volumes")["supersede_batches"], row["id"], span["landed_from"], span["landed_to"]
    )
    if int(done.split()[-1]) != span["batches"]:
        raise VolumeStateError(f"volume {row['id']}: of its {span['batches']} batches some are gone: {done}")
    await connection.execute(queries("volumes")["release_batches"], row["id"])

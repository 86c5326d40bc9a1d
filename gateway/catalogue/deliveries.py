"""Deliveries: reports that are owed, leased to whoever brings them, until they are taken."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from gateway.catalogue.database import Database
from gateway.catalogue.item_lists import failures_of, items_of
from gateway.catalogue.queries import queries
from gateway.catalogue.storable import storable
from gateway.catalogue.wording import Row
from gateway.errors import NotFoundError
from gateway.model.commitment import FailureReason
from gateway.model.delivery import Delivery, DeliveryKind, DeliveryStatus
from gateway.model.identifiers import AeTitle, NodeId, Uid, VaultId

LEASE = timedelta(minutes=2)
OTHERS_AFTER = timedelta(seconds=30)
"""A report of a request that another node took is that node's first: the association may still be open."""
ERROR_LENGTH_MAX = 1000


class Deliveries:
    """At least once: whoever brings a report and crashes before saying so brings it again."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def due(
        self, limit: int, node: NodeId, *, lease: timedelta = LEASE, others_after: timedelta = OTHERS_AFTER
    ) -> tuple[Delivery, ...]:
        """Leases reports whose facts are in the store, in the order in which they were owed.

        All reports to one destination go to one node at a time. A lease that ends without `delivered` or
        `failed` lets the report be given out again.
        """
        async with self._database.transaction(every_vault=True) as connection:
            await connection.execute(queries("deliveries")["lock"])
            taken = await connection.fetch(queries("deliveries")["due"], node, limit, lease, others_after)
            rows = await connection.fetch(queries("deliveries")["leased"], [row["id"] for row in taken])
        return tuple(_delivery_of(row) for row in rows)

    async def release(self, node: NodeId) -> int:
        """At the start of a node: what its last process had leased is due at once; how many reports."""
        async with self._database.transaction(every_vault=True) as connection:
            return len(await connection.fetch(queries("deliveries")["release"], node))

    async def delivered(self, delivery: Delivery) -> None:
        """The destination has taken it; true also for a lease that had ended."""
        async with self._database.transaction(every_vault=True) as connection:
            row = await connection.fetchrow(queries("deliveries")["delivered"], delivery.id)
            if row is not None and row["kind"] == DeliveryKind.RESULT.value:
                await connection.execute(queries("deliveries")["drop_list"], row["commitment"])

    async def failed(self, delivery: Delivery, why: str, *, next_attempt_at: datetime | None) -> None:
        """It was not taken; without a next attempt it is given up, until somebody asks for it (`again`)."""
        async with self._database.transaction(every_vault=True) as connection:
            await connection.execute(
                queries("deliveries")["failed"], delivery.id, delivery.lease,
                storable(why, ERROR_LENGTH_MAX), next_attempt_at,
            )  # fmt: skip

    async def again(self, commitment: int, vaults: Sequence[VaultId]) -> int:
        """Brings what is owed of a request at once, also what was given up; returns how many reports.

        Raises `NotFoundError` if nothing is owed.
        """
        async with self._database.transaction(vaults) as connection:
            rows = await connection.fetch(queries("deliveries")["again"], commitment, list(vaults))
        if not rows:
            raise NotFoundError(f"no report of commitment {commitment} is owed")
        return len(rows)

    async def of(
        self, commitments: Sequence[int], vaults: Sequence[VaultId]
    ) -> dict[int, tuple[DeliveryStatus, ...]]:
        """The reports of these requests, oldest first."""
        async with self._database.transaction(vaults) as connection:
            rows = await connection.fetch(
                queries("deliveries")["of_commitments"], list(commitments), list(vaults)
            )
        return {
            number: tuple(_status_of(row) for row in rows if row["commitment"] == number)
            for number in commitments
        }

    async def owed(self) -> dict[AeTitle, tuple[int, datetime]]:
        """For health and metrics: how many reports wait for each destination, and the oldest one's time."""
        async with self._database.transaction(every_vault=True) as connection:
            rows = await connection.fetch(queries("deliveries")["owed"])
        return {AeTitle(row["destination"]): (row["deliveries"], row["oldest"]) for row in rows}


def _delivery_of(row: Row) -> Delivery:
    kind = DeliveryKind(row["kind"])
    result = kind is DeliveryKind.RESULT
    items = items_of(row["committed_list"] if result else row["list"])
    duplicate = dict.fromkeys(items, FailureReason.DUPLICATE_TRANSACTION_UID)
    return Delivery(
        id=row["id"],
        lease=row["lease"],
        leased_until=row["leased_until"],
        kind=kind,
        destination=AeTitle(row["destination"]),
        called=AeTitle(row["called"]),
        transaction_uid=Uid(row["transaction_uid"]),
        items=items,
        failures=failures_of(row["failures"]) if result else duplicate,
        node=NodeId(row["node"]),
        epoch=row["epoch"],
        association=row["association"],
        created_at=row["created_at"],
        attempts=row["attempts"] - 1,
    )


def _status_of(row: Row) -> DeliveryStatus:
    return DeliveryStatus(
        row["id"], DeliveryKind(row["kind"]), AeTitle(row["destination"]), Uid(row["transaction_uid"]),
        row["created_at"], row["attempts"], row["next_attempt_at"], row["last_error"], row["delivered_at"],
        row["given_up_at"], row["waits_for_fact"],
    )  # fmt: skip

"""Commitments: what was asked, where it stands, and the one transaction that answers it."""

from collections.abc import Mapping, Sequence

from gateway.catalogue.custody import begin_custody, custody_of
from gateway.catalogue.database import Connection, Database
from gateway.catalogue.item_lists import failures_of, items_of, packed_failures, packed_items
from gateway.catalogue.landing import signed
from gateway.catalogue.queries import queries
from gateway.catalogue.standing import standing_of
from gateway.catalogue.storable import storable
from gateway.catalogue.wording import Row
from gateway.errors import CommitmentStateError, NotFoundError
from gateway.model.commitment import (
    Asked,
    Commitment,
    CommitmentItem,
    CommitmentRequest,
    Custody,
    FailureReason,
    Secured,
    Standing,
)
from gateway.model.delivery import DeliveryKind
from gateway.model.identifiers import AeTitle, NodeId, Uid, VaultId, VolumeId

LIST_AT_MOST = 1000


class Commitments:
    """A request is its caller's. All that writes may be done again after an unknown outcome."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, request: CommitmentRequest) -> tuple[Asked, Commitment]:
        """Keeps a request. When it returns the request MUST be durable, and its report is owed for ever.

        The same list under the same transaction UID is answered with the same result: at once if there is
        one. Another list under it gets a report of its own, in which every item fails with 0131H.
        """
        async with self._database.transaction(request.vaults) as connection:
            new = await connection.fetchval(
                queries("commitments")["insert"], request.transaction_uid, request.calling, request.called,
                list(request.vaults), request.node, request.epoch, request.association, len(request.items),
                request.deadline_at, request.digest, packed_items(request.items),
            )  # fmt: skip
            asked = Asked.NEW if new is not None else await _asked_before(connection, request)
            row = await connection.fetchrow(
                queries("commitments")["lock_asked"], request.calling, request.transaction_uid
            )
            if row is None:  # asked before under other grants, which are all over
                raise CommitmentStateError(
                    "that transaction UID was used for a vault that is not granted now"
                )
        return asked, _commitment_of(row)

    async def pending(self, *, after: int = 0, limit: int = LIST_AT_MOST) -> tuple[Commitment, ...]:
        """Requests without a result, of any node, oldest first; `after` is the last id of the page before."""
        async with self._database.transaction(every_vault=True) as connection:
            rows = await connection.fetch(queries("commitments")["pending"], after, limit)
        return tuple(_commitment_of(row) for row in rows)

    async def look(self, vaults: Sequence[VaultId], locator_hashes: Sequence[int]) -> tuple[Standing, ...]:
        """All that is known of the studies in `vaults` in which instances with these hashes may be.

        A study in another vault is not there. The hash is a hint: the index blocks decide.
        """
        async with self._database.transaction(vaults) as connection:
            hashes = [signed(number) for number in locator_hashes]
            studies = await connection.fetch(queries("commitments")["studies_holding"], hashes, list(vaults))
            return await standing_of(connection, studies, vaults)

    async def resolve(
        self,
        commitment: Commitment,
        *,
        failures: Mapping[CommitmentItem, FailureReason],
        secured: Sequence[Secured],
    ) -> Commitment:
        """Ends a request: every item that is not in `failures` is committed, and MUST be in `secured`.

        In one transaction: the result, the custody of what was not in custody before, the facts that say so,
        an incident where the caller may take refused bytes for kept ones, and the report that is owed. When
        it returns all of that MUST be durable. A request that has its result keeps it. Raises
        `CommitmentStateError` if a volume, a dispute, a damage or a quarantined twin came in between, or
        something of a study that is not compared yet: look again.
        """
        vaults = commitment.vaults
        async with self._database.transaction(vaults) as connection:
            row = await connection.fetchrow(queries("commitments")["lock"], commitment.id)
            if row is None:
                raise NotFoundError(f"no commitment {commitment.id}")
            if row["resolved_at"] is None:
                good = set(items_of(row["list"])) - failures.keys()
                await _check(connection, row, good, secured)
                await begin_custody(connection, row, secured, vaults)
                await _tell_twins(connection, row, failures)
                failed = packed_failures(failures)
                await connection.execute(queries("commitments")["resolve"], row["id"], len(failures), failed)
                await _owe(connection, row, DeliveryKind.RESULT, row["digest"], None)
                row = await connection.fetchrow(queries("commitments")["lock"], commitment.id)
                assert row is not None
        return _commitment_of(row)

    async def get(self, number: int, vaults: Sequence[VaultId]) -> Commitment:
        """One request. Raises `NotFoundError`."""
        async with self._database.transaction(vaults) as connection:
            row = await connection.fetchrow(queries("commitments")["get"], number, list(vaults))
        if row is None:
            raise NotFoundError(f"no commitment {number}")
        return _commitment_of(row)

    async def list(
        self,
        vaults: Sequence[VaultId],
        *,
        calling: str = "",
        transaction_uid: str = "",
        pending: bool = False,
        limit: int = 100,
        after: int | None = None,
    ) -> tuple[Commitment, ...]:
        """Newest first; `after` is the last id of the page before."""
        async with self._database.transaction(vaults) as connection:
            rows = await connection.fetch(
                queries("commitments")["list"], list(vaults), storable(calling), storable(transaction_uid),
                pending, after, max(1, min(limit, LIST_AT_MOST)),
            )  # fmt: skip
        return tuple(_commitment_of(row) for row in rows)

    async def custody(self, volumes: Sequence[VolumeId], vaults: Sequence[VaultId]) -> tuple[Custody, ...]:
        """Since when the archive answers for what of these volumes, oldest first."""
        async with self._database.transaction(vaults) as connection:
            rows = await connection.fetch(queries("commitments")["custody"], list(volumes), list(vaults))
        return tuple(custody_of(row) for row in rows)


async def _asked_before(connection: Connection, request: CommitmentRequest) -> Asked:
    row = await connection.fetchrow(
        queries("commitments")["lock_asked"], request.calling, request.transaction_uid
    )
    if row is None:
        return Asked.AGAIN  # invisible: the caller of this finds it out
    if not set(row["vaults"]) <= set(request.vaults):
        raise CommitmentStateError("that transaction UID was used for a vault that is not granted now")
    where = (request.node, request.epoch, request.association)
    if row["digest"] != request.digest:
        told = {**dict(row), **dict(zip(("node", "epoch", "association"), where, strict=True))}
        await _owe(connection, told, DeliveryKind.DUPLICATE, request.digest, packed_items(request.items))
        return Asked.OTHER_LIST
    await connection.execute(
        queries("commitments")["asked_again"], row["id"], *where, packed_items(request.items)
    )
    if row["resolved_at"] is not None:
        told = {**dict(row), **dict(zip(("node", "epoch", "association"), where, strict=True))}
        await _owe(connection, told, DeliveryKind.RESULT, row["digest"], None)
    return Asked.AGAIN


async def _owe(
    connection: Connection,
    commitment: Row | Mapping[str, object],
    kind: DeliveryKind,
    digest: bytes,
    packed: bytes | None,
) -> None:
    await connection.execute(
        queries("commitments")["owe"], commitment["id"], kind.value, commitment["calling"],
        commitment["called"], commitment["vaults"], commitment["node"], commitment["epoch"],
        commitment["association"], digest, packed,
    )  # fmt: skip


async def _check(
    connection: Connection, row: Row, good: set[CommitmentItem], secured: Sequence[Secured]
) -> None:
    """Never a success without a volume: what is named as secured is held against the list, here as well."""
    members = [member for one in secured for member in one.members]
    uids = sorted({item.sop_uid for item in good})
    if uids != sorted({member.sop_uid for member in members}):
        raise CommitmentStateError("what is said to be secured is not what the list succeeds with")
    ids = [member.receive_id for member in members]
    objection = await connection.fetchrow(
        queries("commitments")["objections"], row["vaults"], uids, row["calling"],
        [one.node for one in ids], [one.epoch for one in ids], [one.position for one in ids],
        [one.volume for one in secured],
    )  # fmt: skip
    if objection is not None:
        raise CommitmentStateError(f"something came in between: {objection['kind']}")


async def _tell_twins(
    connection: Connection, row: Row, failures: Mapping[CommitmentItem, FailureReason]
) -> None:
    """An incident for each UID that failed because this caller's own bytes under it are held apart."""
    failed = sorted(
        {item.sop_uid for item, why in failures.items() if why is FailureReason.PROCESSING_FAILURE}
    )
    if failed:
        reason = (
            f"{row['calling']} asked for storage commitment (transaction UID {row['transaction_uid']}) of an "
            "instance that it also sent with other bytes, which were refused: it may believe that those are "
            "kept; they are held apart by incident "
        )
        await connection.execute(
            queries("commitments")["tell_twins"], row["vaults"], failed, row["calling"], reason
        )


def _commitment_of(row: Row) -> Commitment:
    return Commitment(
        id=row["id"],
        transaction_uid=Uid(row["transaction_uid"]),
        calling=AeTitle(row["calling"]),
        called=AeTitle(row["called"]),
        vaults=tuple(VaultId(one) for one in row["vaults"]),
        items=items_of(row["list"]),
        items_count=row["items"],
        node=NodeId(row["node"]),
        epoch=row["epoch"],
        association=row["association"],
        asked_at=row["asked_at"],
        deadline_at=row["deadline_at"],
        resolved_at=row["resolved_at"],
        failures=failures_of(row["failures"]),
    )

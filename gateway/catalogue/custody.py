"""Custody: since when the archive answers for which members of a volume, and the fact that says so."""

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from gateway.catalogue.database import Connection
from gateway.catalogue.queries import queries
from gateway.catalogue.wording import Row
from gateway.errors import CommitmentStateError
from gateway.model.commitment import Custody, Member, Secured
from gateway.model.identifiers import VaultId, VolumeId


def bits_of(ordinals: Sequence[int]) -> bytes:
    """A bitmap, lowest bit of the first byte first, no longer than needed."""
    bits = bytearray(max(ordinals, default=-1) // 8 + 1)
    for ordinal in ordinals:
        bits[ordinal // 8] |= 1 << ordinal % 8
    return bytes(bits)


def ordinals_of(bits: bytes) -> tuple[int, ...]:
    """The inverse of `bits_of`, in order."""
    return tuple(8 * index + bit for index, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1)


def custody_of(row: Row) -> Custody:
    """A row of `custody`."""
    members = None if row["members"] is None else ordinals_of(row["members"])
    return Custody(VolumeId(row["volume"]), row["commitment"], row["since"], members)


async def begin_custody(
    connection: Connection, commitment: Row, secured: Sequence[Secured], vaults: Sequence[VaultId]
) -> None:
    """In the caller's transaction: custody of what was in nobody's request before, and a fact of each vault.

    What another request began just now, and no fact in the store tells yet, this fact tells as well: the
    report of this request must not go out before the store knows. Raises `CommitmentStateError` if one of
    the volumes is no longer what it was.
    """
    names = sorted({one.volume for one in secured})
    rows = await connection.fetch(queries("commitments")["lock_volumes"], names, list(vaults))
    if len(rows) != len(names):
        raise CommitmentStateError("a volume that the commitment would rest on is not verified and sound")
    earlier = _held(names, await connection.fetch(queries("commitments")["custody"], names, list(vaults)))
    untold = _held(names, await connection.fetch(queries("commitments")["untold"], names, list(vaults)))
    since: datetime = await connection.fetchval(queries("commitments")["now"])
    told: list[tuple[VaultId, dict[str, object]]] = []
    for row in rows:
        members = [m for one in secured if one.volume == row["id"] for m in one.members]
        new = _new(members, earlier[row["id"]])
        if any(member.ordinal >= row["instances"] for member in new):
            raise CommitmentStateError(f"volume {row['id']} has no such members")
        if new:
            whole = len(new) == row["instances"]
            bits = None if whole else bits_of([member.ordinal for member in new])
            await connection.execute(
                queries("commitments")["insert_custody"],
                row["id"], row["vault"], commitment["id"], since, bits,
            )  # fmt: skip
            await connection.execute(queries("commitments")["committed"], row["id"], len(new))
        if tell := _to_tell(members, new, untold[row["id"]]):
            runs = None if len(tell) == row["instances"] else _runs(tell)
            told.append((row["vault"], {"volume": row["id"], "members": runs}))
    await _tell(connection, commitment, since, told)


def _held(names: Sequence[str], rows: Sequence[Row]) -> dict[str, set[int] | None]:
    """Volume -> the places that rows of `custody` speak of; None: all."""
    held: dict[str, set[int] | None] = {name: set() for name in names}
    for row in rows:
        known = held[row["volume"]]
        if row["members"] is None or known is None:
            held[row["volume"]] = None
        else:
            known.update(ordinals_of(row["members"]))
    return held


def _new(members: Sequence[Member], earlier: set[int] | None) -> list[Member]:
    """Each once, in order; nothing of a volume that is in custody whole."""
    if earlier is None:
        return []
    new = {member.ordinal: member for member in members if member.ordinal not in earlier}
    return [new[ordinal] for ordinal in sorted(new)]


def _to_tell(members: Sequence[Member], new: Sequence[Member], untold: set[int] | None) -> list[Member]:
    """What is new, and what is in custody and in no fact that the store has; each once."""
    tell = {member.ordinal: member for member in new}
    tell |= {member.ordinal: member for member in members if untold is None or member.ordinal in untold}
    return [tell[ordinal] for ordinal in sorted(tell)]


def _runs(members: Sequence[Member]) -> list[dict[str, object]]:
    """Receive ids, consecutive positions as [first, last]: they stay true whatever becomes of the block."""
    ids = sorted(member.receive_id for member in members)
    told: list[dict[str, object]] = []
    for (node, epoch), group in groupby(ids, key=lambda one: (one.node, one.epoch)):
        runs: list[list[int]] = []
        for one in group:
            if runs and one.position == runs[-1][1] + 1:
                runs[-1][1] = one.position
            else:
                runs.append([one.position, one.position])
        told.append({"node": str(node), "epoch": epoch, "positions": runs})
    return told


async def _tell(
    connection: Connection,
    commitment: Row,
    since: datetime,
    told: Sequence[tuple[VaultId, dict[str, object]]],
) -> None:
    for vault, group in groupby(sorted(told, key=lambda one: one[0]), key=lambda one: one[0]):
        payload = {
            "kind": "custody", "vault": str(vault), "since": since.isoformat(),
            "calling": commitment["calling"], "transaction_uid": commitment["transaction_uid"],
            "volumes": [volume for _, volume in group],
        }  # fmt: skip
        text = json.dumps(payload, separators=(",", ":"))
        await connection.execute(queries("commitments")["insert_fact"], vault, commitment["id"], text)

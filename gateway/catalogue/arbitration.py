"""Arbitration: what landed is compared with the rest of the archive, after the answer (design 3, Duplicates).

Two nodes may land the same UID at once, and neither transaction sees the other. So comparing is a step
of its own, after the commit, owed by a row of the landing transaction: whoever lands last sees both.
It is safe to do twice, by anybody: which of two is the newcomer follows from their rows.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from uuid import UUID

from gateway.catalogue.database import Connection, Database
from gateway.catalogue.queries import queries
from gateway.model.identifiers import NodeId, SopInstanceUid, StudyUid, VaultId
from gateway.model.incident import IncidentKind

SETTLE_AT_MOST = 256


@dataclass(frozen=True, slots=True)
class Match:
    """One SOP Instance UID that is in both of two index blocks."""

    sop_uid: SopInstanceUid
    same_content: bool
    position: int
    """In the first block."""
    other_position: int
    """In the second."""
    epoch: int
    """As the first block says it. A batch has one epoch, a volume may have several."""
    other_epoch: int
    """As the second block says it."""


Verifier = Callable[[bytes, bytes], Sequence[Match]]
"""Decodes two index blocks and returns every UID that is in both. Called in a thread."""


class StudyCopy(Enum):
    """What a profile says of one study that reaches two vaults."""

    ACCEPT = "accept"
    """Keep it, silently; it is the second vault's own copy."""
    INCIDENT = "incident"
    """Keep it, and let a person know."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A landed batch that was not yet compared."""

    node: NodeId
    epoch: int
    first_position: int
    study: int
    vault: VaultId
    study_uid: StudyUid
    hashes: tuple[int, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Place:
    """A batch or a verified volume with its block, somewhere in the archive."""

    volume: str | None
    landed_at: datetime
    node: UUID
    epoch: int
    first_position: int
    study: int
    vault: VaultId
    study_uid: StudyUid
    block: bytes = field(repr=False)

    @property
    def age(self) -> tuple[bool, datetime, UUID, int, int, str]:
        """Volumes are older than batches: what they hold was compared before they were planned."""
        of_batch = self.landed_at, self.node, self.epoch, self.first_position
        return self.volume is None, *of_batch, self.volume or ""

    def receive_id(self, epoch: int, position: int) -> tuple[UUID, int, int]:
        """Of an instance of its block, which says the epoch where that is not the batch's."""
        return self.node, self.epoch if self.volume is None else epoch, position


@dataclass(frozen=True, slots=True)
class _Finding:
    kind: IncidentKind
    newcomer: _Place
    kept: _Place
    match: Match
    """Its first position is the newcomer's."""


class Arbitration:
    """Settles what is owed.

    Sees past vaults through three narrow functions of the schema, and nowhere else.
    """

    def __init__(self, database: Database, verifier: Verifier, *, study_copy: StudyCopy) -> None:
        self._database = database
        self._verifier = verifier
        self._study_copy = study_copy

    async def settle(self, *, older_than: timedelta = timedelta(0)) -> int:
        """Compares what is still owed, by any node; returns how many batches were settled."""
        settled = 0
        while True:
            async with self._database.connection() as connection:
                rows = await connection.fetch(queries("arbitration")["pending"], older_than, SETTLE_AT_MOST)
            await self.arbitrate(
                tuple(Subject(**{**dict(row), "hashes": tuple(row["hashes"])}) for row in rows)
            )
            settled += len(rows)
            if len(rows) < SETTLE_AT_MOST:
                return settled

    async def arbitrate(self, subjects: Sequence[Subject]) -> int:
        """Opens an incident for each UID that may not be in two places; returns how many were found."""
        if not subjects:
            return 0
        findings = [f for f in await self._findings(subjects) if not await self._settled(f)]
        vaults = {s.vault for s in subjects} | {f.newcomer.vault for f in findings}
        async with self._database.transaction(sorted(vaults)) as connection:
            await _insert_incidents(connection, findings)
            await connection.execute(
                queries("arbitration")["done"],
                [s.node for s in subjects], [s.epoch for s in subjects],
                [s.first_position for s in subjects], [s.study for s in subjects],
            )  # fmt: skip
        return len(findings)

    async def _findings(self, subjects: Sequence[Subject]) -> list[_Finding]:
        hashes = [number for s in subjects for number in s.hashes]
        newcomers = [s.study for s in subjects for _ in s.hashes]
        async with self._database.connection() as connection:
            rows = await connection.fetch(queries("arbitration")["candidates"], hashes, newcomers)
        findings: list[_Finding] = []
        for row in rows:
            own = [s for s in subjects if s.study == row["newcomer"]]
            if (
                row["vault"] != own[0].vault
                and row["study_uid"] == own[0].study_uid
                and self._study_copy is StudyCopy.ACCEPT
            ):
                continue
            others = await self._places(row["study"], row["vault"], row["study_uid"])
            mine = (
                others
                if row["study"] == own[0].study
                else await self._places(own[0].study, own[0].vault, own[0].study_uid)
            )
            wanted = {(s.node, s.epoch, s.first_position) for s in own}
            for place in mine:
                if (place.node, place.epoch, place.first_position) in wanted:
                    findings += await self._compare(place, others)
        return findings

    async def _settled(self, finding: _Finding) -> bool:
        """Whether a person has chosen for this UID already, and the newcomer brings nothing new."""
        if finding.kind is not IncidentKind.DISPUTE:
            return False
        new = finding.newcomer
        async with self._database.transaction([new.vault]) as connection:
            rows = await connection.fetch(
                queries("arbitration")["settled"], new.vault, new.study_uid, finding.match.sop_uid
            )
        parties = {tuple(row)[:3] for row in rows} | {tuple(row)[3:] for row in rows}
        for place in await self._places(new.study, new.vault, new.study_uid) if parties else ():
            for match in await asyncio.to_thread(self._verifier, new.block, place.block):
                other = place.receive_id(match.other_epoch, match.other_position)
                if match.sop_uid == finding.match.sop_uid and match.same_content and other in parties:
                    return True
        return False

    async def _places(self, study: int, vault: VaultId, study_uid: StudyUid) -> list[_Place]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(queries("arbitration")["blocks"], study)
        return [
            _Place(
                r["volume"],
                r["landed_at"],
                r["node"],
                r["epoch"],
                r["first_position"],
                study,
                vault,
                study_uid,
                r["block"],
            )
            for r in rows
        ]

    async def _compare(self, place: _Place, others: Sequence[_Place]) -> list[_Finding]:
        findings: list[_Finding] = []
        for other in others:
            if (other.age, other.study) == (place.age, place.study):
                continue
            newcomer, kept = (
                (place, other) if (place.age, place.study) > (other.age, other.study) else (other, place)
            )
            for match in await asyncio.to_thread(self._verifier, newcomer.block, kept.block):
                if newcomer.study != kept.study:
                    findings.append(_Finding(IncidentKind.CROSS_STUDY_UID, newcomer, kept, match))
                elif not match.same_content:
                    findings.append(_Finding(IncidentKind.DISPUTE, newcomer, kept, match))
                # The same content twice in one study: both stay; a second verified copy harms nobody.
        return findings


async def _insert_incidents(connection: Connection, findings: Sequence[_Finding]) -> None:
    await connection.executemany(
        queries("arbitration")["insert_incident"], [_incident_row(f) for f in findings]
    )


def _incident_row(finding: _Finding) -> tuple[object, ...]:
    new, kept, match = finding.newcomer, finding.kept, finding.match
    met = kept.receive_id(match.other_epoch, match.other_position)
    shown = met if kept.vault == new.vault else (None, None, None)  # nothing of another vault is told
    receive_id = new.receive_id(match.epoch, match.position)
    return finding.kind.value, new.vault, new.study_uid, match.sop_uid, _reason(finding), *receive_id, *shown


def _reason(finding: _Finding) -> str:
    same = "the same content" if finding.match.same_content else "other content"
    if finding.kind is IncidentKind.DISPUTE:
        return "two nodes answered success for this SOP Instance UID, with other content"
    if finding.newcomer.vault != finding.kept.vault:
        return f"this SOP Instance UID is also kept elsewhere in the archive, with {same}"
    return f"this SOP Instance UID is also in study {finding.kept.study_uid}, with {same}"

"""A catalogue to measure: made-up studies go the whole way from landing to custody."""

import asyncio
import os
import random
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from gateway.catalogue import Catalogue
from gateway.model.batch import Batch, BatchSeries, Flush, NamedPatient
from gateway.model.commitment import CommitmentItem, CommitmentRequest, Member, Secured
from gateway.model.identifiers import (
    AeTitle,
    NodeId,
    SeriesUid,
    SopInstanceUid,
    StudyUid,
    Uid,
    VaultId,
    VolumeId,
)
from gateway.model.instance import ReceiveId
from gateway.model.study import StudyAttributes
from gateway.model.volume import BatchKey, Volume, VolumePlan

INSTANCES = 273
"""Of a study, on average."""
BLOCK_BYTES = 41
"""Of an index block, an instance: the dearest measured kind of UID (docs/design/index-block.md)."""
BATCHES = 3
"""In which a study lands."""
SERIES = 3
AT_ONCE = 20
"""Studies that arrive at the same time."""
CT = Uid("1.2.840.10008.5.1.4.1.1.2")
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
_ULID_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Timing:
    """What was done, in how many seconds."""

    instances: int
    landing: float
    verifying: float
    """Plan, stored, verified."""
    committing: float
    """Ask, resolve, facts, reports."""


class Filling:
    """One node that receives, assembles and commits made-up studies; no bytes of instances anywhere."""

    def __init__(self, catalogue: Catalogue, vault: VaultId, node: NodeId, epoch: int) -> None:
        self._catalogue, self._vault, self._node, self._epoch = catalogue, vault, node, epoch
        self._source = random.Random(1)  # noqa: S311
        self._position = 0
        self._studies = 0

    @classmethod
    async def begin(cls, catalogue: Catalogue) -> "Filling":
        """A vault and a node of its own."""
        vault, node = VaultId(uuid4()), NodeId(uuid4())
        await catalogue.grants.create_vault(vault, f"measured {vault}")
        return cls(catalogue, vault, node, (await catalogue.nodes.start(node)).epoch)

    async def fill(self, studies: int, told: Callable[[int], None] = lambda instances: None) -> Timing:
        """So many studies to the end: landed, in volumes, committed, reported."""
        landing = verifying = committing = 0.0
        for first in range(0, studies, AT_ONCE):
            numbers = range(self._studies, self._studies + min(AT_ONCE, studies - first))
            self._studies = numbers.stop
            began = time.monotonic()
            batches = await self._land_studies(numbers)
            landed = time.monotonic()
            volumes = [await self._verify(study, batches[study]) for study in numbers]
            verified = time.monotonic()
            await self._commit(volumes)
            landing, verifying = landing + landed - began, verifying + verified - landed
            committing += time.monotonic() - verified
            told(self._position)
        return Timing(studies * INSTANCES, landing, verifying, committing)

    async def drain(self, seconds: float) -> float:
        """Lands as fast as the catalogue takes it; instances a second."""
        began, first = time.monotonic(), self._position
        while time.monotonic() - began < seconds:
            await self._land(range(self._studies, self._studies + AT_ONCE), INSTANCES // BATCHES)
            self._studies += AT_ONCE
        return (self._position - first) / (time.monotonic() - began)

    async def lag(self, rate: int, seconds: float, studies: int = 4) -> list[float]:
        """Seconds from an instance's answer until it can be found, of the oldest of each flush.

        Instances arrive evenly, in `studies` studies at once; each flush takes what has arrived meanwhile.
        """
        lags: list[float] = []
        began, done, growing = time.monotonic(), 0, self._studies
        self._studies += studies
        while (now := time.monotonic() - began) < seconds:
            each = (int(now * rate) - done) // studies
            if not each:
                await asyncio.sleep(0.001)
                continue
            oldest = done / rate
            await self._land(range(growing, growing + studies), each)
            lags.append(time.monotonic() - began - oldest)
            done += each * studies
            if done // (studies * INSTANCES) > (growing + studies - self._studies) // studies + 1:
                growing, self._studies = self._studies, self._studies + studies
        return lags

    async def _land_studies(self, numbers: Sequence[int]) -> dict[int, list[Batch]]:
        landed: dict[int, list[Batch]] = {number: [] for number in numbers}
        for _ in range(BATCHES):
            for number, batch in zip(numbers, await self._land(numbers, INSTANCES // BATCHES), strict=True):
                landed[number].append(batch)
        return landed

    async def _land(self, numbers: Sequence[int], instances: int) -> list[Batch]:
        batches = [
            self._batch(number, self._position + 1 + index * instances, instances)
            for index, number in enumerate(numbers)
        ]
        through = self._position + len(batches) * instances
        flush = Flush(self._node, self._epoch, self._position, through, tuple(batches))
        await self._catalogue.land(flush)
        self._position = through
        return batches

    def _batch(self, study: int, first: int, instances: int) -> Batch:
        attributes = StudyAttributes(
            patient_id=f"{study:06}-123A", issuer="1.2.246.21", patient_name=f"Virtanen^Maija {study}",
            birth_date="19010101", sex="F", study_date="20261125", study_time="120000",
            accession_number=f"ACC{study:010}", study_id=str(study), description="CT abdomen",
            referring_physician="Lääkäri^Liisa", modality="CT",
        )  # fmt: skip
        uid = _study_uid(study)
        seed = random.Random(study)  # noqa: S311 - each study's series are the same in every batch
        series = [(SeriesUid(f"{uid}.{n}"), _uuid(seed)) for n in range(SERIES)]
        return Batch(
            vault=self._vault, study_uid=uid, first_position=first, last_position=first + instances - 1,
            instances=instances, length=instances << 19, block=os.urandom(BLOCK_BYTES * instances),
            locator_hashes=tuple(self._source.getrandbits(64) for _ in range(instances)),
            attributes=attributes, received_from=NOW, received_to=NOW,
            patients=(NamedPatient(first, _instance_uid(study, first), attributes),),
            series=tuple(
                BatchSeries(first, _instance_uid(study, first), one, hashed) for one, hashed in series
            ),
        )  # fmt: skip

    async def _verify(self, study: int, batches: Sequence[Batch]) -> Volume:
        identifier = _ulid()
        keys = tuple(BatchKey(self._epoch, batch.first_position) for batch in batches)
        instances = sum(batch.instances for batch in batches)
        key = f"volumes/{self._vault}/{identifier}.tar"
        plan = VolumePlan(identifier, key, self._vault, _study_uid(study), self._node, NOW, keys)
        await self._catalogue.volumes.plan(plan)
        digest = os.urandom(32)
        await self._catalogue.volumes.stored(identifier, self._vault, digest=digest, length=instances << 19)
        return await self._catalogue.volumes.verified(
            identifier, self._vault, digest=digest, block=os.urandom(BLOCK_BYTES * instances + 17),
            instances=instances, data_length=instances << 19, received_from=NOW, received_to=NOW,
        )  # fmt: skip

    async def _commit(self, volumes: Sequence[Volume]) -> None:
        for volume in volumes:
            study = int(volume.study_uid.rpartition(".")[2])
            uids = [_instance_uid(study, number) for number in range(volume.instances)]
            request = CommitmentRequest(
                Uid(f"2.25.{uuid4().int}"), AeTitle("CT_ROOM1"), AeTitle("KUVA"), (self._vault,),
                tuple(CommitmentItem(CT, uid) for uid in uids), self._node, self._epoch, 1,
                datetime.now(UTC) + timedelta(seconds=60),
            )  # fmt: skip
            _, asked = await self._catalogue.commitments.ask(request)
            members = tuple(
                Member(ordinal, ReceiveId(self._node, self._epoch, ordinal + 1), uid)
                for ordinal, uid in enumerate(uids)
            )
            await self._catalogue.commitments.resolve(
                asked, failures={}, secured=[Secured(volume.id, members)]
            )
        await self._catalogue.facts.written([fact.id for fact in await self._catalogue.facts.unwritten()])
        for delivery in await self._catalogue.deliveries.due(len(volumes), self._node):
            await self._catalogue.deliveries.delivered(delivery)


def _study_uid(study: int) -> StudyUid:
    return StudyUid(f"1.2.246.10.1234567.20261125120000.{study}")


def _instance_uid(study: int, number: int) -> SopInstanceUid:
    return SopInstanceUid(f"{_study_uid(study)}.1.{number}")


def _uuid(source: random.Random) -> UUID:
    return UUID(int=source.getrandbits(128))


def _ulid() -> VolumeId:
    return VolumeId("0" + "".join(secrets.choice(_ULID_DIGITS) for _ in range(25)))

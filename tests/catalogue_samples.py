"""Made-up vaults, studies and flushes."""

import hashlib
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from gateway.catalogue import Match
from gateway.model.batch import Batch, Flush, Quarantined
from gateway.model.identifiers import NodeId, SopInstanceUid, StudyUid, Uid, VaultId
from gateway.model.incident import Newcomer
from gateway.model.instance import Content, ReceiveId, Sender
from gateway.model.study import StudyAttributes

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STUDY = StudyUid("1.2.3.4")
ATTRIBUTES = StudyAttributes(
    patient_id="010101-123N",
    patient_name="Sälä^Åke",
    study_date="20261123",
    accession_number="A1",
    modality="CT",
)


EPOCH = 1
"""Of an instance in a volume, as `verify` says it: the nodes of such tests are in their first epoch."""


def vault_id() -> VaultId:
    return VaultId(uuid.uuid4())


def node_id() -> NodeId:
    return NodeId(uuid.uuid4())


def locator_hash(uid: str) -> int:
    return int.from_bytes(hashlib.sha256(uid.encode()).digest()[:8], "big")


def batch(
    vault: VaultId,
    instances: Sequence[tuple[int, str, str]],
    *,
    study: StudyUid = STUDY,
    attributes: StudyAttributes = ATTRIBUTES,
) -> Batch:
    """`instances` are (position, SOP Instance UID, content)."""
    return Batch(
        vault=vault,
        study_uid=study,
        first_position=min(position for position, _, _ in instances),
        last_position=max(position for position, _, _ in instances),
        instances=len(instances),
        length=1000 * len(instances),
        block="\n".join(f"{uid}={position}:{content}" for position, uid, content in instances).encode(),
        locator_hashes=tuple(locator_hash(uid) for _, uid, _ in instances),
        attributes=attributes,
        received_from=NOW,
        received_to=NOW,
    )


def flush(
    node: NodeId,
    epoch: int,
    *batches: Batch,
    after: int = 0,
    through: int = 0,
    quarantined: Sequence[Quarantined] = (),
) -> Flush:
    last = max(
        [b.last_position for b in batches] + [q.newcomer.receive_id.position for q in quarantined] + [through]
    )
    return Flush(node, epoch, after, last, batches, tuple(quarantined))


def quarantined(
    vault: VaultId,
    node: NodeId,
    epoch: int,
    position: int,
    *,
    uid: str = "1.2.3.4.5",
    study: StudyUid = STUDY,
) -> Quarantined:
    content = Content(
        bytes([position % 256]) * 32, Uid("1.2.840.10008.1.2.1"), Uid("1.2.840.10008.5.1.4.1.1.2")
    )
    newcomer = Newcomer(
        ReceiveId(node, epoch, position), content, 4096, Sender("CT1", "KUVA", "10.0.0.1:5000", 7), NOW
    )
    kept = ReceiveId(node, epoch, 1)
    return Quarantined(vault, study, SopInstanceUid(uid), newcomer, "other content", conflicts_with=kept)


def verify(first: bytes, second: bytes) -> Sequence[Match]:
    """Blocks of these tests are text: `uid=position:content` lines."""
    one, two = _read(first), _read(second)
    return [
        Match(SopInstanceUid(uid), one[uid][1] == two[uid][1], one[uid][0], two[uid][0], EPOCH, EPOCH)
        for uid in sorted(one.keys() & two.keys())
    ]


def _read(block: bytes) -> dict[str, tuple[int, str]]:
    lines = (line.partition("=") for line in block.decode().splitlines())
    return {uid: (int(rest.partition(":")[0]), rest.partition(":")[2]) for uid, _, rest in lines}

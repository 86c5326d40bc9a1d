"""Made-up volumes: planned from landed batches, stored and verified without a store."""

import hashlib
import secrets
from collections.abc import Sequence

from gateway.catalogue import Catalogue
from gateway.model.batch import Batch
from gateway.model.commitment import CommitmentItem, CommitmentRequest, Member, Secured
from gateway.model.identifiers import AeTitle, NodeId, SopInstanceUid, StudyUid, Uid, VaultId, VolumeId
from gateway.model.instance import ReceiveId
from gateway.model.volume import BatchKey, PlannedVolume, Remainder, Volume, VolumePlan
from tests.catalogue_samples import NOW, STUDY, batch, flush, node_id, vault_id

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def volume_id() -> VolumeId:
    return VolumeId("0" + "".join(secrets.choice(_DIGITS) for _ in range(25)))


async def landed(
    catalogue: Catalogue, *instances: Sequence[tuple[int, str, str]], study: StudyUid = STUDY
) -> tuple[VaultId, NodeId, int]:
    """A new vault and node, with a batch of each of `instances` ((position, UID, content))."""
    vault, node = vault_id(), node_id()
    await catalogue.grants.create_vault(vault, f"vault {vault}")
    epoch = (await catalogue.nodes.start(node)).epoch
    await catalogue.land(flush(node, epoch, *(batch(vault, one, study=study) for one in instances)))
    return vault, node, epoch


def plan_of(
    vault: VaultId, node: NodeId, *batches: tuple[int, int], study: StudyUid = STUDY, **more: object
) -> VolumePlan:
    identifier = volume_id()
    return VolumePlan(
        id=identifier, key=f"volumes/{vault}/{identifier}.tar", vault=vault, study_uid=study, node=node,
        planned_at=NOW, batches=tuple(BatchKey(*one) for one in batches), **more,  # type: ignore[arg-type]
    )  # fmt: skip


def merged(planned: PlannedVolume) -> bytes:
    """The blocks of these tests are lines of text: `uid=position:content`."""
    excluded = {position for _, position in planned.plan.excluded}
    lines = b"\n".join(one.block for one in planned.batches).splitlines()
    return b"\n".join(line for line in lines if _position(line) not in excluded)


def _position(line: bytes) -> int:
    return int(line.partition(b"=")[2].partition(b":")[0])


async def stored(catalogue: Catalogue, plan: VolumePlan) -> PlannedVolume:
    planned = await catalogue.volumes.plan(plan)
    await catalogue.volumes.stored(plan.id, plan.vault, digest=digest_of(planned), length=10_240)
    return planned


def digest_of(planned: PlannedVolume) -> bytes:
    return hashlib.sha256(planned.plan.id.encode()).digest()


async def verified(
    catalogue: Catalogue, planned: PlannedVolume, remainders: Sequence[Remainder] = (), block: bytes = b""
) -> Volume:
    return await catalogue.volumes.verified(
        planned.plan.id, planned.plan.vault, digest=digest_of(planned), block=block or merged(planned),
        instances=planned.instances, data_length=1000 * planned.instances,
        received_from=NOW, received_to=NOW, remainders=remainders,
    )  # fmt: skip


async def kept(catalogue: Catalogue, vault: VaultId, node: NodeId, *batches: tuple[int, int]) -> Volume:
    """A verified volume of these batches of the study."""
    return await verified(catalogue, await stored(catalogue, plan_of(vault, node, *batches)))


CT = Uid("1.2.840.10008.5.1.4.1.1.2")


def item(uid: str) -> CommitmentItem:
    return CommitmentItem(CT, SopInstanceUid(uid))


def request(
    vaults: Sequence[VaultId],
    *uids: str,
    transaction: str = "2.25.1",
    node: NodeId | None = None,
    calling: str = "CT1",
    association: int = 1,
) -> CommitmentRequest:
    return CommitmentRequest(
        transaction_uid=Uid(transaction), calling=AeTitle(calling), called=AeTitle("KUVA"),
        vaults=tuple(vaults), items=tuple(item(uid) for uid in uids), node=node or node_id(), epoch=1,
        association=association, deadline_at=NOW,
    )  # fmt: skip


def secured(volume: Volume, epoch: int, *uids: str) -> Secured:
    """The members of the volume with these UIDs; its block is lines of text."""
    assert volume.block is not None
    lines = [line.partition("=") for line in volume.block.decode().splitlines()]
    return Secured(
        volume.id,
        tuple(
            Member(
                ordinal,
                ReceiveId(volume.node, epoch, int(rest.partition(":")[0])),
                SopInstanceUid(uid),
            )
            for ordinal, (uid, _, rest) in enumerate(lines)
            if uid in uids
        ),
    )


def remainder(epoch: int, one: Batch) -> Remainder:
    return Remainder(epoch, one)

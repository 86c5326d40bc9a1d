"""Made-up volumes: planned from landed batches, stored and verified without a store."""

import hashlib
import secrets
from collections.abc import Sequence

from gateway.catalogue import Catalogue
from gateway.model.batch import Batch
from gateway.model.identifiers import NodeId, StudyUid, VaultId, VolumeId
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


def remainder(epoch: int, one: Batch) -> Remainder:
    return Remainder(epoch, one)

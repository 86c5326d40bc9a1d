"""Recovery: at start, what the journal has and the catalogue lacks is queued for landing again."""

import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway import _core
from gateway.catalogue import Catalogue
from gateway.errors import LocalError
from gateway.journal import Journal
from gateway.model.identifiers import NodeId, SopInstanceUid, StudyUid, VaultId
from gateway.model.instance import ReceiveId

log = structlog.get_logger(__name__)

IDENTITY_FILE = "node.json"


class NodeFileError(LocalError):
    """The data folder's `node.json` is not ours, or broken; a person must look at it."""


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """Who this data folder is: its node's id for ever, and the last epoch it ran in."""

    id: NodeId
    epoch: int


def read_identity(data: Path) -> NodeIdentity:
    """The identity kept in the data folder; a new one for a new folder. Raises `NodeFileError`."""
    try:
        kept = json.loads((data / IDENTITY_FILE).read_text("utf-8"))
        return NodeIdentity(NodeId(uuid.UUID(kept["node"])), int(kept["epoch"]))
    except FileNotFoundError:
        return NodeIdentity(NodeId(uuid.uuid4()), 0)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise NodeFileError(f"{data / IDENTITY_FILE} cannot be read: {error}") from None


def keep_identity(data: Path, identity: NodeIdentity) -> None:
    """Writes the identity; when it returns it MUST be durable, or a lost epoch could be given twice."""
    text = json.dumps({"node": str(identity.id), "epoch": identity.epoch}) + "\n"
    scratch = data / (IDENTITY_FILE + ".new")
    with scratch.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(data / IDENTITY_FILE)
    folder = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def recover(journal: Journal, catalogue: Catalogue) -> tuple[tuple[int, int], ...]:
    """Queues everything that earlier epochs received and the catalogue does not have, oldest first.

    What landed and was not compared any more is compared first: no volume is planned of it before.

    Returns (epoch, position) through which the catalogue has each. A catalogue that is new, or older than the
    journal, learns of all of it again.
    """
    found = journal.recovery
    vaults = [VaultId(uuid.UUID(bytes=vault)) for vault in found.vaults]
    landed = await catalogue.nodes.adopt(journal.identifier, found.epochs, vaults)
    await catalogue.settle()  # what landed just before a crash: it does not land again
    for epoch, through in sorted(landed):
        await journal.recovered_after(epoch, through)
    log.info(
        "journal recovered", instances=found.instances, quarantined=found.quarantined,
        unwritten_bytes=found.unwritten_bytes, segments=found.segments, seconds=round(found.seconds, 3),
    )  # fmt: skip
    for damaged in found.damaged:
        await report_damage(damaged, journal, catalogue)
    return landed


async def report_damage(
    damaged: _core.Damaged,
    journal: Journal,
    catalogue: Catalogue,
    event: str = "an instance lost bytes to a power cut",
) -> None:
    """Tells the log, and keeps an incident if it can be read of whom it was."""
    where = {"epoch": damaged.epoch, "position": damaged.position}
    log.error(event, reason=damaged.why, **where)
    if damaged.vault:
        await catalogue.incidents.damaged(
            ReceiveId(journal.identifier, damaged.epoch, damaged.position),
            vault=VaultId(uuid.UUID(bytes=damaged.vault)),
            study_uid=StudyUid(damaged.study),
            sop_uid=SopInstanceUid(damaged.sop_instance),
            reason=damaged.why,
        )

"""The journal room over a real journal in a folder."""

import uuid
from pathlib import Path

import pytest

from gateway.errors import LocalError
from gateway.journal import Journal
from gateway.model.identifiers import NodeId, StudyUid, VaultId
from gateway.model.instance import ReceiveId

NODE = NodeId(uuid.UUID(int=7))
VAULT = VaultId(uuid.UUID(int=9))
STUDY = StudyUid("1.2.3")


async def _journal(folder: Path) -> Journal:
    return await Journal.open(
        folder, identifier=NODE, epoch=2, capacity=8 << 20, segment=1 << 20, locator_key=b"k" * 16
    )


async def test_what_is_gone_already_and_what_is_another_nodes_is_forgotten_in_silence(tmp_path: Path) -> None:
    journal = await _journal(tmp_path)
    gone = ReceiveId(NODE, 1, 5)
    for _ in range(2):
        await journal.forget(VAULT, STUDY, [gone, ReceiveId(NodeId(uuid.UUID(int=8)), 2, 1)])
    await journal.stop()


async def test_what_the_catalogue_does_not_have_is_not_forgotten(tmp_path: Path) -> None:
    journal = await _journal(tmp_path)
    with pytest.raises(LocalError, match="catalogue does not have it"):
        await journal.forget(VAULT, STUDY, [ReceiveId(NODE, 2, 1)])
    await journal.stop()

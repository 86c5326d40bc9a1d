"""Recovery: who the data folder is."""

from pathlib import Path

import pytest

from gateway.ingest.recovery import IDENTITY_FILE, NodeFileError, NodeIdentity, keep_identity, read_identity


def test_a_new_folder_gets_an_identity_of_its_own(tmp_path: Path):
    one, other = read_identity(tmp_path), read_identity(tmp_path)
    assert one.epoch == 0
    assert one.id != other.id


def test_an_identity_that_was_kept_is_read_back(tmp_path: Path):
    identity = read_identity(tmp_path)
    keep_identity(tmp_path, NodeIdentity(identity.id, 7))
    assert read_identity(tmp_path) == NodeIdentity(identity.id, 7)
    assert [path.name for path in tmp_path.iterdir()] == [IDENTITY_FILE]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"node": "x", "epoch": 1}', "\x00"])
def test_a_broken_identity_is_never_replaced_by_a_new_one(tmp_path: Path, text: str):
    (tmp_path / IDENTITY_FILE).write_text(text)
    with pytest.raises(NodeFileError):
        read_identity(tmp_path)

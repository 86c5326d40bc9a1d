"""Batches and flushes: what cannot be is refused where it is made."""

import uuid

import pytest

from gateway.model.batch import Flush
from gateway.model.identifiers import NodeId, Uid
from gateway.model.instance import Content


def test_a_flush_runs_forward() -> None:
    with pytest.raises(ValueError, match="runs forward"):
        Flush(NodeId(uuid.uuid4()), 1, after=2, through=1)


def test_a_digest_has_its_length() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Content(b"short", Uid("1.2"), Uid("1.3"))

"""Retrieve: what a peer asks by is read beside the event loop."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.listeners import retrieve as room
from gateway.listeners.retrieve import GetService
from gateway.telemetry import Metrics
from gateway.wire.dicom.identifier import read_retrieve_identifier
from tests.unit.listeners.test_refusals import IDENTIFIER, Journal, Peer


@pytest.mark.parametrize("data_set", [IDENTIFIER, b"abc"], ids=["good", "unreadable"])
async def test_an_identifier_is_read_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch, data_set: bytes):
    read: list[int] = []

    def recorded(*given: Any) -> Any:
        read.append(threading.get_ident())
        return read_retrieve_identifier(*given)

    async def none(*_: object) -> list[object]:
        return []

    monkeypatch.setattr(room, "read_retrieve_identifier", recorded)
    damage: Any = SimpleNamespace(report=None)
    finder: Any = SimpleNamespace(matches=none)
    journal: Any = Journal()
    peer: Any = Peer()
    peer.look_for_cancel = lambda: None
    service = GetService(finder, journal, Metrics(), damage)
    command: Any = SimpleNamespace(context_id=1, message_id=1, sop_class="1.2", data_set=data_set)
    await service.get(peer, command, "1.2.840.10008.1.2", ())
    assert peer.said, "it was answered"
    assert len(read) == 1
    assert threading.get_ident() not in read

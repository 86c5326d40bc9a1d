"""The DICOM door: counts that go back to nothing, a drain that waits for whoever is at work."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.listeners import dicom as room
from gateway.listeners.dicom import DicomListener
from gateway.model.refusal import Refusal
from gateway.settings import DicomSettings
from gateway.telemetry import Metrics
from gateway.wire.dicom.rejection import LOCAL_LIMIT


class Peer:
    """An association, as a drain sees it."""

    def __init__(self, number: int) -> None:
        self.number, self.serving, self.ended = number, False, ""
        self.received = 0
        self.calling = self.address = self.why_ended = ""
        self.refusal: Refusal | None = None
        self.refused_at: int | None = None
        self.engine = self

    def progress(self) -> SimpleNamespace:
        return SimpleNamespace(received=self.received, sent=0, in_message=False, outstanding=0)

    def abort(self, why: Refusal) -> None:
        self.ended = why.text


def listener() -> DicomListener:
    journal, gate = SimpleNamespace(acceptor=None), SimpleNamespace(admit=admit)
    profile = SimpleNamespace(acceptance=None)
    return DicomListener(
        DicomSettings(),
        profile,  # type: ignore[arg-type]
        gate=gate,  # type: ignore[arg-type]
        journal=journal,  # type: ignore[arg-type]
        get_service=None,  # type: ignore[arg-type]
        commitment_service=None,  # type: ignore[arg-type]
        metrics=Metrics(),
    )


async def admit(event: object, *, calling: str, address: str) -> Any:
    return SimpleNamespace(caller=SimpleNamespace(title=calling, transfer_syntax_preference=()))


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "DRAIN_POLL_SECONDS", 0.005)
    monkeypatch.setattr(room, "DRAIN_QUIET_SECONDS", 0.1)


def drained(made: DicomListener, peers: list[Peer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made._acceptor, "established", lambda: [p for p in peers if not p.ended])


async def test_a_drain_waits_for_senders_between_two_messages_and_not_for_idle_ones(
    monkeypatch: pytest.MonkeyPatch,
):
    made, idle, sender = listener(), Peer(1), Peer(2)
    drained(made, [idle, sender], monkeypatch)
    draining = asyncio.ensure_future(made.drain(10, asyncio.Event()))
    for _ in range(8):
        await asyncio.sleep(0.03)
        sender.received += 100
    assert (idle.ended, sender.ended) == ("the gateway is shutting down", "")
    async with asyncio.timeout(1):
        await draining
    assert sender.ended


@pytest.mark.parametrize("hurried", [False, True])
async def test_a_drain_ends_at_its_deadline_or_when_hurried(hurried: bool, monkeypatch: pytest.MonkeyPatch):
    made, busy, hurry = listener(), Peer(1), asyncio.Event()
    busy.serving = True
    drained(made, [busy], monkeypatch)
    if hurried:
        hurry.set()
    async with asyncio.timeout(1):
        await made.drain(10 if hurried else 0.2, hurry)
    assert busy.ended


async def test_who_asks_during_a_drain_is_rejected():
    made = listener()
    await made.drain(0, asyncio.Event())
    answer = await made._admit(Peer(1), SimpleNamespace(calling="A"))  # type: ignore[arg-type]
    assert answer == LOCAL_LIMIT


async def test_a_calling_title_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch):
    made, peer, event = listener(), Peer(1), SimpleNamespace(calling="A")
    monkeypatch.setattr(room, "AssociateRequested", SimpleNamespace)
    monkeypatch.setattr(room, "negotiate", lambda *_: None)

    async def asked() -> Any:
        return event

    async def established(*_: object) -> str:
        assert made._open == {"A": 1}
        return "accepted"

    peer.event = asked  # type: ignore[attr-defined]
    monkeypatch.setattr(made, "_serve_established", established)
    assert await made._serve(peer) == "accepted"  # type: ignore[arg-type]
    assert dict(made._open) == {}


async def test_an_association_that_ends_is_told_once_with_its_counts(monkeypatch: pytest.MonkeyPatch):
    made, peer, said = listener(), Peer(7), list[dict[str, Any]]()
    peer.received = 40

    async def serve(association: object) -> str:
        return "accepted"

    bound = SimpleNamespace(info=lambda event, **fields: said.append({"event": event, **fields}))
    monkeypatch.setattr(made, "_serve", serve)
    monkeypatch.setattr(room, "log", SimpleNamespace(bind=lambda **_: bound))
    await made._supervise(peer)  # type: ignore[arg-type]
    assert [(s["event"], s["outcome"], s["received"]) for s in said] == [
        ("association ended", "accepted", 40)
    ]

"""Refusals that need something to break: each is answered, told and counted by its code of the catalogue."""

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import structlog

from gateway.access.find import Match
from gateway.access.retrieve import Retrieval
from gateway.access.sources import Sources
from gateway.errors import (
    CatalogueUnavailableError,
    DamagedInstanceError,
    GatewayError,
    InstanceAbsentError,
)
from gateway.ingest.admission import Gate
from gateway.listeners.commitment import CommitmentService
from gateway.listeners.dicom import DicomListener
from gateway.listeners.retrieve import GetService
from gateway.model.identifiers import NodeId, SopInstanceUid, StudyUid, Uid, VaultId
from gateway.model.instance import ReceiveId
from gateway.model.refusal import AbortAnswer, Refusal
from gateway.settings import DicomSettings
from gateway.telemetry import Metrics
from gateway.wire.dicom.commitment import STORAGE_COMMITMENT_INSTANCE, RequestInformation, write_request
from gateway.wire.dicom.negotiation import IMPLICIT_VR_LITTLE_ENDIAN, STORAGE_COMMITMENT
from gateway.wire.dicom.rejection import CONGESTION

IDENTIFIER = b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY \x20\x00\x0d\x00\x04\x00\x00\x001.2\0"
NODE = NodeId(UUID(int=2))
ONE = Match(
    VaultId(UUID(int=1)), StudyUid("1.2"), SopInstanceUid("1.2.3"), Uid("1.2.4"), Uid("1.2.5"), 10,
    ReceiveId(NODE, 1, 1),
)  # fmt: skip


class Peer:
    """An association that says what the core would have been told."""

    def __init__(self) -> None:
        self.number, self.address, self.calling, self.why_ended = 3, "10.0.0.1:5", "CT1", ""
        self.refusal: Refusal | None = None
        self.refused_at: int | None = None
        self.engine = self
        self.said: list[dict[str, Any]] = []
        self.cancelled: set[int] = set()

    def progress(self) -> SimpleNamespace:
        return SimpleNamespace(received=0, sent=0)

    def abort(self, why: Refusal) -> None:
        self.refusal = self.refusal or why
        self.why_ended = why.text

    def response(self, *numbers: object, **fields: Any) -> dict[str, Any]:
        return {"status": numbers[4], **fields}

    async def send(self, said: Any) -> None:
        self.said.append(said)

    def context_for(self, sop_class: str, transfer_syntax: str) -> int | None:
        return 3

    def store(self, *_: object) -> "Transfer":
        return Transfer()

    def message(self) -> "Peer":
        return self

    def __enter__(self) -> None:
        """The message begins."""

    def __exit__(self, *_: object) -> None:
        """The message ends."""

    async def response_to(self, *_: object, **__: object) -> None:
        raise TimeoutError


class Transfer:
    """Ready at once."""

    def next(self) -> bytes | None:
        return None


class Journal:
    """Holds it, unless told otherwise."""

    def __init__(self, *, error: GatewayError | None = None, here: bool = True) -> None:
        self._error, self._here = error, here

    def holds(self, _: object) -> bool:
        return self._here

    def source(self, *_: object) -> object:
        if self._error is not None:
            raise self._error
        return object()


async def nowhere(_: object) -> tuple[Match, ...]:
    """No volume has it."""
    return ()


async def retrieved(peer: Peer, journal: Journal) -> dict[str, int]:
    retrieval = Retrieval(
        peer,  # type: ignore[arg-type]
        Sources(journal, None),  # type: ignore[arg-type]
        SimpleNamespace(again=nowhere),  # type: ignore[arg-type]
        [ONE],
        on_damaged=lambda match, why: None,
        seconds_max=0.01,
    )
    async for _ in retrieval.run():
        pass
    return dict(retrieval.counts.reasons)


def listener(metrics: Metrics) -> DicomListener:
    return DicomListener(
        DicomSettings(),
        SimpleNamespace(acceptance=None),  # type: ignore[arg-type]
        gate=None,  # type: ignore[arg-type]
        journal=SimpleNamespace(acceptor=None),  # type: ignore[arg-type]
        get_service=None,  # type: ignore[arg-type]
        commitment_service=None,  # type: ignore[arg-type]
        metrics=metrics,
    )


async def supervised(error: Exception) -> str:
    """The code by which an association ends whose task meets this."""
    metrics, peer = Metrics(), Peer()
    made = listener(metrics)

    async def serve(_: object) -> str:
        raise error

    made._serve = serve  # type: ignore[assignment, method-assign]
    with structlog.testing.capture_logs() as lines:
        await made._supervise(peer)  # type: ignore[arg-type]
    (told,) = [line for line in lines if line["event"] == "association refused"]
    assert metrics.refusals == {told["code"]: 1}
    assert (told["association"], told["address"], told["calling"]) == (3, "10.0.0.1:5", "CT1")
    assert peer.refusal is not None
    assert isinstance(peer.refusal.answer, AbortAnswer)
    return str(told["code"])


async def test_congestion_while_grants_cannot_be_read():
    def away(**_: object) -> None:
        raise CatalogueUnavailableError("away")

    catalogue = SimpleNamespace(grants=SimpleNamespace(resolve=away))
    gate = Gate(
        catalogue,  # type: ignore[arg-type]
        ae_titles=["KUVA"],
        open_access=False,
        content_rules=None,  # type: ignore[arg-type]
    )
    greeting = SimpleNamespace(called="KUVA")
    assert await gate.admit(greeting, calling="A", address="") == CONGESTION  # type: ignore[arg-type]


async def test_retrieve_catalogue_unreachable():
    async def away(*_: object) -> None:
        raise CatalogueUnavailableError("away")

    peer, metrics = Peer(), Metrics()
    service = GetService(
        SimpleNamespace(matches=away),  # type: ignore[arg-type]
        Sources(Journal(), None),  # type: ignore[arg-type]
        metrics,
        None,  # type: ignore[arg-type]
    )
    command = SimpleNamespace(context_id=1, message_id=1, sop_class="1.2", data_set=IDENTIFIER)
    await service.get(peer, command, "1.2.840.10008.1.2", ())  # type: ignore[arg-type]
    (said,) = peer.said
    assert (said["status"], said["error_comment"]) == (0xA701, "catalogue cannot be asked now")
    assert metrics.refusals == {"retrieve-catalogue-unreachable": 1}


async def test_commitment_not_recorded():
    async def away(_: object) -> None:
        raise CatalogueUnavailableError("away")

    peer, metrics, told = Peer(), Metrics(), []
    service = CommitmentService(
        SimpleNamespace(ask=away),  # type: ignore[arg-type]
        node=NODE, epoch=1, parking_seconds=1, metrics=metrics, on_asked=told.append,
    )  # fmt: skip
    information = RequestInformation(Uid("1.2"), (("1.2.3", "1.2.4"),))
    command = SimpleNamespace(
        context_id=1, message_id=1, command_field=0x0130, action_type=1,
        requested_sop_class=STORAGE_COMMITMENT, requested_sop_instance=STORAGE_COMMITMENT_INSTANCE,
        data_set=write_request(information, IMPLICIT_VR_LITTLE_ENDIAN),
    )  # fmt: skip
    caller = SimpleNamespace(title="CT1", parking_seconds=None)
    admitted = SimpleNamespace(caller=caller, called="KUVA", vaults=())
    await service.action(peer, command, IMPLICIT_VR_LITTLE_ENDIAN, admitted)  # type: ignore[arg-type]
    (said,) = peer.said
    assert (said["status"], said["error_comment"]) == (0x0213, "request cannot be recorded now")
    assert metrics.refusals == {"commitment-not-recorded": 1}
    assert told == []


async def test_sub_operation_elsewhere():
    assert await retrieved(Peer(), Journal(here=False)) == {"sub-operation-elsewhere": 1}


async def test_sub_operation_unreadable():
    journal = Journal(error=InstanceAbsentError("gone"))
    assert await retrieved(Peer(), journal) == {"sub-operation-unreadable": 1}


async def test_instance_damaged_when_part_of_it_is_out(monkeypatch: pytest.MonkeyPatch):
    async def damaged(*_: object) -> None:
        raise DamagedInstanceError("digest")

    peer = Peer()
    monkeypatch.setattr(Retrieval, "_send_message", damaged)
    assert await retrieved(peer, Journal()) == {"sub-operation-unreadable": 1}
    assert peer.refusal is not None
    assert peer.refusal.code == "instance-damaged"


async def test_sub_operation_unanswered(monkeypatch: pytest.MonkeyPatch):
    peer = Peer()
    monkeypatch.setattr(Peer, "response", Peer.response_to)
    await retrieved(peer, Journal())
    assert peer.refusal is not None
    assert peer.refusal.code == "sub-operation-unanswered"


@pytest.mark.parametrize(
    ("error", "code"),
    [(CatalogueUnavailableError("away"), "gateway-failed"), (KeyError("x"), "defect")],
    ids=["gateway-failed", "defect"],
)
async def test_gateway_failed_and_defect(error: Exception, code: str):
    assert await supervised(error) == code

"""A foreign SCU of storage commitment: pynetdicom, which asks, and takes reports on either association."""

import queue
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydicom import Dataset
from pydicom.uid import generate_uid
from pynetdicom import AE, evt
from pynetdicom.association import Association

from tests.gateway_process import GatewayProcess

COMMITMENT, INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"


@dataclass(frozen=True)
class Report:
    """One N-EVENT-REPORT as it came."""

    event_type: int
    transaction: str
    committed: tuple[tuple[str, str], ...]
    failed: dict[str, int]
    same: bool
    """On the association on which it was asked."""


@dataclass
class Scu:
    """What one caller asks and is told. `answer` says what each report is answered by."""

    gateway: GatewayProcess
    calling: str = "COMMITSCU"
    answer: Callable[[Report], int] = lambda report: 0x0000
    reports: "queue.Queue[Report]" = field(default_factory=queue.Queue)

    def take(self, event: Any, same: bool) -> tuple[int, Dataset | None]:
        told = event.event_information
        report = Report(
            event.event_type,
            told.TransactionUID,
            tuple(_pair(item) for item in told.get("ReferencedSOPSequence", [])),
            {_pair(item)[1]: item.FailureReason for item in told.get("FailedSOPSequence", [])},
            same,
        )
        status = self.answer(report)
        self.reports.put(report)
        return status, None

    def report(self, seconds: float = 15.0) -> Report:
        return self.reports.get(timeout=seconds)

    @contextmanager
    def associated(self) -> Iterator[Association]:
        entity = AE(ae_title=self.calling)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 30
        entity.add_requested_context(COMMITMENT)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            association = entity.associate(
                "127.0.0.1",
                self.gateway.dicom_port,
                ae_title="KUVA",
                evt_handlers=[(evt.EVT_N_EVENT_REPORT, lambda event: self.take(event, True))],
            )
        assert association.is_established
        try:
            yield association
        finally:
            if association.is_established:
                association.release()

    @contextmanager
    def listening(self, port: int) -> Iterator[None]:
        entity = AE(ae_title=self.calling)
        entity.add_supported_context(COMMITMENT, scu_role=False, scp_role=True)
        server = entity.start_server(
            ("127.0.0.1", port),
            block=False,
            evt_handlers=[(evt.EVT_N_EVENT_REPORT, lambda event: self.take(event, False))],
        )
        try:
            yield
        finally:
            server.shutdown()

    def ask(
        self, association: Association, pairs: Sequence[tuple[str, str]], transaction: str | None = None
    ) -> tuple[str, int]:
        """(transaction UID, status of the N-ACTION-RSP)."""
        transaction = transaction or generate_uid()
        status, _ = association.send_n_action(request_of(pairs, transaction), 1, COMMITMENT, INSTANCE)
        assert "Status" in status, "no answer to N-ACTION"
        return transaction, status.Status


def request_of(pairs: Sequence[tuple[str, str]], transaction: str) -> Dataset:
    request = Dataset()
    request.TransactionUID = transaction
    request.ReferencedSOPSequence = []
    for sop_class, instance in pairs:
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, instance
        request.ReferencedSOPSequence.append(item)
    return request


def _pair(item: Dataset) -> tuple[str, str]:
    return item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID


def in_background(call: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    return thread

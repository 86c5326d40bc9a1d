"""Storage commitment from outside: pynetdicom asks (SCU), and takes reports on either association."""

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event

from gateway.demo.material import Sample
from gateway.demo.peers import TIMEOUT_SECONDS, Address, PeerError, without_delay

SOP_CLASS = UID("1.2.840.10008.1.20.1")
SOP_INSTANCE = UID("1.2.840.10008.1.20.1.1")
"""The well-known instance of the Push Model (PS3.4 J.3.5)."""
REQUEST_COMMITMENT = 1
SUCCESSFUL, FAILURES_EXIST = 1, 2
"""Event Type IDs (PS3.4 J.3.3)."""

Pair = tuple[str, str]
"""SOP Class UID and SOP Instance UID."""


@dataclass(frozen=True, slots=True)
class Report:
    """One N-EVENT-REPORT as it came."""

    transaction: str
    event_type: int
    committed: tuple[Pair, ...]
    failed: tuple[tuple[Pair, int], ...]
    """Each with its Failure Reason."""
    on_new: bool = False
    """Came on an association that the gateway opened, not on the one of the request."""
    role_proposed: bool = False
    """On a new one: the gateway proposed to be SCP (PS3.7 D.3.3.4)."""

    @property
    def result(self) -> tuple[int, frozenset[Pair], frozenset[tuple[Pair, int]]]:
        """What it says, whatever the order."""
        return self.event_type, frozenset(self.committed), frozenset(self.failed)


@dataclass(slots=True)
class Mailbox:
    """Reports as they come, from the foreign peer's threads."""

    came: list[Report] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def put(self, report: Report) -> None:
        """One more."""
        with self._changed:
            self.came.append(report)
            self._changed.notify_all()

    def of(self, transaction: str) -> tuple[Report, ...]:
        """All about one request, in the order in which they came."""
        return tuple(report for report in self.came if report.transaction == transaction)

    def wait(self, transaction: str, count: int, seconds: float) -> tuple[Report, ...]:
        """Blocking: until so many came about one request, or the time is over; all that came."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.of(transaction)) >= count, seconds)
            return self.of(transaction)


class Committer:
    """The caller that asks. `before_answer` sees each report before it is answered."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.mailbox = Mailbox()
        self.before_answer: Callable[[Report], None] = lambda report: None

    @contextmanager
    def listening(self) -> Iterator[int]:
        """An SCP for associations that the gateway opens, on a free port of loopback; gives the port."""
        entity = _entity(self._address.calling)
        entity.add_supported_context(SOP_CLASS, scu_role=False, scp_role=True)
        handlers = [(evt.EVT_N_EVENT_REPORT, self._take, [True])]
        server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)  # type: ignore[arg-type]
        assert server is not None
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()

    @contextmanager
    def associated(self) -> Iterator[Association]:
        """An association to ask on; reports may come on it as long as it is open. Raises `PeerError`."""
        entity = _entity(self._address.calling)
        entity.add_requested_context(SOP_CLASS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            association = entity.associate(
                self._address.host, self._address.port, ae_title=self._address.called,
                evt_handlers=[
                    (evt.EVT_CONN_OPEN, without_delay), (evt.EVT_N_EVENT_REPORT, self._take, [False]),
                ],
            )  # fmt: skip
        if not association.is_established:
            raise PeerError(f"{self._address.called} does not accept an association for storage commitment")
        try:
            yield association
        finally:
            if association.is_established:
                association.release()

    def ask(self, association: Association, pairs: Iterable[Pair], transaction: str) -> str:
        """N-ACTION: "commit to these". Returns what went wrong, "" if it was answered 0000H."""
        try:
            status, _ = association.send_n_action(
                request_of(pairs, transaction), REQUEST_COMMITMENT, SOP_CLASS, SOP_INSTANCE
            )
        except RuntimeError:  # pynetdicom's word for "no association any more"
            return "the association was gone before N-ACTION"
        if "Status" not in status:
            return "N-ACTION was not answered"
        comment = str(status.get("ErrorComment", ""))
        return "" if status.Status == 0x0000 else f"N-ACTION: {status.Status:04X}H {comment}".rstrip()

    def _take(self, event: Event, on_new: bool) -> tuple[int, None]:
        roles = event.assoc.requestor.role_selection
        proposed = on_new and SOP_CLASS in roles and bool(roles[SOP_CLASS].scp_role)
        report = report_of(event.event_information, event.event_type, on_new=on_new, role_proposed=proposed)
        self.mailbox.put(report)
        self.before_answer(report)
        return 0x0000, None


def _entity(title: str) -> AE:
    entity = AE(ae_title=title)
    entity.acse_timeout = entity.dimse_timeout = entity.connection_timeout = TIMEOUT_SECONDS
    entity.network_timeout = None  # it is idle on purpose, until the report comes
    return entity


def request_of(pairs: Iterable[Pair], transaction: str) -> Dataset:
    """The Action Information (PS3.4 Table J.3-1)."""
    request = Dataset()
    request.TransactionUID = transaction
    request.ReferencedSOPSequence = [_item(*pair) for pair in pairs]
    return request


def _item(sop_class: str, sop_instance: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, sop_instance
    return item


def report_of(
    information: Dataset, event_type: int | None, *, on_new: bool, role_proposed: bool = False
) -> Report:
    """From the Event Information (PS3.4 Table J.3-2)."""
    return Report(
        str(information.get("TransactionUID", "")),
        event_type or 0,
        tuple(map(_pair, information.get("ReferencedSOPSequence", []))),
        tuple((_pair(i), int(i.FailureReason)) for i in information.get("FailedSOPSequence", [])),
        on_new,
        role_proposed,
    )


def _pair(item: Dataset) -> Pair:
    return str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID)


def pairs_of(samples: Iterable[Sample]) -> tuple[Pair, ...]:
    """What a request names of samples."""
    return tuple((sample.sop_class, sample.sop_instance) for sample in samples)


def findings_in(report: Report, asked: Sequence[Pair], *, failing: dict[str, int]) -> tuple[str, ...]:
    """How a report differs from what it must say: each item once; `failing`: instance -> Failure Reason."""
    said = [*report.committed, *(pair for pair, _ in report.failed)]
    findings = []
    if sorted(said) != sorted(set(asked)):
        findings.append(f"{len(set(asked))} instances were asked for, {len(said)} are in the report")
    if report.event_type != (FAILURES_EXIST if report.failed else SUCCESSFUL):
        findings.append(f"event type {report.event_type}, with {len(report.failed)} failures")
    if report.on_new and not report.role_proposed:
        findings.append("no role selection on the association that the gateway opened")
    reasons = {instance: reason for (_, instance), reason in report.failed}
    wrong = sorted(uid for uid in reasons.keys() | failing.keys() if reasons.get(uid) != failing.get(uid))
    findings += [f"{uid}: {_reason(reasons.get(uid))}, expected {_reason(failing.get(uid))}" for uid in wrong]
    return tuple(findings)


def _reason(reason: int | None) -> str:
    return "committed" if reason is None else f"failed {reason:04X}H"

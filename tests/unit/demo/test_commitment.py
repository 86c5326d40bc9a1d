"""Storage commitment from outside, against an archive that is foreign too."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.presentation import build_role

from gateway.demo.commitment import (
    FAILURES_EXIST,
    SOP_CLASS,
    SOP_INSTANCE,
    SUCCESSFUL,
    Committer,
    Pair,
    Report,
    findings_in,
)
from gateway.demo.peers import Address, PeerError

ASKED: tuple[Pair, ...] = (("1.2.3", "1.2.3.1"), ("1.2.3", "1.2.3.2"))
SECONDS = 20.0


def tell(association: Association, request: Dataset) -> None:
    report = Dataset()
    report.TransactionUID = request.TransactionUID
    report.ReferencedSOPSequence = request.ReferencedSOPSequence
    association.send_n_event_report(report, SUCCESSFUL, SOP_CLASS, SOP_INSTANCE)


@contextmanager
def archive(on_asked: Callable[[evt.Event], int]) -> Iterator[Address]:
    """Answers each N-ACTION with what `on_asked` returns."""
    entity = AE(ae_title="KUVA")
    entity.add_supported_context(SOP_CLASS)
    handlers = [(evt.EVT_N_ACTION, lambda event: (on_asked(event), None))]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield Address("127.0.0.1", server.server_address[1])
    finally:
        server.shutdown()


def later(call: Callable[[], object]) -> None:
    def run() -> None:
        time.sleep(0.2)  # behind the answer to N-ACTION
        call()

    threading.Thread(target=run, daemon=True).start()


def test_a_report_on_the_same_association_is_taken() -> None:
    def asked(event: evt.Event) -> int:
        later(lambda: tell(event.assoc, event.action_information))
        return 0x0000

    with archive(asked) as address:
        committer = Committer(address)
        with committer.associated() as association:
            assert committer.ask(association, ASKED, "1.2.9") == ""
            (report,) = committer.mailbox.wait("1.2.9", 1, SECONDS)
    assert (report.on_new, report.event_type, report.committed) == (False, SUCCESSFUL, ASKED)
    assert findings_in(report, ASKED, failing={}) == ()


@pytest.mark.parametrize("proposed", [True, False])
def test_a_report_on_a_new_association_is_taken_and_its_role_selection_is_looked_at(proposed: bool) -> None:
    def bring(request: Dataset, port: int) -> None:
        entity = AE(ae_title="KUVA")
        entity.add_requested_context(SOP_CLASS)
        roles = [build_role(SOP_CLASS, scp_role=True)] if proposed else []
        association = entity.associate("127.0.0.1", port, ae_title="KUVADEMO", ext_neg=roles)
        assert association.is_established
        if proposed:
            tell(association, request)
        association.release()

    seen: list[Report] = []
    requests: list[Dataset] = []

    def asked(event: evt.Event) -> int:
        requests.append(event.action_information)
        return 0x0000

    with archive(asked) as address:
        committer = Committer(address)
        committer.before_answer = seen.append
        with committer.listening() as port:
            with committer.associated() as association:
                assert committer.ask(association, ASKED, "1.2.9") == ""
            bring(requests[0], port)
            reports = committer.mailbox.wait("1.2.9", 1, SECONDS if proposed else 0.2)
    assert [(r.on_new, r.role_proposed) for r in reports] == ([(True, True)] if proposed else [])
    assert seen == list(reports)


def test_a_refused_request_is_told() -> None:
    with archive(lambda event: 0x0110) as address:
        committer = Committer(address)
        with committer.associated() as association:
            assert committer.ask(association, ASKED, "1.2.9") == "N-ACTION: 0110H"
        assert committer.ask(association, ASKED, "1.2.9") == "the association was gone before N-ACTION"


def test_nobody_listening_is_an_error() -> None:
    with pytest.raises(PeerError), Committer(Address("127.0.0.1", 9)).associated():
        pass


def report(
    *committed: Pair,
    failed: tuple[tuple[Pair, int], ...] = (),
    event_type: int = SUCCESSFUL,
    on_new: bool = False,
    role_proposed: bool = False,
) -> Report:
    return Report("1.2.9", event_type, committed, failed, on_new, role_proposed)


ONE, OTHER = ASKED
FAILED = ((OTHER, 0x0110),)


@pytest.mark.parametrize(
    ("said", "failing"),
    [
        (report(ONE), {}),
        (report(ONE, ONE, OTHER), {}),
        (report(ONE, OTHER, ("1.2.3", "1.2.3.3")), {}),
        (report(("1.2.4", "1.2.3.1"), OTHER), {}),
        (report(ONE, OTHER, event_type=FAILURES_EXIST), {}),
        (report(ONE, OTHER), {"1.2.3.2": 0x0110}),
        (report(ONE, failed=FAILED, event_type=FAILURES_EXIST), {}),
        (report(ONE, failed=FAILED, event_type=FAILURES_EXIST), {"1.2.3.2": 0x0112}),
        (report(ONE, failed=FAILED), {"1.2.3.2": 0x0110}),
        (report(ONE, OTHER, on_new=True), {}),
    ],
)
def test_a_report_that_is_not_what_it_must_be_is_found(said: Report, failing: dict[str, int]) -> None:
    assert findings_in(said, ASKED, failing=failing)


def test_a_report_that_is_what_it_must_be_is_not() -> None:
    assert findings_in(report(OTHER, ONE), ASKED, failing={}) == ()
    partly = report(ONE, failed=FAILED, event_type=FAILURES_EXIST, on_new=True, role_proposed=True)
    assert findings_in(partly, ASKED, failing={"1.2.3.2": 0x0110}) == ()

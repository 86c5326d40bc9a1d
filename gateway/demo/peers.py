"""Foreign peers: pynetdicom as storage SCU and as C-GET SCU. They share no code with the gateway."""

import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from pydicom.dataset import Dataset
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_STORE
from pynetdicom.events import Event, EventHandlerType
from pynetdicom.pdu_primitives import SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import build_context, build_role
from pynetdicom.sop_class import (  # type: ignore[attr-defined] # made at import time
    StudyRootQueryRetrieveInformationModelGet,
)

from gateway.demo.compare import Fetched
from gateway.demo.material import Sample

TIMEOUT_SECONDS = 30.0
_REST_SECONDS = 0.02
"""Twenty rounds of pynetdicom's reactor."""
_UNANSWERED = "C-GET was not answered, the association is gone"
_CONTEXTS_MAX = 120
"""PS3.8 9.3.2 allows 128 presentation contexts; a few stay free for the service's own."""

# Data sets leave as they stand in their files: pynetdicom would decode and encode them again otherwise.
_config.STORE_SEND_CHUNKED_DATASET = True
_config.LOG_REQUEST_IDENTIFIERS = _config.LOG_RESPONSE_IDENTIFIERS = False


class PeerError(Exception):
    """The gateway would not associate, or broke off where it must not."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the gateway listens, and the titles both go by."""

    host: str
    port: int
    called: str = "KUVA"
    calling: str = "KUVADEMO"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway answered for one sample. `status` is None where there was no answer."""

    sample: Sample
    status: int | None
    comment: str = ""
    negotiated: bool = True

    @property
    def acknowledged(self) -> bool:
        """Whether the gateway said 0000H: from here on the instance is its to keep."""
        return self.status == 0x0000


def store(
    address: Address, samples: Iterable[Sample], *, heard: Callable[[Answer], None], stop: threading.Event
) -> None:
    """Sends samples as storage SCU, over as few associations as their presentation contexts allow.

    `heard` is called with each answer as it comes, in this thread. Where the gateway breaks an association
    off, the sample under way is reported with status None, and the next goes over a new one. Raises
    `PeerError` if it does not associate.
    """
    for group in by_contexts(samples):
        left = group
        while left and not stop.is_set():
            left = _store_while_associated(address, left, heard, stop)


def _store_while_associated(
    address: Address, samples: list[Sample], heard: Callable[[Answer], None], stop: threading.Event
) -> list[Sample]:
    """Sends over one association until it or the samples end; returns those that were not tried."""
    pairs = {(sample.sop_class, sample.transfer_syntax) for sample in samples}
    with associated(address, sorted(pairs)) as association:
        for number, sample in enumerate(samples, 1):
            if stop.is_set():
                return []
            answer = _store_one(association, sample)
            if answer.status is None and answer.negotiated:
                association.abort()  # it may not have noticed yet that nobody is there
                heard(answer)
                return samples[number:]
            heard(answer)
    return []


def _store_one(association: Association, sample: Sample) -> Answer:
    accepted = {(c.abstract_syntax, c.transfer_syntax[0]) for c in association.accepted_contexts}
    if (sample.sop_class, sample.transfer_syntax) not in accepted:
        return Answer(sample, None, negotiated=False)
    try:
        response = association.send_c_store(sample.path)
    except RuntimeError:  # pynetdicom's word for "no association any more"
        return Answer(sample, None)
    status = response.get("Status")
    return Answer(sample, status, str(response.get("ErrorComment", "")))


def fetch(
    address: Address, samples: Sequence[Sample], *, arrived: Callable[[Fetched], None]
) -> tuple[str, ...]:
    """Fetches the studies of `samples` whole, by C-GET at study level; returns what went wrong.

    Proposes a context with the SCP role for each SOP class and transfer syntax among the samples, and
    hands each instance to `arrived`, as the bytes that came. Raises `PeerError` if it does not associate.
    """
    findings: list[str] = []
    for group in by_contexts(samples, whole_studies=True):
        pairs = sorted({(sample.sop_class, sample.transfer_syntax) for sample in group})
        roles = [build_role(sop_class, scp_role=True) for sop_class in sorted({c for c, _ in pairs})]
        with associated(address, pairs, roles=roles, arrived=arrived) as association:
            for study in dict.fromkeys(sample.study for sample in group):
                findings += _get_study(association, study)
                if findings and findings[-1].endswith(_UNANSWERED):
                    association.abort()  # its reactor is at rest: it would wait in vain for each that follows
                    break
    return tuple(findings)


def _get_study(association: Association, study: str) -> Iterator[str]:
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = study
    try:
        answers = list(association.send_c_get(identifier, StudyRootQueryRetrieveInformationModelGet))
    except RuntimeError:
        yield f"study {study}: {_UNANSWERED}"
        return
    status = answers[-1][0] if answers else Dataset()
    if "Status" not in status:
        yield f"study {study}: {_UNANSWERED}"
    elif status.Status != 0x0000:
        failed = status.get("NumberOfFailedSuboperations", "?")
        comment = status.get("ErrorComment", "")
        yield f"study {study}: C-GET was answered {status.Status:04X}H, {failed} failed {comment}".rstrip()


@contextmanager
def associated(
    address: Address,
    pairs: Sequence[tuple[str, str]],
    *,
    roles: Sequence[SCP_SCU_RoleSelectionNegotiation] = (),
    arrived: Callable[[Fetched], None] | None = None,
) -> Iterator[Association]:
    """An association that proposes one context for each (SOP class, transfer syntax), released at the end."""
    entity = AE(ae_title=address.calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = TIMEOUT_SECONDS
    entity.connection_timeout = TIMEOUT_SECONDS
    contexts = [build_context(sop_class, transfer_syntax) for sop_class, transfer_syntax in pairs]
    handlers: list[EventHandlerType] = [(evt.EVT_CONN_OPEN, without_delay)]
    if arrived:
        contexts.append(build_context(StudyRootQueryRetrieveInformationModelGet))
        handlers.append((evt.EVT_C_STORE, _receive, [arrived]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pynetdicom warns of UIDs that old archives are full of
        association = entity.associate(
            address.host, address.port, contexts=contexts, ae_title=address.called,
            ext_neg=list(roles), evt_handlers=handlers,
        )  # fmt: skip
    if association.is_rejected or not association.acceptor.primitive:
        raise PeerError(f"{address.called} at {address.host}:{address.port} does not associate")
    try:
        with reactor_at_rest(association):
            yield association
    finally:
        if association.is_established:
            association.release()


def without_delay(event: Event) -> None:
    """Requests leave in several writes; without this, each waits 40 ms for an acknowledgement."""
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _NeverSet(threading.Event):
    """Stands in for the reactor's checkpoint while the reactor must not run."""

    def set(self) -> None:
        pass


@contextmanager
def reactor_at_rest(association: Association) -> Iterator[None]:
    """Keeps pynetdicom's reactor thread off the queue of messages while an SCU waits for its answers.

    pynetdicom pauses it for each operation and lets it go after; when the next operation follows at once
    and the peer answers within microseconds, the reactor may not have noticed yet that it is paused again,
    takes the answer for a request, and drops it. Measured: one C-STORE in about 800.
    """
    checkpoint = association._reactor_checkpoint  # noqa: SLF001 - there is no other handle
    checkpoint.clear()
    time.sleep(_REST_SECONDS)
    association._reactor_checkpoint = _NeverSet()  # noqa: SLF001
    try:
        yield
    finally:
        association._reactor_checkpoint = checkpoint  # noqa: SLF001
        checkpoint.set()


def _receive(event: Event, arrived: Callable[[Fetched], None]) -> int:
    request = cast("C_STORE", event.request)
    arrived(
        Fetched(
            sop_class=str(request.AffectedSOPClassUID),
            sop_instance=str(request.AffectedSOPInstanceUID),
            transfer_syntax=str(event.context.transfer_syntax),
            data_set=event.encoded_dataset(include_meta=False),
        )
    )
    return 0x0000


def by_contexts(samples: Iterable[Sample], *, whole_studies: bool = False) -> Iterator[list[Sample]]:
    """Splits samples, in order, so that no association needs too many presentation contexts."""
    units: dict[object, list[Sample]] = {}
    for number, sample in enumerate(samples):
        units.setdefault(sample.study if whole_studies else number, []).append(sample)
    group: list[Sample] = []
    pairs: set[tuple[str, str]] = set()
    for unit in units.values():
        more = {(sample.sop_class, sample.transfer_syntax) for sample in unit}
        if group and len(pairs | more) > _CONTEXTS_MAX:
            yield group
            group, pairs = [], set()
        group += unit
        pairs |= more
    if group:
        yield group

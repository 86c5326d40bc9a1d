"""Event reports: the result of a storage commitment, brought to whoever asked (PS3.4 J.3.3)."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import suppress

from gateway.errors import AssociationAbortedError, AssociationRejectedError, GatewayError, UnavailableError
from gateway.model.association import ApplicationEntity, ReportMode
from gateway.model.delivery import Delivery
from gateway.model.identifiers import AeTitle, NodeId
from gateway.transport.association import AssociateAccepted, Association, CommandReceived, Phase
from gateway.transport.requestor import release, request
from gateway.transport.timers import Timers
from gateway.wire.dicom.commitment import STORAGE_COMMITMENT_INSTANCE, ReportInformation, write_report
from gateway.wire.dicom.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    STORAGE_COMMITMENT,
)
from gateway.wire.dicom.status import Kind, kind_of, name_of

N_EVENT_REPORT_RSP = 0x8100
PORT_DEFAULT = 104
"""Of an AE that is recorded without one (PS3.8 9.1.1)."""
CONNECT_SECONDS_MAX = 10.0
ANSWER_SECONDS_MAX = 30.0
TURN_SECONDS_MAX = 5.0
"""For a request that is being served on the association, before the report goes out on it."""
TURN_POLL_SECONDS = 0.02
SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)


class UndeliveredError(GatewayError):
    """The report was not taken. The words say why, for an operator."""

    may_retry = True

    def __init__(self, outcome: str, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome
        """For the metrics."""


class NowhereError(UndeliveredError):
    """There is no way to this destination, until something is recorded, or it asks again."""

    may_retry = False

    def __init__(self, why: str) -> None:
        super().__init__("nowhere", why)


class AwayError(UndeliveredError):
    """The destination itself cannot be reached: the same goes for every other report to it."""


class EventReports:
    """Brings reports on the association of the request, or on one of ours to the recorded address only."""

    def __init__(
        self,
        record_of: Callable[[AeTitle], Awaitable[ApplicationEntity | None]],
        association_of: Callable[[int], Association | None],
        *,
        node: NodeId,
        epoch: int,
    ) -> None:
        self._record_of, self._association_of = record_of, association_of
        self._node, self._epoch = node, epoch
        self._message_ids = itertools.cycle(range(0x8000, 0x10000))

    async def bring(self, delivery: Delivery) -> None:
        """When it returns the destination has taken the report. Raises `UndeliveredError`."""
        record = await self._record_of(delivery.destination)
        host = record.report_host if record else None
        mode = (record and record.report_mode) or (ReportMode.SAME_THEN_NEW if host else ReportMode.SAME)
        same = self._same(delivery) if mode is not ReportMode.NEW else None
        if same is not None:
            try:
                return await self._tell(same, delivery)
            except UndeliveredError:
                if mode is ReportMode.SAME or host is None or same.phase is Phase.ESTABLISHED:
                    raise
        if mode is ReportMode.SAME:
            raise NowhereError("the association on which it was asked is over, and the mode is 'same'")
        if host is None:
            raise NowhereError("no host is recorded to report to")
        return await self._open_and_tell(host, (record and record.report_port) or PORT_DEFAULT, delivery)

    def _same(self, delivery: Delivery) -> Association | None:
        if (delivery.node, delivery.epoch) != (self._node, self._epoch):
            return None
        association = self._association_of(delivery.association)
        if association is None or association.phase is not Phase.ESTABLISHED:
            return None
        return association if association.calling == delivery.destination else None

    async def _open_and_tell(self, host: str, port: int, delivery: Delivery) -> None:
        association, accepted = await _opened(host, port, delivery)
        try:
            _judge(association, accepted)
            await self._tell(association, delivery)
        finally:
            with suppress(asyncio.CancelledError):
                await release(association)

    async def _tell(self, association: Association, delivery: Delivery) -> None:
        context_id, syntax = _context(association)
        event_type, data_set = await asyncio.to_thread(_information, delivery, syntax)
        await _turn(association)
        message_id = next(self._message_ids)
        rq = association.engine.n_event_report(
            context_id, message_id, sop_class=STORAGE_COMMITMENT, sop_instance=STORAGE_COMMITMENT_INSTANCE,
            event_type=event_type, data_set=data_set,
        )  # fmt: skip
        try:
            answer = await association.exchange(
                rq, N_EVENT_REPORT_RSP, message_id, seconds=ANSWER_SECONDS_MAX
            )
        except TimeoutError:
            raise UndeliveredError("unanswered", f"no answer in {ANSWER_SECONDS_MAX:g} s") from None
        except AssociationAbortedError as error:
            raise UndeliveredError("aborted", f"the association ended: {error}") from None
        _check(answer)


async def _opened(host: str, port: int, delivery: Delivery) -> tuple[Association, AssociateAccepted]:
    """We are SCP on an association that we ask for, and say so (PS3.7 D.3.3.4)."""
    try:
        return await request(
            host, port, called=delivery.destination, calling=delivery.called,
            contexts=[(1, STORAGE_COMMITMENT, SYNTAXES)], roles=[(STORAGE_COMMITMENT, False, True)],
            timers=Timers(artim_seconds=CONNECT_SECONDS_MAX),
        )  # fmt: skip
    except (UnavailableError, AssociationRejectedError, AssociationAbortedError) as error:
        raise AwayError("unreachable", str(error) or "the association was not accepted") from None


def _judge(association: Association, accepted: AssociateAccepted) -> None:
    """A peer that is silent of roles is told all the same: many take reports and know no role selection."""
    if association.engine.roles(1) is None:
        raise AwayError("refused", "it does not accept the SOP class of storage commitment")
    if any(role.sop_class == STORAGE_COMMITMENT and not role.scp for role in accepted.roles):
        raise AwayError("refused", "it does not accept that we are SCP (role selection)")


def _context(association: Association) -> tuple[int, str]:
    for syntax in SYNTAXES:
        context_id = association.engine.context_for(STORAGE_COMMITMENT, syntax, False)
        if context_id is not None:
            return context_id, syntax
    raise UndeliveredError("refused", "no presentation context of storage commitment on that association")


def _information(delivery: Delivery, transfer_syntax: str) -> tuple[int, bytes]:
    """Blocking: (event type, data set). Each item is in one of the two lists."""
    items, failures = delivery.items, delivery.failures
    information = ReportInformation(
        delivery.transaction_uid,
        tuple((item.sop_class, item.sop_uid) for item in items if item not in failures),
        tuple(
            (item.sop_class, item.sop_uid, failures[item].value)
            for item in delivery.items
            if item in failures
        ),
    )
    return information.event_type, write_report(information, transfer_syntax)


async def _turn(association: Association) -> None:
    """Nothing is reported in the middle of a request: the peer may be waiting for its answer alone."""
    for _ in range(int(TURN_SECONDS_MAX / TURN_POLL_SECONDS)):
        if not association.serving:
            return
        await asyncio.sleep(TURN_POLL_SECONDS)
    raise UndeliveredError("busy", "its association is busy")


def _check(answer: CommandReceived) -> None:
    status = 0x0110 if answer.status is None else answer.status
    if kind_of(status) not in (Kind.SUCCESS, Kind.WARNING):
        comment = f": {answer.error_comment}" if answer.error_comment else ""
        raise UndeliveredError("refused", f"answered {name_of(status)}{comment}")

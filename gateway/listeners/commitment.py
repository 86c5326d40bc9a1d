"""Storage commitment, the asking side (PS3.4 J.3.2): an N-ACTION is kept, and then answered."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from gateway.errors import CatalogueError, UnavailableError
from gateway.ingest.admission import Admitted
from gateway.model.commitment import Asked, Commitment, CommitmentItem, CommitmentRequest
from gateway.model.identifiers import NodeId, SopInstanceUid, Uid
from gateway.model.refusal import Refusal
from gateway.telemetry import Metrics
from gateway.transport.association import Association, CommandReceived
from gateway.wire.dicom.commitment import (
    REQUEST_STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
    InformationError,
    RequestInformation,
    read_request,
)
from gateway.wire.dicom.negotiation import STORAGE_COMMITMENT
from gateway.wire.dicom.refusals import (
    COMMITMENT_ACTION,
    COMMITMENT_CLASS,
    COMMITMENT_INSTANCE,
    COMMITMENT_UNKEPT,
    EVENT_REPORT_UNASKED,
    comment_of,
    log_fields,
)
from gateway.wire.dicom.status import Status

log = structlog.get_logger(__name__)

N_ACTION_RQ, N_EVENT_REPORT_RQ = 0x0130, 0x0100
RESPONSE = 0x8000


class Asking(Protocol):
    """Where requests are kept."""

    async def ask(self, request: CommitmentRequest) -> tuple[Asked, Commitment]:
        """Durable when it returns."""


class CommitmentService:
    """Serves N-ACTIONs. 0000H MUST mean: the request is durable, and its report is owed until it is taken."""

    def __init__(
        self,
        asking: Asking,
        *,
        node: NodeId,
        epoch: int,
        parking_seconds: float,
        metrics: Metrics,
        on_asked: Callable[[Commitment], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._asking, self._node, self._epoch = asking, node, epoch
        self._parking_seconds, self._metrics = parking_seconds, metrics
        self._on_asked, self._clock = on_asked, clock

    async def action(
        self, association: Association, command: CommandReceived, transfer_syntax: str, admitted: Admitted
    ) -> None:
        """One N-ACTION-RQ. Raises `AssociationAbortedError` if the association ends meanwhile."""
        if (refusal := _objection(command)) is not None:
            return await self._refuse(association, command, refusal)
        try:
            request = await asyncio.to_thread(
                self._request, association, command.data_set or b"", transfer_syntax, admitted
            )
            asked, commitment = await self._asking.ask(request)
        except InformationError as error:
            return await self._refuse(association, command, error.refusal, error.offending, byte=error.byte)
        except (UnavailableError, CatalogueError) as error:
            return await self._refuse(association, command, COMMITMENT_UNKEPT, reason=str(error))
        self._metrics.commitments_asked.labels(asked.value).inc()
        log.info(
            "storage commitment asked", association=association.number, calling=association.calling,
            commitment=commitment.id, transaction=request.transaction_uid, instances=len(request.items),
            asked=asked.value,
        )  # fmt: skip
        await _answer(association, command, Status.SUCCESS)
        self._on_asked(commitment)  # behind the answer: no report goes out before it
        return None

    async def report(self, association: Association, command: CommandReceived) -> None:
        """An N-EVENT-REPORT-RQ that nobody here asked for."""
        await self._refuse(association, command, EVENT_REPORT_UNASKED)

    def _request(
        self, association: Association, data_set: bytes, transfer_syntax: str, admitted: Admitted
    ) -> CommitmentRequest:
        """Blocking: reads the whole list."""
        information: RequestInformation = read_request(data_set, transfer_syntax)
        parking = admitted.caller.parking_seconds
        seconds = self._parking_seconds if parking is None else parking
        return CommitmentRequest(
            transaction_uid=information.transaction,
            calling=admitted.caller.title,
            called=admitted.called,
            vaults=admitted.vaults,
            items=tuple(CommitmentItem(Uid(c), SopInstanceUid(i)) for c, i in information.references),
            node=self._node,
            epoch=self._epoch,
            association=association.number,
            deadline_at=self._clock() + timedelta(seconds=seconds),
        )

    async def _refuse(
        self,
        association: Association,
        command: CommandReceived,
        refusal: Refusal,
        offending: int | None = None,
        *,
        byte: int | None = None,
        **more: object,
    ) -> None:
        self._metrics.count_refusal(refusal.code)
        log.warning(
            "request refused", association=association.number, address=association.address,
            calling=association.calling, status=f"{refusal.status:04X}H", **more,
            **log_fields(refusal, offending=offending, byte=byte),
        )  # fmt: skip
        offending = refusal.attribute if offending is None else offending
        comment = comment_of(refusal, offending=offending, byte=byte)
        await _answer(association, command, refusal.status, comment, offending)


def _objection(command: CommandReceived) -> Refusal | None:
    """What can be said before the list is read."""
    if command.requested_sop_class != STORAGE_COMMITMENT:
        return COMMITMENT_CLASS
    if command.requested_sop_instance != STORAGE_COMMITMENT_INSTANCE:
        return COMMITMENT_INSTANCE
    return None if command.action_type == REQUEST_STORAGE_COMMITMENT else COMMITMENT_ACTION


def _answer(
    association: Association,
    command: CommandReceived,
    status: int,
    comment: str | None = None,
    offending: int | None = None,
) -> Awaitable[None]:
    """What was requested is what is affected (PS3.7 10.3.5.2)."""
    return association.send(
        association.engine.response(
            command.context_id,
            command.command_field | RESPONSE,
            command.message_id or 0,
            command.requested_sop_class or command.sop_class,
            status,
            sop_instance=command.requested_sop_instance or command.sop_instance,
            error_comment=comment,
            offending=offending,
        )
    )

"""Retrieve: C-GET of the Study Root (PS3.4 C.4.3)."""

import asyncio
from collections.abc import Sequence

import structlog

from gateway.access.damage import DamageReports
from gateway.access.find import Finder
from gateway.access.retrieve import Retrieval, SubOperations
from gateway.access.sources import Sources
from gateway.errors import CatalogueError, UnavailableError
from gateway.model.identifiers import VaultId
from gateway.model.refusal import Refusal
from gateway.telemetry import Metrics
from gateway.transport.association import Association, CommandReceived
from gateway.wire.dicom.identifier import IdentifierError, read_retrieve_identifier, write_failed_instances
from gateway.wire.dicom.refusals import (
    CATALOGUE,
    RETRIEVE_NONE,
    RETRIEVE_SOME,
    RETRIEVE_UNREACHABLE,
    comment_of,
    log_fields,
)
from gateway.wire.dicom.status import Status

log = structlog.get_logger(__name__)

C_GET_RQ, C_GET_RSP = 0x0010, 0x8010
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"

FAILED_LISTED_MAX = 1_000
"""Failed UIDs named in a final response; the counts tell the rest."""
COUNT_MAX = 0xFFFF


class GetService:
    """Serves one C-GET at a time on its association."""

    def __init__(self, finder: Finder, sources: Sources, metrics: Metrics, damage: DamageReports) -> None:
        self._finder, self._sources, self._metrics, self._damage = finder, sources, metrics, damage

    async def get(
        self,
        association: Association,
        command: CommandReceived,
        transfer_syntax: str,
        vaults: Sequence[VaultId],
    ) -> None:
        """Finds, sends, answers. Raises `AssociationAbortedError` if the association ends meanwhile."""
        answer = _Answer(association, command, transfer_syntax, self._metrics)
        try:
            # In a thread: a mebibyte holds a hundred thousand elements, and the loop has others to serve.
            identifier = await asyncio.to_thread(
                read_retrieve_identifier, command.data_set or b"", transfer_syntax
            )
            matches = await self._finder.matches(identifier, vaults)
        except IdentifierError as error:
            return await answer.failure(error.refusal, error.offending)
        except (UnavailableError, CatalogueError) as error:
            return await answer.failure(RETRIEVE_UNREACHABLE, reason=str(error))
        log.info(
            "C-GET", calling=association.calling, level=identifier.level.value,
            studies=len(identifier.studies), instances=len(matches),
        )  # fmt: skip
        retrieval = Retrieval(
            association,
            self._sources,
            self._finder,
            matches,
            on_damaged=self._damage.report,
            not_message_id=command.message_id or 0,
        )
        try:
            async for counts in retrieval.run():
                association.look_for_cancel()
                if command.message_id in association.cancelled:
                    association.cancelled.discard(command.message_id)
                    return await answer.final(Status.CANCEL, counts, remaining=True)
                if counts.remaining:
                    await answer.pending(counts)
        finally:
            self._count(retrieval.counts)
        refusal = _refusal(retrieval.counts)
        if refusal is not None and retrieval.counts.failed:
            answer.tell(refusal, failed=retrieval.counts.failed, reasons=dict(retrieval.counts.reasons))
        return await answer.final(Status.SUCCESS if refusal is None else refusal.status, retrieval.counts)

    def _count(self, counts: SubOperations) -> None:
        for code, many in counts.reasons.items():
            self._metrics.refusals[code] += many
        for outcome, many in (("sent", counts.completed + counts.warning), ("failed", counts.failed)):
            if many:
                self._metrics.retrieved.labels("c-get", outcome).inc(many)


def _refusal(counts: SubOperations) -> Refusal | None:
    """PS3.4 C.4.3.1.4: all well, some failed, or none could be sent."""
    if not counts.failed and not counts.warning:
        return None
    return RETRIEVE_SOME if counts.completed or counts.warning else RETRIEVE_NONE


def _comment(counts: SubOperations) -> str | None:
    """How many failed, and the most frequent reason."""
    if not counts.failed:
        return None
    code, _ = counts.reasons.most_common(1)[0]
    return f"{counts.failed} failed: {CATALOGUE[code].text}"


class _Answer:
    """C-GET-RSPs to one request."""

    def __init__(
        self, association: Association, command: CommandReceived, transfer_syntax: str, metrics: Metrics
    ) -> None:
        self._association, self._command, self._syntax = association, command, transfer_syntax
        self._metrics = metrics

    async def pending(self, counts: SubOperations) -> None:
        await self._send(Status.PENDING, sub_operations=_numbers(counts, remaining=True))

    async def final(self, status: int, counts: SubOperations, *, remaining: bool = False) -> None:
        failed = tuple(counts.failed_instances[:FAILED_LISTED_MAX])
        # A data set comes with warning, failure and cancel only (PS3.4 C.4.3.1.3.2).
        data_set = (
            write_failed_instances(failed, self._syntax) if failed and status != Status.SUCCESS else None
        )
        await self._send(
            status,
            sub_operations=_numbers(counts, remaining=remaining),
            data_set=data_set,
            error_comment=_comment(counts),
        )

    async def failure(self, refusal: Refusal, offending: int | None = None, **more: object) -> None:
        self.tell(refusal, offending, **more)
        comment = comment_of(refusal, offending=offending)
        await self._send(refusal.status, error_comment=comment, offending=offending or refusal.attribute)

    def tell(self, refusal: Refusal, offending: int | None = None, **more: object) -> None:
        """Once in the log, once in the metrics."""
        self._metrics.count_refusal(refusal.code)
        log.warning(
            "request refused", association=self._association.number, address=self._association.address,
            calling=self._association.calling, status=f"{refusal.status:04X}H", **more,
            **log_fields(refusal, offending=offending),
        )  # fmt: skip

    async def _send(
        self,
        status: int,
        *,
        sub_operations: tuple[int | None, int, int, int] | None = None,
        data_set: bytes | None = None,
        error_comment: str | None = None,
        offending: int | None = None,
    ) -> None:
        command = self._command
        await self._association.send(
            self._association.engine.response(
                command.context_id,
                C_GET_RSP,
                command.message_id or 0,
                command.sop_class or STUDY_ROOT_GET,
                status,
                sub_operations=sub_operations,
                data_set=data_set,
                error_comment=error_comment,
                offending=offending,
            )
        )


def _numbers(counts: SubOperations, *, remaining: bool) -> tuple[int | None, int, int, int]:
    """As US values hold them; more than 65535 stay at that."""
    left = min(counts.remaining, COUNT_MAX) if remaining else None
    return (
        left,
        min(counts.completed, COUNT_MAX),
        min(counts.failed, COUNT_MAX),
        min(counts.warning, COUNT_MAX),
    )

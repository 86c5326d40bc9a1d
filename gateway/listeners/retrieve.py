"""Retrieve: C-GET of the Study Root (PS3.4 C.4.3)."""

from collections.abc import Sequence

import structlog

from gateway.access.damage import DamageReports
from gateway.access.find import Finder
from gateway.access.retrieve import Retrieval, SubOperations
from gateway.errors import CatalogueError, UnavailableError
from gateway.journal import Journal
from gateway.model.identifiers import VaultId
from gateway.telemetry import Metrics
from gateway.transport.association import Association, CommandReceived
from gateway.wire.dicom.identifier import IdentifierError, read_retrieve_identifier, write_failed_instances
from gateway.wire.dicom.status import Status

log = structlog.get_logger(__name__)

C_GET_RQ, C_GET_RSP = 0x0010, 0x8010
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"

FAILED_LISTED_MAX = 1_000
"""Failed UIDs named in a final response; the counts tell the rest."""
COUNT_MAX = 0xFFFF


class GetService:
    """Serves one C-GET at a time on its association."""

    def __init__(self, finder: Finder, journal: Journal, metrics: Metrics, damage: DamageReports) -> None:
        self._finder, self._journal, self._metrics, self._damage = finder, journal, metrics, damage

    async def get(
        self,
        association: Association,
        command: CommandReceived,
        transfer_syntax: str,
        vaults: Sequence[VaultId],
    ) -> None:
        """Finds, sends, answers. Raises `AssociationAbortedError` if the association ends meanwhile."""
        answer = _Answer(association, command, transfer_syntax)
        try:
            identifier = read_retrieve_identifier(command.data_set or b"", transfer_syntax)
            matches = await self._finder.matches(identifier, vaults)
        except IdentifierError as error:
            return await answer.failure(Status.IDENTIFIER_MISMATCH, str(error))
        except (UnavailableError, CatalogueError) as error:
            log.warning("C-GET cannot be looked up", calling=association.calling, reason=str(error))
            return await answer.failure(Status.OUT_OF_RESOURCES_MATCHES, "the catalogue cannot be asked now")
        log.info(
            "C-GET", calling=association.calling, level=identifier.level.value,
            studies=len(identifier.studies), instances=len(matches),
        )  # fmt: skip
        retrieval = Retrieval(
            association,
            self._journal,
            matches,
            on_damaged=self._damage.report,
            not_message_id=command.message_id or 0,
        )
        async for counts in retrieval.run():
            association.look_for_cancel()
            if command.message_id in association.cancelled:
                association.cancelled.discard(command.message_id)
                self._count(counts)
                return await answer.final(Status.CANCEL, counts, remaining=True)
            if counts.remaining:
                await answer.pending(counts)
        self._count(retrieval.counts)
        return await answer.final(_status(retrieval.counts), retrieval.counts)

    def _count(self, counts: SubOperations) -> None:
        for outcome, many in (("sent", counts.completed + counts.warning), ("failed", counts.failed)):
            if many:
                self._metrics.retrieved.labels("c-get", outcome).inc(many)


def _status(counts: SubOperations) -> int:
    """PS3.4 C.4.3.1.4: all well, some failed, or none could be sent."""
    if not counts.failed and not counts.warning:
        return Status.SUCCESS
    return (
        Status.SUB_OPERATIONS_FAILED
        if counts.completed or counts.warning
        else Status.OUT_OF_RESOURCES_SUB_OPERATIONS
    )


class _Answer:
    """C-GET-RSPs to one request."""

    def __init__(self, association: Association, command: CommandReceived, transfer_syntax: str) -> None:
        self._association, self._command, self._syntax = association, command, transfer_syntax

    async def pending(self, counts: SubOperations) -> None:
        await self._send(Status.PENDING, sub_operations=_numbers(counts, remaining=True))

    async def final(self, status: int, counts: SubOperations, *, remaining: bool = False) -> None:
        failed = tuple(counts.failed_instances[:FAILED_LISTED_MAX])
        # A data set comes with warning, failure and cancel only (PS3.4 C.4.3.1.3.2).
        data_set = (
            write_failed_instances(failed, self._syntax) if failed and status != Status.SUCCESS else None
        )
        comment = f"{counts.failed} sub-operations failed" if counts.failed else None
        await self._send(
            status,
            sub_operations=_numbers(counts, remaining=remaining),
            data_set=data_set,
            error_comment=comment,
        )

    async def failure(self, status: int, comment: str) -> None:
        await self._send(status, error_comment=comment)

    async def _send(
        self,
        status: int,
        *,
        sub_operations: tuple[int | None, int, int, int] | None = None,
        data_set: bytes | None = None,
        error_comment: str | None = None,
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

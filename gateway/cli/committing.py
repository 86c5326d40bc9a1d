"""Asking another archive for storage commitment, and waiting for its report (PS3.4 J.3), as its SCU.

The report comes on the association that asked, or on one that the archive opens to us: then we are acceptor,
on a port of our own, for as long as we wait.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from uuid import UUID

from gateway import _core
from gateway.errors import AssociationAbortedError, GatewayError
from gateway.model.identifiers import Uid
from gateway.transport.association import (
    AssociateRequested,
    Association,
    CommandReceived,
    Event,
    ReleaseRequested,
    Timers,
)
from gateway.transport.requestor import release, request
from gateway.wire.dicom.commitment import (
    REQUEST_STORAGE_COMMITMENT,
    STORAGE_COMMITMENT_INSTANCE,
    InformationError,
    Reference,
    ReportInformation,
    RequestInformation,
    read_report,
    write_request,
)
from gateway.wire.dicom.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    STORAGE_COMMITMENT,
)
from gateway.wire.dicom.refusals import OPERATION_UNRECOGNISED
from gateway.wire.dicom.status import Status, name_of

N_ACTION_RSP, N_EVENT_REPORT_RQ, N_EVENT_REPORT_RSP = 0x8130, 0x0100, 0x8100
SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
REFERENCES_MAX = 20_000
"""Instances asked for at once; there are several requests if there are more."""
ANSWER_SECONDS_MAX = 120.0
SYNTAX_REFUSED, ABSTRACT_REFUSED = 4, 3
"""Results of a presentation context (PS3.8 table 9-18)."""


@dataclass(slots=True)
class Commitments:
    """What became of what was asked."""

    asked: int = 0
    committed: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    """SOP Instance UID -> failure reason (0008,1197)."""
    unreported: int = 0
    """Instances of which no report came."""
    ended: str = ""
    """Why it ended early."""


class Committer:
    """Asks one archive, and takes its reports from wherever they come."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        called: str,
        calling: str,
        report_port: int | None,
        seconds: float,
        on_report: Callable[[int], None] = lambda instances: None,
    ) -> None:
        self._host, self._port, self._called, self._calling = host, port, called, calling
        self._report_port, self._seconds, self._on_report = report_port, seconds, on_report
        self._waiting: dict[str, int] = {}
        self._done = asyncio.Event()
        self.result = Commitments()

    async def commit(self, references: Sequence[Reference]) -> Commitments:
        """Asks for all of them, and waits for every report. What goes wrong is in the result."""
        self.result.asked = len(references)
        if not references:
            return self.result
        try:
            async with asyncio.timeout(self._seconds):
                await self._commit(references)
        except TimeoutError:
            self.result.ended = f"no report within {self._seconds:g} s"
        except GatewayError as error:
            self.result.ended = str(error)
        except OSError as error:
            self.result.ended = f"cannot listen on port {self._report_port}: {error.strerror or error}"
        told = self.result.committed + len(self.result.failed)
        self.result.unreported = self.result.asked - told
        return self.result

    async def _commit(self, references: Sequence[Reference]) -> None:
        tasks: set[asyncio.Task[None]] = set()
        server = None if self._report_port is None else await self._listen(self._report_port, tasks)
        try:
            association, _ = await request(
                self._host, self._port, called=self._called, calling=self._calling,
                contexts=[(1, STORAGE_COMMITMENT, SYNTAXES)],
            )  # fmt: skip
            try:
                await self._ask_and_wait(association, references, lasts=server is None)
            finally:
                await release(association)
        finally:
            if server is not None:
                server.close()
            for task in tasks:
                task.cancel()

    async def _ask_and_wait(
        self, association: Association, references: Sequence[Reference], *, lasts: bool
    ) -> None:
        """`lasts`: reports come on this association only, so nothing is to be hoped for when it ends."""
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(self._serve(association))
            asked = tasks.create_task(self._asked(association, references))
            await asyncio.wait({asked, listening}, return_when=asyncio.FIRST_COMPLETED)
            if lasts and not asked.done():
                self.result.ended = "the association ended before the report came"
                asked.cancel()
            else:
                await asyncio.wait({asked})
            listening.cancel()

    async def _asked(self, association: Association, references: Sequence[Reference]) -> None:
        try:
            for number, start in enumerate(range(0, len(references), REFERENCES_MAX)):
                await self._ask(association, number + 1, references[start : start + REFERENCES_MAX])
            await self._done.wait()
        except GatewayError as error:
            self.result.ended = str(error)
        except TimeoutError:
            self.result.ended = f"the request was not answered in {ANSWER_SECONDS_MAX:g} s"

    async def _ask(self, association: Association, message_id: int, some: Sequence[Reference]) -> None:
        context_id, syntax = _context(association)
        transaction = _new_uid()
        self._waiting[transaction] = len(some)
        self._done.clear()
        data_set = await asyncio.to_thread(
            write_request, RequestInformation(transaction, tuple(some)), syntax
        )
        rq = association.engine.n_action(
            context_id, message_id, sop_class=STORAGE_COMMITMENT, sop_instance=STORAGE_COMMITMENT_INSTANCE,
            action_type=REQUEST_STORAGE_COMMITMENT, data_set=data_set,
        )  # fmt: skip
        answer = await association.exchange(rq, N_ACTION_RSP, message_id, seconds=ANSWER_SECONDS_MAX)
        if answer.status != Status.SUCCESS:
            said = f": {answer.error_comment}" if answer.error_comment else ""
            raise AssociationAbortedError(
                f"the request was answered {name_of(answer.status or Status.PROCESSING_FAILURE)}{said}"
            )

    # --- reports ---------------------------------------------------------------------------------

    async def _serve(self, association: Association) -> None:
        """Takes what the archive says on an association until it ends."""
        with suppress(AssociationAbortedError):
            while await self._heard(association, await association.event()):
                pass

    async def _heard(self, association: Association, event: Event) -> bool:
        if isinstance(event, ReleaseRequested):
            association.last_word(association.engine.release_response(), "released")
            return False
        if isinstance(event, CommandReceived):
            report = event.command_field == N_EVENT_REPORT_RQ
            status = await self._take(association, event) if report else OPERATION_UNRECOGNISED.status
            answer = association.engine.response(
                event.context_id, event.command_field | 0x8000, event.message_id or 0, event.sop_class,
                status, sop_instance=event.sop_instance,
            )  # fmt: skip
            await association.send(answer)
        return True

    async def _take(self, association: Association, event: CommandReceived) -> int:
        """The status that it is answered by. A report that comes again is taken again."""
        _, syntax = _context(association)
        try:
            report = await asyncio.to_thread(read_report, event.data_set or b"", syntax)
        except InformationError as error:
            return error.refusal.status
        if report.transaction in self._waiting:
            self._count(report)
        return Status.SUCCESS

    def _count(self, report: ReportInformation) -> None:
        self._waiting.pop(report.transaction)
        self.result.committed += len(report.committed)
        self.result.failed.update({instance: reason for _, instance, reason in report.failed})
        self._on_report(len(report.committed) + len(report.failed))
        if not self._waiting:
            self._done.set()

    # --- as acceptor -----------------------------------------------------------------------------

    async def _listen(self, port: int, tasks: set[asyncio.Task[None]]) -> asyncio.Server:
        def made(association: Association) -> None:
            tasks.add(asyncio.get_running_loop().create_task(self._accept(association), name="reports"))

        def incoming() -> Association:
            return Association(_core.Association.keeping_nothing(), Timers(), on_made=made)

        return await asyncio.get_running_loop().create_server(incoming, port=port)

    async def _accept(self, association: Association) -> None:
        """The archive is SCP of what it opens to us, if it says so (PS3.7 D.3.3.4)."""
        with suppress(AssociationAbortedError):
            rq = await association.event()
            if not isinstance(rq, AssociateRequested):
                return association.close("no A-ASSOCIATE-RQ")
            association.calling = rq.calling or ""
            roles = [
                _core.Role(STORAGE_COMMITMENT, role.scu, role.scp)
                for role in rq.roles
                if role.sop_class == STORAGE_COMMITMENT
            ]
            ac = association.engine.accept(
                [_answered(context) for context in rq.contexts], roles[:1], None, [], False, None
            )
            association.established(ac)
            await self._serve(association)
        return None


def _answered(context: _core.ProposedContext) -> _core.AnsweredContext:
    first = context.transfer_syntaxes[0] if context.transfer_syntaxes else IMPLICIT_VR_LITTLE_ENDIAN
    if context.abstract_syntax != STORAGE_COMMITMENT or context.crowded:
        return _core.AnsweredContext(context.context_id, ABSTRACT_REFUSED, first)
    chosen = next((one for one in context.transfer_syntaxes if one in SYNTAXES), None)
    if chosen is None:
        return _core.AnsweredContext(context.context_id, SYNTAX_REFUSED, first)
    return _core.AnsweredContext(context.context_id, 0, chosen)


def _context(association: Association) -> tuple[int, str]:
    for syntax in SYNTAXES:
        context_id = association.engine.context_for(STORAGE_COMMITMENT, syntax, False)
        if context_id is not None:
            return context_id, syntax
    raise AssociationAbortedError("the peer does not accept storage commitment")


def _new_uid() -> Uid:
    """By UUID (PS3.5 B.2)."""
    return Uid(f"2.25.{UUID(bytes=secrets.token_bytes(16), version=4).int}")

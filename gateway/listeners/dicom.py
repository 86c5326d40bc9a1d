"""The DICOM door: associations are admitted, negotiated and served; one file beside this for each service."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping

import structlog

from gateway.errors import AssociationAbortedError, GatewayError
from gateway.ingest.admission import Admitted, Gate
from gateway.journal import Journal
from gateway.listeners.commitment import N_ACTION_RQ, N_EVENT_REPORT_RQ, CommitmentService
from gateway.listeners.retrieve import C_GET_RQ, GetService
from gateway.listeners.verification import C_ECHO_RQ, echo
from gateway.model.refusal import Refusal
from gateway.profiles import Profile
from gateway.settings import DicomSettings
from gateway.telemetry import Metrics
from gateway.transport.acceptor import Acceptor
from gateway.transport.association import (
    C_CANCEL_RQ,
    AssociateRequested,
    Association,
    CommandReceived,
    Event,
    ReleaseRequested,
    Timers,
)
from gateway.wire.dicom.negotiation import STORAGE_COMMITMENT, Answer, Result, negotiate
from gateway.wire.dicom.refusals import (
    CATALOGUE,
    DEFECT,
    FAILED,
    OPERATION_UNRECOGNISED,
    RESPONSE_UNASKED,
    SHUTTING_DOWN,
    SOCKETS,
    comment_of,
    log_fields,
)
from gateway.wire.dicom.rejection import LOCAL_LIMIT, Rejection

log = structlog.get_logger(__name__)

DRAIN_POLL_SECONDS = 0.05
TURNED_AWAY_TOLD_SECONDS = 1.0
DRAIN_QUIET_SECONDS = 1.0
"""A drained association that is quiet for so long has ended: synchronous senders pause between C-STOREs."""


class _Quiet:
    """Since when nothing has happened on an association."""

    def __init__(self, now: float) -> None:
        self._since, self._moved = now, -1

    def seconds(self, association: Association, now: float) -> float:
        """For how long it has been in the middle of nothing."""
        progress = association.engine.progress()
        moved = progress.received + progress.sent
        if moved != self._moved or progress.in_message or progress.outstanding or association.serving:
            self._since, self._moved = now, moved
        return now - self._since


class DicomListener:
    """Accepts associations. C-STOREs pass through the core; every other request is served here."""

    def __init__(
        self,
        settings: DicomSettings,
        profile: Profile,
        *,
        gate: Gate,
        journal: Journal,
        get_service: GetService,
        commitment_service: CommitmentService,
        metrics: Metrics,
    ) -> None:
        self._settings, self._profile, self._gate = settings, profile, gate
        self._get_service, self._metrics = get_service, metrics
        self._commitment_service = commitment_service
        timers = Timers(
            artim_seconds=settings.artim_seconds,
            idle_seconds=settings.idle_seconds,
            progress_bytes_per_second=settings.progress_floor_bytes_per_second,
            progress_window_seconds=settings.progress_window_seconds,
            send_seconds=settings.progress_window_seconds,
        )
        self._timers = timers
        self._acceptor = Acceptor(
            journal.acceptor, self._supervise, timers,
            catch_up=self._catch_up, on_turned_away=self._turned_away,
        )  # fmt: skip
        self._turned_away_told = float("-inf")
        self._before_writing: Callable[[], None] = lambda: None
        self._draining = False
        self._open: Counter[str] = Counter()
        self.port = settings.port

    async def open(self) -> None:
        """Binds. OSError if the port cannot be had."""
        self.port = await self._acceptor.open(self._settings.host, self._settings.port)

    async def run(self) -> None:
        """Serves until cancelled."""
        await self._acceptor.run()

    async def serving(self) -> None:
        """Returns once associations are accepted."""
        await self._acceptor.serving()

    def line(self, number: int) -> Association | None:
        """The association of a wake-up."""
        return self._acceptor.get(number)

    def before_writing(self, drain: Callable[[], None]) -> None:
        """What associations call before they write: whatever workers have handed over leaves earlier."""
        self._before_writing = drain

    def associations(self) -> int:
        """Associations open now."""
        return self._open.total()

    async def drain(self, seconds: float, hurry: asyncio.Event) -> None:
        """No new ones. Others may go on until they are quiet, or the deadline; then they are aborted."""
        self._draining = True
        self._acceptor.stop_accepting()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        quiet: dict[int, _Quiet] = {}
        # The core's counts raise no event, so they are looked at.
        while (open_still := self._acceptor.established()) and not hurry.is_set() and loop.time() < deadline:
            for association in open_still:
                known = quiet.setdefault(association.number, _Quiet(loop.time()))
                if known.seconds(association, loop.time()) >= DRAIN_QUIET_SECONDS:
                    association.abort(SHUTTING_DOWN)
            await asyncio.sleep(DRAIN_POLL_SECONDS)
        for association in self._acceptor.established():
            association.abort(SHUTTING_DOWN)
        await asyncio.sleep(DRAIN_POLL_SECONDS)  # for the last words to leave

    def _turned_away(self, association: Association) -> None:
        """A socket that found no place is counted; of a flood of them the log hears once a second."""
        now = time.monotonic()
        if now - self._turned_away_told >= TURNED_AWAY_TOLD_SECONDS:
            self._turned_away_told = now
            self._tell_refused(association, SOCKETS)
        else:
            self._metrics.count_refusal(SOCKETS.code)

    def _catch_up(self) -> None:
        self._before_writing()

    # --- one association -------------------------------------------------------------------------

    async def _supervise(self, association: Association) -> None:
        """One association's whole life. What goes wrong on it ends it, and nothing else."""
        outcome = "aborted"
        bound, began = log.bind(association=association.number, address=association.address), time.monotonic()
        try:
            outcome = await self._serve(association)
        except AssociationAbortedError:
            association.abort(DEFECT)  # it has ended already, or we missed how
        except GatewayError as error:
            bound.error("association failed", calling=association.calling, reason=str(error))
            association.abort(FAILED)
        except Exception:  # the supervisor: one association's defect must not end the others
            bound.exception("association met a defect", calling=association.calling)
            association.abort(DEFECT)
        finally:
            self._metrics.associations.labels(outcome).inc()
            progress = association.engine.progress()
            if association.refusal is not None:
                self._tell_refused(association, association.refusal)
            bound.info(
                "association ended", calling=association.calling, outcome=outcome,
                reason=association.why_ended, received=progress.received, sent=progress.sent,
                seconds=round(time.monotonic() - began, 3),
            )  # fmt: skip

    def _tell_refused(self, association: Association, refusal: Refusal) -> None:
        """Why we ended an association, once in the log and once in the metrics."""
        self._metrics.count_refusal(refusal.code)
        log.warning(
            "association refused", association=association.number, address=association.address,
            calling=association.calling, reason=refusal.text,
            **log_fields(refusal, byte=association.refused_at),
        )  # fmt: skip

    async def _serve(self, association: Association) -> str:
        event = await association.event()
        if not isinstance(event, AssociateRequested):
            raise AssociationAbortedError(association.why_ended or "no A-ASSOCIATE-RQ")
        answer = await self._admit(association, event)
        if isinstance(answer, Rejection):
            return self._reject(association, event, answer)
        admitted, negotiated = answer
        calling = admitted.caller.title
        self._open[calling] += 1
        self._metrics.associations_open.inc()
        try:
            return await self._serve_established(association, admitted, negotiated)
        finally:
            self._open[calling] -= 1
            if not self._open[calling]:  # or every title anybody ever used would stay
                del self._open[calling]
            self._metrics.associations_open.dec()

    async def _admit(
        self, association: Association, event: AssociateRequested
    ) -> tuple[Admitted, Answer] | Rejection:
        admitted = await self._gate.admit(event, calling=event.calling, address=association.address)
        if isinstance(admitted, Rejection):
            return admitted
        own = self._open[admitted.caller.title]
        limits = self._settings
        if (
            self._draining
            or self._open.total() >= limits.associations_max
            or own >= limits.associations_per_ae_max
        ):
            return LOCAL_LIMIT
        negotiated = negotiate(event, self._profile.acceptance, admitted.caller.transfer_syntax_preference)
        return admitted, negotiated

    def _reject(self, association: Association, event: AssociateRequested, rejection: Rejection) -> str:
        self._metrics.count_refusal(rejection.code)
        log.warning(
            "association rejected", association=association.number, address=association.address,
            calling=event.calling, called=event.called, reason=self._profile.text_of(rejection),
            **log_fields(CATALOGUE[rejection.code]),
        )  # fmt: skip
        rj = association.engine.reject(rejection.result, rejection.source, rejection.reason)
        association.last_word(rj, rejection.code)
        return "rejected"

    async def _serve_established(
        self, association: Association, admitted: Admitted, negotiated: Answer
    ) -> str:
        association.calling = admitted.caller.title
        if admitted.caller.idle_seconds is not None:
            association.set_idle_seconds(admitted.caller.idle_seconds)
        for context in negotiated.contexts:
            self._metrics.contexts.labels(str(int(context.result))).inc()
        association.established(
            association.accept(
                contexts=[(c.context_id, int(c.result), c.transfer_syntax) for c in negotiated.contexts],
                roles=[(role.sop_class, role.scu, role.scp) for role in negotiated.roles],
                operations_window=negotiated.operations_window,
                extended=negotiated.extended,
                user_identity_answered=negotiated.user_identity_answered,
                admission=admitted.store,
            )
        )
        syntaxes = {
            c.context_id: c.transfer_syntax for c in negotiated.contexts if c.result is Result.ACCEPTANCE
        }
        log.info(
            "association accepted", association=association.number, address=association.address,
            calling=association.calling, called=admitted.called, contexts=len(syntaxes),
        )  # fmt: skip
        while await self._serve_event(association, await association.event(), admitted, syntaxes):
            pass
        return "accepted"

    async def _serve_event(
        self, association: Association, event: Event, admitted: Admitted, syntaxes: Mapping[int, str]
    ) -> bool:
        """Serves one event; False when the association has ended in order."""
        if isinstance(event, ReleaseRequested):
            association.last_word(association.engine.release_response(), "released")
            return False
        if not isinstance(event, CommandReceived):
            raise AssociationAbortedError(association.why_ended or "the peer spoke out of turn")
        association.serving = True
        try:
            await self._serve_command(association, event, admitted, syntaxes)
        finally:
            association.serving = False
        return True

    async def _serve_command(
        self,
        association: Association,
        command: CommandReceived,
        admitted: Admitted,
        syntaxes: Mapping[int, str],
    ) -> None:
        field = command.command_field
        if field == C_ECHO_RQ:
            await echo(association, command)
        elif field == C_GET_RQ:
            syntax = syntaxes[command.context_id]
            await self._get_service.get(association, command, syntax, admitted.vaults)
        elif field == N_ACTION_RQ and self._of_commitment(association, command):
            syntax = syntaxes[command.context_id]
            await self._commitment_service.action(association, command, syntax, admitted)
        elif field == N_EVENT_REPORT_RQ and self._of_commitment(association, command):
            await self._commitment_service.report(association, command)
        elif field == C_CANCEL_RQ:
            return  # what it names has ended already (PS3.7 9.3.2.3)
        elif field & 0x8000:
            association.abort(RESPONSE_UNASKED)
        else:
            await self._unrecognised(association, command)

    @staticmethod
    def _of_commitment(association: Association, command: CommandReceived) -> bool:
        return association.engine.abstract_syntax(command.context_id) == STORAGE_COMMITMENT

    async def _unrecognised(self, association: Association, command: CommandReceived) -> None:
        refusal = OPERATION_UNRECOGNISED
        self._metrics.count_refusal(refusal.code)
        log.warning(
            "request refused", association=association.number, address=association.address,
            calling=association.calling, **log_fields(refusal),
        )  # fmt: skip
        await association.send(
            association.engine.response(
                command.context_id,
                command.command_field | 0x8000,
                command.message_id or 0,
                command.sop_class or command.requested_sop_class,
                refusal.status,
                error_comment=comment_of(refusal),
            )
        )

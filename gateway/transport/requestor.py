"""The requestor: our own side of an association that we ask for."""

import asyncio
from collections.abc import Sequence

from gateway import _core
from gateway.errors import AssociationAbortedError, AssociationRejectedError, UnavailableError
from gateway.transport.association import (
    AssociateAccepted,
    AssociateRejected,
    Association,
    Released,
    Timers,
)

ProposedContext = tuple[int, str, tuple[str, ...]]
"""(context id, abstract syntax, transfer syntaxes)."""
ProposedRole = tuple[str, bool, bool]
"""(SOP class, we are SCU, we are SCP) (PS3.7 D.3.3.4)."""

_REASONS = {
    (1, 1): "no reason given",
    (1, 2): "application context name not supported",
    (1, 3): "calling AE title not recognised",
    (1, 7): "called AE title not recognised",
    (2, 1): "no reason given",
    (2, 2): "protocol version not supported",
    (3, 1): "temporary congestion",
    (3, 2): "local limit exceeded",
}
"""By source and reason (PS3.8 9.3.4, table 9-21)."""


class RejectionError(AssociationRejectedError):
    """The peer rejected the association."""

    def __init__(self, *, result: int, source: int, reason: int) -> None:
        self.result, self.source, self.reason = result, source, reason
        why = _REASONS.get((source, reason), "unknown reason")
        super().__init__(f"association rejected: {why} ({result}/{source}/{reason})")

    @property
    def transient(self) -> bool:
        """Whether the peer itself says that a later try may succeed."""
        return self.result == 2


class PeerUnreachableError(UnavailableError):
    """Nobody answers at that address."""


async def request(
    host: str,
    port: int,
    *,
    called: str,
    calling: str,
    contexts: Sequence[ProposedContext],
    roles: Sequence[ProposedRole] = (),
    timers: Timers | None = None,
) -> tuple[Association, AssociateAccepted]:
    """An established association.

    Raises `PeerUnreachableError`, `RejectionError`, `AssociationAbortedError`.
    """
    timers = timers or Timers()
    specs = [
        _core.ProposedContextSpec(number, abstract, list(syntaxes)) for number, abstract, syntaxes in contexts
    ]
    engine, associate_rq = _core.Association.requestor(
        called=called, calling=calling, contexts=specs, roles=[_core.Role(*role) for role in roles]
    )
    association = Association(engine, timers)
    try:
        async with asyncio.timeout(timers.artim_seconds):
            await asyncio.get_running_loop().create_connection(lambda: association, host, port)
            association.write(associate_rq)
            event = await association.event()
    except TimeoutError:
        association.cut("no answer to A-ASSOCIATE-RQ in time")
        raise PeerUnreachableError(f"{host}:{port}: no answer in {timers.artim_seconds:g} s") from None
    except OSError as error:
        raise PeerUnreachableError(f"{host}:{port}: {error.strerror or error}") from None
    if isinstance(event, AssociateRejected):
        association.close("rejected")
        raise RejectionError(result=event.result, source=event.source, reason=event.reason)
    if not isinstance(event, AssociateAccepted):
        association.close("no answer to our request")
        raise AssociationAbortedError(association.why_ended)
    association.established(b"")
    return association, event


async def release(association: Association, *, seconds: float = 10.0) -> None:
    """Releases in order; a peer that does not answer is cut. Never raises."""
    try:
        async with asyncio.timeout(seconds):
            await association.send(association.engine.release())
            while not isinstance(await association.event(), Released):
                pass
    except (TimeoutError, AssociationAbortedError):
        association.cut("no answer to A-RELEASE-RQ")
        return
    association.close("released")

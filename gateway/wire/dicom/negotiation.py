"""Negotiation: what an A-ASSOCIATE-RQ proposes, answered by what a profile accepts, with reasons.

Pure: proposals in, answers out (PS3.7 D.3, PS3.8 9.3). `gateway._core.AssociateRequested` is a
`Proposal` as it stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from gateway.model.identifiers import Uid

IMPLEMENTATION_CLASS_UID = Uid("2.25.56730494425521877119958256550709820714")
"""Who we are (PS3.7 D.3.3.2): the UUID 2aade552-fa7b-4ee3-b339-1a65475bfd2a
as a UID (PS3.5 B.2), made once for this program."""
IMPLEMENTATION_VERSION_NAME = "KUVAVARANTO_01"
"""PS3.7 D.3.3.2.3; at most 16 characters."""

VERIFICATION = Uid("1.2.840.10008.1.1")
STUDY_ROOT_GET = Uid("1.2.840.10008.5.1.4.1.2.2.3")
STORAGE_COMMITMENT = Uid("1.2.840.10008.1.20.1")
"""Storage Commitment Push Model SOP class (PS3.4 J.3)."""
IMPLICIT_VR_LITTLE_ENDIAN = Uid("1.2.840.10008.1.2")
EXPLICIT_VR_LITTLE_ENDIAN = Uid("1.2.840.10008.1.2.1")

SERVICES: Mapping[str, frozenset[Uid]] = {
    service: frozenset((IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN))
    for service in (VERIFICATION, STUDY_ROOT_GET, STORAGE_COMMITMENT)
}
"""Services that are not storage, and the transfer syntaxes of their small data sets."""

STORAGE_INFORMATION = bytes((2, 0, 1, 0, 0, 0))
"""Our side of storage extended negotiation (PS3.4 B.3.1): level 2, all attributes are kept; digital
signatures level 1, since copies may leave with corrected attributes; no coercion."""

OPERATIONS_PERFORMED_MAX = 1
"""Operations that we, as SCU, have outstanding with a peer."""


class Result(IntEnum):
    """Result/Reason of a presentation context (PS3.8 table 9-18)."""

    ACCEPTANCE = 0
    USER_REJECTION = 1
    NO_REASON = 2
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 4


class ContextProposed(Protocol):
    """A presentation context as proposed; `crowded`: more transfer syntaxes than the core counts."""

    @property
    def context_id(self) -> int: ...
    @property
    def abstract_syntax(self) -> str: ...
    @property
    def transfer_syntaxes(self) -> Sequence[str]: ...
    @property
    def crowded(self) -> bool: ...


class RoleProposed(Protocol):
    """SCP/SCU role selection as proposed (PS3.7 D.3.3.4)."""

    @property
    def sop_class(self) -> str: ...
    @property
    def scu(self) -> bool: ...
    @property
    def scp(self) -> bool: ...


class Proposal(Protocol):
    """What an A-ASSOCIATE-RQ proposes."""

    @property
    def contexts(self) -> Sequence[ContextProposed]: ...
    @property
    def roles(self) -> Sequence[RoleProposed]: ...
    @property
    def operations_window(self) -> tuple[int, int] | None: ...
    @property
    def extended(self) -> Sequence[tuple[str, bytes]]: ...
    @property
    def user_identity(self) -> tuple[int, bool] | None: ...


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What we accept, as a profile says."""

    storage: frozenset[Uid]
    """Storage SOP classes."""
    transfer_syntaxes: frozenset[Uid]
    """Transfer syntaxes of storage."""
    operations_invoked_max: int
    """Operations that a peer may have outstanding with us; at least 1."""
    acknowledges_user_identity: bool
    """Whether a user name is answered where an answer is asked for. It says "read", not "checked"."""


@dataclass(frozen=True, slots=True)
class ContextAnswer:
    """A presentation context as answered, and why."""

    context_id: int
    result: Result
    transfer_syntax: str
    """Where refused: of no meaning to the peer (PS3.8 9.3.3.2), but an item that must be there."""
    reason: str


@dataclass(frozen=True, slots=True)
class RoleAnswer:
    """The roles that the requestor may play for a SOP class; never more than it proposed."""

    sop_class: str
    scu: bool
    scp: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes into the A-ASSOCIATE-AC: never anything that was not proposed."""

    contexts: tuple[ContextAnswer, ...]
    roles: tuple[RoleAnswer, ...]
    operations_window: tuple[int, int] | None
    extended: tuple[tuple[str, bytes], ...]
    user_identity_answered: bool


def negotiate(proposal: Proposal, acceptance: Acceptance, preference: Sequence[Uid] = ()) -> Answer:
    """Answers every proposed presentation context, and of the rest what was proposed.

    The accepted transfer syntax is the first of the requestor's that we accept, unless one of
    `preference`, the AE's own, is among them.
    """
    roles = _roles(proposal, acceptance)
    contexts = tuple(_context(proposed, acceptance, preference, roles) for proposed in proposal.contexts)
    accepted = {
        proposed.abstract_syntax
        for proposed, answer in zip(proposal.contexts, contexts, strict=True)
        if answer.result is Result.ACCEPTANCE
    }
    return Answer(
        contexts=contexts,
        roles=tuple(role for role in roles.values() if role.sop_class in accepted),
        operations_window=_window(proposal.operations_window, acceptance.operations_invoked_max),
        extended=_extended(proposal, accepted & acceptance.storage),
        user_identity_answered=acceptance.acknowledges_user_identity
        and _awaits_answer(proposal.user_identity),
    )


def _roles(proposal: Proposal, acceptance: Acceptance) -> dict[str, RoleAnswer]:
    """For storage the requestor may be SCP too: it is one in the sub-operations of a C-GET."""
    roles: dict[str, RoleAnswer] = {}
    for proposed in proposal.roles:
        may_be_scp = proposed.sop_class in acceptance.storage
        roles.setdefault(
            proposed.sop_class,
            RoleAnswer(proposed.sop_class, scu=proposed.scu, scp=proposed.scp and may_be_scp),
        )
    return roles


def _context(
    proposed: ContextProposed,
    acceptance: Acceptance,
    preference: Sequence[Uid],
    roles: Mapping[str, RoleAnswer],
) -> ContextAnswer:
    def refuse(result: Result, reason: str) -> ContextAnswer:
        first = proposed.transfer_syntaxes[0] if proposed.transfer_syntaxes else IMPLICIT_VR_LITTLE_ENDIAN
        return ContextAnswer(proposed.context_id, result, first, reason)

    if proposed.crowded:
        return refuse(Result.NO_REASON, "more transfer syntaxes than one presentation context may propose")
    acceptable = _acceptable(proposed.abstract_syntax, acceptance)
    if acceptable is None:
        return refuse(Result.ABSTRACT_SYNTAX_NOT_SUPPORTED, "the profile does not accept this SOP class")
    chosen = _choose(proposed.transfer_syntaxes, acceptable, preference)
    if chosen is None:
        return refuse(Result.TRANSFER_SYNTAXES_NOT_SUPPORTED, "none of the transfer syntaxes is accepted")
    role = roles.get(proposed.abstract_syntax)
    if role is not None and not (role.scu or role.scp):
        return refuse(Result.USER_REJECTION, "the roles proposed leave nothing to do")
    why = (
        "preferred for this AE"
        if chosen in preference
        else "the first of the requestor's that the profile accepts"
    )
    return ContextAnswer(proposed.context_id, Result.ACCEPTANCE, chosen, why)


def _acceptable(abstract_syntax: str, acceptance: Acceptance) -> frozenset[Uid] | None:
    if abstract_syntax in acceptance.storage:
        return acceptance.transfer_syntaxes
    return SERVICES.get(abstract_syntax)


def _choose(proposed: Sequence[str], acceptable: frozenset[Uid], preference: Sequence[Uid]) -> str | None:
    wanted = (*(preferred for preferred in preference if preferred in proposed), *proposed)
    return next((transfer_syntax for transfer_syntax in wanted if transfer_syntax in acceptable), None)


def _window(proposed: tuple[int, int] | None, invoked_max: int) -> tuple[int, int] | None:
    """PS3.7 D.3.3.3: 0 proposes no limit; we always name one, and never more than was proposed."""
    if proposed is None:
        return None
    invoked, performed = proposed
    return _limited(invoked, invoked_max), _limited(performed, OPERATIONS_PERFORMED_MAX)


def _limited(proposed: int, limit: int) -> int:
    return min(proposed or limit, limit)


def _extended(proposal: Proposal, storage: set[str]) -> tuple[tuple[str, bytes], ...]:
    """Storage is answered, whatever level was asked for; all other extended negotiation is ignored."""
    asked = dict.fromkeys(sop_class for sop_class, _ in proposal.extended)
    return tuple((sop_class, STORAGE_INFORMATION) for sop_class in asked if sop_class in storage)


def _awaits_answer(user_identity: tuple[int, bool] | None) -> bool:
    """PS3.7 D.3.3.7: the answer to a user name (types 1, 2) is empty; others would need a ticket of ours."""
    return user_identity is not None and user_identity[1] and user_identity[0] in (1, 2)

"""Negotiation: what is answered, and that nothing else is."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.identifiers import Uid
from gateway.wire.dicom import negotiation
from gateway.wire.dicom.negotiation import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    SERVICES,
    STORAGE_INFORMATION,
    STUDY_ROOT_GET,
    VERIFICATION,
    Acceptance,
    ContextAnswer,
    Result,
    RoleAnswer,
    negotiate,
)

CT, MR = Uid("1.2.840.10008.5.1.4.1.1.2"), Uid("1.2.840.10008.5.1.4.1.1.4")
HANGING_PROTOCOL = "1.2.840.10008.5.1.4.38.1"
JPEG_BASELINE, JPEG_LOSSLESS = Uid("1.2.840.10008.1.2.4.50"), Uid("1.2.840.10008.1.2.4.70")
DEFLATED = Uid("1.2.840.10008.1.2.1.99")
JPIP = "1.2.840.10008.1.2.4.94"
IMPLICIT, EXPLICIT = IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN

ACCEPTANCE = Acceptance(
    storage=frozenset((CT, MR)),
    transfer_syntaxes=frozenset((IMPLICIT, EXPLICIT, DEFLATED, JPEG_BASELINE, JPEG_LOSSLESS)),
    operations_invoked_max=16,
    acknowledges_user_identity=True,
)


@dataclass(frozen=True)
class Context:
    context_id: int
    abstract_syntax: str
    transfer_syntaxes: tuple[str, ...]
    crowded: bool = False


@dataclass(frozen=True)
class Role:
    sop_class: str
    scu: bool
    scp: bool


@dataclass(frozen=True)
class Proposed:
    contexts: tuple[Context, ...] = ()
    roles: tuple[Role, ...] = ()
    operations_window: tuple[int, int] | None = None
    extended: tuple[tuple[str, bytes], ...] = ()
    user_identity: tuple[int, bool] | None = None


def answer_to(
    abstract_syntax: str, *transfer_syntaxes: str, preference: tuple[Uid, ...] = ()
) -> ContextAnswer:
    proposal = Proposed((Context(1, abstract_syntax, transfer_syntaxes),))
    return negotiate(proposal, ACCEPTANCE, preference).contexts[0]


# --- presentation contexts ----------------------------------------------------------------------


def test_the_first_of_the_requestors_transfer_syntaxes_is_accepted():
    assert answer_to(CT, EXPLICIT, IMPLICIT, JPEG_BASELINE).transfer_syntax == EXPLICIT
    assert answer_to(CT, JPEG_BASELINE, EXPLICIT).transfer_syntax == JPEG_BASELINE
    assert answer_to(CT, JPIP, JPEG_LOSSLESS, EXPLICIT).transfer_syntax == JPEG_LOSSLESS


def test_a_preference_of_the_ae_comes_before_the_requestors_order():
    assert (
        answer_to(CT, EXPLICIT, JPEG_BASELINE, preference=(JPEG_BASELINE,)).transfer_syntax == JPEG_BASELINE
    )
    both = (JPEG_LOSSLESS, JPEG_BASELINE)
    assert (
        answer_to(CT, EXPLICIT, JPEG_BASELINE, JPEG_LOSSLESS, preference=both).transfer_syntax
        == JPEG_LOSSLESS
    )


def test_a_preference_that_is_not_proposed_or_not_accepted_changes_nothing():
    assert answer_to(CT, EXPLICIT, preference=(JPEG_BASELINE,)).transfer_syntax == EXPLICIT
    refused = negotiate(Proposed((Context(1, CT, (JPIP, EXPLICIT)),)), ACCEPTANCE, (Uid(JPIP),)).contexts[0]
    assert refused.transfer_syntax == EXPLICIT


@pytest.mark.parametrize(
    ("context", "result"),
    [
        (Context(1, HANGING_PROTOCOL, (EXPLICIT,)), Result.ABSTRACT_SYNTAX_NOT_SUPPORTED),
        (Context(1, HANGING_PROTOCOL, (JPIP,)), Result.ABSTRACT_SYNTAX_NOT_SUPPORTED),
        (Context(1, "", (EXPLICIT,)), Result.ABSTRACT_SYNTAX_NOT_SUPPORTED),
        (Context(1, CT, (JPIP,)), Result.TRANSFER_SYNTAXES_NOT_SUPPORTED),
        (Context(1, CT, ()), Result.TRANSFER_SYNTAXES_NOT_SUPPORTED),
        (Context(1, VERIFICATION, (DEFLATED, JPEG_BASELINE)), Result.TRANSFER_SYNTAXES_NOT_SUPPORTED),
        (Context(1, STUDY_ROOT_GET, (DEFLATED,)), Result.TRANSFER_SYNTAXES_NOT_SUPPORTED),
        (Context(1, CT, (EXPLICIT,), crowded=True), Result.NO_REASON),
        (Context(1, VERIFICATION, (IMPLICIT,)), Result.ACCEPTANCE),
        (Context(1, STUDY_ROOT_GET, (DEFLATED, EXPLICIT)), Result.ACCEPTANCE),
    ],
)
def test_each_context_is_answered_by_its_own_result(context: Context, result: Result):
    answer = negotiate(Proposed((context,)), ACCEPTANCE).contexts[0]
    assert answer.result is result
    assert answer.reason


def test_one_refused_context_does_not_touch_its_neighbours():
    proposal = Proposed((Context(1, HANGING_PROTOCOL, (EXPLICIT,)), Context(3, CT, (EXPLICIT,))))
    results = {answer.context_id: answer.result for answer in negotiate(proposal, ACCEPTANCE).contexts}
    assert results == {1: Result.ABSTRACT_SYNTAX_NOT_SUPPORTED, 3: Result.ACCEPTANCE}


# --- roles --------------------------------------------------------------------------------------


def test_the_requestor_may_be_scp_of_storage_so_that_it_can_receive_by_c_get():
    proposal = Proposed((Context(1, CT, (EXPLICIT,)),), (Role(CT, scu=False, scp=True),))
    answer = negotiate(proposal, ACCEPTANCE)
    assert answer.roles == (RoleAnswer(CT, scu=False, scp=True),)
    assert answer.contexts[0].result is Result.ACCEPTANCE


def test_roles_are_answered_only_if_proposed():
    assert negotiate(Proposed((Context(1, CT, (EXPLICIT,)),)), ACCEPTANCE).roles == ()


def test_a_role_for_a_sop_class_without_an_accepted_context_is_not_answered():
    proposal = Proposed((Context(1, CT, (JPIP,)),), (Role(CT, True, True), Role(MR, True, True)))
    assert negotiate(proposal, ACCEPTANCE).roles == ()


def test_nobody_is_scp_of_a_service_that_we_provide():
    proposal = Proposed((Context(1, VERIFICATION, (IMPLICIT,)),), (Role(VERIFICATION, scu=True, scp=True),))
    assert negotiate(proposal, ACCEPTANCE).roles == (RoleAnswer(VERIFICATION, scu=True, scp=False),)


@pytest.mark.parametrize("role", [Role(VERIFICATION, False, True), Role(CT, False, False)])
def test_a_context_whose_roles_leave_nothing_to_do_is_refused(role: Role):
    answer = negotiate(Proposed((Context(1, role.sop_class, (IMPLICIT,)),), (role,)), ACCEPTANCE)
    assert answer.contexts[0].result is Result.USER_REJECTION
    assert answer.roles == ()


# --- the rest of the user information -----------------------------------------------------------


@pytest.mark.parametrize(
    ("proposed", "answered"),
    [
        (None, None),
        ((0, 0), (16, 1)),
        ((1, 1), (1, 1)),
        ((200, 9), (16, 1)),
        ((16, 0), (16, 1)),
        ((5, 1), (5, 1)),
    ],
)
def test_the_operations_window_is_answered_only_if_proposed(
    proposed: tuple[int, int] | None, answered: tuple[int, int] | None
):
    assert negotiate(Proposed(operations_window=proposed), ACCEPTANCE).operations_window == answered


def test_storage_extended_negotiation_is_answered_level_2_without_coercion():
    contexts = (Context(1, CT, (EXPLICIT,)), Context(3, STUDY_ROOT_GET, (EXPLICIT,)), Context(5, MR, (JPIP,)))
    extended = ((CT, b"\0"), (STUDY_ROOT_GET, b"\1"), (MR, b"\2\0\0\0\0\0"), (CT, b"\1"))
    answer = negotiate(Proposed(contexts, extended=extended), ACCEPTANCE)
    assert answer.extended == ((CT, STORAGE_INFORMATION),)
    assert len(STORAGE_INFORMATION) == 6
    assert STORAGE_INFORMATION[0] == 2
    assert STORAGE_INFORMATION[4] == 0


@pytest.mark.parametrize(
    ("user_identity", "answered"),
    [
        (None, False),
        ((1, False), False),
        ((1, True), True),
        ((2, True), True),
        ((3, True), False),
        ((4, True), False),
    ],
)
def test_user_identity_is_answered_only_if_asked_and_if_we_can(
    user_identity: tuple[int, bool] | None, answered: bool
):
    proposal = Proposed(user_identity=user_identity)
    assert negotiate(proposal, ACCEPTANCE).user_identity_answered is answered
    silent = replace(ACCEPTANCE, acknowledges_user_identity=False)
    assert negotiate(proposal, silent).user_identity_answered is False


def test_we_say_who_we_are_as_the_core_does():
    assert len(negotiation.IMPLEMENTATION_VERSION_NAME) <= 16
    core = Path("rust_core/src/implementation.rs")
    if not core.exists():
        pytest.skip("the core does not say it yet")
    text = core.read_text()
    assert f'"{negotiation.IMPLEMENTATION_CLASS_UID}"' in text
    assert f'"{negotiation.IMPLEMENTATION_VERSION_NAME}"' in text


# --- properties ---------------------------------------------------------------------------------

SYNTAXES = (IMPLICIT, EXPLICIT, DEFLATED, JPEG_BASELINE, JPEG_LOSSLESS, JPIP, "1.2.3", "")
CLASSES = (CT, MR, VERIFICATION, STUDY_ROOT_GET, HANGING_PROTOCOL, "1.2.3.4", "")
context_ids = st.lists(st.integers(0, 127).map(lambda n: 2 * n + 1), unique=True, max_size=12)
syntaxes = st.lists(st.sampled_from(SYNTAXES), max_size=6).map(tuple)
sop_classes = st.sampled_from(CLASSES)


@st.composite
def proposals(draw: st.DrawFn) -> Proposed:
    contexts = tuple(
        Context(n, draw(sop_classes), draw(syntaxes), draw(st.booleans())) for n in draw(context_ids)
    )
    window = st.none() | st.tuples(st.integers(0, 65_535), st.integers(0, 65_535))
    return Proposed(
        contexts,
        tuple(draw(st.lists(st.builds(Role, sop_classes, st.booleans(), st.booleans()), max_size=5))),
        draw(window),
        tuple(draw(st.lists(st.tuples(sop_classes, st.binary(max_size=8)), max_size=4))),
        draw(st.none() | st.tuples(st.integers(0, 255), st.booleans())),
    )


acceptances = st.builds(
    Acceptance,
    storage=st.frozensets(st.sampled_from((CT, MR))),
    transfer_syntaxes=st.frozensets(
        st.sampled_from((IMPLICIT, EXPLICIT, DEFLATED, JPEG_BASELINE, JPEG_LOSSLESS))
    ),
    operations_invoked_max=st.integers(1, 16),
    acknowledges_user_identity=st.booleans(),
)
preferences = st.lists(st.sampled_from(SYNTAXES), max_size=3).map(
    lambda uids: tuple(Uid(uid) for uid in uids)
)


@given(proposals(), acceptances, preferences)
def test_every_proposed_context_is_answered_once_and_no_other(
    proposal: Proposed, acceptance: Acceptance, preference: tuple[Uid, ...]
):
    answered = [answer.context_id for answer in negotiate(proposal, acceptance, preference).contexts]
    assert answered == [context.context_id for context in proposal.contexts]


@given(proposals(), acceptances, preferences)
def test_nothing_is_accepted_that_was_not_proposed_and_is_not_in_the_profile(
    proposal: Proposed, acceptance: Acceptance, preference: tuple[Uid, ...]
):
    answer = negotiate(proposal, acceptance, preference)
    for proposed, context in zip(proposal.contexts, answer.contexts, strict=True):
        if context.result is Result.ACCEPTANCE:
            assert context.transfer_syntax in proposed.transfer_syntaxes
            acceptable = SERVICES.get(proposed.abstract_syntax, acceptance.transfer_syntaxes)
            assert context.transfer_syntax in acceptable
            assert proposed.abstract_syntax in acceptance.storage | SERVICES.keys()


@given(proposals(), acceptances, preferences)
def test_a_preferred_syntax_wins_and_without_one_the_requestors_order_does(
    proposal: Proposed, acceptance: Acceptance, preference: tuple[Uid, ...]
):
    for proposed, context in zip(
        proposal.contexts, negotiate(proposal, acceptance, preference).contexts, strict=True
    ):
        if context.result is Result.ACCEPTANCE:
            acceptable = SERVICES.get(proposed.abstract_syntax, acceptance.transfer_syntaxes)
            possible = [syntax for syntax in proposed.transfer_syntaxes if syntax in acceptable]
            preferred = [syntax for syntax in preference if syntax in possible]
            assert context.transfer_syntax == (preferred or possible)[0]


@given(proposals(), acceptances)
def test_roles_never_exceed_what_was_proposed(proposal: Proposed, acceptance: Acceptance):
    answer = negotiate(proposal, acceptance)
    assert len({role.sop_class for role in answer.roles}) == len(answer.roles)
    for role in answer.roles:
        first = next(proposed for proposed in proposal.roles if proposed.sop_class == role.sop_class)
        assert role.scu <= first.scu
        assert role.scp <= first.scp
        assert role.scu or role.scp


@given(proposals(), acceptances)
def test_the_rest_is_answered_only_if_proposed(proposal: Proposed, acceptance: Acceptance):
    answer = negotiate(proposal, acceptance)
    assert (answer.operations_window is None) == (proposal.operations_window is None)
    if answer.operations_window is not None:
        invoked, performed = answer.operations_window
        assert 1 <= invoked <= acceptance.operations_invoked_max
        assert performed == 1
    assert {sop_class for sop_class, _ in answer.extended} <= {
        sop_class for sop_class, _ in proposal.extended
    }
    if answer.user_identity_answered:
        assert proposal.user_identity is not None
        assert proposal.user_identity[1]

"""N-ACTION and N-EVENT-REPORT between two engines: roles, parts of the command, and what may be held."""

from gateway import _core
from gateway._core import AssociateAccepted, AssociateRequested, CommandReceived
from gateway.transport.association import Event

COMMITMENT, INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
IMPLICIT = "1.2.840.10008.1.2"
LONG = 17 << 20
"""Three of these fit into what long requests may hold at once, four do not."""


def feed(to: _core.Association, data: bytes) -> list[Event]:
    """Everything, as the event loop would: as much as there is room for at a time."""
    events: list[Event] = []
    while data:
        room = memoryview(to)
        many = min(len(room), len(data))
        room[:many] = data[:many]
        room.release()
        data = data[many:]
        events += to.buffer_updated(many) or []
    return events


def pair(roles: list[_core.Role]) -> tuple[_core.Association, _core.Association]:
    """A requestor and its acceptor, which grants all roles proposed."""
    contexts = [_core.ProposedContextSpec(1, COMMITMENT, [IMPLICIT])]
    requestor, rq = _core.Association.requestor(called="A", calling="B", contexts=contexts, roles=roles)
    acceptor = _core.Association.keeping_nothing()
    [asked] = feed(acceptor, rq)
    assert isinstance(asked, AssociateRequested)
    answers = [_core.AnsweredContext(1, 0, IMPLICIT)]
    ac = acceptor.accept(answers, asked.roles, None, [], False, None)
    [accepted] = feed(requestor, ac)
    assert isinstance(accepted, AssociateAccepted)
    return requestor, acceptor


def action(requestor: _core.Association, data_set: bytes) -> bytes:
    return requestor.n_action(
        1, 7, sop_class=COMMITMENT, sop_instance=INSTANCE, action_type=1, data_set=data_set
    )


def test_an_action_arrives_with_what_it_requests_and_its_answer_with_what_it_affects():
    requestor, acceptor = pair([])
    [asked] = feed(acceptor, action(requestor, b"12"))
    assert isinstance(asked, CommandReceived)
    assert (asked.command_field, asked.requested_sop_class, asked.sop_class) == (0x0130, COMMITMENT, None)
    assert (asked.requested_sop_instance, asked.action_type, asked.data_set) == (INSTANCE, 1, b"12")
    answer = acceptor.response(1, 0x8130, 7, COMMITMENT, 0, sop_instance=INSTANCE)
    [answered] = feed(requestor, answer)
    assert isinstance(answered, CommandReceived)
    assert (answered.sop_class, answered.sop_instance, answered.status) == (COMMITMENT, INSTANCE, 0)


def test_whoever_reports_on_its_own_association_is_scp_of_it():
    requestor, acceptor = pair([_core.Role(COMMITMENT, scu=False, scp=True)])
    assert requestor.roles(1) == (False, True)
    assert acceptor.roles(1) == (True, False)
    assert requestor.roles(3) is None
    report = requestor.n_event_report(
        1, 9, sop_class=COMMITMENT, sop_instance=INSTANCE, event_type=2, data_set=b"34"
    )
    [told] = feed(acceptor, report)
    assert isinstance(told, CommandReceived)
    assert (told.command_field, told.event_type, told.sop_instance) == (0x0100, 2, INSTANCE)


def test_without_role_selection_whoever_called_is_scu():
    requestor, acceptor = pair([])
    assert (requestor.roles(1), acceptor.roles(1)) == ((True, False), (False, True))


def test_u37_information_may_be_long_and_beyond_20_mib_is_refused_and_swallowed():
    requestor, acceptor = pair([])
    [asked] = feed(acceptor, action(requestor, bytes(20 << 20)))
    assert isinstance(asked, CommandReceived)
    assert len(asked.data_set or b"") == 20 << 20
    assert feed(acceptor, action(requestor, bytes((20 << 20) + 2))) == []
    [asked] = feed(acceptor, action(requestor, b"12"))  # the association goes on
    assert isinstance(asked, CommandReceived)

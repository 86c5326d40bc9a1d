//! Two engines, a requestor and an acceptor, joined back to back.

use kuva_core::association::{Association, AssociationLimits, Event, LocalError, State};
use kuva_core::command::{Command, Priority, SubOperations, build};
use kuva_core::pdu::{AssociateRj, Pdu};

use crate::support::{
    CT, EXPLICIT, GET, IMPLICIT, Seen, acceptor, answer, established, feed, joined, request,
};

#[test]
fn roles_and_syntaxes_are_the_same_from_both_sides() {
    let (requestor, acceptor) = established();
    let ct = requestor.context(3).unwrap();
    assert_eq!((&*ct.abstract_syntax, &*ct.transfer_syntax), (CT, EXPLICIT));
    assert!(ct.we_may_be_scu && ct.we_may_be_scp);
    assert!(acceptor.context(3).unwrap().we_may_be_scu);
    let (ours, theirs) = (requestor.context(5).unwrap(), acceptor.context(5).unwrap());
    assert!(ours.we_may_be_scu && !ours.we_may_be_scp);
    assert!(!theirs.we_may_be_scu && theirs.we_may_be_scp);
    for id in [0, 2, 7, 255] {
        assert!(requestor.context(id).is_none() && acceptor.context(id).is_none());
    }
}

#[test]
fn an_answered_role_grants_only_what_was_proposed() {
    let roles = |proposed: Option<(bool, bool)>, answered: Option<(bool, bool)>| {
        let role = |role: Option<(bool, bool)>| {
            let sop_class = CT.into();
            let made = |(scu, scp)| kuva_core::pdu::RoleSelection { sop_class, scu, scp };
            role.map(made).into_iter().collect::<Vec<_>>()
        };
        let mut rq = request();
        rq.user_information.roles = role(proposed);
        let mut acceptor = acceptor();
        feed(&mut acceptor, &rq.encode()).unwrap();
        let mut ac = answer(&rq);
        ac.user_information.roles = role(answered);
        acceptor.accept(&ac).unwrap();
        let context = acceptor.context(3).unwrap();
        (context.we_may_be_scp, context.we_may_be_scu)
    };
    assert_eq!(roles(None, None), (true, false));
    assert_eq!(roles(None, Some((true, true))), (true, false));
    assert_eq!(roles(Some((true, true)), None), (true, false));
    assert_eq!(roles(Some((true, true)), Some((true, true))), (true, true));
    assert_eq!(roles(Some((false, true)), Some((true, true))), (false, true));
    assert_eq!(roles(Some((true, true)), Some((false, false))), (false, false));
}

#[test]
fn echo_store_and_get_pass_and_the_release_ends_both() {
    let (mut requestor, mut acceptor) = established();
    let echo = requestor.command(1, &build::c_echo_rq(1)).unwrap();
    let seen = feed(&mut acceptor, &echo).unwrap();
    assert!(matches!(seen[..], [Seen::Command(1, Command::CEchoRq { message_id: 1, .. })]));
    let answer = acceptor.command(1, &build::c_echo_rsp(1, 0)).unwrap();
    let seen = feed(&mut requestor, &answer).unwrap();
    assert_eq!(seen, [Seen::Command(1, Command::CEchoRsp { message_id_responded: 1, status: 0 })]);

    store(&requestor, &mut acceptor, 2);
    let get = build::c_get_rq(3, GET, Priority::Medium);
    let mut bytes = requestor.command(5, &get).unwrap();
    requestor.data_set(5, b"identify", true, &mut bytes).unwrap();
    let seen = joined(feed(&mut acceptor, &bytes).unwrap());
    assert!(matches!(
        &seen[..],
        [Seen::Command(5, Command::CGetRq { .. }), Seen::DataSet(5, _, true)]
    ));
    store(&acceptor, &mut requestor, 1);
    let counters = SubOperations { completed: Some(1), ..Default::default() };
    let done = acceptor.command(5, &build::c_get_rsp(3, GET, 0, counters, false)).unwrap();
    assert_eq!(feed(&mut requestor, &done).unwrap().len(), 1);

    let release = requestor.release_request().unwrap();
    assert_eq!(feed(&mut acceptor, &release).unwrap(), [Seen::ReleaseRequested]);
    assert!(acceptor.owes_release_response());
    let response = acceptor.release_response().unwrap();
    assert_eq!(feed(&mut requestor, &response).unwrap(), [Seen::Released]);
    acceptor.closed();
    assert_eq!((requestor.state(), acceptor.state()), (State::Sta1, State::Sta1));
}

fn store(from: &Association, to: &mut Association, message_id: u16) {
    let command = build::c_store_rq(message_id, CT, "1.2.3", Priority::Medium, None);
    let data: Vec<u8> = (0..100_001u32).map(|n| n as u8).collect();
    let mut bytes = from.command(3, &command).unwrap();
    from.data_set(3, &data[..70_000], false, &mut bytes).unwrap();
    from.data_set(3, &data[70_000..], true, &mut bytes).unwrap();
    let seen = joined(feed(to, &bytes).unwrap());
    assert!(matches!(seen[0], Seen::Command(3, Command::CStoreRq { .. })));
    assert_eq!(seen[1..], [Seen::DataSet(3, data, true)]);
}

#[test]
fn a_release_collision_ends_both_sides() {
    let (mut requestor, mut acceptor) = established();
    let ours = requestor.release_request().unwrap();
    let theirs = acceptor.release_request().unwrap();
    assert_eq!(feed(&mut requestor, &theirs).unwrap(), [Seen::ReleaseRequested]);
    assert_eq!(feed(&mut acceptor, &ours).unwrap(), [Seen::ReleaseRequested]);
    assert!(requestor.owes_release_response() && !acceptor.owes_release_response());
    assert_eq!(acceptor.release_response(), Err(LocalError::State(State::Sta10)));
    let response = requestor.release_response().unwrap();
    assert_eq!(feed(&mut acceptor, &response).unwrap(), [Seen::Released]);
    assert!(acceptor.owes_release_response());
    let response = acceptor.release_response().unwrap();
    assert_eq!(feed(&mut requestor, &response).unwrap(), [Seen::Released]);
    assert_eq!((requestor.state(), acceptor.state()), (State::Sta1, State::Sta13));
}

#[test]
fn data_may_follow_our_release_request_and_precede_our_response() {
    let (mut requestor, mut acceptor) = established();
    let echo = acceptor.command(1, &build::c_echo_rsp(1, 0)).unwrap();
    let release = requestor.release_request().unwrap();
    assert_eq!(feed(&mut requestor, &echo).unwrap().len(), 1);
    feed(&mut acceptor, &release).unwrap();
    assert!(acceptor.command(1, &build::c_echo_rsp(1, 0)).is_ok());
    assert!(requestor.command(1, &build::c_echo_rq(1)).is_err());
}

#[test]
fn a_rejection_reaches_the_requestor() {
    let (mut requestor, rq) = Association::requestor(&request(), AssociationLimits::default());
    let mut acceptor = acceptor();
    feed(&mut acceptor, &rq).unwrap();
    let rj = acceptor.reject(AssociateRj::PROTOCOL_VERSION).unwrap();
    assert_eq!(rj[7..], [1, 2, 2]);
    assert_eq!(feed(&mut requestor, &rj).unwrap(), [Seen::Rejected(AssociateRj::PROTOCOL_VERSION)]);
    assert_eq!((requestor.state(), acceptor.state()), (State::Sta1, State::Sta13));
}

#[test]
fn u14_the_peers_maximum_length_is_honoured_exactly() {
    for (announced, expected) in
        [(64, 64), (65, 64), (16_384, 16_384), (0, 256 << 10), (u32::MAX, 256 << 10)]
    {
        let mut rq = request();
        rq.user_information.maximum_length = announced;
        let mut acceptor = acceptor();
        feed(&mut acceptor, &rq.encode()).unwrap();
        acceptor.accept(&answer(&rq)).unwrap();
        let mut out = Vec::new();
        acceptor.data_set(3, &vec![7; 300_000], true, &mut out).unwrap();
        let lengths = pdu_lengths(&out);
        assert_eq!(lengths.iter().max(), Some(&expected), "{announced}");
        let command = build::c_store_rq(1, CT, &"1.2".repeat(10), Priority::Low, None);
        let out = acceptor.command(3, &command).unwrap();
        assert!(pdu_lengths(&out).iter().all(|length| *length <= expected));
    }
}

fn pdu_lengths(mut bytes: &[u8]) -> Vec<u32> {
    let mut lengths = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_be_bytes(bytes[2..6].try_into().unwrap());
        let (pdu, rest) = bytes.split_at(6 + length as usize);
        assert!(matches!(Pdu::decode(pdu, 256 << 10), Ok(Pdu::DataTf(_))));
        lengths.push(length);
        bytes = rest;
    }
    lengths
}

#[test]
fn a_fragmented_command_is_read_whole() {
    let mut rq = request();
    rq.user_information.maximum_length = 64;
    let mut acceptor = acceptor();
    feed(&mut acceptor, &rq.encode()).unwrap();
    let ac = acceptor.accept(&answer(&rq)).unwrap();
    // The requestor's engine announces its own limit, so the small one is only the acceptor's.
    let mut requestor = crate::support::requestor();
    feed(&mut requestor, &ac).unwrap();
    let comment = Some("a comment that needs more than one PDU of sixty-four bytes");
    let command = build::c_store_rsp(1, CT, "1.2.3", 0xC000, comment, &[0x0008_0018]);
    let bytes = acceptor.command(3, &command).unwrap();
    assert!(pdu_lengths(&bytes).len() > 2);
    let mut input = &bytes[..];
    let Ok(Some(Event::Command { raw, .. })) = requestor.next(&mut input) else { panic!() };
    assert_eq!(raw, command);
}

#[test]
fn nothing_is_sent_on_a_context_that_was_not_accepted() {
    let (requestor, _) = established();
    let mut out = vec![1];
    assert_eq!(
        requestor.data_set(7, b"12", true, &mut out),
        Err(LocalError::ContextNotAccepted(7))
    );
    assert_eq!(out, [1]);
    let refused = requestor.command(255, &build::c_echo_rq(1));
    assert_eq!(refused, Err(LocalError::ContextNotAccepted(255)));
}

#[test]
fn an_answer_that_does_not_fit_the_request_is_our_own_error_and_changes_nothing() {
    let mut acceptor = acceptor();
    feed(&mut acceptor, &request().encode()).unwrap();
    let good = answer(&request());
    let with = |change: &dyn Fn(&mut kuva_core::pdu::AssociateAc)| {
        let mut ac = good.clone();
        change(&mut ac);
        ac
    };
    let cases = [
        (with(&|ac| drop(ac.contexts.pop())), LocalError::AnswerDoesNotMatch(255)),
        (with(&|ac| ac.contexts.push(ac.contexts[0].clone())), LocalError::AnswerDoesNotMatch(1)),
        (with(&|ac| ac.contexts[0].id = 9), LocalError::AnswerDoesNotMatch(1)),
        (
            with(&|ac| ac.contexts[0].transfer_syntax = Some(EXPLICIT.into())),
            LocalError::TransferSyntaxNotProposed(1),
        ),
    ];
    for (ac, error) in cases {
        assert_eq!(acceptor.accept(&ac), Err(error));
        assert_eq!(acceptor.state(), State::Sta3);
    }
    assert!(acceptor.accept(&good).is_ok());
    assert_eq!(&*acceptor.context(1).unwrap().transfer_syntax, IMPLICIT);
}

#[test]
fn u14_a_peer_that_takes_too_little_cannot_be_accepted() {
    let mut rq = request();
    rq.user_information.maximum_length = 63;
    let mut acceptor = acceptor();
    feed(&mut acceptor, &rq.encode()).unwrap();
    assert_eq!(acceptor.accept(&answer(&rq)), Err(LocalError::PeerLengthTooSmall(63)));
    assert!(acceptor.reject(AssociateRj::NO_REASON).is_ok());
}

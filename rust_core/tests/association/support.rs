//! What the tests share: a small request, its answer, engines in every state, an event log.

use kuva_core::association::{Association, AssociationLimits, Event, Failure, State};
use kuva_core::command::Command;
use kuva_core::pdu::{
    Abort, AeTitle, AssociateAc, AssociateRj, AssociateRq, ContextResult, PduType,
    PresentationContextAnswered, PresentationContextProposed, RELEASE_RP, RELEASE_RQ,
    RoleSelection, UserInformation,
};

pub const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
pub const VERIFICATION: &str = "1.2.840.10008.1.1";
pub const GET: &str = "1.2.840.10008.5.1.4.1.2.2.3";
pub const IMPLICIT: &str = "1.2.840.10008.1.2";
pub const EXPLICIT: &str = "1.2.840.10008.1.2.1";

pub fn request() -> AssociateRq {
    let context = |id, syntax: &str, transfer: &[&str]| {
        let transfer = transfer.iter().map(|uid| (*uid).into()).collect();
        PresentationContextProposed::new(id, syntax, transfer)
    };
    let mut rq = AssociateRq::new(
        AeTitle::new("KUVA").unwrap(),
        AeTitle::new("SENDER").unwrap(),
        vec![
            context(1, VERIFICATION, &[IMPLICIT]),
            context(3, CT, &[EXPLICIT, IMPLICIT]),
            context(5, GET, &[IMPLICIT]),
            context(255, "1.2.3.4", &[EXPLICIT]),
        ],
        UserInformation { maximum_length: 16_384, ..UserInformation::default() },
    );
    rq.user_information.roles = vec![RoleSelection { sop_class: CT.into(), scu: true, scp: true }];
    rq.reserved = [7; 32];
    rq
}

/// Accepts all contexts of `rq` but 255, and the roles as proposed.
pub fn answer(rq: &AssociateRq) -> AssociateAc {
    let contexts = rq.contexts.iter().map(|context| match context.id {
        255 => PresentationContextAnswered::refused(255, ContextResult::AbstractSyntaxNotSupported),
        id => PresentationContextAnswered::accepted(id, context.transfer_syntaxes[0].clone()),
    });
    let mut information = UserInformation { maximum_length: 32_768, ..Default::default() };
    information.roles = rq.user_information.roles.clone();
    AssociateAc::answering(rq, contexts.collect(), information)
}

pub fn acceptor() -> Association {
    Association::acceptor(AssociationLimits::default())
}

pub fn requestor() -> Association {
    Association::requestor(&request(), AssociationLimits::default()).0
}

/// Feeds one piece and returns the events in a form that outlives it.
pub fn feed(association: &mut Association, bytes: &[u8]) -> Result<Vec<Seen>, Failure> {
    let mut input = bytes;
    let mut seen = Vec::new();
    while let Some(event) = association.next(&mut input)? {
        seen.push(Seen::of(event));
    }
    assert!(input.is_empty());
    Ok(seen)
}

/// An event without borrowed bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    Requested(Box<AssociateRq>),
    Accepted(Box<AssociateAc>),
    Rejected(AssociateRj),
    Command(u8, Command),
    DataSet(u8, Vec<u8>, bool),
    ReleaseRequested,
    Released,
    Aborted(Abort),
}

impl Seen {
    pub fn of(event: Event<'_>) -> Self {
        match event {
            Event::AssociateRequested(rq) => Self::Requested(rq),
            Event::Accepted(ac) => Self::Accepted(ac),
            Event::Rejected(rj) => Self::Rejected(rj),
            Event::Command { context_id, command, .. } => Self::Command(context_id, command),
            Event::DataSet { context_id, bytes, last } => {
                Self::DataSet(context_id, bytes.to_vec(), last)
            }
            Event::ReleaseRequested => Self::ReleaseRequested,
            Event::Released => Self::Released,
            Event::Aborted(abort) => Self::Aborted(abort),
        }
    }
}

/// Joins the pieces of each data set.
pub fn joined(seen: Vec<Seen>) -> Vec<Seen> {
    let mut out: Vec<Seen> = Vec::new();
    for event in seen {
        match (out.last_mut(), event) {
            (Some(Seen::DataSet(id, bytes, last @ false)), Seen::DataSet(next, more, ends))
                if *id == next =>
            {
                bytes.extend(more);
                *last = ends;
            }
            (_, event) => out.push(event),
        }
    }
    out
}

/// An established pair.
pub fn established() -> (Association, Association) {
    let (mut requestor, rq) = Association::requestor(&request(), AssociationLimits::default());
    let mut acceptor = acceptor();
    let seen = feed(&mut acceptor, &rq).unwrap();
    let [Seen::Requested(rq)] = &seen[..] else { panic!("{seen:?}") };
    let ac = acceptor.accept(&answer(rq)).unwrap();
    assert!(matches!(feed(&mut requestor, &ac).unwrap()[..], [Seen::Accepted(_)]));
    (requestor, acceptor)
}

/// An engine in a state, by the shortest way there. Sta4 is never left to be seen: the requestor
/// is made when its transport is about to open.
pub fn in_state(state: State) -> Option<Association> {
    let (mut requestor_6, mut acceptor_6) = established();
    let association = match state {
        State::Sta4 => return None,
        State::Sta1 => {
            let mut association = acceptor();
            association.closed();
            association
        }
        State::Sta2 => acceptor(),
        State::Sta3 => {
            let mut association = acceptor();
            feed(&mut association, &request().encode()).unwrap();
            association
        }
        State::Sta5 => requestor(),
        State::Sta6 => acceptor_6,
        State::Sta7 => {
            acceptor_6.release_request().unwrap();
            acceptor_6
        }
        State::Sta8 => {
            feed(&mut acceptor_6, &RELEASE_RQ).unwrap();
            acceptor_6
        }
        State::Sta9 | State::Sta11 => {
            requestor_6.release_request().unwrap();
            feed(&mut requestor_6, &RELEASE_RQ).unwrap();
            if state == State::Sta11 {
                requestor_6.release_response().unwrap();
            }
            requestor_6
        }
        State::Sta10 | State::Sta12 => {
            acceptor_6.release_request().unwrap();
            feed(&mut acceptor_6, &RELEASE_RQ).unwrap();
            if state == State::Sta12 {
                feed(&mut acceptor_6, &RELEASE_RP).unwrap();
            }
            acceptor_6
        }
        State::Sta13 => {
            let mut association = in_state(State::Sta3)?;
            association.reject(AssociateRj::NO_REASON).unwrap();
            association
        }
    };
    assert_eq!(association.state(), state);
    Some(association)
}

/// A well-formed PDU of a type.
pub fn pdu_of(kind: PduType) -> Vec<u8> {
    match kind {
        PduType::AssociateRq => request().encode(),
        PduType::AssociateAc => answer(&request()).encode(),
        PduType::AssociateRj => AssociateRj::CONGESTION.encode(),
        PduType::DataTf => echo_pdu(),
        PduType::ReleaseRq => RELEASE_RQ.to_vec(),
        PduType::ReleaseRp => RELEASE_RP.to_vec(),
        PduType::Abort => Abort::USER.encode(),
    }
}

/// A C-ECHO-RQ in one PDU on context 1.
pub fn echo_pdu() -> Vec<u8> {
    pdv(1, 3, &kuva_core::command::build::c_echo_rq(1).encode())
}

/// A P-DATA-TF with one PDV and the given message control header.
pub fn pdv(context_id: u8, control: u8, bytes: &[u8]) -> Vec<u8> {
    data_tf(&value(context_id, control, bytes))
}

/// One PDV item.
pub fn value(context_id: u8, control: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = (bytes.len() as u32 + 2).to_be_bytes().to_vec();
    out.extend_from_slice(&[context_id, control]);
    out.extend_from_slice(bytes);
    out
}

/// A P-DATA-TF with the given body.
pub fn data_tf(body: &[u8]) -> Vec<u8> {
    let mut out = vec![4, 0];
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    out.extend_from_slice(body);
    out
}

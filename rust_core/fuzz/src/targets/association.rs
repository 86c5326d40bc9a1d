//! The whole association engine: fed whole, byte by byte or in odd pieces, it tells the same story.

use kuva_core::association::{Association, AssociationLimits, Event, Failure, State, TimerWanted};
use kuva_core::command::{Command, CommandSet, Priority, build};
use kuva_core::pdu::{
    Abort, AssociateAc, AssociateRj, AssociateRq, Pdu, PresentationContextAnswered, RELEASE_RP,
    RELEASE_RQ,
};

use super::made::{self, CT};

/// What our side does, by the bits of the first byte.
#[derive(Clone, Copy, Debug)]
struct Script(u8);

impl Script {
    fn requestor(self) -> bool {
        self.0 & 1 != 0
    }

    fn rejects(self) -> bool {
        self.0 & 2 != 0
    }

    fn takes_little(self) -> bool {
        self.0 & 4 != 0
    }

    fn releases(self) -> bool {
        self.0 & 8 != 0
    }

    fn aborts(self) -> bool {
        self.0 & 16 != 0
    }

    fn never_answers(self) -> bool {
        self.0 & 32 != 0
    }
}

/// An event without borrowed bytes; the pieces of a data set joined.
#[derive(Debug, PartialEq)]
enum Seen {
    Requested(Box<AssociateRq>),
    Accepted(Box<AssociateAc>),
    Rejected(AssociateRj),
    Command(u8, Command, CommandSet),
    DataSet(u8, Vec<u8>, bool),
    ReleaseRequested,
    Released,
    Aborted(Abort),
}

/// The whole story of one association.
#[derive(Debug, PartialEq)]
struct Story {
    seen: Vec<Seen>,
    sent: Vec<u8>,
    failure: Option<Failure>,
    state: State,
    wants: TimerWanted,
}

/// The first byte is our script, the second how it is cut, the rest what the peer sends.
pub fn check(data: &[u8]) {
    let [script, cut, stream @ ..] = data else { return };
    let script = Script(*script);
    let whole = tell(script, [stream]);
    assert_eq!(tell(script, stream.chunks(1)), whole);
    assert_eq!(tell(script, stream.chunks(2 + usize::from(*cut))), whole);
}

fn tell<'a>(script: Script, pieces: impl IntoIterator<Item = &'a [u8]>) -> Story {
    let (mut association, sent) = begin(script);
    let (mut story, mut steps, mut length) = (Vec::new(), 0, 0);
    let mut told = Told { seen: &mut story, sent };
    let mut failure = None;
    for piece in pieces {
        let mut input = piece;
        length += piece.len();
        loop {
            match association.next(&mut input) {
                Ok(Some(event)) => {
                    let answer = answer(script, &mut association, &event);
                    told.sent.extend(answer);
                    told.event(event);
                }
                Ok(None) => break,
                Err(next) => {
                    failure = fails_for_ever(failure, next);
                    break;
                }
            }
            steps += 1;
        }
    }
    assert!(steps <= length, "{steps} events from {length} bytes");
    let sent = told.sent;
    let (state, wants) = (association.state(), association.wants());
    Story { seen: story, sent, failure, state, wants }
}

fn begin(script: Script) -> (Association, Vec<u8>) {
    let length = if script.takes_little() { 64 } else { 1 << 18 };
    let limits = AssociationLimits { pdu_length_max_ours: length };
    if script.requestor() {
        Association::requestor(&made::request(), limits)
    } else {
        (Association::acceptor(limits), Vec::new())
    }
}

/// The first failure stands, and only it carries an answer.
fn fails_for_ever(first: Option<Failure>, next: Failure) -> Option<Failure> {
    let Some(first) = first else { return Some(next) };
    assert_eq!(next, Failure { answer: None, ..first });
    Some(first)
}

/// What our side sends because of an event; what the state does not allow it leaves.
fn answer(script: Script, association: &mut Association, event: &Event<'_>) -> Vec<u8> {
    let sent = match event {
        Event::AssociateRequested(_) if script.never_answers() => Ok(Vec::new()),
        Event::AssociateRequested(_) if script.rejects() => {
            association.reject(AssociateRj::NO_REASON)
        }
        Event::AssociateRequested(rq) => association.accept(&accepting(rq)),
        Event::Accepted(_) if script.releases() => association.release_request(),
        Event::Command { .. } if script.aborts() => association.abort(Abort::USER),
        Event::Command { .. } if script.releases() => association.release_request(),
        Event::ReleaseRequested | Event::Released if association.owes_release_response() => {
            association.release_response()
        }
        Event::Accepted(_)
        | Event::Rejected(_)
        | Event::Command { .. }
        | Event::DataSet { .. }
        | Event::ReleaseRequested
        | Event::Released
        | Event::Aborted(_) => Ok(Vec::new()),
    };
    sent.unwrap_or_default()
}

fn accepting(rq: &AssociateRq) -> AssociateAc {
    let accepted = rq.contexts.iter().map(|context| {
        PresentationContextAnswered::accepted(context.id, context.transfer_syntaxes[0].clone())
    });
    AssociateAc { contexts: accepted.collect(), ..made::answer(rq) }
}

struct Told<'s> {
    seen: &'s mut Vec<Seen>,
    sent: Vec<u8>,
}

impl Told<'_> {
    fn event(&mut self, event: Event<'_>) {
        let seen = match event {
            Event::AssociateRequested(rq) => Seen::Requested(rq),
            Event::Accepted(ac) => Seen::Accepted(ac),
            Event::Rejected(rj) => Seen::Rejected(rj),
            Event::Command { context_id, command, raw } => Seen::Command(context_id, command, raw),
            Event::DataSet { context_id, bytes, last } => {
                return self.data_set(context_id, bytes, last);
            }
            Event::ReleaseRequested => Seen::ReleaseRequested,
            Event::Released => Seen::Released,
            Event::Aborted(abort) => Seen::Aborted(abort),
        };
        self.seen.push(seen);
    }

    fn data_set(&mut self, context_id: u8, bytes: &[u8], last: bool) {
        match self.seen.last_mut() {
            Some(Seen::DataSet(id, joined, end @ false)) if *id == context_id => {
                joined.extend_from_slice(bytes);
                *end = last;
            }
            _ => self.seen.push(Seen::DataSet(context_id, bytes.to_vec(), last)),
        }
    }
}

/// Whole associations from both sides, under every bit of the script.
pub fn seeds() -> Vec<Vec<u8>> {
    let rq = made::request();
    let (mut requestor, request) = Association::requestor(&rq, AssociationLimits::default());
    let reject = AssociateRj::CONGESTION.encode();
    let accept = made::answer(&rq).encode();
    let accepted = requestor.next(&mut &accept[..]).is_ok();
    let messages = if accepted { messages(&requestor) } else { Vec::new() };
    let abort = Pdu::Abort(Abort::USER).encode();
    let called = [&request[..], &messages, &RELEASE_RQ].concat();
    let calling = [&accept[..], &messages, &RELEASE_RQ, &RELEASE_RP].concat();
    let mut seeds = Vec::new();
    for script in [0, 2, 4, 8, 16, 32, 40] {
        seeds.push([&[script, 5][..], &called].concat());
        seeds.push([&[script | 1, 30][..], &calling].concat());
    }
    seeds.push([&[0, 0][..], &request, &abort].concat());
    seeds.push([&[1, 0][..], &reject].concat());
    seeds
}

/// An echo, and a C-STORE with a small data set.
fn messages(requestor: &Association) -> Vec<u8> {
    let store = build::c_store_rq(7, CT, "1.2.3", Priority::Medium, None);
    let echo = requestor.command(1, &build::c_echo_rq(6)).unwrap_or_default();
    let mut out = [echo, requestor.command(3, &store).unwrap_or_default()].concat();
    let data_set = made::data_set(made::Form::Explicit, false);
    let whole = requestor.data_set(3, &data_set[..64], false, &mut out);
    whole.and_then(|()| requestor.data_set(3, &data_set[64..], true, &mut out)).ok();
    out
}

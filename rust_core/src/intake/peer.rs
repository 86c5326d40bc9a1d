//! One association as the event loop drives it: engine, receive buffer, and what is underway.
//!
//! C-STOREs are dealt with here and in the workers; everything else is [`Heard`] by policy. The
//! reader pauses when no block is to be had, or when as many operations are outstanding as were
//! negotiated; what it holds then stays in its buffer until its lane is named again.

use std::sync::Arc;

use super::admission::Admission;
use super::budget::{Budget, Collected, NotTaken, Share};
use super::buffer::ReceiveBuffer;
use super::lane::Lane;
use super::node::Intake;
use super::receiving::{Receiving, Request};
use super::wake::Refused;
use crate::association::{Association, AssociationLimits, Event, Failure, TimerWanted};
use crate::command::{Command, CommandSet, build};
use crate::instance::Uid;
use crate::limits::{IDENTIFIER_LENGTH_MAX, REFERENCES_LENGTH_MAX};
use crate::pdu::{Abort, AssociateAc, AssociateRj, AssociateRq};
use crate::refusal::{Entry, Refusal, commitment, protocol, storage};

/// What policy must hear.
#[derive(Debug)]
pub enum Heard {
    /// An A-ASSOCIATE-RQ to decide on.
    Requested(Box<AssociateRq>),
    /// Our request was accepted.
    Accepted(Box<AssociateAc>),
    /// Our request was rejected.
    Rejected(AssociateRj),
    /// A command other than C-STORE-RQ, with its whole data set.
    Command(u8, CommandSet, Option<DataSet>),
    /// The peer wants to release, and nothing is owed to it.
    ReleaseRequested,
    /// The peer confirmed our release.
    Released,
    /// The peer aborted.
    Aborted(Abort),
    /// The peer broke the protocol.
    Failed(Failure),
}

/// The data set of a command, and what it takes of the budget until it is served.
#[derive(Debug)]
pub struct DataSet {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Of a list of references; others are short.
    pub share: Option<Share>,
}

/// What the data set that is arriving is for.
enum Underway {
    Nothing,
    Instance(Receiving),
    Identifier(u8, CommandSet, Vec<u8>),
    /// A list of references, which may be long.
    References(u8, CommandSet, Collected),
    /// Of a request that will be refused: swallowed, then answered on this context.
    Refused(u8, CommandSet),
}

/// See the module.
pub struct Peer {
    engine: Association,
    buffer: ReceiveBuffer,
    lane: Arc<Lane>,
    intake: Option<Arc<Intake>>,
    budget: Arc<Budget>,
    admission: Option<Arc<Admission>>,
    underway: Underway,
    /// Bytes at the front of `buffer` that belong to the data set underway and could not be taken,
    /// and whether they are its last.
    owed: Option<(usize, bool)>,
    window: u32,
    release_wanted: bool,
    received: u64,
    /// Messages begun, and what had been received when the last one was.
    messages: (u64, u64),
    paused: bool,
}

impl Peer {
    /// An acceptor, waiting for an A-ASSOCIATE-RQ.
    pub fn acceptor(intake: Arc<Intake>, lane: Arc<Lane>, limits: AssociationLimits) -> Self {
        Self::new(Association::acceptor(limits), lane, Some(intake))
    }

    /// An acceptor that keeps nothing: every C-STORE is refused.
    pub fn keeping_nothing(lane: Arc<Lane>, limits: AssociationLimits) -> Self {
        Self::new(Association::acceptor(limits), lane, None)
    }

    /// A requestor and its A-ASSOCIATE-RQ.
    pub fn requestor(
        rq: &AssociateRq,
        lane: Arc<Lane>,
        limits: AssociationLimits,
    ) -> (Self, Vec<u8>) {
        let (engine, request) = Association::requestor(rq, limits);
        (Self::new(engine, lane, None), request)
    }

    fn new(engine: Association, lane: Arc<Lane>, intake: Option<Arc<Intake>>) -> Self {
        let budget = intake.as_ref().map(|intake| Arc::clone(&intake.budget));
        Self {
            engine,
            buffer: ReceiveBuffer::new(),
            lane,
            intake,
            budget: budget.unwrap_or_default(),
            admission: None,
            underway: Underway::Nothing,
            owed: None,
            window: 1,
            release_wanted: false,
            received: 0,
            messages: (0, 0),
            paused: false,
        }
    }

    /// The engine, for what policy says on this association.
    pub fn engine(&mut self) -> &mut Association {
        &mut self.engine
    }

    /// The lane, for what workers say on it.
    pub fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    /// Room for the next read of the socket.
    pub fn free(&mut self) -> (*mut u8, usize) {
        self.buffer.free()
    }

    /// Bytes received since the association began.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The message that began last, by number, and bytes received since its command.
    pub fn message(&self) -> (u64, u64) {
        let (number, from) = self.messages;
        (number, self.received - from)
    }

    /// Whether it holds bytes that it may not take yet.
    pub fn paused(&self) -> bool {
        self.paused
    }

    /// Whether a message has begun and not ended.
    pub fn in_message(&self) -> bool {
        !matches!(self.underway, Underway::Nothing) || self.engine.wants() == TimerWanted::Progress
    }

    /// Accepted: from now on instances go this way, `window` of them at once.
    pub fn admit(&mut self, admission: Option<Arc<Admission>>, window: u16) {
        self.admission = admission;
        self.window = u32::from(window.max(1));
        self.lane.set_outgoing(self.engine.outgoing());
    }

    /// `many` bytes were read from the socket.
    pub fn buffer_updated(&mut self, many: usize) -> Vec<Heard> {
        if !self.buffer.received(many) {
            return vec![self.fail(&protocol::BUFFER_OVERRUN)];
        }
        self.received += many as u64;
        self.pump()
    }

    /// The lane was named: go on.
    pub fn resume(&mut self) -> Vec<Heard> {
        self.pump()
    }

    /// The transport is gone.
    pub fn closed(&mut self) {
        self.lane.close();
        self.engine.closed();
        self.drop_underway();
    }

    fn drop_underway(&mut self) {
        self.owed = None;
        let underway = std::mem::replace(&mut self.underway, Underway::Nothing);
        if let (Underway::Instance(receiving), Some(intake)) = (underway, &self.intake) {
            receiving.abandon(intake);
        }
    }

    fn pump(&mut self) -> Vec<Heard> {
        let mut heard = Vec::new();
        self.paused = false;
        while self.step(&mut heard) {}
        if self.release_wanted && self.nothing_owed() {
            self.release_wanted = false;
            heard.push(Heard::ReleaseRequested);
        }
        heard
    }

    /// One event; false when there is nothing more to do now.
    fn step(&mut self, heard: &mut Vec<Heard>) -> bool {
        if self.owed.is_some() && !self.take_owed(heard) {
            // Nothing is owed any more where it ended the association: the socket is read on.
            self.paused = self.owed.is_some();
            return false;
        }
        let pending = self.buffer.pending();
        if pending.is_empty() || self.must_wait() {
            return false;
        }
        let mut input = pending;
        let outcome = self.engine.next(&mut input);
        let used = pending.len() - input.len();
        match outcome {
            Ok(Some(Event::DataSet { bytes, last, .. })) => {
                // The piece is the end of what was consumed: it stays at the front until taken.
                self.buffer.take(used - bytes.len());
                self.owed = Some((bytes.len(), last));
            }
            Ok(Some(event)) => {
                self.buffer.take(used);
                self.hear(event, heard);
            }
            Ok(None) => {
                self.buffer.take(used);
                return false;
            }
            Err(failure) => {
                self.buffer.take(used);
                self.drop_underway();
                heard.push(Heard::Failed(failure));
                return false;
            }
        }
        true
    }

    /// Take what is at the front of the buffer for the data set underway; false if it must wait.
    fn take_owed(&mut self, heard: &mut Vec<Heard>) -> bool {
        let Some((many, last)) = self.owed else { return true };
        let bytes = &self.buffer.pending()[..many];
        let taken = match (&mut self.underway, &self.intake) {
            (Underway::Instance(receiving), Some(intake)) => {
                take(receiving, intake, &self.lane, bytes)
            }
            (Underway::Identifier(_, _, collected), _) => {
                if collected.len() + many > IDENTIFIER_LENGTH_MAX {
                    heard.push(self.fail(&protocol::IDENTIFIER_TOO_LONG));
                    return false;
                }
                collected.extend_from_slice(bytes);
                many
            }
            (Underway::References(_, _, collected), _) => {
                if let Err(why) = collected.extend(bytes, REFERENCES_LENGTH_MAX) {
                    self.refuse_references(why);
                }
                many
            }
            (Underway::Instance(_) | Underway::Nothing | Underway::Refused(..), _) => many,
        };
        self.buffer.take(taken);
        self.owed = (taken < many).then_some((many - taken, last));
        if self.owed.is_none() && last {
            self.finish_underway(heard);
        }
        self.owed.is_none()
    }

    fn finish_underway(&mut self, heard: &mut Vec<Heard>) {
        match (std::mem::replace(&mut self.underway, Underway::Nothing), &self.intake) {
            (Underway::Instance(receiving), Some(intake)) => receiving.finish(intake),
            (Underway::Identifier(context_id, command, data_set), _) => {
                let data_set = DataSet { bytes: data_set, share: None };
                heard.push(Heard::Command(context_id, command, Some(data_set)));
            }
            (Underway::References(context_id, command, Collected { bytes, share }), _) => {
                let data_set = DataSet { bytes, share: Some(share) };
                heard.push(Heard::Command(context_id, command, Some(data_set)));
            }
            (Underway::Refused(context_id, response), _) => self.answer(context_id, &response),
            (Underway::Instance(_) | Underway::Nothing, _) => {}
        }
    }

    fn hear(&mut self, event: Event<'_>, heard: &mut Vec<Heard>) {
        match event {
            Event::AssociateRequested(rq) => heard.push(Heard::Requested(rq)),
            Event::Accepted(ac) => {
                self.lane.set_outgoing(self.engine.outgoing());
                heard.push(Heard::Accepted(ac));
            }
            Event::Rejected(rj) => heard.push(Heard::Rejected(rj)),
            Event::Command { context_id, command, raw } => {
                self.command(context_id, command, raw, heard)
            }
            Event::DataSet { .. } => {}
            Event::ReleaseRequested => self.release_wanted = true,
            Event::Released => heard.push(Heard::Released),
            Event::Aborted(abort) => {
                self.drop_underway();
                heard.push(Heard::Aborted(abort));
            }
        }
    }

    fn command(
        &mut self,
        context_id: u8,
        command: Command,
        raw: CommandSet,
        heard: &mut Vec<Heard>,
    ) {
        self.messages = (self.messages.0 + 1, self.received);
        match command {
            Command::CStoreRq { message_id, sop_class, sop_instance, .. } => {
                self.begin_instance(context_id, message_id, &sop_class, &sop_instance);
            }
            Command::Malformed { fault, has_data_set, .. } => {
                let refusal = Refusal::at(fault.entry, Some(fault.offending));
                let (status, comment) = (refusal.status(), refusal.comment());
                let response = build::response(&raw, status, Some(&comment), &[fault.offending]);
                response.into_iter().for_each(|r| self.refuse(context_id, r, has_data_set));
                self.tell(refusal, None);
            }
            Command::NActionRq { has_data_set: true, .. }
            | Command::NEventReportRq { has_data_set: true, .. } => {
                let collected = Collected::begin(&self.budget);
                self.underway = Underway::References(context_id, raw, collected);
            }
            _ if raw.announces_data_set() => {
                self.underway = Underway::Identifier(context_id, raw, Vec::new());
            }
            _ => heard.push(Heard::Command(context_id, raw, None)),
        }
    }

    /// The rest of a list that is too long, now or for ever, is swallowed; then it is answered.
    fn refuse_references(&mut self, why: NotTaken) {
        let underway = std::mem::replace(&mut self.underway, Underway::Nothing);
        let Underway::References(context_id, raw, _) = underway else { return };
        let refusal = Refusal::of(match why {
            NotTaken::TooLong => &commitment::COMMITMENT_TOO_LONG,
            NotTaken::NoRoom => &commitment::COMMITMENT_BUDGET,
        });
        let response = build::response(&raw, refusal.status(), Some(&refusal.comment()), &[]);
        // It is a request with a message id, or it would have been refused before its data set.
        self.underway = response.map_or(Underway::Nothing, |r| Underway::Refused(context_id, r));
        self.tell(refusal, None);
    }

    fn refuse(&mut self, context_id: u8, response: CommandSet, has_data_set: bool) {
        if has_data_set {
            self.underway = Underway::Refused(context_id, response);
        } else {
            self.answer(context_id, &response);
        }
    }

    fn begin_instance(&mut self, context_id: u8, message_id: u16, class: &str, instance: &str) {
        let Some(context) = self.engine.context(context_id) else { return };
        let request = Request {
            context_id,
            message_id,
            sop_class: class.into(),
            sop_instance: instance.into(),
            abstract_syntax: Arc::clone(&context.abstract_syntax),
            transfer_syntax: Arc::clone(&context.transfer_syntax),
        };
        let scp = context.we_may_be_scp;
        self.underway = match (&self.intake, &self.admission) {
            (Some(intake), Some(admission)) if scp => Underway::Instance(Receiving::begin(
                intake,
                request,
                Arc::clone(admission),
                Arc::clone(&self.lane),
            )),
            _ => {
                let refusal = Refusal::of(&storage::NOT_AUTHORISED_TO_STORE);
                self.tell(refusal, Some(Arc::clone(&request.sop_instance)));
                Underway::Refused(context_id, request.response(refusal.status(), Some(&refusal)))
            }
        };
    }

    fn tell(&self, refusal: Refusal, sop_instance: Option<Uid>) {
        let sender = self.admission.as_ref().map(|admission| admission.sender.clone());
        if let Some(intake) = &self.intake {
            intake.tell_refused(Refused {
                association: self.lane.number(),
                sender: sender.unwrap_or_default(),
                sop_instance,
                refusal,
            });
        }
    }

    fn answer(&self, context_id: u8, response: &CommandSet) {
        self.lane.begin();
        self.lane.answer(context_id, response);
    }

    /// Between messages, with as many operations outstanding as were negotiated.
    fn must_wait(&mut self) -> bool {
        let full = |peer: &Self| {
            matches!(peer.underway, Underway::Nothing) && peer.lane.outstanding() >= peer.window
        };
        if !full(self) {
            return false;
        }
        self.lane.wait();
        self.paused = full(self);
        self.paused
    }

    fn nothing_owed(&self) -> bool {
        self.lane.wait();
        self.lane.outstanding() == 0
    }

    /// The peer did what the engine cannot see is wrong.
    fn fail(&mut self, entry: &'static Entry) -> Heard {
        self.drop_underway();
        let abort = Abort::of(entry);
        // In a state without an association there is nobody to tell.
        let answer = self.engine.abort(abort).is_ok().then_some(abort);
        Heard::Failed(Failure { answer, entry, offset: self.received })
    }
}

/// Take bytes; ask once more after saying that we wait, since room may have come in between.
fn take(receiving: &mut Receiving, intake: &Arc<Intake>, lane: &Arc<Lane>, bytes: &[u8]) -> usize {
    let taken = receiving.take(intake, bytes);
    if taken == bytes.len() {
        return taken;
    }
    lane.wait();
    if lane.has_room() && !lane.is_slowed() {
        // It is the pool that has nothing; otherwise the lane's own blocks will name it.
        intake.thirsty(lane);
    }
    taken + receiving.take(intake, &bytes[taken..])
}

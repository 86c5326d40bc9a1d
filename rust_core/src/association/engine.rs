//! The engine: bytes and local primitives in, events and bytes out, one state table between.

use super::framing::{Frame, PartialHeader};
use super::message::Message;
use super::negotiated::{AcceptedContext, Negotiated, pdu_length_max_to_peer};
use super::table::{self, Action, State, TableEvent};
use super::{AssociationLimits, Failure, LocalError};
use crate::command::{Command, CommandSet};
use crate::limits::PDU_LENGTH_MAX_PEER_LEAST;
use crate::pdu::{
    Abort, AssociateAc, AssociateRj, AssociateRq, PDV_HEADER_LENGTH, Pdu, PduError, PduType,
    PdvHeader,
};
use crate::refusal::{Entry, protocol};

/// One association, seen from one side. No I/O and no clock: the owner of the socket feeds it and
/// sends what it returns.
#[derive(Debug)]
pub struct Association {
    pub(super) state: State,
    pub(super) negotiated: Negotiated,
    /// Longest P-DATA-TF body that we send, bytes.
    pub(super) length_max_to_peer: u32,
    requestor: bool,
    pub(super) limits: AssociationLimits,
    /// The request, ours or the peer's, until it is answered.
    pub(super) request: Option<Box<AssociateRq>>,
    frame: Frame,
    header: PartialHeader,
    /// What has come of a PDU that is read whole; grows with what comes, never by claim.
    held: Vec<u8>,
    message: Message,
    /// Bytes consumed since the association began.
    offset: u64,
    failure: Option<Failure>,
    /// We aborted: whatever still comes is swallowed.
    pub(super) deaf: bool,
}

/// What happened, in the order in which it came.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // The fields are named by their types.
pub enum Event<'a> {
    /// Accept or reject it.
    AssociateRequested(Box<AssociateRq>),
    /// Our request was accepted.
    Accepted(Box<AssociateAc>),
    /// Our request was rejected; close the transport.
    Rejected(AssociateRj),
    /// A whole command set.
    Command { context_id: u8, command: Command, raw: CommandSet },
    /// A piece of the data set that the last command announced, lent from the input. Pieces are
    /// of any size; only the final one is `last`, and it may be empty.
    DataSet { context_id: u8, bytes: &'a [u8], last: bool },
    /// The peer asks for release. Answer with [`Association::release_response`] where
    /// [`Association::owes_release_response`] says so, at once or (collision) later.
    ReleaseRequested,
    /// The peer confirmed our release. Close the transport, unless an answer is owed (collision).
    Released,
    /// The peer aborted; close the transport.
    Aborted(Abort),
}

/// Which deadline the owner of the clock must keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimerWanted {
    /// The peer (or the transport) must act within ARTIM. When it expires, see
    /// [`Association::artim_expired`]; where that is a local error, abort.
    Artim,
    /// Nothing is under way.
    Idle,
    /// A PDU or message has begun: it must come on with some speed.
    Progress,
    /// It is our turn.
    None,
}

/// How the association had ended when the transport was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Closed {
    /// Released, rejected or aborted before, or never begun.
    Expected,
    /// In the middle: for the user this is an A-P-ABORT (AA-4).
    Broken,
}

impl Association {
    /// The side that was called: the transport is open and a request is awaited.
    pub fn acceptor(limits: AssociationLimits) -> Self {
        let mut association = Self::new(limits, false, None);
        association.step(TableEvent::Evt5);
        association
    }

    /// The side that calls, and its A-ASSOCIATE-RQ to send. The maximum length announced is ours,
    /// whatever `rq` says.
    pub fn requestor(rq: &AssociateRq, limits: AssociationLimits) -> (Self, Vec<u8>) {
        let mut rq = Box::new(rq.clone());
        rq.user_information.maximum_length = limits.bounded().pdu_length_max_ours;
        let bytes = rq.encode();
        let mut association = Self::new(limits, true, Some(rq));
        association.step(TableEvent::Evt1);
        association.step(TableEvent::Evt2);
        (association, bytes)
    }

    fn new(limits: AssociationLimits, requestor: bool, request: Option<Box<AssociateRq>>) -> Self {
        Self {
            state: State::Sta1,
            negotiated: Negotiated::default(),
            length_max_to_peer: PDU_LENGTH_MAX_PEER_LEAST,
            requestor,
            limits: limits.bounded(),
            request,
            frame: Frame::Header,
            header: PartialHeader::default(),
            held: Vec::new(),
            message: Message::default(),
            offset: 0,
            failure: None,
            deaf: false,
        }
    }

    /// The state of PS3.8.
    pub fn state(&self) -> State {
        self.state
    }

    /// An accepted presentation context.
    pub fn context(&self, id: u8) -> Option<&AcceptedContext> {
        self.negotiated.get(id)
    }

    /// Accepted presentation contexts with their ids, in order.
    pub fn contexts(&self) -> impl Iterator<Item = (u8, &AcceptedContext)> {
        (1..=u8::MAX).step_by(2).filter_map(|id| Some((id, self.context(id)?)))
    }

    /// Whether the peer's release request awaits our answer, and we may give it now.
    pub fn owes_release_response(&self) -> bool {
        table::action(TableEvent::Evt14, self.state).is_some()
    }

    /// The deadline to keep. Waiting for a response to an operation of ours is `Idle` here: the
    /// engine does not count operations.
    pub fn wants(&self) -> TimerWanted {
        let busy = self.message.is_open() || self.frame != Frame::Header || !self.header.is_empty();
        match self.state {
            State::Sta1 | State::Sta3 | State::Sta8 | State::Sta9 | State::Sta12 => {
                TimerWanted::None
            }
            State::Sta6 | State::Sta7 if busy => TimerWanted::Progress,
            State::Sta6 => TimerWanted::Idle,
            // PS3.8 runs ARTIM in Sta2 and Sta13 only; in the others the peer could keep us
            // waiting for ever.
            State::Sta2
            | State::Sta4
            | State::Sta5
            | State::Sta7
            | State::Sta10
            | State::Sta11
            | State::Sta13 => TimerWanted::Artim,
        }
    }

    /// Takes what it can from the front of `input` (advancing it) and returns the next event;
    /// `Ok(None)` when all is taken and more is needed.
    ///
    /// # Errors
    /// [`Failure`] if the peer broke the protocol: send its answer and close. From then on every
    /// call returns the same failure, without answer.
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        while !input.is_empty() {
            if self.deaf || self.state == State::Sta1 {
                self.take(input, u32::MAX);
                break;
            }
            if let Some(event) = self.advance(input)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    pub(super) fn possible(&self, event: TableEvent) -> Result<(), LocalError> {
        match table::action(event, self.state) {
            Some(_) => Ok(()),
            None => Err(LocalError::State(self.state)),
        }
    }

    /// Takes the table's step; a blank cell changes nothing.
    pub(super) fn step(&mut self, event: TableEvent) -> Option<Action> {
        let action = table::action(event, self.state)?;
        self.state = action.next(self.requestor);
        Some(action)
    }

    /// The peer broke the protocol: the answer is what the catalogue says of it, where the state
    /// table sends one.
    fn fail(&mut self, event: TableEvent, entry: &'static Entry, at: u64) -> Failure {
        let answers = self.step(event).is_some_and(sends_abort);
        self.held = Vec::new();
        self.failure = Some(Failure { answer: None, entry, offset: at });
        Failure { answer: answers.then_some(Abort::of(entry)), entry, offset: at }
    }

    /// Fails on a PDU that is wrong in itself. The source is the provider also where the table
    /// says AA-1 (Sta2): only so may the answer carry a reason (PS3.8 9.3.8).
    fn invalid(&mut self, entry: &'static Entry, at: u64) -> Failure {
        self.fail(TableEvent::Evt19, entry, at)
    }

    /// Fails on a message that the upper layer carried rightly: DIMSE aborts as service user.
    fn misused(&mut self, entry: &'static Entry, at: u64) -> Failure {
        self.fail(TableEvent::Evt15, entry, at)
    }

    fn take<'a>(&mut self, input: &mut &'a [u8], most: u32) -> &'a [u8] {
        let (taken, rest) = input.split_at(input.len().min(most as usize));
        *input = rest;
        self.offset += taken.len() as u64;
        taken
    }

    fn take_header(&mut self, input: &mut &[u8]) -> Option<[u8; PDV_HEADER_LENGTH]> {
        let (taken, header) = self.header.fill(input);
        *input = &input[taken..];
        self.offset += taken as u64;
        header
    }

    fn advance<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, Failure> {
        match self.frame {
            Frame::Header => self.pdu_header(input).map(|()| None),
            Frame::Body { kind, length } => self.body(input, kind, length),
            Frame::PdvHeader { rest } => self.pdv_header(input, rest),
            Frame::Fragment { header, fragment, rest } => {
                self.fragment(input, header, fragment, rest)
            }
            Frame::Ignored { rest } => {
                let rest = rest - self.take(input, rest).len() as u32;
                self.frame = if rest == 0 { Frame::Header } else { Frame::Ignored { rest } };
                Ok(None)
            }
        }
    }

    /// Judges the type as soon as its byte is there, then the length, then what to do with it.
    fn pdu_header(&mut self, input: &mut &[u8]) -> Result<(), Failure> {
        if let (true, Some(byte)) = (self.header.is_empty(), input.first()) {
            self.judge_type(*byte)?;
        }
        let Some([byte, _, length @ ..]) = self.take_header(input) else { return Ok(()) };
        let length = u32::from_be_bytes(length);
        let at = self.offset - 4;
        let Some(kind) = PduType::of(byte) else {
            return Err(self.invalid(&protocol::PDU_TYPE, at));
        };
        let (least, greatest) = kind.lengths(self.limits.pdu_length_max_ours);
        if length < least || length > greatest {
            return Err(self.invalid(&protocol::PDU_LENGTH, at));
        }
        self.frame = if table::action(received(kind), self.state) == Some(Action::Aa6) {
            self.step(received(kind));
            Frame::Ignored { rest: length }
        } else if kind == PduType::DataTf {
            self.step(TableEvent::Evt10);
            Frame::PdvHeader { rest: length }
        } else {
            Frame::Body { kind, length }
        };
        Ok(())
    }

    fn judge_type(&mut self, byte: u8) -> Result<(), Failure> {
        let Some(kind) = PduType::of(byte) else {
            return Err(self.invalid(&protocol::PDU_TYPE, self.offset));
        };
        match table::action(received(kind), self.state) {
            Some(action) if !sends_abort(action) => Ok(()),
            Some(_) | None => {
                Err(self.fail(received(kind), &protocol::PDU_UNEXPECTED, self.offset))
            }
        }
    }

    fn body<'a>(
        &mut self,
        input: &mut &'a [u8],
        kind: PduType,
        length: u32,
    ) -> Result<Option<Event<'a>>, Failure> {
        let piece = self.take(input, length - self.held.len() as u32);
        if self.held.is_empty() && piece.len() == length as usize {
            return self.whole(kind, piece);
        }
        self.held.extend_from_slice(piece);
        if self.held.len() < length as usize {
            return Ok(None);
        }
        let held = std::mem::take(&mut self.held);
        self.whole(kind, &held)
    }

    fn whole<'a>(&mut self, kind: PduType, body: &[u8]) -> Result<Option<Event<'a>>, Failure> {
        self.frame = Frame::Header;
        let start = self.offset - body.len() as u64;
        let invalid = |association: &mut Self, error: PduError| {
            association.invalid(error.kind.entry(), start + error.offset as u64)
        };
        let pdu = Pdu::decode_body(kind, body).map_err(|error| invalid(self, error))?;
        Ok(match pdu {
            Pdu::AssociateRq(rq) => {
                self.step(TableEvent::Evt6);
                self.request = Some(rq.clone());
                Some(Event::AssociateRequested(rq))
            }
            Pdu::AssociateAc(ac) => Some(self.accepted(ac, start)?),
            Pdu::AssociateRj(rj) => {
                self.step(TableEvent::Evt4);
                Some(Event::Rejected(rj))
            }
            Pdu::ReleaseRq => {
                self.step(TableEvent::Evt12);
                Some(Event::ReleaseRequested)
            }
            Pdu::ReleaseRp => {
                self.step(TableEvent::Evt13);
                Some(Event::Released)
            }
            // In Sta13 the association is over already: the table gives no indication (AA-2).
            Pdu::Abort(abort) => {
                (self.step(TableEvent::Evt16) == Some(Action::Aa3)).then_some(Event::Aborted(abort))
            }
            // Its fragments are lent piece by piece; it never gets here whole.
            Pdu::DataTf(_) => None,
        })
    }

    fn accepted(&mut self, ac: Box<AssociateAc>, start: u64) -> Result<Event<'static>, Failure> {
        let negotiated = self.request.as_deref().map(|rq| Negotiated::of(rq, &ac, true));
        let Some(Ok(negotiated)) = negotiated else {
            return Err(self.invalid(&protocol::ANSWER_MISMATCH, start));
        };
        let Ok(length_max) = pdu_length_max_to_peer(ac.user_information.maximum_length) else {
            return Err(self.misused(&protocol::PEER_LENGTH, start));
        };
        self.negotiated = negotiated;
        self.length_max_to_peer = length_max;
        self.request = None;
        self.step(TableEvent::Evt3);
        Ok(Event::Accepted(ac))
    }

    fn pdv_header<'a>(
        &mut self,
        input: &mut &'a [u8],
        rest: u32,
    ) -> Result<Option<Event<'a>>, Failure> {
        let Some(rest) = rest.checked_sub(PDV_HEADER_LENGTH as u32) else {
            return Err(self.invalid(&protocol::PDV_SHORT, self.offset));
        };
        let Some(header) = self.take_header(input) else { return Ok(None) };
        let at = self.offset - PDV_HEADER_LENGTH as u64;
        let header = PdvHeader::decode(header);
        let Some(fragment) = header.fragment_length(rest) else {
            return Err(self.invalid(&protocol::PDV_LENGTH, at));
        };
        if self.negotiated.get(header.context_id).is_none() {
            return Err(self.invalid(&protocol::PDV_CONTEXT, at + 4));
        }
        if let Err(entry) = self.message.open(header.context_id, header.command, fragment) {
            return Err(self.misused(entry, at));
        }
        let rest = rest - fragment;
        self.frame = Frame::Fragment { header, fragment, rest };
        // Nothing will come to wake an empty fragment, so it is done with here.
        if fragment == 0 { self.fragment_end(header, rest, &[]) } else { Ok(None) }
    }

    fn fragment<'a>(
        &mut self,
        input: &mut &'a [u8],
        header: PdvHeader,
        fragment: u32,
        rest: u32,
    ) -> Result<Option<Event<'a>>, Failure> {
        let piece = self.take(input, fragment);
        let fragment = fragment - piece.len() as u32;
        if header.command {
            self.message.extend_command(piece);
        }
        if fragment == 0 {
            return self.fragment_end(header, rest, piece);
        }
        self.frame = Frame::Fragment { header, fragment, rest };
        let context_id = header.context_id;
        Ok((!header.command).then_some(Event::DataSet { context_id, bytes: piece, last: false }))
    }

    /// The last piece of a fragment has been taken.
    fn fragment_end<'a>(
        &mut self,
        header: PdvHeader,
        rest: u32,
        piece: &'a [u8],
    ) -> Result<Option<Event<'a>>, Failure> {
        self.frame = if rest == 0 { Frame::Header } else { Frame::PdvHeader { rest } };
        let PdvHeader { context_id, command, last, .. } = header;
        if command {
            return if last { self.command_end(context_id).map(Some) } else { Ok(None) };
        }
        if last {
            self.message.finish_data_set();
        } else if piece.is_empty() {
            return Ok(None);
        }
        Ok(Some(Event::DataSet { context_id, bytes: piece, last }))
    }

    fn command_end(&mut self, context_id: u8) -> Result<Event<'static>, Failure> {
        match self.message.finish_command(context_id) {
            Ok((command, raw)) => Ok(Event::Command { context_id, command, raw }),
            Err(error) => Err(self.misused(error.kind.entry(), self.offset)),
        }
    }
}

/// The event of the table that a PDU is (PS3.8 Table 9-10).
fn received(kind: PduType) -> TableEvent {
    match kind {
        PduType::AssociateRq => TableEvent::Evt6,
        PduType::AssociateAc => TableEvent::Evt3,
        PduType::AssociateRj => TableEvent::Evt4,
        PduType::DataTf => TableEvent::Evt10,
        PduType::ReleaseRq => TableEvent::Evt12,
        PduType::ReleaseRp => TableEvent::Evt13,
        PduType::Abort => TableEvent::Evt16,
    }
}

/// Actions that send an A-ABORT because of what the peer did.
fn sends_abort(action: Action) -> bool {
    matches!(action, Action::Aa1 | Action::Aa7 | Action::Aa8)
}

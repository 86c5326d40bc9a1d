//! One association with the archive: established, used for C-STORE and storage commitment, released.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kuva_core::association::{Association, AssociationLimits, Event, LocalError};
use kuva_core::command::{Command, CommandSet, build, tag};
use kuva_core::pdu::{
    AeTitle, AssociateAc, AssociateRq, PresentationContextProposed, UserInformation,
};

use crate::Trouble;
use crate::commitment::{self, Incoming};
use crate::ledger::{Ledger, Stored};
use crate::plan::{Place, Plan};
use crate::report::{Outcome, REFUSALS_TOLD_MAX, Refusal};
use crate::wire::WireImage;

const RELEASE_SECONDS_MAX: u64 = 5;
/// The latencies for which there is room from the beginning.
const LATENCIES_FIRST: u32 = 1 << 16;
/// In a response (PS3.7 Annex C).
pub const SUCCESS: u16 = 0;

/// The peer, over one socket.
pub struct Peer {
    socket: TcpStream,
    engine: Association,
    buffer: Vec<u8>,
    /// Received and not yet taken: part of `buffer`.
    unread: std::ops::Range<usize>,
    /// How it names itself.
    pub name: Option<String>,
    /// Longest P-DATA-TF body that it takes, bytes.
    pub pdu_length_max: u32,
    /// C-STOREs at once, as agreed.
    window: usize,
    /// Its number among the associations.
    number: u32,
    ledger: Arc<Ledger>,
    incoming: Incoming,
    /// Stored, and not yet asked for.
    to_commit: Vec<Stored>,
    last_answer: Option<Instant>,
}

/// When no further instance is begun.
#[derive(Clone, Copy)]
pub struct Until<'a> {
    /// At this time,
    pub deadline: Instant,
    /// or when this is set.
    pub stop: &'a AtomicBool,
}

impl Until<'_> {
    fn is_over(&self, now: Instant) -> bool {
        now >= self.deadline || self.stop.load(Ordering::Relaxed)
    }
}

/// An answer to a C-STORE.
struct Answer {
    message_id: u16,
    status: u16,
    comment: String,
}

/// A C-STORE that awaits its answer.
struct Waiting {
    message_id: u16,
    place: Place,
    template: usize,
    length: u64,
    began: Instant,
}

impl Peer {
    /// Connects and associates, proposing each kind of template.
    pub fn associate(plan: &Plan, number: u32, ledger: &Arc<Ledger>) -> Result<Self, Trouble> {
        let place = format!("{}:{}", plan.host, plan.port);
        let io = |error: std::io::Error| format!("{place}: {error}");
        let socket = TcpStream::connect((&*plan.host, plan.port)).map_err(io)?;
        socket.set_nodelay(true).map_err(io)?;
        let patience = Duration::from_secs_f64(plan.answer_seconds_max);
        socket.set_read_timeout(Some(patience)).map_err(io)?;
        socket.set_write_timeout(Some(patience)).map_err(io)?;
        let (engine, request) =
            Association::requestor(&request(plan)?, AssociationLimits::default());
        let mut peer = Self {
            socket,
            engine,
            buffer: vec![0; 64 << 10],
            unread: 0..0,
            name: None,
            pdu_length_max: 0,
            window: 1,
            number,
            ledger: Arc::clone(ledger),
            incoming: Incoming::default(),
            to_commit: Vec::new(),
            last_answer: None,
        };
        peer.socket.write_all(&request).map_err(io)?;
        let answer = peer.accepted()?;
        let information = answer.user_information;
        peer.name = information.implementation_version_name;
        // Without an answer one operation at a time is agreed (PS3.7 D.3.3.3.1).
        let (window, _) = information.asynchronous_operations.unwrap_or((1, 1));
        peer.window = usize::from(if window == 0 { plan.window } else { window.min(plan.window) });
        peer.pdu_length_max = match information.maximum_length {
            0 => plan.pdu_length_max,
            length => length.min(plan.pdu_length_max),
        };
        Ok(peer)
    }

    /// The accepted context of a kind.
    pub fn context(&self, sop_class: &str, transfer_syntax: &str) -> Result<u8, Trouble> {
        let mut contexts = self.engine.contexts();
        let found = contexts.find(|(_, context)| {
            *context.abstract_syntax == *sop_class && *context.transfer_syntax == *transfer_syntax
        });
        found.map(|(id, _)| id).ok_or_else(|| {
            format!("the archive does not accept SOP class {sop_class} in {transfer_syntax}")
        })
    }

    /// Sends the association's instances, each as soon as the window allows, and has them committed,
    /// study by study, if that is planned.
    pub fn store(&mut self, plan: &Plan, images: &mut [WireImage], until: Until<'_>) -> Outcome {
        let latencies = Vec::with_capacity(plan.instances_each.min(LATENCIES_FIRST) as usize);
        let mut outcome = Outcome { latencies, ..Outcome::default() };
        let sent = self.exchange(plan, images, until, &mut outcome);
        outcome.trouble = sent.err();
        outcome
    }

    /// When the last C-STORE was answered.
    pub fn last_answer(&self) -> Option<Instant> {
        self.last_answer
    }

    fn exchange(
        &mut self,
        plan: &Plan,
        images: &mut [WireImage],
        until: Until<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), Trouble> {
        let mut waiting = VecDeque::new();
        for index in 0..plan.instances_each {
            let began = Instant::now();
            if until.is_over(began) {
                break;
            }
            let message_id = (index % u32::from(u16::MAX)) as u16 + 1;
            let place = plan.place(self.number, index);
            let template = index as usize % plan.templates.len();
            let image = &mut images[template];
            let length = image.data_set_length;
            let (head, tail) = image.of(plan, place, message_id);
            send(&mut self.socket, head, tail).map_err(|error| ended("sending", &error))?;
            outcome.sent += 1;
            waiting.push_back(Waiting { message_id, place, template, length, began });
            if waiting.len() >= self.window.max(1) {
                self.take_answer(plan, &mut waiting, outcome)?;
            }
            if (index + 1).is_multiple_of(plan.per_study) && plan.commitment.is_some() {
                self.drain(plan, &mut waiting, outcome)?;
                self.commit(plan, place.study)?;
            }
        }
        self.drain(plan, &mut waiting, outcome)?;
        // Time was up within a study.
        let begun = plan.place(self.number, outcome.sent.saturating_sub(1) as u32).study;
        self.commit(plan, begun)?;
        self.await_reports(plan)
    }

    fn drain(
        &mut self,
        plan: &Plan,
        waiting: &mut VecDeque<Waiting>,
        outcome: &mut Outcome,
    ) -> Result<(), Trouble> {
        while !waiting.is_empty() {
            self.take_answer(plan, waiting, outcome)?;
        }
        Ok(())
    }

    fn take_answer(
        &mut self,
        plan: &Plan,
        waiting: &mut VecDeque<Waiting>,
        outcome: &mut Outcome,
    ) -> Result<(), Trouble> {
        let answer = self.answer()?;
        let now = Instant::now();
        // Answers may come in any order (PS3.7 D.3.3.3).
        let found = waiting.iter().position(|sent| sent.message_id == answer.message_id);
        let sent = found.and_then(|at| waiting.remove(at));
        let sent = sent.ok_or_else(|| {
            format!("an answer to message {}, which waits for none", answer.message_id)
        })?;
        let took = (now - sent.began).as_micros();
        outcome.latencies.push(u32::try_from(took).unwrap_or(u32::MAX));
        self.last_answer = Some(now);
        let status = format!("{:04X}", answer.status);
        if answer.status == SUCCESS {
            outcome.stored_bytes += sent.length;
            self.stored(plan, &sent);
        } else if outcome.refusals.len() < REFUSALS_TOLD_MAX {
            let (sop_instance, comment) = (plan.uid(3, sent.place.instance), answer.comment);
            outcome.refusals.push(Refusal { sop_instance, status: status.clone(), comment });
        }
        *outcome.statuses.entry(status).or_default() += 1;
        Ok(())
    }

    /// It will be asked for, if commitment is planned.
    fn stored(&mut self, plan: &Plan, sent: &Waiting) {
        if plan.commitment.is_some() {
            self.to_commit.push(Stored {
                sop_class: plan.templates[sent.template].sop_class.clone(),
                sop_instance: plan.uid(3, sent.place.instance),
                length: sent.length,
            });
        }
    }

    /// Asks for the commitment of what was stored of a study since this was last called.
    fn commit(&mut self, plan: &Plan, study: u64) -> Result<(), Trouble> {
        let (Some(how), Some(last_answer)) = (&plan.commitment, self.last_answer) else {
            return Ok(());
        };
        let items = std::mem::take(&mut self.to_commit);
        if items.is_empty() {
            return Ok(());
        }
        let transaction = plan.uid(4, study);
        self.ledger.ask(&transaction, self.number, &items, last_answer);
        let message = self.n_action(&transaction, &items)?;
        self.socket.write_all(&message).map_err(|error| ended("asking for commitment", &error))?;
        let status = self.next(|event| match event {
            Event::Command { command: Command::NActionRsp { status, .. }, .. } => Some(Ok(status)),
            other => unexpected(&other),
        })?;
        self.ledger.answered(&transaction, status);
        if how.await_each { self.await_reports(plan) } else { Ok(()) }
    }

    fn n_action(&self, transaction: &str, items: &[Stored]) -> Result<Vec<u8>, Trouble> {
        let context = self.context(commitment::SOP_CLASS, commitment::TRANSFER_SYNTAX)?;
        let command = build::n_action_rq(
            1,
            commitment::SOP_CLASS,
            commitment::SOP_INSTANCE,
            commitment::REQUEST_STORAGE_COMMITMENT,
        );
        let references = items.iter().map(|one| (&*one.sop_class, &*one.sop_instance));
        let information = commitment::request(transaction, references);
        let local = |error: LocalError| error.to_string();
        let mut message = self.engine.command(context, &command).map_err(local)?;
        self.engine.data_set(context, &information, true, &mut message).map_err(local)?;
        Ok(message)
    }

    /// Until each report of the association's is there, wherever it comes in, or patience ends.
    fn await_reports(&mut self, plan: &Plan) -> Result<(), Trouble> {
        let Some(how) = &plan.commitment else { return Ok(()) };
        let patience = Duration::from_secs_f64(how.report_seconds_max);
        if how.listen_port.is_some() {
            self.ledger.wait(self.number, Instant::now() + patience);
            return Ok(());
        }
        let io = |error: std::io::Error| ended("waiting for a report", &error);
        self.socket.set_read_timeout(Some(patience)).map_err(io)?;
        while self.ledger.waits(self.number) {
            self.turn(&|event| unexpected::<()>(&event))?;
        }
        let patience = Duration::from_secs_f64(plan.answer_seconds_max);
        self.socket.set_read_timeout(Some(patience)).map_err(io)
    }

    fn answer(&mut self) -> Result<Answer, Trouble> {
        self.next(|event| match event {
            Event::Command {
                command: Command::CStoreRsp { message_id_responded, status, .. },
                raw,
                ..
            } => Some(Ok(Answer {
                message_id: message_id_responded,
                status,
                comment: comment(&raw),
            })),
            other => unexpected(&other),
        })
    }

    fn accepted(&mut self) -> Result<AssociateAc, Trouble> {
        self.next(|event| match event {
            Event::Accepted(answer) => Some(Ok(*answer)),
            other => unexpected(&other),
        })
    }

    /// The first event that `wanted` makes something of.
    fn next<T>(
        &mut self,
        wanted: impl Fn(Event<'_>) -> Option<Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        loop {
            if let Some(result) = self.turn(&wanted)? {
                return Ok(result);
            }
        }
    }

    /// One event, or what the socket has next. A report may come at any time, and is taken here.
    fn turn<T>(
        &mut self,
        wanted: &impl Fn(Event<'_>) -> Option<Result<T, Trouble>>,
    ) -> Result<Option<T>, Trouble> {
        let mut input = &self.buffer[self.unread.clone()];
        let event = self.engine.next(&mut input).map_err(|failure| failure.to_string())?;
        let empty = event.is_none();
        let (report, found) = match event.map(|event| self.incoming.take(event)) {
            Some(Ok(report)) => (report, None),
            Some(Err(other)) => (None, wanted(other)),
            None => (None, None),
        };
        self.unread.start = self.unread.end - input.len();
        if let Some(report) = report {
            self.take_report(&report)?;
        }
        if empty {
            self.receive()?;
        }
        found.transpose()
    }

    fn take_report(&mut self, report: &commitment::Report) -> Result<(), Trouble> {
        self.ledger.reported(&report.read(&self.engine)?, Instant::now())?;
        let answer = report.answer(&self.engine)?;
        self.socket.write_all(&answer).map_err(|error| ended("answering a report", &error))
    }

    fn receive(&mut self) -> Result<(), Trouble> {
        let length =
            self.socket.read(&mut self.buffer).map_err(|error| ended("receiving", &error))?;
        self.unread = 0..length;
        if length == 0 { Err("the archive closed the connection".into()) } else { Ok(()) }
    }

    /// Ends in order, as far as the peer does; the load is over, so nothing depends on it.
    pub fn release(mut self) {
        let patience = Some(Duration::from_secs(RELEASE_SECONDS_MAX));
        self.socket.set_read_timeout(patience).ok();
        if let Ok(request) = self.engine.release_request()
            && self.socket.write_all(&request).is_ok()
        {
            let released = |event: Event<'_>| matches!(event, Event::Released).then_some(Ok(()));
            self.next(released).ok();
        }
    }
}

fn request(plan: &Plan) -> Result<AssociateRq, Trouble> {
    let title = |name: &str| AeTitle::new(name).ok_or_else(|| format!("{name:?} is no AE title"));
    let mut kinds: Vec<(&str, &str)> = Vec::new();
    for template in &plan.templates {
        let kind = (&*template.sop_class, &*template.transfer_syntax);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if plan.commitment.is_some() {
        kinds.push((commitment::SOP_CLASS, commitment::TRANSFER_SYNTAX));
    }
    let contexts = (1..=u8::MAX).step_by(2).zip(kinds).map(|(id, (sop_class, syntax))| {
        PresentationContextProposed::new(id, sop_class, vec![syntax.into()])
    });
    let asynchronous_operations = (plan.window > 1).then_some((plan.window, 1));
    let information = UserInformation {
        implementation_class_uid: Some(kuva_core::implementation::CLASS_UID.into()),
        implementation_version_name: Some(kuva_core::implementation::VERSION_NAME.into()),
        asynchronous_operations,
        ..UserInformation::default()
    };
    let (called, calling) = (title(&plan.called)?, title(&plan.calling)?);
    Ok(AssociateRq::new(called, calling, contexts.collect(), information))
}

/// Sends both pieces with as few system calls as the socket allows.
fn send(socket: &mut TcpStream, head: &[u8], tail: &[u8]) -> std::io::Result<()> {
    let mut pieces = [IoSlice::new(head), IoSlice::new(tail)];
    let mut rest = &mut pieces[..];
    while !rest.is_empty() {
        match socket.write_vectored(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(length) => IoSlice::advance_slices(&mut rest, length),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn comment(raw: &CommandSet) -> String {
    raw.text(tag::ERROR_COMMENT).unwrap_or_default().to_owned()
}

fn ended(doing: &str, error: &std::io::Error) -> Trouble {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("{doing}: the archive does nothing"),
        _ => format!("{doing}: {error}"),
    }
}

/// Events that end the load; a piece of a data set that nobody asked for does not.
fn unexpected<T>(event: &Event<'_>) -> Option<Result<T, Trouble>> {
    match event {
        Event::Rejected(reason) => {
            Some(Err(format!("the archive rejected the association: {reason:?}")))
        }
        Event::Aborted(abort) => {
            Some(Err(format!("the archive aborted the association: {abort:?}")))
        }
        Event::ReleaseRequested => Some(Err("the archive asked for release".into())),
        Event::Released => Some(Err("the association was released".into())),
        Event::Command { command, .. } => Some(Err(format!("an unexpected command: {command:?}"))),
        Event::AssociateRequested(_) | Event::Accepted(_) => {
            Some(Err("an unexpected association PDU".into()))
        }
        Event::DataSet { .. } => None,
    }
}

//! One association with the archive: established, used for C-STORE, released.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use kuva_core::association::{Association, AssociationLimits, Event};
use kuva_core::command::{Command, CommandSet, tag};
use kuva_core::pdu::{
    AeTitle, AssociateAc, AssociateRq, PresentationContextProposed, UserInformation,
};

use crate::Trouble;
use crate::plan::{Place, Plan};
use crate::report::{Outcome, REFUSALS_TOLD_MAX, Refusal};
use crate::wire::WireImage;

const RELEASE_SECONDS_MAX: u64 = 5;
const SUCCESS: u16 = 0;

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
    length: u64,
    began: Instant,
}

impl Peer {
    /// Connects and associates, proposing each kind of template.
    pub fn associate(plan: &Plan) -> Result<Self, Trouble> {
        let place = format!("{}:{}", plan.host, plan.port);
        let io = |error: std::io::Error| format!("{place}: {error}");
        let socket = TcpStream::connect((&*plan.host, plan.port)).map_err(io)?;
        socket.set_nodelay(true).map_err(io)?;
        let patience = Duration::from_secs_f64(plan.answer_seconds_max);
        socket.set_read_timeout(Some(patience)).map_err(io)?;
        socket.set_write_timeout(Some(patience)).map_err(io)?;
        let (engine, request) =
            Association::requestor(&request(plan)?, AssociationLimits::default());
        let (buffer, unread, name) = (vec![0; 64 << 10], 0..0, None);
        let mut peer = Self { socket, engine, buffer, unread, name, pdu_length_max: 0, window: 1 };
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

    /// Sends the association's instances, each as soon as the window allows, until `deadline`.
    pub fn store(
        &mut self,
        plan: &Plan,
        association: u32,
        images: &mut [WireImage],
        deadline: Instant,
    ) -> Outcome {
        let latencies = Vec::with_capacity(plan.instances_each as usize);
        let mut outcome = Outcome { latencies, ..Outcome::default() };
        let sent = self.exchange(plan, association, images, deadline, &mut outcome);
        outcome.trouble = sent.err();
        outcome
    }

    fn exchange(
        &mut self,
        plan: &Plan,
        association: u32,
        images: &mut [WireImage],
        deadline: Instant,
        outcome: &mut Outcome,
    ) -> Result<(), Trouble> {
        let mut waiting = VecDeque::new();
        for index in 0..plan.instances_each {
            let began = Instant::now();
            if began >= deadline {
                break;
            }
            let message_id = (index % u32::from(u16::MAX)) as u16 + 1;
            let place = plan.place(association, index);
            let image = &mut images[index as usize % plan.templates.len()];
            let length = image.data_set_length;
            let (head, tail) = image.of(plan, place, message_id);
            send(&mut self.socket, head, tail).map_err(|error| ended("sending", &error))?;
            outcome.sent += 1;
            waiting.push_back(Waiting { message_id, place, length, began });
            if waiting.len() >= self.window.max(1) {
                self.take_answer(plan, &mut waiting, outcome)?;
            }
        }
        while !waiting.is_empty() {
            self.take_answer(plan, &mut waiting, outcome)?;
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
        // Answers may come in any order (PS3.7 D.3.3.3).
        let found = waiting.iter().position(|sent| sent.message_id == answer.message_id);
        let sent = found.and_then(|at| waiting.remove(at));
        let sent = sent.ok_or_else(|| {
            format!("an answer to message {}, which waits for none", answer.message_id)
        })?;
        let took = sent.began.elapsed().as_micros();
        outcome.latencies.push(u32::try_from(took).unwrap_or(u32::MAX));
        let status = format!("{:04X}", answer.status);
        if answer.status == SUCCESS {
            outcome.stored_bytes += sent.length;
        } else if outcome.refusals.len() < REFUSALS_TOLD_MAX {
            let (sop_instance, comment) = (plan.uid(3, sent.place.instance), answer.comment);
            outcome.refusals.push(Refusal { sop_instance, status: status.clone(), comment });
        }
        *outcome.statuses.entry(status).or_default() += 1;
        Ok(())
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
            let mut input = &self.buffer[self.unread.clone()];
            let event = self.engine.next(&mut input).map_err(|failure| failure.to_string())?;
            let found = event.map(&wanted);
            self.unread.start = self.unread.end - input.len();
            match found {
                Some(Some(result)) => return result,
                Some(None) => {}
                None => self.receive()?,
            }
        }
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

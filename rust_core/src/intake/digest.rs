//! Digest workers: BLAKE3 and strict scan, block by block, while receiving goes on.
//!
//! Each instance has a mailbox. Its blocks are taken in order by at most one worker at a time, so
//! that instances run in parallel and an instance's own blocks never do.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::node::Intake;
use super::receiving::Inbound;
use super::verdict::lost;
use crate::dataset::{Encoding, Scanner, encapsulated, encoding_of};
use crate::dedup::Ticket;
use crate::journal::{FilledBlock, Tail};
use crate::refusal::{Refusal, storage};

/// Blocks that a worker takes from one mailbox before it looks at the others.
const TURN: usize = 8;
/// And where they are deflated: one may hold a thousand times its bytes.
const TURN_DEFLATED: usize = 1;

/// Something for the digest to do.
pub enum Work {
    /// A full block.
    Block(Arc<FilledBlock>),
    /// The rest, which fills no block: conclude.
    Tail(Tail),
    /// The association ended: drop everything.
    Abandon,
}

/// What the digest knows of an instance so far.
pub struct Reading {
    /// The scan; None once it was refused.
    pub scanner: Option<Scanner>,
    /// BLAKE3 of the data set so far.
    pub hasher: blake3::Hasher,
    /// Bytes of data set so far.
    pub length: u64,
    /// The first refusal.
    pub refusal: Option<Refusal>,
    /// Whether the study was looked for among the open ones.
    pub study_touched: bool,
    /// Blocks that a worker takes at once.
    turn: usize,
}

impl Reading {
    fn new(transfer_syntax: &str) -> Self {
        let scanner = encoding_of(transfer_syntax)
            .map(|e| Scanner::new(e, encapsulated(transfer_syntax), Default::default()));
        let refusal = scanner.is_none().then(|| Refusal::of(&storage::TRANSFER_SYNTAX));
        let deflated = encoding_of(transfer_syntax) == Some(Encoding::DeflatedLittle);
        Self {
            scanner,
            hasher: blake3::Hasher::new(),
            length: 0,
            refusal,
            study_touched: false,
            turn: if deflated { TURN_DEFLATED } else { TURN },
        }
    }

    /// Hash and scan the next bytes. Nothing more is done once a refusal is certain.
    pub fn read(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.refusal.is_some() {
            return;
        }
        self.hasher.update(bytes);
        self.refusal = self.scanner.as_mut().and_then(|scanner| scanner.update(bytes).err());
    }
}

struct Post {
    work: VecDeque<Work>,
    running: bool,
    reading: Option<Box<Reading>>,
}

/// Work of one instance, in order.
pub struct Mailbox(Mutex<Post>);

impl Mailbox {
    /// An empty mailbox for a data set in this transfer syntax.
    pub fn new(transfer_syntax: &str) -> Self {
        let reading = Some(Box::new(Reading::new(transfer_syntax)));
        Self(Mutex::new(Post { work: VecDeque::new(), running: false, reading }))
    }

    fn lock(&self) -> MutexGuard<'_, Post> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Put work in; true if nobody is at it yet.
    fn put(&self, work: Work) -> bool {
        let mut post = self.lock();
        post.work.push_back(work);
        !std::mem::replace(&mut post.running, true)
    }

    fn open(&self) -> Option<Box<Reading>> {
        self.lock().reading.take()
    }

    fn next(&self) -> Option<Work> {
        self.lock().work.pop_front()
    }

    /// Put the reading back; true if more work came meanwhile (and the turn goes on).
    fn close(&self, reading: Box<Reading>) -> bool {
        let mut post = self.lock();
        post.reading = Some(reading);
        post.running = !post.work.is_empty();
        post.running
    }
}

enum Job {
    /// A mailbox has something in it.
    Turn(Arc<Inbound>),
    /// Whoever had this ticket is gone.
    Lost(Ticket, Arc<Inbound>),
}

#[derive(Default)]
struct Queue {
    ready: VecDeque<Job>,
    ended: bool,
}

/// The workers, and the instances that have something in their mailbox.
#[derive(Default)]
pub struct DigestPool {
    queue: Mutex<Queue>,
    arrived: Condvar,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl DigestPool {
    /// Start the workers; they hold the intake until [`DigestPool::stop`].
    pub fn start(&self, intake: &Arc<Intake>, workers: usize) -> std::io::Result<()> {
        let mut threads = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        for number in 0..workers {
            let intake = Arc::clone(intake);
            let builder = std::thread::Builder::new().name(format!("kuva-digest-{number}"));
            threads.push(builder.spawn(move || intake.digest.serve(&intake))?);
        }
        Ok(())
    }

    /// Give one instance's mailbox some work.
    pub fn give(&self, inbound: &Arc<Inbound>, work: Work) {
        if inbound.mailbox.put(work) {
            self.enqueue(Job::Turn(Arc::clone(inbound)));
        }
    }

    /// Give one instance's mailbox some work, and do it on this thread: for what takes less time
    /// than waking a worker does.
    pub fn give_here(&self, intake: &Arc<Intake>, inbound: Arc<Inbound>, work: Work) {
        if inbound.mailbox.put(work) {
            self.attend(intake, Job::Turn(inbound));
        }
    }

    /// Settle as failed what nobody will settle any more. Takes no other lock.
    pub fn settle_lost(&self, ticket: Ticket, inbound: Arc<Inbound>) {
        self.enqueue(Job::Lost(ticket, inbound));
    }

    /// Let the workers finish what is queued, then end.
    pub fn stop(&self) {
        self.lock().ended = true;
        self.arrived.notify_all();
        let threads =
            std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // A worker that panicked has said so on its way out; the others still end in order.
            let _ = thread.join();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, job: Job) {
        self.lock().ready.push_back(job);
        self.arrived.notify_one();
    }

    fn wait_for_one(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if let Some(job) = queue.ready.pop_front() {
                return Some(job);
            }
            if queue.ended {
                return None;
            }
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn serve(&self, intake: &Arc<Intake>) {
        while let Some(job) = self.wait_for_one() {
            self.attend(intake, job);
        }
    }

    fn attend(&self, intake: &Arc<Intake>, job: Job) {
        let inbound = match &job {
            Job::Turn(inbound) | Job::Lost(_, inbound) => Arc::clone(inbound),
        };
        if catch_unwind(AssertUnwindSafe(|| self.work(intake, job))).is_err() {
            // A defect of ours costs one instance its place, never the node its worker. The
            // mailbox stays shut: its reading was lost, so nothing more will come of it. Its
            // ticket, if it had one, was let go on the way here, and settles itself.
            intake.refuse(&inbound, &lost());
        }
    }

    fn work(&self, intake: &Arc<Intake>, job: Job) {
        match job {
            Job::Turn(inbound) => self.take_turn(intake, inbound),
            Job::Lost(ticket, inbound) => intake.give_up(ticket, &inbound),
        }
    }

    fn take_turn(&self, intake: &Arc<Intake>, inbound: Arc<Inbound>) {
        let Some(mut reading) = inbound.mailbox.open() else { return };
        for _ in 0..reading.turn {
            match inbound.mailbox.next() {
                None => break,
                Some(Work::Block(block)) => read_block(intake, &inbound, &mut reading, &block),
                Some(Work::Tail(tail)) => return intake.conclude(inbound, *reading, tail),
                Some(Work::Abandon) => return intake.broke_off(&inbound),
            }
        }
        if inbound.mailbox.close(reading) {
            self.enqueue(Job::Turn(inbound));
        }
    }
}

fn read_block(intake: &Arc<Intake>, inbound: &Inbound, reading: &mut Reading, block: &FilledBlock) {
    reading.read(block.payload());
    if reading.refusal.is_some() {
        inbound.spoiled.store(true, SeqCst);
    } else if !reading.study_touched {
        reading.study_touched = intake.touch_early(inbound, reading);
    }
}

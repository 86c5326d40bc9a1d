//! An instance being received: from its C-STORE-RQ to its last fragment.
//!
//! The event loop's side ([`Receiving`]) copies bytes once, into pooled blocks, and hands full ones
//! to the journal (to be written) and to the digest (to be hashed and scanned) at the same time.
//! Both share the block; it goes back to the pool when both are done.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::admission::Admission;
use super::counters::count;
use super::digest::{Mailbox, Work};
use super::lane::Lane;
use super::node::Intake;
use super::pace::Reading;
use crate::command::{CommandSet, build};
use crate::dataset::{Encoding, encoding_of};
use crate::instance::Uid;
use crate::journal::{Block, FilledBlock, JournalError, Tail, Upload};
use crate::refusal::{Refusal, storage};

/// Longest data set that the event loop's thread hashes and scans itself, bytes: some tens of
/// microseconds, as much as it costs to wake a worker.
const QUICK_LENGTH_MAX: usize = 16 << 10;

/// What the C-STORE-RQ and its presentation context say.
#[derive(Clone, Debug)]
pub struct Request {
    /// The presentation context it came on; the answer goes out on it.
    pub context_id: u8,
    /// Message ID (0000,0110).
    pub message_id: u16,
    /// Affected SOP Class UID (0000,0002).
    pub sop_class: Uid,
    /// Affected SOP Instance UID (0000,1000).
    pub sop_instance: Uid,
    /// Abstract syntax of the presentation context.
    pub abstract_syntax: Uid,
    /// Transfer syntax of the presentation context.
    pub transfer_syntax: Uid,
}

impl Request {
    /// The C-STORE-RSP with this status, and why.
    pub fn response(&self, status: u16, refusal: Option<&Refusal>) -> CommandSet {
        let offending: Vec<u32> = refusal.and_then(|r| r.offending).into_iter().collect();
        let comment = refusal.map(Refusal::comment);
        build::c_store_rsp(
            self.message_id,
            &self.sop_class,
            &self.sop_instance,
            status,
            comment.as_deref(),
            &offending,
        )
    }
}

/// What loop and workers share of one instance.
pub struct Inbound {
    /// What was asked.
    pub request: Request,
    /// Under which admission.
    pub admission: Arc<Admission>,
    /// Where the answer goes.
    pub lane: Arc<Lane>,
    /// The journal's side; None if it would not begin or go on, or once it is closed.
    pub upload: Mutex<Option<Upload>>,
    /// Why the journal would not begin it: the answer, unless it is here already.
    pub unkept: Option<Refusal>,
    /// It will be refused: its further bytes need not be kept.
    pub spoiled: AtomicBool,
    /// Blocks on their way through the digest.
    pub mailbox: Mailbox,
    /// Its one answer was given.
    pub answered: AtomicBool,
}

impl Inbound {
    /// The upload, to be closed or dropped; at most once.
    pub fn take_upload(&self) -> Option<Upload> {
        self.upload().take()
    }

    fn upload(&self) -> MutexGuard<'_, Option<Upload>> {
        self.upload.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Have the journal write a full block. An upload that lacks a block must never be closed, so
    /// one that the journal would not take ends it.
    fn write(&self, intake: &Intake, block: &Arc<FilledBlock>) {
        let mut upload = self.upload();
        let taken = upload.as_ref().map(|u| intake.journal.append(u, Arc::clone(block)));
        if !matches!(taken, Some(Ok(()))) {
            *upload = None;
        }
    }
}

/// The event loop's side of an instance being received.
pub struct Receiving {
    inbound: Arc<Inbound>,
    block: Option<Block>,
    /// Whether blocks went to the journal and the digest before.
    passed_on: bool,
}

impl Receiving {
    /// Begin an instance. If the journal would not begin one it is read and judged all the same: it
    /// may be one that is here already.
    pub fn begin(
        intake: &Intake,
        request: Request,
        admission: Arc<Admission>,
        lane: Arc<Lane>,
    ) -> Self {
        count(&intake.counters.instances_begun, 1);
        lane.begin();
        let (upload, unkept) = match intake.begin_upload() {
            Ok(upload) => (Some(upload), None),
            Err(refusal) => (None, Some(refusal)),
        };
        let mailbox = Mailbox::new(&request.transfer_syntax);
        let (upload, spoiled, answered) = (Mutex::new(upload), false.into(), false.into());
        let inbound =
            Inbound { request, admission, lane, upload, unkept, spoiled, mailbox, answered };
        Self { inbound: Arc::new(inbound), block: None, passed_on: false }
    }

    /// Take as many bytes as there is room for; returns how many. Fewer than given means: no block
    /// to be had now, wait for the lane to be named.
    pub fn take(&mut self, intake: &Arc<Intake>, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            if self.inbound.spoiled.load(SeqCst) {
                self.block = None;
                taken = bytes.len();
                break;
            }
            let Some(block) = self.room(intake) else { break };
            taken += block.fill(&bytes[taken..]);
            if block.is_full() {
                self.pass_on(intake);
            }
        }
        count(&intake.counters.bytes_received, taken as u64);
        taken
    }

    /// The last fragment is here: the digest concludes.
    pub fn finish(mut self, intake: &Arc<Intake>) {
        if let Some(block) = &self.block {
            intake.pace.ended_early(block.len());
        }
        let tail = self.block.take().map_or(Tail::Empty, |block| Tail::Block(block.freeze()));
        let work = Work::Tail(tail);
        match self.is_quick(&work) {
            true => intake.digest.give_here(intake, self.inbound, work),
            false => intake.digest.give(&self.inbound, work),
        }
    }

    /// A short data set is hashed and scanned sooner than a worker wakes. What is deflated may be long.
    fn is_quick(&self, work: &Work) -> bool {
        let Work::Tail(tail) = work else { return false };
        let deflated = encoding_of(&self.inbound.request.transfer_syntax)
            .is_none_or(|encoding| encoding == Encoding::DeflatedLittle);
        !self.passed_on && !deflated && tail.as_bytes().len() <= QUICK_LENGTH_MAX
    }

    /// The association ended in the middle: nothing stays behind.
    pub fn abandon(mut self, intake: &Arc<Intake>) {
        self.block = None;
        count(&intake.counters.instances_abandoned, 1);
        intake.digest.give(&self.inbound, Work::Abandon);
    }

    fn room(&mut self, intake: &Intake) -> Option<&mut Block> {
        let lane = &self.inbound.lane;
        if self.block.is_none() && lane.has_room() && self.has_turn(intake) {
            self.block = intake.journal.pool().take_for(lane.clone());
            if self.block.is_none() {
                lane.give_turns(1);
            }
        }
        self.block.as_mut()
    }

    /// Whether the pace lets a block be read. What is not written takes no room, and is read anyhow.
    fn has_turn(&self, intake: &Intake) -> bool {
        if self.inbound.upload().is_none() {
            return true;
        }
        match intake.pace.may_read(&self.inbound.lane) {
            Reading::Now => true,
            Reading::Later { begins } => {
                if begins {
                    intake.pacing.wake();
                }
                false
            }
        }
    }

    fn pass_on(&mut self, intake: &Arc<Intake>) {
        let Some(block) = self.block.take().map(Block::freeze) else { return };
        self.passed_on = true;
        self.inbound.write(intake, &block);
        intake.digest.give(&self.inbound, Work::Block(block));
    }
}

/// The refusal that a journal's error means to a sender.
pub fn refusal_of(error: &JournalError) -> Refusal {
    Refusal::of(match error {
        JournalError::Full => &storage::JOURNAL_FULL,
        JournalError::Descriptors => &storage::FILE_DESCRIPTORS,
        JournalError::ReadOnly(_) | JournalError::Closed | JournalError::Io(_) => {
            &storage::JOURNAL_READ_ONLY
        }
        JournalError::Unrecordable(_) => &storage::JOURNAL_UNRECORDABLE,
        JournalError::Rot { .. }
        | JournalError::Gone { .. }
        | JournalError::Config(_)
        | JournalError::Epoch { .. }
        | JournalError::NotDiscardable
        | JournalError::NotForgettable(_) => &storage::PROCESSING,
    })
}

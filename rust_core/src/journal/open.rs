//! The open journal: the handle that intake, readers and health hold.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use super::aligned::AlignedBuffer;
use super::block::{BlockPool, FilledBlock};
use super::committer::{Commit, Committer, Request};
use super::config::JournalConfig;
use super::copying::{Copier, Tended};
use super::error::JournalError;
use super::index::Index;
use super::log::Log;
use super::medium::{Medium, MediumReport, WriteMode};
use super::overwriting::Overwriter;
use super::preparer::{Nonces, Preparer};
use super::reader::{self, Entries, InstanceReader, Kept};
use super::recovery::{Recovery, recover};
use super::roster::{ROSTER, ROSTER_LENGTH};
use super::segments::{Room, SegmentTable};
use super::selection::Readings;
use super::upload::{Close, Done, Tail, Turn, UploadState};
use super::writer::{Job, Writers};
use crate::instance::{Microseconds, NodeId, Particulars, ReceiveId, Verdict};
use crate::limits::JOURNAL_ALIGNMENT;

/// Whether the journal takes instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalState {
    /// It does.
    Writable,
    /// Never again in this process: a write or sync failed. Reads are served.
    ReadOnly {
        /// What failed.
        why: Arc<str>,
    },
}

/// A node's journal. Dropping it shuts it down in order.
pub struct Journal {
    parts: Parts,
    node: NodeId,
    pool: BlockPool,
    next_upload: AtomicU64,
    closed: AtomicBool,
    threads: Mutex<Threads>,
    house: Mutex<(Copier, Overwriter)>,
}

#[derive(Clone)]
struct Parts {
    log: Arc<Log>,
    index: Arc<Mutex<Index>>,
    writers: Arc<Writers>,
    committer: Arc<Committer>,
}

#[derive(Default)]
struct Threads {
    writers: Vec<JoinHandle<()>>,
    committer: Option<JoinHandle<()>>,
    preparer: Option<JoinHandle<()>>,
}

/// An instance being received. Dropped without a close, it is abandoned.
pub struct Upload {
    state: Arc<UploadState>,
    parts: Parts,
    closed: bool,
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.closed {
            self.state.abandon(&self.parts.log);
            if self.parts.log.mode == WriteMode::Buffered {
                self.parts.committer.push(Request::Sync, &self.parts.log);
            }
        }
    }
}

impl Journal {
    /// Recovers what the medium holds and opens the journal for appending, in a new generation.
    ///
    /// # Errors
    /// `Rot` if something that was known durable is damaged: the node must stop and say so.
    /// `Config`, `Epoch` for settings that contradict the medium; `Io`, `ReadOnly` if it fails.
    pub fn open(
        medium: Arc<dyn Medium>,
        config: JournalConfig,
        nonces: Nonces,
    ) -> Result<(Self, Recovery), JournalError> {
        let (length, count) = config.segments()?;
        let table = SegmentTable::new(length, count);
        let recovered = recover(&*medium, config.node, config.epoch, table)?;
        let (reserve, fill_max) = (config.reserve_segments, config.fill_max);
        let log = Arc::new(Log::new(medium, config.epoch, reserve, fill_max, recovered.state));
        if recovered.roster_slot.is_none() {
            let made = log.medium.create(ROSTER, ROSTER_LENGTH);
            made.map_err(|error| JournalError::io("making the roster", &error))?;
        }
        let roster_slot = recovered.roster_slot.unwrap_or(0);
        let mut preparer = Preparer { log: log.clone(), node: config.node, nonces, roster_slot };
        preparer.first()?;
        let parts = Parts {
            log,
            index: Arc::new(Mutex::new(recovered.index)),
            writers: Arc::default(),
            committer: Arc::new(Committer::new()),
        };
        let threads = parts.start(preparer, &config)?;
        let Parts { log, index, committer, .. } = parts.clone();
        // Nobody knows since when what is free at start is free: it is overwritten now.
        log.state().table.note_free(Microseconds::MIN);
        let overwriter = Overwriter::new(log.clone(), config.node, config.overwrite_after());
        let house = (Copier::new(log, index, committer, config.node), overwriter);
        let journal = Self {
            parts,
            node: config.node,
            pool: BlockPool::new(config.block_pool_bytes),
            next_upload: AtomicU64::new(1),
            closed: AtomicBool::new(false),
            threads: Mutex::new(threads),
            house: Mutex::new(house),
        };
        Ok((journal, recovered.recovery))
    }

    /// The pool that blocks come from.
    pub fn pool(&self) -> &BlockPool {
        &self.pool
    }

    /// Begins an instance.
    ///
    /// # Errors
    /// `Full` from the fill limit on, or when only the reserve is left, `Descriptors` or `Io` if that
    /// is because no segment can be made; `ReadOnly`, `Closed`.
    pub fn begin(&self) -> Result<Upload, JournalError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(JournalError::Closed);
        }
        self.parts.log.admits()?;
        let number = self.next_upload.fetch_add(1, Ordering::Relaxed);
        let (state, parts) = (Arc::new(UploadState::new(number)), self.parts.clone());
        Ok(Upload { state, parts, closed: false })
    }

    /// Queues the next full block of the instance for writing; blocks count in the order of calls.
    ///
    /// # Errors
    /// `Unrecordable` for a block that is not full or was appended before; else why the upload
    /// failed already. It must then be dropped or closed (the close will fail with the reason).
    pub fn append(&self, upload: &Upload, block: Arc<FilledBlock>) -> Result<(), JournalError> {
        self.parts.log.writable()?;
        if !block.is_full() || !block.claim() {
            return Err(JournalError::Unrecordable("a block that is not full, or appended twice"));
        }
        let index = upload.state.queued()?;
        let job = Job { upload: upload.state.clone(), index, block };
        self.parts.writers.push(job).map_err(|job| {
            job.upload.written(index, Err(JournalError::Closed), &self.parts.log);
            JournalError::Closed
        })
    }

    /// Closes the instance: once all of its blocks are durable, its closing record is written, and
    /// `done` is called with the receive id when that is durable.
    ///
    /// `done(Ok)` MUST mean: the instance survives the loss of the process and of power. After
    /// `done(Err)` it is not kept, unless the error is `ReadOnly`: then a restart may find it whole.
    pub fn close(
        &self,
        mut upload: Upload,
        particulars: Particulars,
        tail: impl Into<Tail>,
        done: Done,
    ) {
        upload.closed = true;
        let close = Box::new(Close { particulars, tail: tail.into(), done });
        if let Turn::Commit(close) = upload.state.close(close, &self.parts.log) {
            let request = Request::Close(upload.state.clone(), close);
            self.parts.committer.push(request, &self.parts.log);
        }
    }

    /// Gives an instance up; its room is free once its writes have ended. The same as dropping it.
    pub fn abandon(&self, upload: Upload) {
        drop(upload);
    }

    /// Drops quarantined instances for good; durable when it returns. What is gone already is left
    /// out, so that it may be done again. Blocks: not for the loop.
    ///
    /// # Errors
    /// `NotDiscardable` if any was answered 0000H (then none is discarded).
    pub fn discard(&self, ids: &[ReceiveId], reason: &str) -> Result<(), JournalError> {
        self.parts.log.writable()?;
        ids.iter().try_for_each(|id| self.discardable(*id))?;
        let (reply, answer) = mpsc::channel();
        let request = Request::Discard(ids.to_vec(), reason.into(), reply);
        self.parts.committer.push(request, &self.parts.log);
        answer.recv().unwrap_or(Err(JournalError::Closed))
    }

    fn discardable(&self, id: ReceiveId) -> Result<(), JournalError> {
        let id = self.own(id)?;
        let found = self.parts.index.lock().unwrap_or_else(PoisonError::into_inner).get(id);
        match found.map(|entry| entry.verdict) {
            Some(Verdict::Kept) => Err(JournalError::NotDiscardable),
            Some(Verdict::Quarantined) | None => Ok(()),
        }
    }

    /// Instances that are in a verified volume: what they took can be used again, once nobody reads
    /// them any more. What is gone already is left out. Nothing is written: after a restart whatever
    /// was not overwritten is here again, until the catalogue says it again.
    pub fn forget(&self, ids: &[ReceiveId]) {
        for id in ids.iter().filter(|id| id.node == self.node) {
            let found = self.parts.index.lock().unwrap_or_else(PoisonError::into_inner).remove(*id);
            if let Some(entry) = found {
                self.parts.log.release(entry.closing, entry.length, entry.extents());
            }
        }
    }

    /// Keeps house: when room is short, copies forward what lives in segments that are old and mostly
    /// dead; when it is not, overwrites what is free for long. Blocks, and does a bounded amount: to be called every second or so, by one thread, with a
    /// time that never goes back.
    pub fn tend(&self, now: Microseconds) -> Tended {
        let mut tended = Tended::default();
        let mut house = self.house.lock().unwrap_or_else(PoisonError::into_inner);
        let (copier, overwriter) = &mut *house;
        // No room to copy to, or nothing more is written: the next round sees.
        copier.run(&mut tended).ok();
        tended.overwritten_bytes = overwriter.run(now).unwrap_or(0);
        tended
    }

    fn own(&self, id: ReceiveId) -> Result<ReceiveId, JournalError> {
        if id.node == self.node { Ok(id) } else { Err(JournalError::NotDiscardable) }
    }

    /// What is kept under a receive id, re-read from its closing record.
    ///
    /// # Errors
    /// `Rot` or `Io` if the closing record does not read back.
    pub fn instance(&self, id: ReceiveId) -> Result<Option<Arc<Kept>>, JournalError> {
        let Ok(id) = self.own(id) else { return Ok(None) };
        let found = reader::kept(&self.parts.log, &self.parts.index, id)?;
        Ok(found.map(Arc::new))
    }

    /// A reader of the instance's data set; its segments are not used again while it lives.
    ///
    /// # Errors
    /// `Rot` or `Io` if the closing record does not read back.
    pub fn reader(&self, id: ReceiveId) -> Result<Option<InstanceReader>, JournalError> {
        let Ok(id) = self.own(id) else { return Ok(None) };
        InstanceReader::open(&self.parts.log, &self.parts.index, id)
    }

    /// What reads it, for a thread of its own.
    pub fn readings(&self) -> Readings {
        Readings::new(self.parts.log.clone(), self.parts.index.clone(), self.node)
    }

    /// Live instances of an epoch behind `position`, in position order.
    pub fn entries_after(&self, epoch: u32, position: u64) -> Entries {
        let Parts { log, index, .. } = self.parts.clone();
        Entries::after(log, index, self.node, epoch, position)
    }

    /// The epoch in which it is open.
    pub fn epoch(&self) -> u32 {
        self.parts.log.epoch
    }

    /// The newest live instances, newest first.
    pub fn newest(&self, limit: usize) -> Vec<ReceiveId> {
        let node = self.node;
        let newest = self.parts.index.lock().unwrap_or_else(PoisonError::into_inner).newest(limit);
        newest.into_iter().map(|(epoch, position)| ReceiveId { node, epoch, position }).collect()
    }

    /// Epochs of which something may be kept, oldest first.
    pub fn epochs(&self) -> Vec<u32> {
        self.parts.index.lock().unwrap_or_else(PoisonError::into_inner).epochs()
    }

    /// How full it is.
    pub fn room(&self) -> Room {
        self.parts.log.state().table.room()
    }

    /// Whether a new instance may begin now.
    ///
    /// # Errors
    /// As [`Journal::begin`].
    pub fn admits(&self) -> Result<(), JournalError> {
        self.parts.log.admits()
    }

    /// Whether it takes instances.
    pub fn state(&self) -> JournalState {
        let read_only = self.parts.log.state().read_only.clone();
        read_only.map_or(JournalState::Writable, |why| JournalState::ReadOnly { why })
    }

    /// What was probed of the medium.
    pub fn medium(&self) -> MediumReport {
        self.parts.log.medium.report()
    }

    /// Refuses new work, ends what was queued, and marks the end of the log. Idempotent; blocks.
    pub fn shutdown(&self) {
        self.closed.store(true, Ordering::Release);
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let Parts { log, writers, committer, .. } = &self.parts;
        writers.stop();
        threads.writers.drain(..).for_each(|thread| drop(thread.join()));
        committer.stop();
        if let Some(thread) = threads.committer.take() {
            thread.join().ok();
        }
        if let Some(thread) = threads.preparer.take() {
            // A failure here poisons the journal, which then ends as after a crash.
            log.sync_completed().and_then(|()| log.close_head()).ok();
            log.state().stopping = true;
            log.notify();
            thread.join().ok();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Parts {
    fn start(
        &self,
        mut preparer: Preparer,
        config: &JournalConfig,
    ) -> Result<Threads, JournalError> {
        let mut threads = Threads::default();
        for _ in 0..config.writer_threads {
            let Self { log, writers, committer, .. } = self.clone();
            let guarded = log.clone();
            let life = move || writers.run(&log, &committer);
            threads.writers.push(spawn("journal-writer", guarded, life)?);
        }
        let Self { log, committer, index, .. } = self.clone();
        let (node, voiding) = (config.node, VecDeque::new());
        let memory = AlignedBuffer::new(JOURNAL_ALIGNMENT);
        let mut commit = Commit { log, index, node, next_position: 1, voiding, memory };
        let life = move || committer.run(&mut commit);
        threads.committer = Some(spawn("journal-committer", self.log.clone(), life)?);
        let life = move || preparer.run();
        threads.preparer = Some(spawn("journal-preparer", self.log.clone(), life)?);
        Ok(threads)
    }
}

/// A thread whose panic poisons the journal, and which then goes on, to fail what is queued.
fn spawn(
    name: &str,
    log: Arc<Log>,
    mut life: impl FnMut() + Send + 'static,
) -> Result<JoinHandle<()>, JournalError> {
    let guarded = move || {
        while catch_unwind(AssertUnwindSafe(&mut life)).is_err() {
            log.poison("a thread of the journal panicked");
        }
    };
    let builder = std::thread::Builder::new().name(name.to_owned());
    builder.spawn(guarded).map_err(|error| JournalError::io("starting a thread", &error))
}

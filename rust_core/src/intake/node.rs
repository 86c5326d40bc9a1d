//! The intake of one node: journal, duplicates table, digest workers, wake-ups, landing.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::beat::Beat;
use super::budget::Budget;
use super::counters::Counters;
use super::digest::DigestPool;
use super::landing::{Landing, UNLANDED_MAX};
use super::lane::Lane;
use super::owed::Owed;
use super::pace::Pace;
use super::receiving::refusal_of;
use super::waiting::WaitingRoom;
use super::wake::WakeUps;
use crate::dedup::{DuplicatesTable, Forgotten, Known};
use crate::instance::{Microseconds, Particulars, ReceiveId, StudyKey, VaultId};
use crate::journal::{Journal, JournalError, Kept, Tail, Upload};
use crate::refusal::catalogue::RefusalCounters;
use crate::refusal::{Refusal, storage};

/// Where the time comes from: the core has no clock of its own.
pub type Clock = Box<dyn Fn() -> Microseconds + Send + Sync>;

/// What an intake is made with.
pub struct IntakeSettings {
    /// Digest workers; one a core is right.
    pub workers: usize,
    /// The clock.
    pub clock: Clock,
}

/// An instance of the journal, with what can be read of it.
pub type Newest = (ReceiveId, Option<Arc<Kept>>);

/// A received instance that waits for a verdict or for its turn.
pub struct Candidate {
    /// Its place in the table, with request, lane and upload.
    pub owed: Owed,
    /// What fills no block.
    pub tail: Tail,
    /// What its closing record will say.
    pub particulars: Particulars,
}

impl Candidate {
    /// The same, with a copy of its tail: its block goes back to the pool.
    pub fn without_block(mut self) -> Self {
        self.tail = Tail::Bytes(self.tail.as_bytes().to_vec());
        self
    }

    /// The study it belongs to.
    pub fn study_key(&self) -> StudyKey {
        let study = Arc::clone(&self.particulars.identity.study);
        StudyKey { vault: self.particulars.vault, study }
    }
}

/// The duplicates table, and whoever waits for it: one lock, since a verdict and a place in the
/// waiting room must be one step.
pub struct Studies {
    /// The table.
    pub table: DuplicatesTable,
    /// Candidates that wait for a twin or for the catalogue.
    pub parked: WaitingRoom,
}

/// See the module.
pub struct Intake {
    /// The node's journal.
    pub journal: Journal,
    /// Hash and scan.
    pub digest: DigestPool,
    /// What the event loop must hear.
    pub wake: Arc<WakeUps>,
    /// Counters of the stops.
    pub counters: Arc<Counters>,
    /// What long requests of all associations may hold.
    pub budget: Arc<Budget>,
    /// How often what was refused.
    pub refusals: RefusalCounters,
    /// What the catalogue must learn.
    pub landing: Landing,
    /// How fast instances may be read.
    pub pace: Pace,
    /// Looks at the room.
    pub(super) pacing: Beat,
    /// Keeps house in the journal.
    pub(super) tending: Beat,
    /// Vaults of what was found in the journal at start.
    pub vaults_recovered: BTreeSet<VaultId>,
    /// When the oldest of it was received.
    pub received_oldest: Option<Microseconds>,
    studies: Mutex<Studies>,
    thirsty: Mutex<Vec<Arc<Lane>>>,
    clock: Clock,
}

impl Intake {
    /// An intake over an opened journal; its table learns what the journal holds.
    pub fn start(
        journal: Journal,
        mut table: DuplicatesTable,
        settings: IntakeSettings,
    ) -> Result<Arc<Self>, JournalError> {
        let mut vaults_recovered = BTreeSet::new();
        let mut received_oldest: Option<Microseconds> = None;
        let recovered =
            journal.epochs().into_iter().flat_map(|epoch| journal.entries_after(epoch, 0));
        for kept in recovered {
            let kept = kept?;
            table.recovered(kept.receive_id, &kept.particulars);
            vaults_recovered.insert(kept.particulars.vault);
            let at = kept.particulars.received_at;
            received_oldest = Some(received_oldest.map_or(at, |oldest| oldest.min(at)));
        }
        let wake = WakeUps::new().map_err(|error| failed("eventfd", &error))?;
        let studies = Studies { table, parked: WaitingRoom::default() };
        let intake = Arc::new(Self {
            journal,
            digest: DigestPool::default(),
            wake: Arc::new(wake),
            counters: Arc::default(),
            budget: Arc::default(),
            refusals: RefusalCounters::default(),
            landing: Landing::default(),
            pace: Pace::new(),
            pacing: Beat::default(),
            tending: Beat::default(),
            vaults_recovered,
            received_oldest,
            studies: Mutex::new(studies),
            thirsty: Mutex::default(),
            clock: settings.clock,
        });
        let thirst = Arc::downgrade(&intake);
        intake.journal.pool().on_available(move || {
            thirst.upgrade().into_iter().for_each(|intake| intake.blocks_came_back());
        });
        intake.digest.start(&intake, settings.workers).map_err(|e| failed("worker thread", &e))?;
        Ok(intake)
    }

    /// The table and its waiting room.
    pub fn studies(&self) -> MutexGuard<'_, Studies> {
        self.studies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This association waits for a block from the pool.
    pub(super) fn thirsty(&self, lane: &Arc<Lane>) {
        self.lanes().push(Arc::clone(lane));
    }

    /// The pool has blocks again: name everyone who waits for one.
    fn blocks_came_back(&self) {
        for lane in std::mem::take(&mut *self.lanes()) {
            lane.resume_if_waiting();
        }
    }

    fn lanes(&self) -> MutexGuard<'_, Vec<Arc<Lane>>> {
        self.thirsty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time, by the clock given.
    pub fn now(&self) -> Microseconds {
        (self.clock)()
    }

    /// The catalogue said what it knows of a study, and which instances of it were found damaged:
    /// judge whoever waited.
    pub fn study_opened(
        self: &Arc<Self>,
        key: &StudyKey,
        known: Vec<Known>,
        damaged: &[ReceiveId],
    ) {
        let mut studies = self.studies();
        damaged.iter().for_each(|id| studies.table.damaged(*id));
        let released = studies.table.opened(key, known);
        drop(studies);
        self.release(released);
    }

    /// The catalogue could not be asked: never guess.
    pub fn study_failed(self: &Arc<Self>, key: &StudyKey) {
        let released = self.studies().table.failed(key);
        self.release(released);
    }

    /// A place in the journal for one more instance.
    pub(super) fn begin_upload(&self) -> Result<Upload, Refusal> {
        if self.landing.unlanded() >= UNLANDED_MAX {
            return Err(Refusal::of(&storage::CATALOGUE_BEHIND));
        }
        self.journal.begin().map_err(|error| refusal_of(&error))
    }

    /// Forget quarantined instances for good; durable when it returns.
    pub fn discard(&self, ids: &[ReceiveId], reason: &str) -> Result<(), JournalError> {
        self.journal.discard(ids, reason)?;
        let mut studies = self.studies();
        for id in ids {
            studies.table.forget(*id, Forgotten::Discarded);
        }
        Ok(())
    }

    /// These instances of a study are in a verified volume: the journal needs them no more. What is
    /// gone already is left out, so that it may be said again. Quick, but takes the table's lock.
    ///
    /// # Errors
    /// `NotForgettable` if any has not landed, or is of another study: then none is forgotten.
    pub fn forget(&self, key: &StudyKey, ids: &[ReceiveId]) -> Result<(), JournalError> {
        let epoch = self.journal.epoch();
        if !ids.iter().all(|id| self.landing.has_landed(*id, epoch)) {
            return Err(JournalError::NotForgettable("the catalogue does not have it yet"));
        }
        let mut studies = self.studies();
        if !ids.iter().all(|id| studies.table.may_be_of(key, *id)) {
            return Err(JournalError::NotForgettable("it is of another study"));
        }
        // The table first: it must not send anybody to a place that is gone.
        ids.iter().for_each(|id| studies.table.forget(*id, Forgotten::Verified));
        drop(studies);
        self.journal.forget(ids);
        Ok(())
    }

    /// Close studies that are quiet and wholly in the catalogue.
    pub fn evict(&self, now: Microseconds) {
        let unlanded = self.landing.first_unlanded();
        let landed = |id: ReceiveId| unlanded.is_none_or(|first| id < first);
        self.studies().table.evict(now, landed);
    }

    /// The newest instances of the journal, kept or quarantined, newest first; without anything of
    /// one whose closing record is damaged. Blocking.
    pub fn newest(&self, limit: usize) -> Result<Vec<Newest>, JournalError> {
        let found =
            self.journal.newest(limit).into_iter().map(|id| match self.journal.instance(id) {
                Ok(kept) => Ok(kept.map(|kept| (id, Some(kept)))),
                Err(JournalError::Rot { .. }) => Ok(Some((id, None))),
                Err(error) => Err(error),
            });
        found.filter_map(Result::transpose).collect()
    }

    /// Let everything queued become durable, then end all threads.
    pub fn stop(&self) {
        self.pacing.stop();
        self.tending.stop();
        self.digest.stop();
        self.journal.shutdown();
    }
}

fn failed(what: &str, error: &io::Error) -> JournalError {
    JournalError::Io(format!("{what}: {error}").into())
}

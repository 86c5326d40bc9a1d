//! An upload: an instance whose blocks are being written, until it is closed or abandoned.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::block::FilledBlock;
use super::closing::Extent;
use super::error::JournalError;
use super::log::Log;
use super::record::Place;
use crate::instance::{Particulars, ReceiveId};
use crate::limits::BLOCK_LENGTH;

/// Called once, on a thread of the journal, with the outcome of a close; it must be short.
pub type Done = Box<dyn FnOnce(Result<ReceiveId, JournalError>) + Send>;

/// The bytes behind the last full block of an instance.
pub enum Tail {
    /// None: the instance ends with a full block, or is empty.
    Empty,
    /// Plain bytes.
    Bytes(Vec<u8>),
    /// A block that did not become full (or just so).
    Block(Arc<FilledBlock>),
}

impl Tail {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Empty => &[],
            Self::Bytes(bytes) => bytes,
            Self::Block(block) => block.payload(),
        }
    }
}

impl From<Vec<u8>> for Tail {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<Arc<FilledBlock>> for Tail {
    fn from(block: Arc<FilledBlock>) -> Self {
        Self::Block(block)
    }
}

/// What a close asks for.
pub(super) struct Close {
    pub(super) particulars: Particulars,
    pub(super) tail: Tail,
    pub(super) done: Done,
}

#[derive(Default)]
struct Progress {
    places: Vec<Option<Place>>,
    pending: u32,
    failed: Option<JournalError>,
    close: Option<Box<Close>>,
    abandoned: bool,
}

/// The part of an upload that writers and the committer share.
pub(super) struct UploadState {
    pub(super) number: u64,
    progress: Mutex<Progress>,
}

/// What an upload wants after something happened to it.
pub(super) enum Turn {
    /// Nothing now.
    Wait,
    /// All of its data is written: commit the closing record.
    Commit(Box<Close>),
}

impl UploadState {
    pub(super) fn new(number: u64) -> Self {
        Self { number, progress: Mutex::default() }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters one more block; its index.
    pub(super) fn queued(&self) -> Result<u32, JournalError> {
        let mut progress = self.progress();
        if let Some(error) = &progress.failed {
            return Err(error.clone());
        }
        progress.pending += 1;
        progress.places.push(None);
        Ok(progress.places.len() as u32 - 1)
    }

    /// A block was written (durably, or to be synced by the committer), or failed.
    pub(super) fn written(
        &self,
        index: u32,
        outcome: Result<Place, JournalError>,
        log: &Log,
    ) -> Turn {
        let mut progress = self.progress();
        progress.pending -= 1;
        match outcome {
            Ok(place) => progress.places[index as usize] = Some(place),
            Err(error) => progress.failed = Some(progress.failed.take().unwrap_or(error)),
        }
        self.turn(progress, log)
    }

    pub(super) fn close(&self, close: Box<Close>, log: &Log) -> Turn {
        let mut progress = self.progress();
        progress.close = Some(close);
        self.turn(progress, log)
    }

    pub(super) fn abandon(&self, log: &Log) {
        let mut progress = self.progress();
        progress.abandoned = true;
        self.turn(progress, log);
    }

    fn turn(&self, mut progress: MutexGuard<'_, Progress>, log: &Log) -> Turn {
        if progress.pending > 0 {
            return Turn::Wait;
        }
        if progress.abandoned {
            release(&mut progress.places, log);
            return Turn::Wait;
        }
        progress.close.take().map_or(Turn::Wait, Turn::Commit)
    }

    /// The extents, if every block was written.
    pub(super) fn extents(&self) -> Result<Vec<Extent>, JournalError> {
        let progress = self.progress();
        if let Some(error) = &progress.failed {
            return Err(error.clone());
        }
        Ok(Extent::of_places(progress.places.iter().flatten().copied()))
    }

    /// Gives the blocks up after a close failed.
    pub(super) fn forget(&self, log: &Log) {
        release(&mut self.progress().places, log);
    }
}

fn release(places: &mut Vec<Option<Place>>, log: &Log) {
    let mut state = log.state();
    for place in places.drain(..).flatten() {
        state.table.release(place, 1, BLOCK_LENGTH as u64);
    }
    drop(state);
    log.notify();
}

impl Extent {
    fn starting(place: Place) -> Self {
        let Place { segment, generation, offset } = place;
        Self { segment, generation, offset, blocks: 1 }
    }

    fn continues_at(&self, place: Place) -> bool {
        let end = self.offset + self.blocks * BLOCK_LENGTH as u32;
        (self.segment, self.generation, end) == (place.segment, place.generation, place.offset)
    }

    /// Bytes of its data records.
    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.blocks) * BLOCK_LENGTH as u64
    }

    /// The runs that these places make, in their order.
    pub(super) fn of_places(places: impl IntoIterator<Item = Place>) -> Vec<Self> {
        let mut extents: Vec<Self> = Vec::new();
        for place in places {
            match extents.last_mut().filter(|last| last.continues_at(place)) {
                Some(last) => last.blocks += 1,
                None => extents.push(Self::starting(place)),
            }
        }
        extents
    }

    /// The place of its first data record.
    pub fn first(&self) -> Place {
        let Self { segment, generation, offset, .. } = *self;
        Place { segment, generation, offset }
    }

    /// The places of its data records.
    pub fn places(&self) -> impl Iterator<Item = Place> + use<> {
        let Self { segment, generation, offset, blocks } = *self;
        let step = BLOCK_LENGTH as u32;
        (0..blocks).map(move |n| Place { segment, generation, offset: offset + n * step })
    }
}

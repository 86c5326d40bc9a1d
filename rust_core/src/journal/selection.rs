//! Selected instances of the journal, in the order asked for, for whoever reads many of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::aligned::AlignedBuffer;
use super::error::JournalError;
use super::index::{Entry, Index};
use super::log::Log;
use super::reader::{InstanceReader, Kept, Pins, RUN_LENGTH_MAX, kept, kept_of, verify};
use super::record::Kind;
use crate::instance::{NodeId, ReceiveId};

/// The journal to be read from, without its writers: cheap to clone, for threads of their own.
#[derive(Clone)]
pub struct Readings {
    log: Arc<Log>,
    index: Arc<Mutex<Index>>,
    node: NodeId,
}

impl Readings {
    pub(super) fn new(log: Arc<Log>, index: Arc<Mutex<Index>>, node: NodeId) -> Self {
        Self { log, index, node }
    }

    /// As [`super::Journal::reader`].
    ///
    /// # Errors
    /// `Rot` or `Io` if the closing record does not read back.
    pub fn reader(&self, id: ReceiveId) -> Result<Option<InstanceReader>, JournalError> {
        if id.node != self.node {
            return Ok(None);
        }
        InstanceReader::open(&self.log, &self.index, id)
    }

    /// The closing records of these instances, in this order. Those that lie behind each other in
    /// the journal are read at once, as small instances do that came one after the other.
    pub fn selection(&self, ids: Vec<ReceiveId>) -> Selection {
        Selection { readings: self.clone(), ids, at: 0, ready: VecDeque::new() }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One selected instance: none if the journal does not hold it (any more).
pub type Selected = (ReceiveId, Result<Option<Arc<Kept>>, JournalError>);

/// See [`Readings::selection`].
pub struct Selection {
    readings: Readings,
    ids: Vec<ReceiveId>,
    at: usize,
    ready: VecDeque<Selected>,
}

impl Selection {
    /// Reads the next run; the instances of it, or a single one that is not there, become ready.
    fn fill(&mut self) {
        let rest = &self.ids[self.at..];
        let own = rest.iter().take_while(|id| id.node == self.readings.node).count();
        let run = self.readings.index().run_of(&rest[..own], RUN_LENGTH_MAX);
        let ids = &rest[..run.len().max(1)];
        let found: Vec<Selected> = match self.read(&run) {
            Ok(found) if found.is_empty() => ids.iter().map(|id| (*id, self.alone(*id))).collect(),
            Ok(found) => {
                let found = found.into_iter().zip(ids);
                // What moved or went meanwhile may read as anything, and is looked for where it is now.
                found.map(|(kept, id)| (*id, kept.map_or_else(|| self.alone(*id), Ok))).collect()
            }
            Err(error) => ids.iter().map(|id| (*id, Err(error.clone()))).collect(),
        };
        self.at += ids.len();
        self.ready.extend(found);
    }

    /// One instance by itself, wherever it is by now.
    fn alone(&self, id: ReceiveId) -> Result<Option<Arc<Kept>>, JournalError> {
        let Readings { log, index, node } = &self.readings;
        if id.node != *node {
            return Ok(None);
        }
        Ok(kept(log, index, id)?.map(Arc::new))
    }

    /// All of a run at once, each that reads as written; empty if the run is not there.
    fn read(&self, run: &[Entry]) -> Result<Vec<Option<Option<Arc<Kept>>>>, JournalError> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(Vec::new()) };
        let (place, log) = (first.closing, &self.readings.log);
        let mut pins = Pins::new(log.clone());
        if !pins.pin(place.segment, place.generation) {
            return Ok(Vec::new());
        }
        let Some(generation) = pins.generation(place.segment) else { return Ok(Vec::new()) };
        let length = (last.closing.offset + last.length - place.offset) as usize;
        let mut bytes = AlignedBuffer::new(length);
        let read = log.medium.read(place.segment, u64::from(place.offset), &mut bytes);
        read.map_err(|e| JournalError::io(&format!("read of segment {}", place.segment), &e))?;
        let one = |entry: &Entry| {
            let bytes = &bytes[(entry.closing.offset - place.offset) as usize..];
            let header = verify(generation, entry.closing, Kind::Closing, bytes).ok()?;
            kept_of(&header, entry.closing, bytes).ok().map(|kept| Some(Arc::new(kept)))
        };
        Ok(run.iter().map(one).collect())
    }
}

impl Iterator for Selection {
    type Item = Selected;

    fn next(&mut self) -> Option<Selected> {
        if self.ready.is_empty() && self.at < self.ids.len() {
            self.fill();
        }
        self.ready.pop_front()
    }
}

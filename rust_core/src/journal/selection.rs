//! Selected instances of the journal, in the order asked for, for whoever reads many of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::aligned::AlignedBuffer;
use super::error::JournalError;
use super::index::{Entry, Index};
use super::log::Log;
use super::reader::{InstanceReader, Kept, Pins, RUN_LENGTH_MAX, kept_of, verify};
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

/// Looks at the index for an instance that moves while it is to be read.
const LOOKS: u32 = 3;

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
        for left in (0..LOOKS).rev() {
            let run = self.readings.index().run_of(&rest[..own], RUN_LENGTH_MAX);
            let ids = &rest[..run.len().max(1)];
            let found = match self.read(&run, ids) {
                // It was there, and is somewhere else now, or nowhere.
                Ok(None) if left > 0 && !run.is_empty() => continue,
                Ok(None) => ids.iter().map(|id| (*id, Ok(None))).collect(),
                Ok(Some(found)) => found,
                Err(error) => ids.iter().map(|id| (*id, Err(error.clone()))).collect(),
            };
            self.at += ids.len();
            self.ready.extend(found);
            break;
        }
    }

    /// None if there is nothing there to be read.
    fn read(
        &self,
        run: &[Entry],
        ids: &[ReceiveId],
    ) -> Result<Option<Vec<Selected>>, JournalError> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(None) };
        let (place, log) = (first.closing, &self.readings.log);
        let mut pins = Pins::new(log.clone());
        if !pins.pin(place.segment, place.generation) {
            return Ok(None);
        }
        let Some(generation) = pins.generation(place.segment) else { return Ok(None) };
        let mut bytes =
            AlignedBuffer::new((last.closing.offset + last.length - place.offset) as usize);
        let read = log.medium.read(place.segment, u64::from(place.offset), &mut bytes);
        read.map_err(|e| JournalError::io(&format!("read of segment {}", place.segment), &e))?;
        let one = |(entry, id): (&Entry, &ReceiveId)| {
            let bytes = &bytes[(entry.closing.offset - place.offset) as usize..];
            let verified = verify(generation, entry.closing, Kind::Closing, bytes);
            let kept = verified.and_then(|header| kept_of(&header, entry.closing, bytes));
            match kept {
                Ok(kept) => (*id, Ok(Some(Arc::new(kept)))),
                // Discarded and overwritten meanwhile, or rot.
                Err(error) if self.readings.index().get(*id).is_some() => (*id, Err(error)),
                Err(_) => (*id, Ok(None)),
            }
        };
        Ok(Some(run.iter().zip(ids).map(one).collect()))
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

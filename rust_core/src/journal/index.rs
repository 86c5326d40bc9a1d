//! The index in memory: which closing record lies where, by receive position.

use std::collections::BTreeMap;

use super::record::Place;
use crate::instance::{ReceiveId, Verdict};
use crate::limits::BLOCK_LENGTH;

/// What is remembered of one instance: 32 bytes; the rest is read from its closing record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) position: u64,
    pub(super) closing: Place,
    /// Bytes that the closing record takes in the segment.
    pub(super) length: u32,
    pub(super) verdict: Verdict,
    live: bool,
}

impl Entry {
    pub(super) fn new(position: u64, closing: Place, length: u32, verdict: Verdict) -> Self {
        Self { position, closing, length, verdict, live: true }
    }

    fn end(&self) -> u32 {
        self.closing.offset + self.length
    }

    /// Whether it lies behind `other`, with no more between them than a data record.
    fn is_near(&self, other: &Self) -> bool {
        let (own, others) = (self.closing, other.closing);
        let gap = own.offset.checked_sub(other.end());
        (own.segment, own.generation) == (others.segment, others.generation)
            && gap.is_some_and(|gap| gap <= BLOCK_LENGTH as u32)
    }
}

/// Live instances by epoch and position.
#[derive(Debug, Default)]
pub(super) struct Index {
    epochs: BTreeMap<u32, Vec<Entry>>,
}

impl Index {
    /// Adds an instance; positions of an epoch come in increasing order.
    pub(super) fn push(&mut self, epoch: u32, entry: Entry) {
        self.epochs.entry(epoch).or_default().push(entry);
    }

    fn find(&self, id: ReceiveId) -> Option<(u32, usize)> {
        let entries = self.epochs.get(&id.epoch)?;
        let at = entries.binary_search_by_key(&id.position, |entry| entry.position).ok()?;
        entries[at].live.then_some((id.epoch, at))
    }

    pub(super) fn get(&self, id: ReceiveId) -> Option<Entry> {
        let (epoch, at) = self.find(id)?;
        self.epochs.get(&epoch)?.get(at).copied()
    }

    /// Takes an instance out; only the first to do so gets it.
    pub(super) fn remove(&mut self, id: ReceiveId) -> Option<Entry> {
        let (epoch, at) = self.find(id)?;
        let entry = self.epochs.get_mut(&epoch)?.get_mut(at)?;
        entry.live = false;
        Some(*entry)
    }

    /// The live instances of the epoch behind `position` whose closing records lie behind each other,
    /// with no more between them than a data record, in `length_max` bytes; at least one, if there is.
    pub(super) fn run_after(&self, epoch: u32, position: u64, length_max: u32) -> Vec<Entry> {
        let entries = self.epochs.get(&epoch).map_or(&[][..], Vec::as_slice);
        let at = entries.partition_point(|entry| entry.position <= position);
        let mut run: Vec<Entry> = Vec::new();
        for entry in entries[at..].iter().filter(|entry| entry.live) {
            let Some((first, last)) = run.first().zip(run.last()) else {
                run.push(*entry);
                continue;
            };
            if !entry.is_near(last) || entry.end() - first.closing.offset > length_max {
                break;
            }
            run.push(*entry);
        }
        run
    }

    /// Epoch and position of the newest live instances, newest first.
    pub(super) fn newest(&self, limit: usize) -> Vec<(u32, u64)> {
        let newest = self.epochs.iter().rev();
        let all = newest.flat_map(|(epoch, entries)| entries.iter().rev().map(|e| (*epoch, e)));
        all.filter(|(_, e)| e.live).map(|(epoch, e)| (epoch, e.position)).take(limit).collect()
    }

    /// Epochs with instances, oldest first.
    pub(super) fn epochs(&self) -> Vec<u32> {
        self.epochs.keys().copied().collect()
    }
}

//! The index in memory: which closing record lies where, by receive position.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::closing::Extent;
use super::record::Place;
use crate::instance::{ReceiveId, Verdict};
use crate::limits::BLOCK_LENGTH;

/// What is remembered of one instance: 48 bytes, and 16 an extent; the rest is read from its closing
/// record. The extents are here so that an instance can be forgotten without reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) position: u64,
    pub(super) closing: Place,
    /// Bytes that the closing record takes in the segment.
    pub(super) length: u32,
    pub(super) verdict: Verdict,
    live: bool,
    /// How often it was copied forward.
    pub(super) copies: u32,
    extents: Option<Arc<[Extent]>>,
}

impl Entry {
    pub(super) fn new(
        position: u64,
        closing: Place,
        length: u32,
        verdict: Verdict,
        extents: &[Extent],
    ) -> Self {
        let extents = (!extents.is_empty()).then(|| extents.into());
        Self { position, closing, length, verdict, live: true, copies: 0, extents }
    }

    /// As it was found at start, copied so often before.
    pub(super) fn copied(self, copies: u32) -> Self {
        Self { copies, ..self }
    }

    /// Segments that it lies in, with the bytes that it takes there; one may come several times.
    pub(super) fn segments(&self) -> impl Iterator<Item = (u32, u64)> {
        let data = self.extents().iter().map(|extent| (extent.segment, extent.bytes()));
        std::iter::once((self.closing.segment, u64::from(self.length))).chain(data)
    }

    /// The same instance, copied forward to there.
    pub(super) fn moved(&self, closing: Place, length: u32, extents: &[Extent]) -> Self {
        let (position, verdict) = (self.position, self.verdict);
        let copies = self.copies.saturating_add(1);
        Self { copies, ..Self::new(position, closing, length, verdict, extents) }
    }

    /// Where its whole blocks lie.
    pub(super) fn extents(&self) -> &[Extent] {
        self.extents.as_deref().unwrap_or_default()
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

/// The instances of one epoch, in the order of their positions.
#[derive(Debug, Default)]
struct Epoch {
    entries: Vec<Entry>,
    gone: usize,
}

impl Epoch {
    /// Takes out what went, once it is half of all: each entry is then moved once or twice in its life.
    fn tidy(&mut self) {
        if self.gone * 2 > self.entries.len() {
            self.entries.retain(|entry| entry.live);
            self.entries.shrink_to(self.entries.len() * 2);
            self.gone = 0;
        }
    }
}

/// Live instances by epoch and position.
#[derive(Debug, Default)]
pub(super) struct Index {
    epochs: BTreeMap<u32, Epoch>,
}

impl Index {
    /// Adds an instance; positions of an epoch come in increasing order.
    pub(super) fn push(&mut self, epoch: u32, entry: Entry) {
        self.epochs.entry(epoch).or_default().entries.push(entry);
    }

    fn find(&mut self, id: ReceiveId) -> Option<&mut Entry> {
        let entries = &mut self.epochs.get_mut(&id.epoch)?.entries;
        let at = entries.binary_search_by_key(&id.position, |entry| entry.position).ok()?;
        entries.get_mut(at).filter(|entry| entry.live)
    }

    pub(super) fn get(&self, id: ReceiveId) -> Option<Entry> {
        let entries = &self.epochs.get(&id.epoch)?.entries;
        let at = entries.binary_search_by_key(&id.position, |entry| entry.position).ok()?;
        entries.get(at).filter(|entry| entry.live).cloned()
    }

    /// Puts an instance that was copied where its copy is, if it is still what was copied.
    pub(super) fn replace(&mut self, id: ReceiveId, copied: &Entry, to: Entry) -> bool {
        let found = self.find(id).filter(|entry| **entry == *copied);
        found.map(|entry| *entry = to).is_some()
    }

    /// Every live instance, with its epoch.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, &Entry)> {
        let all = self.epochs.iter();
        all.flat_map(|(epoch, all)| all.entries.iter().map(|entry| (*epoch, entry)))
            .filter(|(_, entry)| entry.live)
    }

    /// Takes an instance out; only the first to do so gets it.
    pub(super) fn remove(&mut self, id: ReceiveId) -> Option<Entry> {
        let entry = self.find(id)?;
        entry.live = false;
        let taken = entry.clone();
        let epoch = self.epochs.get_mut(&id.epoch)?;
        epoch.gone += 1;
        epoch.tidy();
        if epoch.entries.is_empty() {
            self.epochs.remove(&id.epoch);
        }
        Some(taken)
    }

    /// The live instances of the epoch behind `position` whose closing records lie behind each other,
    /// with no more between them than a data record, in `length_max` bytes; at least one, if there is.
    pub(super) fn run_after(&self, epoch: u32, position: u64, length_max: u32) -> Vec<Entry> {
        let entries = self.epochs.get(&epoch).map_or(&[][..], |epoch| &epoch.entries);
        let at = entries.partition_point(|entry| entry.position <= position);
        let mut run: Vec<Entry> = Vec::new();
        for entry in entries[at..].iter().filter(|entry| entry.live) {
            let Some((first, last)) = run.first().zip(run.last()) else {
                run.push(entry.clone());
                continue;
            };
            if !entry.is_near(last) || entry.end() - first.closing.offset > length_max {
                break;
            }
            run.push(entry.clone());
        }
        run
    }

    /// The first of these instances, and those that follow it there as they follow each other in the
    /// journal, like [`Index::run_after`]. Empty if the first is not live.
    pub(super) fn run_of(&self, ids: &[ReceiveId], length_max: u32) -> Vec<Entry> {
        let mut run: Vec<Entry> = Vec::new();
        for entry in ids.iter().map_while(|id| self.get(*id)) {
            if let Some((first, last)) = run.first().zip(run.last())
                && (!entry.is_near(last) || entry.end() - first.closing.offset > length_max)
            {
                break;
            }
            run.push(entry);
        }
        run
    }

    /// Epoch and position of the newest live instances, newest first.
    pub(super) fn newest(&self, limit: usize) -> Vec<(u32, u64)> {
        let newest = self.epochs.iter().rev();
        let all =
            newest.flat_map(|(epoch, all)| all.entries.iter().rev().map(|entry| (*epoch, entry)));
        all.filter(|(_, e)| e.live).map(|(epoch, e)| (epoch, e.position)).take(limit).collect()
    }

    /// Epochs with instances, oldest first.
    pub(super) fn epochs(&self) -> Vec<u32> {
        self.epochs.keys().copied().collect()
    }
}

//! Copying forward: what still lives in a segment that is mostly dead is written again at the head.
//!
//! Data records first, then a closing record that says that it is a copy's; when that is durable the
//! copy counts, and what it replaces is dead. A crash in between leaves the instance where it was.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};

use super::aligned::AlignedBuffer;
use super::closing::{self, Copied, Extent};
use super::committer::{Committer, Request};
use super::error::JournalError;
use super::index::{Entry, Index};
use super::log::{Log, Purpose};
use super::medium::WriteMode;
use super::reader::{self, Kept, Pinned};
use super::record::{Kind, Place, RECORD_HEADER_LENGTH, record_length};
use crate::instance::{NodeId, ReceiveId};
use crate::limits::{
    BLOCK_LENGTH, COPY_AGE_SHARE, COPY_FILL_LEAST, COPY_FILL_URGENT, COPY_LIVE_SHARE_MAX,
    COPY_SEGMENTS_AT_ONCE,
};

/// Closing records that are made durable at once, bytes.
const BATCH_LENGTH_MAX: usize = 1 << 20;

/// What one round of tending did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tended {
    /// Instances that were copied forward.
    pub copied_instances: u64,
    /// Bytes of their records.
    pub copied_bytes: u64,
    /// Bytes of free segments that were overwritten.
    pub overwritten_bytes: u64,
    /// What turned out not to be as it was written, and was therefore not copied.
    pub damaged: Vec<(ReceiveId, JournalError)>,
}

/// An instance that is being copied forward: its records are, its closing record is not yet.
pub(super) struct Moving {
    pub(super) id: ReceiveId,
    /// What it was when it was copied.
    pub(super) from: Entry,
    pub(super) kept: Kept,
    /// Where its blocks lie from now on.
    pub(super) extents: Vec<Extent>,
    /// Those of them that are new.
    pub(super) fresh: Vec<Extent>,
    /// Those of before that are needed no more.
    pub(super) stale: Vec<Extent>,
}

impl Moving {
    /// The closing record of the copy.
    pub(super) fn payload(&self) -> Result<Vec<u8>, JournalError> {
        let Self { id, from, kept, extents, .. } = self;
        let number = from.copies.saturating_add(1);
        let copied = Copied { number, from: from.closing, length: from.length };
        let mut payload = Vec::new();
        let (said, tail) = (&kept.particulars, &kept.tail);
        closing::encode_copy(*id, Some(copied), said, extents, tail, &mut payload)?;
        Ok(payload)
    }

    /// The copy is not to be: what was written of it is dead.
    pub(super) fn give_up(&self, log: &Log) {
        log.release_data(&self.fresh);
    }

    /// About what its closing record takes.
    fn closing_length(&self) -> usize {
        record_length(self.from.length as usize + self.fresh.len() * 16)
    }

    fn bytes(&self) -> u64 {
        let data: u64 = self.fresh.iter().map(Extent::bytes).sum();
        data + u64::from(self.from.length)
    }
}

/// Copies forward; one thread at a time.
pub(super) struct Copier {
    log: Arc<Log>,
    index: Arc<Mutex<Index>>,
    committer: Arc<Committer>,
    node: NodeId,
    /// Damaged: never copied, and so they keep their segments.
    unfit: HashSet<ReceiveId>,
    memory: AlignedBuffer,
}

/// A segment to be emptied: everything that lives in it is an instance that can be copied.
struct Victim {
    segment: u32,
    ids: Vec<ReceiveId>,
}

impl Copier {
    pub(super) fn new(
        log: Arc<Log>,
        index: Arc<Mutex<Index>>,
        committer: Arc<Committer>,
        node: NodeId,
    ) -> Self {
        let memory = AlignedBuffer::new(BLOCK_LENGTH);
        Self { log, index, committer, node, unfit: HashSet::new(), memory }
    }

    /// When room is short: empties some of the segments that are old and mostly dead.
    pub(super) fn run(&mut self, tended: &mut Tended) -> Result<(), JournalError> {
        self.log.writable()?;
        if self.log.mode == WriteMode::Buffered {
            // What ended after its upload was given up waits for a sync that nobody else asks for.
            self.log.sync_completed()?;
        }
        for Victim { segment, ids } in self.victims() {
            self.empty(segment, &ids, tended)?;
        }
        Ok(())
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn victims(&self) -> Vec<Victim> {
        let (candidates, most) = self.candidates();
        let mut victims: BTreeMap<u32, (u64, Vec<ReceiveId>)> =
            candidates.iter().map(|(segment, _)| (*segment, (0, Vec::new()))).collect();
        for (epoch, entry) in self.index().all() {
            let id = ReceiveId { node: self.node, epoch, position: entry.position };
            for (segment, bytes) in entry.segments() {
                if let Some((sum, ids)) = victims.get_mut(&segment) {
                    *sum += bytes;
                    ids.push(id);
                }
            }
        }
        // What else lives there, of uploads, discards or the damaged, would keep it all the same.
        let whole = candidates.into_iter().filter_map(|(segment, live)| {
            let (sum, mut ids) = victims.remove(&segment)?;
            ids.dedup();
            let fit = sum == live && !ids.iter().any(|id| self.unfit.contains(id));
            fit.then_some(Victim { segment, ids })
        });
        whole.take(most).collect()
    }

    /// Segments with their live bytes, the least first, and how many of them may be emptied now: one
    /// less than can be written, so that the records that end instances find theirs, but the last
    /// one is worth a whole one.
    fn candidates(&self) -> (Vec<(u32, u64)>, usize) {
        let state = self.log.state();
        let room = state.table.room();
        let Some(head) = state.head.filter(|_| room.fill >= COPY_FILL_LEAST) else {
            return (Vec::new(), 0);
        };
        let age = match room.fill < COPY_FILL_URGENT {
            true => (state.table.count() as u32 / COPY_AGE_SHARE).max(2),
            false => 1,
        };
        let before = (head.generation.generation + 1).saturating_sub(age);
        let most = match room.free_segments as usize {
            few @ 0..=1 => few,
            many => (many - 1).min(COPY_SEGMENTS_AT_ONCE),
        };
        (state.table.mostly_dead(before, COPY_LIVE_SHARE_MAX), most)
    }

    fn empty(
        &mut self,
        segment: u32,
        ids: &[ReceiveId],
        tended: &mut Tended,
    ) -> Result<(), JournalError> {
        let mut batch: Vec<Moving> = Vec::new();
        for id in ids {
            match self.copy(*id, segment) {
                Ok(moving) => batch.extend(moving),
                Err(error @ JournalError::Rot { .. }) => {
                    self.unfit.insert(*id);
                    tended.damaged.push((*id, error));
                }
                Err(error) => {
                    self.commit(batch, tended)?;
                    return Err(error);
                }
            }
            if batch.iter().map(Moving::closing_length).sum::<usize>() >= BATCH_LENGTH_MAX {
                self.commit(std::mem::take(&mut batch), tended)?;
            }
        }
        self.commit(batch, tended)
    }

    fn commit(&self, batch: Vec<Moving>, tended: &mut Tended) -> Result<(), JournalError> {
        if batch.is_empty() {
            return Ok(());
        }
        let (many, bytes) = (batch.len() as u64, batch.iter().map(Moving::bytes).sum::<u64>());
        let (reply, answer) = mpsc::channel();
        self.committer.push(Request::Copied(batch, reply), &self.log);
        answer.recv().unwrap_or(Err(JournalError::Closed))?;
        tended.copied_instances += many;
        tended.copied_bytes += bytes;
        Ok(())
    }

    /// Copies the blocks that lie in the segment; none if the instance is gone.
    fn copy(&mut self, id: ReceiveId, segment: u32) -> Result<Option<Moving>, JournalError> {
        let (log, index) = (self.log.clone(), self.index.clone());
        let Some(pinned) = reader::pinned(&log, &index, id, true)? else { return Ok(None) };
        let places: Vec<Place> = pinned.kept.extents.iter().flat_map(Extent::places).collect();
        let (mut to, mut fresh, mut stale) = (places.clone(), Vec::new(), Vec::new());
        for (number, place) in places.into_iter().enumerate() {
            if place.segment != segment {
                continue;
            }
            match self.copy_block(&pinned, place, number as u32) {
                Ok(copied) => {
                    to[number] = copied;
                    fresh.push(copied);
                    stale.push(place);
                }
                Err(error) => {
                    self.give_up(&Extent::of_places(fresh));
                    return Err(error);
                }
            }
        }
        let (extents, fresh) = (Extent::of_places(to), Extent::of_places(fresh));
        let (from, kept, stale) = (pinned.entry, pinned.kept, Extent::of_places(stale));
        Ok(Some(Moving { id, from, kept, extents, fresh, stale }))
    }

    fn give_up(&self, fresh: &[Extent]) {
        self.log.release_data(fresh);
        if self.log.mode == WriteMode::Buffered {
            self.committer.push(Request::Sync, &self.log);
        }
    }

    /// Reads, checks and writes one block; where it lies now. It stays the same block of the same
    /// upload, so its header says the epoch in which it was received.
    fn copy_block(
        &mut self,
        pinned: &Pinned,
        place: Place,
        number: u32,
    ) -> Result<Place, JournalError> {
        let read = reader::read_block(&self.log, pinned, place, number, &mut self.memory)?;
        let region = self.log.allocate(Purpose::Copy, &[BLOCK_LENGTH as u32])?;
        let mut header = region.header(Kind::Data, read.epoch, read.payload_length);
        (header.upload, header.index) = (read.upload, read.index);
        let encoded = header.encode(&self.memory[RECORD_HEADER_LENGTH..]);
        self.memory[..RECORD_HEADER_LENGTH].copy_from_slice(&encoded);
        self.log.write(region, &[&self.memory], false)?;
        Ok(region.place)
    }
}

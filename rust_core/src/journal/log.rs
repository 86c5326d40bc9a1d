//! The log: its head, where the next record goes, and how far everything is durable.
//!
//! A place is given out at the moment its write is submitted, so that every place below the head is
//! written or being written; `durable_through` is the lowest place that is not known durable yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::aligned::AlignedBuffer;
use super::closing::Extent;
use super::error::JournalError;
use super::medium::{Medium, WriteMode};
use super::record::{FORMAT_VERSION, Generation, Header, Kind, Place, RECORD_HEADER_LENGTH};
use super::segments::{SegmentTable, Use};
use crate::limits::JOURNAL_ALIGNMENT;

/// What a place is wanted for: the last segments are kept for what ends instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Data blocks of instances.
    Data,
    /// Copies of them: may take the last segment, for they give one back.
    Copy,
    /// Closing and discard records.
    Decision,
}

/// A generation that is open for appending.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) generation: Generation,
    pub(super) offset: u32,
}

/// A region given out, to be written at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Region {
    pub(super) place: Place,
    pub(super) nonce: u64,
    pub(super) durable_through: u64,
    pub(super) length: u32,
    /// How many of the wanted records fit, from the front.
    pub(super) records: usize,
}

/// What the lock covers.
pub(super) struct State {
    pub(super) table: SegmentTable,
    pub(super) head: Option<Head>,
    pub(super) prepared: Option<Head>,
    pub(super) preparing: bool,
    pub(super) next_generation: u32,
    /// Places not known durable: lsn to segment.
    outstanding: BTreeMap<u64, u32>,
    /// Of those, the buffered writes that completed and wait for a sync.
    completed: Vec<(u64, u32)>,
    pub(super) read_only: Option<Arc<str>>,
    pub(super) stopping: bool,
}

/// The log, shared by all threads of the journal.
pub(super) struct Log {
    pub(super) medium: Arc<dyn Medium>,
    pub(super) mode: WriteMode,
    pub(super) epoch: u32,
    pub(super) reserve_segments: u32,
    pub(super) fill_max: f64,
    state: Mutex<State>,
    changed: Condvar,
    poisoned: AtomicBool,
    /// Held during a sync, so that no one takes "nothing waits" for "everything is durable".
    syncing: Mutex<()>,
}

impl State {
    pub(super) fn new(table: SegmentTable, next_generation: u32) -> Self {
        Self {
            table,
            head: None,
            prepared: None,
            preparing: false,
            next_generation,
            outstanding: BTreeMap::new(),
            completed: Vec::new(),
            read_only: None,
            stopping: false,
        }
    }

    /// The lowest lsn that is not known durable.
    pub(super) fn durable_through(&self) -> u64 {
        let head = self.head.map_or(0, |head| head.place().lsn());
        // What is held ahead of the head says nothing of what lies between.
        self.outstanding.first_key_value().map_or(head, |(lsn, _)| head.min(*lsn))
    }

    /// A place outside the head that is about to be written.
    pub(super) fn hold(&mut self, place: Place) {
        self.outstanding.insert(place.lsn(), place.segment);
    }

    /// It was written, durably.
    pub(super) fn let_go(&mut self, place: Place) {
        self.outstanding.remove(&place.lsn());
    }

    /// What can still become the head.
    fn next_may_come(&self) -> bool {
        let unmade = self.table.unmade() > 0 && self.table.making_refused.is_none();
        self.preparing || self.table.free_made() > 0 || unmade
    }

    fn give(&mut self, length: u32, records: usize) -> Option<Region> {
        let head = self.head.as_mut()?;
        let (place, nonce) = (head.place(), head.generation.nonce);
        head.offset += length;
        let end = head.offset;
        let lsn = place.lsn();
        // Before the region counts as outstanding itself: it is not below itself.
        let outstanding = self.outstanding.first_key_value();
        let durable_through = outstanding.map_or(lsn, |(first, _)| lsn.min(*first));
        self.outstanding.insert(lsn, place.segment);
        self.table.write_begins(place.segment, end);
        Some(Region { place, nonce, durable_through, length, records })
    }

    /// As many of `lengths`, from the front, as the head's remainder takes.
    fn fitting(&self, lengths: &[u32]) -> (u32, usize) {
        let room = self.head.map_or(0, |head| self.table.segment_length - head.offset);
        let mut taken = (0, 0);
        for length in lengths {
            match taken.0 + length {
                sum if sum <= room => taken = (sum, taken.1 + 1),
                _ => break,
            }
        }
        taken
    }

    /// Leaves the head for the prepared segment; returns the remainder, which needs an end record.
    fn switch(&mut self) -> Option<Region> {
        let next = self.prepared.take()?;
        let remainder = self.head.map_or(0, |head| self.table.segment_length - head.offset);
        let end = if remainder > 0 { self.give(remainder, 0) } else { None };
        if let Some(old) = self.head.replace(next) {
            self.table.set_state(old.generation.segment, Use::Used);
        }
        self.table.set_state(next.generation.segment, Use::Head);
        end
    }
}

impl Head {
    pub(super) fn place(&self) -> Place {
        let Generation { segment, generation, .. } = self.generation;
        Place { segment, generation, offset: self.offset }
    }
}

impl Log {
    pub(super) fn new(
        medium: Arc<dyn Medium>,
        epoch: u32,
        reserve_segments: u32,
        fill_max: f64,
        state: State,
    ) -> Self {
        let mode = medium.report().mode;
        let (state, changed) = (Mutex::new(state), Condvar::new());
        let poisoned = AtomicBool::new(false);
        let syncing = Mutex::default();
        Self { medium, mode, epoch, reserve_segments, fill_max, state, changed, poisoned, syncing }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wait_a_second<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let second = std::time::Duration::from_secs(1);
        match self.changed.wait_timeout(state, second) {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        }
    }

    pub(super) fn notify(&self) {
        self.changed.notify_all();
    }

    /// Whether nothing may be written any more.
    pub(super) fn writable(&self) -> Result<(), JournalError> {
        if !self.poisoned.load(Ordering::Acquire) {
            return Ok(());
        }
        let why = self.state().read_only.clone().unwrap_or_else(|| "poisoned".into());
        Err(JournalError::ReadOnly(why))
    }

    /// After a failed write or sync nothing is known of the segment, and nothing is retried (P9).
    pub(super) fn poison(&self, why: &str) -> JournalError {
        let mut state = self.state();
        let why = state.read_only.get_or_insert_with(|| why.into()).clone();
        self.poisoned.store(true, Ordering::Release);
        drop(state);
        self.notify();
        JournalError::ReadOnly(why)
    }

    /// Whether a new instance may begin: below the fill limit, and the reserve untouched.
    pub(super) fn admits(&self) -> Result<(), JournalError> {
        self.writable()?;
        let state = self.state();
        if state.stopping {
            return Err(JournalError::Closed);
        }
        let room = state.table.room();
        let admitted = room.fill < self.fill_max && room.free_segments >= self.reserve_segments;
        if admitted { Ok(()) } else { Err(state.table.shortage()) }
    }

    /// A region for as many of the records of `lengths` as fit behind each other, at least one.
    ///
    /// Every region that is returned must be written and reported by [`Log::written`] at once.
    pub(super) fn allocate(
        &self,
        purpose: Purpose,
        lengths: &[u32],
    ) -> Result<Region, JournalError> {
        let (region, end) = self.allocate_inner(purpose, lengths)?;
        if let Some(end) = end {
            self.write_end(end)?;
        }
        Ok(region)
    }

    fn allocate_inner(
        &self,
        purpose: Purpose,
        lengths: &[u32],
    ) -> Result<(Region, Option<Region>), JournalError> {
        let mut end = None;
        let mut state = self.state();
        loop {
            if let Some(why) = &state.read_only {
                return Err(JournalError::ReadOnly(why.clone()));
            }
            let (length, records) = state.fitting(lengths);
            if records > 0 {
                let region = state.give(length, records).ok_or(JournalError::Full)?;
                let kept = u64::from(region.length);
                state.table.keep(region.place.segment, records as u32, kept);
                return Ok((region, end));
            }
            // Data leaves one segment to the records that end instances.
            if purpose == Purpose::Data && state.table.writable() < 2 {
                return Err(state.table.shortage());
            }
            if state.prepared.is_some() {
                end = state.switch().or(end);
                self.notify();
            } else if state.next_may_come() {
                state = self.wait(state);
            } else {
                return Err(state.table.shortage());
            }
        }
    }

    /// Fills the remainder of a segment that was left.
    pub(super) fn write_end(&self, region: Region) -> Result<(), JournalError> {
        let Place { segment, generation, offset } = region.place;
        let generation = Generation { segment, generation, nonce: region.nonce };
        let record = void(generation, offset, None, self.epoch, region.durable_through);
        self.write(region, &[&record], true)
    }

    /// Leaves the head for good, with an end record that says how far everything is durable.
    pub(super) fn close_head(&self) -> Result<(), JournalError> {
        let region = {
            let mut state = self.state();
            let head = state.head.filter(|_| state.read_only.is_none());
            let rest = head.map_or(0, |head| state.table.segment_length - head.offset);
            if rest > 0 { state.give(rest, 0) } else { None }
        };
        region.map_or(Ok(()), |region| self.write_end(region))
    }

    /// Overwrites closing records that were discarded; durable when it returns.
    pub(super) fn write_voids(&self, closings: &[(Place, u32)]) -> Result<(), JournalError> {
        closings.iter().try_for_each(|(place, covered)| self.write_void(*place, *covered))?;
        let segments: BTreeSet<u32> = closings.iter().map(|(place, _)| place.segment).collect();
        segments.into_iter().try_for_each(|segment| {
            let synced = self.medium.sync(segment);
            synced.map_err(|error| self.poison(&format!("sync of segment {segment}: {error}")))
        })
    }

    fn write_void(&self, place: Place, covered: u32) -> Result<(), JournalError> {
        let Place { segment, generation, offset } = place;
        let nonce = self.state().table.get(segment).map_or(0, |found| found.nonce);
        let generation = Generation { segment, generation, nonce };
        let record = void(generation, offset, Some(covered), self.epoch, 0);
        let written = self.medium.write(segment, u64::from(offset), &[&record], false);
        written.map_err(|error| self.poison(&format!("write to segment {segment}: {error}")))
    }

    /// Writes a region. In buffered mode a write that is not `durable` waits for the next sync.
    pub(super) fn write(
        &self,
        region: Region,
        pieces: &[&[u8]],
        durable: bool,
    ) -> Result<(), JournalError> {
        let durable = durable || self.mode == WriteMode::Direct;
        let Place { segment, offset, .. } = region.place;
        let written = self.medium.write(segment, u64::from(offset), pieces, durable);
        if let Err(error) = written {
            return Err(self.poison(&format!("write to segment {segment}: {error}")));
        }
        self.written(region.place, durable);
        Ok(())
    }

    fn written(&self, place: Place, durable: bool) {
        let mut state = self.state();
        if durable {
            state.outstanding.remove(&place.lsn());
            state.table.write_ended(place.segment);
            drop(state);
            self.notify();
        } else {
            state.completed.push((place.lsn(), place.segment));
        }
    }

    /// What an instance or a discard kept is needed no more.
    pub(super) fn release(&self, record: Place, length: u32, extents: &[Extent]) {
        self.state().table.release(record, 1, u64::from(length));
        self.release_data(extents);
    }

    /// Data records that nobody needs any more.
    pub(super) fn release_data(&self, extents: &[Extent]) {
        let mut state = self.state();
        for extent in extents {
            state.table.release(extent.first(), extent.blocks, extent.bytes());
        }
        drop(state);
        self.notify();
    }

    /// Makes durable what completed before this call (buffered mode; nothing to do in direct mode).
    pub(super) fn sync_completed(&self) -> Result<(), JournalError> {
        let _alone = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        self.writable()?;
        let completed = std::mem::take(&mut self.state().completed);
        let segments: BTreeSet<u32> = completed.iter().map(|(_, segment)| *segment).collect();
        for segment in segments {
            if let Err(error) = self.medium.sync(segment) {
                return Err(self.poison(&format!("sync of segment {segment}: {error}")));
            }
        }
        let mut state = self.state();
        for (lsn, segment) in completed {
            state.outstanding.remove(&lsn);
            state.table.write_ended(segment);
        }
        drop(state);
        self.notify();
        Ok(())
    }
}

impl Region {
    /// A header at the region's start.
    pub(super) fn header(&self, kind: Kind, epoch: u32, payload_length: u32) -> Header {
        Header {
            kind,
            version: FORMAT_VERSION,
            place: self.place,
            payload_length,
            epoch,
            durable_through: self.durable_through,
            nonce: self.nonce,
            upload: 0,
            index: 0,
        }
    }
}

/// A void record over `covered` bytes; without, an end record, which covers the whole rest.
pub(super) fn void(
    generation: Generation,
    offset: u32,
    covered: Option<u32>,
    epoch: u32,
    durable_through: u64,
) -> AlignedBuffer {
    let payload = covered.map_or(Vec::new(), |covered| covered.to_le_bytes().to_vec());
    let place = Place { segment: generation.segment, generation: generation.generation, offset };
    let header = Header {
        kind: if covered.is_some() { Kind::Void } else { Kind::End },
        version: FORMAT_VERSION,
        place,
        payload_length: payload.len() as u32,
        epoch,
        durable_through: durable_through.min(place.lsn()),
        nonce: generation.nonce,
        upload: 0,
        index: 0,
    };
    let mut record = AlignedBuffer::new(JOURNAL_ALIGNMENT);
    record[..RECORD_HEADER_LENGTH].copy_from_slice(&header.encode(&payload));
    record[RECORD_HEADER_LENGTH..][..payload.len()].copy_from_slice(&payload);
    record
}

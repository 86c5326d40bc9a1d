//! Recovery: everything the journal knows, from its segments alone.
//!
//! `M` is the highest `durable_through` of any whole record: every place below it was once known
//! durable. So what is bad below `M` is rot, and the node must stop; what is bad above is a write
//! that the power cut tore, and is skipped. Torn regions are then marked (void and end records), for
//! the next generation's records will raise `M` above them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::aligned::AlignedBuffer;
use super::closing::Extent;
use super::error::JournalError;
use super::index::{Entry, Index};
use super::log::State;
use super::medium::Medium;
use super::record::{
    FIRST_RECORD_OFFSET, Header, Kind, Place, RECORD_HEADER_LENGTH, VOID_PAYLOAD_LENGTH,
};
use super::scan::{Found, FoundClosing, Scanned, scan};
use super::segments::{Segment, SegmentTable, Use};
use crate::instance::{NodeId, ReceiveId, Verdict};
use crate::limits::{BLOCK_LENGTH, JOURNAL_ALIGNMENT};

const SCANNERS_MAX: usize = 4;

/// An instance whose closing record is whole while a block, never known durable, is not.
///
/// It was never answered 0000H by a medium that keeps its word; it is an incident, and its closing
/// record is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Its receive id.
    pub receive_id: ReceiveId,
    /// The first block that is missing.
    pub place: Place,
}

/// What recovery found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Live instances in position order per epoch; particulars by `Journal::instance`.
    pub instances: Vec<(ReceiveId, Verdict)>,
    /// Incidents.
    pub damaged: Vec<Damaged>,
    /// Instances whose blocks were overwritten by a newer generation.
    pub forgotten: u64,
    /// Instances taken back by discard records.
    pub discarded: u64,
    /// The highest epoch of any record, 0 in a new journal.
    pub epoch_highest: u32,
    /// The highest generation seen.
    pub generation_highest: u32,
    /// Every log address below was known durable.
    pub durable_through: u64,
    /// Segments with a generation.
    pub segments: u32,
    /// Torn bytes that were skipped, the unwritten rest of the last segment included.
    pub torn_bytes: u64,
    /// Whole data records found.
    pub data_records: u64,
}

/// What the journal starts from.
pub(super) struct Recovered {
    pub(super) state: State,
    pub(super) index: Index,
    pub(super) recovery: Recovery,
}

type Generations = BTreeMap<u32, Scanned>;

/// Scans, judges, repairs.
pub(super) fn recover(
    medium: &dyn Medium,
    node: NodeId,
    epoch: u32,
    mut table: SegmentTable,
) -> Result<Recovered, JournalError> {
    let found = scan_all(medium, node, table.segment_length)?;
    let mut generations = Generations::new();
    for (segment, found) in found {
        match found {
            Found::Fresh => table.enter(segment, Segment::fresh()),
            Found::Generation(scanned) => drop(generations.insert(segment, *scanned)),
            Found::Headless { offset } => {
                let what = "records without a segment header";
                return Err(JournalError::Rot { segment, offset, generation: 0, what });
            }
        }
    }
    let mut recovery = summary(&generations)?;
    if epoch <= recovery.epoch_highest {
        return Err(JournalError::Epoch { highest: recovery.epoch_highest });
    }
    no_rot(&generations, recovery.durable_through)?;
    for (id, scanned) in &generations {
        table.enter(*id, scanned.segment(table.segment_length));
    }
    let mut state = State::new(table, 0);
    let index = instances(&generations, &mut state, &mut recovery)?;
    repair(medium, &generations, epoch, &mut recovery, &state)?;
    generations.keys().for_each(|id| state.table.settle(*id));
    state.next_generation = recovery
        .generation_highest
        .checked_add(1)
        .ok_or(JournalError::Config("generations are used up"))?;
    Ok(Recovered { state, index, recovery })
}

fn scan_all(
    medium: &dyn Medium,
    node: NodeId,
    length: u32,
) -> Result<Vec<(u32, Found)>, JournalError> {
    let segments = medium.segments().map_err(|e| JournalError::io("listing segments", &e))?;
    if segments.iter().any(|(_, found)| *found != u64::from(length)) {
        return Err(JournalError::Config("a segment has another length than configured"));
    }
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((segment, _)) = segments.get(next.fetch_add(1, Ordering::Relaxed)) {
            // After a crash of the process alone, what is read may not be durable yet: believing
            // it would make tomorrow's power cut look like rot.
            let synced = medium.sync(*segment).map_err(|e| JournalError::io("sync at start", &e));
            let found = synced.and_then(|()| scan(medium, *segment, length, node));
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.push(found.map(|found| (*segment, found)));
        }
    };
    std::thread::scope(|scope| {
        (0..SCANNERS_MAX.min(segments.len())).for_each(|_| drop(scope.spawn(work)));
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().collect()
}

fn summary(generations: &Generations) -> Result<Recovery, JournalError> {
    let mut recovery = Recovery { segments: generations.len() as u32, ..Recovery::default() };
    let mut seen = HashSet::new();
    for (segment, scanned) in generations {
        let generation = scanned.generation.generation;
        if !seen.insert(generation) {
            let what = "two segments hold one generation";
            return Err(JournalError::Rot { segment: *segment, offset: 0, generation, what });
        }
        let named = (scanned.durable_through >> 32) as u32;
        recovery.generation_highest = recovery.generation_highest.max(generation).max(named);
        recovery.epoch_highest = recovery.epoch_highest.max(scanned.epoch);
        recovery.durable_through = recovery.durable_through.max(scanned.durable_through);
        recovery.data_records += scanned.data.len() as u64;
    }
    Ok(recovery)
}

fn no_rot(generations: &Generations, durable_through: u64) -> Result<(), JournalError> {
    for (segment, scanned) in generations {
        let generation = scanned.generation.generation;
        let place = |offset| Place { segment: *segment, generation, offset };
        let rotten = scanned.gaps.iter().find(|(start, _)| place(*start).lsn() < durable_through);
        if let Some((offset, _)) = rotten {
            let (segment, offset) = (*segment, *offset);
            let what = "a record that was known durable is damaged";
            return Err(JournalError::Rot { segment, offset, generation, what });
        }
    }
    Ok(())
}

/// What became of a closing record's extents.
enum Fate {
    Whole,
    Forgotten,
    Damaged(Place),
}

fn fate(
    generations: &Generations,
    closing: &FoundClosing,
    durable_through: u64,
) -> Result<Fate, JournalError> {
    let places = closing.extents.iter().flat_map(Extent::places);
    for (index, place) in places.enumerate() {
        let Place { segment, generation, offset } = place;
        let holder = generations.get(&segment);
        let holds = holder.map_or(0, |scanned| scanned.generation.generation);
        if holds > generation {
            return Ok(Fate::Forgotten);
        }
        let there = holder.filter(|_| holds == generation).is_some_and(|scanned| {
            scanned.holds(offset, closing.receive_id.epoch, closing.upload, index as u32)
        });
        if there {
            continue;
        }
        let torn = holder.is_some_and(|scanned| scanned.was_torn(generation, offset));
        if torn || place.lsn() >= durable_through {
            return Ok(Fate::Damaged(place));
        }
        let what = "a block of a live instance is not where its closing record says";
        return Err(JournalError::Rot { segment, offset, generation, what });
    }
    Ok(Fate::Whole)
}

fn instances(
    generations: &Generations,
    state: &mut State,
    recovery: &mut Recovery,
) -> Result<Index, JournalError> {
    let discarded: HashSet<ReceiveId> = generations
        .values()
        .flat_map(|scanned| &scanned.discards)
        .flat_map(|found| found.discard.receive_ids.iter().copied())
        .collect();
    let mut closings: Vec<(&Scanned, &FoundClosing)> = generations
        .values()
        .flat_map(|scanned| scanned.closings.iter().map(move |closing| (scanned, closing)))
        .collect();
    closings.sort_by_key(|(_, closing)| (closing.receive_id.epoch, closing.receive_id.position));
    let mut index = Index::default();
    let mut last = None;
    for (scanned, closing) in &closings {
        let place = scanned.place(closing.offset);
        let id = closing.receive_id;
        if last.replace(id) == Some(id) {
            let what = "two closing records with one receive id";
            let Place { segment, generation, offset } = place;
            return Err(JournalError::Rot { segment, offset, generation, what });
        }
        if discarded.contains(&id) {
            recovery.discarded += 1;
            continue;
        }
        match fate(generations, closing, recovery.durable_through)? {
            Fate::Forgotten => {
                recovery.forgotten += 1;
                continue;
            }
            Fate::Damaged(missing) => {
                recovery.damaged.push(Damaged { receive_id: id, place: missing });
            }
            Fate::Whole => {
                index.push(
                    id.epoch,
                    Entry::new(id.position, place, closing.length, closing.verdict),
                );
                recovery.instances.push((id, closing.verdict));
            }
        }
        state.table.keep(place.segment, 1, u64::from(closing.length));
        for extent in &closing.extents {
            let bytes = u64::from(extent.blocks) * BLOCK_LENGTH as u64;
            state.table.keep(extent.segment, extent.blocks, bytes);
        }
    }
    hold_discards(generations, &closings, state);
    Ok(index)
}

/// A discard record must outlive the closing records that it takes back.
fn hold_discards(
    generations: &Generations,
    closings: &[(&Scanned, &FoundClosing)],
    state: &mut State,
) {
    let key = |id: ReceiveId| (id.epoch, id.position);
    for scanned in generations.values() {
        for found in &scanned.discards {
            let holders = found.discard.receive_ids.iter().filter_map(|id| {
                let at =
                    closings.binary_search_by_key(&key(*id), |(_, c)| key(c.receive_id)).ok()?;
                Some(closings[at].0.generation.generation)
            });
            let (place, length) = (scanned.place(found.offset), u64::from(found.length));
            let holders: BTreeSet<u32> = holders.collect();
            state.table.keep(place.segment, 1, length);
            state.hold_discard(place, length, holders);
        }
    }
}

/// Marks what was torn, so that it is known as such once `M` has passed it.
fn repair(
    medium: &dyn Medium,
    generations: &Generations,
    epoch: u32,
    recovery: &mut Recovery,
    state: &State,
) -> Result<(), JournalError> {
    for (segment, scanned) in generations {
        for (start, end) in &scanned.gaps {
            recovery.torn_bytes += u64::from(end - start);
            let covered = if *end == state.table.segment_length { None } else { Some(end - start) };
            let record = scanned.mark(*start, covered, epoch, recovery.durable_through);
            medium
                .write(*segment, u64::from(*start), &[&record], true)
                .map_err(|error| JournalError::io("marking a torn region", &error))?;
        }
    }
    Ok(())
}

impl Scanned {
    fn place(&self, offset: u32) -> Place {
        let (segment, generation) = (self.generation.segment, self.generation.generation);
        Place { segment, generation, offset }
    }

    fn segment(&self, length: u32) -> Segment {
        Segment::holding(Use::Used, self.generation, self.slot, self.written(length))
    }

    fn written(&self, length: u32) -> u32 {
        let torn_rest = self.gaps.last().filter(|(_, end)| *end == length);
        torn_rest.map_or(length, |(start, _)| (*start).max(FIRST_RECORD_OFFSET))
    }

    fn was_torn(&self, generation: u32, offset: u32) -> bool {
        let covers = |(start, end): &(u32, u32)| (*start..*end).contains(&offset);
        generation == self.generation.generation && self.voids.iter().any(covers)
    }

    /// A void record over `covered` bytes, or the end record.
    fn mark(&self, start: u32, covered: Option<u32>, epoch: u32, through: u64) -> AlignedBuffer {
        let payload = covered.map_or(Vec::new(), |covered| covered.to_le_bytes().to_vec());
        debug_assert!(payload.is_empty() || payload.len() == VOID_PAYLOAD_LENGTH);
        let place = self.place(start);
        let header = Header {
            kind: if covered.is_some() { Kind::Void } else { Kind::End },
            place,
            payload_length: payload.len() as u32,
            epoch,
            durable_through: through.min(place.lsn()),
            nonce: self.generation.nonce,
            upload: 0,
            index: 0,
        };
        let mut record = AlignedBuffer::new(JOURNAL_ALIGNMENT);
        record[..RECORD_HEADER_LENGTH].copy_from_slice(&header.encode(&payload));
        record[RECORD_HEADER_LENGTH..][..payload.len()].copy_from_slice(&payload);
        record
    }
}

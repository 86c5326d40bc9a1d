//! Recovery: everything the journal knows, from its segments alone.
//!
//! `M` is the highest `durable_through` of any whole record: every place below it was once known
//! durable. So what is bad below `M` is rot, and the node must stop; what is bad above is a write
//! that the power cut tore, and is skipped. Torn regions are then marked (void and end records), for
//! the next generation's records will raise `M` above them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::aligned::AlignedBuffer;
use super::closing::{self, Extent};
use super::error::JournalError;
use super::index::{Entry, Index};
use super::log::{State, void};
use super::medium::Medium;
use super::record::{
    FIRST_RECORD_OFFSET, FORMAT_VERSION_WITHOUT_ROSTER, Generation, Header, Place,
    RECORD_HEADER_LENGTH,
};
use super::roster::{self, Enrolled, FoundRoster, ROSTER, ROSTER_LENGTH};
use super::scan::{Found, FoundClosing, Scanned, scan};
use super::segments::{Segment, SegmentTable, Use};
use super::withdrawn::Withdrawn;
use crate::instance::{NodeId, Particulars, ReceiveId, Verdict};

const SCANNERS_MAX: usize = 4;

/// An instance whose closing record is whole while a block, never known durable, is not.
///
/// It was never answered 0000H by a medium that keeps its word; it is an incident, and its closing
/// record is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Its receive id.
    pub receive_id: ReceiveId,
    /// The first block that is missing.
    pub place: Place,
    /// What its closing record says of it.
    pub particulars: Particulars,
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
    /// The roster's slot that is to be written next; none if there is no roster yet.
    pub(super) roster_slot: Option<u32>,
}

pub(super) type Generations = BTreeMap<u32, Scanned>;

/// Scans, judges, repairs.
pub(super) fn recover(
    medium: &dyn Medium,
    node: NodeId,
    epoch: u32,
    mut table: SegmentTable,
) -> Result<Recovered, JournalError> {
    let (found, has_roster) = scan_all(medium, node, table.segment_length)?;
    let roster = if has_roster { roster::read(medium, node, table.segment_length)? } else { None };
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
    complete(roster.as_ref(), &generations)?;
    roster.iter().for_each(|found| recovery.heed(&found.header));
    if epoch <= recovery.epoch_highest {
        return Err(JournalError::Epoch { highest: recovery.epoch_highest });
    }
    let withdrawn = Withdrawn::of(&generations);
    let torn = torn(&generations, &withdrawn, recovery.durable_through)?;
    for (id, scanned) in &generations {
        table.enter(*id, scanned.segment(table.segment_length));
    }
    let mut state = State::new(table, 0);
    let found = instances(medium, &generations, &withdrawn, &mut state, &mut recovery)?;
    recovery.torn_bytes = torn.iter().map(|(_, (start, end))| u64::from(end - start)).sum();
    let overwrite = torn.into_iter().chain(withdrawn.whole(&generations)).chain(found.replaced);
    for (segment, region) in overwrite {
        generations[&segment].mark(medium, region, state.table.segment_length, epoch)?;
    }
    generations.keys().for_each(|id| state.table.settle(*id));
    state.next_generation = recovery
        .generation_highest
        .checked_add(1)
        .ok_or(JournalError::Config("generations are used up"))?;
    // Without one that is whole, either slot will do: nothing depends on what they hold.
    let next_slot = roster.map_or(0, |found| 1 - found.slot);
    let roster_slot = has_roster.then_some(next_slot);
    Ok(Recovered { state, index: found.index, recovery, roster_slot })
}

fn scan_all(
    medium: &dyn Medium,
    node: NodeId,
    length: u32,
) -> Result<(Vec<(u32, Found)>, bool), JournalError> {
    let mut segments = medium.segments().map_err(|e| JournalError::io("listing segments", &e))?;
    let roster = segments.iter().position(|(id, _)| *id == ROSTER).map(|at| segments.remove(at));
    if roster.is_some_and(|(_, found)| found != ROSTER_LENGTH) {
        return Err(JournalError::Config("the roster has another length than it is made with"));
    }
    if roster.is_some() {
        medium.sync(ROSTER).map_err(|e| JournalError::io("sync at start", &e))?;
    }
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
    Ok((results.into_iter().collect::<Result<_, _>>()?, roster.is_some()))
}

/// Checks that every segment holds what was once durable in it.
///
/// The roster is written before a generation's first record, so the other way round each generation
/// with records must be on it: else it is the roster that is gone, or of an older day.
fn complete(roster: Option<&FoundRoster>, generations: &Generations) -> Result<(), JournalError> {
    let said = roster.map_or(&[][..], |found| &found.roster.segments);
    for Enrolled { segment, generation, live_records } in said.iter().copied() {
        let holds = generations.get(&segment).map_or(0, |scanned| scanned.generation.generation);
        if holds < generation {
            return Err(JournalError::Gone { segment, generation, holds, live_records });
        }
    }
    for (id, scanned) in generations {
        let generation = scanned.generation.generation;
        let enrolled = roster.map_or(0, |found| found.roster.generation_of(*id)) >= generation;
        let since_rosters = scanned.version > FORMAT_VERSION_WITHOUT_ROSTER;
        if since_rosters && scanned.has_records() && !enrolled {
            let what = "the roster is gone, or older than a segment that holds records";
            return Err(JournalError::Rot { segment: ROSTER, offset: 0, generation, what });
        }
    }
    Ok(())
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

impl Recovery {
    /// The roster's own word for epochs, generations, and what was durable.
    fn heed(&mut self, roster: &Header) {
        self.epoch_highest = self.epoch_highest.max(roster.epoch);
        self.generation_highest = self.generation_highest.max(roster.place.generation);
        self.durable_through = self.durable_through.max(roster.durable_through);
    }
}

pub(super) type Region = (u32, u32);

/// The torn regions, if nothing among the gaps is rot.
fn torn(
    generations: &Generations,
    withdrawn: &Withdrawn,
    durable_through: u64,
) -> Result<Vec<(u32, Region)>, JournalError> {
    let mut torn = Vec::new();
    for (segment, scanned) in generations {
        let pieces = scanned.gaps.iter().flat_map(|gap| withdrawn.cut(*segment, *gap));
        for ((offset, end), withdrawn) in pieces {
            let place = scanned.place(offset);
            if !withdrawn && place.lsn() < durable_through {
                let (segment, generation) = (place.segment, place.generation);
                let what = "a record that was known durable is damaged";
                return Err(JournalError::Rot { segment, offset, generation, what });
            }
            torn.push((*segment, (offset, end)));
        }
    }
    Ok(torn)
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

/// The instances that were found, and closing records that a copy's replaces and that must go: those
/// of what was held apart, for a discard takes back the copy and does not know of them.
struct Instances {
    index: Index,
    replaced: Vec<(u32, Region)>,
}

type Candidate<'a> = (&'a Scanned, &'a FoundClosing);

/// All closing records, those of one receive id behind each other, the newest copy first.
fn candidates(generations: &Generations) -> Result<Vec<Candidate<'_>>, JournalError> {
    let closings = generations
        .values()
        .flat_map(|scanned| scanned.closings.iter().map(move |closing| (scanned, closing)));
    let mut closings: Vec<Candidate<'_>> = closings.collect();
    let order = |(_, closing): &Candidate<'_>| {
        let ReceiveId { epoch, position, node } = closing.receive_id;
        (epoch, position, node, Reverse(closing.copies()))
    };
    closings.sort_by_key(order);
    let same = |pair: &&[Candidate<'_>]| order(&pair[0]) == order(&pair[1]);
    if let Some([_, (scanned, closing)]) = closings.windows(2).find(same) {
        let what = "two closing records with one receive id";
        let Place { segment, offset, generation } = scanned.place(closing.offset);
        return Err(JournalError::Rot { segment, offset, generation, what });
    }
    Ok(closings)
}

/// Which closing record of an instance counts: the newest, or one of before if that copy is not whole
/// (which no medium that keeps its word leaves behind).
fn choose<'a, 'b>(
    generations: &Generations,
    copies: &'b [Candidate<'a>],
    durable_through: u64,
) -> Result<(&'b Candidate<'a>, Fate), JournalError> {
    let newest = fate(generations, copies[0].1, durable_through)?;
    if let Fate::Damaged(_) = newest {
        for earlier in &copies[1..] {
            if let Fate::Whole = fate(generations, earlier.1, durable_through)? {
                return Ok((earlier, Fate::Whole));
            }
        }
    }
    Ok((&copies[0], newest))
}

fn instances(
    medium: &dyn Medium,
    generations: &Generations,
    withdrawn: &Withdrawn,
    state: &mut State,
    recovery: &mut Recovery,
) -> Result<Instances, JournalError> {
    let mut found = Instances { index: Index::default(), replaced: Vec::new() };
    let candidates = candidates(generations)?;
    for copies in candidates.chunk_by(|a, b| a.1.receive_id == b.1.receive_id) {
        let id = copies[0].1.receive_id;
        if withdrawn.is_discarded(id) {
            recovery.discarded += 1;
            continue;
        }
        let ((scanned, closing), fate) = choose(generations, copies, recovery.durable_through)?;
        match fate {
            Fate::Forgotten => {
                recovery.forgotten += 1;
                continue;
            }
            Fate::Damaged(place) => {
                let particulars = scanned.particulars(medium, closing)?;
                recovery.damaged.push(Damaged { receive_id: id, place, particulars });
            }
            Fate::Whole => {
                let FoundClosing { length, verdict, extents, offset, .. } = closing;
                let entry =
                    Entry::new(id.position, scanned.place(*offset), *length, *verdict, extents);
                found.index.push(id.epoch, entry.copied(copies[0].1.copies()));
                found.replaced.extend(replaced(copies, closing));
                recovery.instances.push((id, *verdict));
            }
        }
        let segment = scanned.generation.segment;
        state.table.keep(segment, 1, u64::from(closing.length));
        for extent in &closing.extents {
            state.table.keep(extent.segment, extent.blocks, extent.bytes());
        }
    }
    Ok(found)
}

fn replaced(copies: &[Candidate<'_>], by: &FoundClosing) -> Vec<(u32, Region)> {
    let apart = copies.iter().filter(|_| by.verdict == Verdict::Quarantined);
    let before = apart.filter(|(_, closing)| closing.copies() < by.copies());
    before.map(|(scanned, closing)| (scanned.generation.segment, closing.region())).collect()
}

impl Scanned {
    fn place(&self, offset: u32) -> Place {
        let (segment, generation) = (self.generation.segment, self.generation.generation);
        Place { segment, generation, offset }
    }

    /// Reads a closing record again for what the scan does not keep.
    fn particulars(
        &self,
        medium: &dyn Medium,
        found: &FoundClosing,
    ) -> Result<Particulars, JournalError> {
        let Generation { segment, generation, .. } = self.generation;
        let mut bytes = AlignedBuffer::new(found.length as usize);
        let read = medium.read(segment, u64::from(found.offset), &mut bytes);
        read.map_err(|error| JournalError::io("reading a damaged instance", &error))?;
        let header = self.generation.check(found.offset, &bytes).ok();
        let payload = header.map(|h| &bytes[RECORD_HEADER_LENGTH..][..h.payload_length as usize]);
        let what = "a closing record reads otherwise the second time";
        let changed = JournalError::Rot { segment, offset: found.offset, generation, what };
        payload.and_then(closing::decode).map(|closing| closing.particulars).ok_or(changed)
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

    /// Marks a region as never (or no longer) holding anything, so that it is known as such once
    /// later records say that everything below them is durable.
    fn mark(
        &self,
        medium: &dyn Medium,
        (start, end): Region,
        length: u32,
        epoch: u32,
    ) -> Result<(), JournalError> {
        let covered = (end < length).then_some(end - start);
        let record = void(self.generation, start, covered, epoch, 0);
        let segment = self.generation.segment;
        medium
            .write(segment, u64::from(start), &[&record], true)
            .map_err(|error| JournalError::io("marking a torn region", &error))
    }
}

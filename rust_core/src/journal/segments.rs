//! The segment table: what each segment holds, what keeps it from being used again, and room.

use std::collections::{BTreeMap, VecDeque};

use super::error::JournalError;
use super::record::{FIRST_RECORD_OFFSET, Generation, Place};
use super::roster::Enrolled;
use crate::instance::Microseconds;

/// What a segment is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Holds nothing that lives; can be used again.
    Free,
    /// Its next generation is being opened, or is open and waits to become the head.
    Prepared,
    /// Records are appended here.
    Head,
    /// Full; waits until nothing in it lives.
    Used,
    /// Was free, and is being overwritten with zeros.
    Overwritten,
}

/// One segment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) state: Use,
    /// Generation it holds, 0 before the first.
    pub(super) generation: u32,
    pub(super) nonce: u64,
    /// Which of the two header slots holds that generation's header, if any.
    pub(super) slot: Option<u32>,
    /// End of the written part, bytes.
    pub(super) written: u32,
    /// Since when it is free, once that was noted.
    free_since: Option<Microseconds>,
    /// Nothing but zeros lies behind its header and end record.
    clean: bool,
    live_records: u32,
    live_bytes: u64,
    pins: u32,
    in_flight: u32,
}

impl Segment {
    pub(super) fn fresh() -> Self {
        Self {
            state: Use::Free,
            generation: 0,
            nonce: 0,
            slot: None,
            written: FIRST_RECORD_OFFSET,
            free_since: None,
            clean: true,
            live_records: 0,
            live_bytes: 0,
            pins: 0,
            in_flight: 0,
        }
    }

    /// A segment that holds a generation, with nothing entered as live yet.
    pub(super) fn holding(state: Use, generation: Generation, slot: u32, written: u32) -> Self {
        let Generation { generation, nonce, .. } = generation;
        Self { state, generation, nonce, slot: Some(slot), written, clean: false, ..Self::fresh() }
    }

    fn is_reusable(&self) -> bool {
        self.state == Use::Used && self.live_records == 0 && self.pins == 0 && self.in_flight == 0
    }
}

/// Segments that can be written are left so many of, whatever they hold.
const FREE_LEFT: u32 = 4;

/// How full the journal is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Room {
    /// All segments together, whether made yet or not, bytes.
    pub capacity: u64,
    /// Records that are kept, bytes.
    pub live_bytes: u64,
    /// Written records that nobody needs, in segments that still keep something, bytes.
    pub dead_bytes: u64,
    /// Segments that can be written, without the rest of the one being written.
    pub free_segments: u32,
    /// Share of the capacity that cannot be written, 0 to 1.
    pub fill: f64,
    /// All that could be written again since the start, bytes.
    pub freed_bytes: u64,
}

/// All segments.
#[derive(Debug)]
pub(super) struct SegmentTable {
    pub(super) segment_length: u32,
    segments: BTreeMap<u32, Segment>,
    /// Reusable ones, the longest free first.
    free: VecDeque<u32>,
    /// Ids that may still be made.
    unmade: VecDeque<u32>,
    /// Bytes of segments that became free.
    freed_bytes: u64,
    /// One is being made.
    making: bool,
    /// Why the medium would not make another one; tried again later.
    pub(super) making_refused: Option<JournalError>,
}

impl SegmentTable {
    pub(super) fn new(segment_length: u32, count: u32) -> Self {
        let unmade = (1..=count).collect();
        let (segments, free) = (BTreeMap::new(), VecDeque::new());
        Self {
            segment_length,
            segments,
            free,
            unmade,
            freed_bytes: 0,
            making: false,
            making_refused: None,
        }
    }

    /// Enters an existing segment (recovery, or just made); `Used` ones are freed by `settle`.
    pub(super) fn enter(&mut self, id: u32, segment: Segment) {
        self.unmade.retain(|unmade| *unmade != id);
        self.making = false;
        self.segments.insert(id, segment);
        if segment.state == Use::Free {
            self.free.push_back(id);
        }
    }

    pub(super) fn get(&self, id: u32) -> Option<&Segment> {
        self.segments.get(&id)
    }

    /// Every segment that holds a generation.
    pub(super) fn enrolled(&self) -> Vec<Enrolled> {
        let holding = self.segments.iter().filter(|(_, segment)| segment.generation > 0);
        let entry = |(id, found): (&u32, &Segment)| Enrolled {
            segment: *id,
            generation: found.generation,
            live_records: found.live_records,
        };
        holding.map(entry).collect()
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Segment> {
        self.segments.get_mut(&id)
    }

    pub(super) fn take_free(&mut self) -> Option<u32> {
        let id = self.free.pop_front()?;
        self.set_state(id, Use::Prepared);
        Some(id)
    }

    pub(super) fn take_unmade(&mut self) -> Option<u32> {
        let id = self.unmade.pop_front()?;
        self.making = true;
        Some(id)
    }

    /// The medium would not make it; it may later.
    pub(super) fn give_back_unmade(&mut self, id: u32, why: JournalError) {
        self.unmade.push_front(id);
        (self.making, self.making_refused) = (false, Some(why));
    }

    /// Why there is no room: what keeps segments from being made, or that all are in use.
    pub(super) fn shortage(&self) -> JournalError {
        self.making_refused.clone().unwrap_or(JournalError::Full)
    }

    pub(super) fn free_made(&self) -> usize {
        self.free.len()
    }

    pub(super) fn unmade(&self) -> usize {
        self.unmade.len()
    }

    pub(super) fn set_state(&mut self, id: u32, state: Use) {
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.state = state;
        }
        self.settle(id);
    }

    /// Records became live: they keep the segment.
    pub(super) fn keep(&mut self, id: u32, records: u32, bytes: u64) {
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.live_records += records;
            segment.live_bytes += bytes;
        }
    }

    /// Live records are needed no more.
    pub(super) fn release(&mut self, place: Place, records: u32, bytes: u64) {
        let found = self.segments.get_mut(&place.segment);
        if let Some(segment) = found.filter(|found| found.generation == place.generation) {
            segment.live_records = segment.live_records.saturating_sub(records);
            segment.live_bytes = segment.live_bytes.saturating_sub(bytes);
        }
        self.settle(place.segment);
    }

    /// Pins the segment for a reader if it still holds that generation.
    pub(super) fn pin(&mut self, id: u32, generation: u32) -> bool {
        // A free segment may be overwritten at any moment, whatever it still holds.
        let found = self.segments.get_mut(&id).filter(|found| {
            found.generation == generation && matches!(found.state, Use::Head | Use::Used)
        });
        found.map(|segment| segment.pins += 1).is_some()
    }

    pub(super) fn unpin(&mut self, id: u32) {
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.pins = segment.pins.saturating_sub(1);
        }
        self.settle(id);
    }

    pub(super) fn write_begins(&mut self, id: u32, end: u32) {
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.in_flight += 1;
            segment.written = end;
        }
    }

    pub(super) fn write_ended(&mut self, id: u32) {
        if let Some(segment) = self.segments.get_mut(&id) {
            segment.in_flight = segment.in_flight.saturating_sub(1);
        }
        self.settle(id);
    }

    /// Frees the segment if nothing holds it any more.
    pub(super) fn settle(&mut self, id: u32) {
        if let Some(segment) = self.segments.get_mut(&id).filter(|found| found.is_reusable()) {
            segment.state = Use::Free;
            self.free.push_back(id);
            self.freed_bytes += u64::from(self.segment_length);
        }
    }

    /// Notes since when segments are free, of those of which it is not known yet.
    pub(super) fn note_free(&mut self, now: Microseconds) {
        for id in &self.free {
            if let Some(segment) = self.segments.get_mut(id) {
                segment.free_since.get_or_insert(now);
            }
        }
    }

    /// Takes a segment out that is free since then at the latest, and not clean; only while others
    /// are left.
    pub(super) fn take_stale(&mut self, before: Microseconds) -> Option<u32> {
        let stale = |id: &u32| {
            let found = self.segments.get(id).filter(|found| !found.clean);
            found.and_then(|found| found.free_since).is_some_and(|since| since <= before)
        };
        let at = self.free.iter().position(stale).filter(|_| self.writable() > FREE_LEFT)?;
        let id = self.free.remove(at)?;
        self.set_state(id, Use::Overwritten);
        Some(id)
    }

    /// It holds that generation now.
    pub(super) fn reopened(&mut self, of: Generation, slot: u32) {
        if let Some(segment) = self.segments.get_mut(&of.segment) {
            *segment = Segment::holding(Use::Overwritten, of, slot, FIRST_RECORD_OFFSET);
        }
    }

    /// It is free again.
    pub(super) fn overwritten(&mut self, id: u32, clean: bool) {
        if let Some(segment) = self.segments.get_mut(&id) {
            (segment.state, segment.clean, segment.free_since) = (Use::Free, clean, None);
            self.free.push_back(id);
        }
    }

    /// Full segments of generations before that one, of whose records at most that share lives, and
    /// which nobody reads: with their live bytes, the least first.
    pub(super) fn mostly_dead(&self, before: u32, live_share_max: f64) -> Vec<(u32, u64)> {
        let live_max = f64::from(self.segment_length - FIRST_RECORD_OFFSET) * live_share_max;
        let fit = |found: &Segment| {
            let unused = found.state == Use::Used && found.pins == 0 && found.in_flight == 0;
            unused && found.generation < before && found.live_bytes as f64 <= live_max
        };
        let found = self.segments.iter().filter(|(_, found)| fit(found));
        let mut found: Vec<_> = found.map(|(id, found)| (*id, found.live_bytes)).collect();
        found.sort_unstable_by_key(|(id, live)| (*live, *id));
        found
    }

    /// Segments that can still be written.
    pub(super) fn writable(&self) -> u32 {
        let prepared = self.segments.values().filter(|found| found.state == Use::Prepared).count();
        let unmade = if self.making_refused.is_some() { 0 } else { self.unmade.len() };
        (prepared + self.free.len() + unmade + usize::from(self.making)) as u32
    }

    /// Segments, made or not.
    pub(super) fn count(&self) -> usize {
        self.segments.len() + self.unmade.len() + usize::from(self.making)
    }

    pub(super) fn room(&self) -> Room {
        let length = u64::from(self.segment_length);
        let capacity = length * self.count() as u64;
        let held = self.segments.values().filter(|s| matches!(s.state, Use::Head | Use::Used));
        let live_bytes = self.segments.values().map(|segment| segment.live_bytes).sum::<u64>();
        let written = held.map(|s| u64::from(s.written - FIRST_RECORD_OFFSET)).sum::<u64>();
        let head = self.segments.values().find(|segment| segment.state == Use::Head);
        let rest = head.map_or(0, |head| length - u64::from(head.written));
        let writable = length * u64::from(self.writable()) + rest;
        let fill = 1.0 - writable as f64 / capacity.max(1) as f64;
        let dead_bytes = written.saturating_sub(live_bytes);
        let (free_segments, freed_bytes) = (self.writable(), self.freed_bytes);
        Room { capacity, live_bytes, dead_bytes, free_segments, fill, freed_bytes }
    }
}

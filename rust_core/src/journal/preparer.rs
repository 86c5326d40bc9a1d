//! The preparer: opens the next generation ahead of the head, and makes segments in the background.

use std::sync::Arc;

use super::aligned::AlignedBuffer;
use super::error::JournalError;
use super::log::{Head, Log, State};
use super::record::{
    FIRST_RECORD_OFFSET, FORMAT_VERSION, Generation, Header, Kind, Place, RECORD_HEADER_LENGTH,
    SEGMENT_PAYLOAD_LENGTH,
};
use super::roster::{Enrolled, ROSTER, ROSTER_SLOT_LENGTH, Roster};
use super::segments::{Segment, Use};
use crate::instance::NodeId;
use crate::limits::JOURNAL_ALIGNMENT;

/// Where nonces come from: unpredictable to senders, or records could be forged inside a data set.
pub type Nonces = Box<dyn FnMut() -> u64 + Send>;

/// Segments kept ready beside the prepared one while there are some to make.
const READY: usize = 1;

/// The thread's own things.
pub(super) struct Preparer {
    pub(super) log: Arc<Log>,
    pub(super) node: NodeId,
    pub(super) nonces: Nonces,
    /// The roster's slot that is to be written next.
    pub(super) roster_slot: u32,
}

enum Step {
    Open(u32),
    Make(u32),
    Wait,
    Stop,
}

impl Preparer {
    /// Runs until the journal stops. A failed header write poisons it.
    pub(super) fn run(&mut self) {
        loop {
            match self.next_step() {
                Step::Open(segment) => drop(self.open(segment)),
                Step::Make(segment) => drop(self.make(segment)),
                Step::Wait => {}
                Step::Stop => return,
            }
        }
    }

    /// Opens the first generation before anything runs, so that a bad medium shows at start.
    pub(super) fn first(&mut self) -> Result<(), JournalError> {
        let (free, unmade) = {
            let mut state = self.log.state();
            let free = state.table.take_free();
            let unmade = if free.is_none() { state.table.take_unmade() } else { None };
            (free, unmade)
        };
        match (free, unmade) {
            (Some(segment), _) => self.open(segment),
            (None, Some(segment)) => {
                self.make(segment)?;
                let segment = self.log.state().table.take_free();
                segment.map_or(Ok(()), |segment| self.open(segment))
            }
            // Full of live instances: they are served, and nothing new is taken.
            (None, None) => Ok(()),
        }
    }

    fn next_step(&self) -> Step {
        let mut state = self.log.state();
        if state.stopping {
            return Step::Stop;
        }
        if state.read_only.is_none()
            && let Some(step) = work(&mut state)
        {
            state.preparing = true;
            return step;
        }
        let retry = state.table.making_refused.is_some();
        let mut state = if retry { self.log.wait_a_second(state) } else { self.log.wait(state) };
        if retry {
            state.table.making_refused = None;
        }
        Step::Wait
    }

    fn make(&mut self, segment: u32) -> Result<(), JournalError> {
        let length = u64::from(self.log.state().table.segment_length);
        let made = self.log.medium.create(segment, length);
        let mut state = self.log.state();
        state.preparing = false;
        let outcome = match made {
            Ok(()) => {
                state.table.enter(segment, Segment::fresh());
                Ok(())
            }
            Err(error) => {
                // Nothing was promised on it: no damage, only less room until it succeeds (P8).
                state.table.give_back_unmade(segment, JournalError::unmade(&error));
                Err(JournalError::io("making a segment", &error))
            }
        };
        drop(state);
        self.log.notify();
        outcome
    }

    fn open(&mut self, segment: u32) -> Result<(), JournalError> {
        let nonce = (self.nonces)();
        let (header, slot) = {
            let mut state = self.log.state();
            let Some(old) = state.table.get(segment).copied() else { return Ok(()) };
            let generation = state.next_generation;
            let Some(next) = generation.checked_add(1) else {
                drop(state);
                return Err(self.log.poison("generations are used up"));
            };
            state.next_generation = next;
            // The older header stays until this one is durable: a torn header loses nothing.
            let slot = old.slot.map_or(0, |slot| 1 - slot);
            let offset = slot * JOURNAL_ALIGNMENT as u32;
            let place = Place { segment, generation, offset };
            let durable_through = state.durable_through().min(place.lsn());
            let header = Header {
                kind: Kind::Segment,
                version: FORMAT_VERSION,
                place,
                payload_length: SEGMENT_PAYLOAD_LENGTH as u32,
                epoch: self.log.epoch,
                durable_through,
                nonce,
                upload: 0,
                index: 0,
            };
            (header, slot)
        };
        let record = header_record(&self.log, self.node, &header);
        let offset = u64::from(header.place.offset);
        let written = self.log.medium.write(segment, offset, &[&record], true);
        if let Err(error) = written {
            return Err(self.log.poison(&format!("header of segment {segment}: {error}")));
        }
        self.enroll(&header)?;
        self.opened(&header, slot);
        Ok(())
    }

    /// Enters the generation in the roster, durably: its first record comes later.
    fn enroll(&mut self, opened: &Header) -> Result<(), JournalError> {
        let Place { segment, generation, .. } = opened.place;
        let offset = self.roster_slot * ROSTER_SLOT_LENGTH;
        let place = Place { segment: ROSTER, generation, offset };
        let (segments, segment_length, durable_through) = {
            let state = self.log.state();
            let mut segments = state.table.enrolled();
            segments.retain(|enrolled| enrolled.segment != segment);
            segments.push(Enrolled { segment, generation, live_records: 0 });
            (segments, u64::from(state.table.segment_length), state.durable_through())
        };
        let roster = Roster { node: self.node, segment_length, segments };
        let durable_through = durable_through.min(place.lsn());
        let record =
            roster.record(Header { kind: Kind::Roster, place, durable_through, ..*opened });
        let written = self.log.medium.write(ROSTER, u64::from(offset), &[&record], true);
        written.map_err(|error| self.log.poison(&format!("write of the roster: {error}")))?;
        self.roster_slot = 1 - self.roster_slot;
        Ok(())
    }

    fn opened(&self, header: &Header, slot: u32) {
        let Place { segment, generation, .. } = header.place;
        let mut state = self.log.state();
        let generation = Generation { segment, generation, nonce: header.nonce };
        if let Some(found) = state.table.get_mut(segment) {
            *found = Segment::holding(Use::Prepared, generation, slot, FIRST_RECORD_OFFSET);
        }
        state.prepared = Some(Head { generation, offset: FIRST_RECORD_OFFSET });
        state.preparing = false;
        drop(state);
        self.log.notify();
    }
}

/// A segment header, as it is written.
pub(super) fn header_record(log: &Log, node: NodeId, header: &Header) -> AlignedBuffer {
    let length = u64::from(log.state().table.segment_length);
    let mut payload = [0; SEGMENT_PAYLOAD_LENGTH];
    payload[..16].copy_from_slice(&node.0);
    payload[16..].copy_from_slice(&length.to_le_bytes());
    let mut record = AlignedBuffer::new(JOURNAL_ALIGNMENT);
    record[..RECORD_HEADER_LENGTH].copy_from_slice(&header.encode(&payload));
    record[RECORD_HEADER_LENGTH..][..SEGMENT_PAYLOAD_LENGTH].copy_from_slice(&payload);
    record
}

/// What there is to do: the next generation first, then a segment in stock.
fn work(state: &mut State) -> Option<Step> {
    if state.prepared.is_none()
        && let Some(segment) = state.table.take_free()
    {
        return Some(Step::Open(segment));
    }
    if state.table.free_made() < READY && state.table.making_refused.is_none() {
        return state.table.take_unmade().map(Step::Make);
    }
    None
}

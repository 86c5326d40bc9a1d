//! Overwriting: what lies in segments that are long free is replaced by zeros, slowly.
//!
//! A new generation is opened in the segment that consists of an end record: it says that nothing
//! follows, whatever follows. Until that record is durable its place counts as one that is being
//! written, so that nothing says of it that it is. Behind it zeros can be written in any order, torn or
//! not at all: nobody looks there.

use std::sync::Arc;

use super::aligned::AlignedBuffer;
use super::error::JournalError;
use super::log::{Log, void};
use super::preparer::header_record;
use super::record::{FIRST_RECORD_OFFSET, FORMAT_VERSION, Generation, Header, Kind, Place};
use super::record::{SEGMENT_PAYLOAD_LENGTH, record_length};
use crate::instance::{Microseconds, NodeId};
use crate::limits::{JOURNAL_ALIGNMENT, OVERWRITE_BYTES_A_ROUND, PACE_FILL_FROM};

/// Read to see whether it is zeros already, and written if not.
const CHUNK_LENGTH: usize = 1 << 20;
/// Chunks that are looked at in one round.
const CHUNKS_A_ROUND: usize = 16;

/// The segment that is being overwritten, and from where on it still is to be.
struct Under {
    segment: u32,
    at: u32,
}

/// Overwrites; one thread at a time.
pub(super) struct Overwriter {
    log: Arc<Log>,
    node: NodeId,
    after: Microseconds,
    under: Option<Under>,
}

impl Overwriter {
    /// `after`: how long a segment is free before it is overwritten.
    pub(super) fn new(log: Arc<Log>, node: NodeId, after: Microseconds) -> Self {
        Self { log, node, after, under: None }
    }

    /// One round; bytes overwritten. When room is short the segment goes back as it is.
    pub(super) fn run(&mut self, now: Microseconds) -> Result<u64, JournalError> {
        self.log.writable()?;
        let short = {
            let mut state = self.log.state();
            state.table.note_free(now);
            state.table.room().fill >= PACE_FILL_FROM
        };
        if short {
            self.under.take().into_iter().for_each(|under| self.give_back(under.segment, false));
            return Ok(0);
        }
        if self.under.is_none() {
            self.under = self.begin(now)?;
        }
        let Some(mut under) = self.under.take() else { return Ok(0) };
        let written = self.go_on(&mut under)?;
        if under.at < self.log.state().table.segment_length {
            self.under = Some(under);
        } else {
            self.give_back(under.segment, true);
        }
        Ok(written)
    }

    fn give_back(&self, segment: u32, clean: bool) {
        self.log.state().table.overwritten(segment, clean);
        self.log.notify();
    }

    /// Opens the generation of zeros in a segment that is free for long enough.
    fn begin(&self, now: Microseconds) -> Result<Option<Under>, JournalError> {
        let before = now.saturating_sub(self.after);
        let (generation, slot, durable_through) = {
            let mut state = self.log.state();
            let Some(next) = state.next_generation.checked_add(1) else { return Ok(None) };
            let Some(segment) = state.table.take_stale(before) else { return Ok(None) };
            let found = state.table.get(segment).copied();
            let Some(found) = found else { return Ok(None) };
            // Nothing of a sender's is ever written in this generation: the nonce need not be new.
            let (number, nonce) = (state.next_generation, found.nonce);
            state.next_generation = next;
            let generation = Generation { segment, generation: number, nonce };
            let durable_through = state.durable_through();
            state.hold(first(generation));
            (generation, found.slot.map_or(0, |slot| 1 - slot), durable_through)
        };
        self.write_header(generation, slot, durable_through)?;
        let end = void(generation, FIRST_RECORD_OFFSET, None, self.log.epoch, durable_through);
        self.write(generation.segment, FIRST_RECORD_OFFSET, &end)?;
        let mut state = self.log.state();
        state.table.reopened(generation, slot);
        state.let_go(first(generation));
        drop(state);
        self.log.notify();
        let at = FIRST_RECORD_OFFSET + JOURNAL_ALIGNMENT as u32;
        Ok(Some(Under { segment: generation.segment, at }))
    }

    fn write_header(
        &self,
        of: Generation,
        slot: u32,
        durable_through: u64,
    ) -> Result<(), JournalError> {
        let Generation { segment, generation, nonce } = of;
        let offset = slot * JOURNAL_ALIGNMENT as u32;
        let place = Place { segment, generation, offset };
        let header = Header {
            kind: Kind::Segment,
            version: FORMAT_VERSION,
            place,
            payload_length: SEGMENT_PAYLOAD_LENGTH as u32,
            epoch: self.log.epoch,
            durable_through: durable_through.min(place.lsn()),
            nonce,
            upload: 0,
            index: 0,
        };
        debug_assert_eq!(record_length(SEGMENT_PAYLOAD_LENGTH), JOURNAL_ALIGNMENT);
        self.write(segment, offset, &header_record(&self.log, self.node, &header))
    }

    fn write(&self, segment: u32, offset: u32, bytes: &[u8]) -> Result<(), JournalError> {
        let written = self.log.medium.write(segment, u64::from(offset), &[bytes], true);
        written.map_err(|error| self.log.poison(&format!("overwriting segment {segment}: {error}")))
    }

    fn go_on(&self, under: &mut Under) -> Result<u64, JournalError> {
        let end = self.log.state().table.segment_length;
        let mut chunk = AlignedBuffer::new(CHUNK_LENGTH);
        let mut written = 0;
        for _ in 0..CHUNKS_A_ROUND {
            let length = CHUNK_LENGTH.min((end - under.at) as usize);
            if length == 0 || written >= OVERWRITE_BYTES_A_ROUND {
                break;
            }
            let bytes = &mut chunk[..length];
            let read = self.log.medium.read(under.segment, u64::from(under.at), bytes);
            // What cannot be read is overwritten all the same.
            if read.is_err() || bytes.iter().any(|byte| *byte != 0) {
                bytes.fill(0);
                self.write(under.segment, under.at, bytes)?;
                written += length as u64;
            }
            under.at += length as u32;
        }
        Ok(written)
    }
}

/// Where the end record of a generation of zeros lies.
fn first(of: Generation) -> Place {
    let Generation { segment, generation, .. } = of;
    Place { segment, generation, offset: FIRST_RECORD_OFFSET }
}

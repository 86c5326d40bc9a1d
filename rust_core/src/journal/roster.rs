//! The roster: which segments hold which generation, in a file of its own beside them.
//!
//! A segment that is blank, missing, or of an older day says nothing of what it held, and what lies
//! in other segments need not say it either. So each generation is entered here, durably, before its
//! first record is written: at start every segment must hold what the roster says, or a later one.

use super::aligned::AlignedBuffer;
use super::cursor::Cursor;
use super::error::JournalError;
use super::medium::Medium;
use super::record::{Header, Kind, Place, RECORD_HEADER_LENGTH, is_newer, record_length, whole};
use crate::instance::NodeId;
use crate::limits::{JOURNAL_ALIGNMENT, JOURNAL_SEGMENTS_MAX};

/// The roster's number on the medium; segments count from 1.
pub const ROSTER: u32 = 0;
/// One of its two slots, written in turn: a torn write leaves the other one.
pub const ROSTER_SLOT_LENGTH: u32 = 1 << 20;
/// The whole file.
pub const ROSTER_LENGTH: u64 = 2 * ROSTER_SLOT_LENGTH as u64;

const FIXED_LENGTH: usize = 16 + 8 + 4;
const ENTRY_LENGTH: usize = 12;
pub(super) const ROSTER_PAYLOAD_LENGTHS: std::ops::RangeInclusive<usize> =
    FIXED_LENGTH..=FIXED_LENGTH + JOURNAL_SEGMENTS_MAX as usize * ENTRY_LENGTH;
const _: () =
    assert!(*ROSTER_PAYLOAD_LENGTHS.end() + RECORD_HEADER_LENGTH <= ROSTER_SLOT_LENGTH as usize);

/// A segment and what it was known to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// Segment id.
    pub segment: u32,
    /// The generation whose header was durable in it.
    pub generation: u32,
    /// Its live records when the roster was written: for people, nothing is decided by it.
    pub live_records: u32,
}

/// A roster's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    /// Whose journal it is.
    pub node: NodeId,
    /// Length of each segment, bytes.
    pub segment_length: u64,
    /// Every segment that held a generation, by id.
    pub segments: Vec<Enrolled>,
}

/// The newest roster on the medium.
#[derive(Debug)]
pub(super) struct FoundRoster {
    pub(super) header: Header,
    pub(super) slot: u32,
    pub(super) roster: Roster,
}

impl Roster {
    /// Appends the payload to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.node.0);
        out.extend(self.segment_length.to_le_bytes());
        out.extend((self.segments.len() as u32).to_le_bytes());
        for Enrolled { segment, generation, live_records } in &self.segments {
            [segment, generation, live_records].iter().for_each(|n| out.extend(n.to_le_bytes()));
        }
    }

    /// Reads a payload; None if it is not exactly one.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(payload);
        let (node, segment_length) = (NodeId(cursor.array()?), cursor.u64()?);
        let count = cursor.u32()?;
        if count > JOURNAL_SEGMENTS_MAX {
            return None;
        }
        let mut entry = || {
            let (segment, generation) = (cursor.u32()?, cursor.u32()?);
            Some(Enrolled { segment, generation, live_records: cursor.u32()? })
        };
        let segments = (0..count).map(|_| entry()).collect::<Option<Vec<_>>>()?;
        cursor.is_empty().then_some(Self { node, segment_length, segments })
    }

    /// What is said of a segment; generation 0 if nothing.
    pub(super) fn generation_of(&self, segment: u32) -> u32 {
        let found = self.segments.iter().find(|enrolled| enrolled.segment == segment);
        found.map_or(0, |enrolled| enrolled.generation)
    }

    /// The record of this roster, as it is written.
    pub(super) fn record(&self, mut header: Header) -> AlignedBuffer {
        let mut payload = Vec::new();
        self.encode(&mut payload);
        header.payload_length = payload.len() as u32;
        let mut record = AlignedBuffer::new(record_length(payload.len()));
        record[..RECORD_HEADER_LENGTH].copy_from_slice(&header.encode(&payload));
        record[RECORD_HEADER_LENGTH..][..payload.len()].copy_from_slice(&payload);
        record
    }
}

/// Reads the newest whole roster; none if the medium has none.
///
/// # Errors
/// `Io`; `Config` for another node's, another segment length's, or a newer release's; `Rot` for one
/// that verifies and yet says nothing readable.
pub(super) fn read(
    medium: &dyn Medium,
    node: NodeId,
    segment_length: u32,
) -> Result<Option<FoundRoster>, JournalError> {
    let mut newest: Option<FoundRoster> = None;
    for slot in 0..2 {
        let found = read_slot(medium, slot)?;
        let generation = newest.as_ref().map_or(0, |other| other.header.place.generation);
        newest = found.filter(|found| found.header.place.generation > generation).or(newest);
    }
    let Some(found) = &newest else { return Ok(None) };
    if found.roster.node != node {
        return Err(JournalError::Config("the journal belongs to another node"));
    }
    if found.roster.segment_length != u64::from(segment_length) {
        return Err(JournalError::Config("a segment has another length than configured"));
    }
    Ok(newest)
}

fn read_slot(medium: &dyn Medium, slot: u32) -> Result<Option<FoundRoster>, JournalError> {
    let offset = slot * ROSTER_SLOT_LENGTH;
    let mut bytes = AlignedBuffer::new(JOURNAL_ALIGNMENT);
    let read = |bytes: &mut AlignedBuffer| {
        let read = medium.read(ROSTER, u64::from(offset), bytes);
        read.map_err(|error| JournalError::io("read of the roster", &error))
    };
    read(&mut bytes)?;
    if is_newer(&bytes) {
        return Err(JournalError::NEWER);
    }
    let Some(header) = Header::parse(&bytes) else { return Ok(None) };
    let place = Place { segment: ROSTER, generation: header.place.generation, offset };
    if header.kind != Kind::Roster || header.place != place {
        return Ok(None);
    }
    if header.record_length() > bytes.len() {
        bytes = AlignedBuffer::new(header.record_length());
        read(&mut bytes)?;
    }
    if whole(&header, &bytes).is_err() {
        return Ok(None);
    }
    let payload = &bytes[RECORD_HEADER_LENGTH..][..header.payload_length as usize];
    let generation = header.place.generation;
    let what = "a valid record with an unreadable payload";
    let roster = Roster::decode(payload);
    let roster = roster.ok_or(JournalError::Rot { segment: ROSTER, offset, generation, what })?;
    Ok(Some(FoundRoster { header, slot, roster }))
}

//! The scan of one segment at start: which generation it holds, and which records are whole.

use std::io;

use super::aligned::AlignedBuffer;
use super::closing::{self, Copied, Extent};
use super::discard::Discard;
use super::error::JournalError;
use super::medium::Medium;
use super::record::{
    FIRST_RECORD_OFFSET, Generation, Header, Kind, NoRecord, RECORD_HEADER_LENGTH, is_newer, whole,
};
use crate::instance::{NodeId, ReceiveId, Verdict};
use crate::limits::{CLOSING_RECORD_LENGTH_MAX, JOURNAL_ALIGNMENT};

/// Read ahead while scanning, bytes; at least the longest record.
const WINDOW_LENGTH: usize = 4 << 20;
const _: () = assert!(WINDOW_LENGTH >= CLOSING_RECORD_LENGTH_MAX);
const STEP: u32 = JOURNAL_ALIGNMENT as u32;

/// A data record that was found whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundData {
    pub(super) offset: u32,
    pub(super) epoch: u32,
    pub(super) upload: u64,
    pub(super) index: u32,
}

/// A closing record that was found whole, without what is re-read when asked for.
#[derive(Debug)]
pub(super) struct FoundClosing {
    pub(super) offset: u32,
    pub(super) length: u32,
    pub(super) receive_id: ReceiveId,
    pub(super) verdict: Verdict,
    pub(super) extents: Vec<Extent>,
    pub(super) upload: u64,
    pub(super) copied: Option<Copied>,
}

impl FoundClosing {
    /// How often the instance had been copied when this was written.
    pub(super) fn copies(&self) -> u32 {
        self.copied.map_or(0, |copied| copied.number)
    }

    /// What it takes in the segment.
    pub(super) fn region(&self) -> (u32, u32) {
        (self.offset, self.offset + self.length)
    }
}

/// What a segment holds.
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) generation: Generation,
    /// Version of the generation's header.
    pub(super) version: u8,
    pub(super) slot: u32,
    pub(super) data: Vec<FoundData>,
    pub(super) closings: Vec<FoundClosing>,
    pub(super) discards: Vec<Discard>,
    /// Regions without a whole record, `start..end`, in order.
    pub(super) gaps: Vec<(u32, u32)>,
    /// Regions behind void and end records: nothing there was ever known durable.
    pub(super) voids: Vec<(u32, u32)>,
    /// The highest `durable_through` of any record.
    pub(super) durable_through: u64,
    pub(super) epoch: u32,
}

/// A segment as found.
#[derive(Debug)]
pub(super) enum Found {
    /// Never used: no header, no record.
    Fresh,
    /// A generation.
    Generation(Box<Scanned>),
    /// No header, but records: rot.
    Headless {
        /// Offset of the first such record.
        offset: u32,
    },
}

struct Window<'a> {
    medium: &'a dyn Medium,
    segment: u32,
    length: u32,
    buffer: AlignedBuffer,
    start: u32,
    filled: usize,
}

impl Window<'_> {
    /// At least `need` bytes from `offset` (fewer only at the segment's end).
    fn at(&mut self, offset: u32, need: usize) -> Result<&[u8], JournalError> {
        let rest = (self.length - offset) as usize;
        let end = self.start as usize + self.filled;
        let there = offset >= self.start && offset as usize + need.min(rest) <= end;
        if !there {
            let length = rest.min(self.buffer.len());
            let read = self.read(offset, length);
            read.map_err(|error| JournalError::io(&format!("scan of {}", self.segment), &error))?;
        }
        Ok(&self.buffer[(offset - self.start) as usize..self.filled])
    }

    fn read(&mut self, offset: u32, length: usize) -> io::Result<()> {
        self.medium.read(self.segment, u64::from(offset), &mut self.buffer[..length])?;
        (self.start, self.filled) = (offset, length);
        Ok(())
    }
}

/// Scans a segment of `length` bytes whole.
///
/// # Errors
/// `Io` if it cannot be read, `Config` if it belongs to another node or another segment length,
/// `Rot` for a record that verifies and yet says nothing readable.
pub(super) fn scan(
    medium: &dyn Medium,
    segment: u32,
    length: u32,
    node: NodeId,
) -> Result<Found, JournalError> {
    let buffer = AlignedBuffer::new(WINDOW_LENGTH.min(length as usize));
    let mut window = Window { medium, segment, length, buffer, start: 0, filled: 0 };
    let mut newest: Option<(Header, u32)> = None;
    for slot in 0..2 {
        let header = slot_header(&mut window, slot, node)?;
        let newer =
            |other: &Header, header: &Header| other.place.generation < header.place.generation;
        if let Some(header) = header
            && newest.is_none_or(|(other, _)| newer(&other, &header))
        {
            newest = Some((header, slot));
        }
    }
    match newest {
        Some((header, slot)) => {
            let mut scanned = Scanned::new(&header, slot);
            scanned.records(&mut window)?;
            Ok(Found::Generation(Box::new(scanned)))
        }
        None => headless(&mut window),
    }
}

fn slot_header(
    window: &mut Window<'_>,
    slot: u32,
    node: NodeId,
) -> Result<Option<Header>, JournalError> {
    let (segment, length, offset) = (window.segment, window.length, slot * STEP);
    let bytes = window.at(offset, JOURNAL_ALIGNMENT)?;
    if is_newer(bytes) {
        return Err(JournalError::NEWER);
    }
    let Some(header) = Header::parse(bytes) else { return Ok(None) };
    let own = header.kind == Kind::Segment
        && (header.place.segment, header.place.offset) == (segment, offset)
        && whole(&header, bytes).is_ok();
    if !own {
        return Ok(None);
    }
    let payload = &bytes[RECORD_HEADER_LENGTH..][..header.payload_length as usize];
    if payload[..16] != node.0 {
        return Err(JournalError::Config("the journal belongs to another node"));
    }
    if payload[16..] != u64::from(length).to_le_bytes() {
        return Err(JournalError::Config("a segment has another length than its header says"));
    }
    Ok(Some(header))
}

/// Without a header a segment is either new (or its first header was torn), or its header rotted.
/// Records tell: they are written only behind a durable header.
fn headless(window: &mut Window<'_>) -> Result<Found, JournalError> {
    let front = (FIRST_RECORD_OFFSET + STEP) as usize;
    let blank = window.at(0, front)?[..front].iter().all(|byte| *byte == 0);
    if blank {
        return Ok(Found::Fresh);
    }
    let mut at = FIRST_RECORD_OFFSET;
    while at < window.length {
        let segment = window.segment;
        let parsed = Header::parse(window.at(at, RECORD_HEADER_LENGTH)?);
        if let Some(header) = parsed {
            let own = (header.place.segment, header.place.offset) == (segment, at);
            if own && whole(&header, window.at(at, header.record_length())?).is_ok() {
                return Ok(Found::Headless { offset: at });
            }
        }
        at += STEP;
    }
    Ok(Found::Fresh)
}

impl Scanned {
    fn new(header: &Header, slot: u32) -> Self {
        let (segment, generation) = (header.place.segment, header.place.generation);
        Self {
            generation: Generation { segment, generation, nonce: header.nonce },
            version: header.version,
            slot,
            data: Vec::new(),
            closings: Vec::new(),
            discards: Vec::new(),
            gaps: Vec::new(),
            voids: Vec::new(),
            durable_through: header.durable_through,
            epoch: header.epoch,
        }
    }

    /// All records; between them, resynchronises at every 4 KiB (writes complete out of order).
    fn records(&mut self, window: &mut Window<'_>) -> Result<(), JournalError> {
        let mut at = FIRST_RECORD_OFFSET;
        while at < window.length {
            let step = match self.check(window, at)? {
                Some(header) => {
                    self.durable_through = self.durable_through.max(header.durable_through);
                    self.epoch = self.epoch.max(header.epoch);
                    self.enter(&header, window.at(at, header.record_length())?, at)?
                }
                None => {
                    self.gap(at);
                    STEP
                }
            };
            at = at.saturating_add(step).min(window.length);
        }
        Ok(())
    }

    fn check(&self, window: &mut Window<'_>, at: u32) -> Result<Option<Header>, JournalError> {
        let first = self.generation.check(at, window.at(at, JOURNAL_ALIGNMENT)?);
        let checked = match first {
            Err(NoRecord::Incomplete(length)) if length <= (window.length - at) as usize => {
                self.generation.check(at, window.at(at, length)?)
            }
            other => other,
        };
        Ok(checked.ok())
    }

    fn gap(&mut self, at: u32) {
        match self.gaps.last_mut().filter(|(_, end)| *end == at) {
            Some((_, end)) => *end += STEP,
            None => self.gaps.push((at, at + STEP)),
        }
    }

    /// Enters a whole record; how many bytes of the segment it accounts for.
    fn enter(&mut self, header: &Header, bytes: &[u8], offset: u32) -> Result<u32, JournalError> {
        let payload = &bytes[RECORD_HEADER_LENGTH..][..header.payload_length as usize];
        let Generation { segment, generation, .. } = self.generation;
        let unreadable = JournalError::Rot {
            segment,
            offset,
            generation,
            what: "a valid record with an unreadable payload",
        };
        let length = header.record_length() as u32;
        match header.kind {
            Kind::Data => {
                let Header { epoch, upload, index, .. } = *header;
                self.data.push(FoundData { offset, epoch, upload, index });
            }
            Kind::Closing => {
                let closing = closing::decode(payload).ok_or(unreadable)?;
                self.closings.push(FoundClosing {
                    offset,
                    length,
                    receive_id: closing.receive_id,
                    verdict: closing.particulars.verdict,
                    extents: closing.extents,
                    upload: header.upload,
                    copied: closing.copied,
                });
            }
            Kind::Discard => {
                self.discards.push(Discard::decode(payload).ok_or(unreadable)?);
            }
            Kind::End => {
                self.voids.push((offset, u32::MAX));
                return Ok(u32::MAX);
            }
            Kind::Void => {
                let covered: [u8; 4] = payload.try_into().map_err(|_| unreadable.clone())?;
                let covered = u32::from_le_bytes(covered);
                if covered == 0 || !covered.is_multiple_of(STEP) {
                    return Err(unreadable);
                }
                self.voids.push((offset, offset.saturating_add(covered)));
                return Ok(covered);
            }
            Kind::Segment | Kind::Roster => return Err(unreadable),
        }
        Ok(length)
    }

    /// Whether anything but marks was written behind the header.
    pub(super) fn has_records(&self) -> bool {
        !(self.data.is_empty() && self.closings.is_empty() && self.discards.is_empty())
    }

    /// Whether this block of this upload lies at `offset`.
    pub(super) fn holds(&self, offset: u32, epoch: u32, upload: u64, index: u32) -> bool {
        let found = self.data.binary_search_by_key(&offset, |data| data.offset);
        found.is_ok_and(|at| {
            let data = &self.data[at];
            (data.epoch, data.upload, data.index) == (epoch, upload, index)
        })
    }
}

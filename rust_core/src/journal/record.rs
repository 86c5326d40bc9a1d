//! The record: the unit in which everything is written to the journal, 64-byte header and payload.
//!
//! The format document is `docs/design/journal-format.md`; change both or neither.

use super::roster::ROSTER_PAYLOAD_LENGTHS;
use crate::limits::{BLOCK_LENGTH, CLOSING_RECORD_LENGTH_MAX, JOURNAL_ALIGNMENT};

/// Bytes of a record header.
pub const RECORD_HEADER_LENGTH: usize = 64;
/// Payload of a data record, always full: bytes of one instance.
pub const BLOCK_PAYLOAD_LENGTH: usize = BLOCK_LENGTH - RECORD_HEADER_LENGTH;
/// Offset of the first record behind the two slots of the segment header.
pub const FIRST_RECORD_OFFSET: u32 = 2 * JOURNAL_ALIGNMENT as u32;
/// Payload of a segment header.
pub const SEGMENT_PAYLOAD_LENGTH: usize = 24;
/// Payload of a void record.
pub const VOID_PAYLOAD_LENGTH: usize = 4;
/// Version of the format that is written: from 2 on, the roster knows every generation; from 3 on, an
/// instance may have been copied forward.
pub const FORMAT_VERSION: u8 = 3;
/// Version of journals that have no roster; still read.
pub const FORMAT_VERSION_WITHOUT_ROSTER: u8 = 1;

const MAGIC: [u8; 4] = *b"KVJ1";
const CRC_OFFSET: usize = 60;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Opens a generation of a segment.
    Segment = 1,
    /// One full block of one instance.
    Data = 2,
    /// Makes an instance: particulars, extents, tail.
    Closing = 3,
    /// Takes quarantined instances away again.
    Discard = 4,
    /// Nothing follows in this generation.
    End = 5,
    /// Written by recovery over a torn region, so that it is never taken for rot later.
    Void = 6,
    /// Which segments hold which generation; never in a segment, but in the roster's own file.
    Roster = 7,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        use Kind::{Closing, Data, Discard, End, Roster, Segment, Void};
        let kinds = [Segment, Data, Closing, Discard, End, Void, Roster];
        kinds.into_iter().find(|kind| *kind as u8 == byte)
    }

    fn payload_length_fits(self, length: usize) -> bool {
        match self {
            Self::Segment => length == SEGMENT_PAYLOAD_LENGTH,
            Self::Data => length == BLOCK_PAYLOAD_LENGTH,
            Self::Closing | Self::Discard => {
                (1..=CLOSING_RECORD_LENGTH_MAX - RECORD_HEADER_LENGTH).contains(&length)
            }
            Self::End => length == 0,
            Self::Void => length == VOID_PAYLOAD_LENGTH,
            Self::Roster => ROSTER_PAYLOAD_LENGTHS.contains(&length),
        }
    }
}

/// Where a record lies: segment, the generation of it, and the offset in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Segment id, from 1.
    pub segment: u32,
    /// Generation, journal-wide increasing, from 1.
    pub generation: u32,
    /// Offset in the segment, bytes.
    pub offset: u32,
}

impl Place {
    /// The log address: generation in the upper 32 bits, offset in the lower.
    pub fn lsn(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.offset)
    }

    /// The place `bytes` further on in the same segment.
    pub(super) fn plus(self, bytes: usize) -> Self {
        Self { offset: self.offset + bytes as u32, ..self }
    }
}

/// A record header without its CRC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Kind.
    pub kind: Kind,
    /// Version of the format.
    pub version: u8,
    /// Own place.
    pub place: Place,
    /// Bytes of payload.
    pub payload_length: u32,
    /// Epoch of the node that wrote it.
    pub epoch: u32,
    /// Every position below was known durable when this record was submitted.
    pub durable_through: u64,
    /// The random number of this generation.
    pub nonce: u64,
    /// Number of the upload within the epoch (data and closing records), else 0.
    pub upload: u64,
    /// Number of the block within the upload, from 0 (data records), else 0.
    pub index: u32,
}

/// Why bytes are no record of this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRecord {
    /// Not a header, or one of another place or generation.
    Foreign,
    /// A header of this place, but CRC or padding is wrong.
    Damaged,
    /// More bytes are needed: this many from the record's start.
    Incomplete(usize),
}

/// Bytes a record with this payload takes in the segment.
pub fn record_length(payload_length: usize) -> usize {
    (RECORD_HEADER_LENGTH + payload_length).next_multiple_of(JOURNAL_ALIGNMENT)
}

impl Header {
    /// The 64 bytes, with the CRC-32C over nonce, header and payload.
    pub fn encode(&self, payload: &[u8]) -> [u8; RECORD_HEADER_LENGTH] {
        debug_assert_eq!(payload.len(), self.payload_length as usize);
        let mut out = [0; RECORD_HEADER_LENGTH];
        out[0..4].copy_from_slice(&MAGIC);
        out[4] = self.kind as u8;
        out[5] = self.version;
        out[8..12].copy_from_slice(&self.place.segment.to_le_bytes());
        out[12..16].copy_from_slice(&self.place.offset.to_le_bytes());
        out[16..24].copy_from_slice(&u64::from(self.place.generation).to_le_bytes());
        out[24..28].copy_from_slice(&self.payload_length.to_le_bytes());
        out[28..32].copy_from_slice(&self.epoch.to_le_bytes());
        out[32..40].copy_from_slice(&self.durable_through.to_le_bytes());
        out[40..48].copy_from_slice(&self.nonce.to_le_bytes());
        out[48..56].copy_from_slice(&self.upload.to_le_bytes());
        out[56..60].copy_from_slice(&self.index.to_le_bytes());
        let crc = crc_of(self.nonce, &out, payload);
        out[CRC_OFFSET..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads a header's fields; says nothing of the CRC. None if it cannot be a header.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; RECORD_HEADER_LENGTH] = bytes.first_chunk()?;
        let kind = Kind::of(bytes[4])?;
        let known = FORMAT_VERSION_WITHOUT_ROSTER..=FORMAT_VERSION;
        let version_fits = known.contains(&bytes[5]) && bytes[6..8] == [0, 0];
        let generation = u32::try_from(u64_at(bytes, 16)).ok()?;
        let place = Place { segment: u32_at(bytes, 8), generation, offset: u32_at(bytes, 12) };
        let header = Self {
            kind,
            version: bytes[5],
            place,
            payload_length: u32_at(bytes, 24),
            epoch: u32_at(bytes, 28),
            durable_through: u64_at(bytes, 32),
            nonce: u64_at(bytes, 40),
            upload: u64_at(bytes, 48),
            index: u32_at(bytes, 56),
        };
        let sound = bytes[..4] == MAGIC
            && version_fits
            && generation != 0
            && header.durable_through <= place.lsn()
            && kind.payload_length_fits(header.payload_length as usize);
        sound.then_some(header)
    }

    /// Bytes this record takes in the segment.
    pub fn record_length(&self) -> usize {
        record_length(self.payload_length as usize)
    }
}

/// The generation of a segment, against which its records are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Segment id.
    pub segment: u32,
    /// Generation.
    pub generation: u32,
    /// Its random number.
    pub nonce: u64,
}

impl Generation {
    /// Checks that `bytes` begin with a whole, undamaged record of this generation at `offset`.
    ///
    /// A record that a sender hid inside its data set fails here: it cannot know the nonce.
    pub fn check(&self, offset: u32, bytes: &[u8]) -> Result<Header, NoRecord> {
        let header = Header::parse(bytes).ok_or(NoRecord::Foreign)?;
        let place = Place { segment: self.segment, generation: self.generation, offset };
        if header.place != place || header.nonce != self.nonce {
            return Err(NoRecord::Foreign);
        }
        whole(&header, bytes)?;
        Ok(header)
    }
}

/// Checks CRC and padding of a parsed header's record.
pub fn whole(header: &Header, bytes: &[u8]) -> Result<(), NoRecord> {
    let length = header.record_length();
    let record = bytes.get(..length).ok_or(NoRecord::Incomplete(length))?;
    let (head, rest) = record.split_at(RECORD_HEADER_LENGTH);
    let (payload, padding) = rest.split_at(header.payload_length as usize);
    let undamaged = u32_at(head, CRC_OFFSET) == crc_of(header.nonce, head, payload)
        && padding.iter().all(|byte| *byte == 0);
    if undamaged { Ok(()) } else { Err(NoRecord::Damaged) }
}

/// Whether this is a whole record of a format that this release does not know yet.
pub(super) fn is_newer(bytes: &[u8]) -> bool {
    let Some(head) = bytes.first_chunk::<RECORD_HEADER_LENGTH>() else { return false };
    let payload =
        bytes.get(RECORD_HEADER_LENGTH..).and_then(|rest| rest.get(..u32_at(head, 24) as usize));
    head[..4] == MAGIC
        && head[5] > FORMAT_VERSION
        && payload.is_some_and(|payload| {
            u32_at(head, CRC_OFFSET) == crc_of(u64_at(head, 40), head, payload)
        })
}

fn crc_of(nonce: u64, header: &[u8], payload: &[u8]) -> u32 {
    let crc = crc32c::crc32c(&nonce.to_le_bytes());
    let crc = crc32c::crc32c_append(crc, &header[..CRC_OFFSET]);
    crc32c::crc32c_append(crc, payload)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

//! The index block: what the catalogue keeps of the instances of one study in one batch or volume.
//!
//! Rows of instances, columnar and compressed, so that 3.8 billion instances need no wide row
//! each. Written and read here only; opaque to everybody else. The exact format is in
//! `docs/design/index-block.md`.

mod block;
mod decode;
mod encode;
mod gather;
mod locator;
mod varint;

pub use block::{
    InVolume, IndexBlock, IndexEntry, IndexError, Match, SeriesAttributes, Source, find, matches,
};
pub use decode::decode;
pub use encode::encode;
pub use gather::{Gathering, from_particulars, trimmed};
pub use locator::{locator_hash, series_hash};

use crate::limits::CAPTURED_VALUE_MAX;

/// Instances in one block.
pub const INDEX_ENTRIES_MAX: usize = 1 << 18;
/// One section of a block, inflated, bytes.
pub const INDEX_SECTION_LENGTH_MAX: usize = 32 << 20;
/// Longest text of a series, bytes.
pub const SERIES_TEXT_LENGTH_MAX: usize = CAPTURED_VALUE_MAX;
/// Longest UID (PS3.5 9.1), bytes.
const UID_LENGTH_MAX: usize = 64;

const MAGIC: [u8; 4] = *b"KIDX";
/// Of a batch.
const VERSION_BATCH: u8 = 1;
/// Of a volume.
const VERSION_VOLUME: u8 = 2;
/// Bytes before the sections of a batch.
const HEADER_LENGTH: usize = 44;
/// Bytes before the sources of a volume.
const VOLUME_HEADER_LENGTH: usize = 28;
/// Node and epoch of one source.
const SOURCE_LENGTH: usize = 20;
/// Bit of the header's flags: the instances of the volume are quarantined.
const QUARANTINED: u8 = 1;
/// Where the CRC32C stands in the header; it covers every other byte of the block.
const CHECKSUM_AT: usize = 8;
/// Bytes kept of a content digest.
const DIGEST_LENGTH: usize = 16;

/// CRC32C of a block, its own four bytes left out.
fn checksum(block: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&block[..CHECKSUM_AT]), &block[CHECKSUM_AT + 4..])
}

//! A disk in a few bytes: how the target `journal` says what is in the segments.
//!
//! A row of writes: segment (one byte), offset (three, big endian), how often (two), length (two),
//! and the bytes, which are written so often one behind the other. What leaves the segment is cut.

use kuva_core::journal::memory_medium::MemoryMedium;
use kuva_core::journal::record::{
    FIRST_RECORD_OFFSET, FORMAT_VERSION_WITHOUT_ROSTER, Header, RECORD_HEADER_LENGTH, whole,
};
use kuva_core::journal::{Faults, Medium, WriteMode};
use kuva_core::limits::{BLOCK_LENGTH, JOURNAL_ALIGNMENT};

/// Segments that an image may fill; the journal makes more as it needs them.
pub const SEGMENTS: u32 = 2;
/// The shortest segment there can be.
pub const SEGMENT_LENGTH: usize = FIRST_RECORD_OFFSET as usize + 2 * BLOCK_LENGTH;
const GRAIN: usize = 32;
/// Writes looked at: more could only cost time.
const WRITES_MAX: usize = 512;

/// The segments that the row of writes makes.
pub fn segments(mut image: &[u8]) -> Vec<Vec<u8>> {
    let mut segments = vec![vec![0; SEGMENT_LENGTH]; SEGMENTS as usize];
    for _ in 0..WRITES_MAX {
        let Some((head, rest)) = image.split_first_chunk::<8>() else { break };
        let [segment, o0, o1, o2, r0, r1, l0, l1] = *head;
        let offset = u32::from_be_bytes([0, o0, o1, o2]) as usize;
        let length = usize::from(u16::from_be_bytes([l0, l1])).min(rest.len());
        let (bytes, rest) = rest.split_at(length);
        let segment = &mut segments[usize::from(segment) % SEGMENTS as usize];
        let room = segment.get_mut(offset..).unwrap_or_default();
        let often = if length == 0 { 0 } else { usize::from(u16::from_be_bytes([r0, r1])) };
        let pieces = room.chunks_mut(length.max(1)).take(often);
        pieces.for_each(|piece| piece.copy_from_slice(&bytes[..piece.len()]));
        image = rest;
    }
    segments
}

/// The row of writes that makes a segment.
pub fn image(number: u32, segment: &[u8]) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    let grains: Vec<&[u8]> = segment.chunks(GRAIN).collect();
    while at < grains.len() {
        let run = grains[at..].iter().take_while(|grain| **grain == grains[at]).count();
        if grains[at].iter().any(|byte| *byte != 0) {
            out.push(number as u8 - 1);
            out.extend(&((at * GRAIN) as u32).to_be_bytes()[1..]);
            out.extend((run as u16).to_be_bytes());
            out.extend((grains[at].len() as u16).to_be_bytes());
            out.extend(grains[at]);
        }
        at += run;
    }
    out
}

/// Puts the CRC of every record right, so that what is in it gets looked at. What no CRC can mend
/// stays broken.
pub fn mend(segment: &mut [u8]) {
    for at in (0..segment.len()).step_by(JOURNAL_ALIGNMENT) {
        let Some(header) = Header::parse(&segment[at..]) else { continue };
        let end = RECORD_HEADER_LENGTH + header.payload_length as usize;
        let Some(payload) = segment[at..].get(RECORD_HEADER_LENGTH..end) else { continue };
        if whole(&header, &segment[at..]).is_err() {
            let mended = header.encode(payload);
            segment[at..at + RECORD_HEADER_LENGTH].copy_from_slice(&mended);
        }
    }
}

/// Has the segment's headers say that no roster was kept yet, as an image has none: else recovery
/// would stop for that alone, and look no further.
pub fn without_roster(segment: &mut [u8]) {
    for at in [0, JOURNAL_ALIGNMENT] {
        let Some(header) = Header::parse(&segment[at..]) else { continue };
        let end = RECORD_HEADER_LENGTH + header.payload_length as usize;
        let Some(payload) = segment[at..].get(RECORD_HEADER_LENGTH..end) else { continue };
        let older = Header { version: FORMAT_VERSION_WITHOUT_ROSTER, ..header }.encode(payload);
        segment[at..at + RECORD_HEADER_LENGTH].copy_from_slice(&older);
    }
}

/// A disk with those segments.
pub fn disk(segments: &[Vec<u8>]) -> MemoryMedium {
    let medium = MemoryMedium::new(WriteMode::Direct, Faults::default());
    for (number, segment) in (1..).zip(segments) {
        let made = medium.create(number, segment.len() as u64);
        assert!(made.is_ok(), "{made:?}");
        medium.plant(number, 0, segment);
    }
    medium
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_gives_back_the_segments_it_was_made_of() {
        let mut segment = vec![0; SEGMENT_LENGTH];
        segment[100] = 1;
        segment[8192..140_000].fill(b'x');
        segment[SEGMENT_LENGTH - 1] = 9;
        let image = [image(1, &segment), image(2, &segment)].concat();
        assert!(image.len() < 500);
        assert_eq!(segments(&image), [segment.clone(), segment]);
    }
}

//! The index block: a block or an error, never a bomb, and what it says can be written again.

use kuva_core::index::{
    InVolume, IndexBlock, IndexEntry, SeriesAttributes, Source, decode, encode, find, matches,
};
use kuva_core::instance::NodeId;

use super::made::{CT, deflate_section};

const CHECKSUM_AT: usize = 8;

/// The first byte says what the rest is: a block whose checksum we put right, or the parts of one
/// (so that mutation reaches what lies deflated).
pub fn check(data: &[u8]) {
    let [mode, bytes @ ..] = data else { return };
    let block = match mode % 4 {
        0 | 2 => checked(bytes.to_vec()),
        1 => assembled(bytes),
        _ => assembled_volume(bytes),
    };
    let Ok(found) = decode(&block) else { return };
    let written = encode(&found).map(|bytes| decode(&bytes));
    assert_eq!(written, Ok(Ok(found.clone())));
    assert!(decode(&block[..block.len() - 1]).is_err());
    if let Some(entry) = found.entries.first() {
        assert_eq!(find(&found, &entry.sop_instance), Some(entry));
    }
    assert_eq!(found.ranges_offsets().len(), found.entries.len());
    assert!(found.entries.iter().all(|entry| found.receive_id(entry).is_some()));
    assert!(matches(&found, &found).len() == found.entries.len());
}

/// The block with its checksum put right.
fn checked(mut block: Vec<u8>) -> Vec<u8> {
    if block.len() >= CHECKSUM_AT + 4 {
        let sum = crc32c::crc32c(&block[..CHECKSUM_AT]);
        let sum = crc32c::crc32c_append(sum, &block[CHECKSUM_AT + 4..]);
        block[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&sum.to_le_bytes());
    }
    block
}

/// A block of the parts: a count of entries, the length of the texts, texts, numbers. Digests are
/// made, so that there are as many as entries.
fn assembled(parts: &[u8]) -> Vec<u8> {
    let [entries, texts, bytes @ ..] = parts else { return Vec::new() };
    let (texts, numbers) = bytes.split_at(usize::from(*texts).min(bytes.len()));
    let (texts, numbers) = (deflate_section(texts), deflate_section(numbers));
    let mut block = b"KIDX\x01\0\0\0\0\0\0\0".to_vec();
    block.extend([9; 16]);
    for word in [1, u32::from(*entries), texts.len() as u32, numbers.len() as u32] {
        block.extend(word.to_le_bytes());
    }
    block.extend([texts, numbers, vec![5; 16 * usize::from(*entries)]].concat());
    checked(block)
}

/// The same of a volume, with a source for every four entries.
fn assembled_volume(parts: &[u8]) -> Vec<u8> {
    let [entries, texts, bytes @ ..] = parts else { return Vec::new() };
    let (texts, numbers) = bytes.split_at(usize::from(*texts).min(bytes.len()));
    let (texts, numbers) = (deflate_section(texts), deflate_section(numbers));
    let sources = u32::from(*entries).div_ceil(4);
    let mut block = b"KIDX\x02\0\0\0\0\0\0\0".to_vec();
    for word in [u32::from(*entries), texts.len() as u32, numbers.len() as u32, sources] {
        block.extend(word.to_le_bytes());
    }
    let digests = vec![5; 16 * usize::from(*entries)];
    block.extend([vec![9; 20 * sources as usize], texts, numbers, digests].concat());
    checked(block)
}

fn entry(number: u32) -> IndexEntry {
    IndexEntry {
        series: number % 2,
        sop_instance: format!("1.2.246.1.{number}").into(),
        sop_class: CT.into(),
        transfer_syntax: "1.2.840.10008.1.2.1".into(),
        digest: [number as u8; 16],
        length: 500_000 + u64::from(number),
        source: 0,
        position: u64::from(number),
        received_at: 1_700_000_000_000_000,
        flags: u64::from(number & 1),
        instance_number: Some(number as i32),
        number_of_frames: None,
        rows: Some(512),
        columns: Some(512),
        offset: 0,
    }
}

/// Blocks of nothing, one and several instances; whole, and as parts.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![vec![1, 1, 6], vec![1, 0, 0, 0]];
    for count in [1, 3, 20] {
        let entries: Vec<IndexEntry> = (0..count).map(entry).collect();
        let one = |number: u32| SeriesAttributes {
            series_uid: format!("1.2.246.2.{number}").into(),
            modality: b"CT".as_slice().into(),
            series_number: Some(4),
            description: "Pää".as_bytes().into(),
            character_set: b"ISO_IR 192".as_slice().into(),
            body_part: b"HEAD".as_slice().into(),
        };
        let series = (0..count.min(2)).map(one).collect();
        let sources = vec![Source { node: NodeId([9; 16]), epoch: 1 }];
        let mut block = IndexBlock { sources, volume: None, series, entries };
        let whole = encode(&block).unwrap_or_default();
        seeds.push([&[1][..], &parts(&whole, HEADER)].concat());
        seeds.push([&[0][..], &whole].concat());
        block.volume = Some(InVolume { quarantined: count == 3, ranges_offset: 1 << 20 });
        let whole = encode(&block).unwrap_or_default();
        seeds.push([&[3][..], &parts(&whole, VOLUME_HEADER)].concat());
        seeds.push([&[2][..], &whole].concat());
    }
    seeds
}

/// Where the counts stand, and where the texts begin: in a batch's block, and in a volume's with one source.
const HEADER: (usize, usize) = (32, 44);
const VOLUME_HEADER: (usize, usize) = (12, 48);

/// The parts of a block as `assembled` takes them.
fn parts(block: &[u8], (counts, start): (usize, usize)) -> Vec<u8> {
    let word = |at: usize| {
        u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]) as usize
    };
    let (entries, texts, numbers) = (word(counts), word(counts + 4), word(counts + 8));
    let inflate = |from: usize, length: usize| {
        let mut out = Vec::new();
        let section = &block[from..from + length];
        let mut decoder = flate2::bufread::DeflateDecoder::new(section);
        std::io::Read::read_to_end(&mut decoder, &mut out).ok();
        out
    };
    let (texts, numbers) = (inflate(start, texts), inflate(start + texts, numbers));
    [&[entries as u8, texts.len().min(255) as u8][..], &texts, &numbers].concat()
}

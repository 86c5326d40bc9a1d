//! Writing an index block.

use std::collections::HashMap;
use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use super::varint::{difference, put};
use super::{
    CHECKSUM_AT, DIGEST_LENGTH, INDEX_ENTRIES_MAX, INDEX_SECTION_LENGTH_MAX, InVolume, IndexBlock,
    IndexEntry, IndexError, MAGIC, QUARANTINED, SERIES_TEXT_LENGTH_MAX, SeriesAttributes, Source,
    UID_LENGTH_MAX, VERSION_BATCH, VERSION_VOLUME, checksum,
};
use crate::instance::Uid;
use crate::volume::layout::predicted_offset;

/// The block as bytes. Fails on what no block may hold: more than [`INDEX_ENTRIES_MAX`] instances,
/// a UID that is none, a text that is too long, a series that is not there.
pub fn encode(block: &IndexBlock) -> Result<Vec<u8>, IndexError> {
    if block.entries.len() > INDEX_ENTRIES_MAX {
        return Err(IndexError::TooLarge("entries"));
    }
    if block.series.len() > block.entries.len() {
        return Err(IndexError::Malformed("series count"));
    }
    let mut sections = Sections::default();
    sections.series(&block.series)?;
    sections.entries(block)?;
    let (texts, numbers) = (deflate(&sections.texts)?, deflate(&sections.numbers)?);
    let counts = [block.entries.len(), texts.len(), numbers.len()];
    let mut out = header(block, counts)?;
    out.reserve_exact(texts.len() + numbers.len() + block.entries.len() * DIGEST_LENGTH);
    out.extend(texts);
    out.extend(numbers);
    block.entries.iter().for_each(|entry| out.extend(entry.digest));
    let sum = checksum(&out).to_le_bytes();
    out[CHECKSUM_AT..CHECKSUM_AT + 4].copy_from_slice(&sum);
    Ok(out)
}

/// All before the sections; the checksum is put in later.
fn header(block: &IndexBlock, counts: [usize; 3]) -> Result<Vec<u8>, IndexError> {
    let mut out = MAGIC.to_vec();
    let counts = counts.map(|count| count as u32).into_iter().flat_map(u32::to_le_bytes);
    match (block.volume, &block.sources[..]) {
        (None, [source]) => {
            out.extend([VERSION_BATCH, 0, 0, 0]);
            out.extend([0; 4]);
            put_source(source, &mut out);
            out.extend(counts);
        }
        (None, _) => return Err(IndexError::Malformed("source count")),
        (Some(InVolume { quarantined, .. }), sources) => {
            if sources.len() > block.entries.len() {
                return Err(IndexError::Malformed("source count"));
            }
            out.extend([VERSION_VOLUME, if quarantined { QUARANTINED } else { 0 }, 0, 0]);
            out.extend([0; 4]);
            out.extend(counts);
            out.extend((sources.len() as u32).to_le_bytes());
            sources.iter().for_each(|source| put_source(source, &mut out));
        }
    }
    Ok(out)
}

fn put_source(source: &Source, out: &mut Vec<u8>) {
    out.extend(source.node.0);
    out.extend(source.epoch.to_le_bytes());
}

fn deflate(section: &[u8]) -> Result<Vec<u8>, IndexError> {
    if section.len() > INDEX_SECTION_LENGTH_MAX {
        return Err(IndexError::TooLarge("section"));
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(section).and_then(|()| encoder.finish()).map_err(|_| IndexError::Deflate)
}

/// The two sections that are compressed: characters, and numbers.
#[derive(Default)]
struct Sections {
    texts: Vec<u8>,
    numbers: Vec<u8>,
}

impl Sections {
    fn series(&mut self, series: &[SeriesAttributes]) -> Result<(), IndexError> {
        put(&mut self.numbers, series.len() as u64);
        let mut before = "";
        for one in series {
            self.uid(before, &one.series_uid)?;
            before = &one.series_uid;
            put(&mut self.numbers, optional_signed(0, one.series_number));
            for text in [&one.modality, &one.description, &one.character_set, &one.body_part] {
                self.text(text)?;
            }
        }
        Ok(())
    }

    fn entries(&mut self, block: &IndexBlock) -> Result<(), IndexError> {
        let IndexBlock { sources, volume, series, entries } = block;
        if entries.iter().any(|entry| entry.source as usize >= sources.len()) {
            return Err(IndexError::Malformed("source"));
        }
        if entries.iter().any(|entry| entry.series as usize >= series.len()) {
            return Err(IndexError::Malformed("series"));
        }
        self.differences(entries, |entry| u64::from(entry.series));
        let mut before = series.first().map_or("", |one| &*one.series_uid);
        for entry in entries {
            self.uid(before, &entry.sop_instance)?;
            before = &entry.sop_instance;
        }
        self.dictionary(entries.iter().map(|entry| &entry.sop_class))?;
        self.dictionary(entries.iter().map(|entry| &entry.transfer_syntax))?;
        self.differences(entries, |entry| entry.length);
        if volume.is_some() {
            self.differences(entries, |entry| u64::from(entry.source));
        }
        self.differences(entries, |entry| entry.position);
        self.differences(entries, |entry| entry.received_at as u64);
        self.values(entries, |entry| entry.flags);
        self.instance_numbers(entries);
        self.values(entries, |entry| optional(entry.number_of_frames));
        self.values(entries, |entry| optional(entry.rows));
        self.values(entries, |entry| optional(entry.columns));
        if let Some(InVolume { ranges_offset, .. }) = volume {
            self.offsets(entries);
            put(&mut self.numbers, *ranges_offset);
        }
        Ok(())
    }

    /// A UID, as what it shares with the one before it and what follows.
    fn uid(&mut self, before: &str, uid: &str) -> Result<(), IndexError> {
        let lawful = |byte: u8| byte.is_ascii_digit() || byte == b'.';
        if uid.is_empty() || uid.len() > UID_LENGTH_MAX || !uid.bytes().all(lawful) {
            return Err(IndexError::Malformed("UID"));
        }
        let shared = before.bytes().zip(uid.bytes()).take_while(|(a, b)| a == b).count();
        put(&mut self.numbers, shared as u64);
        put(&mut self.numbers, (uid.len() - shared) as u64);
        self.texts.extend(&uid.as_bytes()[shared..]);
        Ok(())
    }

    fn text(&mut self, text: &[u8]) -> Result<(), IndexError> {
        if text.len() > SERIES_TEXT_LENGTH_MAX {
            return Err(IndexError::TooLarge("text"));
        }
        put(&mut self.numbers, text.len() as u64);
        self.texts.extend(text);
        Ok(())
    }

    /// A column of few different UIDs: first each of them, then which of them it is.
    fn dictionary<'a>(&mut self, uids: impl Iterator<Item = &'a Uid>) -> Result<(), IndexError> {
        let (mut words, mut index_of, mut column) = (Vec::new(), HashMap::new(), Vec::new());
        for uid in uids {
            let index = *index_of.entry(&**uid).or_insert_with(|| {
                words.push(&**uid);
                words.len() as u64 - 1
            });
            put(&mut column, index);
        }
        put(&mut self.numbers, words.len() as u64);
        let mut before = "";
        for word in words {
            self.uid(before, word)?;
            before = word;
        }
        self.numbers.extend(column);
        Ok(())
    }

    fn differences(&mut self, entries: &[IndexEntry], value: impl Fn(&IndexEntry) -> u64) {
        let mut before = 0;
        for value in entries.iter().map(value) {
            put(&mut self.numbers, difference(before, value));
            before = value;
        }
    }

    /// How far each data set lies from where it would be right behind the one before.
    fn offsets(&mut self, entries: &[IndexEntry]) {
        let mut end = 0;
        for entry in entries {
            let uids = [&*entry.sop_class, &*entry.sop_instance, &*entry.transfer_syntax];
            let predicted = predicted_offset(end, entry.length, uids);
            put(&mut self.numbers, difference(predicted, entry.offset));
            end = entry.offset.wrapping_add(entry.length);
        }
    }

    fn values(&mut self, entries: &[IndexEntry], value: impl Fn(&IndexEntry) -> u64) {
        entries.iter().for_each(|entry| put(&mut self.numbers, value(entry)));
    }

    fn instance_numbers(&mut self, entries: &[IndexEntry]) {
        let mut before = 0;
        for entry in entries {
            put(&mut self.numbers, optional_signed(before, entry.instance_number));
            before = entry.instance_number.unwrap_or(before);
        }
    }
}

/// 0 for nothing, else the value and one.
fn optional(value: Option<impl Into<u64>>) -> u64 {
    value.map_or(0, |value| value.into() + 1)
}

/// 0 for nothing, else the difference and one.
fn optional_signed(before: i32, value: Option<i32>) -> u64 {
    let unsigned = |value: i32| i64::from(value) as u64;
    optional(value.map(|value| difference(unsigned(before), unsigned(value))))
}

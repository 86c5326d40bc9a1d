//! Reading an index block: bounded, strict, and never believing a length before it has the bytes.

use std::io::Read;
use std::sync::Arc;

use flate2::bufread::DeflateDecoder;

use super::varint::{apply, take};
use super::{
    CHECKSUM_AT, DIGEST_LENGTH, HEADER_LENGTH, INDEX_ENTRIES_MAX, INDEX_SECTION_LENGTH_MAX,
    InVolume, IndexBlock, IndexEntry, IndexError, MAGIC, QUARANTINED, SERIES_TEXT_LENGTH_MAX,
    SOURCE_LENGTH, SeriesAttributes, Source, UID_LENGTH_MAX, VERSION_BATCH, VERSION_VOLUME,
    VOLUME_HEADER_LENGTH, checksum,
};
use crate::instance::{NodeId, Uid};
use crate::volume::layout::predicted_offset;

/// The block that the bytes are. Whatever the bytes, memory stays in proportion to their number
/// and to [`INDEX_SECTION_LENGTH_MAX`].
pub fn decode(bytes: &[u8]) -> Result<IndexBlock, IndexError> {
    let (header, mut rest) = Header::decode(bytes)?;
    let texts = inflate(cut(&mut rest, header.texts)?)?;
    let numbers = inflate(cut(&mut rest, header.numbers)?)?;
    // From here on the count is vouched for by as many digests.
    if rest.len() != header.entries * DIGEST_LENGTH {
        return Err(IndexError::Length);
    }
    known(header.quarantined.is_none() || header.sources.len() <= header.entries, "source count")?;
    let mut sections = Sections { texts: &texts, numbers: &numbers };
    let series = sections.series(header.entries)?;
    let sources = header.quarantined.map(|_| header.sources.len());
    let (entries, ranges_offset) = sections.entries(&series, sources, rest)?;
    if !sections.texts.is_empty() || !sections.numbers.is_empty() {
        return Err(IndexError::Length);
    }
    let volume = header.quarantined.map(|quarantined| InVolume { quarantined, ranges_offset });
    Ok(IndexBlock { sources: header.sources, volume, series, entries })
}

struct Header {
    sources: Vec<Source>,
    /// Of a volume alone.
    quarantined: Option<bool>,
    entries: usize,
    texts: usize,
    numbers: usize,
}

impl Header {
    /// The header, and what comes behind it.
    fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), IndexError> {
        if !bytes.starts_with(&MAGIC) {
            return Err(IndexError::NotABlock);
        }
        let (version, flags) = match bytes {
            [_, _, _, _, version, flags, ..] => (*version, *flags),
            _ => return Err(IndexError::Length),
        };
        let length = match version {
            VERSION_BATCH => HEADER_LENGTH,
            VERSION_VOLUME => VOLUME_HEADER_LENGTH,
            other => return Err(IndexError::Version(other)),
        };
        let (header, rest) = bytes.split_at_checked(length).ok_or(IndexError::Length)?;
        if word(header, CHECKSUM_AT) != checksum(bytes) {
            return Err(IndexError::Checksum);
        }
        let flags_known = if version == VERSION_VOLUME { QUARANTINED } else { 0 };
        if flags & !flags_known != 0 || header[6..8] != [0; 2] {
            return Err(IndexError::Malformed("reserved byte"));
        }
        let (header, rest) = match version {
            VERSION_BATCH => (Self::of_batch(header), rest),
            _ => Self::of_volume(header, flags & QUARANTINED != 0, rest)?,
        };
        if header.entries > INDEX_ENTRIES_MAX {
            return Err(IndexError::TooLarge("entries"));
        }
        Ok((header, rest))
    }

    fn of_batch(header: &[u8]) -> Self {
        let [entries, texts, numbers] = [32, 36, 40].map(|at| word(header, at) as usize);
        let sources = vec![source(&header[12..32])];
        Self { sources, quarantined: None, entries, texts, numbers }
    }

    fn of_volume<'a>(
        header: &[u8],
        quarantined: bool,
        mut rest: &'a [u8],
    ) -> Result<(Self, &'a [u8]), IndexError> {
        let [entries, texts, numbers, sources] =
            [12, 16, 20, 24].map(|at| word(header, at) as usize);
        let length = sources.checked_mul(SOURCE_LENGTH).ok_or(IndexError::Length)?;
        let sources = cut(&mut rest, length)?.chunks_exact(SOURCE_LENGTH).map(source).collect();
        let quarantined = Some(quarantined);
        Ok((Self { sources, quarantined, entries, texts, numbers }, rest))
    }
}

/// The 32-bit number at an offset that is there.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Node and epoch, of as many bytes.
fn source(bytes: &[u8]) -> Source {
    let mut node = [0; 16];
    node.copy_from_slice(&bytes[..16]);
    Source { node: NodeId(node), epoch: word(bytes, 16) }
}

/// Takes `length` bytes from the front.
fn cut<'a>(input: &mut &'a [u8], length: usize) -> Result<&'a [u8], IndexError> {
    let (front, rest) = input.split_at_checked(length).ok_or(IndexError::Length)?;
    *input = rest;
    Ok(front)
}

fn inflate(section: &[u8]) -> Result<Vec<u8>, IndexError> {
    let mut decoder = DeflateDecoder::new(section);
    let mut out = Vec::new();
    let most = INDEX_SECTION_LENGTH_MAX as u64 + 1;
    decoder.by_ref().take(most).read_to_end(&mut out).map_err(|_| IndexError::Deflate)?;
    if out.len() > INDEX_SECTION_LENGTH_MAX {
        return Err(IndexError::TooLarge("section"));
    }
    if decoder.total_in() != section.len() as u64 {
        return Err(IndexError::Length);
    }
    Ok(out)
}

/// What is left of the two inflated sections.
struct Sections<'a> {
    texts: &'a [u8],
    numbers: &'a [u8],
}

impl Sections<'_> {
    fn series(&mut self, entries: usize) -> Result<Vec<SeriesAttributes>, IndexError> {
        let count = self.count(entries)?;
        let mut series: Vec<SeriesAttributes> = Vec::new();
        for _ in 0..count {
            let before = series.last().map_or("", |one| &*one.series_uid);
            let series_uid = self.uid(before)?;
            let series_number = optional_signed(0, take(&mut self.numbers)?)?;
            let (modality, description) = (self.text()?, self.text()?);
            let (character_set, body_part) = (self.text()?, self.text()?);
            series.push(SeriesAttributes {
                series_uid,
                modality,
                series_number,
                description,
                character_set,
                body_part,
            });
        }
        Ok(series)
    }

    /// The entries, and in the block of a volume (which has `sources`) where its ranges begin.
    fn entries(
        &mut self,
        series: &[SeriesAttributes],
        sources: Option<usize>,
        digests: &[u8],
    ) -> Result<(Vec<IndexEntry>, u64), IndexError> {
        let mut entries = blank(digests);
        self.differences(&mut entries, |entry, value| {
            entry.series = narrow(value, "series")?;
            known(series.get(entry.series as usize).is_some(), "series")
        })?;
        let mut before = series.first().map_or_else(nothing, |one| one.series_uid.clone());
        for entry in &mut entries {
            entry.sop_instance = self.uid(&before)?;
            before = entry.sop_instance.clone();
        }
        self.dictionary(&mut entries, |entry, uid| entry.sop_class = uid)?;
        self.dictionary(&mut entries, |entry, uid| entry.transfer_syntax = uid)?;
        self.differences(&mut entries, |entry, value| set(&mut entry.length, value))?;
        if let Some(sources) = sources {
            self.differences(&mut entries, |entry, value| {
                entry.source = narrow(value, "source")?;
                known((entry.source as usize) < sources, "source")
            })?;
        }
        self.differences(&mut entries, |entry, value| set(&mut entry.position, value))?;
        self.differences(&mut entries, |entry, value| set(&mut entry.received_at, value as i64))?;
        self.values(&mut entries, |entry, value| set(&mut entry.flags, value))?;
        let mut number = 0;
        self.values(&mut entries, |entry, value| {
            entry.instance_number = optional_signed(number, value)?;
            number = entry.instance_number.unwrap_or(number);
            Ok(())
        })?;
        self.values(&mut entries, |entry, value| {
            set(&mut entry.number_of_frames, optional(value, "number of frames")?)
        })?;
        self.values(&mut entries, |entry, value| set(&mut entry.rows, optional(value, "rows")?))?;
        self.values(&mut entries, |entry, value| {
            set(&mut entry.columns, optional(value, "columns")?)
        })?;
        let mut ranges_offset = 0;
        if sources.is_some() {
            self.offsets(&mut entries)?;
            ranges_offset = take(&mut self.numbers)?;
        }
        Ok((entries, ranges_offset))
    }

    fn offsets(&mut self, entries: &mut [IndexEntry]) -> Result<(), IndexError> {
        let mut end = 0;
        self.values(entries, |entry, value| {
            let uids = [&*entry.sop_class, &*entry.sop_instance, &*entry.transfer_syntax];
            entry.offset = apply(predicted_offset(end, entry.length, uids), value);
            end = entry.offset.wrapping_add(entry.length);
            Ok(())
        })
    }

    /// A count of things of which every entry has one: no more of them than entries.
    fn count(&mut self, entries: usize) -> Result<usize, IndexError> {
        let count = take(&mut self.numbers)?;
        known(count <= entries as u64, "count")?;
        narrow(count, "count")
    }

    fn uid(&mut self, before: &str) -> Result<Uid, IndexError> {
        let shared: usize = narrow(take(&mut self.numbers)?, "UID")?;
        let length: usize = narrow(take(&mut self.numbers)?, "UID")?;
        let front = before.get(..shared).ok_or(IndexError::Malformed("UID"))?;
        known(length <= UID_LENGTH_MAX - shared && shared + length > 0, "UID")?;
        let rest = cut(&mut self.texts, length)?;
        known(rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.'), "UID")?;
        let rest = std::str::from_utf8(rest).map_err(|_| IndexError::Malformed("UID"))?;
        Ok(Arc::from([front, rest].concat()))
    }

    fn text(&mut self) -> Result<Box<[u8]>, IndexError> {
        let length: usize = narrow(take(&mut self.numbers)?, "text")?;
        known(length <= SERIES_TEXT_LENGTH_MAX, "text")?;
        Ok(cut(&mut self.texts, length)?.into())
    }

    fn dictionary(
        &mut self,
        entries: &mut [IndexEntry],
        mut put: impl FnMut(&mut IndexEntry, Uid),
    ) -> Result<(), IndexError> {
        let count = self.count(entries.len())?;
        let mut words: Vec<Uid> = Vec::new();
        for _ in 0..count {
            let word = self.uid(words.last().map_or("", |word| word))?;
            words.push(word);
        }
        self.values(entries, |entry, value| {
            let index: usize = narrow(value, "dictionary index")?;
            let word = words.get(index).ok_or(IndexError::Malformed("dictionary index"))?;
            put(entry, word.clone());
            Ok(())
        })
    }

    fn differences(
        &mut self,
        entries: &mut [IndexEntry],
        mut put: impl FnMut(&mut IndexEntry, u64) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let mut before = 0;
        self.values(entries, |entry, value| {
            before = apply(before, value);
            put(entry, before)
        })
    }

    fn values(
        &mut self,
        entries: &mut [IndexEntry],
        mut put: impl FnMut(&mut IndexEntry, u64) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        entries.iter_mut().try_for_each(|entry| put(entry, take(&mut self.numbers)?))
    }
}

/// As many entries as there are digests, empty but for these.
fn blank(digests: &[u8]) -> Vec<IndexEntry> {
    let nothing = nothing();
    let (digests, _) = digests.as_chunks::<DIGEST_LENGTH>();
    let entry = |digest: &[u8; DIGEST_LENGTH]| IndexEntry {
        series: 0,
        sop_instance: nothing.clone(),
        sop_class: nothing.clone(),
        transfer_syntax: nothing.clone(),
        digest: *digest,
        length: 0,
        source: 0,
        position: 0,
        received_at: 0,
        flags: 0,
        instance_number: None,
        number_of_frames: None,
        rows: None,
        columns: None,
        offset: 0,
    };
    digests.iter().map(entry).collect()
}

fn nothing() -> Uid {
    Arc::from("")
}

#[expect(clippy::unnecessary_wraps, reason = "the last step of a column, where others fail")]
fn set<T>(field: &mut T, value: T) -> Result<(), IndexError> {
    *field = value;
    Ok(())
}

fn known(holds: bool, what: &'static str) -> Result<(), IndexError> {
    if holds { Ok(()) } else { Err(IndexError::Malformed(what)) }
}

fn narrow<T: TryFrom<u64>>(value: u64, what: &'static str) -> Result<T, IndexError> {
    T::try_from(value).map_err(|_| IndexError::Malformed(what))
}

fn optional<T: TryFrom<u64>>(value: u64, what: &'static str) -> Result<Option<T>, IndexError> {
    value.checked_sub(1).map(|value| narrow(value, what)).transpose()
}

fn optional_signed(before: i32, value: u64) -> Result<Option<i32>, IndexError> {
    let Some(difference) = value.checked_sub(1) else { return Ok(None) };
    let number = apply(i64::from(before) as u64, difference) as i64;
    i32::try_from(number).map(Some).map_err(|_| IndexError::Malformed("number"))
}

//! The captured elements: what rules and catalogue need of a data set, a fixed list, bounded.

use super::tag::{self};
use super::vr::{Vr, word};
use crate::instance::CapturedElement;
use crate::limits::{CAPTURED_TOTAL_MAX, CAPTURED_VALUE_MAX};

/// One element of the list and how much of it is kept.
struct Wanted {
    tag: u32,
    /// Bytes kept at most.
    limit: u16,
    /// Kept whatever the others take: `limit` is set aside for it.
    essential: bool,
}

const fn essential(tag: u32, limit: u16) -> Wanted {
    Wanted { tag, limit, essential: true }
}

const fn text(tag: u32) -> Wanted {
    Wanted { tag, limit: CAPTURED_VALUE_MAX as u16, essential: false }
}

/// Lawful UIDs have 64 bytes; more is kept only to see that there is more.
const UID: u16 = 80;
/// Dates, times, codes, numbers.
const SHORT: u16 = 32;
/// 64 characters of up to four bytes.
const IDENTIFIER: u16 = 256;

/// The list, in tag order.
const WANTED: [Wanted; 38] = [
    essential(tag::SPECIFIC_CHARACTER_SET, IDENTIFIER),
    essential(tag::SOP_CLASS_UID, UID),
    essential(tag::SOP_INSTANCE_UID, UID),
    essential(tag::STUDY_DATE, SHORT),
    essential(tag::SERIES_DATE, SHORT),
    essential(tag::ACQUISITION_DATE, SHORT),
    essential(tag::CONTENT_DATE, SHORT),
    essential(tag::STUDY_TIME, SHORT),
    essential(tag::SERIES_TIME, SHORT),
    essential(tag::CONTENT_TIME, SHORT),
    essential(tag::ACCESSION_NUMBER, IDENTIFIER),
    essential(tag::MODALITY, SHORT),
    text(tag::MANUFACTURER),
    text(tag::INSTITUTION_NAME),
    text(tag::REFERRING_PHYSICIAN_NAME),
    essential(tag::TIMEZONE_OFFSET_FROM_UTC, SHORT),
    text(tag::STATION_NAME),
    text(tag::STUDY_DESCRIPTION),
    text(tag::SERIES_DESCRIPTION),
    text(tag::MODEL_NAME),
    text(tag::PATIENT_NAME),
    essential(tag::PATIENT_ID, IDENTIFIER),
    essential(tag::ISSUER_OF_PATIENT_ID, IDENTIFIER),
    essential(tag::PATIENT_BIRTH_DATE, SHORT),
    essential(tag::PATIENT_SEX, SHORT),
    essential(tag::BODY_PART_EXAMINED, SHORT),
    essential(tag::STUDY_INSTANCE_UID, UID),
    essential(tag::SERIES_INSTANCE_UID, UID),
    essential(tag::STUDY_ID, SHORT),
    essential(tag::SERIES_NUMBER, SHORT),
    essential(tag::INSTANCE_NUMBER, SHORT),
    essential(tag::SAMPLES_PER_PIXEL, SHORT),
    essential(tag::PHOTOMETRIC_INTERPRETATION, SHORT),
    essential(tag::NUMBER_OF_FRAMES, SHORT),
    essential(tag::ROWS, SHORT),
    essential(tag::COLUMNS, SHORT),
    essential(tag::BITS_ALLOCATED, SHORT),
    text(tag::REQUESTED_PROCEDURE_DESCRIPTION),
];

const SET_ASIDE: usize = {
    let (mut sum, mut i) = (0, 0);
    while i < WANTED.len() {
        assert!(i == 0 || WANTED[i - 1].tag < WANTED[i].tag);
        assert!(WANTED[i].limit as usize <= CAPTURED_VALUE_MAX);
        if WANTED[i].essential {
            sum += WANTED[i].limit as usize;
        }
        i += 1;
    }
    sum
};
const _: () = assert!(SET_ASIDE + 2 * CAPTURED_VALUE_MAX <= CAPTURED_TOTAL_MAX);

#[derive(Clone, Copy, Debug)]
struct Entry {
    vr: Vr,
    start: u16,
    length: u16,
    cut: bool,
    whole: bool,
}

/// Captured values of one data set, as they come by.
#[derive(Debug)]
pub struct Captures {
    bytes: Vec<u8>,
    entries: [Option<Entry>; WANTED.len()],
    open: usize,
    room: usize,
    shared: usize,
    /// Which of the list came twice, one bit each; the first value stands.
    repeated: u64,
}

const _: () = assert!(WANTED.len() <= u64::BITS as usize);

impl Default for Captures {
    fn default() -> Self {
        Self {
            bytes: Vec::with_capacity(1024),
            entries: [None; WANTED.len()],
            open: 0,
            room: 0,
            shared: CAPTURED_TOTAL_MAX - SET_ASIDE,
            repeated: 0,
        }
    }
}

fn place(tag: u32) -> Option<usize> {
    WANTED.binary_search_by_key(&tag, |wanted| wanted.tag).ok()
}

impl Captures {
    /// Begins a top-level element; false if it is not on the list (or was there before).
    #[inline]
    pub fn begin(&mut self, tag: u32, vr: Vr) -> bool {
        if tag > 0x0032_FFFF {
            return false; // nothing on the list is later
        }
        let Some(index) = place(tag) else { return false };
        if self.entries[index].is_some() {
            self.repeated |= 1 << index;
            return false;
        }
        let wanted = &WANTED[index];
        let limit = usize::from(wanted.limit);
        self.room = if wanted.essential { limit } else { limit.min(self.shared) };
        self.open = index;
        let start = self.bytes.len() as u16; // CAPTURED_TOTAL_MAX fits
        self.entries[index] = Some(Entry { vr, start, length: 0, cut: false, whole: false });
        true
    }

    /// A piece of the value of the element begun last; `last` ends it.
    #[inline]
    pub fn piece(&mut self, piece: &[u8], last: bool, big_endian: bool) {
        let index = self.open;
        let Some(entry) = &mut self.entries[index] else { return };
        let taken = piece.len().min(self.room);
        self.bytes.extend_from_slice(&piece[..taken]);
        self.room -= taken;
        entry.length += taken as u16;
        entry.cut |= taken < piece.len();
        if !WANTED[index].essential {
            self.shared -= taken;
        }
        if last {
            entry.whole = true;
            if big_endian {
                to_little_endian(&mut self.bytes[usize::from(entry.start)..], word(entry.vr));
            }
        }
    }

    /// The captured value of a tag, once all of it has come; `cut` to its limit.
    pub fn get(&self, tag: u32) -> Option<Captured<'_>> {
        let entry = self.entries[place(tag)?].filter(|entry| entry.whole)?;
        Some(Captured { tag, vr: entry.vr, cut: entry.cut, value: self.value(&entry) })
    }

    fn value(&self, entry: &Entry) -> &[u8] {
        let start = usize::from(entry.start);
        &self.bytes[start..start + usize::from(entry.length)]
    }

    /// Tags of the list that came more than once, in tag order.
    pub fn repeated(&self) -> Vec<u32> {
        let repeated = |(index, _): &(usize, &Wanted)| self.repeated >> index & 1 == 1;
        WANTED.iter().enumerate().filter(repeated).map(|(_, wanted)| wanted.tag).collect()
    }

    /// All captured elements in tag order.
    pub fn iter(&self) -> impl Iterator<Item = Captured<'_>> {
        WANTED.iter().filter_map(|wanted| self.get(wanted.tag))
    }

    /// The elements as the closing record keeps them.
    pub fn to_elements(&self) -> Vec<CapturedElement> {
        let owned = |captured: Captured<'_>| CapturedElement {
            tag: captured.tag,
            vr: captured.vr,
            cut: captured.cut,
            value: captured.value.into(),
        };
        self.iter().map(owned).collect()
    }
}

/// A captured element, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured<'a> {
    /// Its tag.
    pub tag: u32,
    /// VR as sent, else by dictionary, else `UN`.
    pub vr: Vr,
    /// Whether the value was longer.
    pub cut: bool,
    /// The value in little endian.
    pub value: &'a [u8],
}

/// Reverses each whole word of a big endian value.
pub fn to_little_endian(value: &mut [u8], word: usize) {
    if word > 1 {
        value.chunks_exact_mut(word).for_each(<[u8]>::reverse);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_kept_whatever_text_comes_before_them() {
        let mut captures = Captures::default();
        for wanted in WANTED.iter().filter(|wanted| !wanted.essential) {
            assert!(captures.begin(wanted.tag, *b"LT"));
            captures.piece(&[b'x'; 5000], true, false);
        }
        for wanted in WANTED.iter().filter(|wanted| wanted.essential) {
            assert!(captures.begin(wanted.tag, *b"UI"));
            captures.piece(&vec![b'1'; wanted.limit.into()], true, false);
            assert!(!captures.get(wanted.tag).unwrap().cut);
        }
        let total: usize = captures.iter().map(|captured| captured.value.len()).sum();
        assert_eq!(total, CAPTURED_TOTAL_MAX);
        assert!(captures.get(tag::PATIENT_NAME).unwrap().cut);
    }

    #[test]
    fn the_first_of_two_stands_and_a_part_is_not_given_out() {
        let mut captures = Captures::default();
        captures.begin(tag::PATIENT_ID, *b"LO");
        captures.piece(b"A", false, false);
        assert_eq!(captures.get(tag::PATIENT_ID), None);
        captures.piece(b"B", true, false);
        assert!(!captures.begin(tag::PATIENT_ID, *b"LO"));
        assert_eq!(captures.get(tag::PATIENT_ID).unwrap().value, b"AB");
        assert_eq!(captures.repeated(), [tag::PATIENT_ID]);
    }
}

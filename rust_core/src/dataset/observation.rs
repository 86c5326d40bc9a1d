//! What the scan saw that a rule may judge: data, not decisions.

/// Departures from PS3.5 that leave the data set readable; each names the first element concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observations {
    /// A tag after a greater one, at any level.
    pub unsorted: Option<u32>,
    /// A tag twice in one level.
    pub duplicate: Option<u32>,
    /// Captured top-level tags that came more than once; the first value was captured.
    pub captured_duplicates: Vec<u32>,
    /// A value or fragment of odd length.
    pub odd_length: Option<u32>,
    /// Reserved bytes of an explicit header that are not zero.
    pub reserved_bytes: Option<u32>,
    /// A Specific Character Set, at any level, that is no defined term.
    pub unknown_character_set: Option<u32>,
    /// A captured text that its character set does not decode.
    pub undecodable_text: Option<u32>,
    /// A few bytes after the end of a deflated data set that are not its pad byte.
    pub deflate_trailer: bool,
}

/// The top-level pixels, as far as lengths tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PixelObservation {
    /// None in the data set.
    #[default]
    None,
    /// Native: Pixel Data, Float Pixel Data or Double Float Pixel Data.
    Native {
        /// Which.
        tag: u32,
        /// Length of its value, bytes.
        length: u32,
    },
    /// Encapsulated Pixel Data.
    Encapsulated {
        /// Fragments, the Basic Offset Table not counted.
        fragments: u64,
        /// Bytes of the fragments with their item headers.
        length: u64,
        /// Whether the offset tables are whole and point into the fragments.
        offsets_lawful: bool,
    },
}

/// An offset table as it streams by: unsigned little endian words (PS3.5 A.4, PS3.3 C.7.6.3.1.8).
#[derive(Clone, Copy, Debug)]
pub struct OffsetTable {
    width: u32,
    filled: u32,
    word: u64,
    greatest: Option<u64>,
}

impl OffsetTable {
    /// The Basic Offset Table: words of four bytes.
    pub const BASIC: Self = Self { width: 4, filled: 0, word: 0, greatest: None };
    /// The Extended Offset Table: words of eight bytes.
    pub const EXTENDED: Self = Self { width: 8, filled: 0, word: 0, greatest: None };

    /// A piece of the table.
    pub fn piece(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.word |= u64::from(byte) << (8 * self.filled);
            self.filled += 1;
            if self.filled == self.width {
                self.greatest = self.greatest.max(Some(self.word));
                (self.filled, self.word) = (0, 0);
            }
        }
    }

    /// Whether it has whole words only, all of them within `length` bytes of fragments.
    pub fn lawful(&self, length: u64) -> bool {
        self.filled == 0 && self.greatest.is_none_or(|greatest| greatest < length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_past_the_fragments_or_a_broken_word_is_seen() {
        let mut table = OffsetTable::BASIC;
        table.piece(&[0, 0, 0, 0, 16]);
        assert!(!table.lawful(100));
        table.piece(&[0, 0, 0]);
        assert!(table.lawful(17));
        assert!(!table.lawful(16));
        assert!(OffsetTable::EXTENDED.lawful(0));
    }
}

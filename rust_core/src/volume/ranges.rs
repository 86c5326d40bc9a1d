//! Ranges: the BLAKE3 tree of a data set cut at 1 MiB, so that a part verifies against the digest
//! of the whole.
//!
//! BLAKE3 hashes a binary tree. A range of 1 MiB (the last may be shorter) that starts at a multiple of 1 MiB is a
//! whole subtree of it; its *chaining value* stands for it. From the chaining values of all ranges
//! the digest of the data set is computed, so they prove themselves before they are believed.

use blake3::hazmat::{
    ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root,
};

use crate::instance::ContentDigest;

/// Bytes of one range.
pub const RANGE_LENGTH: u64 = 1 << 20;
/// Bytes of a chaining value in `blake3-ranges.txt`: 64 hexadecimal digits and a line feed.
pub const RANGE_LINE_LENGTH: u64 = 65;

/// Ranges that a data set of that length has: none if it is one range alone.
pub fn range_count(length: u64) -> u64 {
    if length > RANGE_LENGTH { length.div_ceil(RANGE_LENGTH) } else { 0 }
}

/// The chaining value of the range that begins at `offset` of its data set.
pub fn range_value(offset: u64, bytes: &[u8]) -> ChainingValue {
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(offset);
    hasher.update(bytes);
    hasher.finalize_non_root()
}

/// The digest of a data set of which these are the ranges; none for fewer than two.
pub fn digest_of(values: &[ChainingValue]) -> Option<ContentDigest> {
    let (left, right) = halves(values)?;
    Some(*merge_subtrees_root(&subtree(left)?, &subtree(right)?, Mode::Hash).as_bytes())
}

/// No deeper than the logarithm of the number of ranges.
fn subtree(values: &[ChainingValue]) -> Option<ChainingValue> {
    if let [value] = values {
        return Some(*value);
    }
    let (left, right) = halves(values)?;
    Some(merge_subtrees_non_root(&subtree(left)?, &subtree(right)?, Mode::Hash))
}

/// The left half holds the largest power of two that leaves something to the right.
fn halves(values: &[ChainingValue]) -> Option<(&[ChainingValue], &[ChainingValue])> {
    let left = values.len().checked_sub(1)?.checked_ilog2()?;
    values.split_at_checked(1 << left)
}

/// Digest and chaining values of one data set, as it comes by.
pub struct RangeHasher {
    length: u64,
    taken: u64,
    current: Box<blake3::Hasher>,
    values: Vec<ChainingValue>,
}

impl RangeHasher {
    /// For a data set of that length.
    pub fn new(length: u64) -> Self {
        Self { length, taken: 0, current: Box::default(), values: Vec::new() }
    }

    /// The next bytes; no more together than the length.
    pub fn update(&mut self, mut bytes: &[u8]) {
        if self.length <= RANGE_LENGTH {
            self.taken += bytes.len() as u64;
            self.current.update(bytes);
            return;
        }
        while !bytes.is_empty() {
            let room = RANGE_LENGTH - self.taken % RANGE_LENGTH;
            let (now, later) = bytes.split_at(bytes.len().min(room as usize));
            self.current.update(now);
            self.taken += now.len() as u64;
            if self.taken.is_multiple_of(RANGE_LENGTH) || self.taken == self.length {
                self.values.push(self.current.finalize_non_root());
                *self.current = blake3::Hasher::new();
                if self.taken < self.length {
                    self.current.set_input_offset(self.taken);
                }
            }
            bytes = later;
        }
    }

    /// The digest, and the chaining values where there is more than one range. Of all the bytes.
    pub fn finish(self) -> (ContentDigest, Vec<ChainingValue>) {
        let digest = match self.length {
            0..=RANGE_LENGTH => Some(*self.current.finalize().as_bytes()),
            _ => digest_of(&self.values),
        };
        (digest.unwrap_or_default(), self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_hash_to_the_digest_however_the_bytes_are_cut() {
        const MIB: usize = 1 << 20;
        let bytes: Vec<u8> = (0..5 * MIB + 7).map(|at| (at % 251) as u8).collect();
        for length in [0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB, 3 * MIB + 5, 5 * MIB + 7] {
            let bytes = &bytes[..length];
            for piece in [MIB / 3, 131_008, length.max(1)] {
                let mut hasher = RangeHasher::new(length as u64);
                bytes.chunks(piece).for_each(|piece| hasher.update(piece));
                let (digest, values) = hasher.finish();
                assert_eq!(digest, *blake3::hash(bytes).as_bytes(), "{length}");
                assert_eq!(values.len() as u64, range_count(length as u64));
                for (index, value) in values.iter().enumerate() {
                    let at = index * MIB;
                    let range = &bytes[at..length.min(at + MIB)];
                    assert_eq!(*value, range_value(at as u64, range));
                }
            }
        }
    }

    #[test]
    fn a_changed_value_gives_another_digest_and_fewer_than_two_give_none() {
        let values: Vec<ChainingValue> = (0..7).map(|n| [n; 32]).collect();
        for index in 0..7 {
            let mut changed = values.clone();
            changed[index][31] ^= 1;
            assert_ne!(digest_of(&changed), digest_of(&values));
        }
        assert_eq!(digest_of(&values[..1]), None);
        assert_eq!(digest_of(&[]), None);
    }
}

//! A data set read out of a volume in a store, verified before a byte leaves.

use std::io::{self, Read};

use super::description::unhex;
use super::error::VolumeError;
use super::ranges::{RANGE_LENGTH, RANGE_LINE_LENGTH, digest_of, range_count, range_value};

/// Reads bytes of the stored object: an offset, and how many.
pub type ReadStored = Box<dyn FnMut(u64, usize) -> io::Result<Vec<u8>> + Send>;

/// Where a data set lies in a volume, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredPlace {
    /// Where it begins, bytes.
    pub offset: u64,
    /// How long it is, bytes.
    pub length: u64,
    /// The first half of its BLAKE3.
    pub digest: [u8; 16],
    /// Where its chaining values begin, if it has more than 1 MiB.
    pub ranges_offset: Option<u64>,
}

/// The data set, 1 MiB at a time: memory is that and its chaining values.
pub struct StoredReader {
    place: StoredPlace,
    read: ReadStored,
    /// Chaining values that hash to the digest; read with the first bytes.
    values: Option<Vec<[u8; 32]>>,
    piece: Vec<u8>,
    unread: usize,
    /// Bytes that were read from the store.
    taken: u64,
}

impl StoredReader {
    /// At the start; nothing is read yet.
    pub fn new(place: StoredPlace, read: ReadStored) -> Self {
        Self { place, read, values: None, piece: Vec::new(), unread: 0, taken: 0 }
    }

    fn stored(&mut self, offset: u64, length: u64) -> io::Result<Vec<u8>> {
        let bytes = (self.read)(offset, usize::try_from(length).map_err(io::Error::other)?)?;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(damaged("it is cut short")) }
    }

    /// The next range, verified.
    fn fill(&mut self) -> io::Result<()> {
        let length = (self.place.length - self.taken).min(RANGE_LENGTH);
        if self.values.is_none() {
            self.values = Some(self.proven_values()?);
        }
        let offset = self.place.offset.checked_add(self.taken).ok_or_else(beyond)?;
        let piece = self.stored(offset, length)?;
        let sound = match self.values.as_deref() {
            Some([]) | None => blake3::hash(&piece).as_bytes()[..16] == self.place.digest,
            Some(values) => {
                let value = values.get((self.taken / RANGE_LENGTH) as usize);
                value == Some(&range_value(self.taken, &piece))
            }
        };
        if !sound {
            return Err(damaged("it no longer matches its digest"));
        }
        self.taken += length;
        (self.piece, self.unread) = (piece, 0);
        Ok(())
    }

    /// The chaining values, which must hash to the digest before a range is held against one.
    fn proven_values(&mut self) -> io::Result<Vec<[u8; 32]>> {
        let count = range_count(self.place.length);
        if count == 0 {
            return Ok(Vec::new());
        }
        let offset = self.place.ranges_offset.ok_or_else(beyond)?;
        let text = self.stored(offset, count * RANGE_LINE_LENGTH)?;
        let line = |line: &[u8]| unhex(std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?);
        let values: Option<Vec<[u8; 32]>> =
            text.chunks(RANGE_LINE_LENGTH as usize).map(line).collect();
        let proven = values.filter(|values| {
            digest_of(values).is_some_and(|digest| digest[..16] == self.place.digest)
        });
        proven.ok_or_else(|| damaged("its chaining values do not hash to its digest"))
    }
}

impl Read for StoredReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.unread == self.piece.len() {
            if self.taken == self.place.length {
                return Ok(0);
            }
            self.fill()?;
        }
        let piece = &self.piece[self.unread..];
        let length = piece.len().min(into.len());
        into[..length].copy_from_slice(&piece[..length]);
        self.unread += length;
        Ok(length)
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::other(VolumeError::new(format!("a data set in a volume: {what}")))
}

fn beyond() -> io::Error {
    damaged("its index says no such place")
}

#[cfg(test)]
mod tests {
    use super::super::ranges::RangeHasher;
    use super::super::scan::ranges_text;
    use super::*;
    use std::sync::{Arc, Mutex};

    const OFFSET: u64 = 700;

    fn stored(length: usize) -> (Vec<u8>, StoredPlace) {
        let data_set: Vec<u8> = (0..length).map(|at| (at * 31 % 253) as u8).collect();
        let mut hasher = RangeHasher::new(length as u64);
        hasher.update(&data_set);
        let (digest, values) = hasher.finish();
        let mut volume = vec![9; OFFSET as usize];
        volume.extend(data_set);
        let ranges_offset = Some(volume.len() as u64).filter(|_| !values.is_empty());
        volume.extend(ranges_text(&values).into_bytes());
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        (volume, StoredPlace { offset: OFFSET, length: length as u64, digest: half, ranges_offset })
    }

    fn read(volume: Vec<u8>, place: StoredPlace) -> (Vec<u8>, io::Result<usize>, Vec<usize>) {
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&sizes);
        let from = move |offset: u64, length: usize| {
            seen.lock().unwrap().push(length);
            let start = (offset as usize).min(volume.len());
            Ok(volume[start..(start + length).min(volume.len())].to_vec())
        };
        let mut out = Vec::new();
        let outcome = StoredReader::new(place, Box::new(from)).read_to_end(&mut out);
        let sizes = sizes.lock().unwrap().clone();
        (out, outcome, sizes)
    }

    #[test]
    fn a_data_set_is_read_in_ranges_and_a_short_one_at_once() {
        for (length, reads) in [
            (5, vec![5]),
            (1 << 20, vec![1 << 20]),
            ((2 << 20) + 9, vec![3 * 65, 1 << 20, 1 << 20, 9]),
        ] {
            let (volume, place) = stored(length);
            let (out, outcome, sizes) = read(volume.clone(), place);
            assert_eq!(outcome.unwrap(), length);
            assert_eq!(out, volume[OFFSET as usize..][..length]);
            assert_eq!(sizes, reads);
        }
    }

    #[test]
    fn no_byte_of_a_damaged_range_leaves() {
        let (volume, place) = stored((2 << 20) + 9);
        let end = volume.len();
        for (at, before) in [
            (OFFSET as usize, 0),
            (OFFSET as usize + (1 << 20), 1 << 20),
            (OFFSET as usize + (2 << 20) + 8, 2 << 20),
            (end - 1, 0),
            (end - 3 * 65, 0),
        ] {
            let mut damaged = volume.clone();
            damaged[at] ^= 1;
            let (out, outcome, _) = read(damaged, place);
            assert!(outcome.is_err());
            assert_eq!(out.len(), before, "byte {at}");
        }
        let (mut short, place) = stored(5);
        short[OFFSET as usize] ^= 1;
        assert_eq!(read(short, place).0, []);
        let (volume, place) = stored(5);
        assert!(read(volume[..OFFSET as usize + 4].to_vec(), place).1.is_err());
    }
}

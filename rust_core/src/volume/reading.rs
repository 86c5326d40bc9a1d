//! Data sets from the journal in the order of a volume, held against their closing records.

use std::sync::mpsc::{Receiver, SyncSender};

use blake3::hazmat::ChainingValue;

use super::contents::Contents;
use super::error::AssemblyError;
use super::listed::Listed;
use super::ranges::{RANGE_LENGTH, RangeHasher};
use crate::journal::Readings;
use crate::journal::record::BLOCK_PAYLOAD_LENGTH;
use crate::limits::BLOCK_LENGTH;

/// Bytes of data sets, one behind the other.
#[derive(Default)]
pub struct Stretch {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Chaining values of the ranges of data sets that end in this stretch, in their order.
    pub ranges: Vec<ChainingValue>,
}

/// A stretch is given on when it has so many bytes.
const STRETCH_LENGTH: usize = 1 << 20;

/// What ends the reading before its end.
enum Stop {
    Failed(AssemblyError),
    /// Nobody listens any more.
    Left,
}

struct Reading<'a> {
    journal: &'a Readings,
    given: &'a SyncSender<Result<Stretch, AssemblyError>>,
    emptied: &'a Receiver<Vec<u8>>,
    stretch: Stretch,
}

/// Reads all of them, until nobody listens any more.
pub fn read_data_sets(
    journal: &Readings,
    contents: &Contents,
    given: &SyncSender<Result<Stretch, AssemblyError>>,
    emptied: &Receiver<Vec<u8>>,
) {
    let mut reading = Reading { journal, given, emptied, stretch: Stretch::default() };
    if let Err(Stop::Failed(error)) = reading.all(&contents.instances) {
        // Whoever left does not want to know.
        let _ = given.send(Err(error));
    }
}

/// Whether all of it lies in its closing record.
fn is_small(one: &Listed) -> bool {
    one.length < BLOCK_PAYLOAD_LENGTH as u64
}

/// It is not what its closing record says.
fn changed(one: &Listed) -> Stop {
    Stop::Failed(AssemblyError::Changed(one.receive_id))
}

impl Reading<'_> {
    fn all(&mut self, instances: &[Listed]) -> Result<(), Stop> {
        for group in instances.chunk_by(|one, next| is_small(one) && is_small(next)) {
            match group {
                [one] if !is_small(one) => self.large(one)?,
                small => self.small(small)?,
            }
        }
        self.give()
    }

    /// Those that lie close together are read at once.
    fn small(&mut self, group: &[Listed]) -> Result<(), Stop> {
        let ids = group.iter().map(|one| one.receive_id).collect();
        for ((id, found), one) in self.journal.selection(ids).zip(group) {
            let failed = |error| Stop::Failed(AssemblyError::Journal(id, error));
            let kept = found.map_err(failed)?.ok_or(Stop::Failed(AssemblyError::Absent(id)))?;
            let whole = kept.whole().filter(|bytes| *blake3::hash(bytes).as_bytes() == one.digest);
            self.stretch.bytes.extend_from_slice(whole.ok_or_else(|| changed(one))?);
            self.give_if_full()?;
        }
        Ok(())
    }

    fn large(&mut self, one: &Listed) -> Result<(), Stop> {
        let id = one.receive_id;
        let failed = |error| Stop::Failed(AssemblyError::Journal(id, error));
        let reader = self.journal.reader(id).map_err(failed)?;
        let mut reader = reader.ok_or(Stop::Failed(AssemblyError::Absent(id)))?;
        let mut hasher = (one.length > RANGE_LENGTH).then(|| RangeHasher::new(one.length));
        let mut left = one.length;
        // The reader holds all of it against the digest before its last piece.
        loop {
            let before = self.stretch.bytes.len();
            let length = reader.read_chunk(&mut self.stretch.bytes).map_err(failed)?;
            if length == 0 {
                break;
            }
            left = left.checked_sub(length as u64).ok_or_else(|| changed(one))?;
            if let Some(hasher) = &mut hasher {
                hasher.update(&self.stretch.bytes[before..]);
            }
            // The last bytes wait for their chaining values.
            if left > 0 {
                self.give_if_full()?;
            }
        }
        if left > 0 {
            return Err(changed(one));
        }
        let (digest, ranges) = hasher.map_or((one.digest, Vec::new()), RangeHasher::finish);
        if digest != one.digest {
            return Err(changed(one));
        }
        self.stretch.ranges.extend(ranges);
        self.give_if_full()
    }

    fn give_if_full(&mut self) -> Result<(), Stop> {
        if self.stretch.bytes.len() < STRETCH_LENGTH { Ok(()) } else { self.give() }
    }

    fn give(&mut self) -> Result<(), Stop> {
        let room = STRETCH_LENGTH + BLOCK_LENGTH;
        let mut bytes = self.emptied.try_recv().unwrap_or_else(|_| Vec::with_capacity(room));
        bytes.clear();
        let full = std::mem::replace(&mut self.stretch, Stretch { bytes, ranges: Vec::new() });
        self.given.send(Ok(full)).map_err(|_| Stop::Left)
    }
}

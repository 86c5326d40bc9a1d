//! Readers: closing records and data sets read back, every record verified before its bytes leave.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::aligned::AlignedBuffer;
use super::closing::{self, Extent};
use super::error::JournalError;
use super::index::{Entry, Index};
use super::log::Log;
use super::record::{Generation, Header, Kind, Place, RECORD_HEADER_LENGTH};
use crate::instance::{NodeId, Particulars, ReceiveId};
use crate::limits::BLOCK_LENGTH;

/// What the journal keeps of one instance, as its closing record says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its receive id.
    pub receive_id: ReceiveId,
    /// Its particulars.
    pub particulars: Particulars,
    pub(super) extents: Vec<Extent>,
    pub(super) tail: Box<[u8]>,
    pub(super) upload: u64,
}

impl Kept {
    /// The whole data set, if all of it lies in the closing record. Not held against its digest yet.
    pub fn whole(&self) -> Option<&[u8]> {
        self.extents.is_empty().then_some(&self.tail)
    }
}

/// Segments that cannot be used again while this lives.
pub(super) struct Pins {
    log: Arc<Log>,
    generations: Vec<Generation>,
}

impl Pins {
    pub(super) fn new(log: Arc<Log>) -> Self {
        Self { log, generations: Vec::new() }
    }

    /// Pins a segment; false if that generation is gone.
    pub(super) fn pin(&mut self, segment: u32, generation: u32) -> bool {
        if self.generation(segment).is_some_and(|pinned| pinned.generation == generation) {
            return true;
        }
        let mut state = self.log.state();
        let pinned = state.table.pin(segment, generation);
        let nonce = state.table.get(segment).map_or(0, |found| found.nonce);
        if pinned {
            self.generations.push(Generation { segment, generation, nonce });
        }
        pinned
    }

    pub(super) fn generation(&self, segment: u32) -> Option<Generation> {
        self.generations.iter().find(|pinned| pinned.segment == segment).copied()
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        let mut state = self.log.state();
        self.generations.iter().for_each(|pinned| state.table.unpin(pinned.segment));
        drop(state);
        self.log.notify();
    }
}

/// Reads and verifies the record at `place` into `buffer`, which is as long as the record.
fn read_record(
    log: &Log,
    generation: Generation,
    place: Place,
    kind: Kind,
    buffer: &mut [u8],
) -> Result<Header, JournalError> {
    let Place { segment, offset, .. } = place;
    let read = log.medium.read(segment, u64::from(offset), buffer);
    read.map_err(|error| JournalError::io(&format!("read of segment {segment}"), &error))?;
    verify(generation, place, kind, buffer)
}

/// Checks that the bytes begin with the whole record that was written at `place`.
pub(super) fn verify(
    generation: Generation,
    place: Place,
    kind: Kind,
    bytes: &[u8],
) -> Result<Header, JournalError> {
    let rot = JournalError::Rot {
        segment: place.segment,
        offset: place.offset,
        generation: place.generation,
        what: "a record of a live instance does not read back as written",
    };
    let header = generation.check(place.offset, bytes).map_err(|_| rot.clone())?;
    if header.kind == kind { Ok(header) } else { Err(rot) }
}

fn read_closing(log: &Log, pins: &Pins, entry: &Entry) -> Result<Option<Kept>, JournalError> {
    let place = entry.closing;
    let Some(generation) = pins.generation(place.segment) else { return Ok(None) };
    let mut buffer = AlignedBuffer::new(entry.length as usize);
    let header = read_record(log, generation, place, Kind::Closing, &mut buffer)?;
    kept_of(&header, place, &buffer).map(Some)
}

/// What a verified closing record says.
pub(super) fn kept_of(header: &Header, place: Place, bytes: &[u8]) -> Result<Kept, JournalError> {
    let payload = &bytes[RECORD_HEADER_LENGTH..][..header.payload_length as usize];
    let closing = closing::decode(payload).ok_or(JournalError::Rot {
        segment: place.segment,
        offset: place.offset,
        generation: place.generation,
        what: "a valid record with an unreadable payload",
    })?;
    let closing::Closing { receive_id, particulars, extents, tail, copied: _ } = closing;
    Ok(Kept { receive_id, particulars, extents, tail, upload: header.upload })
}

/// An instance whose closing record was read, and whose segments stay while this lives.
pub(super) struct Pinned {
    pins: Pins,
    pub(super) entry: Entry,
    pub(super) kept: Kept,
}

/// The instance's closing record, re-read; none if it is not (or no longer) kept.
pub(super) fn kept(
    log: &Arc<Log>,
    index: &Mutex<Index>,
    id: ReceiveId,
) -> Result<Option<Kept>, JournalError> {
    Ok(pinned(log, index, id, false)?.map(|pinned| pinned.kept))
}

/// Pins an instance, with or without its blocks, and reads its closing record; none if it is not (or
/// no longer) kept. One that is copied forward meanwhile is looked for where it went.
pub(super) fn pinned(
    log: &Arc<Log>,
    index: &Mutex<Index>,
    id: ReceiveId,
    blocks: bool,
) -> Result<Option<Pinned>, JournalError> {
    let get = || index.lock().unwrap_or_else(PoisonError::into_inner).get(id);
    let mut next = get();
    while let Some(entry) = next {
        let mut pins = Pins::new(log.clone());
        let extents = if blocks { entry.extents() } else { &[] };
        let there = pins.pin(entry.closing.segment, entry.closing.generation)
            && extents.iter().all(|extent| pins.pin(extent.segment, extent.generation));
        // A place that was given up meanwhile may read as anything.
        let read = if there { read_closing(log, &pins, &entry) } else { Ok(None) };
        next = get();
        if next.as_ref() == Some(&entry) {
            return read.map(|kept| kept.map(|kept| Pinned { pins, entry, kept }));
        }
    }
    Ok(None)
}

/// Reads block `number` of an instance into `buffer`, and checks that it is that.
pub(super) fn read_block(
    log: &Log,
    pinned: &Pinned,
    place: Place,
    number: u32,
    buffer: &mut [u8],
) -> Result<Header, JournalError> {
    let of = (pinned.kept.upload, pinned.kept.receive_id.epoch);
    read_data(log, &pinned.pins, place, (of.0, number, of.1), buffer)
}

/// `expected`: upload, number of the block, epoch.
fn read_data(
    log: &Log,
    pins: &Pins,
    place: Place,
    expected: (u64, u32, u32),
    buffer: &mut [u8],
) -> Result<Header, JournalError> {
    let missing = JournalError::Rot {
        segment: place.segment,
        offset: place.offset,
        generation: place.generation,
        what: "a data record of another instance or block",
    };
    let generation = pins.generation(place.segment).ok_or_else(|| missing.clone())?;
    let header = read_record(log, generation, place, Kind::Data, buffer)?;
    if (header.upload, header.index, header.epoch) == expected { Ok(header) } else { Err(missing) }
}

/// The data set of one instance, in order, from the start. While it lives, its segments stay.
pub struct InstanceReader {
    kept: Arc<Kept>,
    pins: Pins,
    places: Box<dyn Iterator<Item = Place> + Send>,
    index: u32,
    buffer: AlignedBuffer,
    unread: std::ops::Range<usize>,
    tail_given: bool,
    closing: Place,
    remaining: u64,
    hasher: Box<blake3::Hasher>,
}

impl InstanceReader {
    pub(super) fn open(
        log: &Arc<Log>,
        index: &Mutex<Index>,
        id: ReceiveId,
    ) -> Result<Option<Self>, JournalError> {
        let Some(pinned) = pinned(log, index, id, true)? else { return Ok(None) };
        let Pinned { pins, entry, kept } = pinned;
        let places = Box::new(kept.extents.clone().into_iter().flat_map(|extent| extent.places()));
        let length = if kept.extents.is_empty() { 0 } else { BLOCK_LENGTH };
        Ok(Some(Self {
            remaining: kept.particulars.length,
            kept: Arc::new(kept),
            pins,
            places,
            index: 0,
            buffer: AlignedBuffer::new(length),
            unread: 0..0,
            tail_given: false,
            closing: entry.closing,
            hasher: Box::default(),
        }))
    }

    /// What is known of the instance.
    pub fn kept(&self) -> &Arc<Kept> {
        &self.kept
    }

    /// Appends the next piece (at most a block) of the data set to `out`; how long it was, 0 at the
    /// end.
    ///
    /// # Errors
    /// `Rot` if a record does not verify, or before the last piece if all together do not match the
    /// digest; `Io` if it cannot be read: nothing of that piece was given out.
    pub fn read_chunk(&mut self, out: &mut Vec<u8>) -> Result<usize, JournalError> {
        let piece = self.piece()?;
        let length = piece.len();
        out.extend_from_slice(piece);
        self.consume(length);
        Ok(length)
    }

    /// The verified bytes that come next; empty at the end.
    fn piece(&mut self) -> Result<&[u8], JournalError> {
        if self.unread.is_empty() && !self.tail_given {
            match self.places.next() {
                Some(place) => self.load(place)?,
                None => {
                    self.tail_given = true;
                    self.unread = 0..self.kept.tail.len();
                }
            }
            self.digest()?;
        }
        let from: &[u8] = if self.tail_given { &self.kept.tail } else { &self.buffer };
        Ok(&from[self.unread.clone()])
    }

    /// Takes what comes next into the digest; the last of it leaves only if all is what was received.
    /// The CRC of a record vouches for what was written, not for what the digest was taken of.
    fn digest(&mut self) -> Result<(), JournalError> {
        let from: &[u8] = if self.tail_given { &self.kept.tail } else { &self.buffer };
        self.hasher.update(&from[self.unread.clone()]);
        self.remaining = self.remaining.saturating_sub(self.unread.len() as u64);
        let expected = &self.kept.particulars.content.digest;
        if self.remaining > 0 || self.hasher.finalize() == *expected {
            return Ok(());
        }
        self.unread = 0..0;
        let Place { segment, generation, offset } = self.closing;
        let what = "a data set that no longer matches its digest";
        Err(JournalError::Rot { segment, offset, generation, what })
    }

    fn consume(&mut self, length: usize) {
        self.unread.start += length;
    }

    fn load(&mut self, place: Place) -> Result<(), JournalError> {
        let expected = (self.kept.upload, self.index, self.kept.receive_id.epoch);
        read_data(&self.pins.log, &self.pins, place, expected, &mut self.buffer)?;
        self.index += 1;
        self.unread = RECORD_HEADER_LENGTH..BLOCK_LENGTH;
        Ok(())
    }
}

impl io::Read for InstanceReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let piece = self.piece().map_err(io::Error::other)?;
        let length = piece.len().min(into.len());
        into[..length].copy_from_slice(&piece[..length]);
        self.consume(length);
        Ok(length)
    }
}

/// Closing records that lie close together are read at once: this many bytes at most, unless one
/// alone is longer. Small instances, of which there may be millions, are nothing else.
pub(super) const RUN_LENGTH_MAX: u32 = 1 << 20;

/// Live instances of one epoch in position order, read ahead a little as they are asked for.
pub struct Entries {
    log: Arc<Log>,
    index: Arc<Mutex<Index>>,
    node: NodeId,
    epoch: u32,
    position: u64,
    ready: VecDeque<Arc<Kept>>,
}

impl Entries {
    pub(super) fn after(
        log: Arc<Log>,
        index: Arc<Mutex<Index>>,
        node: NodeId,
        epoch: u32,
        position: u64,
    ) -> Self {
        Self { log, index, node, epoch, position, ready: VecDeque::new() }
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the next run; false at the end.
    fn fill(&mut self) -> Result<bool, JournalError> {
        let run = self.index().run_after(self.epoch, self.position, RUN_LENGTH_MAX);
        let (Some(first), Some(last)) = (run.first(), run.last()) else { return Ok(false) };
        self.position = last.position;
        let Place { segment, generation, offset } = first.closing;
        let mut pins = Pins::new(self.log.clone());
        let generation = pins.pin(segment, generation).then(|| pins.generation(segment)).flatten();
        let mut bytes = AlignedBuffer::new((last.closing.offset + last.length - offset) as usize);
        if generation.is_some() {
            let read = self.log.medium.read(segment, u64::from(offset), &mut bytes);
            read.map_err(|error| JournalError::io(&format!("read of segment {segment}"), &error))?;
        }
        for entry in &run {
            let at = (entry.closing.offset - offset) as usize;
            let kept = generation.and_then(|generation| {
                let verified = verify(generation, entry.closing, Kind::Closing, &bytes[at..]);
                verified.and_then(|header| kept_of(&header, entry.closing, &bytes[at..])).ok()
            });
            // Gone or copied forward since, or rot: read by itself it tells.
            let id = ReceiveId { node: self.node, epoch: self.epoch, position: entry.position };
            let kept = match kept {
                Some(kept) => Some(kept),
                None => self::kept(&self.log, &self.index, id)?,
            };
            self.ready.extend(kept.map(Arc::new));
        }
        Ok(true)
    }
}

impl Iterator for Entries {
    type Item = Result<Arc<Kept>, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            while let Some(kept) = self.ready.pop_front() {
                if self.index().get(kept.receive_id).is_some() {
                    return Some(Ok(kept));
                }
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

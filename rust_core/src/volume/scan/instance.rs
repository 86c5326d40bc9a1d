//! One instance's file as it comes by: hashed twice, and its data set scanned if asked for.

use blake3::hazmat::ChainingValue;
use sha2::{Digest, Sha256};

use crate::dataset::{Scanner, encapsulated, encoding_of};
use crate::instance::{CapturedElement, ContentDigest};
use crate::limits::INSTANCE_LENGTH_MAX;
use crate::volume::error::VolumeError;
use crate::volume::file_meta::{
    self, FILE_META_LENGTH_KNOWN, FILE_META_LENGTH_MAX, FileMeta, length_of,
};
use crate::volume::listed::Ordinal;
use crate::volume::ranges::RangeHasher;

/// What a whole file turned out to be.
pub struct Met {
    /// Where it stands.
    pub ordinal: Ordinal,
    /// What its file meta group says.
    pub meta: FileMeta,
    /// Bytes of its data set.
    pub length: u64,
    /// BLAKE3 of its data set.
    pub digest: ContentDigest,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
}

/// A [`Met`] and what else its bytes told.
pub struct Read {
    /// What it is.
    pub met: Met,
    /// The bytes before its data set.
    pub start: Vec<u8>,
    /// Chaining values of its ranges.
    pub ranges: Vec<ChainingValue>,
    /// Captured elements, if it was scanned.
    pub captured: Vec<CapturedElement>,
}

/// The data set of a file whose meta group was read.
struct DataSet {
    meta: FileMeta,
    length: u64,
    hasher: RangeHasher,
    scanner: Option<Scanner>,
}

/// A file in progress.
pub struct InstanceReading {
    ordinal: Ordinal,
    size: u64,
    scanned: bool,
    sha256: Sha256,
    start: Vec<u8>,
    data_set: Option<DataSet>,
}

impl InstanceReading {
    /// Begins a file of that size.
    ///
    /// # Errors
    /// If no instance is so long.
    pub fn new(ordinal: Ordinal, size: u64, scanned: bool) -> Result<Self, VolumeError> {
        if size > INSTANCE_LENGTH_MAX + FILE_META_LENGTH_MAX as u64 {
            return Err(VolumeError::new("longer than an instance may be"));
        }
        let (sha256, start) = (Sha256::new(), Vec::new());
        Ok(Self { ordinal, size, scanned, sha256, start, data_set: None })
    }

    /// The next bytes, however they are cut.
    ///
    /// # Errors
    /// What is not as the format says.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<(), VolumeError> {
        self.sha256.update(bytes);
        if self.data_set.is_none() {
            self.take_start(&mut bytes)?;
        }
        let Some(data_set) = &mut self.data_set else { return Ok(()) };
        data_set.hasher.update(bytes);
        let unreadable = |_| VolumeError::new("a data set that cannot be read");
        data_set
            .scanner
            .as_mut()
            .map_or(Ok(()), |scanner| scanner.update(bytes).map_err(unreadable))
    }

    fn take_start(&mut self, bytes: &mut &[u8]) -> Result<(), VolumeError> {
        loop {
            let wanted = self.start_length()?;
            let (now, rest) = bytes.split_at(bytes.len().min(wanted - self.start.len()));
            self.start.extend_from_slice(now);
            *bytes = rest;
            if self.start.len() < wanted {
                return Ok(());
            }
            if wanted > FILE_META_LENGTH_KNOWN {
                return self.begin_data_set();
            }
        }
    }

    /// Bytes of the file meta information, as far as those that are here tell.
    fn start_length(&self) -> Result<usize, VolumeError> {
        if self.start.len() < FILE_META_LENGTH_KNOWN {
            return Ok(FILE_META_LENGTH_KNOWN);
        }
        let whole = length_of(&self.start).filter(|length| *length > FILE_META_LENGTH_KNOWN);
        whole.ok_or_else(|| VolumeError::malformed("file meta information"))
    }

    fn begin_data_set(&mut self) -> Result<(), VolumeError> {
        let meta = file_meta::decode(&self.start)?;
        let length = self.size.checked_sub(self.start.len() as u64);
        let length = length.ok_or_else(|| VolumeError::malformed("file meta information"))?;
        let mut scanner = None;
        if self.scanned {
            let syntax = &meta.transfer_syntax;
            let encoding = encoding_of(syntax);
            let encoding =
                encoding.ok_or_else(|| VolumeError::new("an unknown transfer syntax"))?;
            scanner = Some(Scanner::new(encoding, encapsulated(syntax), Default::default()));
        }
        let hasher = RangeHasher::new(length);
        self.data_set = Some(DataSet { meta, length, hasher, scanner });
        Ok(())
    }

    /// The whole file has come by.
    ///
    /// # Errors
    /// If it is none.
    pub fn finish(self) -> Result<Read, VolumeError> {
        let early = || VolumeError::malformed("file meta information");
        let DataSet { meta, length, hasher, scanner } = self.data_set.ok_or_else(early)?;
        let (digest, ranges) = hasher.finish();
        let unreadable = |_| VolumeError::new("a data set that cannot be read");
        let scanned = scanner.map(Scanner::finish).transpose().map_err(unreadable)?;
        let captured = scanned.map(|scanned| scanned.captured).unwrap_or_default();
        let sha256 = self.sha256.finalize().into();
        let met = Met { ordinal: self.ordinal, meta, length, digest, sha256 };
        Ok(Read { met, start: self.start, ranges, captured })
    }
}

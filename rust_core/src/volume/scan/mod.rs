//! Reading a volume back, strictly: everything that it says of itself is held against its bytes.
//!
//! Bytes come from a store, and may be anything. Memory stays in proportion to what was read, a few
//! hundred bytes an instance; no length is believed before the bytes are there.

mod captures;
mod instance;
mod listing;
mod reader;
mod tar_reader;
mod told;

use std::sync::Arc;

use crate::index::locator_hash;
use crate::instance::CapturedElement;

use super::assembly::Assembled;
use super::contents::Contents;
use super::error::VolumeError;
use reader::Reader;
#[cfg(test)]
pub use reader::ranges_text;

/// What a volume holds, by itself alone.
pub struct VolumeContents {
    /// Everything of it but the bytes of the data sets.
    pub contents: Contents,
    /// The volume's digest, as in [`Assembled`].
    pub digest: [u8; 32],
    /// Locator hashes of the kept instances.
    pub locator_hashes: Vec<i64>,
    /// Captured elements of the instance that was received first.
    pub captured: Vec<CapturedElement>,
}

/// A volume that is read without knowing anything of it (check, rebuild).
pub struct VolumeScan {
    reader: Reader,
    locator_key: [u8; 16],
}

impl VolumeScan {
    /// Before its first byte.
    pub fn new(locator_key: [u8; 16]) -> Self {
        Self { reader: Reader::new(None), locator_key }
    }

    /// The next bytes, however they are cut. Blocking: hashes and scans them.
    ///
    /// # Errors
    /// What differs; the same again for all later calls.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), VolumeError> {
        self.reader.feed(bytes)
    }

    /// All bytes were given.
    ///
    /// # Errors
    /// What differs.
    pub fn finish(self) -> Result<VolumeContents, VolumeError> {
        let read = self.reader.finish()?;
        let (contents, captured) = read.told.ok_or_else(|| VolumeError::malformed("volume"))?;
        let hash = |uid: &str| locator_hash(&self.locator_key, uid);
        let listed = contents.instances.iter().filter(|_| !contents.description.quarantined);
        let locator_hashes = listed.map(|one| hash(&one.meta.sop_instance)).collect();
        Ok(VolumeContents { contents, digest: read.digest, locator_hashes, captured })
    }
}

/// A volume that is read back after it was stored: held against the closing records as well, and
/// against the digest of what was given out.
pub struct Verification {
    reader: Reader,
    digest: [u8; 32],
}

impl Verification {
    /// Of this volume.
    pub fn new(assembled: &Assembled) -> Self {
        let expected = Some(Arc::clone(&assembled.contents));
        Self { reader: Reader::new(expected), digest: assembled.digest }
    }

    /// The next bytes, however they are cut. Blocking: hashes them.
    ///
    /// # Errors
    /// What differs; the same again for all later calls.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), VolumeError> {
        self.reader.feed(bytes)
    }

    /// All bytes were given.
    ///
    /// # Errors
    /// What differs.
    pub fn finish(self) -> Result<(), VolumeError> {
        match self.reader.finish()?.digest == self.digest {
            true => Ok(()),
            false => Err(VolumeError::new("the TAR file is not the one that was written")),
        }
    }
}

//! Text as it comes by: compared with what it should be, or read line by line.

use sha2::{Digest, Sha256};

use crate::volume::error::VolumeError;
use crate::volume::listed::{HEADING, LINE_LENGTH_MAX, Listed};

/// A text of which every byte is known beforehand.
pub struct Exact {
    expected: Vec<u8>,
    at: usize,
}

impl Exact {
    /// Begins a text of that size.
    ///
    /// # Errors
    /// If it is not as long as it should be.
    pub fn new(expected: Vec<u8>, size: u64) -> Result<Self, VolumeError> {
        if expected.len() as u64 != size {
            return Err(VolumeError::new("of another length than its volume makes it"));
        }
        Ok(Self { expected, at: 0 })
    }

    /// The next bytes.
    ///
    /// # Errors
    /// Says what the line is about that differs.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), VolumeError> {
        let expected = &self.expected[self.at..];
        if expected.starts_with(bytes) {
            self.at += bytes.len();
            return Ok(());
        }
        let same = expected.iter().zip(bytes).take_while(|(a, b)| a == b).count();
        Err(self.differing_at(self.at + same))
    }

    fn differing_at(&self, at: usize) -> VolumeError {
        let number = self.expected[..at].iter().filter(|byte| **byte == b'\n').count();
        let line = self.expected.split(|byte| *byte == b'\n').nth(number).unwrap_or_default();
        // In a manifest the path is what stands behind the two spaces.
        let about = String::from_utf8_lossy(line);
        let about =
            about.split_once("  ").map(|(_, path)| format!(" ({path})")).unwrap_or_default();
        VolumeError::new(format!("line {}{about} is not what the volume hashes to", number + 1))
    }

    /// SHA-256 of the text.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.expected).into()
    }
}

/// `instances.tsv`, line by line.
pub struct Listing {
    sha256: Sha256,
    line: Vec<u8>,
    heading: bool,
}

impl Listing {
    /// Before its heading.
    pub fn new() -> Self {
        Self { sha256: Sha256::new(), line: Vec::new(), heading: true }
    }

    /// The next bytes; `each` takes every instance whose line is whole.
    ///
    /// # Errors
    /// A line that is none, or what `each` says.
    pub fn take(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(Listed) -> Result<(), VolumeError>,
    ) -> Result<(), VolumeError> {
        self.sha256.update(bytes);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + piece.len() > LINE_LENGTH_MAX {
                return Err(VolumeError::new("a line that is too long"));
            }
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                if std::mem::take(&mut self.heading) {
                    check_heading(&line)?;
                } else {
                    let line = std::str::from_utf8(&line).ok().and_then(Listed::parse);
                    each(line.ok_or_else(|| VolumeError::new("a line that is no instance"))?)?;
                }
            }
        }
        Ok(())
    }

    /// SHA-256 of the text.
    ///
    /// # Errors
    /// If it does not end with a line.
    pub fn finish(self) -> Result<[u8; 32], VolumeError> {
        match self.line.is_empty() && !self.heading {
            true => Ok(self.sha256.finalize().into()),
            false => Err(VolumeError::new("a last line without an end")),
        }
    }
}

fn check_heading(line: &[u8]) -> Result<(), VolumeError> {
    if line == HEADING.as_bytes() { Ok(()) } else { Err(VolumeError::malformed("heading")) }
}

//! Making the TAR file of stretches of data sets: headers, file meta groups, manifests.

use std::sync::mpsc::{Receiver, SyncSender};

use blake3::hazmat::ChainingValue;
use sha2::{Digest, Sha256};

use super::contents::{
    BAG_INFO, BAGIT, Contents, DECLARATION, INSTANCES, MANIFEST, RANGES, TAG_MANIFEST,
    manifest_line,
};
use super::description::hex;
use super::error::{AssemblyError, VolumeError};
use super::file_meta;
use super::layout::{END_LENGTH, padded};
use super::listed::{HEADING, Listed};
use super::piece::{Memory, Piece};
use super::reading::Stretch;
use super::tar;

/// What framing gives out.
pub enum Made {
    /// The next piece.
    Piece(Piece),
    /// All was given out; the digest of it (`volume::Assembled`).
    Whole([u8; 32]),
}

/// What ends the making before its end.
enum Stop {
    Failed(AssemblyError),
    Left,
}

impl Stop {
    fn early() -> Self {
        Self::Failed(AssemblyError::Plan(VolumeError::new("its assembly ended early")))
    }
}

/// Makes the whole TAR file, until nobody listens any more.
pub fn frame(
    contents: &Contents,
    stretches: &Receiver<Result<Stretch, AssemblyError>>,
    emptied: &SyncSender<Vec<u8>>,
    made: &SyncSender<Result<Made, AssemblyError>>,
    memory: &Memory,
) {
    let out = Pieces { made, memory, piece: memory.begin(), hasher: Box::default(), length: 0 };
    let source = Stretches { stretches, emptied, current: Vec::new(), at: 0, ranges: Vec::new() };
    let mut framing = Framing { contents, out, source, tags: Vec::new() };
    let outcome = framing.all().map(|()| Made::Whole(*framing.out.hasher.finalize().as_bytes()));
    let outcome = match outcome {
        Ok(whole) => Ok(whole),
        Err(Stop::Failed(error)) => Err(error),
        Err(Stop::Left) => return,
    };
    // Whoever left does not want to know.
    let _ = made.send(outcome);
}

struct Framing<'a> {
    contents: &'a Contents,
    out: Pieces<'a>,
    source: Stretches<'a>,
    /// The lines of the tag manifest.
    tags: Vec<String>,
}

impl Framing<'_> {
    fn all(&mut self) -> Result<(), Stop> {
        let contents = self.contents;
        self.tag_file(BAGIT, DECLARATION)?;
        self.tag_file(BAG_INFO, &contents.bag_info())?;
        let mut manifest = String::new();
        for one in &contents.instances {
            let sha256 = self.instance(one)?;
            manifest.push_str(&manifest_line(&sha256, &one.ordinal.path()));
        }
        self.tag_file(MANIFEST, &manifest)?;
        let lines = contents.instances.iter().filter_map(Listed::line);
        self.tag_file(
            INSTANCES,
            &[HEADING.to_owned()].into_iter().chain(lines).collect::<String>(),
        )?;
        let ranges: String =
            self.source.ranges.iter().flat_map(|value| [hex(value), "\n".into()]).collect();
        self.tag_file(RANGES, &ranges)?;
        let tags = self.tags.concat();
        self.tag_file(TAG_MANIFEST, &tags)?;
        self.out.zeros(END_LENGTH)?;
        self.out.end()?;
        if self.out.length == contents.length { Ok(()) } else { Err(Stop::early()) }
    }

    fn header(&mut self, path: &str, size: u64) -> Result<(), Stop> {
        let description = &self.contents.description;
        let path = format!("{}/{path}", description.volume);
        self.out.write(&tar::header(&path, size, description.seconds()))
    }

    fn tag_file(&mut self, name: &str, text: &str) -> Result<(), Stop> {
        let size = text.len() as u64;
        self.header(name, size)?;
        self.out.write(text.as_bytes())?;
        self.out.zeros(padded(size) - size)?;
        self.tags.push(manifest_line(&Sha256::digest(text).into(), name));
        Ok(())
    }

    /// One instance's file; its SHA-256.
    fn instance(&mut self, one: &Listed) -> Result<[u8; 32], Stop> {
        let size = one.file_length();
        self.header(&one.ordinal.path(), size)?;
        let meta = file_meta::encode(&one.meta);
        let mut sha256 = Sha256::new_with_prefix(&meta);
        self.out.write(&meta)?;
        let mut left = one.length;
        while left > 0 {
            let bytes = self.source.next(left)?;
            sha256.update(bytes);
            self.out.put(bytes)?;
            left -= bytes.len() as u64;
        }
        self.out.hasher.update(&one.digest);
        self.out.zeros(padded(size) - size)?;
        Ok(sha256.finalize().into())
    }
}

/// Data sets one behind the other, whatever stretches they come in.
struct Stretches<'a> {
    stretches: &'a Receiver<Result<Stretch, AssemblyError>>,
    emptied: &'a SyncSender<Vec<u8>>,
    current: Vec<u8>,
    at: usize,
    /// All chaining values so far, in the order of the data sets.
    ranges: Vec<ChainingValue>,
}

impl Stretches<'_> {
    /// The next bytes: at least one, at most so many.
    fn next(&mut self, length_max: u64) -> Result<&[u8], Stop> {
        while self.at == self.current.len() {
            let next = self.stretches.recv().map_err(|_| Stop::early())?.map_err(Stop::Failed)?;
            self.ranges.extend(next.ranges);
            let used = std::mem::replace(&mut self.current, next.bytes);
            // One too many is simply dropped.
            let _ = self.emptied.try_send(used);
            self.at = 0;
        }
        let left = &self.current[self.at..];
        let length = (left.len() as u64).min(length_max) as usize;
        self.at += length;
        Ok(&left[..length])
    }
}

/// The TAR file in pieces, and the digest of it.
struct Pieces<'a> {
    made: &'a SyncSender<Result<Made, AssemblyError>>,
    memory: &'a Memory,
    piece: Piece,
    hasher: Box<blake3::Hasher>,
    length: u64,
}

impl Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Stop> {
        self.hasher.update(bytes);
        self.put(bytes)
    }

    /// Bytes of a data set, for which its own digest stands in that of the whole.
    fn put(&mut self, mut bytes: &[u8]) -> Result<(), Stop> {
        while !bytes.is_empty() {
            bytes = self.piece.fill(bytes);
            if self.piece.is_full() {
                self.end()?;
            }
        }
        Ok(())
    }

    fn zeros(&mut self, length: u64) -> Result<(), Stop> {
        self.write(&[0; END_LENGTH as usize][..length as usize])
    }

    /// Gives out what there is.
    fn end(&mut self) -> Result<(), Stop> {
        if self.piece.is_empty() {
            return Ok(());
        }
        self.length += self.piece.len() as u64;
        let piece = std::mem::replace(&mut self.piece, self.memory.begin());
        self.made.send(Ok(Made::Piece(piece))).map_err(|_| Stop::Left)
    }
}

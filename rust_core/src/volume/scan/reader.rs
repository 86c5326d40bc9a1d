//! The members of a volume, in the one order that they have.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::instance::InstanceReading;
use super::listing::{Exact, Listing};
use super::tar_reader::{Found, TarReader};
use super::told::{Told, Whole};
use crate::index::INDEX_ENTRIES_MAX;
use crate::volume::contents::{
    BAG_INFO, BAGIT, Contents, DECLARATION, INSTANCES, MANIFEST, RANGES, TAG_MANIFEST,
    manifest_line,
};
use crate::volume::description::{BAG_INFO_LENGTH_MAX, Description, Payload, hex, is_ulid};
use crate::volume::error::VolumeError;
use crate::volume::listed::Ordinal;
use crate::volume::ranges::RANGE_LINE_LENGTH;
use crate::volume::tar::Member;

/// Which member comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Declaration,
    BagInfo,
    Instance,
    Manifest,
    Instances,
    Ranges,
    TagManifest,
    End,
    Done,
}

/// The member that is being read.
enum Open {
    None,
    Exact(&'static str, Exact),
    BagInfo(Vec<u8>),
    Instance(Box<InstanceReading>),
    Listing(Box<Listing>),
}

/// A whole volume.
pub struct ReadVolume {
    /// The volume's digest: of all bytes, each data set by its own digest.
    pub digest: [u8; 32],
    /// What it told, if it was to tell.
    pub told: Option<Whole>,
}

/// A volume as it comes by.
pub struct Reader {
    tar: TarReader,
    hasher: Box<blake3::Hasher>,
    length: u64,
    stage: Stage,
    open: Open,
    path: String,
    volume: String,
    payload: Payload,
    ordinal: Ordinal,
    octets: u64,
    /// Lines of the tag manifest.
    tags: Vec<String>,
    told: Told,
    failed: Option<VolumeError>,
}

impl Reader {
    /// With what is expected of it, if anything is.
    pub fn new(expected: Option<Arc<Contents>>) -> Self {
        Self {
            tar: TarReader::new(),
            hasher: Box::default(),
            length: 0,
            stage: Stage::Declaration,
            open: Open::None,
            path: String::new(),
            volume: String::new(),
            payload: Payload { octets: 0, count: 0 },
            ordinal: Ordinal { series: 0, instance: 0 },
            octets: 0,
            tags: Vec::new(),
            told: Told::new(expected),
            failed: None,
        }
    }

    /// The next bytes.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), VolumeError> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        self.length += bytes.len() as u64;
        let taken = self.take(bytes).map_err(|error| match &*self.path {
            "" => error,
            path => error.within(path),
        });
        self.failed = taken.clone().err();
        taken
    }

    fn take(&mut self, mut input: &[u8]) -> Result<(), VolumeError> {
        loop {
            let before = input;
            let found = self.tar.next(&mut input)?;
            if !matches!(found, Some(Found::Content(_))) {
                self.hasher.update(&before[..before.len() - input.len()]);
            }
            match found {
                None => return Ok(()),
                Some(Found::Member(member)) => self.begin(&member)?,
                Some(Found::Content(bytes)) => self.content(bytes)?,
                Some(Found::MemberEnd) => self.end()?,
                Some(Found::End) if self.stage == Stage::End => self.stage = Stage::Done,
                Some(Found::End) => return Err(VolumeError::new("it ends before its last member")),
            }
        }
    }

    fn begin(&mut self, member: &Member) -> Result<(), VolumeError> {
        let size = member.size;
        let path = self.within_bag(&member.path)?;
        self.open = match self.stage {
            Stage::Declaration => self.exact(&path, BAGIT, DECLARATION.into(), size)?,
            Stage::BagInfo => {
                expect(&path, BAG_INFO)?;
                if size > BAG_INFO_LENGTH_MAX as u64 {
                    return Err(VolumeError::new("bag-info.txt is too long"));
                }
                Open::BagInfo(Vec::new())
            }
            Stage::Instance => self.begin_instance(&path, size)?,
            Stage::Manifest => self.exact(&path, MANIFEST, self.told.manifest(), size)?,
            Stage::Instances => {
                expect(&path, INSTANCES)?;
                Open::Listing(Box::new(Listing::new()))
            }
            Stage::Ranges => self.exact(&path, RANGES, self.told.ranges_text(), size)?,
            Stage::TagManifest => self.exact(&path, TAG_MANIFEST, self.tags.concat(), size)?,
            Stage::End | Stage::Done => return Err(VolumeError::new("a member too many")),
        };
        self.path = path;
        Ok(())
    }

    /// The path below the volume's id, which the first member tells.
    fn within_bag(&mut self, path: &str) -> Result<String, VolumeError> {
        let (volume, path) = path.split_once('/').unwrap_or_default();
        if self.stage == Stage::Declaration {
            self.told.expect_volume(volume)?;
            self.volume = volume.to_owned();
        }
        if !is_ulid(volume) || volume != self.volume {
            return Err(VolumeError::new("a member outside of the volume's folder"));
        }
        Ok(path.to_owned())
    }

    fn exact(
        &self,
        path: &str,
        name: &'static str,
        text: String,
        size: u64,
    ) -> Result<Open, VolumeError> {
        expect(path, name)?;
        let exact = Exact::new(text.into_bytes(), size).map_err(|error| error.within(name))?;
        Ok(Open::Exact(name, exact))
    }

    fn begin_instance(&mut self, path: &str, size: u64) -> Result<Open, VolumeError> {
        let Ordinal { series, instance } = self.ordinal;
        let next = |series| Ordinal { series, instance: instance + 1 };
        let places = [next(series), next(series + 1)];
        let place = places.into_iter().find(|place| place.series > 0 && place.path() == path);
        self.ordinal = place.ok_or_else(|| VolumeError::new("a member out of order"))?;
        self.octets = self.octets.saturating_add(size);
        let scanned = self.told.scans();
        let reading = InstanceReading::new(self.ordinal, size, scanned);
        Ok(Open::Instance(Box::new(reading.map_err(|error| error.within(path))?)))
    }

    fn content(&mut self, bytes: &[u8]) -> Result<(), VolumeError> {
        if !matches!(self.open, Open::Instance(_)) {
            self.hasher.update(bytes);
        }
        match &mut self.open {
            Open::None => Err(VolumeError::new("bytes outside of any member")),
            Open::Exact(_, exact) => exact.take(bytes),
            Open::BagInfo(text) => {
                text.extend_from_slice(bytes);
                Ok(())
            }
            Open::Instance(reading) => reading.take(bytes),
            Open::Listing(listing) => listing.take(bytes, |one| self.told.list(&one)),
        }
    }

    fn end(&mut self) -> Result<(), VolumeError> {
        match std::mem::replace(&mut self.open, Open::None) {
            Open::None => return Err(VolumeError::new("bytes outside of any member")),
            Open::Exact(name, exact) => self.tag(name, exact.sha256()),
            Open::BagInfo(text) => self.bag_info(&text)?,
            Open::Instance(reading) => {
                let read = reading.finish()?;
                self.hasher.update(&read.start).update(&read.met.digest);
                self.told.meet(read)?;
                return self.next_instance();
            }
            Open::Listing(listing) => {
                let sha256 = listing.finish()?;
                self.told.all_listed()?;
                self.tag(INSTANCES, sha256);
            }
        }
        self.path.clear();
        self.stage = match self.stage {
            Stage::Declaration => Stage::BagInfo,
            Stage::BagInfo => Stage::Instance,
            // The last instance has set the stage itself.
            Stage::Instance | Stage::Manifest => Stage::Instances,
            Stage::Instances => Stage::Ranges,
            Stage::Ranges => Stage::TagManifest,
            Stage::TagManifest | Stage::End | Stage::Done => Stage::End,
        };
        Ok(())
    }

    fn tag(&mut self, name: &str, sha256: [u8; 32]) {
        self.tags.push(manifest_line(&sha256, name));
    }

    fn bag_info(&mut self, bytes: &[u8]) -> Result<(), VolumeError> {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        let (description, payload) = Description::parse(&self.volume, text)?;
        if self.tar.mtime() != Some(description.seconds()) {
            return Err(VolumeError::new("the time of its members is not that of its plan"));
        }
        if !(1..=INDEX_ENTRIES_MAX as u64).contains(&payload.count) {
            return Err(VolumeError::malformed("number of instances"));
        }
        self.payload = payload;
        self.tag(BAG_INFO, Sha256::digest(bytes).into());
        self.told.describe(description, text)
    }

    fn next_instance(&mut self) -> Result<(), VolumeError> {
        self.path.clear();
        if u64::from(self.ordinal.instance) < self.payload.count {
            return Ok(());
        }
        self.stage = Stage::Manifest;
        match self.octets == self.payload.octets {
            true => Ok(()),
            false => Err(VolumeError::new("another number of bytes than bag-info.txt says")),
        }
    }

    /// All bytes were given.
    pub fn finish(mut self) -> Result<ReadVolume, VolumeError> {
        // Where the last bytes failed, nothing else counts.
        self.feed(&[])?;
        if self.stage != Stage::Done {
            return Err(VolumeError::new("it ends too early"));
        }
        let digest = *self.hasher.finalize().as_bytes();
        Ok(ReadVolume { digest, told: self.told.finish(self.length)? })
    }
}

fn expect(path: &str, name: &str) -> Result<(), VolumeError> {
    if path == name { Ok(()) } else { Err(VolumeError::new(format!("another member than {name}"))) }
}

/// Bytes of `blake3-ranges.txt` for these chaining values.
pub fn ranges_text(values: &[[u8; 32]]) -> String {
    let mut text = String::with_capacity(values.len() * RANGE_LINE_LENGTH as usize);
    for value in values {
        text.push_str(&hex(value));
        text.push('\n');
    }
    text
}

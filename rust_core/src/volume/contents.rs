//! The contents of a volume, before a byte of it is there: order, paths, sizes, index block.

use std::collections::HashMap;

use super::description::{Description, Payload, hex};
use super::error::VolumeError;
use super::file_meta::FileMeta;
use super::layout::{END_LENGTH, header_length, member_length};
use super::listed::{HEADING, Listed, Ordinal};
use super::ranges::{RANGE_LINE_LENGTH, range_count};
use crate::index::{self, Gathering, INDEX_ENTRIES_MAX, InVolume, IndexBlock};
use crate::instance::{Particulars, ReceiveId, Verdict};

/// The text of `bagit.txt`.
pub const DECLARATION: &str = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n";
/// Tag files before the instances.
pub const BAGIT: &str = "bagit.txt";
/// What the volume says of itself.
pub const BAG_INFO: &str = "bag-info.txt";
/// SHA-256 of each instance's file.
pub const MANIFEST: &str = "manifest-sha256.txt";
/// A line for each instance.
pub const INSTANCES: &str = "instances.tsv";
/// Chaining values.
pub const RANGES: &str = "blake3-ranges.txt";
/// SHA-256 of the tag files before it.
pub const TAG_MANIFEST: &str = "tagmanifest-sha256.txt";
/// Tag files that the tag manifest names, in the order of the volume.
pub const TAG_FILES: [&str; 5] = [BAGIT, BAG_INFO, MANIFEST, INSTANCES, RANGES];

/// Everything of a volume but the bytes of the data sets.
#[derive(Debug)]
pub struct Contents {
    /// What belongs to it as a whole.
    pub description: Description,
    /// Its instances, in its order.
    pub instances: Vec<Listed>,
    /// The index block, encoded.
    pub block: Vec<u8>,
    /// Bytes of the TAR file.
    pub length: u64,
}

/// Contents in the making: instances of one study, in any order.
pub struct Gathered {
    description: Description,
    gathering: Gathering,
    instances: HashMap<ReceiveId, Listed>,
}

impl Gathered {
    /// None yet.
    pub fn new(description: Description) -> Self {
        Self { description, gathering: Gathering::default(), instances: HashMap::new() }
    }

    /// One more.
    ///
    /// # Errors
    /// If it does not belong into this volume, or is in it already.
    pub fn add(&mut self, id: ReceiveId, one: &Particulars) -> Result<(), VolumeError> {
        let quarantined = one.verdict == Verdict::Quarantined;
        let expected = &self.description;
        let fault = if (one.vault, &one.identity.study) != (expected.vault, &expected.study) {
            Some("an instance of another vault or study")
        } else if quarantined != expected.quarantined {
            Some("kept and quarantined instances together")
        } else if self.instances.len() == INDEX_ENTRIES_MAX {
            Some("more instances than a volume may have")
        } else {
            None
        };
        if let Some(fault) = fault {
            return Err(VolumeError::new(fault));
        }
        self.gathering.add(id, one).map_err(|error| VolumeError::new(error.to_string()))?;
        match self.instances.insert(id, listed(id, one)) {
            Some(_) => Err(VolumeError::new("an instance that is named twice")),
            None => Ok(()),
        }
    }

    /// The contents, in the order of the index block.
    ///
    /// # Errors
    /// If no volume can be made of them.
    pub fn finish(mut self) -> Result<Contents, VolumeError> {
        self.description.check()?;
        let mut block = self.gathering.finish();
        let mut instances = Vec::with_capacity(self.instances.len());
        for (entry, number) in block.entries.iter().zip(1..) {
            let id = block.receive_id(entry);
            let found = id.and_then(|id| self.instances.remove(&id));
            let mut one = found.ok_or_else(|| VolumeError::malformed("receive id"))?;
            one.ordinal = Ordinal { series: entry.series + 1, instance: number };
            instances.push(one);
        }
        if instances.is_empty() {
            return Err(VolumeError::new("a volume without any instance"));
        }
        let length = lay_out(&self.description, &instances, &mut block)?;
        let block = index::encode(&block).map_err(|error| VolumeError::new(error.to_string()))?;
        Ok(Contents { description: self.description, instances, block, length })
    }
}

fn listed(id: ReceiveId, one: &Particulars) -> Listed {
    Listed {
        ordinal: Ordinal { series: 0, instance: 0 },
        meta: FileMeta {
            sop_class: one.content.sop_class.clone(),
            sop_instance: one.identity.sop_instance.clone(),
            transfer_syntax: one.content.transfer_syntax.clone(),
        },
        series: one.identity.series.clone(),
        length: one.length,
        digest: one.content.digest,
        receive_id: id,
        received_at: one.received_at,
        flags: one.flags,
        calling: one.sender.calling.clone(),
        called: one.sender.called.clone(),
        conflicts_with: one.conflicts_with,
    }
}

/// Tells the block where everything lies; the length of the TAR file.
fn lay_out(
    description: &Description,
    instances: &[Listed],
    block: &mut IndexBlock,
) -> Result<u64, VolumeError> {
    let bag_info = description.bag_info(payload(instances)).len() as u64;
    let mut at = member_length(DECLARATION.len() as u64) + member_length(bag_info);
    for (one, entry) in instances.iter().zip(&mut block.entries) {
        let size = one.file_length();
        entry.offset = at + header_length(size) + one.data_set_offset();
        at += member_length(size);
    }
    let manifest = instances.iter().map(|one| manifest_line(&[0; 32], &one.ordinal.path()));
    let manifest = manifest.map(|line| line.len() as u64).sum();
    let listing = listing_length(instances)?;
    let ranges = instances.iter().map(|one| range_count(one.length)).sum::<u64>();
    let ranges = ranges * RANGE_LINE_LENGTH;
    at += member_length(manifest) + member_length(listing);
    let ranges_offset = at + header_length(ranges);
    block.volume = Some(InVolume { quarantined: description.quarantined, ranges_offset });
    let tags = TAG_FILES.map(|name| manifest_line(&[0; 32], name).len() as u64);
    Ok(at + member_length(ranges) + member_length(tags.iter().sum()) + END_LENGTH)
}

fn listing_length(instances: &[Listed]) -> Result<u64, VolumeError> {
    let mut length = HEADING.len() as u64;
    for one in instances {
        let line = one.line().ok_or_else(|| VolumeError::malformed("time of receiving"))?;
        length += line.len() as u64;
    }
    Ok(length)
}

/// Bytes and number of the instances' files.
pub fn payload(instances: &[Listed]) -> Payload {
    let octets = instances.iter().map(Listed::file_length).sum();
    Payload { octets, count: instances.len() as u64 }
}

/// A line of a manifest (RFC 8493 2.1.3).
pub fn manifest_line(sha256: &[u8; 32], path: &str) -> String {
    format!("{}  {path}\n", hex(sha256))
}

impl Contents {
    /// The text of `bag-info.txt`.
    pub fn bag_info(&self) -> String {
        self.description.bag_info(payload(&self.instances))
    }

    /// Bytes of all data sets together.
    pub fn data_length(&self) -> u64 {
        self.instances.iter().map(|one| one.length).sum()
    }

    /// When the first and the last instance were received.
    pub fn received(&self) -> (i64, i64) {
        let at = self.instances.iter().map(|one| one.received_at);
        (at.clone().min().unwrap_or_default(), at.max().unwrap_or_default())
    }
}

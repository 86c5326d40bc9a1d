//! The index block in memory, and what can be asked of it.

use std::collections::HashMap;
use std::fmt;

use crate::instance::{Microseconds, NodeId, ReceiveId, Uid};
use crate::volume::ranges::{RANGE_LINE_LENGTH, range_count};

/// What a query at series level asks of a series; texts as received, without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesAttributes {
    /// Series Instance UID (0020,000E).
    pub series_uid: Uid,
    /// Modality (0008,0060).
    pub modality: Box<[u8]>,
    /// Series Number (0020,0011), if it is a number.
    pub series_number: Option<i32>,
    /// Series Description (0008,103E), in `character_set`.
    pub description: Box<[u8]>,
    /// Specific Character Set (0008,0005) of the instance that the texts come from.
    pub character_set: Box<[u8]>,
    /// Body Part Examined (0018,0015).
    pub body_part: Box<[u8]>,
}

/// One kept instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// Index into [`IndexBlock::series`].
    pub series: u32,
    /// SOP Instance UID (0008,0018).
    pub sop_instance: Uid,
    /// SOP Class UID (0008,0016).
    pub sop_class: Uid,
    /// Transfer syntax in which it was received.
    pub transfer_syntax: Uid,
    /// The first 16 bytes of BLAKE3 of the data set.
    pub digest: [u8; 16],
    /// Length of the data set, bytes.
    pub length: u64,
    /// Index into [`IndexBlock::sources`].
    pub source: u32,
    /// Position of its receive id; node and epoch are the source's.
    pub position: u64,
    /// When its last fragment was received.
    pub received_at: Microseconds,
    /// Bits of the content rules that flagged it.
    pub flags: u64,
    /// Instance Number (0020,0013), if it is a number.
    pub instance_number: Option<i32>,
    /// Number of Frames (0028,0008), if present.
    pub number_of_frames: Option<u32>,
    /// Rows (0028,0010), if present.
    pub rows: Option<u16>,
    /// Columns (0028,0011), if present.
    pub columns: Option<u16>,
    /// Where its data set begins in the volume, bytes; 0 in the block of a batch.
    pub offset: u64,
}

/// Who received instances: a node in one of its epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// The receiving node.
    pub node: NodeId,
    /// Its epoch.
    pub epoch: u32,
}

/// What the block of a volume says beside its instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InVolume {
    /// Whether the volume holds quarantined instances, and those alone.
    pub quarantined: bool,
    /// Where the chaining values of the first data set beyond 1 MiB begin in the volume, bytes.
    pub ranges_offset: u64,
}

/// Instances of one study, sorted by series and instance number: the kept ones of one batch of one
/// node and epoch (version 1), or those of one volume (version 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexBlock {
    /// Who received them; one alone in the block of a batch.
    pub sources: Vec<Source>,
    /// Of a volume: what belongs to it.
    pub volume: Option<InVolume>,
    /// The series; every one has an entry.
    pub series: Vec<SeriesAttributes>,
    /// The instances.
    pub entries: Vec<IndexEntry>,
}

impl IndexBlock {
    /// The receive id of one of its entries.
    pub fn receive_id(&self, entry: &IndexEntry) -> Option<ReceiveId> {
        let Source { node, epoch } = *self.sources.get(entry.source as usize)?;
        Some(ReceiveId { node, epoch, position: entry.position })
    }

    /// The block of these instances alone, of those that it has. Sources stay as they are.
    pub fn restricted(mut self, keep: impl Fn(&IndexEntry) -> bool) -> Self {
        self.entries.retain(keep);
        let mut used = vec![false; self.series.len()];
        self.entries.iter().for_each(|entry| used[entry.series as usize] = true);
        let numbers: Vec<u32> = used
            .iter()
            .scan(0, |next, used| {
                let number = *next;
                *next += u32::from(*used);
                Some(number)
            })
            .collect();
        self.entries.iter_mut().for_each(|entry| entry.series = numbers[entry.series as usize]);
        let mut used = used.into_iter();
        self.series.retain(|_| used.next().unwrap_or(false));
        self
    }

    /// Of each entry, where in the volume its chaining values begin, if it has any.
    pub fn ranges_offsets(&self) -> Vec<Option<u64>> {
        let Some(InVolume { ranges_offset, .. }) = self.volume else {
            return vec![None; self.entries.len()];
        };
        let mut next = ranges_offset;
        let place = |entry: &IndexEntry| {
            let (here, count) = (next, range_count(entry.length));
            next = next.wrapping_add(count.wrapping_mul(RANGE_LINE_LENGTH));
            (count > 0).then_some(here)
        };
        self.entries.iter().map(place).collect()
    }
}

/// Why a block could not be made, written or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexError {
    /// It does not start like an index block.
    NotABlock,
    /// It is of a version that this program does not know.
    Version(u8),
    /// Its checksum is wrong: rotten.
    Checksum,
    /// It ends too early, or says less than it holds.
    Length,
    /// A section does not inflate.
    Deflate,
    /// It passes the named limit.
    TooLarge(&'static str),
    /// This field has a value that it cannot have.
    Malformed(&'static str),
    /// The instances given do not share this.
    Mixed(&'static str),
}

impl fmt::Display for IndexError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotABlock => write!(formatter, "not an index block"),
            Self::Version(version) => write!(formatter, "index block of unknown version {version}"),
            Self::Checksum => write!(formatter, "index block with a wrong checksum"),
            Self::Length => write!(formatter, "index block of a wrong length"),
            Self::Deflate => write!(formatter, "index block that does not inflate"),
            Self::TooLarge(what) => write!(formatter, "index block beyond its limit: {what}"),
            Self::Malformed(what) => write!(formatter, "index block with a malformed {what}"),
            Self::Mixed(what) => write!(formatter, "instances of one index block differ in {what}"),
        }
    }
}

impl std::error::Error for IndexError {}

/// One SOP Instance UID that is in both of two blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The UID.
    pub sop_instance: Uid,
    /// Whether digest, transfer syntax and SOP class are the same.
    pub same_content: bool,
    /// Position in the first block.
    pub position: u64,
    /// Position in the second block.
    pub other_position: u64,
}

/// The entry of a SOP Instance UID.
pub fn find<'a>(block: &'a IndexBlock, sop_instance: &str) -> Option<&'a IndexEntry> {
    block.entries.iter().find(|entry| &*entry.sop_instance == sop_instance)
}

/// Every UID that is in both blocks, in the order of the second.
pub fn matches(block: &IndexBlock, other: &IndexBlock) -> Vec<Match> {
    let by_uid: HashMap<&str, &IndexEntry> =
        block.entries.iter().map(|entry| (&*entry.sop_instance, entry)).collect();
    let pairs = other.entries.iter().filter_map(|o| Some((*by_uid.get(&*o.sop_instance)?, o)));
    pairs
        .map(|(entry, other)| Match {
            sop_instance: entry.sop_instance.clone(),
            same_content: entry.digest == other.digest
                && entry.transfer_syntax == other.transfer_syntax
                && entry.sop_class == other.sop_class,
            position: entry.position,
            other_position: other.position,
        })
        .collect()
}

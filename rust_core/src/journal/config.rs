//! The journal's configuration, checked before anything is touched.

use super::error::JournalError;
use super::record::FIRST_RECORD_OFFSET;
use crate::instance::{Microseconds, NodeId};
use crate::limits::{
    BLOCK_LENGTH, JOURNAL_ALIGNMENT, JOURNAL_SEGMENTS_MAX, OVERWRITE_AFTER_SECONDS,
};

/// Settings of a journal.
#[derive(Clone, Debug)]
pub struct JournalConfig {
    /// All segments together, bytes; rounded down to whole segments.
    pub capacity_bytes: u64,
    /// Length of one segment, bytes; fixed for the life of the journal.
    pub segment_bytes: u64,
    /// This node.
    pub node: NodeId,
    /// Raised at each start; must be above every epoch in the journal.
    pub epoch: u32,
    /// Threads that write blocks.
    pub writer_threads: usize,
    /// Budget of the block pool, bytes.
    pub block_pool_bytes: usize,
    /// Segments that new instances may not touch (at least 2).
    pub reserve_segments: u32,
    /// Share of the capacity from which new instances are refused.
    pub fill_max: f64,
    /// How long a segment is free before it is overwritten, seconds.
    pub overwrite_after_seconds: u64,
}

impl JournalConfig {
    /// The defaults: 4 GiB in segments of 64 MiB.
    pub fn new(node: NodeId, epoch: u32) -> Self {
        Self {
            capacity_bytes: 4 << 30,
            segment_bytes: 64 << 20,
            node,
            epoch,
            writer_threads: 2,
            block_pool_bytes: 64 << 20,
            reserve_segments: 2,
            fill_max: 0.9,
            overwrite_after_seconds: OVERWRITE_AFTER_SECONDS,
        }
    }

    /// The same, as a clock counts.
    pub(super) fn overwrite_after(&self) -> Microseconds {
        i64::try_from(self.overwrite_after_seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX)
    }

    /// Length of a segment and number of segments.
    pub(super) fn segments(&self) -> Result<(u32, u32), JournalError> {
        let least = u64::from(FIRST_RECORD_OFFSET) + 2 * BLOCK_LENGTH as u64;
        let length = u32::try_from(self.segment_bytes).ok().filter(|_| {
            self.segment_bytes >= least
                && self.segment_bytes.is_multiple_of(JOURNAL_ALIGNMENT as u64)
                && self.segment_bytes <= 1 << 31
        });
        let length = length.ok_or(JournalError::Config("the segment length cannot work"))?;
        let count = u32::try_from(self.capacity_bytes / self.segment_bytes).unwrap_or(u32::MAX);
        if count > JOURNAL_SEGMENTS_MAX {
            return Err(JournalError::Config("too many segments: make them longer"));
        }
        if self.reserve_segments < 2 || count < self.reserve_segments + 2 {
            return Err(JournalError::Config("too few segments for the reserve"));
        }
        if !(0.0..=1.0).contains(&self.fill_max) || self.writer_threads == 0 || self.epoch == 0 {
            return Err(JournalError::Config("fill limit, writer threads or epoch out of range"));
        }
        Ok((length, count))
    }
}

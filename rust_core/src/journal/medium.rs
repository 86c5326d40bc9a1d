//! The medium: what the journal asks of a disk, and nothing more.

use std::io;

/// How data writes become durable on this medium; probed at start, shown in health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// A durable write is durable when it returns (`O_DIRECT` and `RWF_DSYNC`).
    Direct,
    /// Data is written buffered, and made durable by a sync issued after the writes completed.
    Buffered,
}

/// What is known of the medium, for health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediumReport {
    /// The mode in use.
    pub mode: WriteMode,
    /// Why that mode.
    pub why: String,
    /// The device's write cache as the kernel sees it (`write back`, `write through`), if known.
    pub write_cache: Option<String>,
    /// Whether the device takes forced-unit-access writes, if known.
    pub fua: Option<bool>,
}

/// Numbered segments of equal length on something that keeps them.
///
/// Offsets and lengths given by the journal are multiples of 4096, and every buffer is aligned so.
/// An error means that the state of the touched bytes is unknown; the journal never retries it.
pub trait Medium: Send + Sync + 'static {
    /// Existing segments with their length in bytes, by id.
    ///
    /// # Errors
    /// The medium's own.
    fn segments(&self) -> io::Result<Vec<(u32, u64)>>;

    /// Makes a segment of zeros, wholly written, durable with its name, before it shows.
    ///
    /// # Errors
    /// The medium's own; `StorageFull` is no damage, the segment is simply not there.
    fn create(&self, segment: u32, length: u64) -> io::Result<()>;

    /// Writes the pieces behind each other from `offset`; if `durable`, it has survived a power cut
    /// when this returns.
    ///
    /// # Errors
    /// The medium's own; a short write is an error.
    fn write(&self, segment: u32, offset: u64, pieces: &[&[u8]], durable: bool) -> io::Result<()>;

    /// Makes every write to the segment that returned before this call durable.
    ///
    /// # Errors
    /// The medium's own.
    fn sync(&self, segment: u32) -> io::Result<()>;

    /// Fills `into` from `offset`, from the device where that is possible.
    ///
    /// # Errors
    /// The medium's own; a short read is an error.
    fn read(&self, segment: u32, offset: u64, into: &mut [u8]) -> io::Result<()>;

    /// What was probed.
    fn report(&self) -> MediumReport;
}

//! A disk in memory with a power switch and faults: for tests, and public because others test with it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::medium::{Medium, MediumReport, WriteMode};

/// Bytes that a disk writes all or (nearly) nothing of.
const SECTOR: usize = 512;

/// Faults to come; counts are from 1 and count calls of that kind since the medium was made.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// This write fails with EIO after it wrote an unknown part.
    pub write_fails: Option<u64>,
    /// This sync, or durable write counted as one, fails with EIO; what it covered is lost for good,
    /// though later syncs succeed (as Linux does).
    pub sync_fails: Option<u64>,
    /// This read fails with EIO.
    pub read_fails: Option<u64>,
    /// From this write on there is no space.
    pub write_has_no_space: Option<u64>,
    /// This creation of a segment fails with ENOSPC.
    pub create_has_no_space: Option<u64>,
    /// From this creation of a segment on they fail with this error of the system.
    pub create_fails: Option<(u64, i32)>,
    /// The power goes during this operation (write, sync or creation); all later ones fail.
    pub power_cut: Option<u64>,
    /// The medium lies: syncs and durable writes return at once and do nothing.
    pub ignores_sync: bool,
}

#[derive(Default)]
struct Segment {
    durable: Vec<u8>,
    current: Vec<u8>,
    dirty: BTreeSet<usize>,
    lost: BTreeSet<usize>,
}

#[derive(Default)]
struct Disk {
    segments: BTreeMap<u32, Segment>,
    faults: Faults,
    writes: u64,
    syncs: u64,
    reads: u64,
    creations: u64,
    operations: u64,
    dead: bool,
}

/// The disk. Clones share it.
#[derive(Clone)]
pub struct MemoryMedium {
    disk: Arc<Mutex<Disk>>,
    mode: WriteMode,
}

fn eio() -> io::Error {
    io::Error::other("injected EIO")
}

/// A small generator (SplitMix64), so that a seed tells the whole story.
#[derive(Clone, Debug)]
pub struct Seeded(pub u64);

impl Seeded {
    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }
}

impl MemoryMedium {
    /// An empty disk.
    pub fn new(mode: WriteMode, faults: Faults) -> Self {
        Self { disk: Arc::new(Mutex::new(Disk { faults, ..Disk::default() })), mode }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the faults to come. Counts go on.
    pub fn set_faults(&self, faults: Faults) {
        self.disk().faults = faults;
    }

    /// Writes, syncs and creations so far: where a power cut can be placed.
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// Writes, syncs and reads so far, each counted apart.
    pub fn counts(&self) -> (u64, u64, u64) {
        let disk = self.disk();
        (disk.writes, disk.syncs, disk.reads)
    }

    /// Takes the power away now: whatever still uses this medium gets errors from here on.
    pub fn cut_power(&self) {
        self.disk().dead = true;
    }

    /// Whether the power is gone.
    pub fn is_dead(&self) -> bool {
        self.disk().dead
    }

    /// The disk as found after the power came back: what was synced is there; each other sector is
    /// new, old or torn, as `seed` has it. Without faults; the old medium stays dead.
    pub fn after_power_cut(&self, seed: u64) -> Self {
        let mut disk = self.disk();
        disk.dead = true;
        let mut seeded = Seeded(seed);
        let segments = disk.segments.iter().map(|(id, old)| (*id, old.survivor(&mut seeded)));
        let revived = Disk { segments: segments.collect(), ..Disk::default() };
        Self { disk: Arc::new(Mutex::new(revived)), mode: self.mode }
    }

    /// A separate disk with the same bytes (as read now), without faults.
    pub fn copy(&self) -> Self {
        let disk = self.disk();
        let segments = disk.segments.iter().map(|(id, found)| {
            let (durable, current) = (found.current.clone(), found.current.clone());
            (*id, Segment { durable, current, ..Segment::default() })
        });
        let copied = Disk { segments: segments.collect(), ..Disk::default() };
        Self { disk: Arc::new(Mutex::new(copied)), mode: self.mode }
    }

    /// Flips bits of one byte, silently.
    pub fn flip(&self, segment: u32, offset: usize, mask: u8) {
        if let Some(found) = self.disk().segments.get_mut(&segment) {
            found.current[offset] ^= mask;
            found.durable[offset] ^= mask;
        }
    }

    /// Overwrites bytes, silently.
    pub fn plant(&self, segment: u32, offset: usize, bytes: &[u8]) {
        if let Some(found) = self.disk().segments.get_mut(&segment) {
            found.current[offset..offset + bytes.len()].copy_from_slice(bytes);
            found.durable[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
    }

    /// Takes a segment away, silently; what was written to it is nowhere.
    pub fn remove(&self, segment: u32) {
        self.disk().segments.remove(&segment);
    }

    /// A copy of a segment as a read sees it.
    pub fn contents(&self, segment: u32) -> Vec<u8> {
        self.disk().segments.get(&segment).map(|found| found.current.clone()).unwrap_or_default()
    }
}

impl Segment {
    fn zeros(length: usize) -> Self {
        Self { durable: vec![0; length], current: vec![0; length], ..Self::default() }
    }

    fn survivor(&self, seeded: &mut Seeded) -> Self {
        let mut durable = self.durable.clone();
        for sector in &self.dirty {
            let range = sector * SECTOR..(sector + 1) * SECTOR;
            let (new, old) = (&self.current[range.clone()], &mut durable[range]);
            match seeded.below(8) {
                0..4 => old.copy_from_slice(new),
                4..7 => {}
                _ => {
                    let torn = seeded.below(SECTOR as u64) as usize;
                    old[..torn].copy_from_slice(&new[..torn]);
                }
            }
        }
        Self { current: durable.clone(), durable, ..Self::default() }
    }

    fn write(&mut self, offset: usize, pieces: &[&[u8]]) -> Vec<usize> {
        let mut at = offset;
        for piece in pieces {
            self.current[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        }
        let sectors = offset / SECTOR..at / SECTOR;
        self.dirty.extend(sectors.clone());
        sectors.for_each(|sector| {
            self.lost.remove(&sector);
        });
        (offset / SECTOR..at / SECTOR).collect()
    }

    fn settle(&mut self, sectors: impl IntoIterator<Item = usize>) {
        for sector in sectors {
            if self.dirty.remove(&sector) {
                let range = sector * SECTOR..(sector + 1) * SECTOR;
                self.durable[range.clone()].copy_from_slice(&self.current[range]);
            }
        }
    }

    /// A failed sync: the sectors count as clean, but never reach the disk.
    fn lose(&mut self, sectors: impl IntoIterator<Item = usize>) {
        for sector in sectors {
            self.dirty.remove(&sector);
            self.lost.insert(sector);
        }
    }
}

impl Disk {
    fn alive(&self) -> io::Result<()> {
        if self.dead { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    /// Counts an operation; the power may go in the middle of it.
    fn operate(&mut self) -> io::Result<()> {
        self.alive()?;
        self.operations += 1;
        self.dead = self.faults.power_cut.is_some_and(|cut| self.operations >= cut);
        Ok(())
    }

    fn segment(&mut self, id: u32) -> io::Result<&mut Segment> {
        self.segments.get_mut(&id).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn settle(&mut self, id: u32, sectors: Vec<usize>) -> io::Result<()> {
        self.syncs += 1;
        let fails = self.faults.sync_fails == Some(self.syncs);
        let lies = self.faults.ignores_sync;
        let segment = self.segment(id)?;
        if fails {
            segment.lose(sectors);
            return Err(eio());
        }
        if !lies {
            segment.settle(sectors);
        }
        Ok(())
    }
}

impl Medium for MemoryMedium {
    fn segments(&self) -> io::Result<Vec<(u32, u64)>> {
        let disk = self.disk();
        disk.alive()?;
        Ok(disk.segments.iter().map(|(id, found)| (*id, found.current.len() as u64)).collect())
    }

    fn create(&self, segment: u32, length: u64) -> io::Result<()> {
        let mut disk = self.disk();
        disk.operate()?;
        disk.alive()?;
        disk.creations += 1;
        if disk.faults.create_has_no_space == Some(disk.creations) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if let Some((_, error)) =
            disk.faults.create_fails.filter(|(from, _)| disk.creations >= *from)
        {
            return Err(io::Error::from_raw_os_error(error));
        }
        disk.segments.insert(segment, Segment::zeros(length as usize));
        Ok(())
    }

    fn write(&self, segment: u32, offset: u64, pieces: &[&[u8]], durable: bool) -> io::Result<()> {
        let sectors = {
            let mut disk = self.disk();
            disk.operate()?;
            disk.writes += 1;
            if disk.faults.write_has_no_space.is_some_and(|from| disk.writes >= from) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let fails = disk.faults.write_fails == Some(disk.writes);
            let sectors = disk.segment(segment)?.write(offset as usize, pieces);
            if fails {
                return Err(eio());
            }
            disk.alive()?;
            sectors
        };
        if !durable {
            return Ok(());
        }
        // Other threads get in here, so that a cut finds several durable writes half done.
        std::thread::yield_now();
        let mut disk = self.disk();
        disk.alive()?;
        disk.settle(segment, sectors)
    }

    fn sync(&self, segment: u32) -> io::Result<()> {
        let mut disk = self.disk();
        disk.operate()?;
        disk.alive()?;
        let sectors = disk.segment(segment)?.dirty.iter().copied().collect();
        disk.settle(segment, sectors)
    }

    fn read(&self, segment: u32, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let mut disk = self.disk();
        disk.alive()?;
        disk.reads += 1;
        if disk.faults.read_fails == Some(disk.reads) {
            return Err(eio());
        }
        let found = disk.segment(segment)?;
        let offset = offset as usize;
        let bytes = found.current.get(offset..offset + into.len());
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn report(&self) -> MediumReport {
        let why = "a disk in memory".to_owned();
        MediumReport { mode: self.mode, why, write_cache: None, fua: None }
    }
}

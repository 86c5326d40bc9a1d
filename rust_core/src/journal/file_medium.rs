//! A folder of pre-written segment files, written around the page cache where the device allows it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use super::aligned::AlignedBuffer;
use super::direct;
use super::medium::{Medium, MediumReport, WriteMode};
use crate::limits::JOURNAL_ALIGNMENT;

/// Zeros written at once while a segment is made, bytes.
const PREWRITE_LENGTH: usize = 1 << 20;

/// The folder. Only one process at a time can have it.
pub struct FileMedium {
    folder: PathBuf,
    report: MediumReport,
    files: RwLock<BTreeMap<u32, Arc<File>>>,
    _lock: File,
}

impl FileMedium {
    /// Opens the folder (made if missing), and probes by real writes how it can be written.
    ///
    /// # Errors
    /// `WouldBlock` if another process has the folder; the file system's own.
    pub fn open(folder: impl Into<PathBuf>) -> io::Result<Self> {
        Self::open_in(folder, None)
    }

    /// As [`FileMedium::open`], in the buffered mode whatever the device can.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_buffered(folder: impl Into<PathBuf>) -> io::Result<Self> {
        Self::open_in(folder, Some("buffered as configured"))
    }

    fn open_in(folder: impl Into<PathBuf>, buffered: Option<&str>) -> io::Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder)?;
        let mut opening = OpenOptions::new();
        opening.write(true).create(true).truncate(false).mode(0o600);
        let lock = opening.open(folder.join("lock"))?;
        direct::lock(&lock)?;
        remove_unfinished(&folder)?;
        let refused = match buffered {
            Some(why) => Some(why.to_owned()),
            None => probe(&folder)?,
        };
        let mode = if refused.is_some() { WriteMode::Buffered } else { WriteMode::Direct };
        let why = refused.unwrap_or_else(|| "O_DIRECT and RWF_DSYNC work".to_owned());
        let (write_cache, fua) = device(&folder)?;
        let report = MediumReport { mode, why, write_cache, fua };
        let medium = Self { folder, report, files: RwLock::default(), _lock: lock };
        for (segment, _) in medium.list()? {
            medium.enter(segment)?;
        }
        Ok(medium)
    }

    fn path(&self, segment: u32) -> PathBuf {
        self.folder.join(format!("{segment:08}.segment"))
    }

    fn list(&self) -> io::Result<Vec<(u32, u64)>> {
        let mut segments = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".segment"));
            if let Some(id) = id.filter(|id| id.len() == 8).and_then(|id| id.parse().ok()) {
                segments.push((id, entry.metadata()?.len()));
            }
        }
        segments.sort_unstable();
        Ok(segments)
    }

    fn enter(&self, segment: u32) -> io::Result<()> {
        let file = options(self.report.mode).open(self.path(segment))?;
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        files.insert(segment, Arc::new(file));
        Ok(())
    }

    fn file(&self, segment: u32) -> io::Result<Arc<File>> {
        let files = self.files.read().unwrap_or_else(PoisonError::into_inner);
        files.get(&segment).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Medium for FileMedium {
    fn segments(&self) -> io::Result<Vec<(u32, u64)>> {
        self.list()
    }

    fn create(&self, segment: u32, length: u64) -> io::Result<()> {
        let unfinished = self.folder.join(format!("{segment:08}.unfinished"));
        let made = prewrite(&unfinished, length)
            .and_then(|()| fs::rename(&unfinished, self.path(segment)))
            .and_then(|()| File::open(&self.folder)?.sync_all());
        if made.is_err() {
            // Best effort: a full disk should get its space back; recovery removes it otherwise.
            fs::remove_file(&unfinished).ok();
            return made;
        }
        self.enter(segment)
    }

    fn write(&self, segment: u32, offset: u64, pieces: &[&[u8]], durable: bool) -> io::Result<()> {
        let file = self.file(segment)?;
        if self.report.mode == WriteMode::Direct {
            return direct::write_durable(&file, offset, pieces);
        }
        let mut at = offset;
        for piece in pieces {
            file.write_all_at(piece, at)?;
            at += piece.len() as u64;
        }
        if durable { file.sync_data() } else { Ok(()) }
    }

    fn sync(&self, segment: u32) -> io::Result<()> {
        self.file(segment)?.sync_data()
    }

    fn read(&self, segment: u32, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.file(segment)?.read_exact_at(into, offset)
    }

    fn report(&self) -> MediumReport {
        self.report.clone()
    }
}

fn options(mode: WriteMode) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(target_os = "linux")]
    if mode == WriteMode::Direct {
        options.custom_flags(libc::O_DIRECT);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = mode;
    options
}

/// Writes zeros and syncs. Allocation alone (`fallocate`) would leave the file system to convert
/// extents, and so to write metadata, in every later sync.
fn prewrite(path: &Path, length: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    let zeros = vec![0; PREWRITE_LENGTH];
    let mut at = 0;
    while at < length {
        let piece = zeros.len().min(usize::try_from(length - at).unwrap_or(usize::MAX));
        file.write_all_at(&zeros[..piece], at)?;
        at += piece as u64;
    }
    file.sync_all()
}

fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "unfinished") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Why direct durable writes do not work here; none if they do.
fn probe(folder: &Path) -> io::Result<Option<String>> {
    let path = folder.join("probe.unfinished");
    prewrite(&path, 4 * JOURNAL_ALIGNMENT as u64)?;
    let outcome = probe_file(&path);
    fs::remove_file(&path)?;
    Ok(outcome.err())
}

fn probe_file(path: &Path) -> Result<(), String> {
    let said = |what: &'static str| move |error: io::Error| format!("{what}: {error}");
    let file = options(WriteMode::Direct).open(path).map_err(said("O_DIRECT refused"))?;
    let mut pattern = AlignedBuffer::new(JOURNAL_ALIGNMENT);
    pattern.fill(0xA5);
    let offset = JOURNAL_ALIGNMENT as u64;
    direct::write_durable(&file, offset, &[&pattern]).map_err(said("durable write refused"))?;
    let mut back = AlignedBuffer::new(JOURNAL_ALIGNMENT);
    file.read_exact_at(&mut back, offset).map_err(said("direct read refused"))?;
    if *back != *pattern {
        return Err("a direct write does not read back".to_owned());
    }
    // A file system that ignores O_DIRECT takes what no device could.
    match file.write_at(&pattern[1..101], 1) {
        Ok(_) => Err("O_DIRECT is ignored".to_owned()),
        Err(_) => Ok(()),
    }
}

/// Write cache and FUA of the device below the folder, as far as the kernel says.
fn device(folder: &Path) -> io::Result<(Option<String>, Option<bool>)> {
    let number = fs::metadata(folder)?.dev();
    // glibc's layout of dev_t: major and minor are each split in two.
    let major = (number >> 8 & 0xfff) | (number >> 32 & !0xfff);
    let minor = (number & 0xff) | (number >> 12 & !0xff);
    let device = PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
    // A partition has no queue of its own.
    let says = |name: &str| {
        let own = fs::read_to_string(device.join("queue").join(name));
        own.or_else(|_| fs::read_to_string(device.join("../queue").join(name))).ok()
    };
    let cache = says("write_cache").map(|text| text.trim().to_owned());
    Ok((cache, says("fua").map(|text| text.trim() == "1")))
}

//! The corpus: kept inputs, by target, in the order of their names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What libFuzzer found interesting, minimised.
pub const CORPUS: &str = "corpus";
/// What once broke a promise: one input for each defect mended, never minimised away.
pub const REGRESSIONS: &str = "regressions";

/// The folder of a target's inputs.
pub fn folder(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target)
}

/// Name and bytes of every input of a target; none where there is no folder.
///
/// # Errors
/// An input that cannot be read.
pub fn inputs(kind: &str, target: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
    let folder = folder(kind, target);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|e| e.path())).collect::<io::Result<_>>()?;
    paths.sort();
    paths.iter().map(|path| Ok((path.display().to_string(), fs::read(path)?))).collect()
}

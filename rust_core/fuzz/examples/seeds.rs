//! Writes every target's own seeds into a folder of its name, for libFuzzer to start from.

use std::path::PathBuf;
use std::{env, fs, io};

use kuva_fuzz::targets::TARGETS;

fn main() -> io::Result<()> {
    let root = env::args_os().nth(1).map(PathBuf::from);
    let root = root.ok_or_else(|| io::Error::other("say into which folder"))?;
    for target in TARGETS {
        let folder = root.join(target.name);
        fs::create_dir_all(&folder)?;
        for (number, seed) in (target.seeds)().iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:02}")), seed)?;
        }
    }
    Ok(())
}

//! The sample for independent readers: what is written today is what was written when it was made.

use std::io::{Read, Write};
use std::path::PathBuf;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::made::*;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/volume-sample.tar.gz")
}

/// Two series; one instance of more than 1 MiB, whose pixels are few different bytes so that the sample is small.
fn recipes() -> Vec<Recipe> {
    let long = Recipe { plain: true, ..recipe(9, 1, 4, (1 << 20) + 5_000) };
    vec![recipe(4, 2, 1, 300), recipe(4, 1, 2, 7), long]
}

#[test]
fn the_sample_of_the_format_is_still_what_is_written() {
    let (_, journal, ids) = journal_of(&recipes());
    let (tar, _) = assemble(&journal, plan(&ids)).unwrap();
    if std::env::var_os("KUVA_REMAKE_VECTORS").is_some() {
        let file = std::fs::File::create(path()).unwrap();
        let mut encoder = GzEncoder::new(file, Compression::best());
        encoder.write_all(&tar).unwrap();
        encoder.finish().unwrap();
    }
    let mut sample = Vec::new();
    GzDecoder::new(std::fs::File::open(path()).unwrap()).read_to_end(&mut sample).unwrap();
    assert!(
        tar == sample,
        "the format of volumes changed? It must not: stored volumes are for ever"
    );
}

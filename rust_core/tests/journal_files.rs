//! The journal in a real folder, in both write modes, and the sample for the independent reader.
#![allow(clippy::unwrap_used)]

mod journal_support;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use journal_support::*;
use kuva_core::instance::Verdict;
use kuva_core::journal::record::BLOCK_PAYLOAD_LENGTH;
use kuva_core::journal::roster::{ROSTER, ROSTER_LENGTH};
use kuva_core::journal::*;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("kuva-journal-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::remove_dir_all(&path).ok();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

fn round(folder: &Folder, open_medium: impl Fn() -> std::io::Result<FileMedium>) {
    let lengths = [0, 1, 11_000, BLOCK_PAYLOAD_LENGTH, 4 * BLOCK_PAYLOAD_LENGTH + 77];
    let ledger = Ledger::default();
    for epoch in 1..4 {
        std::fs::write(folder.0.join("00000016.unfinished"), b"cut while being made").ok();
        let medium = open_medium().unwrap();
        assert!(open_medium().is_err(), "one process at a time");
        let (journal, recovery) =
            Journal::open(Arc::new(medium), config(epoch), nonces(7 + u64::from(epoch))).unwrap();
        ledger.check(&journal, &recovery).unwrap();
        for (n, length) in lengths.into_iter().enumerate() {
            let number = u64::from(epoch) * 10 + n as u64;
            ledger.enter(keep(&journal, number, length).unwrap(), number, length);
        }
    }
    assert!(!folder.0.join("00000016.unfinished").exists());
}

#[test]
fn instances_survive_restarts_in_a_folder_as_probed() {
    let folder = Folder::new("probed");
    round(&folder, || FileMedium::open(&folder.0));
}

#[test]
fn instances_survive_restarts_in_a_folder_when_buffered() {
    let folder = Folder::new("buffered");
    round(&folder, || FileMedium::open_buffered(&folder.0));
}

/// The vector of this name, made again first if so asked.
fn vector(name: &str, made: Option<&[u8]>) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors").join(name);
    if let Some(made) = made.filter(|_| std::env::var_os("KUVA_REMAKE_VECTORS").is_some()) {
        let file = std::fs::File::create(&path).unwrap();
        let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::best());
        packed.write_all(made).unwrap();
        packed.finish().unwrap();
    }
    let mut found = Vec::new();
    let file = std::fs::File::open(&path).unwrap();
    flate2::read::GzDecoder::new(file).read_to_end(&mut found).unwrap();
    found
}

/// Makes `tests/vectors/journal-sample.segment.gz` and `.roster.gz` again and compares.
///
/// One segment: an empty instance, a small one, a quarantined one that is discarded, and one of a
/// whole block and a tail; then an orderly end. `tests/unit/journal/test_format.py` reads it.
#[test]
fn the_sample_for_the_independent_reader_is_what_this_journal_writes() {
    let disk = MemoryMedium::new(WriteMode::Direct, Faults::default());
    let one = JournalConfig { writer_threads: 1, ..config(1) };
    let (journal, _) = Journal::open(Arc::new(disk.clone()), one, nonces(1)).unwrap();
    let keep = |number: u64, data_set: Vec<u8>| {
        let outcome = send(&journal, particulars(number, &data_set), &data_set).unwrap();
        outcome.recv().unwrap().unwrap();
    };
    keep(1, Vec::new());
    keep(2, sample(5001));
    let held = quarantine(&journal, 3, 3000);
    journal.discard(&[held], "Päällekkäinen lähetys").unwrap();
    keep(4, sample(BLOCK_PAYLOAD_LENGTH + 100));
    drop(journal);
    // When the second generation is entered, and what is live then, is for the scheduler to say.
    forget_roster_from(&disk, 2);
    for (segment, name) in [(1, "journal-sample.segment.gz"), (ROSTER, "journal-sample.roster.gz")]
    {
        let made = disk.contents(segment);
        let same = vector(name, Some(&made)) == made;
        assert!(same, "the format changed? KUVA_REMAKE_VECTORS=1 makes {name} again");
    }
}

/// Makes `tests/vectors/journal-copied.gz` again, if so asked, and opens it: the roster's file and all
/// segments, one behind the other, of a journal whose small instances were copied forward, some of
/// them held apart, with the old segments still there. (What lies where is for the scheduler to say.)
#[test]
fn the_copied_sample_for_the_independent_reader_opens() {
    let disk = MemoryMedium::new(WriteMode::Direct, Faults::default());
    if std::env::var_os("KUVA_REMAKE_VECTORS").is_some() {
        copied(&disk);
    }
    let roster = ROSTER_LENGTH as usize;
    let made: Vec<u8> = (0..=16).flat_map(|segment| disk.contents(segment)).collect();
    let vector = vector("journal-copied.gz", (!made.is_empty()).then_some(&made));
    let disk = MemoryMedium::new(WriteMode::Direct, Faults::default());
    let segments = (1..).zip(vector[roster..].chunks(SEGMENT as usize));
    for (segment, bytes) in segments.chain([(ROSTER, &vector[..roster])]) {
        disk.create(segment, bytes.len() as u64).unwrap();
        disk.plant(segment, 0, bytes);
    }
    let (journal, recovery) = open(&disk, 2).unwrap();
    assert_eq!(recovery.instances.len(), 6);
    for (number, (id, _)) in recovery.instances.iter().enumerate() {
        let length = BLOCK_PAYLOAD_LENGTH + 10 * (number + 1);
        assert_eq!(read(&journal, *id).unwrap(), Some(sample(length)));
    }
}

fn copied(disk: &MemoryMedium) {
    let (journal, _) = Journal::open(Arc::new(disk.clone()), config(1), nonces(1)).unwrap();
    let give_up = || {
        let upload = journal.begin().unwrap();
        for _ in 0..5 {
            let mut block = take(&journal);
            block.fill(&[0xAB; BLOCK_PAYLOAD_LENGTH]);
            journal.append(&upload, block.freeze()).unwrap();
        }
    };
    for number in 1..=6 {
        let data_set = sample(BLOCK_PAYLOAD_LENGTH + 10 * number);
        let mut said = particulars(number as u64, &data_set);
        said.verdict = [Verdict::Kept, Verdict::Quarantined][number % 2];
        send(&journal, said, &data_set).unwrap().recv().unwrap().unwrap();
        give_up();
        give_up();
    }
    let mut copied = 0;
    while copied == 0 {
        give_up();
        copied += journal.tend(0).copied_instances;
    }
}

/// A journal of version 2 knows no copies; otherwise nothing changed.
#[test]
fn a_journal_of_version_2_opens_whole() {
    let disk = MemoryMedium::new(WriteMode::Direct, Faults::default());
    let parts = [(1, SEGMENT, "segment"), (ROSTER, ROSTER_LENGTH, "roster")];
    for (number, length, name) in parts {
        disk.create(number, length).unwrap();
        disk.plant(number, 0, &vector(&format!("journal-sample-v2.{name}.gz"), None));
    }
    for epoch in 2..4 {
        let (journal, recovery) = open(&disk, epoch).unwrap();
        assert_eq!(recovery.instances.len(), 3);
        for ((id, _), length) in
            recovery.instances.iter().zip([0, 5001, BLOCK_PAYLOAD_LENGTH + 100])
        {
            assert_eq!(read(&journal, *id).unwrap(), Some(sample(length)));
        }
    }
}

fn sample(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

#[test]
fn a_journal_from_before_the_roster_opens_whole_and_has_one_from_then_on() {
    let disk = MemoryMedium::new(WriteMode::Direct, Faults::default());
    disk.create(1, SEGMENT).unwrap();
    disk.plant(1, 0, &vector("journal-sample-v1.segment.gz", None));
    let (journal, recovery) = open(&disk, 2).unwrap();
    let lengths = |journal: &Journal, recovery: &Recovery| -> Vec<u64> {
        let ids = recovery.instances.iter().map(|(id, _)| *id);
        ids.map(|id| journal.instance(id).unwrap().unwrap().particulars.length).collect()
    };
    let kept = vec![0, 5001, BLOCK_PAYLOAD_LENGTH as u64 + 100];
    assert_eq!(lengths(&journal, &recovery), kept);
    drop(journal);
    let (journal, recovery) = open(&disk, 3).unwrap();
    assert_eq!(lengths(&journal, &recovery), kept);
    drop(journal);
    disk.remove(1);
    assert!(matches!(open(&disk, 4).err(), Some(JournalError::Gone { segment: 1, .. })));
}

//! Measures recovery on a real folder: `cargo run --release --example journal_recovery -- FOLDER COUNT [LENGTH]`.
//!
//! Fills a new journal in FOLDER with COUNT instances of LENGTH bytes (3,000 unless told), 273 to a
//! study, drops it as a crash would, and then times what a start does: scan and judgement, the
//! duplicates table, and the reading of everything again for a catalogue that knows nothing.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use kuva_core::dedup::{DuplicatesLimits, DuplicatesTable};
use kuva_core::instance::*;
use kuva_core::intake::{Intake, IntakeSettings};
use kuva_core::journal::*;

const STUDY: u64 = 273;
const SENDERS: usize = 64;

fn particulars(data_set: &[u8], number: u64) -> Particulars {
    let uid = |text: &str, n: u64| Uid::from(format!("1.2.246.10.20260101.{text}.{n:030}"));
    let study = number / STUDY;
    let element = |tag, vr: &[u8; 2], value: &str| CapturedElement {
        tag,
        vr: *vr,
        cut: false,
        value: value.as_bytes().into(),
    };
    Particulars {
        vault: VaultId([1; 16]),
        identity: Identity {
            study: uid("1", study),
            series: uid("2", study),
            sop_instance: uid("3", number),
        },
        content: Content {
            digest: *blake3::hash(&number.to_le_bytes()).as_bytes(),
            transfer_syntax: "1.2.840.10008.1.2.1".into(),
            sop_class: "1.2.840.10008.5.1.4.1.1.2".into(),
        },
        length: data_set.len() as u64,
        received_at: number as i64,
        sender: Sender {
            calling: "MODALITY".into(),
            called: "KUVA".into(),
            address: "192.0.2.17:41234".into(),
            association: study,
        },
        flags: 0,
        verdict: Verdict::Kept,
        conflicts_with: None,
        captured: (0..20)
            .map(|n| element(0x0010_0010 + n, b"LO", "about twenty letters"))
            .collect(),
    }
}

fn fill(journal: &Journal, count: usize, length: usize) {
    let (next, data_set) = (AtomicUsize::new(0), vec![7; length]);
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    let upload = journal.begin().unwrap();
                    let (sender, outcome) = mpsc::channel();
                    let done: Done = Box::new(move |result| drop(sender.send(result)));
                    let particulars = particulars(&data_set, number as u64);
                    journal.close(upload, particulars, data_set.clone(), done);
                    outcome.recv().unwrap().unwrap();
                }
            });
        }
    });
}

/// Resident memory, MiB: now, or the most since the start.
fn memory(which: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(which)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}

fn config(epoch: u32, count: usize, length: usize) -> JournalConfig {
    let record = (length + 2500).next_multiple_of(4096) as u64;
    let capacity_bytes = (count as u64 * record).next_multiple_of(64 << 20) * 5 / 4 + (512 << 20);
    JournalConfig { capacity_bytes, ..JournalConfig::new(NodeId([5; 16]), epoch) }
}

fn open(folder: &PathBuf, config: JournalConfig) -> (Journal, Recovery) {
    let mut nonces = memory_medium::Seeded(u64::from(config.epoch) ^ 0x5eed);
    let medium = Arc::new(FileMedium::open(folder).unwrap());
    Journal::open(medium, config, Box::new(move || nonces.draw())).unwrap()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = PathBuf::from(&arguments[0]);
    let count: usize = arguments[1].parse().unwrap();
    let length: usize = arguments.get(2).map_or(3000, |text| text.parse().unwrap());
    if !folder.exists() {
        let start = Instant::now();
        let (journal, _) = open(&folder, config(1, count, length));
        fill(&journal, count, length);
        println!("filled with {count} of {length} bytes in {:.1} s", start.elapsed().as_secs_f64());
        std::mem::forget(journal);
        println!("run again to measure");
        return;
    }
    let before = memory("VmRSS");
    let start = Instant::now();
    let epoch = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as u32;
    let (journal, recovery) = open(&folder, config(epoch, count, length));
    let (opened, at_open) = (start.elapsed().as_secs_f64(), memory("VmRSS"));
    let found = recovery.instances.len();
    println!(
        "open: {opened:.2} s, {found} instances, {} segments, {at_open} MiB",
        recovery.segments
    );
    let table = DuplicatesTable::new(NodeId([5; 16]), DuplicatesLimits::default());
    let settings = IntakeSettings { workers: 2, clock: Box::new(|| 0) };
    let start = Instant::now();
    let intake = Intake::start(journal, table, settings).unwrap();
    drop(recovery);
    println!("intake: {:.2} s, {} MiB", start.elapsed().as_secs_f64(), memory("VmRSS"));
    let start = Instant::now();
    let read = intake.journal.entries_after(1, 0).filter(Result::is_ok).count();
    println!("read again: {:.2} s, {read} instances", start.elapsed().as_secs_f64());
    println!("memory: {before} MiB before, {} MiB at most", memory("VmHWM"));
    intake.stop();
}

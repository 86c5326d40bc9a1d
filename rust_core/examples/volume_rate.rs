//! Measures volumes on a real folder: `cargo run --release --example volume_rate -- FOLDER`.
//!
//! A journal of 2 GiB is filled with instances of one study, of 0.5 MB and of 10 kB. Then each round
//! assembles a volume of about 128 MiB of them (whole, the caller only takes the pieces), verifies it,
//! scans it, and reads every data set out of it. MB/s of the TAR file, medians of the rounds: by the
//! clock, and (what counts on a machine that does other things as well) by the CPU time of all threads.
#![allow(clippy::unwrap_used)]

use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Instant;

use kuva_core::dataset::{Scanner, encapsulated, encoding_of};
use kuva_core::instance::*;
use kuva_core::journal::memory_medium::Seeded;
use kuva_core::journal::*;
use kuva_core::volume::*;

const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const VOLUME_LENGTH: usize = 128 << 20;
const ROUNDS: usize = 5;

fn element(out: &mut Vec<u8>, tag: [u16; 2], vr: &[u8; 2], value: &[u8]) {
    tag.iter().for_each(|word| out.extend(word.to_le_bytes()));
    out.extend(vr);
    match vr {
        b"OW" => {
            out.extend([0, 0]);
            out.extend((value.len() as u32).to_le_bytes());
        }
        _ => out.extend((value.len() as u16).to_le_bytes()),
    }
    out.extend(value);
}

fn even(mut text: String) -> Vec<u8> {
    if text.len() % 2 == 1 {
        text.push('\0');
    }
    text.into_bytes()
}

fn data_set(number: u64, length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    element(&mut out, [0x0008, 0x0016], b"UI", &even("1.2.840.10008.5.1.4.1.1.2".into()));
    element(&mut out, [0x0008, 0x0018], b"UI", &even(format!("1.2.246.10.3.{number}")));
    element(&mut out, [0x0020, 0x000D], b"UI", &even("1.2.246.10.1".into()));
    element(&mut out, [0x0020, 0x000E], b"UI", &even("1.2.246.10.2".into()));
    element(&mut out, [0x0020, 0x0013], b"IS", &even(number.to_string().replace('\0', " ")));
    let mut seeded = Seeded(number);
    let mut pixels: Vec<u8> = Vec::with_capacity(length);
    while pixels.len() < length {
        pixels.extend(seeded.draw().to_le_bytes());
    }
    element(&mut out, [0x7FE0, 0x0010], b"OW", &pixels);
    out
}

fn particulars(number: u64, data_set: &[u8]) -> Particulars {
    let encoding = encoding_of(EXPLICIT).unwrap();
    let mut scanner = Scanner::new(encoding, encapsulated(EXPLICIT), Default::default());
    scanner.update(data_set).unwrap();
    Particulars {
        vault: VaultId([1; 16]),
        identity: Identity {
            study: "1.2.246.10.1".into(),
            series: "1.2.246.10.2".into(),
            sop_instance: format!("1.2.246.10.3.{number}").into(),
        },
        content: Content {
            digest: *blake3::hash(data_set).as_bytes(),
            transfer_syntax: EXPLICIT.into(),
            sop_class: "1.2.840.10008.5.1.4.1.1.2".into(),
        },
        length: data_set.len() as u64,
        received_at: 1_790_000_000_000_000,
        sender: Sender::default(),
        flags: 0,
        verdict: Verdict::Kept,
        conflicts_with: None,
        captured: scanner.finish().unwrap().captured,
    }
}

fn send(journal: &Journal, number: u64, length: usize) -> ReceiveId {
    let data_set = data_set(number, length);
    let upload = journal.begin().unwrap();
    let (sender, outcome) = mpsc::channel();
    let (mut tail, mut rest) = (None, &data_set[..]);
    while !rest.is_empty() {
        let Some(mut block) = journal.pool().take() else {
            std::thread::yield_now();
            continue;
        };
        let filled = block.fill(rest);
        rest = &rest[filled..];
        match block.is_full() {
            true => journal.append(&upload, block.freeze()).unwrap(),
            false => tail = Some(block.freeze()),
        }
    }
    let done: Done = Box::new(move |result| drop(sender.send(result)));
    let tail = tail.map_or(Tail::Empty, Tail::Block);
    journal.close(upload, particulars(number, &data_set), tail, done);
    outcome.recv().unwrap().unwrap()
}

/// Into memory that was used before: new pages would cost as much as all the rest.
fn assemble(journal: &Journal, ids: &[ReceiveId], tar: &mut Vec<u8>) -> (Assembled, Rate) {
    let description = Description {
        volume: "01K4M8Q2ZJ5W3T7N9V6X1B0CDE".into(),
        vault: VaultId([1; 16]),
        study: "1.2.246.10.1".into(),
        planned_at: 1_790_000_000_000_000,
        quarantined: false,
        supersedes: Vec::new(),
    };
    let plan = Plan { description, instances: ids.to_vec() };
    let begin = || Assembly::begin(journal.readings(), plan).unwrap();
    let (mut assembly, begun) = timed(VOLUME_LENGTH, begin);
    tar.clear();
    while let Some(piece) = assembly.next_piece().unwrap() {
        tar.extend_from_slice(&piece);
    }
    (assembly.finish().unwrap(), begun)
}

/// CPU seconds of all threads of this process.
fn cpu() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// MB/s by the clock and by CPU time.
type Rate = (f64, f64);

fn timed<T>(bytes: usize, work: impl FnOnce() -> T) -> (T, Rate) {
    let (start, before) = (Instant::now(), cpu());
    let done = work();
    let megabytes = bytes as f64 / 1e6;
    (done, (megabytes / start.elapsed().as_secs_f64(), megabytes / (cpu() - before)))
}

fn median(rates: Vec<Rate>) -> String {
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (clock, cpu) = rates.into_iter().unzip();
    format!("{:.0} ({:.0})", middle(clock), middle(cpu))
}

fn measure(journal: &Journal, ids: &[ReceiveId], length: usize) {
    let mut rates: [Vec<Rate>; 5] = Default::default();
    let mut tar = Vec::new();
    for _ in 0..ROUNDS {
        let expected = length * ids.len();
        let ((assembled, begun), rate) = timed(expected, || assemble(journal, ids, &mut tar));
        rates[0].push(rate);
        rates[1].push(begun);
        let verified = || {
            let mut verification = Verification::new(&assembled);
            tar.chunks(4 << 20).for_each(|piece| verification.feed(piece).unwrap());
            verification.finish().unwrap();
        };
        rates[2].push(timed(tar.len(), verified).1);
        let scanned = || {
            let mut scan = VolumeScan::new([0; 16]);
            tar.chunks(4 << 20).for_each(|piece| scan.feed(piece).unwrap());
            scan.finish().unwrap()
        };
        let (found, rate) = timed(tar.len(), scanned);
        rates[3].push(rate);
        let shared = Arc::new(std::mem::take(&mut tar));
        rates[4].push(timed(shared.len(), || read_all(&shared, &found)).1);
        tar = Arc::into_inner(shared).unwrap();
    }
    let [assembly, planning, verification, scan, read] = rates.map(median);
    println!(
        "{length} B x {}, MB/s by the clock (by CPU time): assembly {assembly}, its first pass alone {planning}, \
         verification {verification}, scan {scan}, reading out {read}",
        ids.len()
    );
}

fn read_all(tar: &Arc<Vec<u8>>, found: &VolumeContents) {
    let block = kuva_core::index::decode(&found.contents.block).unwrap();
    for (entry, ranges_offset) in block.entries.iter().zip(block.ranges_offsets()) {
        let (offset, length, digest) = (entry.offset, entry.length, entry.digest);
        let place = StoredPlace { offset, length, digest, ranges_offset };
        let tar = Arc::clone(tar);
        let read = move |at: u64, length: usize| Ok(tar[at as usize..][..length].to_vec());
        let mut reader = StoredReader::new(place, Box::new(read));
        let mut out = vec![0; length as usize];
        reader.read_exact(&mut out).unwrap();
    }
}

fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("which folder?"));
    let medium = Arc::new(FileMedium::open(folder).unwrap());
    println!("{:?}", medium.report());
    let mut nonces = memory_medium::Seeded(std::process::id().into());
    let config =
        JournalConfig { capacity_bytes: 2 << 30, ..JournalConfig::new(NodeId::default(), 1) };
    let (journal, _) = Journal::open(medium, config, Box::new(move || nonces.draw())).unwrap();
    let mut number = 0;
    for length in [500_000, 10_000, 30_000_000] {
        let count = VOLUME_LENGTH / length;
        let ids: Vec<ReceiveId> = (0..count)
            .map(|_| {
                number += 1;
                send(&journal, number, length)
            })
            .collect();
        measure(&journal, &ids, length);
    }
    journal.shutdown();
}

//! Measures what a discard of many does to those who commit meanwhile:
//! `cargo run --release --example discard_stall -- FOLDER [HOW_MANY]`.
//!
//! One sender commits small instances (11 kB), each when the one before it is durable; beside it
//! HOW_MANY (4000) quarantined instances are discarded by one record. Printed: how long the discard
//! took, and the sender's waits before and during it. The folder gets a journal of 4 GiB.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use kuva_core::instance::*;
use kuva_core::journal::*;

const SMALL: usize = 11_000;

fn particulars(number: u64) -> Particulars {
    let uid = |text: &str| Uid::from(format!("1.2.246.10.{text}.{number}"));
    Particulars {
        vault: VaultId([1; 16]),
        identity: Identity { study: uid("1"), series: uid("2"), sop_instance: uid("3") },
        content: Content {
            digest: [0; 32],
            transfer_syntax: "1.2.840.10008.1.2.1".into(),
            sop_class: "1.2.840.10008.5.1.4.1.1.2".into(),
        },
        length: SMALL as u64,
        received_at: 0,
        sender: Sender::default(),
        flags: 0,
        verdict: Verdict::Quarantined,
        conflicts_with: None,
        captured: Vec::new(),
    }
}

fn commit(journal: &Journal, number: u64) -> ReceiveId {
    let (sender, outcome) = mpsc::channel();
    let done: Done = Box::new(move |result| drop(sender.send(result)));
    let upload = journal.begin().unwrap();
    journal.close(upload, particulars(number), Tail::Bytes(vec![7; SMALL]), done);
    outcome.recv().unwrap().unwrap()
}

/// Waits of one sender until told to stop.
fn waits(journal: &Journal, stop: &AtomicBool) -> Vec<Duration> {
    let mut waits = Vec::new();
    while !stop.load(SeqCst) {
        let start = Instant::now();
        commit(journal, waits.len() as u64);
        waits.push(start.elapsed());
    }
    waits.sort_unstable();
    waits
}

fn print(what: &str, waits: &[Duration]) {
    let ms = |share: usize| waits[(waits.len() - 1) * share / 1000].as_secs_f64() * 1e3;
    let (half, most, worst) = (ms(500), ms(990), ms(1000));
    println!(
        "{what}: {} commits, ms {half:.2} median, {most:.2} p99, {worst:.2} most",
        waits.len()
    );
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("which folder?"));
    let many = arguments.next().map_or(4000, |many| many.parse().unwrap());
    let medium = Arc::new(FileMedium::open(folder).unwrap());
    println!("{:?}", medium.report());
    let mut nonces = memory_medium::Seeded(std::process::id().into());
    let config = JournalConfig::new(NodeId::default(), 1);
    let (journal, _) = Journal::open(medium, config, Box::new(move || nonces.draw())).unwrap();
    for round in 0..3 {
        let held: Vec<ReceiveId> = (0..many).map(|number| commit(&journal, number)).collect();
        let watched = |during: &dyn Fn()| {
            let stop = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let sender = scope.spawn(|| waits(&journal, &stop));
                during();
                stop.store(true, SeqCst);
                sender.join().unwrap()
            })
        };
        let alone = watched(&|| std::thread::sleep(Duration::from_secs(1)));
        let start = Instant::now();
        let beside = watched(&|| journal.discard(&held, "measured").unwrap());
        println!("round {round}: {many} discarded in {:.2} s", start.elapsed().as_secs_f64());
        print("  alone", &alone);
        print("  beside the discard", &beside);
    }
}

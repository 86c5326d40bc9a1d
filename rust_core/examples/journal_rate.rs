//! Measures the journal on a real folder: `cargo run --release --example journal_rate -- FOLDER [buffered]`.
//!
//! Four senders each, every instance answered only when durable: CT (527 kB) in MB/s, with one and
//! four senders of one instance at a time; small ones (11 kB) likewise in instances/s. No socket, no
//! hashing, no scan: this is what the journal alone can take. The folder gets a journal of 4 GiB.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use kuva_core::instance::*;
use kuva_core::journal::*;

const CT: usize = 527_000;
const SMALL: usize = 11_000;

fn particulars(data_set: &[u8], number: u64) -> Particulars {
    let uid = |text: &str| Uid::from(format!("1.2.246.10.{text}.{number}"));
    Particulars {
        vault: VaultId([1; 16]),
        identity: Identity { study: uid("1"), series: uid("2"), sop_instance: uid("3") },
        content: Content {
            digest: [0; 32],
            transfer_syntax: "1.2.840.10008.1.2.1".into(),
            sop_class: "1.2.840.10008.5.1.4.1.1.2".into(),
        },
        length: data_set.len() as u64,
        received_at: 0,
        sender: Sender::default(),
        flags: 0,
        verdict: Verdict::Quarantined,
        conflicts_with: None,
        captured: Vec::new(),
    }
}

fn send(journal: &Journal, data_set: &[u8], number: u64) -> ReceiveId {
    let upload = journal.begin().unwrap();
    let (sender, outcome) = mpsc::channel();
    let mut tail = None;
    let mut rest = data_set;
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
    journal.close(upload, particulars(data_set, number), tail, done);
    outcome.recv().unwrap().unwrap()
}

/// Instances a second over `seconds`.
fn rate(journal: &Journal, length: usize, senders: usize, seconds: f64) -> f64 {
    let data_set: Vec<u8> = (0..length).map(|n| (n * 31 % 253) as u8).collect();
    let start = Instant::now();
    let sent: Vec<Vec<ReceiveId>> = std::thread::scope(|scope| {
        let data_set = &data_set;
        let work = move || {
            let mut ids = Vec::new();
            while start.elapsed() < Duration::from_secs_f64(seconds) && journal.room().fill < 0.85 {
                ids.push(send(journal, data_set, ids.len() as u64));
            }
            ids
        };
        let threads: Vec<_> = (0..senders).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let took = start.elapsed().as_secs_f64();
    let ids = sent.concat();
    ids.chunks(4000).for_each(|ids| journal.discard(ids, "measured").unwrap());
    ids.len() as f64 / took
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("which folder?"));
    let buffered = arguments.next().is_some_and(|mode| mode == "buffered");
    let open = if buffered { FileMedium::open_buffered } else { FileMedium::open };
    let mut seed = std::process::id().into();
    for epoch in 1..=2 {
        let medium = Arc::new(open(folder.clone()).unwrap());
        println!("{:?}", medium.report());
        seed += 1;
        let mut nonces = memory_medium::Seeded(seed);
        let config = JournalConfig::new(NodeId::default(), epoch);
        let start = Instant::now();
        let (journal, recovery) =
            Journal::open(medium, config, Box::new(move || nonces.draw())).unwrap();
        println!(
            "opened in {:.2} s: {} segments",
            start.elapsed().as_secs_f64(),
            recovery.segments
        );
        for round in 0..3 {
            let ct = [1, 4].map(|n| rate(&journal, CT, n, 1.5) * CT as f64 / 1e6);
            let small = [1, 4, 16].map(|n| rate(&journal, SMALL, n, 1.0));
            println!(
                "round {round}: CT MB/s x1, x4 {ct:.0?}; 11 kB inst/s x1, x4, x16 {small:.0?}"
            );
        }
    }
}

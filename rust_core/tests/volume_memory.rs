//! Assembly, verification and reading need the same memory whatever the volume's length. Alone in its process: it
//! counts what every thread allocates.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;

use kuva_core::instance::*;
use kuva_core::journal::record::BLOCK_PAYLOAD_LENGTH;
use kuva_core::journal::*;
use kuva_core::volume::*;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract;
// the counters are atomics and allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(live, Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the pointer came from the system's allocator by this one.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn particulars(length: usize, digest: [u8; 32]) -> Particulars {
    Particulars {
        vault: VaultId([1; 16]),
        identity: Identity {
            study: "1.2.1".into(),
            series: "1.2.2".into(),
            sop_instance: format!("1.2.3.{length}").into(),
        },
        content: Content {
            digest,
            transfer_syntax: "1.2.840.10008.1.2.1".into(),
            sop_class: "1.2.840.10008.5.1.4.1.1.2".into(),
        },
        length: length as u64,
        received_at: 0,
        sender: Sender::default(),
        flags: 0,
        verdict: Verdict::Kept,
        conflicts_with: None,
        captured: Vec::new(),
    }
}

/// An instance of so many blocks, without ever holding it whole.
fn keep(journal: &Journal, blocks: usize) -> ReceiveId {
    let upload = journal.begin().unwrap();
    let mut hasher = blake3::Hasher::new();
    for number in 0..blocks {
        let bytes = vec![number as u8; BLOCK_PAYLOAD_LENGTH];
        hasher.update(&bytes);
        let mut block = loop {
            match journal.pool().take() {
                Some(block) => break block,
                None => std::thread::yield_now(),
            }
        };
        assert_eq!(block.fill(&bytes), bytes.len());
        journal.append(&upload, block.freeze()).unwrap();
    }
    let (sender, outcome) = mpsc::channel();
    let done: Done = Box::new(move |result| drop(sender.send(result)));
    let particulars = particulars(blocks * BLOCK_PAYLOAD_LENGTH, *hasher.finalize().as_bytes());
    journal.close(upload, particulars, Tail::Empty, done);
    outcome.recv().unwrap().unwrap()
}

/// The most that was allocated at once while a volume of it was made, and verified piece by piece.
fn spent(journal: &Journal, instance: ReceiveId) -> usize {
    let description = Description {
        volume: "01K4M8Q2ZJ5W3T7N9V6X1B0CDE".into(),
        vault: VaultId([1; 16]),
        study: "1.2.1".into(),
        planned_at: 0,
        quarantined: false,
        supersedes: Vec::new(),
    };
    let before = LIVE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let plan = || Plan { description: description.clone(), instances: vec![instance] };
    let assembled = each_piece(journal, plan(), |_| {});
    let mut verification = Verification::new(&assembled);
    each_piece(journal, plan(), |piece| verification.feed(piece).unwrap());
    verification.finish().unwrap();
    PEAK.load(Relaxed) - before
}

fn each_piece(journal: &Journal, plan: Plan, mut take: impl FnMut(&[u8])) -> Assembled {
    let mut assembly = Assembly::begin(journal.readings(), plan).unwrap();
    while let Some(piece) = assembly.next_piece().unwrap() {
        take(&piece);
    }
    assembly.finish().unwrap()
}

#[test]
fn a_volume_ten_times_as_long_takes_no_more_memory() {
    let folder = std::env::temp_dir().join(format!("kuva-volume-memory-{}", std::process::id()));
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).unwrap();
    let config = JournalConfig {
        capacity_bytes: 1 << 30,
        block_pool_bytes: 4 << 20,
        ..JournalConfig::new(NodeId([9; 16]), 1)
    };
    let mut nonce = 0;
    let nonces: Nonces = Box::new(move || {
        nonce += 1;
        nonce
    });
    let medium = Arc::new(FileMedium::open(&folder).unwrap());
    let (journal, _) = Journal::open(medium, config, nonces).unwrap();
    let [short, long] = [400, 4_000].map(|blocks| keep(&journal, blocks));
    let [short, long] = [short, long].map(|instance| spent(&journal, instance));
    println!("52 MB: {} KiB at most; 524 MB: {} KiB", short >> 10, long >> 10);
    journal.shutdown();
    std::fs::remove_dir_all(&folder).ok();
    // Pieces of 4 MiB and stretches of 1 MiB, as many as may be between the threads.
    assert!(short.max(long) < 40 << 20, "{short}, {long}");
}

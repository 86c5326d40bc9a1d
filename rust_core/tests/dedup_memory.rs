//! Memory of the duplicates table: half a million entries in less than 150 MB.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kuva_core::dedup::{DuplicatesLimits, DuplicatesTable, Judgement, Settled};
use kuva_core::instance::{Content, NodeId, ReceiveId, StudyKey, Uid, VaultId};

/// Counts the bytes asked of the system allocator and not given back.
struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on unchanged to the system allocator; only a counter is added.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const STUDIES: usize = 1_832;
const INSTANCES: usize = 273;

fn long_uid(study: usize, instance: usize) -> Uid {
    Arc::from(format!("1.2.826.0.1.3680043.2.1125.1.{study:020}.{instance:010}"))
}

#[test]
fn half_a_million_entries_are_held_in_less_than_150_megabytes() {
    let before = HELD.load(Ordering::Relaxed);
    let node = NodeId([1; 16]);
    let mut table = DuplicatesTable::new(node, DuplicatesLimits::default());
    let (transfer_syntax, sop_class): (Uid, Uid) = (Arc::from("1.2"), Arc::from("1.3"));
    let mut position = 0;
    for study in 0..STUDIES {
        let key = StudyKey { vault: VaultId([7; 16]), study: long_uid(study, 0) };
        table.touch(&key, 0);
        table.opened(&key, Vec::new());
        for instance in 0..INSTANCES {
            position += 1;
            let digest = *blake3::hash(&u64::to_le_bytes(position)).as_bytes();
            let (transfer_syntax, sop_class) = (transfer_syntax.clone(), sop_class.clone());
            let content = Content { digest, transfer_syntax, sop_class };
            let ticket = table.ticket();
            let judged = table.judge(ticket, &key, &long_uid(study, instance), &content, 0);
            assert_eq!(judged, Judgement::New);
            table.settled(ticket, Settled::Kept(ReceiveId { node, epoch: 1, position }));
        }
    }
    assert_eq!(table.entries(), STUDIES * INSTANCES);
    let held = HELD.load(Ordering::Relaxed) - before;
    println!("{} entries in {held} bytes, {} each", table.entries(), held / table.entries());
    assert!(held < 150_000_000 / 500_000 * table.entries(), "{held} bytes");
}

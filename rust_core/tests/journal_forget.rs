//! What is in a verified volume leaves the journal: its room, its readers, and a restart.
#![allow(clippy::unwrap_used)]

mod journal_support;

use journal_support::*;
use kuva_core::instance::{NodeId, ReceiveId};
use kuva_core::journal::record::BLOCK_PAYLOAD_LENGTH;
use kuva_core::journal::{Faults, MemoryMedium, WriteMode};

const BLOCK: usize = BLOCK_PAYLOAD_LENGTH;

fn medium() -> MemoryMedium {
    MemoryMedium::new(WriteMode::Direct, Faults::default())
}

#[test]
fn what_is_forgotten_takes_no_room_and_is_not_found_any_more() {
    let (journal, _) = open(&medium(), 1).unwrap();
    let id = keep(&journal, 1, 3 * BLOCK + 7).unwrap();
    let apart = quarantine(&journal, 2, BLOCK);
    let other = keep(&journal, 3, 100).unwrap();
    let live = journal.room().live_bytes;
    journal.forget(&[id, apart]);
    let freed = live - journal.room().live_bytes;
    assert_eq!(freed, (4 * 131_072 + 2 * 4096) as u64);
    for gone in [id, apart] {
        assert!(
            journal.instance(gone).unwrap().is_none() && journal.reader(gone).unwrap().is_none()
        );
    }
    assert_eq!(journal.newest(9), [other]);
    journal.discard(&[apart], "gone already").unwrap();
    // Again, and what is nobody's: nothing happens twice.
    let room = journal.room();
    let foreign = ReceiveId { node: NodeId([1; 16]), ..other };
    journal.forget(&[id, apart, foreign, ReceiveId { position: 99, ..other }]);
    assert_eq!(journal.room(), room);
    assert_eq!(read(&journal, other).unwrap(), Some(bytes_of(3, 100)));
}

#[test]
fn a_journal_whose_instances_are_forgotten_takes_its_capacity_many_times_over() {
    let medium = medium();
    let (journal, _) = open(&medium, 1).unwrap();
    for number in 0..400 {
        let id = keep(&journal, number, 2 * BLOCK + 50).unwrap();
        journal.forget(&[id]);
    }
    assert_eq!(journal.room().live_bytes, 0);
    assert!(journal.epochs().is_empty(), "the index keeps nothing of what is gone");
    drop(journal);
    let (journal, recovery) = open(&medium, 2).unwrap();
    assert!(recovery.generation_highest > 80 && recovery.damaged.is_empty());
    assert!(journal.room().fill < 0.9);
}

#[test]
fn a_reader_that_is_open_reads_to_the_end_what_is_forgotten_meanwhile() {
    let (journal, _) = open(&medium(), 1).unwrap();
    let id = keep(&journal, 1, 3 * BLOCK + 7).unwrap();
    let mut reader = journal.reader(id).unwrap().unwrap();
    let mut data_set = Vec::new();
    reader.read_chunk(&mut data_set).unwrap();
    journal.forget(&[id]);
    for number in 2..120 {
        let other = keep(&journal, number, 2 * BLOCK).unwrap();
        journal.forget(&[other]);
    }
    while reader.read_chunk(&mut data_set).unwrap() > 0 {}
    assert!(data_set == bytes_of(1, 3 * BLOCK + 7));
}

#[test]
fn after_a_restart_what_was_not_overwritten_is_here_again_and_can_be_forgotten_again() {
    let medium = medium();
    let (journal, _) = open(&medium, 1).unwrap();
    let id = keep(&journal, 1, BLOCK + 7).unwrap();
    let other = keep(&journal, 2, 2 * BLOCK).unwrap();
    journal.forget(&[id]);
    drop(journal);
    let (journal, recovery) = open(&medium, 2).unwrap();
    assert_eq!(recovery.instances.len(), 2);
    assert_eq!(read(&journal, id).unwrap(), Some(bytes_of(1, BLOCK + 7)));
    journal.forget(&[id, other]);
    assert_eq!(journal.room().live_bytes, 0);
}

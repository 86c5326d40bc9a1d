//! Copying forward: segments that are mostly dead become free, and nothing that lives is lost, broken
//! or doubled by it.
#![allow(clippy::unwrap_used)]

mod journal_support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use journal_support::*;
use kuva_core::instance::ReceiveId;
use kuva_core::journal::record::BLOCK_PAYLOAD_LENGTH;
use kuva_core::journal::*;

const BLOCK: usize = BLOCK_PAYLOAD_LENGTH;

fn medium() -> MemoryMedium {
    MemoryMedium::new(WriteMode::Direct, Faults::default())
}

/// An upload of whole blocks that is given up: what repeats, refusals and lost associations leave.
fn abort(journal: &Journal, blocks: usize) -> Result<(), JournalError> {
    let upload = journal.begin()?;
    for _ in 0..blocks {
        let mut block = take(journal);
        block.fill(&[0xAB; BLOCK]);
        journal.append(&upload, block.freeze())?;
    }
    journal.abandon(upload);
    Ok(())
}

/// Does it again while the journal is full, as a sender does: writes of what was given up end later.
fn insist<T>(
    journal: &Journal,
    all: &mut Option<Tended>,
    act: impl Fn() -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    for _ in 0..300 {
        match act() {
            Err(JournalError::Full) => tend(journal, all),
            other => return other,
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Err(JournalError::Full)
}

fn tend(journal: &Journal, all: &mut Option<Tended>) {
    if let Some(all) = all {
        let tended = journal.tend(0);
        all.copied_instances += tended.copied_instances;
        all.copied_bytes += tended.copied_bytes;
        all.damaged.extend(tended.damaged);
    }
}

/// Aborts mixed with a few kept instances, until the journal is full or enough was sent.
fn mixed(journal: &Journal, ledger: &Ledger, tends: bool) -> Result<Tended, JournalError> {
    let mut all = tends.then(Tended::default);
    for number in 0..400 {
        insist(journal, &mut all, || abort(journal, 5))?;
        if number % 10 == 0 {
            let length = [300, BLOCK + 10][number as usize / 10 % 2];
            let id = insist(journal, &mut all, || keep(journal, number, length))?;
            ledger.enter(id, number, length);
        }
        tend(journal, &mut all);
    }
    Ok(all.unwrap_or_default())
}

/// The same, and all that was kept is forgotten in the end.
fn passing(journal: &Journal) -> Tended {
    let ledger = Ledger::default();
    let tended = mixed(journal, &ledger, true).unwrap();
    let ids: Vec<ReceiveId> = ledger.0.lock().unwrap().keys().copied().collect();
    journal.forget(&ids);
    tended
}

#[test]
fn dead_room_does_not_fill_the_journal_while_what_lives_is_copied_forward() {
    for mode in [WriteMode::Direct, WriteMode::Buffered] {
        let medium = MemoryMedium::new(mode, Faults::default());
        let ledger = Ledger::default();
        let (journal, recovery) = open(&medium, 1).unwrap();
        let tended = mixed(&journal, &ledger, true).unwrap();
        assert!(tended.copied_instances > 0 && tended.copied_bytes > 0);
        assert_eq!(tended.damaged, []);
        assert!(journal.room().fill < 0.9);
        ledger.check(&journal, &recovery).unwrap();
        drop(journal);
        let (journal, recovery) = open(&medium, 2).unwrap();
        assert_eq!(recovery.instances.len(), 40);
        ledger.check(&journal, &recovery).unwrap();
        // Copies of copies, by another epoch.
        passing(&journal);
        ledger.check(&journal, &recovery).unwrap();
    }
}

#[test]
fn without_copying_the_same_load_fills_the_journal() {
    let (journal, _) = open(&medium(), 1).unwrap();
    let full = mixed(&journal, &Ledger::default(), false);
    assert_eq!(full.unwrap_err(), JournalError::Full);
}

#[test]
fn while_there_is_room_nothing_is_copied() {
    let (journal, _) = open(&medium(), 1).unwrap();
    keep(&journal, 1, 100).unwrap();
    abort(&journal, 30).unwrap();
    assert_eq!(journal.tend(0), Tended::default());
}

#[test]
fn a_reader_that_is_open_is_not_disturbed_and_a_new_one_reads_the_copy() {
    let (journal, _) = open(&medium(), 1).unwrap();
    let id = keep(&journal, 9000, 3 * BLOCK + 5).unwrap();
    let mut reader = journal.reader(id).unwrap().unwrap();
    let mut data_set = Vec::new();
    reader.read_chunk(&mut data_set).unwrap();
    passing(&journal);
    while reader.read_chunk(&mut data_set).unwrap() > 0 {}
    assert!(data_set == bytes_of(9000, 3 * BLOCK + 5));
    drop(reader);
    assert!(passing(&journal).copied_instances > 0);
    assert_eq!(read(&journal, id).unwrap(), Some(bytes_of(9000, 3 * BLOCK + 5)));
}

#[test]
fn readers_beside_the_copier_always_find_what_is_kept() {
    let (journal, _) = open(&medium(), 1).unwrap();
    let id = keep(&journal, 9000, BLOCK + 5).unwrap();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !ended.load(Ordering::SeqCst) {
                    assert_eq!(read(&journal, id).unwrap(), Some(bytes_of(9000, BLOCK + 5)));
                    let kept = journal.entries_after(1, 0).map(Result::unwrap);
                    assert!(kept.map(|kept| kept.receive_id).any(|found| found == id));
                }
            });
        }
        let copied = mixed(&journal, &Ledger::default(), true);
        ended.store(true, Ordering::SeqCst);
        assert!(copied.unwrap().copied_instances > 0);
    });
}

#[test]
fn what_is_damaged_is_told_once_and_never_copied() {
    let medium = medium();
    let (journal, _) = open(&medium, 1).unwrap();
    let id = keep(&journal, 9000, BLOCK + 5).unwrap();
    // The data record lies first in the first segment.
    medium.flip(1, 8192 + 5000, 1);
    let mut damaged = passing(&journal).damaged;
    damaged.extend(passing(&journal).damaged);
    assert_eq!(damaged.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id]);
    assert!(matches!(read(&journal, id), Err(JournalError::Rot { .. })), "as it was, where it was");
}

#[test]
fn what_was_held_apart_copied_and_discarded_stays_discarded() {
    let medium = medium();
    let (journal, _) = open(&medium, 1).unwrap();
    let apart: Vec<ReceiveId> =
        (9000..9004).map(|number| quarantine(&journal, number, BLOCK + 7)).collect();
    let ledger = Ledger::default();
    let tended = mixed(&journal, &ledger, true).unwrap();
    assert!(tended.copied_instances > 4);
    journal.discard(&apart, "by a person").unwrap();
    drop(journal);
    // Before anything is overwritten, and after.
    for epoch in 2..5 {
        let (journal, recovery) = open(&medium, epoch).unwrap();
        assert!(recovery.instances.iter().all(|(id, _)| !apart.contains(id)));
        ledger.check(&journal, &recovery).unwrap();
        // What was forgotten is here again.
        let known = ledger.0.lock().unwrap().clone();
        let again = recovery.instances.iter().map(|(id, _)| *id);
        journal.forget(&again.filter(|id| !known.contains_key(id)).collect::<Vec<_>>());
        passing(&journal);
    }
}

#[test]
fn what_is_forgotten_while_it_is_copied_leaves_no_room_taken() {
    let (journal, _) = open(&medium(), 1).unwrap();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::SeqCst) {
                journal.tend(0);
            }
        });
        let mut kept = Vec::new();
        for number in 0..300 {
            abort(&journal, 5).ok();
            kept.extend(keep(&journal, number, 2000));
            if number % 10 == 9 {
                journal.forget(&kept);
            }
        }
        journal.forget(&kept);
        ended.store(true, Ordering::SeqCst);
    });
    let emptied = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        journal.room().live_bytes == 0
    });
    assert!(emptied, "{:?}", journal.room());
}

//! What is in segments that are long free is overwritten, slowly, and lawfully whenever the power goes.
#![allow(clippy::unwrap_used)]

mod journal_support;

use journal_support::*;
use kuva_core::journal::record::BLOCK_PAYLOAD_LENGTH;
use kuva_core::journal::*;

const BLOCK: usize = BLOCK_PAYLOAD_LENGTH;
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

/// A journal that kept something, and something beside it that a volume has since.
fn disposed(medium: &MemoryMedium, ledger: &Ledger) -> Journal {
    let (journal, _) = open(medium, 1).unwrap();
    let ids: Vec<_> = (0..6).map(|number| keep(&journal, number, 6 * BLOCK).unwrap()).collect();
    for number in 6..9 {
        let length = 1000 + number as usize * BLOCK / 6;
        ledger.enter(keep(&journal, number, length).unwrap(), number, length);
    }
    journal.forget(&ids);
    journal
}

/// Whether a piece of what was disposed of lies anywhere, but in the segment that is shared with what
/// was not.
fn lingers(medium: &MemoryMedium) -> bool {
    (0..4).any(|number| {
        let piece = &bytes_of(number, 6 * BLOCK)[3 * BLOCK..3 * BLOCK + 32];
        (1..=16).any(|segment| medium.contents(segment).windows(32).any(|found| found == piece))
    })
}

#[test]
fn what_is_free_for_a_day_is_overwritten_once_and_what_is_kept_is_not() {
    let medium = MemoryMedium::new(WriteMode::Direct, Faults::default());
    let ledger = Ledger::default();
    let journal = disposed(&medium, &ledger);
    for round in 0..20 {
        assert_eq!(journal.tend(round), Tended::default(), "not yet");
    }
    assert!(lingers(&medium));
    let rounds: Vec<u64> =
        (0..20).map(|round| journal.tend(DAY + 20 + round).overwritten_bytes).collect();
    assert!(rounds.iter().all(|bytes| *bytes <= SEGMENT), "a little at a time: {rounds:?}");
    assert!(rounds.iter().sum::<u64>() > 3 * SEGMENT, "{rounds:?}");
    assert!(!lingers(&medium));
    let again: u64 = (0..20).map(|round| journal.tend(3 * DAY + round).overwritten_bytes).sum();
    assert_eq!(again, 0, "it is clean");
    ledger.check(&journal, &Recovery::default()).unwrap();
    // It is written again like any other, and found again.
    for number in 20..40 {
        let id = keep(&journal, number, 3 * BLOCK).unwrap();
        if number % 2 == 0 { journal.forget(&[id]) } else { ledger.enter(id, number, 3 * BLOCK) }
    }
    drop(journal);
    let (journal, recovery) = open(&medium, 2).unwrap();
    ledger.check(&journal, &recovery).unwrap();
    assert!(recovery.damaged.is_empty());
}

#[test]
fn while_room_is_short_nothing_is_overwritten() {
    let medium = MemoryMedium::new(WriteMode::Direct, Faults::default());
    let journal = disposed(&medium, &Ledger::default());
    journal.tend(0);
    for number in 20.. {
        if journal.room().fill >= 0.6 {
            break;
        }
        keep(&journal, number, 3 * BLOCK).unwrap();
    }
    assert_eq!(journal.tend(2 * DAY).overwritten_bytes, 0);
}

#[test]
fn what_is_free_at_start_is_not_given_another_day() {
    let medium = MemoryMedium::new(WriteMode::Direct, Faults::default());
    let (journal, _) = open(&medium, 1).unwrap();
    let upload = journal.begin().unwrap();
    for _ in 0..20 {
        let mut block = take(&journal);
        block.fill(&[0xAB; BLOCK]);
        journal.append(&upload, block.freeze()).unwrap();
    }
    drop((upload, journal));
    let (journal, _) = open(&medium, 2).unwrap();
    assert!((0..20).map(|round| journal.tend(round).overwritten_bytes).sum::<u64>() > SEGMENT);
}

#[test]
fn wherever_the_power_goes_while_it_overwrites_nothing_else_is_lost() {
    for mode in [WriteMode::Direct, WriteMode::Buffered] {
        let (mut finished, mut overwritten) = (false, 0);
        for cut in (1..).take_while(|cut| *cut < 80) {
            if finished {
                break;
            }
            let medium = MemoryMedium::new(mode, Faults::default());
            let ledger = Ledger::default();
            let journal = disposed(&medium, &ledger);
            journal.tend(0);
            let power_cut = Some(medium.operations() + cut);
            medium.set_faults(Faults { power_cut, ..Faults::default() });
            for round in 0..12 {
                overwritten += journal.tend(DAY + round).overwritten_bytes;
                // Records beside it say how far all is durable.
                if let Ok(id) = keep(&journal, 100 + round as u64, 500) {
                    ledger.enter(id, 100 + round as u64, 500);
                }
            }
            finished = !medium.is_dead();
            drop(journal);
            let mut medium = medium.after_power_cut(cut);
            for epoch in 2..4 {
                let (journal, recovery) = open(&medium, epoch).unwrap();
                assert!(recovery.damaged.is_empty());
                ledger.check(&journal, &recovery).unwrap();
                let id = keep(&journal, u64::from(epoch) * 1000, 2 * BLOCK).unwrap();
                ledger.enter(id, u64::from(epoch) * 1000, 2 * BLOCK);
                medium.cut_power();
                drop(journal);
                medium = medium.after_power_cut(cut + u64::from(epoch));
            }
        }
        assert!(finished && overwritten > SEGMENT, "every write of it was cut once");
    }
}

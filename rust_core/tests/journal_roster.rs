//! Segments that are gone: blank, missing, or of an older day. The roster misses them.
#![allow(clippy::unwrap_used)]

mod journal_support;

use journal_support::*;
use kuva_core::instance::ReceiveId;
use kuva_core::journal::record::{
    FORMAT_VERSION, FORMAT_VERSION_WITHOUT_ROSTER, Header, RECORD_HEADER_LENGTH,
};
use kuva_core::journal::roster::{ROSTER, ROSTER_SLOT_LENGTH};
use kuva_core::journal::*;

/// Small instances that each lie in their closing record alone, over three segments and more.
const MANY: u64 = 700;
const SMALL: usize = 900;

/// A journal of small instances, closed as by a power cut.
fn small_ones() -> (MemoryMedium, Vec<ReceiveId>) {
    let medium = MemoryMedium::new(WriteMode::Direct, Faults::default());
    let (journal, _) = open(&medium, 1).unwrap();
    let ids = (0..MANY).map(|number| keep(&journal, number, SMALL).unwrap()).collect();
    medium.cut_power();
    (medium.after_power_cut(0), ids)
}

fn blank(medium: &MemoryMedium, segment: u32) {
    medium.plant(segment, 0, &vec![0; medium.contents(segment).len()]);
}

/// The headers of a segment as a writer of `version` would have written them.
fn written_by(medium: &MemoryMedium, segment: u32, version: u8) {
    for at in [0, 4096] {
        let bytes = medium.contents(segment)[at..][..4096].to_vec();
        if let Some(header) = Header::parse(&bytes) {
            let payload = &bytes[RECORD_HEADER_LENGTH..][..header.payload_length as usize];
            medium.plant(segment, at, &Header { version, ..header }.encode(payload));
        }
    }
}

/// The same journal as if no roster had been kept.
fn without_roster(medium: &MemoryMedium) -> MemoryMedium {
    let old = medium.copy();
    old.remove(ROSTER);
    for (segment, _) in old.segments().unwrap() {
        written_by(&old, segment, FORMAT_VERSION_WITHOUT_ROSTER);
    }
    old
}

#[test]
fn a_blank_or_missing_segment_of_small_instances_stops_the_node() {
    let (medium, ids) = small_ones();
    assert_eq!(open(&medium.copy(), 2).unwrap().1.instances.len(), ids.len());
    for segment in 1..=3 {
        for take in [blank, MemoryMedium::remove] as [fn(&MemoryMedium, u32); 2] {
            let hurt = medium.copy();
            take(&hurt, segment);
            let error = open(&hurt, 2).err();
            let gone = matches!(
                error,
                Some(JournalError::Gone { segment: found, holds: 0, live_records, .. })
                    if found == segment && (live_records > 100 || segment == 3)
            );
            assert!(gone, "segment {segment}: {error:?}");
            assert!(open(&hurt, 2).is_err(), "the first start changed nothing");
        }
    }
}

#[test]
fn without_the_roster_the_same_loss_goes_unnoticed() {
    // The control: nothing else protects, or the test above is blind.
    let old = without_roster(&small_ones().0);
    assert_eq!(open(&old.copy(), 2).unwrap().1.instances.len() as u64, MANY);
    blank(&old, 2);
    assert!((open(&old, 2).unwrap().1.instances.len() as u64) < MANY);
}

#[test]
fn a_segment_of_an_older_generation_stops_the_node() {
    let medium = MemoryMedium::new(WriteMode::Direct, Faults::default());
    let (journal, _) = open(&medium, 1).unwrap();
    keep(&journal, 1, SMALL).unwrap();
    while Header::parse(&medium.contents(2)).is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let older = medium.contents(2);
    // Quarantined instances come and go until the segments were used again.
    for number in 2..80 {
        let id = quarantine(&journal, number, 400_000);
        journal.discard(&[id], "churn").unwrap();
    }
    drop(journal);
    medium.plant(2, 0, &older);
    let error = open(&medium, 2).err();
    assert!(matches!(error, Some(JournalError::Gone { segment: 2, holds: 1.., .. })), "{error:?}");
}

#[test]
fn a_segment_that_never_held_anything_may_be_gone() {
    let (medium, ids) = small_ones();
    let unused: Vec<u32> = medium.segments().unwrap().into_iter().map(|(id, _)| id).collect();
    let unused = unused
        .into_iter()
        .filter(|id| *id != ROSTER && Header::parse(&medium.contents(*id)).is_none());
    for segment in unused {
        let smaller = medium.copy();
        smaller.remove(segment);
        assert_eq!(open(&smaller, 2).unwrap().1.instances.len(), ids.len());
    }
}

#[test]
fn a_roster_that_is_gone_stops_the_node_and_one_torn_slot_does_not_lose_what_was_known() {
    let (medium, _) = small_ones();
    let slots = [0, ROSTER_SLOT_LENGTH as usize];
    let hurt = medium.copy();
    slots.iter().for_each(|at| hurt.flip(ROSTER, at + 80, 1));
    let error = open(&hurt, 2).err();
    assert!(matches!(error, Some(JournalError::Rot { segment: ROSTER, .. })), "{error:?}");
    let gone = medium.copy();
    gone.remove(ROSTER);
    assert!(matches!(open(&gone, 2).err(), Some(JournalError::Rot { segment: ROSTER, .. })));
    for at in slots {
        let torn = medium.copy();
        torn.flip(ROSTER, at + 80, 1);
        blank(&torn, 1);
        assert!(open(&torn, 2).is_err(), "an early segment is on both");
    }
}

#[test]
fn a_journal_of_a_newer_release_is_refused_and_never_misread() {
    let (medium, _) = small_ones();
    for segment in [1, ROSTER] {
        let newer = medium.copy();
        written_by(&newer, segment, FORMAT_VERSION + 1);
        match open(&newer, 2).err() {
            Some(JournalError::Config(what)) => assert!(what.contains("newer release"), "{what}"),
            other => panic!("{other:?}"),
        }
    }
}

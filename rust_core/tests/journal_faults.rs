//! Failing writes and syncs, rot, forged records, lying headers, and a full journal.
#![allow(clippy::unwrap_used)]

mod journal_support;

use std::sync::Arc;
use std::time::Duration;

use journal_support::*;
use kuva_core::instance::{ReceiveId, Verdict};
use kuva_core::journal::closing;
use kuva_core::journal::record::{
    BLOCK_PAYLOAD_LENGTH, FIRST_RECORD_OFFSET, FORMAT_VERSION, Header, Kind, Place,
    RECORD_HEADER_LENGTH,
};
use kuva_core::journal::*;

const BLOCK: usize = BLOCK_PAYLOAD_LENGTH;
const FIRST: usize = FIRST_RECORD_OFFSET as usize;

fn medium(mode: WriteMode) -> MemoryMedium {
    MemoryMedium::new(mode, Faults::default())
}

/// Sends until the fault strikes; every answer before it is in the ledger.
fn until_failure(journal: &Journal, ledger: &Ledger) -> JournalError {
    for number in 1..60 {
        let length = [300, BLOCK, 2 * BLOCK + 5][number as usize % 3];
        match keep(journal, number, length) {
            Ok(id) => ledger.enter(id, number, length),
            Err(error) => return error,
        }
    }
    panic!("the fault never struck");
}

fn no_ack_after(faults: Faults, mode: WriteMode) {
    let medium = medium(mode);
    let (journal, _) = open(&medium, 1).unwrap();
    let (writes, syncs, _) = medium.counts();
    let faults = Faults {
        write_fails: faults.write_fails.map(|n| n + writes),
        write_has_no_space: faults.write_has_no_space.map(|n| n + writes),
        sync_fails: faults.sync_fails.map(|n| n + syncs),
        ..faults
    };
    medium.set_faults(faults);
    let ledger = Ledger::default();
    let error = until_failure(&journal, &ledger);
    assert!(matches!(error, JournalError::ReadOnly(_)), "{error}");
    assert!(matches!(journal.state(), JournalState::ReadOnly { .. }));
    medium.set_faults(Faults::default());
    for _ in 0..3 {
        assert!(matches!(keep(&journal, 900, 10), Err(JournalError::ReadOnly(_))), "P9");
    }
    ledger.check(&journal, &Recovery::default()).unwrap();
    drop(journal);
    let after = medium.after_power_cut(writes);
    let (journal, recovery) = open(&after, 2).unwrap();
    ledger.check(&journal, &recovery).unwrap();
    assert_eq!(journal.state(), JournalState::Writable);
}

#[test]
fn a_failed_write_is_never_answered_nor_retried_and_reads_go_on() {
    for mode in [WriteMode::Direct, WriteMode::Buffered] {
        for n in 1..14 {
            no_ack_after(Faults { write_fails: Some(n), ..Faults::default() }, mode);
        }
    }
}

#[test]
fn a_failed_sync_is_never_answered_nor_retried_and_reads_go_on() {
    for mode in [WriteMode::Direct, WriteMode::Buffered] {
        for n in 1..14 {
            no_ack_after(Faults { sync_fails: Some(n), ..Faults::default() }, mode);
        }
    }
}

#[test]
fn no_space_inside_a_prewritten_segment_is_a_failed_write() {
    for n in [1, 4, 9] {
        let faults = Faults { write_has_no_space: Some(n), ..Faults::default() };
        no_ack_after(faults, WriteMode::Direct);
    }
}

#[test]
fn no_space_for_another_segment_is_less_room_and_heals_by_itself() {
    let medium = medium(WriteMode::Direct);
    medium.set_faults(Faults { create_has_no_space: Some(3), ..Faults::default() });
    let (journal, _) = open(&medium, 1).unwrap();
    for number in 0..40 {
        // Refused for want of room is honest; anything else is not.
        let kept = (0..200).find_map(|_| match keep(&journal, number, 2 * BLOCK) {
            Err(JournalError::Full) => {
                std::thread::sleep(Duration::from_millis(20));
                None
            }
            other => Some(other),
        });
        kept.unwrap().unwrap();
    }
}

/// Sends until it is refused, heals, and sends on: the journal goes on by itself.
fn refused_by(error: i32) -> JournalError {
    let medium = medium(WriteMode::Direct);
    let (journal, _) = open(&medium, 1).unwrap();
    medium.set_faults(Faults { create_fails: Some((1, error)), ..Faults::default() });
    let refused = (0..40).find_map(|number| keep(&journal, number, 2 * BLOCK).err()).unwrap();
    assert_eq!(journal.state(), JournalState::Writable, "nothing was promised on it");
    assert_eq!(keep(&journal, 100, 2 * BLOCK), Err(refused.clone()), "told, not waited for");
    medium.set_faults(Faults::default());
    let kept = (0..200).find_map(|_| {
        std::thread::sleep(Duration::from_millis(20));
        keep(&journal, 101, 2 * BLOCK).ok()
    });
    assert_eq!(read(&journal, kept.unwrap()).unwrap(), Some(bytes_of(101, 2 * BLOCK)));
    assert_eq!(journal.admits(), Ok(()));
    refused
}

#[test]
fn what_keeps_segments_from_being_made_is_told_by_its_cause_and_heals_by_itself() {
    assert_eq!(refused_by(libc::EMFILE), JournalError::Descriptors);
    assert_eq!(refused_by(libc::ENFILE), JournalError::Descriptors);
    assert_eq!(refused_by(libc::ENOSPC), JournalError::Full);
    assert_eq!(refused_by(libc::EDQUOT), JournalError::Full);
    assert!(matches!(refused_by(libc::EROFS), JournalError::Io(_)));
}

#[test]
fn a_failed_read_is_an_error_of_that_read_alone() {
    let medium = medium(WriteMode::Direct);
    let (journal, _) = open(&medium, 1).unwrap();
    let id = keep(&journal, 1, 2 * BLOCK).unwrap();
    let (_, _, reads) = medium.counts();
    medium.set_faults(Faults { read_fails: Some(reads + 2), ..Faults::default() });
    assert!(matches!(read(&journal, id), Err(JournalError::Io(_))));
    assert_eq!(read(&journal, id).unwrap(), Some(bytes_of(1, 2 * BLOCK)));
}

/// The disk after the power went, without the header of the prepared segment and what the roster has
/// of it: depending on when the
/// background thread wrote that, it says how far all was durable, or does not.
fn without_foresight(medium: &MemoryMedium) -> MemoryMedium {
    medium.cut_power();
    let medium = medium.after_power_cut(0);
    medium.plant(2, 0, &[0; 4096]);
    forget_roster_from(&medium, 2);
    medium
}

/// A journal with six instances, closed as by a power cut that tore nothing.
fn six() -> (MemoryMedium, Vec<ReceiveId>) {
    let medium = medium(WriteMode::Direct);
    let (journal, _) = open(&medium, 1).unwrap();
    let ids = (1..=6).map(|n| keep(&journal, n, BLOCK + 3000 * n as usize).unwrap()).collect();
    (without_foresight(&medium), ids)
}

#[test]
fn rot_below_what_was_durable_stops_the_node_wherever_it_is() {
    let (medium, ids) = six();
    let (journal, recovery) = open(&medium.copy(), 2).unwrap();
    assert_eq!(recovery.instances.len(), ids.len());
    assert!(recovery.durable_through > 1 << 32);
    drop(journal);
    let durable = (recovery.durable_through & 0xffff_ffff) as usize;
    for offset in (FIRST..durable).step_by(9973) {
        let rotten = medium.copy();
        rotten.flip(1, offset, 0x10);
        let error = open(&rotten, 2).err();
        assert!(matches!(error, Some(JournalError::Rot { segment: 1, .. })), "{offset}: {error:?}");
    }
}

#[test]
fn rot_shows_when_it_is_read_and_no_byte_of_it_is_given_out() {
    let (medium, ids) = six();
    let (journal, _) = open(&medium, 2).unwrap();
    medium.flip(1, FIRST + 70, 1);
    let mut out = Vec::new();
    let error = journal.reader(ids[0]).unwrap().unwrap().read_chunk(&mut out);
    assert!(matches!(error, Err(JournalError::Rot { segment: 1, .. })));
    assert!(out.is_empty());
    assert_eq!(read(&journal, ids[1]).unwrap(), Some(bytes_of(2, BLOCK + 6000)));
}

/// Written by whom, if not by us: but memory turns bits over, too, between the digest and the CRC.
#[test]
fn what_is_whole_and_yet_not_what_was_received_ends_in_an_error_and_without_its_last_piece() {
    let medium = medium(WriteMode::Direct);
    let (journal, _) = open(&medium, 1).unwrap();
    for (number, length) in [(1, 100), (2, 2 * BLOCK), (3, 2 * BLOCK + 100)] {
        let mut data_set = bytes_of(number, length);
        let particulars = particulars(number, &data_set);
        let sound = keep(&journal, number, length).unwrap();
        assert_eq!(read(&journal, sound).unwrap(), Some(data_set.clone()));
        data_set[0] ^= 1;
        let id = send(&journal, particulars, &data_set).unwrap().recv().unwrap().unwrap();
        let (mut reader, mut out) = (journal.reader(id).unwrap().unwrap(), Vec::new());
        let error = loop {
            match reader.read_chunk(&mut out) {
                Ok(0) => panic!("{length} bytes were given out"),
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(error, JournalError::Rot { .. }), "{error}");
        assert!(out.len() < length);
    }
}

#[test]
fn what_was_torn_above_is_skipped_and_stays_known_as_torn() {
    let (medium, ids) = six();
    let (_, recovery) = open(&medium.copy(), 2).unwrap();
    // The last closing record: nothing later says that it was durable.
    let last = (recovery.durable_through & 0xffff_ffff) as usize;
    medium.flip(1, last + 100, 0xff);
    for epoch in 2..5 {
        let (journal, recovery) = open(&medium, epoch).unwrap();
        assert_eq!(recovery.instances.len() as u32, 5 + epoch - 2, "skipped, then and later");
        assert_eq!(read(&journal, ids[5]).unwrap(), None);
        keep(&journal, u64::from(epoch) + 50, 10).unwrap();
    }
}

#[test]
fn a_closing_record_without_its_block_is_an_incident_at_every_start() {
    let medium = medium(WriteMode::Direct);
    let (journal, _) = open(&medium, 1).unwrap();
    keep(&journal, 1, BLOCK).unwrap();
    let medium = without_foresight(&medium);
    // The disk lied: the closing record came through, the block below never did. To show it as such
    // the closing record's own word for the block's durability is rewritten to know nothing.
    let bytes = medium.contents(1);
    let at = FIRST + (128 << 10);
    let mut header = Header::parse(&bytes[at..]).unwrap();
    assert_eq!(header.kind, Kind::Closing);
    header.durable_through = header.place.lsn() - (128 << 10);
    let payload = &bytes[at + RECORD_HEADER_LENGTH..][..header.payload_length as usize];
    medium.plant(1, at, &header.encode(payload));
    medium.flip(1, FIRST + 2000, 1);
    for epoch in 2..5 {
        let (journal, recovery) = open(&medium, epoch).unwrap();
        assert_eq!(recovery.damaged.len(), 1, "epoch {epoch}");
        let said = &recovery.damaged[0].particulars;
        assert_eq!(said, &particulars(1, &bytes_of(1, BLOCK)), "whoever it was must be told");
        assert!(recovery.instances.iter().all(|(id, _)| *id != recovery.damaged[0].receive_id));
        keep(&journal, 5, 10).unwrap();
    }
}

/// Puts a closing record as a sender would forge it, inside a data set, where it will lie on a
/// boundary; then the block's own header is torn, so that recovery looks inside.
fn forge(nonce: u64, generation: u32) -> usize {
    let medium = medium(WriteMode::Direct);
    let (journal, _) = open(&medium, 1).unwrap();
    let place = Place { segment: 1, generation, offset: FIRST_RECORD_OFFSET + 4096 };
    let receive_id = ReceiveId { node: NODE, epoch: 1, position: 77 };
    let mut payload = Vec::new();
    closing::encode(receive_id, &particulars(9, b"lie"), &[], b"lie", &mut payload).unwrap();
    let header = Header {
        kind: Kind::Closing,
        version: FORMAT_VERSION,
        place,
        payload_length: payload.len() as u32,
        epoch: 1,
        durable_through: 0,
        nonce,
        upload: 5,
        index: 0,
    };
    let mut data_set = vec![0; BLOCK];
    let at = 4096 - RECORD_HEADER_LENGTH;
    data_set[at..at + RECORD_HEADER_LENGTH].copy_from_slice(&header.encode(&payload));
    data_set[at + RECORD_HEADER_LENGTH..][..payload.len()].copy_from_slice(&payload);
    let upload = journal.begin().unwrap();
    let mut block = journal.pool().take().unwrap();
    block.fill(&data_set);
    let before = medium.contents(1)[FIRST..FIRST + 4].to_vec();
    journal.append(&upload, block.freeze()).unwrap();
    while medium.contents(1)[FIRST..FIRST + 4] == before || medium.counts().0 < 2 {
        std::thread::sleep(Duration::from_millis(1));
    }
    medium.cut_power();
    drop((upload, journal));
    let medium = medium.after_power_cut(1);
    // What the next generation's header may know already is taken away with it.
    medium.plant(2, 0, &[0; 4096]);
    forget_roster_from(&medium, 2);
    medium.plant(1, FIRST, &[0; 512]);
    medium.plant(1, FIRST + 512, &data_set[512 - RECORD_HEADER_LENGTH..]);
    open(&medium, 2).unwrap().1.instances.len()
}

#[test]
fn a_record_forged_inside_a_data_set_is_never_taken_for_one() {
    let nonce = nonces(1)();
    assert_eq!(forge(nonce ^ 1, 1), 0, "a sender cannot know the nonce");
    assert_eq!(forge(nonce, 2), 0, "nor does another generation's record count");
    assert_eq!(forge(nonce, 1), 1, "the control: nothing else protects, or the test is blind");
}

#[test]
fn a_segment_that_lost_its_header_is_rot_unless_it_never_held_anything() {
    let (medium, _) = six();
    let headless = medium.copy();
    headless.plant(1, 0, &[0; 4096]);
    let error = open(&headless, 2).err();
    assert!(matches!(error, Some(JournalError::Rot { segment: 1, .. })), "{error:?}");
    // The next segment's first header, torn: the segment was never used.
    let torn = medium.copy();
    torn.plant(2, 100, &[0xaa; 412]);
    let (_, recovery) = open(&torn, 2).unwrap();
    assert_eq!(recovery.instances.len(), 6);
}

#[test]
fn a_torn_header_of_a_new_generation_loses_nothing_of_the_old() {
    let (medium, ids) = six();
    // Slot 1 is where the next generation of the segment would begin.
    medium.plant(1, 4096, &[0x5a; 700]);
    let (journal, recovery) = open(&medium, 2).unwrap();
    assert_eq!(recovery.instances.iter().map(|(id, _)| *id).collect::<Vec<_>>(), ids);
    assert_eq!(read(&journal, ids[5]).unwrap(), Some(bytes_of(6, BLOCK + 18_000)));
}

#[test]
fn another_node_or_segment_length_or_an_old_epoch_is_refused() {
    let (medium, _) = six();
    let other = JournalConfig { node: Default::default(), ..config(2) };
    let refused = Journal::open(Arc::new(medium.copy()), other, nonces(1)).err();
    assert!(matches!(refused, Some(JournalError::Config(_))));
    let shorter = JournalConfig { segment_bytes: SEGMENT / 2, ..config(2) };
    let refused = Journal::open(Arc::new(medium.copy()), shorter, nonces(1)).err();
    assert!(matches!(refused, Some(JournalError::Config(_))));
    assert_eq!(open(&medium, 1).err(), Some(JournalError::Epoch { highest: 1 }));
}

#[test]
fn a_full_journal_says_so_serves_what_was_begun_and_takes_again_after_a_discard() {
    let medium = medium(WriteMode::Direct);
    let (journal, _) = open(&medium, 1).unwrap();
    let begun = journal.begin().unwrap();
    let mut quarantined = Vec::new();
    let full = loop {
        let number = quarantined.len() as u64;
        let data_set = bytes_of(number, 3 * BLOCK);
        let mut particulars = particulars(number, &data_set);
        particulars.verdict = Verdict::Quarantined;
        match send(&journal, particulars, &data_set) {
            Ok(outcome) => quarantined.push(outcome.recv().unwrap().unwrap()),
            Err(error) => break error,
        }
    };
    assert_eq!(full, JournalError::Full);
    assert!(journal.room().fill > 0.75, "{:?}", journal.room());
    let (sender, outcome) = std::sync::mpsc::channel();
    let done: Done = Box::new(move |result| drop(sender.send(result)));
    journal.close(begun, particulars(800, &[1; 5000]), vec![1; 5000], done);
    assert!(outcome.recv().unwrap().is_ok(), "the reserve is for closing records");
    let half = quarantined.len() / 2;
    journal.discard(&quarantined[..half], "full").unwrap();
    assert!(journal.room().fill < 0.75, "{:?}", journal.room());
    keep(&journal, 900, 2 * BLOCK).unwrap();
}

#[test]
fn an_abandoned_upload_gives_its_room_back() {
    for mode in [WriteMode::Direct, WriteMode::Buffered] {
        let medium = medium(mode);
        let (journal, _) = open(&medium, 1).unwrap();
        for _ in 0..120 {
            let upload = (0..500).find_map(|_| {
                std::thread::sleep(Duration::from_millis(u64::from(journal.room().fill > 0.6)));
                journal.begin().ok()
            });
            let upload = upload.expect("no room came back");
            for _ in 0..4 {
                let mut block = take(&journal);
                block.fill(&vec![3; BLOCK]);
                journal.append(&upload, block.freeze()).unwrap();
            }
            journal.abandon(upload);
        }
        assert_eq!(journal.state(), JournalState::Writable);
    }
}

#[test]
fn a_pinned_segment_is_not_used_again_while_its_reader_lives() {
    let medium = medium(WriteMode::Direct);
    let (journal, _) = open(&medium, 1).unwrap();
    let id = quarantine(&journal, 1, 3 * BLOCK + 9);
    let mut reader = journal.reader(id).unwrap().unwrap();
    journal.discard(&[id], "gone, and still being read").unwrap();
    assert_eq!(journal.instance(id).unwrap(), None);
    for number in 2..80 {
        let id = quarantine(&journal, number, 3 * BLOCK);
        journal.discard(&[id], "churn").unwrap();
    }
    let mut data_set = Vec::new();
    while reader.read_chunk(&mut data_set).unwrap() > 0 {}
    assert!(data_set == bytes_of(1, 3 * BLOCK + 9));
}

#[test]
fn only_quarantined_instances_can_be_discarded_and_they_stay_discarded() {
    let medium = medium(WriteMode::Direct);
    let (journal, _) = open(&medium, 1).unwrap();
    let kept = keep(&journal, 1, 100).unwrap();
    let held = quarantine(&journal, 2, BLOCK + 1);
    assert_eq!(journal.discard(&[held, kept], "no"), Err(JournalError::NotDiscardable));
    assert!(journal.instance(held).unwrap().is_some(), "all or none");
    journal.discard(&[held], "a twin by mistake").unwrap();
    assert_eq!(journal.discard(&[held], "twice"), Ok(()), "gone is gone");
    drop(journal);
    let (journal, recovery) = open(&medium, 2).unwrap();
    assert_eq!(recovery.instances, vec![(kept, Verdict::Kept)]);
    assert!(journal.instance(held).unwrap().is_none());
}

#[test]
fn a_power_cut_during_a_discard_leaves_all_or_nothing_and_never_rot() {
    // Three that are overwritten at once, and so many that commits go in between.
    let few = (1..12).map(|cut| (cut, 3, BLOCK + 500));
    for (cut, many, length) in few.chain((1..80).step_by(9).map(|cut| (cut, 70, 500))) {
        for seed in 0..6 {
            let medium = medium(WriteMode::Direct);
            let (journal, _) = open(&medium, 1).unwrap();
            let held: Vec<_> = (0..many).map(|n| quarantine(&journal, 10 + n, length)).collect();
            let kept = keep(&journal, 9, 9000).unwrap();
            let power_cut = Some(medium.operations() + cut);
            medium.set_faults(Faults { power_cut, ..Faults::default() });
            let answered = journal.discard(&held, "cut").is_ok();
            drop(journal);
            let medium = medium.after_power_cut(seed);
            for epoch in 2..4 {
                let (journal, recovery) = open(&medium, epoch).unwrap();
                let left = held.iter().filter(|id| journal.instance(**id).unwrap().is_some());
                let left = left.count();
                assert!(left == 0 || (left == held.len() && !answered), "{left} of {many} left");
                assert!(recovery.damaged.is_empty());
                assert_eq!(read(&journal, kept).unwrap(), Some(bytes_of(9, 9000)));
            }
        }
    }
}

#[test]
fn entries_come_in_position_order_behind_the_one_that_is_known() {
    let medium = medium(WriteMode::Direct);
    let (journal, _) = open(&medium, 1).unwrap();
    let first: Vec<_> = (0..20).map(|n| keep(&journal, n, 700 * n as usize).unwrap()).collect();
    drop(journal);
    let (journal, _) = open(&medium, 2).unwrap();
    let second = keep(&journal, 99, 5).unwrap();
    let positions = |epoch, after| -> Vec<ReceiveId> {
        journal.entries_after(epoch, after).map(|kept| kept.unwrap().receive_id).collect()
    };
    assert_eq!(positions(1, 0), first);
    assert_eq!(positions(1, first[11].position), first[12..]);
    assert_eq!(positions(2, 0), vec![second]);
    assert_eq!(journal.epochs(), vec![1, 2]);
}

#[test]
fn entries_skip_what_is_discarded_while_they_are_read_and_pass_on_rot() {
    let medium = medium(WriteMode::Direct);
    let (journal, _) = open(&medium, 1).unwrap();
    let ids: Vec<_> = (0..300).map(|number| quarantine(&journal, number, 500)).collect();
    let mut entries = journal.entries_after(1, 0);
    assert_eq!(entries.next().unwrap().unwrap().receive_id, ids[0]);
    // Read ahead or not: what was discarded meanwhile does not come.
    journal.discard(&ids[1..200], "meanwhile").unwrap();
    let rest: Vec<_> = entries.map(|kept| kept.unwrap().receive_id).collect();
    assert_eq!(rest, ids[200..]);
    medium.flip(1, FIRST + 250 * 4096 + 100, 1);
    let outcome: Result<Vec<_>, _> = journal.entries_after(1, ids[199].position).collect();
    assert!(matches!(outcome, Err(JournalError::Rot { .. })), "{:?}", outcome.map(|o| o.len()));
}

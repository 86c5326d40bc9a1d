//! The way in, whole: PDUs in at one end, a durable journal and a C-STORE-RSP at the other.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "intake/rig.rs"]
mod rig;

use std::sync::{Arc, Barrier, Mutex};

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use kuva_core::instance::{ReceiveId, StudyKey};
use kuva_core::intake::waiting::PARKED_BYTES_MAX;
use kuva_core::journal::JournalError;
use kuva_core::limits::BLOCK_LENGTH;
use kuva_core::refusal::{CONFLICTING_CONTENT, OUT_OF_RESOURCES, PROCESSING_FAILURE, SUCCESS};
use rig::{DEFLATED, Rig, Sample, Sender};

#[test]
fn an_instance_is_answered_when_durable_and_reads_back_bit_for_bit() {
    let rig = Rig::new();
    let mut sender = rig.sender();
    for (number, length) in [(1, 10), (2, 100_000), (3, 131_008), (4, 1_000_000)] {
        let sample = Sample::new("1.2.3", number, length);
        sender.send(&sample);
        assert_eq!(sender.status(), SUCCESS);
        assert_eq!(rig.read_back(&sample), sample.data_set);
    }
    assert_eq!(rig.counter("instances_kept"), 4);
}

#[test]
fn fed_byte_by_byte_the_outcome_is_the_same() {
    let rig = Rig::new();
    let mut sender = rig.sender();
    sender.piece = 1;
    let sample = Sample::new("1.2.3", 1, 3000);
    sender.send(&sample);
    assert_eq!(sender.status(), SUCCESS);
    assert_eq!(rig.read_back(&sample), sample.data_set);
}

#[test]
fn the_same_again_is_identical_and_keeps_nothing_new() {
    let rig = Rig::new();
    let mut sender = rig.sender();
    let sample = Sample::new("1.2.3", 1, 300_000);
    sender.send(&sample);
    assert_eq!(sender.status(), SUCCESS);
    let live = rig.live_bytes();
    sender.send(&sample);
    assert_eq!(sender.status(), SUCCESS);
    assert_eq!((rig.counter("instances_kept"), rig.counter("instances_identical")), (1, 1));
    assert_eq!(rig.live_bytes(), live);
}

#[test]
fn other_content_under_the_same_uid_is_held_apart_once_and_refused_for_ever() {
    let rig = Rig::new();
    let mut sender = rig.sender();
    let sample = Sample::new("1.2.3", 1, 5000);
    let twin = sample.with_last_bit_flipped();
    sender.send(&sample);
    assert_eq!(sender.status(), SUCCESS);
    for _ in 0..2 {
        sender.send(&twin);
        assert_eq!(sender.status(), CONFLICTING_CONTENT);
    }
    assert_eq!(rig.counter("instances_quarantined"), 1);
    assert_eq!(rig.counter("instances_conflicting_again"), 1);
    assert_eq!(rig.read_back(&sample), sample.data_set, "the first stays as it is");
    sender.send(&sample);
    assert_eq!(sender.status(), SUCCESS);
}

#[test]
fn if_the_catalogue_cannot_be_asked_the_instance_is_refused_and_taken_when_it_can() {
    let rig = Rig::new();
    rig.catalogue_answers(false);
    let mut sender = rig.sender();
    let sample = Sample::new("1.2.3", 1, 200_000);
    sender.send(&sample);
    assert_eq!(sender.status(), OUT_OF_RESOURCES);
    assert_eq!(rig.live_bytes(), 0, "nothing stays behind");
    rig.catalogue_answers(true);
    sender.send(&sample);
    assert_eq!(sender.status(), SUCCESS);
}

#[test]
fn a_truncated_data_set_is_refused_and_leaves_nothing_behind() {
    let rig = Rig::new();
    let mut sender = rig.sender();
    let mut sample = Sample::new("1.2.3", 1, 300_000);
    let whole = sample.data_set.clone();
    sample.data_set.truncate(whole.len() - 2);
    sender.send(&sample);
    assert_eq!(sender.status() & 0xF000, 0xC000);
    assert_eq!(rig.live_bytes(), 0);
    sample.data_set = whole;
    sender.send(&sample);
    assert_eq!(sender.status(), SUCCESS);
}

#[test]
fn an_association_lost_in_the_middle_leaves_nothing_behind() {
    let rig = Rig::new();
    let sample = Sample::new("1.2.3", 1, 1_000_000);
    let mut sender = rig.sender();
    sender.send_part(&sample, 700_000);
    sender.vanish();
    rig.settle();
    assert_eq!((rig.live_bytes(), rig.counter("instances_abandoned")), (0, 1));
}

#[test]
fn twins_sent_at_the_same_time_on_many_associations_keep_one_instance() {
    let rig = Rig::new();
    let sample = Sample::new("1.2.3", 1, 400_000);
    let twin = sample.with_last_bit_flipped();
    let statuses: Vec<(bool, u16)> = std::thread::scope(|scope| {
        let one = |flipped: bool| {
            let (rig, sent) = (&rig, if flipped { &twin } else { &sample });
            scope.spawn(move || {
                let mut sender = rig.sender();
                sender.send(sent);
                (flipped, sender.status())
            })
        };
        let threads: Vec<_> = (0..8).map(|n| one(n % 2 == 1)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(rig.counter("instances_kept"), 1);
    assert!(rig.counter("instances_quarantined") <= 1);
    let of = |flipped| statuses.iter().filter(move |s| s.0 == flipped).map(|s| s.1);
    let (first, second): (Vec<_>, Vec<_>) = (of(false).collect(), of(true).collect());
    let all = |statuses: &[u16], status| statuses.iter().all(|s| *s == status);
    assert!(
        all(&first, SUCCESS) && all(&second, CONFLICTING_CONTENT)
            || all(&first, CONFLICTING_CONTENT) && all(&second, SUCCESS),
        "one content wins, for everyone: {statuses:?}"
    );
}

#[test]
fn everything_acknowledged_is_there_after_a_power_cut() {
    let mut rig = Rig::new();
    let samples: Vec<Sample> =
        (1..40).map(|n| Sample::new("1.2.3", n, 7_000 * n as usize)).collect();
    let mut sender = rig.sender();
    let acknowledged: Vec<&Sample> = samples
        .iter()
        .filter(|sample| {
            sender.send(sample);
            sender.status() == SUCCESS
        })
        .collect();
    assert_eq!(acknowledged.len(), samples.len());
    drop(sender);
    rig.cut_power_and_restart();
    for sample in acknowledged {
        assert_eq!(rig.read_back(sample), sample.data_set);
    }
    let mut sender = rig.sender();
    sender.send(&samples[7]);
    assert_eq!(sender.status(), SUCCESS);
    assert_eq!(rig.counter("instances_identical"), 1, "known from the journal alone");
}

#[test]
fn a_failed_write_is_no_acknowledgement_and_what_is_here_already_stays_identical() {
    let rig = Rig::new();
    let mut sender = rig.sender();
    let (first, second) = (Sample::new("1.2.3", 1, 5000), Sample::new("1.2.3", 2, 300_000));
    sender.send(&first);
    assert_eq!(sender.status(), SUCCESS);
    rig.fail_next_write();
    for _ in 0..2 {
        sender.send(&second);
        assert_eq!(sender.status(), OUT_OF_RESOURCES, "not retried into success");
    }
    sender.send(&first);
    assert_eq!(sender.status(), SUCCESS, "nothing new to keep");
    sender.send(&first.with_last_bit_flipped());
    assert_eq!(
        sender.status(),
        OUT_OF_RESOURCES,
        "a conflict that cannot be held apart comes again"
    );
    assert_eq!(rig.read_back(&first), first.data_set);
    let told = rig.refused();
    assert!(told.iter().all(|code| code.starts_with("journal-")), "{told:?}");
    assert_eq!(told.len(), 3);
}

#[test]
fn in_a_full_journal_a_new_conflict_is_to_come_again_and_a_known_one_is_told_so() {
    let rig = Rig::new();
    let mut sender = rig.sender();
    let sample = Sample::new("1.2.3", 1, 5000);
    let (known, new) = (sample.with_last_bit_flipped(), Sample::new("1.2.3", 1, 7000));
    for (sent, status) in [(&sample, SUCCESS), (&known, CONFLICTING_CONTENT)] {
        sender.send(sent);
        assert_eq!(sender.status(), status);
    }
    let mut number = 100;
    let full = loop {
        number += 1;
        sender.send(&Sample::new("1.2.9", number, 900_000));
        match sender.status() {
            SUCCESS => {}
            status => break status,
        }
    };
    assert_eq!(full, OUT_OF_RESOURCES);
    for (sent, status) in
        [(&sample, SUCCESS), (&known, CONFLICTING_CONTENT), (&new, OUT_OF_RESOURCES)]
    {
        sender.send(sent);
        assert_eq!(sender.status(), status);
    }
    assert_eq!(rig.counter("instances_quarantined"), 1, "one incident, for the one told C0D1H");
}

#[test]
fn a_panic_after_judging_fails_that_instance_and_lets_its_twins_go_on() {
    let rig = Rig::new();
    let sample = Sample::new("1.2.3", 1, 5000);
    let (mut first, mut twin) = (rig.sender(), rig.sender());
    rig.catalogue_is_silent(true);
    // It waits for the catalogue with a copy of its bytes; giving their block back panics.
    rig.panic_at_the_next_block_back(|| first.send_part(&sample, 1000));
    first.send_rest(&sample, 1000);
    assert_eq!(first.status(), PROCESSING_FAILURE);
    twin.send(&sample);
    rig.catalogue_is_silent(false);
    assert_eq!(twin.status(), SUCCESS);
    assert_eq!((rig.under_way(), rig.counter("instances_refused")), (0, 1));
    assert_eq!(rig.read_back(&sample), sample.data_set);
    first.send(&sample);
    assert_eq!(first.status(), SUCCESS, "its association goes on");
}

/// Senders of as many studies that a silent catalogue does not open, with what each sends.
fn senders_that_wait(rig: &Rig, many: u32, length: usize) -> Vec<(Sender, Sample)> {
    let mut opener = rig.sender();
    opener.send(&Sample::new("1.2.3", 1, 100));
    assert_eq!(opener.status(), SUCCESS, "one study is open");
    rig.catalogue_is_silent(true);
    let mut waiting = Vec::new();
    for number in 0..many {
        let sample = Sample::new(&format!("1.2.4.{number}"), 1, length);
        let mut sender = rig.sender();
        sender.send(&sample);
        waiting.push((sender, sample));
    }
    waiting
}

#[test]
fn while_the_catalogue_is_silent_nobody_who_waits_holds_a_block_of_the_pool() {
    let rig = Rig::new();
    let mut waiting = senders_that_wait(&rig, 100, 100_000);
    let mut other = rig.sender();
    let sample = Sample::new("1.2.3", 2, 3_000_000);
    other.send(&sample);
    assert_eq!(other.status(), SUCCESS, "its study is open: it need not wait");
    assert_eq!(rig.read_back(&sample), sample.data_set);
    assert_eq!((rig.under_way(), rig.refusals("catalogue-unreachable")), (100, 0));
    rig.catalogue_is_silent(false);
    assert!(waiting.iter_mut().all(|(sender, _)| sender.status() == SUCCESS));
    let (_, first) = &waiting[0];
    assert_eq!(rig.read_back(first), first.data_set);
}

#[test]
fn those_who_find_no_room_to_wait_are_told_to_come_again_and_the_others_wait_on() {
    let rig = Rig::new();
    let (length, many) = (130_000, 280);
    let mut waiting = senders_that_wait(&rig, many, length);
    let fits = (PARKED_BYTES_MAX / waiting[0].1.data_set.len()) as u64;
    let outcomes = || rig.under_way() as u64 + rig.refusals("catalogue-unreachable");
    for _ in 0..200 {
        if outcomes() == u64::from(many) && rig.under_way() as u64 <= fits {
            break;
        }
        rig.settle();
    }
    assert_eq!(rig.under_way() as u64, fits);
    assert_eq!(rig.refusals("catalogue-unreachable"), u64::from(many) - fits);
    let mut other = rig.sender();
    other.send(&Sample::new("1.2.3", 2, 3_000_000));
    assert_eq!(other.status(), SUCCESS);
    rig.catalogue_answers(false);
    rig.catalogue_is_silent(false);
    let statuses = waiting.iter_mut().map(|(sender, _)| sender.status());
    assert_eq!(statuses.filter(|status| *status == OUT_OF_RESOURCES).count(), many as usize);
    rig.catalogue_answers(true);
    let (sender, sample) = waiting.last_mut().unwrap();
    sender.send(sample);
    assert_eq!(sender.status(), SUCCESS, "what was refused can be sent again");
    assert_eq!(rig.under_way(), 0);
}

#[test]
fn a_deflated_instance_gives_way_after_each_block_whatever_it_inflates_to() {
    let rig = Rig::with_workers(1);
    let (mut first, mut deflated, mut other) =
        (rig.sender(), rig.sender_in(DEFLATED), rig.sender());
    first.send(&Sample::new("1.2.3", 1, 100));
    assert_eq!(first.status(), SUCCESS, "the study is open");
    let (pool, looks) = (rig.pool(), Arc::new(Mutex::new(Vec::new())));
    let (gate, seen) = (Arc::new(Barrier::new(2)), Arc::clone(&looks));
    let (waits, watched) = (Arc::clone(&gate), pool.clone());
    rig.when_the_clock_is_looked_at(move || {
        let looks = seen.lock().unwrap().len();
        seen.lock().unwrap().push(watched.available());
        if looks == 0 {
            waits.wait();
        }
    });
    // The only worker is at the first; behind it wait twelve deflated blocks, then a short instance.
    first.send(&Sample::new("1.2.3", 2, 30_000));
    deflated.send(&Sample::deflated("1.2.3", 3, 12 * BLOCK_LENGTH));
    other.send(&Sample::new("1.2.3", 4, 30_000));
    rig.settle();
    let before = pool.available();
    gate.wait();
    for sender in [&mut first, &mut other, &mut deflated] {
        assert_eq!(sender.status(), SUCCESS);
    }
    // Looks: the first, twice; the study of the deflated one; then the other concludes, when no more
    // came back than a block of each before it.
    let looks = looks.lock().unwrap();
    assert!(looks[3] <= before + 2, "{} blocks were free, then {looks:?}", before);
    assert!(pool.available() >= before + 12, "all came back in the end");
}

#[test]
fn what_is_deflated_is_never_inflated_by_the_thread_of_the_event_loop_however_short() {
    let rig = Rig::new();
    let (mut plain, mut deflated) = (rig.sender(), rig.sender_in(DEFLATED));
    let threads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&threads);
    rig.when_the_clock_is_looked_at(move || {
        seen.lock().unwrap().push(std::thread::current().id());
    });
    let us = std::thread::current().id();
    plain.send(&Sample::new("1.2.3", 1, 100));
    assert_eq!(plain.status(), SUCCESS);
    assert!(std::mem::take(&mut *threads.lock().unwrap()).contains(&us), "short and plain: here");
    deflated.send(&Sample::deflated("1.2.3", 2, 100));
    assert_eq!(deflated.status(), SUCCESS);
    let threads = threads.lock().unwrap();
    assert!(!threads.is_empty() && !threads.contains(&us));
}

#[test]
fn a_panic_while_committing_answers_everyone_who_waited() {
    let rig = Rig::new();
    let sample = Sample::new("1.2.3", 1, 5000);
    let mut first = rig.sender();
    first.send(&Sample::new("1.2.3", 2, 100));
    assert_eq!(first.status(), SUCCESS, "the study is open: nobody waits for the catalogue");
    rig.panic_at_the_next_block_back(|| first.send_part(&sample, 1000));
    first.send_rest(&sample, 1000);
    assert_eq!(first.status(), PROCESSING_FAILURE);
    assert_eq!(rig.under_way(), 0, "nobody would wait for it for ever");
    let mut twin = rig.sender();
    twin.send(&sample);
    assert_eq!(twin.status(), OUT_OF_RESOURCES, "the journal stopped");
}

#[test]
fn the_study_of_an_instance_with_a_bad_uid_is_never_asked_for() {
    let rig = Rig::new();
    let mut sender = rig.sender();
    sender.send(&Sample::new("1..3", 1, 300_000));
    assert_eq!(sender.status() & 0xF000, 0xC000);
    assert_eq!(rig.counter("studies_opened"), 0);
}

#[test]
fn closed_instances_are_given_to_the_catalogue_once_in_the_order_of_their_receive_ids() {
    let rig = Rig::new();
    let mut sender = rig.sender();
    for (study, number) in [("1.2.3", 1), ("1.2.4", 2), ("1.2.3", 3)] {
        sender.send(&Sample::new(study, number, 100));
        assert_eq!(sender.status(), SUCCESS);
    }
    let flush = rig.flush().unwrap();
    let studies: Vec<_> =
        flush.batches.iter().map(|b| (&*b.key.study, b.instances.len())).collect();
    assert_eq!((flush.through, studies), (3, vec![("1.2.3", 2), ("1.2.4", 1)]));
    assert_eq!(rig.flush().unwrap().through, 3, "again, until it landed");
    rig.landed(3);
    assert!(rig.flush().is_none());
}

#[test]
fn what_is_in_a_verified_volume_leaves_the_journal_and_is_identical_all_the_same() {
    let rig = Rig::new();
    let mut sender = rig.sender();
    let sample = Sample::new("1.2.3", 1, 300_000);
    sender.send(&sample);
    assert_eq!(sender.status(), SUCCESS);
    let (study, id) = rig.newest();
    let not_landed = rig.forget(&study, &[id]);
    assert!(matches!(not_landed, Err(JournalError::NotForgettable(_))));
    assert_eq!(rig.flush().unwrap().through, id.position);
    assert!(rig.forget(&study, &[id]).is_err(), "given out, and not confirmed");
    rig.landed(id.position);
    let to_come = ReceiveId { position: id.position + 1, ..id };
    assert!(rig.forget(&study, &[id, to_come]).is_err(), "one that nobody has heard of yet");
    let other = StudyKey { study: "1.2.4".into(), ..study.clone() };
    assert!(rig.forget(&other, &[id]).is_err(), "of another study");
    assert_eq!(rig.read_back(&sample), sample.data_set, "nothing was forgotten so far");
    for _ in 0..2 {
        rig.forget(&study, &[id]).unwrap();
        assert_eq!(rig.live_bytes(), 0);
    }
    sender.send(&sample);
    assert_eq!(sender.status(), SUCCESS);
    assert_eq!((rig.counter("instances_identical"), rig.live_bytes()), (1, 0));
}

#[test]
fn while_the_journal_fills_reading_is_held_back_and_nobody_is_left_waiting() {
    let rig = Rig::new();
    let (ended, slowest) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // A virtual clock: a tenth of a second a look.
            for look in 0.. {
                rig.look(look * 100_000);
                slowest.fetch_max((rig.fill() * 100.0) as u64, SeqCst);
                if ended.load(SeqCst) {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let mut sender = rig.sender();
        let mut forgotten = 0;
        for number in 0..60 {
            sender.send(&Sample::new("1.2.3", number, 900_000));
            assert_eq!(sender.status(), SUCCESS);
            if number % 4 == 3 && rig.fill() > 0.7 {
                // Volumes drain it.
                let (study, newest) = rig.newest();
                rig.flush().unwrap();
                rig.landed(newest.position);
                let ids = (1..=newest.position).map(|position| ReceiveId { position, ..newest });
                rig.forget(&study, &ids.collect::<Vec<_>>()).unwrap();
                forgotten += 1;
            }
        }
        ended.store(true, SeqCst);
        assert!(forgotten > 2);
    });
    assert!(rig.counter("associations_slowed") > 0);
    assert!((61..90).contains(&slowest.load(SeqCst)), "{slowest:?} per cent");
}

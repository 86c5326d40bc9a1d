//! The single rules of the duplicates table that the model of `dedup_model.rs` leaves out.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use kuva_core::dedup::{
    DuplicatesLimits, DuplicatesTable, Forgotten, Judgement, Known, KnownContent, Opening, Origin,
    Settled,
};
use kuva_core::instance::{
    Content, Identity, NodeId, Particulars, ReceiveId, Sender, StudyKey, Uid, VaultId, Verdict,
};

const NODE: NodeId = NodeId([1; 16]);

fn table() -> DuplicatesTable {
    DuplicatesTable::new(NODE, DuplicatesLimits::default())
}

fn key(study: &str) -> StudyKey {
    StudyKey { vault: VaultId([7; 16]), study: Arc::from(study) }
}

fn sop() -> Uid {
    Arc::from("1.2.3.4")
}

fn content(digest: u8, transfer_syntax: &str) -> Content {
    let (transfer_syntax, sop_class) = (Arc::from(transfer_syntax), Arc::from("1.2.840"));
    Content { digest: [digest; 32], transfer_syntax, sop_class }
}

fn receive(position: u64) -> ReceiveId {
    ReceiveId { node: NODE, epoch: 1, position }
}

fn known(content: &Content, origin: Origin, disputed: bool) -> Known {
    let content = KnownContent::from(content);
    Known { sop_instance: sop(), content, origin, disputed, preferred: false }
}

fn chosen(content: &Content, origin: Origin) -> Known {
    Known { preferred: true, ..known(content, origin, false) }
}

fn open(table: &mut DuplicatesTable, study: &str, known: Vec<Known>) {
    assert_eq!(table.touch(&key(study), 0), Opening::AskCatalogue);
    assert_eq!(table.opened(&key(study), known), Vec::new());
}

fn judge(table: &mut DuplicatesTable, study: &str, content: &Content) -> Judgement {
    let ticket = table.ticket();
    table.judge(ticket, &key(study), &sop(), content, 0)
}

fn keep(table: &mut DuplicatesTable, study: &str, content: &Content, position: u64) {
    let ticket = table.ticket();
    let judged = table.judge(ticket, &key(study), &sop(), content, 0);
    assert_eq!(judged, Judgement::New);
    table.settled(ticket, Settled::Kept(receive(position)));
}

fn found(content: &Content, verdict: Verdict) -> Particulars {
    let StudyKey { vault, study } = key("1");
    Particulars {
        vault,
        identity: Identity { study, series: Arc::from("1.9"), sop_instance: sop() },
        content: content.clone(),
        length: 1,
        received_at: 0,
        sender: Sender::default(),
        flags: 0,
        verdict,
        conflicts_with: None,
        captured: Vec::new(),
    }
}

#[test]
fn the_same_bytes_in_another_transfer_syntax_or_class_are_another_content() {
    let mut table = table();
    open(&mut table, "1", vec![known(&content(1, "1.2"), Origin::VerifiedVolume, false)]);
    let conflicting = Judgement::Conflicting { with: None, already_quarantined: None };
    assert_eq!(judge(&mut table, "1", &content(1, "1.21")), conflicting);
    let other_class = Content { sop_class: Arc::from("1.2.841"), ..content(1, "1.2") };
    assert_eq!(judge(&mut table, "1", &other_class), conflicting);
}

#[test]
fn the_same_uid_in_another_study_or_vault_is_not_seen() {
    let mut table = table();
    open(&mut table, "1", vec![known(&content(1, "1.2"), Origin::VerifiedVolume, false)]);
    open(&mut table, "2", Vec::new());
    assert_eq!(judge(&mut table, "2", &content(2, "1.2")), Judgement::New);
    let elsewhere = StudyKey { vault: VaultId([8; 16]), ..key("1") };
    assert_eq!(table.touch(&elsewhere, 0), Opening::AskCatalogue);
}

#[test]
fn an_equivalent_is_identical_only_while_a_durable_copy_stands_behind_it() {
    let (kept, other) = (content(1, "1.2"), content(2, "1.2.1"));
    let mut table = table();
    open(&mut table, "1", Vec::new());
    keep(&mut table, "1", &kept, 1);
    assert!(matches!(judge(&mut table, "1", &other), Judgement::Conflicting { .. }));
    table.accept_equivalent(&key("1"), &sop(), &other);
    assert_eq!(judge(&mut table, "1", &other), Judgement::Identical { of: Origin::Equivalent });
    open(
        &mut table,
        "2",
        vec![
            known(&kept, Origin::OtherJournal(NodeId([2; 16])), false),
            known(&other, Origin::Equivalent, false),
        ],
    );
    assert!(matches!(judge(&mut table, "2", &other), Judgement::Conflicting { .. }));
}

#[test]
fn a_disputed_uid_takes_nothing_new_and_still_answers_for_what_is_durable() {
    let mut table = table();
    open(&mut table, "1", Vec::new());
    keep(&mut table, "1", &content(1, "1.2"), 1);
    table.dispute(&key("1"), &sop());
    let identical = Judgement::Identical { of: Origin::ThisJournal(receive(1)) };
    assert_eq!(judge(&mut table, "1", &content(1, "1.2")), identical);
    let Judgement::Refused(refusal) = judge(&mut table, "1", &content(2, "1.2")) else {
        panic!("disputed")
    };
    assert_eq!(refusal.status(), 0xC0D1);
    open(&mut table, "2", vec![known(&content(1, "1.2"), Origin::VerifiedVolume, true)]);
    assert!(matches!(judge(&mut table, "2", &content(2, "1.2")), Judgement::Refused(_)));
}

#[test]
fn of_a_uid_that_was_disputed_the_chosen_content_is_the_instance_wherever_it_lies() {
    let (ours, theirs, third) = (content(1, "1.2"), content(2, "1.2"), content(3, "1.2"));
    let elsewhere = Origin::OtherJournal(NodeId([2; 16]));
    let conflicting =
        |with, already_quarantined| Judgement::Conflicting { with, already_quarantined };
    // Theirs was chosen: ours is beside it, here already; theirs is kept here when it comes.
    let mut table = table();
    open(&mut table, "1", Vec::new());
    keep(&mut table, "1", &ours, 1);
    table.reread(&key("1"));
    open(&mut table, "1", vec![chosen(&theirs, elsewhere)]);
    assert_eq!(judge(&mut table, "1", &ours), conflicting(None, Some(receive(1))));
    assert_eq!(judge(&mut table, "1", &third), conflicting(None, None));
    keep(&mut table, "1", &theirs, 2);
    let identical = Judgement::Identical { of: Origin::ThisJournal(receive(2)) };
    assert_eq!(judge(&mut table, "1", &theirs), identical);
    assert_eq!(judge(&mut table, "1", &ours), conflicting(Some(receive(2)), Some(receive(1))));
    // Ours was chosen: it stays identical, theirs is held apart.
    let told =
        vec![chosen(&ours, Origin::ThisJournal(receive(9))), known(&theirs, elsewhere, false)];
    open(&mut table, "2", Vec::new());
    keep(&mut table, "2", &ours, 9);
    table.reread(&key("2"));
    open(&mut table, "2", told);
    let identical = Judgement::Identical { of: Origin::ThisJournal(receive(9)) };
    assert_eq!(judge(&mut table, "2", &ours), identical);
    assert_eq!(judge(&mut table, "2", &theirs), conflicting(Some(receive(9)), None));
}

#[test]
fn a_damaged_copy_is_no_reason_for_0000h_and_still_one_for_a_conflict() {
    let (ours, other) = (content(1, "1.2"), content(2, "1.2"));
    let mut table = table();
    open(&mut table, "1", Vec::new());
    keep(&mut table, "1", &ours, 1);
    table.damaged(ReceiveId { node: NodeId([2; 16]), ..receive(1) });
    let identical = |position| Judgement::Identical { of: Origin::ThisJournal(receive(position)) };
    assert_eq!(judge(&mut table, "1", &ours), identical(1), "another node's damage is not ours");
    assert_eq!(table.rescue_of(receive(1)), None);
    table.damaged(receive(1));
    let held_apart = Judgement::Conflicting { with: None, already_quarantined: None };
    assert_eq!(judge(&mut table, "1", &other), held_apart);
    keep(&mut table, "1", &ours, 2);
    assert_eq!(judge(&mut table, "1", &ours), identical(2));
    assert_eq!(table.rescue_of(receive(1)), Some(receive(2)));
    table.damaged(receive(2));
    assert_eq!(table.rescue_of(receive(1)), None);
    keep(&mut table, "1", &ours, 3);
}

#[test]
fn a_damaged_copy_is_rescued_whatever_else_is_disputed_under_its_uid() {
    let (ours, theirs) = (content(1, "1.2"), content(2, "1.2"));
    let told = known(&theirs, Origin::OtherJournal(NodeId([2; 16])), true);
    let mut table = table();
    open(&mut table, "1", Vec::new());
    keep(&mut table, "1", &ours, 1);
    table.reread(&key("1"));
    open(&mut table, "1", vec![told]);
    table.damaged(receive(1));
    assert!(matches!(judge(&mut table, "1", &theirs), Judgement::Refused(_)));
    keep(&mut table, "1", &ours, 2);
}

#[test]
fn beside_what_a_person_chose_a_damaged_copy_does_not_stand_for_one_held_apart() {
    let (ours, theirs) = (content(1, "1.2"), content(2, "1.2"));
    let mut table = table();
    open(&mut table, "1", Vec::new());
    keep(&mut table, "1", &ours, 1);
    table.damaged(receive(1));
    table.reread(&key("1"));
    open(&mut table, "1", vec![chosen(&theirs, Origin::OtherJournal(NodeId([2; 16])))]);
    let held_apart = Judgement::Conflicting { with: None, already_quarantined: None };
    assert_eq!(judge(&mut table, "1", &ours), held_apart);
}

#[test]
fn what_recovery_finds_damaged_is_known_as_what_was_acknowledged() {
    let mut table = table();
    table.recovered_damaged(receive(1), &found(&content(1, "1.2"), Verdict::Kept));
    open(&mut table, "1", Vec::new());
    let held_apart = Judgement::Conflicting { with: None, already_quarantined: None };
    assert_eq!(judge(&mut table, "1", &content(2, "1.2")), held_apart);
    keep(&mut table, "1", &content(1, "1.2"), 2);
}

#[test]
fn a_record_the_catalogue_places_in_this_journal_counts_as_absent_if_the_journal_lacks_it() {
    let mut table = table();
    open(&mut table, "1", vec![known(&content(1, "1.2"), Origin::ThisJournal(receive(1)), false)]);
    assert_eq!(judge(&mut table, "1", &content(1, "1.2")), Judgement::New);
}

#[test]
fn what_is_discarded_is_known_no_more() {
    let mut table = table();
    open(&mut table, "1", Vec::new());
    keep(&mut table, "1", &content(1, "1.2"), 1);
    table.forget(receive(1), Forgotten::Discarded);
    assert_eq!(judge(&mut table, "1", &content(2, "1.2")), Judgement::New);
}

#[test]
fn what_went_into_a_verified_volume_stays_known_whatever_the_study_was_doing() {
    let one = content(1, "1.2");
    let verified = || known(&one, Origin::VerifiedVolume, false);
    // Open.
    let mut table = table();
    open(&mut table, "1", Vec::new());
    keep(&mut table, "1", &one, 1);
    table.forget(receive(1), Forgotten::Verified);
    table.forget(receive(1), Forgotten::Verified);
    let identical = Judgement::Identical { of: Origin::VerifiedVolume };
    assert_eq!(judge(&mut table, "1", &one), identical);
    assert!(!table.holds(receive(1)));
    // Asked about before the volume was verified, and answered after.
    let mut table = self::table();
    table.recovered(receive(1), &found(&one, Verdict::Kept));
    table.touch(&key("1"), 0);
    table.forget(receive(1), Forgotten::Verified);
    table.opened(&key("1"), vec![known(&one, Origin::ThisJournal(receive(1)), false)]);
    assert_eq!(judge(&mut table, "1", &one), identical);
    // Closed: the catalogue tells it.
    let mut table = self::table();
    table.recovered(receive(1), &found(&one, Verdict::Kept));
    table.forget(receive(1), Forgotten::Verified);
    assert_eq!((table.studies(), table.entries()), (0, 0));
    open(&mut table, "1", vec![verified()]);
    assert_eq!(judge(&mut table, "1", &one), identical);
}

#[test]
fn what_was_damaged_after_its_volume_was_made_is_verified_there() {
    let (mut table, one) = (table(), content(1, "1.2"));
    open(&mut table, "1", Vec::new());
    keep(&mut table, "1", &one, 1);
    table.damaged(receive(1));
    table.forget(receive(1), Forgotten::Verified);
    let identical = Judgement::Identical { of: Origin::VerifiedVolume };
    assert_eq!(judge(&mut table, "1", &one), identical);
}

#[test]
fn what_was_held_apart_and_is_in_a_volume_answers_with_no_place_that_is_gone() {
    let (mut table, other) = (table(), content(2, "1.2"));
    open(&mut table, "1", Vec::new());
    keep(&mut table, "1", &content(1, "1.2"), 1);
    table.recovered(receive(2), &found(&other, Verdict::Quarantined));
    table.forget(receive(2), Forgotten::Verified);
    let again = Judgement::Conflicting { with: Some(receive(1)), already_quarantined: None };
    assert_eq!(judge(&mut table, "1", &other), again);
}

#[test]
fn recovery_names_the_kept_instance_that_another_contradicts() {
    let mut table = table();
    assert_eq!(table.recovered(receive(1), &found(&content(1, "1.2"), Verdict::Kept)), None);
    assert_eq!(table.recovered(receive(2), &found(&content(2, "1.2"), Verdict::Quarantined)), None);
    let third = table.recovered(receive(3), &found(&content(3, "1.2"), Verdict::Kept));
    assert_eq!(third, Some(receive(1)));
}

#[test]
fn beyond_the_limit_the_longest_quiet_study_is_closed_first() {
    let limits = DuplicatesLimits { told_entries_max: 1, ..DuplicatesLimits::default() };
    let mut table = DuplicatesTable::new(NODE, limits);
    for (study, now) in [("1", 10), ("2", 5)] {
        table.touch(&key(study), now);
        let told = known(&content(1, "1.2"), Origin::VerifiedVolume, false);
        table.opened(&key(study), vec![told]);
    }
    assert_eq!(table.evict(11, |_| true), 1);
    assert_eq!(table.touch(&key("1"), 11), Opening::Open);
    assert_eq!(table.touch(&key("2"), 11), Opening::AskCatalogue);
}

#[test]
fn beyond_the_limit_of_idle_studies_the_longest_quiet_is_closed_first() {
    let limits = DuplicatesLimits { idle_studies_max: 1, ..DuplicatesLimits::default() };
    let mut table = DuplicatesTable::new(NODE, limits);
    for (study, now) in [("1", 10), ("2", 5), ("3", 7)] {
        table.touch(&key(study), now);
        table.opened(&key(study), Vec::new());
    }
    assert_eq!(table.evict(11, |_| true), 2);
    assert_eq!(table.touch(&key("1"), 11), Opening::Open);
}

#[test]
fn a_study_stays_open_until_its_records_are_catalogued() {
    let mut table = table();
    open(&mut table, "1", Vec::new());
    keep(&mut table, "1", &content(1, "1.2"), 1);
    let later = 3_600_000_000;
    assert_eq!(table.evict(later, |receive| receive.position < 1), 0);
    assert_eq!(table.evict(later, |receive| receive.position <= 1), 1);
    assert_eq!(table.entries(), 1, "what lies in the journal stays");
}

#[test]
fn a_ticket_judged_twice_waits_and_settles_once() {
    let mut table = table();
    open(&mut table, "1", Vec::new());
    let ticket = table.ticket();
    let one = content(1, "1.2");
    assert_eq!(table.judge(ticket, &key("1"), &sop(), &one, 0), Judgement::New);
    let again = table.judge(ticket, &key("1"), &sop(), &one, 0);
    assert_eq!(again, Judgement::Wait { ask_catalogue: false });
    table.settled(ticket, Settled::Kept(receive(1)));
    table.settled(ticket, Settled::Kept(receive(2)));
    assert_eq!((table.under_way(), table.entries()), (0, 1));
}

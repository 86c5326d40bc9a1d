//! The duplicates table against a naive reference model, over random interleavings of senders,
//! failures, openings, evictions, damage and restarts.
//!
//! The model knows the truth (what is durable where) in plain vectors and says of every
//! instance under way whether it must wait and, if not, how it must be judged. After every step
//! the table must have answered exactly those that need not wait, in exactly that way.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use kuva_core::dedup::{
    DuplicatesLimits, DuplicatesTable, Forgotten, Judgement, Known, KnownContent, Opening, Origin,
    Settled, Ticket,
};
use kuva_core::instance::{
    Content, Identity, NodeId, Particulars, ReceiveId, Sender, StudyKey, Uid, VaultId, Verdict,
};
use proptest::prelude::*;

const NODE: NodeId = NodeId([1; 16]);
const OTHER: NodeId = NodeId([2; 16]);
const MINUTE: i64 = 60_000_000;
const SENDERS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    Send { sop: u8, content: u8 },
    Touch,
    Settle { which: usize, durable: bool },
    Abandon { which: usize },
    CatalogueAnswers,
    CatalogueFails,
    ElsewhereKeeps { sop: u8, content: u8, verified: bool },
    VolumeVerified { which: usize },
    Damage { which: usize },
    Reread,
    Evict { catalogued: bool },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let (sop, content) = (0..3_u8, 0..2_u8);
    prop_oneof![
        8 => (sop.clone(), content.clone()).prop_map(|(sop, content)| Step::Send { sop, content }),
        1 => Just(Step::Touch),
        6 => (0..SENDERS, prop::bool::weighted(0.7))
            .prop_map(|(which, durable)| Step::Settle { which, durable }),
        1 => (0..SENDERS).prop_map(|which| Step::Abandon { which }),
        4 => Just(Step::CatalogueAnswers),
        1 => Just(Step::CatalogueFails),
        1 => (sop, content, any::<bool>()).prop_map(|(sop, content, verified)|
            Step::ElsewhereKeeps { sop, content, verified }),
        1 => any::<usize>().prop_map(|which| Step::VolumeVerified { which }),
        2 => any::<usize>().prop_map(|which| Step::Damage { which }),
        1 => Just(Step::Reread),
        1 => any::<bool>().prop_map(|catalogued| Step::Evict { catalogued }),
        1 => Just(Step::Restart),
    ]
}

fn key() -> StudyKey {
    StudyKey { vault: VaultId([7; 16]), study: Arc::from("1.2.3") }
}

fn sop_uid(sop: u8) -> Uid {
    Arc::from(format!("1.2.3.{sop}"))
}

fn content_of(content: u8) -> Content {
    Content { digest: [content; 32], transfer_syntax: Arc::from("1.2"), sop_class: Arc::from("1") }
}

fn particulars(record: &Record) -> Particulars {
    let StudyKey { vault, study } = key();
    let sop_instance = sop_uid(record.sop);
    Particulars {
        vault,
        identity: Identity { study, series: Arc::from("1.2.3.9"), sop_instance },
        content: content_of(record.content),
        length: 1,
        received_at: 0,
        sender: Sender::default(),
        flags: 0,
        verdict: record.verdict,
        conflicts_with: None,
        captured: Vec::new(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Doing {
    Waiting,
    Keeping,
    Quarantining,
}

#[derive(Clone, Debug)]
struct UnderWay {
    ticket: Ticket,
    sop: u8,
    content: u8,
    doing: Doing,
}

#[derive(Clone, Debug)]
struct Record {
    receive: ReceiveId,
    sop: u8,
    content: u8,
    verdict: Verdict,
    damaged: bool,
}

/// What the model expects of an instance, without places.
#[derive(Debug, PartialEq)]
enum Expected {
    Wait,
    New,
    Identical,
    Conflicting { again: bool },
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Closed,
    Opening,
    Open,
    OpenStale,
}

struct Model {
    table: DuplicatesTable,
    now: i64,
    epoch: u32,
    position: u64,
    journal: Vec<Record>,
    /// What the catalogue knows of other places: sop, content, whether in a verified volume.
    elsewhere: Vec<(u8, u8, bool)>,
    /// What of it this node was told.
    told: Vec<(u8, u8, bool)>,
    phase: Phase,
    stale: bool,
    under_way: Vec<UnderWay>,
}

impl Model {
    fn new() -> Self {
        Self {
            table: DuplicatesTable::new(NODE, DuplicatesLimits::default()),
            now: 0,
            epoch: 1,
            position: 0,
            journal: Vec::new(),
            elsewhere: Vec::new(),
            told: Vec::new(),
            phase: Phase::Closed,
            stale: false,
            under_way: Vec::new(),
        }
    }

    fn kept(&self, sop: u8) -> impl Iterator<Item = &Record> {
        self.journal.iter().filter(move |r| r.sop == sop && r.verdict == Verdict::Kept)
    }

    fn sound(&self, sop: u8) -> impl Iterator<Item = &Record> {
        self.kept(sop).filter(|r| !r.damaged)
    }

    fn expected(&self, sop: u8, content: u8) -> Expected {
        let open = matches!(self.phase, Phase::Open | Phase::OpenStale);
        let same_uid = || self.under_way.iter().filter(|u| u.sop == sop);
        if !open || same_uid().any(|u| u.doing == Doing::Keeping) {
            return Expected::Wait;
        }
        let told = || self.told.iter().filter(|t| t.0 == sop);
        if self.sound(sop).any(|r| r.content == content) || told().any(|t| t.1 == content && t.2) {
            return Expected::Identical;
        }
        if self.kept(sop).any(|r| r.content == content) {
            return Expected::New; // the rescue
        }
        if !self.kept(sop).any(|r| r.content != content) && !told().any(|t| t.1 != content) {
            return Expected::New;
        }
        let held = |r: &Record| r.sop == sop && r.content == content && !r.damaged;
        let again = self.journal.iter().any(|r| held(r) && r.verdict == Verdict::Quarantined);
        if !again && same_uid().any(|u| u.content == content && u.doing == Doing::Quarantining) {
            return Expected::Wait;
        }
        Expected::Conflicting { again }
    }

    /// The naive answer to "who need not wait now", applied one by one in order of arrival.
    fn settle_expectations(&mut self, mut answers: Vec<(Ticket, Judgement)>) {
        let waiting = |m: &Self| -> Vec<UnderWay> {
            m.under_way.iter().filter(|u| u.doing == Doing::Waiting).cloned().collect()
        };
        for one in waiting(self) {
            let expected = self.expected(one.sop, one.content);
            if expected == Expected::Wait {
                continue;
            }
            let at = answers.iter().position(|a| a.0 == one.ticket).expect("answer is due");
            let (_, judgement) = answers.remove(at);
            self.under_way.retain(|u| u.ticket != one.ticket);
            self.check(one, expected, judgement);
        }
        assert!(answers.is_empty(), "answered too early: {answers:?}");
    }

    fn check(&mut self, one: UnderWay, expected: Expected, judgement: Judgement) {
        let doing = match (&expected, &judgement) {
            (Expected::New, Judgement::New) => Some(Doing::Keeping),
            (Expected::Wait, Judgement::Wait { .. }) => Some(Doing::Waiting),
            (Expected::Identical, Judgement::Identical { of }) => {
                self.check_durable(one.sop, one.content, *of);
                None
            }
            (
                Expected::Conflicting { again },
                Judgement::Conflicting { with, already_quarantined },
            ) => {
                assert_eq!(*again, already_quarantined.is_some());
                let kept: Vec<_> = self.sound(one.sop).map(|r| r.receive).collect();
                assert_eq!(*with, kept.first().copied(), "names the kept twin");
                (!again).then_some(Doing::Quarantining)
            }
            _ => panic!("expected {expected:?}, got {judgement:?}"),
        };
        if let Some(doing) = doing {
            self.under_way.push(UnderWay { doing, ..one });
        }
    }

    fn check_durable(&self, sop: u8, content: u8, of: Origin) {
        let durable = match of {
            Origin::ThisJournal(id) => {
                self.sound(sop).any(|r| r.receive == id && r.content == content)
            }
            Origin::VerifiedVolume => self.elsewhere.contains(&(sop, content, true)),
            Origin::OtherJournal(_) | Origin::Equivalent => false,
        };
        assert!(durable, "0000H must rest on a durable copy, not {of:?}");
    }

    fn asks(&mut self) -> bool {
        let asks = matches!(self.phase, Phase::Closed | Phase::OpenStale);
        if asks {
            (self.phase, self.stale) = (Phase::Opening, false);
            self.told.clear();
        }
        asks
    }

    fn send(&mut self, sop: u8, content: u8) {
        if self.under_way.len() == SENDERS {
            return;
        }
        let ticket = self.table.ticket();
        let asks = self.asks();
        let expected = self.expected(sop, content);
        let (key, now) = (key(), self.now);
        let got = self.table.judge(ticket, &key, &sop_uid(sop), &content_of(content), now);
        if let Judgement::Wait { ask_catalogue } = got {
            assert_eq!(ask_catalogue, asks, "the first to need the study asks");
        }
        self.check(UnderWay { ticket, sop, content, doing: Doing::Waiting }, expected, got);
    }

    fn settle(&mut self, which: usize, durable: bool) {
        let busy: Vec<_> = self.under_way.iter().filter(|u| u.doing != Doing::Waiting).collect();
        let Some(one) = busy.get(which % busy.len().max(1)).map(|u| (*u).clone()) else { return };
        self.under_way.retain(|u| u.ticket != one.ticket);
        let verdict = match one.doing {
            Doing::Keeping => Verdict::Kept,
            Doing::Quarantining => Verdict::Quarantined,
            Doing::Waiting => unreachable!(),
        };
        self.position += 1;
        let receive = ReceiveId { node: NODE, epoch: self.epoch, position: self.position };
        let outcome = match (durable, verdict) {
            (false, _) => Settled::Failed,
            (true, Verdict::Kept) => Settled::Kept(receive),
            (true, Verdict::Quarantined) => Settled::Quarantined(receive),
        };
        if durable {
            let (sop, content) = (one.sop, one.content);
            self.journal.push(Record { receive, sop, content, verdict, damaged: false });
        }
        let answers = self.table.settled(one.ticket, outcome);
        self.settle_expectations(answers);
    }

    fn abandon(&mut self, which: usize) {
        let Some(one) = self.under_way.get(which).cloned() else { return };
        self.under_way.remove(which);
        let answers = self.table.abandon(one.ticket);
        self.settle_expectations(answers);
    }

    fn catalogue_answers(&mut self) {
        if self.phase != Phase::Opening {
            return;
        }
        let known = |&(sop, content, verified): &(u8, u8, bool)| Known {
            sop_instance: sop_uid(sop),
            content: KnownContent::from(&content_of(content)),
            origin: if verified { Origin::VerifiedVolume } else { Origin::OtherJournal(OTHER) },
            disputed: false,
            preferred: false,
        };
        let answer = self.elsewhere.iter().map(known).collect();
        self.told.extend(self.elsewhere.iter().copied());
        self.phase = if self.stale { Phase::OpenStale } else { Phase::Open };
        let damaged = self.journal.iter().filter(|r| r.damaged).map(|r| r.receive);
        damaged.for_each(|receive| self.table.damaged(receive));
        let answers = self.table.opened(&key(), answer);
        self.settle_expectations(answers);
    }

    fn catalogue_fails(&mut self) {
        if self.phase != Phase::Opening {
            return;
        }
        let refused = self.table.failed(&key());
        self.phase = Phase::Closed;
        let waiting = self.under_way.iter().filter(|u| u.doing == Doing::Waiting).count();
        assert_eq!(refused.len(), waiting);
        for (ticket, judgement) in refused {
            assert!(matches!(judgement, Judgement::Refused(r) if r.status() == 0xA700));
            self.under_way.retain(|u| u.ticket != ticket);
        }
        self.told.clear();
    }

    /// Another node keeps something; like the catalogue, the model lets only one content of a UID
    /// be kept (what is found later is a dispute, which is not this table's to prevent).
    fn elsewhere_keeps(&mut self, sop: u8, content: u8, verified: bool) {
        let free = self.phase == Phase::Closed
            && !self.under_way.iter().any(|u| u.sop == sop)
            && !self.kept(sop).any(|r| r.content != content)
            && !self.elsewhere.iter().any(|e| e.0 == sop && e.1 != content);
        if free {
            self.elsewhere.push((sop, content, verified));
        }
    }

    /// A read finds that the bytes of something in the journal are not what was received.
    fn damage(&mut self, which: usize) {
        let count = self.journal.len().max(1);
        let Some(record) = self.journal.get_mut(which % count) else { return };
        record.damaged = true;
        self.table.damaged(record.receive);
        let (sop, content) = (record.sop, record.content);
        if !matches!(self.phase, Phase::Open | Phase::OpenStale) {
            return; // after a restart the table hears of earlier damage when the study opens
        }
        let sound = self.sound(sop).find(|r| r.content == content).map(|r| r.receive);
        for record in self.journal.iter().filter(|r| r.damaged && r.verdict == Verdict::Kept) {
            if (record.sop, record.content) == (sop, content) {
                assert_eq!(self.table.rescue_of(record.receive), sound);
            }
        }
    }

    fn volume_verified(&mut self, which: usize) {
        if self.journal.is_empty() {
            return;
        }
        let which = which % self.journal.len();
        if self.journal[which].damaged {
            return;
        }
        let record = self.journal.remove(which);
        self.table.forget(record.receive, Forgotten::Verified);
        if record.verdict == Verdict::Kept {
            let entry = (record.sop, record.content, true);
            self.elsewhere.push(entry);
            if self.phase != Phase::Closed {
                self.told.push(entry);
            }
        }
    }

    fn evict(&mut self, catalogued: bool) {
        self.now += 11 * MINUTE;
        let open = matches!(self.phase, Phase::Open | Phase::OpenStale);
        // What was held apart and is damaged is known no more.
        let mut known = self.journal.iter().filter(|r| r.verdict == Verdict::Kept || !r.damaged);
        let here = known.next().is_some();
        let expected = open && self.under_way.is_empty() && (catalogued || !here);
        assert_eq!(self.table.evict(self.now, |_| catalogued), usize::from(expected));
        if expected {
            self.phase = Phase::Closed;
            self.told.clear();
        }
    }

    fn restart(&mut self) {
        self.table = DuplicatesTable::new(NODE, DuplicatesLimits::default());
        self.under_way.clear();
        self.told.clear();
        self.phase = Phase::Closed;
        (self.epoch, self.position) = (self.epoch + 1, 0);
        for record in &self.journal {
            if record.damaged && record.receive.position.is_multiple_of(2) {
                self.table.recovered_damaged(record.receive, &particulars(record));
                continue;
            }
            let other = self.table.recovered(record.receive, &particulars(record));
            assert_eq!(other, None, "one kept content a UID");
        }
    }

    fn take(&mut self, step: Step) {
        self.now += 1;
        match step {
            Step::Send { sop, content } => self.send(sop, content),
            Step::Touch => {
                let opening = self.table.touch(&key(), self.now);
                let asks = self.asks();
                assert_eq!(opening == Opening::AskCatalogue, asks);
            }
            Step::Settle { which, durable } => self.settle(which, durable),
            Step::Abandon { which } => self.abandon(which),
            Step::CatalogueAnswers => self.catalogue_answers(),
            Step::CatalogueFails => self.catalogue_fails(),
            Step::ElsewhereKeeps { sop, content, verified } => {
                self.elsewhere_keeps(sop, content, verified);
            }
            Step::VolumeVerified { which } => self.volume_verified(which),
            Step::Damage { which } => self.damage(which),
            Step::Reread => {
                self.table.reread(&key());
                match self.phase {
                    Phase::Closed => {}
                    Phase::Opening => self.stale = true,
                    Phase::Open | Phase::OpenStale => self.phase = Phase::OpenStale,
                }
            }
            Step::Evict { catalogued } => self.evict(catalogued),
            Step::Restart => self.restart(),
        }
        self.one_content_a_uid();
        assert_eq!(self.table.under_way(), self.under_way.len());
    }

    fn one_content_a_uid(&self) {
        for sop in 0..3 {
            let here = self.kept(sop).map(|r| r.content);
            let there = self.elsewhere.iter().filter(|e| e.0 == sop).map(|e| e.1);
            let mut contents: Vec<u8> = here.chain(there).collect();
            contents.dedup();
            contents.sort_unstable();
            contents.dedup();
            assert!(contents.len() <= 1, "two contents kept of one UID");
            let quarantined =
                |r: &&Record| r.sop == sop && r.verdict == Verdict::Quarantined && !r.damaged;
            let mut held: Vec<u8> =
                self.journal.iter().filter(quarantined).map(|r| r.content).collect();
            held.sort_unstable();
            let before = held.len();
            held.dedup();
            assert_eq!(before, held.len(), "the same conflicting bytes are not kept twice");
        }
    }

    /// Once the catalogue answers and all who write are settled, nobody is left waiting.
    fn finish(&mut self) {
        self.catalogue_answers();
        for _ in 0..=SENDERS {
            self.settle(0, true);
        }
        assert_eq!(self.table.under_way(), 0, "a ticket waits for ever");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn one_content_is_kept_identical_is_durable_and_nobody_waits_for_ever(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let mut model = Model::new();
        for step in steps {
            model.take(step);
        }
        model.finish();
    }
}

//! The table of all studies that this node holds anything of, or is asking about.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use super::known::{Fact, Place, Print, Standing, print_of_content, print_of_uid};
use super::study::{Judgement, Phase, Study, Ticket};
use super::{Known, KnownContent};
use crate::instance::{
    Content, Microseconds, NodeId, Particulars, ReceiveId, StudyKey, Uid, Verdict,
};

/// What the table holds back, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DuplicatesLimits {
    /// How long a study stays open after its last instance, microseconds.
    pub quiet: Microseconds,
    /// Entries told by the catalogue beyond which `evict` closes studies before they are quiet.
    pub told_entries_max: usize,
    /// Idle open studies beyond which `evict` closes the longest quiet: senders choose the UIDs.
    pub idle_studies_max: usize,
}

impl Default for DuplicatesLimits {
    /// Ten minutes, and 500 000 entries (about 50 MB).
    fn default() -> Self {
        Self { quiet: 10 * 60 * 1_000_000, told_entries_max: 500_000, idle_studies_max: 20_000 }
    }
}

/// Whether a study is open on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// What the catalogue knows has been told.
    Open,
    /// The caller MUST ask the catalogue, and then call `opened` or `failed`.
    AskCatalogue,
    /// Somebody else is asking.
    Waiting,
}

/// How the keeping or quarantining of an instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Its closing record is durable: kept.
    Kept(ReceiveId),
    /// Its closing record is durable: quarantined.
    Quarantined(ReceiveId),
    /// Nothing of it is durable.
    Failed,
}

/// Why the journal forgot a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgotten {
    /// Its volume is verified and undamaged.
    Verified,
    /// It is gone: discarded, or taken elsewhere than into a verified volume of this study.
    Discarded,
}

/// The duplicates table of one node; see the module.
///
/// Two layers: what lies in this node's journal stays until [`DuplicatesTable::forget`]; what the
/// catalogue told when a study opened is dropped by [`DuplicatesTable::evict`] and asked again.
#[derive(Debug)]
pub struct DuplicatesTable {
    node: NodeId,
    limits: DuplicatesLimits,
    studies: HashMap<Arc<StudyKey>, Study>,
    places: HashMap<Place, (Arc<StudyKey>, Print)>,
    tickets: HashMap<Ticket, (Arc<StudyKey>, Print)>,
    issued: u64,
}

impl DuplicatesTable {
    /// An empty table for the journal of `node`.
    pub fn new(node: NodeId, limits: DuplicatesLimits) -> Self {
        let (studies, places, tickets) = (HashMap::new(), HashMap::new(), HashMap::new());
        Self { node, limits, studies, places, tickets, issued: 0 }
    }

    /// A new ticket, for one instance.
    pub fn ticket(&mut self) -> Ticket {
        self.issued += 1;
        Ticket(self.issued)
    }

    /// Says that an instance of the study is arriving, so that the catalogue is asked while the
    /// rest of it is received. May be called any number of times, or not at all.
    pub fn touch(&mut self, key: &StudyKey, now: Microseconds) -> Opening {
        let (_, study) = self.study(key, now);
        study.touched = study.touched.max(now);
        match study.phase {
            Phase::Open { stale: false } => Opening::Open,
            Phase::Opening { .. } => Opening::Waiting,
            Phase::Open { stale: true } | Phase::Closed => {
                study.drop_told();
                study.phase = Phase::Opening { stale: false };
                Opening::AskCatalogue
            }
        }
    }

    /// Whether the catalogue was asked of the study and has not answered.
    pub fn is_opening(&self, key: &StudyKey) -> bool {
        self.studies.get(key).is_some_and(|study| matches!(study.phase, Phase::Opening { .. }))
    }

    /// The catalogue has answered: `known` is all that it knows of the study, at a moment after
    /// the question. Returns the judgements of those who waited.
    pub fn opened(&mut self, key: &StudyKey, known: Vec<Known>) -> Vec<(Ticket, Judgement)> {
        let node = self.node;
        let Some(study) = self.studies.get_mut(key) else { return Vec::new() };
        let Phase::Opening { stale } = study.phase else { return Vec::new() };
        known.iter().for_each(|known| study.add_known(known));
        study.phase = Phase::Open { stale };
        let released = study.release_all(node);
        self.end(released)
    }

    /// The catalogue could not be asked: all who wait are refused with A700H; the next instance
    /// asks again.
    pub fn failed(&mut self, key: &StudyKey) -> Vec<(Ticket, Judgement)> {
        let Some(study) = self.studies.get_mut(key) else { return Vec::new() };
        let Phase::Opening { .. } = study.phase else { return Vec::new() };
        let refused = study.refuse_waiting();
        study.phase = Phase::Closed;
        self.tidy(key);
        self.end(refused)
    }

    /// Judges a received, validated instance. A ticket is judged once: while it is under way, a
    /// second call answers [`Judgement::Wait`].
    pub fn judge(
        &mut self,
        ticket: Ticket,
        key: &StudyKey,
        sop_instance: &Uid,
        content: &Content,
        now: Microseconds,
    ) -> Judgement {
        if self.tickets.contains_key(&ticket) {
            return Judgement::Wait { ask_catalogue: false };
        }
        let opening = self.touch(key, now);
        let (node, uid) = (self.node, print_of_uid(sop_instance));
        let (key, study) = self.study(key, now);
        let judgement = study.claim(node, ticket, uid, print_of_content(&content.into()));
        if judgement.leaves_under_way() {
            self.tickets.insert(ticket, (key, uid));
        }
        match judgement {
            Judgement::Wait { .. } => {
                Judgement::Wait { ask_catalogue: opening == Opening::AskCatalogue }
            }
            Judgement::New
            | Judgement::Identical { .. }
            | Judgement::Conflicting { .. }
            | Judgement::Refused(_) => judgement,
        }
    }

    /// Says how the keeping or quarantining of an instance ended. Returns the judgements of the
    /// twins that waited for it: answered if it is durable, one promoted if it failed.
    ///
    /// `Kept` and `Quarantined` MUST be said only of a durable closing record.
    pub fn settled(&mut self, ticket: Ticket, outcome: Settled) -> Vec<(Ticket, Judgement)> {
        let Some((key, uid)) = self.tickets.remove(&ticket) else { return Vec::new() };
        let Some(study) = self.studies.get_mut(&key) else { return Vec::new() };
        let Some(content) = study.withdraw(uid, ticket) else { return Vec::new() };
        let standing = match outcome {
            Settled::Kept(receive) => Some(Standing::Kept(Place::of(receive))),
            Settled::Quarantined(receive) => Some(Standing::Quarantined(Place::of(receive))),
            Settled::Failed => None,
        };
        if let Some(standing) = standing {
            self.hold(&key, Fact { uid, content, standing });
        }
        self.release(&key, uid)
    }

    /// The instance will not be finished (association lost, while it waited or was written). If
    /// its closing record may have become durable, `settled` must be called instead.
    pub fn abandon(&mut self, ticket: Ticket) -> Vec<(Ticket, Judgement)> {
        self.settled(ticket, Settled::Failed)
    }

    /// A closing record found in the journal at start, in any order, before the first ticket.
    /// Returns an earlier kept instance of the same UID with other content: an incident.
    pub fn recovered(&mut self, receive: ReceiveId, found: &Particulars) -> Option<ReceiveId> {
        let key = StudyKey { vault: found.vault, study: found.identity.study.clone() };
        let uid = print_of_uid(&found.identity.sop_instance);
        let content = print_of_content(&(&found.content).into());
        let (key, study) = self.study(&key, found.received_at);
        study.touched = study.touched.max(found.received_at);
        let place = Place::of(receive);
        let (standing, other) = match found.verdict {
            Verdict::Kept => (Standing::Kept(place), study.kept_otherwise(uid, content)),
            Verdict::Quarantined => (Standing::Quarantined(place), None),
        };
        self.hold(&key, Fact { uid, content, standing });
        other.map(|place| place.receive_id(self.node))
    }

    /// As [`DuplicatesTable::recovered`], for a whole closing record whose bytes a power cut took.
    pub fn recovered_damaged(&mut self, receive: ReceiveId, found: &Particulars) {
        self.recovered(receive, found);
        self.damaged(receive);
    }

    /// The bytes of this record are no longer what was received: the same content is kept again when
    /// it comes, other content conflicts still. May be said any number of times.
    pub fn damaged(&mut self, receive: ReceiveId) {
        let place = Place::of(receive);
        let ours = self.places.get(&place).filter(|_| self.holds(receive));
        let Some((key, uid)) = ours.cloned() else { return };
        let Some(study) = self.studies.get_mut(&key) else { return };
        let was = study.damage(uid, place).map(|fact| fact.standing);
        if matches!(was, Some(Standing::Quarantined(_))) {
            self.places.remove(&place);
            self.tidy(&key);
        }
    }

    /// Whether the table knows what lies in this record of the journal.
    pub fn holds(&self, receive: ReceiveId) -> bool {
        receive.node == self.node && self.places.contains_key(&Place::of(receive))
    }

    /// Whether nothing speaks against its being of that study.
    pub fn may_be_of(&self, key: &StudyKey, receive: ReceiveId) -> bool {
        self.places.get(&Place::of(receive)).is_none_or(|(of, _)| **of == *key)
    }

    /// Another record of this journal that keeps what was kept in this one; not one known damaged.
    pub fn rescue_of(&self, receive: ReceiveId) -> Option<ReceiveId> {
        let place = Place::of(receive);
        let (key, uid) = self.places.get(&place).filter(|_| self.holds(receive))?;
        let again = self.studies.get(key)?.kept_again(*uid, place)?;
        Some(again.receive_id(self.node))
    }

    /// The journal holds this record no longer. What went into a verified volume stays known while
    /// its study is open, or being asked about, as if the catalogue had told it; when its study is
    /// closed the catalogue will tell it. What was held apart is known no more: its place is gone.
    pub fn forget(&mut self, receive: ReceiveId, because: Forgotten) {
        let place = Place::of(receive);
        let Some((key, uid)) = self.places.remove(&place) else { return };
        let Some(study) = self.studies.get_mut(&key) else { return };
        let Some(fact) = study.remove_at(uid, place) else { return };
        // What was damaged here since its volume was made is whole there.
        let kept = fact.standing.is_accepted();
        if kept && because == Forgotten::Verified && study.phase != Phase::Closed {
            study.add(Fact { standing: Standing::Verified, ..fact });
        }
        self.tidy(&key);
    }

    /// A content was found to be another encoding of the kept instance, and the catalogue knows:
    /// a resend is identical from now on.
    pub fn accept_equivalent(&mut self, key: &StudyKey, sop_instance: &Uid, content: &Content) {
        let content = print_of_content(&KnownContent::from(content));
        let uid = print_of_uid(sop_instance);
        self.tell(key, Fact { uid, content, standing: Standing::Equivalent });
    }

    /// Nodes disagree on a UID, and the catalogue knows: nothing more is taken under it until a
    /// person has resolved it (then `reread`).
    pub fn dispute(&mut self, key: &StudyKey, sop_instance: &Uid) {
        let uid = print_of_uid(sop_instance);
        self.tell(key, Fact { uid, content: [0; 16], standing: Standing::Disputed });
    }

    /// What the catalogue told of a study is true no longer (a volume damaged or disposed of, a
    /// dispute resolved): the next instance asks again.
    pub fn reread(&mut self, key: &StudyKey) {
        let Some(study) = self.studies.get_mut(key) else { return };
        match study.phase {
            Phase::Closed => {}
            Phase::Opening { .. } => study.phase = Phase::Opening { stale: true },
            Phase::Open { .. } => study.phase = Phase::Open { stale: true },
        }
    }

    /// Closes studies that no instance is under way in: those that are quiet and whose records in
    /// this journal are all `catalogued`; and beyond the limit on entries, the longest quiet first,
    /// which costs a question to the catalogue and no correctness. Returns how many were closed.
    pub fn evict(&mut self, now: Microseconds, catalogued: impl Fn(ReceiveId) -> bool) -> usize {
        let (node, quiet) = (self.node, self.limits.quiet);
        let mut told: usize = self.studies.values().map(Study::told).sum();
        let idle = |study: &Study| matches!(study.phase, Phase::Open { .. }) && !study.has_claims();
        let mut candidates: Vec<(Microseconds, Arc<StudyKey>)> = self
            .studies
            .iter()
            .filter(|(_, study)| idle(study))
            .map(|(key, study)| (study.touched, key.clone()))
            .collect();
        candidates.sort_unstable_by_key(|(touched, _)| Reverse(*touched));
        let mut closed = 0;
        let crowd = candidates.len().saturating_sub(self.limits.idle_studies_max);
        while let Some((touched, key)) = candidates.pop() {
            let Some(study) = self.studies.get_mut(&key) else { continue };
            let done = now.saturating_sub(touched) >= quiet
                && study.places().all(|place| catalogued(place.receive_id(node)));
            if done || told > self.limits.told_entries_max || closed < crowd {
                told -= study.told();
                study.close();
                closed += 1;
                self.tidy(&key);
            }
        }
        closed
    }

    /// Studies of which anything is held.
    pub fn studies(&self) -> usize {
        self.studies.len()
    }

    /// Instances under way.
    pub fn under_way(&self) -> usize {
        self.tickets.len()
    }

    /// Entries: records of this journal, and contents told by the catalogue.
    pub fn entries(&self) -> usize {
        self.places.len() + self.studies.values().map(Study::told).sum::<usize>()
    }

    /// The study of a key, made if it is not there.
    fn study(&mut self, key: &StudyKey, now: Microseconds) -> (Arc<StudyKey>, &mut Study) {
        let known = self.studies.get_key_value(key).map(|(key, _)| key.clone());
        let key = known.unwrap_or_else(|| Arc::new(key.clone()));
        let study = self.studies.entry(key.clone()).or_insert_with(|| Study::new(now));
        (key, study)
    }

    /// Adds what lies in this journal.
    fn hold(&mut self, key: &Arc<StudyKey>, fact: Fact) {
        let (Some(study), Some(place)) = (self.studies.get_mut(key), fact.standing.place()) else {
            return;
        };
        study.add(fact);
        self.places.insert(place, (key.clone(), fact.uid));
    }

    /// Adds what the catalogue knows, unless it will be asked anyway.
    fn tell(&mut self, key: &StudyKey, fact: Fact) {
        if let Some(study) = self.studies.get_mut(key)
            && study.phase != Phase::Closed
        {
            study.add(fact);
        }
    }

    fn release(&mut self, key: &StudyKey, uid: Print) -> Vec<(Ticket, Judgement)> {
        let node = self.node;
        let Some(study) = self.studies.get_mut(key) else { return Vec::new() };
        let released = study.release(node, uid);
        self.tidy(key);
        self.end(released)
    }

    /// Forgets the tickets that their judgement has ended.
    fn end(&mut self, released: Vec<(Ticket, Judgement)>) -> Vec<(Ticket, Judgement)> {
        for (ticket, judgement) in &released {
            if !judgement.leaves_under_way() {
                self.tickets.remove(ticket);
            }
        }
        released
    }

    /// Drops a study of which nothing is held any more.
    fn tidy(&mut self, key: &StudyKey) {
        if self.studies.get(key).is_some_and(Study::is_vacant) {
            self.studies.remove(key);
        }
    }
}

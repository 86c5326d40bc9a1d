//! One study on this node: what is known of its instances, and the instances being received.

use std::collections::{BTreeMap, BTreeSet};

use super::known::{Fact, Place, Print, Standing};
use super::{Known, Origin};
use crate::instance::{Microseconds, NodeId, ReceiveId};
use crate::refusal::{Refusal, storage};

/// One instance being received and judged; made by `DuplicatesTable::ticket`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

/// What is to be done with an instance.
///
/// After [`Judgement::New`], and after [`Judgement::Conflicting`] that is not yet quarantined, the
/// caller MUST call `settled` or `abandon`: others wait for it. Every other judgement but
/// [`Judgement::Wait`] ends the ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Keep it, then call `settled`.
    New,
    /// Answer 0000H; its bytes need not be kept.
    Identical {
        /// The durable copy on which the answer rests.
        of: Origin,
    },
    /// Answer C0D1H; put it into quarantine, unless the same bytes are there.
    Conflicting {
        /// The kept instance, if it lies in this node's journal.
        with: Option<ReceiveId>,
        /// The same content in quarantine, or beside what a person chose; if so, nothing is to be
        /// kept and the ticket has ended.
        already_quarantined: Option<ReceiveId>,
    },
    /// The judgement comes later, from another call: a twin is in flight, or the study not open.
    Wait {
        /// The caller must ask the catalogue for the study, then call `opened` or `failed`.
        ask_catalogue: bool,
    },
    /// Answer this failure; nothing is kept.
    Refused(Refusal),
}

impl Judgement {
    /// Whether the ticket is still under way after this judgement.
    pub(super) fn leaves_under_way(&self) -> bool {
        doing_after(self).is_some()
    }
}

/// The study was to be opened and the catalogue could not be asked: never guess.
pub(super) fn catalogue_unreachable() -> Judgement {
    Judgement::Refused(Refusal::of(&storage::CATALOGUE_UNREACHABLE))
}

fn disputed() -> Judgement {
    Judgement::Refused(Refusal::of(&storage::DISPUTED))
}

/// Whether the catalogue has told what it knows of a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Closed,
    /// Asked, not yet answered. `stale`: the catalogue changed after the question.
    Opening {
        stale: bool,
    },
    /// Answered. `stale`: the next instance asks again; those under way go by the old answer.
    Open {
        stale: bool,
    },
}

/// What an instance under way is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Waiting,
    Keeping,
    Quarantining,
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    ticket: Ticket,
    content: Print,
    doing: Doing,
}

/// The study's facts, and its claims (instances under way) by UID in order of arrival.
#[derive(Debug)]
pub(super) struct Study {
    pub(super) phase: Phase,
    pub(super) touched: Microseconds,
    facts: BTreeSet<Fact>,
    told: usize,
    claims: BTreeMap<Print, Vec<Claim>>,
}

impl Study {
    pub(super) fn new(now: Microseconds) -> Self {
        let (facts, claims) = (BTreeSet::new(), BTreeMap::new());
        Self { phase: Phase::Closed, touched: now, facts, told: 0, claims }
    }

    /// Facts that the catalogue told and can tell again.
    pub(super) fn told(&self) -> usize {
        self.told
    }

    pub(super) fn has_claims(&self) -> bool {
        !self.claims.is_empty()
    }

    /// Whether nothing at all is held of the study.
    pub(super) fn is_vacant(&self) -> bool {
        self.phase == Phase::Closed && self.facts.is_empty() && self.claims.is_empty()
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place> + '_ {
        self.facts.iter().filter_map(|fact| fact.standing.place())
    }

    pub(super) fn add(&mut self, fact: Fact) {
        if self.facts.insert(fact) && fact.standing.place().is_none() {
            self.told += 1;
        }
    }

    pub(super) fn add_known(&mut self, known: &Known) {
        let uid = super::known::print_of_uid(&known.sop_instance);
        let content = super::known::print_of_content(&known.content);
        // What lies in this journal is in the table already; saying it again as "elsewhere" is
        // harmless, because a durable copy of the same content is looked for first.
        self.add(Fact { uid, content, standing: known.origin.into() });
        if known.preferred {
            self.add(Fact { uid, content, standing: Standing::Preferred });
        }
        if known.disputed {
            self.add_dispute(uid);
        }
    }

    pub(super) fn add_dispute(&mut self, uid: Print) {
        self.add(Fact { uid, content: [0; 16], standing: Standing::Disputed });
    }

    /// Removes what lay at a place of the journal, and returns it.
    pub(super) fn remove_at(&mut self, uid: Print, place: Place) -> Option<Fact> {
        let at = |fact: &&Fact| fact.standing.place() == Some(place);
        let fact = self.facts.range(Fact::range(uid)).find(at).copied()?;
        self.facts.remove(&fact);
        Some(fact)
    }

    /// Drops what the catalogue told; the next instance asks again. Only without claims: those
    /// that wait would wait for ever.
    pub(super) fn close(&mut self) {
        self.drop_told();
        self.phase = Phase::Closed;
    }

    /// Drops what the catalogue told, to be told again.
    pub(super) fn drop_told(&mut self) {
        self.facts.retain(|fact| fact.standing.place().is_some());
        self.told = 0;
    }

    /// What was kept at a place turned out damaged. What was held apart there is known no more: it was
    /// never acknowledged, and comes again if it is to be held apart whole.
    pub(super) fn damage(&mut self, uid: Print, place: Place) -> Option<Fact> {
        let fact = self.remove_at(uid, place)?;
        if !matches!(fact.standing, Standing::Quarantined(_)) {
            self.add(Fact { standing: Standing::Damaged(place), ..fact });
        }
        Some(fact)
    }

    /// Another place in this journal where the content that was kept at this one is kept.
    pub(super) fn kept_again(&self, uid: Print, place: Place) -> Option<Place> {
        let facts: Vec<Fact> = self.facts.range(Fact::range(uid)).copied().collect();
        let at = |fact: &&Fact| fact.standing.place() == Some(place) && fact.standing.is_accepted();
        let content = facts.iter().find(at)?.content;
        let kept = facts.iter().filter(|fact| fact.content == content);
        kept.filter(|fact| fact.standing.is_durable())
            .find_map(|fact| fact.standing.place().filter(|other| *other != place))
    }

    /// The kept instance of a UID in this journal whose content is another one.
    pub(super) fn kept_otherwise(&self, uid: Print, content: Print) -> Option<Place> {
        self.facts.range(Fact::range(uid)).find_map(|fact| match fact.standing {
            Standing::Kept(place) if fact.content != content => Some(place),
            Standing::Kept(_)
            | Standing::Quarantined(_)
            | Standing::Damaged(_)
            | Standing::Verified
            | Standing::Elsewhere
            | Standing::Equivalent
            | Standing::Preferred
            | Standing::Disputed => None,
        })
    }

    /// Judges a new claim and takes it in, if it is not ended by the judgement.
    pub(super) fn claim(
        &mut self,
        node: NodeId,
        ticket: Ticket,
        uid: Print,
        content: Print,
    ) -> Judgement {
        let judgement = self.judgement(node, uid, content);
        if let Some(doing) = doing_after(&judgement) {
            self.claims.entry(uid).or_default().push(Claim { ticket, content, doing });
        }
        judgement
    }

    /// Takes a claim away and returns its content.
    pub(super) fn withdraw(&mut self, uid: Print, ticket: Ticket) -> Option<Print> {
        let claims = self.claims.get_mut(&uid)?;
        let index = claims.iter().position(|claim| claim.ticket == ticket)?;
        let content = claims.remove(index).content;
        if claims.is_empty() {
            self.claims.remove(&uid);
        }
        Some(content)
    }

    /// Judges again, in order of arrival, all that wait on a UID; returns those that need not.
    pub(super) fn release(&mut self, node: NodeId, uid: Print) -> Vec<(Ticket, Judgement)> {
        let mut released = Vec::new();
        let mut rest = self.claims.remove(&uid).unwrap_or_default();
        let waiting: Vec<Claim> =
            rest.extract_if(.., |claim| claim.doing == Doing::Waiting).collect();
        if !rest.is_empty() {
            self.claims.insert(uid, rest);
        }
        for Claim { ticket, content, .. } in waiting {
            match self.claim(node, ticket, uid, content) {
                Judgement::Wait { .. } => {}
                judgement => released.push((ticket, judgement)),
            }
        }
        released
    }

    /// [`Study::release`] for every UID.
    pub(super) fn release_all(&mut self, node: NodeId) -> Vec<(Ticket, Judgement)> {
        let uids: Vec<Print> = self.claims.keys().copied().collect();
        uids.into_iter().flat_map(|uid| self.release(node, uid)).collect()
    }

    /// Refuses all that wait, because the catalogue could not be asked.
    pub(super) fn refuse_waiting(&mut self) -> Vec<(Ticket, Judgement)> {
        let mut refused = Vec::new();
        self.claims.retain(|_, claims| {
            let waiting = claims.extract_if(.., |claim| claim.doing == Doing::Waiting);
            refused.extend(waiting.map(|claim| (claim.ticket, catalogue_unreachable())));
            !claims.is_empty()
        });
        refused
    }

    fn judgement(&self, node: NodeId, uid: Print, content: Print) -> Judgement {
        let claims = self.claims.get(&uid).map_or(&[][..], Vec::as_slice);
        let open = matches!(self.phase, Phase::Open { .. });
        if !open || claims.iter().any(|claim| claim.doing == Doing::Keeping) {
            return Judgement::Wait { ask_catalogue: false };
        }
        let facts: Vec<Fact> = self.facts.range(Fact::range(uid)).copied().collect();
        let preferred = preferred(&facts);
        // Where a person chose, another content is not the instance, however durable it is here.
        let chosen = preferred.is_none_or(|preferred| preferred == content);
        if let Some(of) = identical(node, &facts, content).filter(|_| chosen) {
            return Judgement::Identical { of };
        }
        // Where that would rest on a damaged copy the resend is the rescue, disputed or not.
        if chosen && is_damaged(&facts, content) {
            return Judgement::New;
        }
        if facts.iter().any(|fact| fact.standing == Standing::Disputed) {
            return disputed();
        }
        let other = |fact: &Fact| fact.standing.is_accepted() && fact.content != content;
        if chosen && (preferred.is_some() || !facts.iter().any(other)) {
            return Judgement::New;
        }
        let twin = |claim: &Claim| claim.doing == Doing::Quarantining && claim.content == content;
        match held(&facts, content) {
            None if claims.iter().any(twin) => Judgement::Wait { ask_catalogue: false },
            place => Judgement::Conflicting {
                with: match preferred {
                    Some(preferred) => kept_here(&facts, preferred),
                    None => self.kept_otherwise(uid, content),
                }
                .map(|place| place.receive_id(node)),
                already_quarantined: place.map(|place| place.receive_id(node)),
            },
        }
    }
}

/// The durable copy of a content, or of what it is an accepted other encoding of.
fn identical(node: NodeId, facts: &[Fact], content: Print) -> Option<Origin> {
    let durable = facts.iter().any(|fact| fact.standing.is_durable());
    let same = facts.iter().filter(|fact| fact.content == content);
    same.filter_map(|fact| match fact.standing {
        Standing::Kept(place) => Some(Origin::ThisJournal(place.receive_id(node))),
        Standing::Verified => Some(Origin::VerifiedVolume),
        // An equivalent rests on the bytes of the instance that it is equivalent to.
        Standing::Equivalent => durable.then_some(Origin::Equivalent),
        Standing::Quarantined(_)
        | Standing::Damaged(_)
        | Standing::Elsewhere
        | Standing::Preferred
        | Standing::Disputed => None,
    })
    .next()
}

/// Whether that content was kept in this journal, and is damaged.
fn is_damaged(facts: &[Fact], content: Print) -> bool {
    let mut same = facts.iter().filter(|fact| fact.content == content);
    same.any(|fact| matches!(fact.standing, Standing::Damaged(_)))
}

/// What a person chose among the contents that nodes disagreed on.
fn preferred(facts: &[Fact]) -> Option<Print> {
    facts.iter().find(|fact| fact.standing == Standing::Preferred).map(|fact| fact.content)
}

/// Where that content lies in this journal as an instance.
fn kept_here(facts: &[Fact], content: Print) -> Option<Place> {
    let same = facts.iter().filter(|fact| fact.content == content);
    same.filter(|fact| fact.standing.is_durable()).find_map(|fact| fact.standing.place())
}

/// Where a content lies that is not *the* instance: in quarantine, or beside what was chosen.
fn held(facts: &[Fact], content: Print) -> Option<Place> {
    let same = facts.iter().filter(|fact| fact.content == content);
    same.filter_map(|fact| fact.standing.sound_place()).next()
}

/// What a claim does after a judgement; `None` if the judgement ends it.
fn doing_after(judgement: &Judgement) -> Option<Doing> {
    match judgement {
        Judgement::New => Some(Doing::Keeping),
        Judgement::Conflicting { already_quarantined: None, .. } => Some(Doing::Quarantining),
        Judgement::Wait { .. } => Some(Doing::Waiting),
        Judgement::Conflicting { already_quarantined: Some(_), .. }
        | Judgement::Identical { .. }
        | Judgement::Refused(_) => None,
    }
}

//! The verdict on a received instance: refused, kept, known already, or held apart.
//!
//! Rules are asked first, then the duplicates table. Whatever is to be kept goes to the journal's
//! committer; the answer leaves only when its closing record is durable, and whoever waited for
//! that outcome (a twin sent at the same time) is answered right after.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, MutexGuard};

use super::counters::count;
use super::digest::Reading;
use super::landing::Closed;
use super::node::{Candidate, Intake, Studies};
use super::owed::Owed;
use super::receiving::{Inbound, refusal_of};
use super::wake::{REFUSED_MAX, Refused};
use crate::dataset::Scanned;
use crate::dedup::{Judgement, Opening, Settled, Ticket};
use crate::instance::{Content, Particulars, ReceiveId, StudyKey, Uid, Verdict};
use crate::journal::{JournalError, JournalState, Tail};
use crate::refusal::{Refusal, SUCCESS, storage};
use crate::rules::uid::{self, UidReading};
use crate::rules::{self, Judged, StoreRequest};

const STUDY_INSTANCE_UID: u32 = 0x0020_000D;

impl Intake {
    /// All bytes are here: judge, and act.
    pub(super) fn conclude(
        self: &Arc<Self>,
        inbound: Arc<Inbound>,
        mut reading: Reading,
        tail: Tail,
    ) {
        reading.read(tail.as_bytes());
        match self.particulars(&inbound, reading) {
            Err(refusal) => self.refuse(&inbound, &refusal),
            Ok(particulars) => {
                let ticket = self.studies().table.ticket();
                let owed = Owed::new(self, ticket, inbound);
                self.weigh(ticket, Candidate { owed, tail, particulars });
            }
        }
    }

    /// The association ended in the middle of this instance.
    pub(super) fn broke_off(&self, inbound: &Inbound) {
        self.drop_upload(inbound);
        inbound.lane.drop_one();
    }

    /// Ask for the study as soon as its UID was scanned, while the rest is still arriving.
    pub(super) fn touch_early(&self, inbound: &Inbound, reading: &Reading) -> bool {
        let scanner = reading.scanner.as_ref();
        let Some(value) = scanner.and_then(|scanner| scanner.captured(STUDY_INSTANCE_UID)) else {
            return false;
        };
        if let UidReading::Uid { text, .. } = uid::read(value) {
            let key = StudyKey { vault: inbound.admission.vault, study: Uid::from(text) };
            let opening = self.studies().table.touch(&key, self.now());
            self.announce(opening == Opening::AskCatalogue, key);
        }
        true
    }

    fn particulars(&self, inbound: &Inbound, reading: Reading) -> Result<Particulars, Refusal> {
        let Reading { scanner, hasher, length, refusal, .. } = reading;
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let Some(scanner) = scanner else { return Err(lost()) };
        let scanned = scanner.finish()?;
        let judged = self.judge_content(inbound, &scanned)?;
        Ok(self.describe(inbound, scanned, judged, *hasher.finalize().as_bytes(), length))
    }

    fn judge_content(&self, inbound: &Inbound, scanned: &Scanned) -> Result<Judged, Refusal> {
        let request = StoreRequest {
            sop_class: &inbound.request.sop_class,
            sop_instance: &inbound.request.sop_instance,
            context_abstract_syntax: &inbound.request.abstract_syntax,
        };
        rules::judge(&inbound.admission.rules, scanned, &request)
    }

    fn describe(
        &self,
        inbound: &Inbound,
        scanned: Scanned,
        judged: Judged,
        digest: [u8; 32],
        length: u64,
    ) -> Particulars {
        let transfer_syntax = Arc::clone(&inbound.request.transfer_syntax);
        Particulars {
            vault: inbound.admission.vault,
            identity: judged.identity,
            content: Content { digest, transfer_syntax, sop_class: judged.sop_class },
            length,
            received_at: self.now(),
            sender: inbound.admission.sender.clone(),
            flags: judged.flags,
            verdict: Verdict::Kept,
            conflicts_with: None,
            captured: scanned.captured,
        }
    }

    fn weigh(self: &Arc<Self>, ticket: Ticket, candidate: Candidate) {
        let (key, now) = (candidate.study_key(), self.now());
        let mut studies = self.studies();
        let Particulars { identity, content, .. } = &candidate.particulars;
        let judgement = studies.table.judge(ticket, &key, &identity.sop_instance, content, now);
        if let Judgement::Wait { ask_catalogue } = judgement {
            // First of all: the table believes from now on that the catalogue is being asked.
            self.announce(ask_catalogue, key.clone());
            if let Some(candidate) = studies.parked.park(ticket, candidate) {
                self.no_room_to_wait(studies, ticket, candidate, &key);
            }
        } else {
            drop(studies);
            self.act(candidate, judgement);
        }
    }

    /// All who wait have as much as they may. A twin is decided by a write; the catalogue may be long
    /// silent, and never is anything guessed of what it would say.
    fn no_room_to_wait(
        self: &Arc<Self>,
        mut studies: MutexGuard<'_, Studies>,
        ticket: Ticket,
        mut candidate: Candidate,
        key: &StudyKey,
    ) {
        if !studies.table.is_opening(key) {
            return studies.parked.park_anyway(ticket, candidate);
        }
        drop(studies);
        candidate.owed.take();
        let (inbound, refusal) =
            (Arc::clone(candidate.owed.inbound()), Refusal::of(&storage::CATALOGUE_UNREACHABLE));
        self.settled(ticket, Settled::Failed, || self.refuse(&inbound, &refusal));
    }

    fn announce(&self, ask_catalogue: bool, key: StudyKey) {
        if ask_catalogue {
            count(&self.counters.studies_opened, 1);
            self.wake.push(|pile| pile.opening.push(key));
        }
    }

    /// Act on what the table said of those who waited.
    pub(super) fn release(self: &Arc<Self>, released: Vec<(Ticket, Judgement)>) {
        for (ticket, judgement) in released {
            // A defect that one of them meets is not the others'; its own ticket settles itself.
            let _ = catch_unwind(AssertUnwindSafe(|| self.release_one(ticket, judgement)));
        }
    }

    fn release_one(self: &Arc<Self>, ticket: Ticket, judgement: Judgement) {
        // Whoever is to wait on stays where it waits: taken out, it could miss its release.
        if let Judgement::Wait { ask_catalogue } = judgement {
            let key = self.studies().parked.get(ticket).map(Candidate::study_key);
            return key.into_iter().for_each(|key| self.announce(ask_catalogue, key));
        }
        let candidate = self.studies().parked.leave(ticket);
        if let Some(candidate) = candidate {
            self.act(candidate, judgement);
        }
    }

    /// Act on a judgement. One that ended the ticket is settled by its answer: settling a ticket
    /// that has ended says nothing to the table.
    fn act(self: &Arc<Self>, mut candidate: Candidate, judgement: Judgement) {
        let inbound = Arc::clone(candidate.owed.inbound());
        match judgement {
            Judgement::New => return self.keep(candidate),
            Judgement::Conflicting { with, already_quarantined: None } => {
                candidate.particulars.verdict = Verdict::Quarantined;
                candidate.particulars.conflicts_with = with;
                return self.keep(candidate);
            }
            // Those who wait are parked under the table's own lock, and never come here.
            Judgement::Wait { .. } => return,
            Judgement::Identical { .. } => self.already_here(&inbound),
            Judgement::Refused(refusal) => self.refuse(&inbound, &refusal),
            Judgement::Conflicting { already_quarantined: Some(_), .. } => {
                count(&self.counters.instances_conflicting_again, 1);
                self.drop_upload(&inbound);
                self.answer_refusal(&inbound, conflict());
            }
        }
        candidate.owed.take();
    }

    fn keep(self: &Arc<Self>, candidate: Candidate) {
        let Candidate { owed, tail, particulars } = candidate;
        let Some(upload) = owed.inbound().take_upload() else {
            return self.fail(owed);
        };
        let (intake, told) = (Arc::clone(self), Arc::new(particulars.clone()));
        let done = Box::new(move |outcome: Result<ReceiveId, JournalError>| {
            intake.settle(owed, told, outcome);
        });
        self.journal.close(upload, particulars, tail, done);
    }

    /// It cannot be kept, or held apart: its twins must not wait for it, and its sender must come
    /// again. What conflicts is told so once it is held apart, and not before: nobody would ever
    /// learn of the conflict.
    fn fail(self: &Arc<Self>, mut owed: Owed) {
        let Some(ticket) = owed.take() else { return };
        let inbound = Arc::clone(owed.inbound());
        let refusal = inbound.unkept.unwrap_or_else(|| self.why_lost());
        self.settled(ticket, Settled::Failed, || self.refuse(&inbound, &refusal));
    }

    /// Whoever had this ticket met a defect of ours.
    pub(super) fn give_up(self: &Arc<Self>, ticket: Ticket, inbound: &Inbound) {
        self.studies().parked.leave(ticket);
        self.settled(ticket, Settled::Failed, || self.refuse(inbound, &lost()));
    }

    /// Tell the table, then the sender, then those who waited, who are told whatever happens.
    fn settled(self: &Arc<Self>, ticket: Ticket, outcome: Settled, answer: impl FnOnce()) {
        let released = self.studies().table.settled(ticket, outcome);
        let answered = catch_unwind(AssertUnwindSafe(answer));
        self.release(released);
        answered.unwrap_or_else(|panic| resume_unwind(panic));
    }

    /// Why an upload is gone that had begun: the journal stopped meanwhile, or a defect of ours.
    fn why_lost(&self) -> Refusal {
        match self.journal.state() {
            JournalState::ReadOnly { why } => refusal_of(&JournalError::ReadOnly(why)),
            JournalState::Writable => lost(),
        }
    }

    /// The closing record is durable, or never will be.
    fn settle(
        self: &Arc<Self>,
        mut owed: Owed,
        particulars: Arc<Particulars>,
        outcome: Result<ReceiveId, JournalError>,
    ) {
        let Some(ticket) = owed.take() else { return };
        let settled = match (&outcome, particulars.verdict) {
            (Ok(id), Verdict::Kept) => Settled::Kept(*id),
            (Ok(id), Verdict::Quarantined) => Settled::Quarantined(*id),
            (Err(_), _) => Settled::Failed,
        };
        let inbound = owed.inbound();
        self.settled(ticket, settled, || match outcome {
            Ok(receive_id) => self.durable(inbound, Closed { receive_id, particulars }),
            Err(error) => self.refuse_unwritten(inbound, &error),
        });
    }

    fn durable(&self, inbound: &Inbound, closed: Closed) {
        let (verdict, length) = (closed.particulars.verdict, closed.particulars.length);
        let first = self.landing.push(closed);
        match verdict {
            Verdict::Kept => {
                count(&self.counters.instances_kept, 1);
                count(&self.counters.bytes_kept, length);
                self.answer_success(inbound);
            }
            Verdict::Quarantined => {
                count(&self.counters.instances_quarantined, 1);
                self.answer_refusal(inbound, conflict());
            }
        }
        if first {
            self.wake.push(|pile| pile.landing = true);
        }
    }

    fn already_here(&self, inbound: &Inbound) {
        count(&self.counters.instances_identical, 1);
        self.drop_upload(inbound);
        self.answer_success(inbound);
    }

    fn refuse_unwritten(&self, inbound: &Inbound, error: &JournalError) {
        if let JournalState::ReadOnly { why } = self.journal.state() {
            self.wake.push(|pile| pile.stopped = Some(why.to_string()));
        }
        self.refuse(inbound, &refusal_of(error));
    }

    /// Nothing is kept; the sender hears why.
    pub(super) fn refuse(&self, inbound: &Inbound, refusal: &Refusal) {
        self.drop_upload(inbound);
        if inbound.answered.load(SeqCst) {
            return;
        }
        count(&self.counters.instances_refused, 1);
        self.answer_refusal(inbound, *refusal);
    }

    /// What is refused is told to the sender and to the log, and counted by its code. One answer a
    /// request, also when a defect had it refused while its outcome was on its way.
    fn answer_refusal(&self, inbound: &Inbound, refusal: Refusal) {
        if inbound.answered.swap(true, SeqCst) {
            return;
        }
        let request = &inbound.request;
        self.tell_refused(Refused {
            association: inbound.lane.number(),
            sender: inbound.admission.sender.clone(),
            sop_instance: Some(Arc::clone(&request.sop_instance)),
            refusal,
        });
        let response = request.response(refusal.status(), Some(&refusal));
        inbound.lane.answer(request.context_id, &response);
    }

    pub(super) fn tell_refused(&self, refused: Refused) {
        self.refusals.count(refused.refusal.entry);
        self.wake.push(|pile| {
            if pile.refused.len() < REFUSED_MAX {
                pile.refused.push(refused);
            }
        });
    }

    fn drop_upload(&self, inbound: &Inbound) {
        inbound.take_upload().into_iter().for_each(|upload| self.journal.abandon(upload));
    }

    fn answer_success(&self, inbound: &Inbound) {
        if inbound.answered.swap(true, SeqCst) {
            return;
        }
        let request = &inbound.request;
        inbound.lane.answer(request.context_id, &request.response(SUCCESS, None));
    }
}

fn conflict() -> Refusal {
    Refusal::of(&storage::CONFLICTING)
}

/// What should be there is not: our defect, and the sender must hear that it is not kept.
pub(super) fn lost() -> Refusal {
    Refusal::of(&storage::PROCESSING)
}

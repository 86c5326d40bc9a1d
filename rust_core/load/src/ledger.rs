//! The ledger: every commitment that was asked for, and what its report said, item by item.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use kuva_core::commitment::{Information, Reference};

use crate::Trouble;
use crate::report::Commitment;

/// Shared by all associations of the load, and by those on which reports come in.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: Mutex<HashMap<String, Entry>>,
    changed: Condvar,
}

/// An instance that was answered with success.
#[derive(Clone, Debug)]
pub struct Stored {
    /// SOP class.
    pub sop_class: String,
    /// SOP instance.
    pub sop_instance: String,
    /// Bytes of its data set.
    pub length: u64,
}

#[derive(Debug)]
struct Entry {
    association: u32,
    /// Bytes of what was asked for and is in no report yet.
    open: HashMap<String, u64>,
    items: u64,
    length: u64,
    last_answer: Instant,
    asked: Instant,
    answered: Option<(Instant, u16)>,
    reported: Option<Instant>,
    repeats: u64,
    committed: u64,
    committed_bytes: u64,
    failed: BTreeMap<String, u64>,
    strange: u64,
}

impl Ledger {
    /// Before the N-ACTION goes out: the report may come before its answer.
    pub fn ask(&self, transaction: &str, association: u32, items: &[Stored], last_answer: Instant) {
        let entry = Entry {
            association,
            open: items.iter().map(|one| (one.sop_instance.clone(), one.length)).collect(),
            items: items.len() as u64,
            length: items.iter().map(|one| one.length).sum(),
            last_answer,
            asked: Instant::now(),
            answered: None,
            reported: None,
            repeats: 0,
            committed: 0,
            committed_bytes: 0,
            failed: BTreeMap::new(),
            strange: 0,
        };
        self.entries().insert(transaction.to_owned(), entry);
    }

    /// The N-ACTION was answered.
    pub fn answered(&self, transaction: &str, status: u16) {
        if let Some(entry) = self.entries().get_mut(transaction) {
            entry.answered = Some((Instant::now(), status));
        }
    }

    /// A report came in, whole, at `at`.
    pub fn reported(&self, information: &Information, at: Instant) -> Result<(), Trouble> {
        let transaction = information.transaction.as_deref().ok_or("a report of no transaction")?;
        let mut entries = self.entries();
        let entry = entries.get_mut(transaction).ok_or_else(|| {
            format!("a report of transaction {transaction}, which nobody asked for")
        })?;
        entry.take(information, at);
        self.changed.notify_all();
        Ok(())
    }

    /// Whether a report of the association's is still to come.
    pub fn waits(&self, association: u32) -> bool {
        waits(&self.entries(), association)
    }

    /// Waits until none is, or the deadline has passed.
    pub fn wait(&self, association: u32, deadline: Instant) {
        let mut entries = self.entries();
        while waits(&entries, association) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            entries = match self.changed.wait_timeout(entries, left) {
                Ok((entries, _)) => entries,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// All of it, in the order in which it was asked; times in seconds since `start`.
    pub fn told(&self, start: Instant) -> Vec<Commitment> {
        let entries = self.entries();
        let mut told: Vec<_> = entries.values().map(|entry| entry.told(start)).collect();
        told.sort_by(|one, other| one.asked.total_cmp(&other.asked));
        told
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn waits(entries: &HashMap<String, Entry>, association: u32) -> bool {
    entries.values().any(|entry| entry.association == association && entry.waits())
}

impl Entry {
    fn waits(&self) -> bool {
        self.reported.is_none() && self.answered.is_none_or(|(_, status)| status == 0)
    }

    fn take(&mut self, information: &Information, at: Instant) {
        if self.reported.is_some() {
            self.repeats += 1;
            return;
        }
        self.reported = Some(at);
        for one in information.referenced.iter().flatten() {
            if let Some(length) = self.open.remove(&*one.sop_instance) {
                self.committed += 1;
                self.committed_bytes += length;
            } else {
                self.strange += 1;
            }
        }
        for one in information.failed.iter().flatten() {
            self.fail(one);
        }
    }

    fn fail(&mut self, one: &Reference) {
        if self.open.remove(&*one.sop_instance).is_none() {
            self.strange += 1;
        }
        let reason = one.reason.map_or("none".into(), |reason| format!("{reason:04X}"));
        *self.failed.entry(reason).or_default() += 1;
    }

    fn told(&self, start: Instant) -> Commitment {
        let since = |at: Instant| at.saturating_duration_since(start).as_secs_f64();
        Commitment {
            association: self.association,
            items: self.items,
            length: self.length,
            last_answer: since(self.last_answer),
            asked: since(self.asked),
            answered: self.answered.map(|(at, _)| since(at)),
            status: self.answered.map(|(_, status)| format!("{status:04X}")),
            reported: self.reported.map(since),
            repeats: self.repeats,
            committed: self.committed,
            committed_bytes: self.committed_bytes,
            failed: self.failed.clone(),
            strange: self.strange,
            unnamed: if self.reported.is_some() { self.open.len() as u64 } else { 0 },
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;

    fn stored(number: u64) -> Stored {
        Stored { sop_class: "1.2".into(), sop_instance: format!("2.25.{number}"), length: number }
    }

    fn reference(number: u64, reason: Option<u16>) -> Reference {
        let sop_instance = format!("2.25.{number}").into();
        Reference { sop_class: "1.2".into(), sop_instance, reason }
    }

    fn report(committed: &[u64], failed: &[u64]) -> Information {
        Information {
            transaction: Some("2.25.1".into()),
            referenced: Some(committed.iter().map(|number| reference(*number, None)).collect()),
            failed: Some(failed.iter().map(|number| reference(*number, Some(0x0213))).collect()),
            ..Information::default()
        }
    }

    fn asked(items: &[u64]) -> (Ledger, Instant) {
        let (ledger, now) = (Ledger::default(), Instant::now());
        let items: Vec<_> = items.iter().map(|number| stored(*number)).collect();
        ledger.ask("2.25.1", 3, &items, now);
        (ledger, now)
    }

    #[test]
    fn only_what_was_asked_for_counts_as_committed_and_each_once() {
        let (ledger, start) = asked(&[10, 20, 30, 40]);
        ledger.answered("2.25.1", 0);
        assert!(ledger.waits(3) && !ledger.waits(4));
        ledger.reported(&report(&[10, 10, 99], &[20, 98]), start).unwrap();
        let told = ledger.told(start).remove(0);
        assert_eq!((told.items, told.length), (4, 100));
        assert_eq!((told.committed, told.committed_bytes), (1, 10));
        assert_eq!(told.failed, BTreeMap::from([("0213".to_owned(), 2)]));
        assert_eq!((told.strange, told.unnamed), (3, 2));
        assert!(!ledger.waits(3));
    }

    #[test]
    fn a_second_report_changes_nothing_and_one_that_nobody_asked_for_is_told() {
        let (ledger, start) = asked(&[10]);
        ledger.reported(&report(&[], &[10]), start).unwrap();
        ledger.reported(&report(&[10], &[]), start).unwrap();
        let told = ledger.told(start).remove(0);
        assert_eq!((told.committed, told.repeats), (0, 1));
        let other = Information { transaction: Some("2.25.2".into()), ..Information::default() };
        assert!(ledger.reported(&other, start).unwrap_err().contains("nobody asked"));
    }

    #[test]
    fn a_refused_request_has_no_report_to_wait_for_and_a_lost_one_ends_the_waiting() {
        let (ledger, start) = asked(&[10]);
        ledger.wait(3, start + Duration::from_millis(1));
        assert!(ledger.waits(3));
        ledger.answered("2.25.1", 0x0213);
        ledger.wait(3, start + Duration::from_secs(3600));
        assert_eq!(ledger.told(start)[0].reported, None);
    }
}

//! Landing: closed instances on their way to the catalogue, in the order of their receive ids.
//!
//! The journal is the truth; the catalogue learns of it in batches, off the answer's path. A flush
//! is given out, landed in one database transaction, and confirmed; if landing fails the same
//! instances are given again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::dataset::tag;
use crate::index::{self, IndexError, trimmed};
use crate::instance::{Particulars, ReceiveId, StudyKey, Verdict};

/// Closed and not yet landed: beyond this, new instances are refused until the catalogue follows.
pub const UNLANDED_MAX: usize = 200_000;

/// A closed instance.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Its receive id.
    pub receive_id: ReceiveId,
    /// What its closing record says.
    pub particulars: Arc<Particulars>,
}

/// Closed instances of one study.
#[derive(Debug)]
pub struct Batch {
    /// The study.
    pub key: StudyKey,
    /// Its instances, in the order of their receive ids; never empty.
    pub instances: Vec<Closed>,
}

impl Batch {
    /// The index block of this batch, encoded.
    pub fn block(&self) -> Result<Vec<u8>, IndexError> {
        let instances: Vec<_> =
            self.instances.iter().map(|c| (c.receive_id, &*c.particulars)).collect();
        let block = index::from_particulars(&instances)?;
        block.map_or(Ok(Vec::new()), |block| index::encode(&block))
    }

    /// The first instance of each series, in the order of receive ids.
    pub fn series(&self) -> Vec<Closed> {
        firsts(&self.instances, |one| Some(&one.identity.series))
    }

    /// The first instance that names each patient, in the order of receive ids; none for instances
    /// without a Patient ID. Values are told apart as they were received, without padding: who
    /// decodes them may find two to be the same.
    pub fn patients(&self) -> Vec<Closed> {
        firsts(&self.instances, |one| {
            let named = PATIENT.map(|tag| trimmed(one, tag));
            (!named[0].is_empty()).then_some(named)
        })
    }
}

fn firsts<'a, K: Ord>(
    instances: &'a [Closed],
    key: impl Fn(&'a Particulars) -> Option<K>,
) -> Vec<Closed> {
    let mut seen = BTreeSet::new();
    let mut is_new = |one| key(one).is_some_and(|key| seen.insert(key));
    instances.iter().filter(|closed| is_new(&closed.particulars)).cloned().collect()
}

/// What says which patient an instance is of: an identifier, who issued it, how both are written.
const PATIENT: [u32; 3] = [tag::PATIENT_ID, tag::ISSUER_OF_PATIENT_ID, tag::SPECIFIC_CHARACTER_SET];

/// All that is closed up to a position of one epoch.
#[derive(Debug)]
pub struct Flush {
    /// Epoch of all of it.
    pub epoch: u32,
    /// The last position it holds.
    pub through: u64,
    /// Kept instances, by study.
    pub batches: Vec<Batch>,
    /// Instances held apart.
    pub quarantined: Vec<Closed>,
}

#[derive(Default)]
struct Waiting {
    closed: VecDeque<Closed>,
    given: Vec<Closed>,
    newest: Option<ReceiveId>,
}

/// The queue between journal and catalogue.
#[derive(Default)]
pub struct Landing(Mutex<Waiting>);

impl Landing {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more; in the order of receive ids within an epoch, older epochs first. True if none was
    /// waiting to be taken: whoever takes must be told, and was told of the others.
    pub fn push(&self, closed: Closed) -> bool {
        let mut waiting = self.lock();
        waiting.newest = waiting.newest.max(Some(closed.receive_id));
        waiting.closed.push_back(closed);
        waiting.closed.len() == 1
    }

    /// Instances closed and not landed.
    pub fn unlanded(&self) -> usize {
        let waiting = self.lock();
        waiting.closed.len() + waiting.given.len()
    }

    /// The first that the catalogue does not know of yet.
    pub fn first_unlanded(&self) -> Option<ReceiveId> {
        let waiting = self.lock();
        waiting.given.first().or(waiting.closed.front()).map(|closed| closed.receive_id)
    }

    /// The last that came, this time or before this start; none: nothing ever.
    pub fn newest(&self) -> Option<ReceiveId> {
        self.lock().newest
    }

    /// Whether the catalogue has it. What was closed in `epoch`, the present one, and has not come
    /// this way yet, it cannot have.
    pub fn has_landed(&self, id: ReceiveId, epoch: u32) -> bool {
        let waiting = self.lock();
        let first = waiting.given.first().or(waiting.closed.front());
        let waits = first.is_some_and(|first| id >= first.receive_id);
        let to_come = id.epoch >= epoch && waiting.newest.is_none_or(|newest| id > newest);
        !waits && !to_come
    }

    /// The next flush, of one epoch, of at most `instances_max`; the same again until it landed.
    pub fn take(&self, instances_max: usize) -> Option<Flush> {
        let mut waiting = self.lock();
        if waiting.given.is_empty() {
            waiting.given = take_one_epoch(&mut waiting.closed, instances_max);
        }
        let last = waiting.given.last()?.receive_id;
        Some(flush_of(last, &waiting.given))
    }

    /// The flush through this position is in the catalogue.
    pub fn landed(&self, epoch: u32, through: u64) {
        let landed = |id: &ReceiveId| (id.epoch, id.position) <= (epoch, through);
        self.lock().given.retain(|closed| !landed(&closed.receive_id));
    }
}

fn take_one_epoch(closed: &mut VecDeque<Closed>, instances_max: usize) -> Vec<Closed> {
    let Some(epoch) = closed.front().map(|first| first.receive_id.epoch) else { return Vec::new() };
    let same = closed.iter().take(instances_max).take_while(|c| c.receive_id.epoch == epoch);
    let many = same.count();
    closed.drain(..many).collect()
}

fn flush_of(last: ReceiveId, given: &[Closed]) -> Flush {
    let mut studies: BTreeMap<StudyKey, Vec<Closed>> = BTreeMap::new();
    let mut quarantined = Vec::new();
    for closed in given {
        let Particulars { vault, identity, verdict, .. } = &*closed.particulars;
        match verdict {
            Verdict::Quarantined => quarantined.push(closed.clone()),
            Verdict::Kept => {
                let key = StudyKey { vault: *vault, study: Arc::clone(&identity.study) };
                studies.entry(key).or_default().push(closed.clone());
            }
        }
    }
    let batches = studies.into_iter().map(|(key, instances)| Batch { key, instances }).collect();
    Flush { epoch: last.epoch, through: last.position, batches, quarantined }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::{CapturedElement, Content, Identity, NodeId, Sender, VaultId};

    fn closed(position: u64, series: &str, patient: &[(u32, &[u8])]) -> Closed {
        let captured = patient.iter().map(|&(tag, value)| CapturedElement {
            tag,
            vr: *b"LO",
            cut: false,
            value: value.into(),
        });
        let particulars = Particulars {
            vault: VaultId([1; 16]),
            identity: Identity {
                study: "1.2".into(),
                series: series.into(),
                sop_instance: format!("1.2.{position}").into(),
            },
            content: Content {
                digest: [0; 32],
                transfer_syntax: "1.2.840.10008.1.2.1".into(),
                sop_class: "1.2.840.10008.5.1.4.1.1.2".into(),
            },
            length: 1,
            received_at: 0,
            sender: Sender::default(),
            flags: 0,
            verdict: Verdict::Kept,
            conflicts_with: None,
            captured: captured.collect(),
        };
        let receive_id = ReceiveId { node: NodeId([2; 16]), epoch: 1, position };
        Closed { receive_id, particulars: Arc::new(particulars) }
    }

    fn batch(instances: Vec<Closed>) -> Batch {
        Batch { key: StudyKey { vault: VaultId([1; 16]), study: "1.2".into() }, instances }
    }

    fn positions(closed: &[Closed]) -> Vec<u64> {
        closed.iter().map(|one| one.receive_id.position).collect()
    }

    #[test]
    fn each_series_is_told_once() {
        let series = ["1.1", "1.2", "1.1", "1.3", "1.2"];
        let instances = (1..).zip(series).map(|(at, series)| closed(at, series, &[]));
        assert_eq!(positions(&batch(instances.collect()).series()), [1, 2, 4]);
    }

    #[test]
    fn each_patient_is_told_once_whatever_the_padding_and_who_is_not_named_is_none() {
        let (id, issuer) = (tag::PATIENT_ID, tag::ISSUER_OF_PATIENT_ID);
        let named: [&[(u32, &[u8])]; 7] = [
            &[(id, b"")],
            &[(id, b"A ")],
            &[(id, b" A"), (issuer, b"  ")],
            &[(id, b"B")],
            &[(id, b"A"), (issuer, b"X")],
            &[(issuer, b"X")],
            &[(id, b"B\0")],
        ];
        let instances = (1..).zip(named).map(|(at, patient)| closed(at, "1.1", patient));
        assert_eq!(positions(&batch(instances.collect()).patients()), [2, 4, 5]);
    }
}

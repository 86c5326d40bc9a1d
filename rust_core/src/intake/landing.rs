//! Landing: closed instances on their way to the catalogue, in the order of their receive ids.
//!
//! The journal is the truth; the catalogue learns of it in batches, off the answer's path. A flush
//! is given out, landed in one database transaction, and confirmed; if landing fails the same
//! instances are given again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::index::{self, IndexError};
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
}

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

//! The budget of long requests: what all associations together may hold of them in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::limits::{IDENTIFIER_LENGTH_MAX, REFERENCES_SHORT_MAX, REFERENCES_TOTAL_MAX};

/// See the module.
#[derive(Debug, Default)]
pub struct Budget {
    taken: AtomicUsize,
}

impl Budget {
    /// Bytes that are held now.
    pub fn taken(&self) -> usize {
        self.taken.load(SeqCst)
    }
}

/// A share of the budget, given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    length: usize,
}

impl Share {
    /// Nothing yet.
    pub fn none_of(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), length: 0 }
    }

    /// Takes `many` bytes more; false, and nothing taken, if there are not so many left for a
    /// request of this length. The last of the budget is for short ones alone.
    pub fn grow(&mut self, many: usize) -> bool {
        let length = self.length + many;
        let short = length <= IDENTIFIER_LENGTH_MAX;
        let most =
            if short { REFERENCES_TOTAL_MAX } else { REFERENCES_TOTAL_MAX - REFERENCES_SHORT_MAX };
        let fits = |taken: usize| Some(taken + many).filter(|sum| *sum <= most);
        let grown = self.budget.taken.fetch_update(SeqCst, SeqCst, fits).is_ok();
        if grown {
            self.length = length;
        }
        grown
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.taken.fetch_sub(self.length, SeqCst);
    }
}

/// Bytes of a request that arrive piece by piece, under the budget.
#[derive(Debug)]
pub struct Collected {
    /// What has come.
    pub bytes: Vec<u8>,
    /// What it takes of the budget, for as long as it lives.
    pub share: Share,
}

/// Why a piece was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// The request is longer than any may be.
    TooLong,
    /// All requests together hold too much now.
    NoRoom,
}

/// Room that a growing request takes at once, bytes, at most.
const STEP_MAX: usize = 1 << 20;

impl Collected {
    /// Nothing has come yet.
    pub fn begin(budget: &Arc<Budget>) -> Self {
        Self { bytes: Vec::new(), share: Share::none_of(budget) }
    }

    /// Takes a piece, unless the request would become longer than `length_max`. Room is taken as
    /// bytes come, never by claim, and counted before it is allocated.
    pub fn extend(&mut self, piece: &[u8], length_max: usize) -> Result<(), NotTaken> {
        let length = self.bytes.len() + piece.len();
        if length > length_max {
            return Err(NotTaken::TooLong);
        }
        if length > self.bytes.capacity() {
            let step = piece.len().max(self.bytes.len().min(STEP_MAX));
            let room = self.bytes.len() + step - self.bytes.capacity();
            if !self.share.grow(room) {
                return Err(NotTaken::NoRoom);
            }
            self.bytes.reserve_exact(step);
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_never_exceeds_the_budget_and_is_given_back() {
        let budget = Arc::new(Budget::default());
        let piece = vec![0; 100_000];
        let mut all: Vec<Collected> = (0..40).map(|_| Collected::begin(&budget)).collect();
        let mut refused = 0;
        for _ in 0..170 {
            for one in &mut all {
                refused += usize::from(one.extend(&piece, 20 << 20) == Err(NotTaken::NoRoom));
            }
            let held: usize = all.iter().map(|one| one.bytes.capacity()).sum();
            assert!(held <= budget.taken() && budget.taken() <= REFERENCES_TOTAL_MAX);
        }
        assert!(refused > 0);
        drop(all);
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn long_requests_leave_room_for_short_ones() {
        let budget = Arc::new(Budget::default());
        let mut long: Vec<Collected> = (0..8).map(|_| Collected::begin(&budget)).collect();
        for one in &mut long {
            while one.extend(&[0; 50_000], 17 << 20).is_ok() {}
        }
        let mut short = Collected::begin(&budget);
        assert_eq!(short.extend(&[0; 50_000], 17 << 20), Ok(()));
    }

    #[test]
    fn a_request_is_as_long_as_it_may_be_and_no_longer() {
        let mut one = Collected::begin(&Arc::default());
        assert_eq!(one.extend(&[1; 6], 10), Ok(()));
        assert_eq!(one.extend(&[1; 5], 10), Err(NotTaken::TooLong));
        assert_eq!(one.extend(&[1; 4], 10), Ok(()));
        assert_eq!(one.bytes.len(), 10);
    }
}

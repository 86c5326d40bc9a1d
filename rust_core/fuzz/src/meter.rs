//! The meter: what a target allocates, over all threads, held against what its input may cost.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static TOTAL: AtomicUsize = AtomicUsize::new(0);
/// The counters belong to one measurement at a time.
static TURN: Mutex<()> = Mutex::new(());

struct Counting;

fn grown(bytes: usize) {
    TOTAL.fetch_add(bytes, Relaxed);
    let live = LIVE.fetch_add(bytes, Relaxed).wrapping_add(bytes);
    PEAK.fetch_max(live, Relaxed);
}

fn shrunk(bytes: usize) {
    LIVE.fetch_sub(bytes, Relaxed);
}

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract;
// the counters are atomics and allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may both be there for a moment.
        grown(size);
        shrunk(layout.size());
        // SAFETY: the pointer came from the system's allocator by this one; the rest is the
        // caller's contract.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrunk(layout.size());
        // SAFETY: the pointer came from the system's allocator by this one.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes that a target may allocate: so many whatever comes, and so many a byte of input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Whatever comes: tables, windows, named limits.
    pub fixed: usize,
    /// At once, for each byte of input.
    pub each_at_once: usize,
    /// One after the other, for each byte of input: what is quadratic in time mostly shows here.
    pub each_in_all: usize,
}

/// What was allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// The most at once, bytes above what was there before.
    pub at_once: usize,
    /// One after the other, bytes.
    pub in_all: usize,
}

impl Allowance {
    /// Whether an input of that length may have cost this.
    pub fn covers(&self, length: usize, spent: Spent) -> bool {
        spent.at_once <= self.fixed + self.each_at_once * length
            && spent.in_all <= self.fixed + self.each_in_all * length
    }
}

/// Runs `work` and says what was allocated meanwhile, by whichever thread: let no other be at work.
pub fn measured(work: impl FnOnce()) -> Spent {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (before, total) = (LIVE.load(Relaxed), TOTAL.load(Relaxed));
    PEAK.store(before, Relaxed);
    work();
    let at_once = PEAK.load(Relaxed).saturating_sub(before);
    Spent { at_once, in_all: TOTAL.load(Relaxed).wrapping_sub(total) }
}

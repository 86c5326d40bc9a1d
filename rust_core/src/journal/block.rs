//! Pooled blocks: where bytes of instances live between the socket and the journal.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::aligned::{AlignedBuffer, StampedBuffer};
use super::record::{BLOCK_PAYLOAD_LENGTH, RECORD_HEADER_LENGTH};
use crate::limits::BLOCK_LENGTH;

type Wake = Arc<dyn Fn() + Send + Sync>;

/// Whoever a block was taken for: told when its memory is back in the pool, from whatever thread
/// dropped the last part of it. It counts what it holds.
pub trait Holder: Send + Sync {
    /// A block was taken.
    fn taken(&self);
    /// A block went back.
    fn given_back(&self);
}

struct Store {
    free: VecDeque<AlignedBuffer>,
    allocated: usize,
    exhausted: bool,
    wake: Option<Wake>,
}

/// A global budget of 128 KiB blocks. Cloning gives another handle to the same pool.
#[derive(Clone)]
pub struct BlockPool {
    store: Arc<Mutex<Store>>,
    blocks_max: usize,
}

impl BlockPool {
    /// A pool of at most `bytes` (at least one block); memory is allocated on first use and kept.
    pub fn new(bytes: usize) -> Self {
        let store = Store { free: VecDeque::new(), allocated: 0, exhausted: false, wake: None };
        Self { store: Arc::new(Mutex::new(store)), blocks_max: (bytes / BLOCK_LENGTH).max(1) }
    }

    /// An empty block, or none while the budget is used up: stop reading from the peer, and resume
    /// when the callback of [`BlockPool::on_available`] is called.
    pub fn take(&self) -> Option<Block> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = match store.free.pop_back() {
            Some(memory) => memory,
            None if store.allocated < self.blocks_max => {
                store.allocated += 1;
                AlignedBuffer::new(BLOCK_LENGTH)
            }
            None => {
                store.exhausted = true;
                return None;
            }
        };
        Some(Block { memory: Some(memory), length: 0, pool: self.clone(), holder: None })
    }

    /// As [`BlockPool::take`]; the holder has the block until its memory is back, whatever it is
    /// shared with meanwhile.
    pub fn take_for(&self, holder: Arc<dyn Holder>) -> Option<Block> {
        let mut block = self.take()?;
        holder.taken();
        block.holder = Some(holder);
        Some(block)
    }

    /// Sets what is called, from any thread, when a block comes back after `take` gave none.
    pub fn on_available(&self, wake: impl Fn() + Send + Sync + 'static) {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).wake = Some(Arc::new(wake));
    }

    /// Blocks that `take` could give now.
    pub fn available(&self) -> usize {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        self.blocks_max - store.allocated + store.free.len()
    }

    fn give_back(&self, memory: AlignedBuffer, holder: Option<Arc<dyn Holder>>) {
        let wake = {
            let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
            store.free.push_back(memory);
            if std::mem::take(&mut store.exhausted) { store.wake.clone() } else { None }
        };
        if let Some(holder) = holder {
            holder.given_back();
        }
        if let Some(wake) = wake {
            wake();
        }
    }
}

/// A block being filled by its one owner. Dropped: it goes back to the pool.
pub struct Block {
    memory: Option<AlignedBuffer>,
    length: usize,
    pool: BlockPool,
    holder: Option<Arc<dyn Holder>>,
}

impl Block {
    /// Copies what fits of `bytes` behind what is there, and returns how much that was.
    pub fn fill(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.spare());
        if let Some(memory) = &mut self.memory {
            let at = RECORD_HEADER_LENGTH + self.length;
            memory[at..at + taken].copy_from_slice(&bytes[..taken]);
            self.length += taken;
        }
        taken
    }

    /// Payload bytes so far.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing was filled in yet.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Payload bytes that still fit.
    pub fn spare(&self) -> usize {
        BLOCK_PAYLOAD_LENGTH - self.length
    }

    /// Whether the block can be appended (only full blocks become data records).
    pub fn is_full(&self) -> bool {
        self.spare() == 0
    }

    /// Freezes the payload, so that a writer and a digest worker can share it.
    pub fn freeze(mut self) -> Arc<FilledBlock> {
        let buffer = self.memory.take().map(StampedBuffer::new);
        let (length, pool, holder) = (self.length, self.pool.clone(), self.holder.take());
        Arc::new(FilledBlock { buffer, length, pool, holder, claimed: AtomicBool::new(false) })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(memory) = self.memory.take() {
            self.pool.give_back(memory, self.holder.take());
        }
    }
}

/// A block whose payload no longer changes. When the last `Arc` is dropped it goes back to the pool.
pub struct FilledBlock {
    buffer: Option<StampedBuffer>,
    length: usize,
    pool: BlockPool,
    holder: Option<Arc<dyn Holder>>,
    claimed: AtomicBool,
}

impl FilledBlock {
    /// The payload: bytes of one instance.
    pub fn payload(&self) -> &[u8] {
        self.buffer.as_ref().map_or(&[], |buffer| &buffer.payload()[..self.length])
    }

    /// Whether it can become a data record.
    pub fn is_full(&self) -> bool {
        self.length == BLOCK_PAYLOAD_LENGTH
    }

    /// Takes the block for one data record; false if it was taken before.
    pub(super) fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::AcqRel)
    }

    pub(super) fn stamp(&self, header: &[u8; RECORD_HEADER_LENGTH]) -> bool {
        self.buffer.as_ref().is_some_and(|buffer| buffer.stamp(header))
    }

    pub(super) fn record(&self) -> Option<&[u8]> {
        self.buffer.as_ref().and_then(StampedBuffer::record)
    }
}

impl Drop for FilledBlock {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.pool.give_back(buffer.into_memory(), self.holder.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn the_budget_is_kept_and_the_callback_comes_with_the_first_block_back() {
        let pool = BlockPool::new(2 * BLOCK_LENGTH);
        let woken = Arc::new(AtomicUsize::new(0));
        let counter = woken.clone();
        pool.on_available(move || {
            counter.fetch_add(1, Ordering::SeqCst);
        });
        let first = pool.take().unwrap();
        let second = pool.take().unwrap().freeze();
        drop(first);
        assert_eq!(woken.load(Ordering::SeqCst), 0, "nobody was refused yet");
        let first = pool.take().unwrap();
        assert!(pool.take().is_none());
        let twin = second.clone();
        drop(second);
        assert!(pool.take().is_none(), "still shared");
        drop(twin);
        assert_eq!(woken.load(Ordering::SeqCst), 1);
        drop(first);
        assert_eq!((woken.load(Ordering::SeqCst), pool.available()), (1, 2));
    }

    struct Share(AtomicUsize);

    impl Holder for Share {
        fn taken(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }

        fn given_back(&self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_holder_has_a_block_until_the_last_who_shares_it_is_done() {
        let (pool, share) = (BlockPool::new(4 * BLOCK_LENGTH), Arc::new(Share(0.into())));
        let held = || share.0.load(Ordering::SeqCst);
        let filling = pool.take_for(share.clone()).unwrap();
        let digested = pool.take_for(share.clone()).unwrap().freeze();
        let written = digested.clone();
        assert_eq!(held(), 2);
        drop(digested);
        assert_eq!(held(), 2, "it is being written still");
        drop((written, filling));
        assert_eq!((held(), pool.available()), (0, 4));
    }

    #[test]
    fn a_block_takes_what_fits_and_shows_it() {
        let mut block = BlockPool::new(0).take().unwrap();
        assert_eq!(block.fill(&vec![1; BLOCK_PAYLOAD_LENGTH - 1]), BLOCK_PAYLOAD_LENGTH - 1);
        assert!(!block.is_full() && !block.is_empty());
        assert_eq!(block.fill(&[2, 3]), 1);
        assert!(block.is_full());
        assert_eq!(block.freeze().payload().last(), Some(&2));
    }
}

//! Page-aligned memory, and the one place of the journal with unsafe memory handling.
//!
//! Two types. [`AlignedBuffer`] is a plain owned buffer, as direct I/O wants it. [`StampedBuffer`]
//! is one that is shared between a writer and a digest worker: its payload is frozen, its first
//! [`RECORD_HEADER_LENGTH`] bytes may be written once, later, through a shared reference.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, Ordering};

use super::record::RECORD_HEADER_LENGTH;
use crate::limits::JOURNAL_ALIGNMENT;

/// Owned memory whose address and length are multiples of [`JOURNAL_ALIGNMENT`].
pub struct AlignedBuffer {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the buffer owns its memory alone, as a `Box<[u8]>` does; nothing in it is tied to a thread.
unsafe impl Send for AlignedBuffer {}
// SAFETY: through `&AlignedBuffer` the memory can only be read.
unsafe impl Sync for AlignedBuffer {}

impl AlignedBuffer {
    /// Zeroed memory of at least `length` bytes (rounded up, never empty).
    pub fn new(length: usize) -> Self {
        let length = length.max(1).next_multiple_of(JOURNAL_ALIGNMENT);
        let layout = Self::layout(length);
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        Self { start, length }
    }

    fn layout(length: usize) -> Layout {
        match Layout::from_size_align(length, JOURNAL_ALIGNMENT) {
            Ok(layout) => layout,
            Err(_) => panic!("a buffer longer than the address space"),
        }
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: `start` is valid for `length` initialised bytes as long as `self` lives.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `&mut self` excludes every other reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this very layout, and freed only here.
        unsafe { dealloc(self.start.as_ptr(), Self::layout(self.length)) }
    }
}

const BLANK: u8 = 0;
const STAMPING: u8 = 1;
const STAMPED: u8 = 2;

/// A buffer whose payload is frozen and whose header room can be stamped once while it is shared.
///
/// The argument for soundness: references handed out cover either the payload alone (any time), or
/// the whole buffer (only after the state is `STAMPED`). The header room is written only by the
/// thread that won the exchange `BLANK -> STAMPING`, through the raw pointer, and before the release
/// store of `STAMPED`. So no reference ever covers bytes that are being written, and whoever sees
/// `STAMPED` (acquire) sees the header whole. Going back to owned memory takes `self`.
pub struct StampedBuffer {
    memory: AlignedBuffer,
    state: AtomicU8,
}

impl StampedBuffer {
    /// Freezes the payload; the buffer must be longer than the header room (every pool block is).
    pub fn new(memory: AlignedBuffer) -> Self {
        assert!(memory.length > RECORD_HEADER_LENGTH);
        Self { memory, state: AtomicU8::new(BLANK) }
    }

    /// Everything behind the header room.
    pub fn payload(&self) -> &[u8] {
        let length = self.memory.length - RECORD_HEADER_LENGTH;
        // SAFETY: within the allocation, initialised, and never written again (see the type).
        unsafe {
            let start = self.memory.start.as_ptr().add(RECORD_HEADER_LENGTH);
            std::slice::from_raw_parts(start, length)
        }
    }

    /// Writes the header room; false if it was written (or is being written) already.
    #[must_use]
    pub fn stamp(&self, header: &[u8; RECORD_HEADER_LENGTH]) -> bool {
        let won =
            self.state.compare_exchange(BLANK, STAMPING, Ordering::Acquire, Ordering::Relaxed);
        if won.is_err() {
            return false;
        }
        // SAFETY: within the allocation; this thread alone may write the header room, and no
        // reference covers it before the store below (see the type).
        unsafe {
            let room = self.memory.start.as_ptr();
            std::ptr::copy_nonoverlapping(header.as_ptr(), room, RECORD_HEADER_LENGTH);
        }
        self.state.store(STAMPED, Ordering::Release);
        true
    }

    /// Header and payload, once stamped.
    pub fn record(&self) -> Option<&[u8]> {
        // From here on the whole memory is read-only.
        (self.state.load(Ordering::Acquire) == STAMPED).then(|| &*self.memory)
    }

    /// The memory again, for its next use.
    pub fn into_memory(self) -> AlignedBuffer {
        self.memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_aligned_and_zeroed() {
        let buffer = AlignedBuffer::new(5000);
        assert_eq!(buffer.len(), 8192);
        assert_eq!(buffer.as_ptr() as usize % JOURNAL_ALIGNMENT, 0);
        assert!(buffer.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_header_is_stamped_once_while_the_payload_is_read() {
        let mut memory = AlignedBuffer::new(4096);
        memory[64..].fill(7);
        let shared = StampedBuffer::new(memory);
        assert!(shared.record().is_none());
        let won = std::thread::scope(|scope| {
            let reader = scope.spawn(|| shared.payload().iter().all(|byte| *byte == 7));
            let stampers: Vec<_> = (1..=3u8)
                .map(|n| {
                    let shared = &shared;
                    scope.spawn(move || shared.stamp(&[n; 64]))
                })
                .collect();
            assert!(reader.join().unwrap());
            stampers
                .into_iter()
                .filter(|_| true)
                .map(|s| s.join().unwrap())
                .filter(|won| *won)
                .count()
        });
        assert_eq!(won, 1);
        assert_eq!(shared.record().unwrap().len(), 4096);
    }
}

//! The receive buffer of one association: one allocation, lent to whoever reads the socket.

use std::ptr::NonNull;

/// Bytes that one read of the socket may bring.
pub const RECEIVE_BUFFER_LENGTH: usize = 256 << 10;

/// `start..end` is received and not yet taken; `end..` is free and may be lent.
///
/// The memory is reached through a raw pointer only, because the free part is written by the
/// kernel, through a view that the event loop holds, while this struct is not borrowed.
pub struct ReceiveBuffer {
    memory: NonNull<u8>,
    start: usize,
    end: usize,
}

// SAFETY: the pointer is owned by this struct alone; all access goes through `&self`/`&mut self`.
unsafe impl Send for ReceiveBuffer {}

impl ReceiveBuffer {
    /// An empty buffer.
    pub fn new() -> Self {
        let memory = Box::leak(vec![0u8; RECEIVE_BUFFER_LENGTH].into_boxed_slice());
        Self { memory: NonNull::from(memory).cast(), start: 0, end: 0 }
    }

    /// Pointer and length of the free part: never empty unless the buffer is full of bytes that
    /// could not be taken yet.
    pub fn free(&mut self) -> (*mut u8, usize) {
        self.compact();
        // SAFETY: `end <= RECEIVE_BUFFER_LENGTH`, so the result stays within the allocation.
        let pointer = unsafe { self.memory.as_ptr().add(self.end) };
        (pointer, RECEIVE_BUFFER_LENGTH - self.end)
    }

    /// `many` bytes were written into the free part; false if that cannot be.
    pub fn received(&mut self, many: usize) -> bool {
        let fits = many <= RECEIVE_BUFFER_LENGTH - self.end;
        if fits {
            self.end += many;
        }
        fits
    }

    /// Bytes received and not yet taken. The slice must not outlive the next call that takes
    /// `&mut self`; it is not tied to `&self` so that the engine may hold it beside its own state.
    pub fn pending<'a>(&self) -> &'a [u8] {
        // SAFETY: `start..end` is initialised memory of this buffer. It is written again only after
        // `compact`, which `free` alone calls, when the event loop asks for room for its next read:
        // by then every event that borrowed the slice has been dealt with (see `Peer::pump`).
        unsafe {
            std::slice::from_raw_parts(self.memory.as_ptr().add(self.start), self.end - self.start)
        }
    }

    /// The first `many` pending bytes were taken.
    pub fn take(&mut self, many: usize) {
        self.start = (self.start + many).min(self.end);
    }

    fn compact(&mut self) {
        let pending = self.end - self.start;
        if self.start > 0 {
            let base = self.memory.as_ptr();
            // SAFETY: both ranges lie in the allocation; `copy` allows them to overlap.
            unsafe { std::ptr::copy(base.add(self.start), base, pending) };
        }
        (self.start, self.end) = (0, pending);
    }
}

impl Default for ReceiveBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for ReceiveBuffer {
    fn drop(&mut self) {
        let memory =
            std::ptr::slice_from_raw_parts_mut(self.memory.as_ptr(), RECEIVE_BUFFER_LENGTH);
        // SAFETY: made by `Box::leak` of a boxed slice of exactly this length in `new`.
        drop(unsafe { Box::from_raw(memory) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(buffer: &mut ReceiveBuffer, bytes: &[u8]) -> bool {
        let (pointer, room) = buffer.free();
        let many = bytes.len().min(room);
        // SAFETY: `room` bytes are free at `pointer`.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), pointer, many) };
        buffer.received(bytes.len())
    }

    #[test]
    fn what_was_not_taken_is_still_there_after_the_next_read() {
        let mut buffer = ReceiveBuffer::new();
        assert!(write(&mut buffer, b"abcdef"));
        buffer.take(4);
        assert!(write(&mut buffer, b"gh"));
        assert_eq!(buffer.pending(), b"efgh");
    }

    #[test]
    fn it_takes_exactly_its_length_and_not_one_byte_more() {
        let mut buffer = ReceiveBuffer::new();
        assert!(write(&mut buffer, &vec![1; RECEIVE_BUFFER_LENGTH]));
        assert_eq!(buffer.free().1, 0);
        assert!(!buffer.received(1));
    }
}

//! Pieces: what a volume is given out in, in memory that a store can write as it is.

use std::ops::Deref;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::assembly::PIECE_LENGTH;
use crate::journal::aligned::AlignedBuffer;

/// Bytes of the TAR file, at an address as direct I/O wants it. Once it is dropped, its memory is used for another
/// piece of the same volume.
pub struct Piece {
    /// Only the drop takes it.
    memory: Option<AlignedBuffer>,
    length: usize,
    spare: SyncSender<AlignedBuffer>,
}

/// Where pieces of a volume get their memory.
pub struct Memory {
    used: Receiver<AlignedBuffer>,
    spare: SyncSender<AlignedBuffer>,
}

impl Memory {
    /// Keeps that of so many pieces that are in no use.
    pub fn new(spare_max: usize) -> Self {
        let (spare, used) = sync_channel(spare_max);
        Self { used, spare }
    }

    /// An empty piece, in memory that was used before if there is any.
    pub fn begin(&self) -> Piece {
        let memory = self.used.try_recv().unwrap_or_else(|_| AlignedBuffer::new(PIECE_LENGTH));
        Piece { memory: Some(memory), length: 0, spare: self.spare.clone() }
    }
}

impl Piece {
    /// Takes as many bytes as there is room for; the others.
    pub fn fill<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(memory) = &mut self.memory else { return bytes };
        let room = &mut memory[self.length..];
        let (now, later) = bytes.split_at(bytes.len().min(room.len()));
        room[..now.len()].copy_from_slice(now);
        self.length += now.len();
        later
    }

    /// Whether there is no room left.
    pub fn is_full(&self) -> bool {
        self.length == PIECE_LENGTH
    }
}

impl Deref for Piece {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.memory.as_ref().map_or(&[], |memory| &memory[..self.length])
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Some(memory) = self.memory.take() {
            // One too many is simply freed.
            let _ = self.spare.try_send(memory);
        }
    }
}

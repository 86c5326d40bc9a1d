//! The waiting room: received instances that wait for the catalogue, or for a twin's outcome.
//!
//! Nobody who waits holds a block of the pool, or many senders of studies that a silent catalogue
//! does not open would take the pool from those who need not wait. What fills no block is copied
//! into memory of the room's own, and that is bounded.

use std::collections::HashMap;

use super::node::Candidate;
use crate::dedup::Ticket;
use crate::journal::Tail;
use crate::limits::BLOCK_LENGTH;

/// Bytes that all who wait have beside the pool: as much as half of the pool by default, and a block
/// for each of the associations that there may be by default, with some to spare.
pub const PARKED_BYTES_MAX: usize = 256 * BLOCK_LENGTH;

/// See the module.
#[derive(Default)]
pub struct WaitingRoom {
    waiting: HashMap<Ticket, Candidate>,
    bytes: usize,
}

impl WaitingRoom {
    /// Let it wait; it is given back if there is no room for what it holds.
    #[must_use]
    pub fn park(&mut self, ticket: Ticket, candidate: Candidate) -> Option<Candidate> {
        let length = candidate.tail.as_bytes().len();
        if self.bytes + length > PARKED_BYTES_MAX {
            return Some(candidate);
        }
        self.park_anyway(ticket, candidate.without_block());
        None
    }

    /// Let it wait with the block that it has: for those whose wait is as short as a write.
    pub fn park_anyway(&mut self, ticket: Ticket, candidate: Candidate) {
        self.bytes += held(&candidate);
        self.waiting.insert(ticket, candidate);
    }

    /// Who waits by this ticket.
    pub fn get(&self, ticket: Ticket) -> Option<&Candidate> {
        self.waiting.get(&ticket)
    }

    /// Its wait is over.
    pub fn leave(&mut self, ticket: Ticket) -> Option<Candidate> {
        let candidate = self.waiting.remove(&ticket)?;
        self.bytes -= held(&candidate);
        Some(candidate)
    }
}

/// Bytes that it has of the room's memory.
fn held(candidate: &Candidate) -> usize {
    match &candidate.tail {
        Tail::Bytes(bytes) => bytes.len(),
        Tail::Empty | Tail::Block(_) => 0,
    }
}

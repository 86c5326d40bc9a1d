//! One C-STORE-RQ on its way out: command and data set as ready PDUs, about 1 MiB at a time.

use std::io::{self, Read};

use crate::association::Outgoing;
use crate::command::CommandSet;

/// Data set bytes in one piece of ready PDUs.
pub const PIECE_LENGTH: usize = 1 << 20;

/// A data set being sent on one presentation context.
///
/// The source verifies what it gives (the journal checks each record before a byte leaves);
/// memory is one piece, whatever the length of the instance.
pub struct StoreTransfer {
    source: Box<dyn Read + Send>,
    remaining: u64,
    context_id: u8,
    outgoing: Outgoing,
    piece: Vec<u8>,
    ready: Vec<u8>,
}

impl StoreTransfer {
    /// `length` bytes of `source` after `command`, cut for the peer by `outgoing`.
    pub fn new(
        source: Box<dyn Read + Send>,
        length: u64,
        context_id: u8,
        outgoing: Outgoing,
        command: &CommandSet,
    ) -> Self {
        let ready = outgoing.command(context_id, command);
        Self { source, remaining: length, context_id, outgoing, piece: Vec::new(), ready }
    }

    /// The next ready PDUs; None at the end. An error leaves nothing half said: abort.
    pub fn next_piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.remaining > 0 {
            let length = self.remaining.min(PIECE_LENGTH as u64);
            self.remaining -= length;
            self.piece.resize(length as usize, 0);
            self.source.read_exact(&mut self.piece)?;
            let last = self.remaining == 0;
            self.outgoing.data_set(self.context_id, &self.piece, last, &mut self.ready);
        }
        let ready = std::mem::take(&mut self.ready);
        Ok((!ready.is_empty()).then_some(ready))
    }
}

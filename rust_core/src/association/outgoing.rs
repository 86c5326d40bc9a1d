//! What we send on an established association: commands and data sets as P-DATA-TF PDUs.

use super::table::{self, TableEvent};
use super::{Association, LocalError};
use crate::command::CommandSet;
use crate::limits::{COMMAND_SET_LENGTH_MAX, PDU_LENGTH_MAX_PEER_LEAST};
use crate::pdu::{PDU_HEADER_LENGTH, PDV_HEADER_LENGTH, write_data_header};

/// Cuts messages to a peer's maximum PDU length. A copy of it lets a worker make ready PDUs
/// without the engine: it changes no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    length_max: u32,
}

impl Default for Outgoing {
    /// Before a peer has said its maximum: the least that any may say.
    fn default() -> Self {
        Self { length_max: PDU_LENGTH_MAX_PEER_LEAST }
    }
}

impl Outgoing {
    /// For bodies of at most `length_max` bytes (see `pdu_length_max_to_peer`).
    pub(super) fn new(length_max: u32) -> Self {
        Self { length_max: length_max.max(PDU_LENGTH_MAX_PEER_LEAST) }
    }

    /// The most bytes of a message that one PDU carries.
    pub fn fragment_length_max(self) -> usize {
        // Every fragment has an even number of bytes (PS3.8 E.1).
        (self.length_max as usize - PDV_HEADER_LENGTH) & !1
    }

    /// A command set as ready PDUs.
    pub fn command(self, context_id: u8, command: &CommandSet) -> Vec<u8> {
        let mut out = Vec::new();
        self.fragments(context_id, true, &command.encode(), true, &mut out);
        out
    }

    /// Appends a piece of a data set to `out` as PDUs. The piece with `last` ends the data set and
    /// may be empty. Pieces must have even lengths
    /// (PS3.8 E.1); this is not checked.
    pub fn data_set(self, context_id: u8, bytes: &[u8], last: bool, out: &mut Vec<u8>) {
        self.fragments(context_id, false, bytes, last, out);
    }

    fn fragments(self, context_id: u8, command: bool, bytes: &[u8], last: bool, out: &mut Vec<u8>) {
        let size = self.fragment_length_max();
        let pdus = bytes.len().div_ceil(size).max(1);
        out.reserve(bytes.len() + pdus * (PDU_HEADER_LENGTH + PDV_HEADER_LENGTH));
        let mut rest = bytes;
        while !rest.is_empty() {
            let (fragment, behind) = rest.split_at(rest.len().min(size));
            rest = behind;
            let ends = last && rest.is_empty();
            write_data_header(out, context_id, command, ends, fragment.len() as u32);
            out.extend_from_slice(fragment);
        }
        if last && bytes.is_empty() {
            write_data_header(out, context_id, command, true, 0);
        }
    }
}

impl Association {
    /// Makes ready PDUs for this peer; usable once the association is established.
    pub fn outgoing(&self) -> Outgoing {
        Outgoing::new(self.length_max_to_peer)
    }

    /// A command set as ready PDUs, fragmented to the peer's maximum length.
    ///
    /// # Errors
    /// [`LocalError`] if the state allows no data, the context was not accepted, or the command
    /// set is longer than `COMMAND_SET_LENGTH_MAX`.
    pub fn command(&self, context_id: u8, command: &CommandSet) -> Result<Vec<u8>, LocalError> {
        let length = command.encode().len();
        if length > COMMAND_SET_LENGTH_MAX {
            return Err(LocalError::CommandTooLong(length));
        }
        self.may_send(context_id)?;
        Ok(self.outgoing().command(context_id, command))
    }

    /// Appends a piece of a data set to `out` as PDUs, fragmented to the peer's maximum length.
    /// The piece with `last` ends the data set and may be empty. Pieces must have even lengths
    /// (PS3.8 E.1); this is not checked.
    ///
    /// # Errors
    /// [`LocalError`] if the state allows no data or the context was not accepted; `out` is as it
    /// was.
    pub fn data_set(
        &self,
        context_id: u8,
        bytes: &[u8],
        last: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), LocalError> {
        self.may_send(context_id)?;
        self.outgoing().data_set(context_id, bytes, last, out);
        Ok(())
    }

    /// The most bytes of a data set that one of our PDUs carries on this association.
    pub fn fragment_length_max(&self) -> usize {
        self.outgoing().fragment_length_max()
    }

    fn may_send(&self, context_id: u8) -> Result<(), LocalError> {
        // DT-1 and AR-7 stay in their states, so nothing changes here.
        if table::action(TableEvent::Evt9, self.state()).is_none() {
            return Err(LocalError::State(self.state()));
        }
        match self.context(context_id) {
            Some(_) => Ok(()),
            None => Err(LocalError::ContextNotAccepted(context_id)),
        }
    }
}

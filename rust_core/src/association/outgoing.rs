//! What we send on an established association: commands and data sets as P-DATA-TF PDUs.

use super::table::{self, TableEvent};
use super::{Association, LocalError};
use crate::command::CommandSet;
use crate::limits::COMMAND_SET_LENGTH_MAX;
use crate::pdu::{PDU_HEADER_LENGTH, PDV_HEADER_LENGTH, write_data_header};

impl Association {
    /// A command set as ready PDUs, fragmented to the peer's maximum length.
    ///
    /// # Errors
    /// [`LocalError`] if the state allows no data, the context was not accepted, or the command
    /// set is longer than `COMMAND_SET_LENGTH_MAX`.
    pub fn command(&self, context_id: u8, command: &CommandSet) -> Result<Vec<u8>, LocalError> {
        let bytes = command.encode();
        if bytes.len() > COMMAND_SET_LENGTH_MAX {
            return Err(LocalError::CommandTooLong(bytes.len()));
        }
        let mut out = Vec::new();
        self.fragments(context_id, true, &bytes, true, &mut out)?;
        Ok(out)
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
        self.fragments(context_id, false, bytes, last, out)
    }

    /// The most bytes of a data set that one of our PDUs carries on this association.
    pub fn fragment_length_max(&self) -> usize {
        // Every fragment has an even number of bytes (PS3.8 E.1).
        (self.length_max_to_peer as usize - PDV_HEADER_LENGTH) & !1
    }

    fn fragments(
        &self,
        context_id: u8,
        command: bool,
        bytes: &[u8],
        last: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), LocalError> {
        // DT-1 and AR-7 stay in their states, so nothing changes here.
        if table::action(TableEvent::Evt9, self.state()).is_none() {
            return Err(LocalError::State(self.state()));
        }
        if self.context(context_id).is_none() {
            return Err(LocalError::ContextNotAccepted(context_id));
        }
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
        Ok(())
    }
}

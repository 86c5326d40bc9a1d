//! The order of fragments: a command set, then its data set if it announced one (PS3.7 6.3, PS3.8
//! Annex E).

use crate::command::{Command, CommandError, CommandSet};
use crate::limits::{COMMAND_SET_LENGTH_MAX, FRAGMENT_LENGTH_AVERAGE_LEAST, FRAGMENTS_FREE};
use crate::refusal::{Entry, protocol};

/// Where in a message the peer is, and what of its command set has come.
#[derive(Debug, Default)]
pub(super) struct Message {
    expected: Expected,
    /// Fragments of the command set; grows as they come, never beyond `COMMAND_SET_LENGTH_MAX`.
    command: Vec<u8>,
    /// Fragments of the message so far.
    fragments: u64,
    /// Bytes that they claim to carry.
    carried: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expected {
    /// A new command, on any context.
    #[default]
    Command,
    /// The rest of a command set.
    RestOfCommand(u8),
    /// The data set that a command announced, or its rest.
    DataSet(u8),
}

impl Message {
    /// Whether a message has begun and not ended.
    pub fn is_open(&self) -> bool {
        self.expected != Expected::Command
    }

    /// Judges a PDV by its header, before a byte of its fragment is taken.
    pub fn open(
        &mut self,
        context_id: u8,
        command: bool,
        length: u32,
    ) -> Result<(), &'static Entry> {
        match (self.expected, command) {
            (Expected::Command, true) => {
                self.expected = Expected::RestOfCommand(context_id);
                (self.fragments, self.carried) = (0, 0);
            }
            (Expected::RestOfCommand(id), true) if id == context_id => {}
            (Expected::DataSet(id), false) if id == context_id => return self.count(length),
            (Expected::Command, false) => return Err(&protocol::DATA_SET_UNASKED),
            (Expected::RestOfCommand(_), false) => return Err(&protocol::DATA_SET_EARLY),
            (Expected::DataSet(_), true) => return Err(&protocol::COMMAND_EARLY),
            (Expected::RestOfCommand(_) | Expected::DataSet(_), _) => {
                return Err(&protocol::FRAGMENTS_MIXED);
            }
        }
        if self.command.len() as u64 + u64::from(length) > COMMAND_SET_LENGTH_MAX as u64 {
            return Err(&protocol::COMMAND_TOO_LONG);
        }
        self.count(length)
    }

    /// A message of crumbs costs its receiver far more than its sender.
    fn count(&mut self, length: u32) -> Result<(), &'static Entry> {
        self.fragments += 1;
        self.carried += u64::from(length);
        if self.fragments > FRAGMENTS_FREE + self.carried / FRAGMENT_LENGTH_AVERAGE_LEAST {
            return Err(&protocol::FRAGMENTS_TOO_MANY);
        }
        Ok(())
    }

    /// Keeps a piece of a command fragment.
    pub fn extend_command(&mut self, piece: &[u8]) {
        self.command.extend_from_slice(piece);
    }

    /// The command set is whole: says what it means and expects what it announced.
    pub fn finish_command(
        &mut self,
        context_id: u8,
    ) -> Result<(Command, CommandSet), CommandError> {
        let raw = CommandSet::decode(&self.command)?;
        self.command.clear();
        let command = Command::of(&raw)?;
        self.expected =
            if command.has_data_set() { Expected::DataSet(context_id) } else { Expected::Command };
        Ok((command, raw))
    }

    /// The data set is whole.
    pub fn finish_data_set(&mut self) {
        self.expected = Expected::Command;
    }
}

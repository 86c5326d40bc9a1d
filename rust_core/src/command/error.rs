//! What is wrong with a command set, and where.

use std::fmt;

/// A command set that cannot be read: always the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandError {
    /// Byte of the command set at which the fault was seen.
    pub offset: usize,
    /// What is wrong there.
    pub kind: CommandErrorKind,
}

/// The ways in which a command set can be wrong as a whole. A fault in the value of one element
/// can be answered, and is a [`super::CommandFault`] instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CommandErrorKind {
    /// Longer than a command set may be.
    TooLong,
    /// An element header or value goes past the end.
    Short,
    /// Group length is absent, not first or not four bytes long.
    NoGroupLength,
    /// Group length is not the number of bytes that follow it.
    GroupLength,
    /// An element of another group than 0000.
    Group,
    /// Elements are not in ascending order.
    Unsorted,
    /// An element is there twice.
    Duplicate,
    /// A value length is odd.
    OddLength,
    /// Command Field, Command Data Set Type or the message id is absent or not one US: the
    /// message can be neither delimited nor answered.
    Unanswerable,
}

impl CommandErrorKind {
    /// The fault in words, without any value.
    pub fn what(self) -> &'static str {
        match self {
            Self::TooLong => "command set is too long",
            Self::Short => "command element goes past the end of the command set",
            Self::NoGroupLength => "command set does not begin with its group length",
            Self::GroupLength => "command group length is wrong",
            Self::Group => "command set has an element of another group",
            Self::Unsorted => "command elements are not in ascending order",
            Self::Duplicate => "command element is present twice",
            Self::OddLength => "command element has an odd length",
            Self::Unanswerable => "command field, data set type or message id is missing",
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind.what(), self.offset)
    }
}

impl std::error::Error for CommandError {}

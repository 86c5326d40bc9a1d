//! What is wrong with a command set, and where.

use std::fmt;

use crate::refusal::{Entry, protocol};

/// A command set that cannot be read: always the sender's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandError {
    /// Byte of the command set at which the fault was seen.
    pub offset: usize,
    /// What is wrong there.
    pub kind: CommandErrorKind,
}

/// The ways in which a command set can be wrong as a whole. A fault in the value of one element
/// of a request can be answered, and is a [`super::CommandFault`] instead.
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
    /// A response or a C-CANCEL-RQ, which nothing answers, with an element missing or mistyped.
    Response,
}

impl CommandErrorKind {
    /// What a refusal by this fault says.
    pub fn entry(self) -> &'static Entry {
        match self {
            Self::TooLong => &protocol::COMMAND_TOO_LONG,
            Self::Short => &protocol::COMMAND_SHORT,
            Self::NoGroupLength => &protocol::COMMAND_NO_LENGTH,
            Self::GroupLength => &protocol::COMMAND_LENGTH,
            Self::Group => &protocol::COMMAND_GROUP,
            Self::Unsorted => &protocol::COMMAND_ORDER,
            Self::Duplicate => &protocol::COMMAND_TWICE,
            Self::OddLength => &protocol::COMMAND_ODD,
            Self::Unanswerable => &protocol::COMMAND_UNANSWERABLE,
            Self::Response => &protocol::RESPONSE_MALFORMED,
        }
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind.entry().text, self.offset)
    }
}

impl std::error::Error for CommandError {}

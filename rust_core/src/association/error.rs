//! Whose fault it is: the peer's ([`Failure`]) or ours ([`LocalError`]).

use std::fmt;

use super::State;
use crate::pdu::Abort;
use crate::refusal::Entry;

/// The peer broke the protocol; the association is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What to send before closing the transport; `None` if it was handed out before.
    pub answer: Option<Abort>,
    /// What was wrong, without any content of the peer's.
    pub entry: &'static Entry,
    /// Byte at which it was seen, counted from the first byte of the association.
    pub offset: u64,
}

/// The caller asked for something that cannot be done now; nothing was changed or sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalError {
    /// The state table has no action for it in this state.
    State(State),
    /// The context was not accepted.
    ContextNotAccepted(u8),
    /// The answer names a context that was not proposed, names it twice, or leaves one out.
    AnswerDoesNotMatch(u8),
    /// The answer accepts a transfer syntax that was not proposed for the context.
    TransferSyntaxNotProposed(u8),
    /// The answer accepts a context with more transfer syntaxes than we look at.
    TooManyTransferSyntaxes(u8),
    /// The peer's maximum PDU length is too small to carry anything useful.
    PeerLengthTooSmall(u32),
    /// The command set is longer than a command set may be.
    CommandTooLong(usize),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {} of the association", self.entry.text, self.offset)
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for LocalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => write!(f, "not possible in state {state:?} ({})", state.words()),
            Self::ContextNotAccepted(id) => write!(f, "presentation context {id} is not accepted"),
            Self::AnswerDoesNotMatch(id) => {
                write!(f, "answer to presentation context {id} does not match what was proposed")
            }
            Self::TransferSyntaxNotProposed(id) => {
                write!(f, "transfer syntax was not proposed for presentation context {id}")
            }
            Self::TooManyTransferSyntaxes(id) => {
                write!(f, "presentation context {id} has too many transfer syntaxes")
            }
            Self::PeerLengthTooSmall(length) => {
                write!(f, "peer takes at most {length} bytes a PDU, too few")
            }
            Self::CommandTooLong(length) => write!(f, "command set of {length} bytes is too long"),
        }
    }
}

impl std::error::Error for LocalError {}

//! What is wrong with a PDU, and where.

use std::fmt;

use crate::refusal::{Entry, protocol};

/// A PDU that cannot be read: always the sender's fault, never worth a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PduError {
    /// Byte at which the fault was seen, counted from the start of what was decoded.
    pub offset: usize,
    /// What is wrong there.
    pub kind: PduErrorKind,
}

/// The ways in which a PDU can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PduErrorKind {
    /// The first byte names no PDU type.
    UnknownType,
    /// The PDU's length is not one its type can have.
    Length,
    /// A field or item claims more bytes than its surroundings hold.
    Short,
    /// Bytes are left after the last field of an item of fixed form.
    Trailing,
    /// An item that must be there is not.
    Missing,
    /// An item that may be there once is there again.
    Duplicate,
    /// An item of another kind than belongs here.
    UnexpectedItem,
    /// A presentation context id is even.
    ContextIdEven,
    /// A presentation context id is used twice.
    ContextIdDuplicate,
    /// Not a UID (PS3.5 9.1: digits and dots, 1 to 64 characters).
    Uid,
    /// Text with characters outside ASCII, or control characters.
    Text,
    /// A value that the standard does not define for this field.
    Value,
}

impl PduErrorKind {
    /// What a refusal by this fault says.
    pub fn entry(self) -> &'static Entry {
        match self {
            Self::UnknownType => &protocol::PDU_TYPE,
            Self::Length => &protocol::PDU_LENGTH,
            Self::Short => &protocol::PDU_SHORT,
            Self::Trailing => &protocol::PDU_TRAILING,
            Self::Missing => &protocol::PDU_MISSING,
            Self::Duplicate => &protocol::PDU_DUPLICATE,
            Self::UnexpectedItem => &protocol::PDU_ITEM,
            Self::ContextIdEven => &protocol::CONTEXT_EVEN,
            Self::ContextIdDuplicate => &protocol::CONTEXT_TWICE,
            Self::Uid => &protocol::PDU_UID,
            Self::Text => &protocol::PDU_TEXT,
            Self::Value => &protocol::PDU_VALUE,
        }
    }
}

impl PduError {
    pub(super) fn at(offset: usize, kind: PduErrorKind) -> Self {
        Self { offset, kind }
    }

    pub(super) fn shifted(self, by: usize) -> Self {
        Self { offset: self.offset + by, kind: self.kind }
    }
}

impl fmt::Display for PduError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind.entry().text, self.offset)
    }
}

impl std::error::Error for PduError {}

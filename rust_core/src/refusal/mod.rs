//! Refusals: why something was not taken, in the words that a peer, a log and a person can read.
//!
//! There is one catalogue. A [`Refusal`] is one of its entries, with where it showed; it cannot be
//! made of words. Documents, logs, metrics and DIMSE responses all render the same entries.

pub mod catalogue;
pub mod command;
pub mod comment;
pub mod commitment;
pub mod content;
pub mod ending;
mod entry;
pub mod protocol;
pub mod rejection;
pub mod service;
pub mod storage;

pub(crate) use entry::entries;
pub use entry::{Answer, Entry, Family, Turn, ValueClass};

/// A refusal of one instance or request: an entry of the catalogue, and where it showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong, whose turn it is, how to mend it.
    pub entry: &'static Entry,
    /// Offending Element (0000,0901), `(group << 16) | element`, if one can be named.
    pub offending: Option<u32>,
    /// Byte of the (inflated) data set at which it showed, where that is known.
    pub byte: Option<u64>,
}

impl Refusal {
    /// A refusal by this entry, of the attribute that it always names.
    pub const fn of(entry: &'static Entry) -> Self {
        Self { entry, offending: entry.attribute, byte: None }
    }

    /// A refusal by this entry, of this element.
    pub const fn at(entry: &'static Entry, offending: Option<u32>) -> Self {
        Self { entry, offending, byte: None }
    }

    /// The same, seen at this byte.
    pub const fn at_byte(self, byte: u64) -> Self {
        Self { byte: Some(byte), ..self }
    }

    /// Stable name, for logs and documentation.
    pub const fn code(&self) -> &'static str {
        self.entry.code
    }

    /// DIMSE status (PS3.4 B.2.3, PS3.7 C).
    pub const fn status(&self) -> u16 {
        self.entry.status()
    }

    /// Error Comment (0000,0902): names attribute and rule, never a value.
    pub fn comment(&self) -> String {
        comment::render(self.entry.text, self.offending, self.byte)
    }
}

/// Success (PS3.7 C.1.1).
pub const SUCCESS: u16 = 0x0000;
/// Refused: not authorised (PS3.7 C.5.17).
pub const NOT_AUTHORISED: u16 = 0x0124;
/// Failed: processing failure (PS3.7 C.5.16).
pub const PROCESSING_FAILURE: u16 = 0x0110;
/// Refused: out of resources (PS3.4 B.2.3).
pub const OUT_OF_RESOURCES: u16 = 0xA700;
/// Error: data set does not match SOP class (PS3.4 B.2.3).
pub const DATA_SET_MISMATCH: u16 = 0xA900;
/// Error: cannot understand (PS3.4 B.2.3).
pub const CANNOT_UNDERSTAND: u16 = 0xC000;
/// Our fixed answer to the same SOP Instance UID with other content (C-range).
pub const CONFLICTING_CONTENT: u16 = 0xC0D1;

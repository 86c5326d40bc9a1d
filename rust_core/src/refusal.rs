//! Why an instance was refused, in the words a DIMSE response can carry.

use crate::limits::ERROR_COMMENT_LENGTH_MAX;

/// A refusal of one instance: DIMSE status, offending attribute, comment.
///
/// `comment` names the rule and the attribute, never a value (no patient data), and is at most
/// [`ERROR_COMMENT_LENGTH_MAX`] characters (PS3.7 C.4, LO).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stable name of the rule, for logs and documentation, e.g. `data-set-truncated`.
    pub code: &'static str,
    /// DIMSE status (PS3.4 B.2.3, PS3.7 C).
    pub status: u16,
    /// Offending Element (0000,0901), `(group << 16) | element`, if one can be named.
    pub offending: Option<u32>,
    /// Error Comment (0000,0902).
    pub comment: String,
}

impl Refusal {
    /// A refusal whose comment is cut to what Error Comment holds.
    pub fn new(
        code: &'static str,
        status: u16,
        offending: Option<u32>,
        comment: impl Into<String>,
    ) -> Self {
        let mut comment: String = comment.into();
        comment.retain(|c| c.is_ascii_graphic() || c == ' ');
        comment.truncate(ERROR_COMMENT_LENGTH_MAX);
        Self { code, status, offending, comment }
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

//! The tokens of a data set: what the walker hands on, one at a time.

use super::vr::Vr;

/// What the walker found next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// An element with a plain value; its bytes follow as [`Token::Value`].
    Element {
        /// Its tag.
        tag: u32,
        /// VR as sent, else by dictionary, else `UN`.
        vr: Vr,
        /// Length of the value, bytes.
        length: u32,
    },
    /// A piece of the value of the element or fragment before it; at least one for each.
    Value {
        /// The piece, possibly empty.
        bytes: &'a [u8],
        /// Whether the value ends with it.
        last: bool,
    },
    /// A sequence begins.
    SequenceStart {
        /// Its tag.
        tag: u32,
        /// `SQ` or `UN`.
        vr: Vr,
    },
    /// An item of the innermost sequence begins.
    ItemStart,
    /// The innermost item ends.
    ItemEnd,
    /// The innermost sequence ends.
    SequenceEnd,
    /// Encapsulated Pixel Data begins.
    FragmentsStart {
        /// Its tag.
        tag: u32,
        /// `OB` or `OW`.
        vr: Vr,
    },
    /// A fragment (the first is the Basic Offset Table); its bytes follow as [`Token::Value`].
    Fragment {
        /// Its length, bytes.
        length: u32,
    },
    /// Encapsulated Pixel Data ends.
    FragmentsEnd,
}

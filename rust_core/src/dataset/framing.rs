//! Framing faults: what makes a data set unreadable. They refuse always, by no one's leave.

use super::tag;
use crate::refusal::{CANNOT_UNDERSTAND, OUT_OF_RESOURCES, Refusal};

macro_rules! framing {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// A way in which bytes fail to be a data set (PS3.5 7, A).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Framing {
            $($(#[$doc])* $name,)*
        }

        impl Framing {
            /// Every fault, for documentation and tests.
            pub const ALL: &'static [Framing] = &[$(Framing::$name,)*];

            /// Stable name.
            pub const fn code(self) -> &'static str {
                match self { $(Framing::$name => $code,)* }
            }

            /// What the sender is told, before the tag.
            pub const fn text(self) -> &'static str {
                match self { $(Framing::$name => $text,)* }
            }
        }
    };
}

framing! {
    /// The bytes ended within an element, a sequence or an item.
    Truncated = "data-set-truncated", "data set truncated";
    /// No element at all, or only group lengths and padding.
    Empty = "data-set-empty", "data set has no elements";
    /// More bytes than `limits::INSTANCE_LENGTH_MAX`, received or inflated.
    TooLarge = "data-set-too-large", "data set larger than the limit";
    /// Implicit VR declared, explicit VR sent.
    ExplicitSent = "explicit-vr-sent", "implicit VR declared, explicit VR sent";
    /// Explicit VR declared, implicit VR sent.
    ImplicitSent = "implicit-vr-sent", "explicit VR declared, implicit VR sent";
    /// The first tag makes sense only with its bytes swapped.
    ByteOrder = "byte-order", "byte order is not the declared one";
    /// Two letters that are no VR (PS3.5 table 7.1-1).
    UnknownVr = "unknown-vr", "unknown VR";
    /// A group that no data set may hold (PS3.5 7.1).
    UnlawfulGroup = "unlawful-group", "group not lawful in a data set";
    /// Undefined length where PS3.5 7.1.2 allows none.
    UndefinedLength = "undefined-length", "undefined length not lawful";
    /// A claim larger than what is left of the item or sequence around it.
    Overrun = "length-overrun", "length exceeds enclosing item or sequence";
    /// An item or sequence of defined length ends within an element.
    ItemLength = "item-length", "item or sequence ends inside an element";
    /// Something other than an item where only items may be.
    ItemExpected = "item-expected", "item expected";
    /// An item or delimiter where none is open.
    StrayDelimiter = "stray-delimiter", "stray item or delimiter";
    /// A delimiter whose length is not zero (PS3.5 7.5.1).
    DelimiterLength = "delimiter-length", "delimiter with a length";
    /// Sequences deeper than `limits::SEQUENCE_DEPTH_MAX`.
    Depth = "sequence-depth", "sequences nested too deep";
    /// Defined-length Pixel Data in an encapsulated syntax (PS3.5 A.4).
    NotEncapsulated = "pixel-data-not-encapsulated", "native pixels in encapsulated syntax";
    /// Fragments in a native syntax.
    Encapsulated = "pixel-data-encapsulated", "encapsulated pixels in native syntax";
    /// Encapsulated Pixel Data without its Basic Offset Table item (PS3.5 A.4).
    OffsetTableMissing = "offset-table-missing", "Basic Offset Table item missing";
    /// Anything after Data Set Trailing Padding, or padding within an item (PS3.10 7.2).
    PaddingNotLast = "padding-not-last", "trailing padding is not last";
    /// Too many elements out of order to tell whether one is twice there.
    OrderUnknowable = "order-unknowable", "too many elements out of tag order";
    /// The deflated stream is no deflated stream (PS3.5 A.5, RFC 1951).
    DeflateCorrupt = "deflate-corrupt", "deflated data set corrupt";
    /// The deflated stream did not end.
    DeflateTruncated = "deflate-truncated", "deflated data set truncated";
    /// Bytes after the deflated stream other than its one pad byte (PS3.5 A.5).
    DeflateTrailing = "deflate-trailing", "bytes after the deflated data set";
}

impl Framing {
    /// DIMSE status: all are C000H, except that a too large instance is a matter of room.
    pub const fn status(self) -> u16 {
        match self {
            Framing::TooLarge => OUT_OF_RESOURCES,
            Framing::Truncated
            | Framing::Empty
            | Framing::ExplicitSent
            | Framing::ImplicitSent
            | Framing::ByteOrder
            | Framing::UnknownVr
            | Framing::UnlawfulGroup
            | Framing::UndefinedLength
            | Framing::Overrun
            | Framing::ItemLength
            | Framing::ItemExpected
            | Framing::StrayDelimiter
            | Framing::DelimiterLength
            | Framing::Depth
            | Framing::NotEncapsulated
            | Framing::Encapsulated
            | Framing::OffsetTableMissing
            | Framing::PaddingNotLast
            | Framing::OrderUnknowable
            | Framing::DeflateCorrupt
            | Framing::DeflateTruncated
            | Framing::DeflateTrailing => CANNOT_UNDERSTAND,
        }
    }

    /// The fault at an element.
    #[cold]
    pub const fn at(self, offending: Option<u32>) -> Fault {
        Fault { framing: self, offending }
    }

    /// The refusal, naming the element where it showed.
    #[cold]
    pub fn refuse(self, offending: Option<u32>) -> Refusal {
        let comment = match offending {
            Some(tag) => format!("{} {}", self.text(), tag::text(tag)),
            None => self.text().to_owned(),
        };
        Refusal::new(self.code(), self.status(), offending, comment)
    }
}

/// A framing fault and where it showed: small, because the walker returns through it for every
/// token; the words are found when it becomes a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub framing: Framing,
    /// The element where it showed.
    pub offending: Option<u32>,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        fault.framing.refuse(fault.offending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::ERROR_COMMENT_LENGTH_MAX;

    #[test]
    fn every_comment_fits_with_its_tag_and_every_code_is_its_own() {
        for (i, fault) in Framing::ALL.iter().enumerate() {
            assert!(fault.text().len() + 12 <= ERROR_COMMENT_LENGTH_MAX, "{fault:?}");
            assert!(Framing::ALL[..i].iter().all(|other| other.code() != fault.code()));
            assert!(fault.refuse(Some(0x0008_0016)).comment.ends_with("(0008,0016)"));
        }
    }
}

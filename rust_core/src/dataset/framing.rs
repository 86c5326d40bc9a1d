//! Framing faults: what makes a data set unreadable. They refuse always, by no one's leave.

use crate::refusal::{
    Answer, CANNOT_UNDERSTAND, Entry, Family, OUT_OF_RESOURCES, Refusal, Turn, ValueClass,
};

const WRITE: &str = "A defect of the software that wrote the instance: give its vendor this code, the element and the byte.";
const SYNTAX: &str = "Encode the data set in the transfer syntax of its presentation context; a file kept in another needs a context of its own.";

macro_rules! framing {
    ($(
        $name:ident $code:literal $class:ident $text:literal $rule:literal $standard:literal
        $mend:expr, $example:literal;
    )*) => {
        /// A way in which bytes fail to be a data set (PS3.5 7, A).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Framing {
            $(#[doc = $rule] $name,)*
        }

        impl Framing {
            /// Every fault, for documentation and tests.
            pub const ALL: &'static [Framing] = &[$(Framing::$name,)*];
        }

        /// What a refusal by each fault says, in the order of [`Framing::ALL`].
        pub static ENTRIES: &[&Entry] = &[$(&Entry {
            code: $code,
            family: Family::DataSet,
            turn: Turn::Sender,
            value_class: ValueClass::$class,
            answer: Answer::Status(Framing::$name.status()),
            attribute: None,
            text: $text,
            rule: $rule,
            standard: $standard,
            mend: $mend,
            example: $example,
        },)*];
    };
}

framing! {
    Truncated "data-set-truncated" TooShort "data set truncated"
        "The bytes ended within an element, a sequence or an item." "PS3.5 7"
        "Send the whole instance; if it is cut at its source, it is lost there.", "Send an instance without its last byte.";
    Empty "data-set-empty" Missing "data set has no elements"
        "No element at all, or only group lengths and padding." "PS3.5 7, PS3.4 B.2"
        WRITE, "Send a data set of group lengths only.";
    TooLarge "data-set-too-large" TooLong "data set larger than the limit"
        "More bytes than 8 GiB, received or inflated." "PS3.4 B.2.3"
        "Split the instance; the limit is this archive's own.", "Send an instance of 9 GiB, or one that inflates to so much.";
    ExplicitSent "explicit-vr-sent" Mismatched "implicit VR declared, explicit VR sent"
        "Implicit VR declared, explicit VR sent." "PS3.5 A.1, PS3.7 6.3.1"
        SYNTAX, "Send explicit VR on a context of Implicit VR Little Endian.";
    ImplicitSent "implicit-vr-sent" Mismatched "explicit VR declared, implicit VR sent"
        "Explicit VR declared, implicit VR sent." "PS3.5 A.2, PS3.7 6.3.1"
        SYNTAX, "Send implicit VR on a context of Explicit VR Little Endian.";
    ByteOrder "byte-order" Mismatched "byte order is not the declared one"
        "The first tag makes sense only with its bytes swapped." "PS3.5 7.3"
        SYNTAX, "Send big endian on a context of Explicit VR Little Endian.";
    UnknownVr "unknown-vr" Unknown "unknown VR"
        "Two letters that are no VR." "PS3.5 6.2, table 7.1-1"
        WRITE, "Send an element of VR ZZ.";
    UnlawfulGroup "unlawful-group" Misplaced "group not lawful in a data set"
        "A group that no data set may hold." "PS3.5 7.1, PS3.10 7.1"
        "File Meta Information and command elements do not belong into a data set: send the data set alone.", "Send a data set with Transfer Syntax UID (0002,0010).";
    UndefinedLength "undefined-length" Malformed "undefined length not lawful"
        "Undefined length is for sequences, items and encapsulated pixels." "PS3.5 7.1.2"
        WRITE, "Send an OB other than Pixel Data with undefined length.";
    Overrun "length-overrun" TooLong "length exceeds enclosing item or sequence"
        "A claim larger than what is left of the item or sequence around it." "PS3.5 7.5"
        WRITE, "Send an item longer than its sequence.";
    ItemLength "item-length" Mismatched "item or sequence ends inside an element"
        "An item or sequence of defined length ends between elements." "PS3.5 7.5"
        WRITE, "Send a sequence whose length ends within an item's header.";
    ItemExpected "item-expected" Misplaced "item expected"
        "Something other than an item where only items may be." "PS3.5 7.5"
        WRITE, "Send a sequence with an element directly in it.";
    StrayDelimiter "stray-delimiter" Misplaced "stray item or delimiter"
        "An item or delimiter where none is open." "PS3.5 7.5"
        WRITE, "Send an Item Delimitation Item at the top level.";
    DelimiterLength "delimiter-length" Malformed "delimiter with a length"
        "A delimiter has the length zero." "PS3.5 7.5.1"
        WRITE, "Send a Sequence Delimitation Item of length 2.";
    Depth "sequence-depth" TooLong "sequences nested too deep"
        "Sequences are at most 64 deep." ""
        "No lawful instance is near this limit of the archive's own: ask the vendor of the software that made it.", "Send 65 sequences in each other.";
    NotEncapsulated "pixel-data-not-encapsulated" Mismatched "native pixels in encapsulated syntax"
        "Top-level pixels of an encapsulated syntax come in fragments." "PS3.5 A.4"
        SYNTAX, "Send Pixel Data of defined length on a context of JPEG Baseline.";
    Encapsulated "pixel-data-encapsulated" Mismatched "encapsulated pixels in native syntax"
        "Fragments come in encapsulated syntaxes only." "PS3.5 A.4"
        SYNTAX, "Send fragments on a context of Explicit VR Little Endian.";
    OffsetTableMissing "offset-table-missing" Missing "Basic Offset Table item missing"
        "Encapsulated pixels begin with the item of the Basic Offset Table, which may be empty." "PS3.5 A.4"
        WRITE, "Send encapsulated Pixel Data without any item.";
    PaddingNotLast "padding-not-last" Misplaced "trailing padding is not last"
        "Data Set Trailing Padding is the last element of the data set." "PS3.10 7.2"
        WRITE, "Send an element behind Data Set Trailing Padding.";
    OrderUnknowable "order-unknowable" TooLong "too many elements out of tag order"
        "With more than 65,536 elements out of order it cannot be told whether one is there twice." "PS3.5 7.1"
        WRITE, "Send 70,000 elements in descending order.";
    DeflateCorrupt "deflate-corrupt" Malformed "deflated data set corrupt"
        "The deflated stream is one by RFC 1951." "PS3.5 A.5"
        WRITE, "Send a data set that is not deflated on a context of Deflated Explicit VR Little Endian.";
    DeflateTruncated "deflate-truncated" TooShort "deflated data set truncated"
        "The deflated stream comes to its end." "PS3.5 A.5"
        "Send the whole instance; if it is cut at its source, it is lost there.", "Send a deflated data set without its last bytes.";
    DeflateTrailing "deflate-trailing" TooLong "more than a trailer after the deflated data set"
        "After the deflated stream comes a NUL that pads it to even length; up to 8 bytes are a matter of a rule." "PS3.5 A.5"
        WRITE, "Send two deflated data sets behind each other.";
}

impl Framing {
    /// DIMSE status: all are C000H, except that a too large instance is a matter of room.
    const fn status(self) -> u16 {
        if matches!(self, Framing::TooLarge) { OUT_OF_RESOURCES } else { CANNOT_UNDERSTAND }
    }

    /// What a refusal by this fault says.
    pub fn entry(self) -> &'static Entry {
        ENTRIES[self as usize]
    }

    /// The fault at an element.
    #[cold]
    pub const fn at(self, offending: Option<u32>) -> Fault {
        Fault { framing: self, offending }
    }

    /// The refusal, naming the element where it showed.
    #[cold]
    pub fn refuse(self, offending: Option<u32>) -> Refusal {
        Refusal::at(self.entry(), offending)
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

impl Fault {
    /// The refusal, seen at this byte of the data set.
    #[cold]
    pub fn refuse(self, byte: u64) -> Refusal {
        Refusal::from(self).at_byte(byte)
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        fault.framing.refuse(fault.offending)
    }
}

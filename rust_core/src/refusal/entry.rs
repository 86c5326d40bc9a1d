//! An entry of the catalogue: one way in which something is refused, explained.

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Turn {
    /// What was sent must change before it can be taken.
    Sender,
    /// Somebody who runs this archive must do something.
    Operator,
    /// It passes by itself: the same may be sent again later.
    Nobody,
}

/// What is wrong with a value, without the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueClass {
    /// Not there, or there without a value.
    Missing,
    /// Not of the form that it must have.
    Malformed,
    /// Differs from what it must be equal to.
    Mismatched,
    /// There more than once.
    Duplicate,
    /// Longer, larger or more than it may be.
    TooLong,
    /// Ends before it should.
    TooShort,
    /// None of those that are known here.
    Unknown,
    /// Lawful elsewhere, but not here.
    Misplaced,
    /// Well formed, and contrary to what is kept here.
    Conflicting,
    /// Nothing is wrong with any value.
    None,
}

/// Where in a peer's conversation a refusal belongs, and how the document is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Bytes that are no data set in the transfer syntax agreed.
    DataSet,
    /// A data set that breaks a content rule.
    Content,
    /// A lawful instance that is not kept.
    Storage,
    /// A command set that can be answered, but not done.
    Command,
    /// C-GET and other services.
    Service,
    /// An association that is not accepted.
    Rejection,
    /// Bytes that break the protocol: the association ends.
    Protocol,
    /// An association that the gateway ends for another reason.
    Ending,
}

/// What the peer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// A status in a DIMSE response (0000,0900).
    Status(u16),
    /// An A-ASSOCIATE-RJ: result, source, reason (PS3.8 table 9-21).
    Reject(u8, u8, u8),
    /// An A-ABORT: source, reason (PS3.8 table 9-26).
    Abort(u8, u8),
    /// The connection is closed without a word.
    Close,
    /// No answer of its own: a sub-operation that is counted as failed.
    Counted,
}

/// One way in which something is refused. Every refusal points at one of these, and each of them
/// is in [`super::catalogue`]; no text says a value that came from a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Stable name, kebab-case; never given to another reason.
    pub code: &'static str,
    /// Where it belongs.
    pub family: Family,
    /// Whose turn it is.
    pub turn: Turn,
    /// What is wrong with the value.
    pub value_class: ValueClass,
    /// What the peer gets.
    pub answer: Answer,
    /// The attribute, where it is always the same; else the refusal names it.
    pub attribute: Option<u32>,
    /// What is wrong, in the words of an Error Comment, after the attribute.
    pub text: &'static str,
    /// What the rule says, one sentence.
    pub rule: &'static str,
    /// Where the standard says so: part and section; empty if the rule is ours alone.
    pub standard: &'static str,
    /// How to mend it.
    pub mend: &'static str,
    /// How to provoke it.
    pub example: &'static str,
}

impl Entry {
    /// The DIMSE status; where the answer is none, that of a processing failure.
    pub const fn status(&self) -> u16 {
        match self.answer {
            Answer::Status(status) => status,
            Answer::Reject(..) | Answer::Abort(..) | Answer::Close | Answer::Counted => {
                super::PROCESSING_FAILURE
            }
        }
    }
}

macro_rules! names {
    ($kind:ident { $($variant:ident $name:literal)* }) => {
        impl $kind {
            /// Its name in logs and documents.
            pub const fn name(self) -> &'static str {
                match self { $($kind::$variant => $name,)* }
            }
        }
    };
}

names! { Turn { Sender "sender" Operator "operator" Nobody "nobody" } }
names! { ValueClass {
    Missing "missing" Malformed "malformed" Mismatched "mismatched" Duplicate "duplicate"
    TooLong "too-long" TooShort "too-short" Unknown "unknown" Misplaced "misplaced"
    Conflicting "conflicting" None "none"
} }
names! { Family {
    DataSet "data-set" Content "content" Storage "storage" Command "command" Service "service"
    Rejection "rejection" Protocol "protocol" Ending "ending"
} }

/// Rows of one family, each a constant by name, together `ENTRIES`.
macro_rules! entries {
    ($family:ident: $(
        $name:ident $code:literal $turn:ident $class:ident $answer:expr, $attribute:expr;
        $text:literal $rule:literal $standard:literal $mend:expr, $example:literal;
    )*) => {
        $(
            #[doc = $rule]
            pub static $name: $crate::refusal::Entry = $crate::refusal::Entry {
                code: $code,
                family: $crate::refusal::Family::$family,
                turn: $crate::refusal::Turn::$turn,
                value_class: $crate::refusal::ValueClass::$class,
                answer: $answer,
                attribute: $attribute,
                text: $text,
                rule: $rule,
                standard: $standard,
                mend: $mend,
                example: $example,
            };
        )*
        /// Every entry of this family.
        pub static ENTRIES: &[&$crate::refusal::Entry] = &[$(&$name,)*];
    };
}
pub(crate) use entries;

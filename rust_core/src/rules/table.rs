//! The rules as data, the gravest first.

use crate::refusal::{CANNOT_UNDERSTAND, DATA_SET_MISMATCH};

/// What follows when a rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The instance is refused.
    Refuse,
    /// It is kept, and its bit set in the flags.
    Flag,
}

/// One rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Its place in [`RULES`].
    pub id: RuleId,
    /// Stable name, kebab-case.
    pub code: &'static str,
    /// Its bit in the flags of a closing record; stable, never given to another rule.
    pub bit: u8,
    /// Whether no profile may change the severity (identity).
    pub always_refuses: bool,
    /// Severity in the preset `strict`.
    pub strict: Severity,
    /// Severity in the preset `migration`.
    pub migration: Severity,
    /// DIMSE status of a refusal.
    pub status: u16,
    /// What the sender is told, before the tag.
    pub text: &'static str,
    /// What the rule says, one sentence.
    pub doc: &'static str,
}

impl Rule {
    /// The rule's bit as a mask.
    pub const fn mask(&self) -> u64 {
        1 << self.bit
    }
}

macro_rules! rules {
    ($($name:ident $code:literal $bit:literal $kind:ident $status:ident $text:literal $doc:literal;)*) => {
        /// The rules by name, in the order of [`RULES`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum RuleId {
            $(#[doc = $doc] $name,)*
        }

        /// Every rule, the gravest first: the first broken one that refuses gives the answer.
        pub const RULES: &[Rule] = &[
            $(Rule {
                id: RuleId::$name,
                code: $code,
                bit: $bit,
                always_refuses: kind!($kind).0,
                strict: kind!($kind).1,
                migration: kind!($kind).2,
                status: $status,
                text: $text,
                doc: $doc,
            },)*
        ];
    };
}

macro_rules! kind {
    (always) => {
        (true, Severity::Refuse, Severity::Refuse)
    };
    (refuse) => {
        (false, Severity::Refuse, Severity::Flag)
    };
    (flag) => {
        (false, Severity::Flag, Severity::Flag)
    };
}

rules! {
    ContextMismatch "context-mismatch" 0 always DATA_SET_MISMATCH
        "SOP class is not that of the presentation context"
        "The SOP class of the command is the abstract syntax of its presentation context (PS3.4 B.2).";
    SopClassMissing "sop-class-missing" 1 always DATA_SET_MISMATCH
        "missing or empty"
        "SOP Class UID is present.";
    SopInstanceMissing "sop-instance-missing" 2 always DATA_SET_MISMATCH
        "missing or empty"
        "SOP Instance UID is present.";
    StudyMissing "study-uid-missing" 3 always DATA_SET_MISMATCH
        "missing or empty"
        "Study Instance UID is present.";
    SeriesMissing "series-uid-missing" 4 always DATA_SET_MISMATCH
        "missing or empty"
        "Series Instance UID is present.";
    UidInvalid "uid-invalid" 5 always CANNOT_UNDERSTAND
        "not a valid UID"
        "The UIDs that identify an instance have 1 to 64 characters, digits and single dots (PS3.5 9.1).";
    SopClassMismatch "sop-class-mismatch" 6 always DATA_SET_MISMATCH
        "differs from the command"
        "SOP Class UID is the same in data set and command.";
    SopInstanceMismatch "sop-instance-mismatch" 7 always DATA_SET_MISMATCH
        "differs from the command"
        "SOP Instance UID is the same in data set and command.";
    IdentifierDuplicate "identifier-duplicate" 8 always CANNOT_UNDERSTAND
        "identifier twice in the data set"
        "No UID of the instance and no Patient ID comes twice: readers would differ on whose it is.";
    DuplicateTag "duplicate-tag" 9 refuse CANNOT_UNDERSTAND
        "element twice in one data set"
        "No element comes twice in one data set or item (PS3.5 7.1).";
    PixelDataShort "pixel-data-short" 10 refuse CANNOT_UNDERSTAND
        "pixel data shorter than described"
        "Pixels are as many as Rows, Columns, samples, bits and frames say; fragments are at least one.";
    OffsetTable "offset-table" 11 refuse CANNOT_UNDERSTAND
        "offset table points past the fragments"
        "Basic and Extended Offset Tables have whole words that point into the fragments (PS3.5 A.4).";
    PixelDataMissing "pixel-data-missing" 26 refuse CANNOT_UNDERSTAND
        "image without pixel data"
        "Instances of an image storage class have pixels (PS3.3 C.7.6.3); one without may be cut short.";
    DeflateTrailer "deflate-trailer" 25 refuse CANNOT_UNDERSTAND
        "bytes after the deflated data set"
        "Nothing but one pad byte follows a deflated data set (PS3.5 A.5); up to 8 bytes are a trailer.";
    TagOrder "tag-order" 12 flag CANNOT_UNDERSTAND
        "elements not in tag order"
        "Elements come in ascending order of tags (PS3.5 7.1).";
    OddLength "odd-length" 13 flag CANNOT_UNDERSTAND
        "value of odd length"
        "Values and fragments have even length (PS3.5 7.1.1).";
    PatientIdEmpty "patient-id-empty" 14 flag DATA_SET_MISMATCH
        "missing or empty"
        "Patient ID is present and not empty.";
    UidLeadingZero "uid-leading-zero" 15 flag CANNOT_UNDERSTAND
        "UID component with leading zero"
        "No component of an identifying UID begins with a zero, but for zero itself (PS3.5 9.1).";
    UidPadding "uid-padding" 16 flag CANNOT_UNDERSTAND
        "UID padded otherwise than by one NUL"
        "Identifying UIDs are padded by at most one NUL (PS3.5 9.1); other padding is read away.";
    DateUnreadable "date-unreadable" 17 flag CANNOT_UNDERSTAND
        "not a date"
        "Study, Series, Acquisition, Content and Birth Date are empty or dates of the calendar (DA).";
    TimeUnreadable "time-unreadable" 18 flag CANNOT_UNDERSTAND
        "not a time"
        "Study, Series and Content Time are empty or times (TM), Timezone Offset an offset of the day.";
    CharacterSetUnknown "character-set-unknown" 19 flag CANNOT_UNDERSTAND
        "character set is no defined term"
        "Specific Character Set holds defined terms (PS3.3 C.12.1.1.2).";
    TextUndecodable "text-undecodable" 20 flag CANNOT_UNDERSTAND
        "text does not decode by its character set"
        "Captured text decodes by Specific Character Set.";
    PixelDataLong "pixel-data-long" 21 flag CANNOT_UNDERSTAND
        "pixel data longer than described"
        "Native pixels are no more than described, but for the byte that pads odd ones.";
    PixelDescription "pixel-description" 22 flag CANNOT_UNDERSTAND
        "missing, or of wrong VR or size"
        "Beside native pixels stand Rows, Columns, Samples per Pixel and Bits Allocated, one US each.";
    NumberOfFrames "number-of-frames" 23 flag CANNOT_UNDERSTAND
        "not an integer string of at least 1"
        "Number of Frames is an integer string of at least 1, where present (PS3.3 C.7.6.6).";
    ReservedBytes "reserved-bytes" 24 flag CANNOT_UNDERSTAND
        "reserved bytes are not zero"
        "The two bytes after a long-form VR are zero (PS3.5 7.1.2).";
}

const _: () = {
    let (mut seen, mut i) = (0u64, 0);
    while i < RULES.len() {
        assert!(RULES[i].id as usize == i);
        assert!(seen & RULES[i].mask() == 0);
        seen |= RULES[i].mask();
        i += 1;
    }
};

impl RuleId {
    /// The rule of this name.
    pub const fn rule(self) -> &'static Rule {
        &RULES[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refusal::comment::TEXT_LENGTH_MAX;

    #[test]
    fn codes_are_kebab_case_and_unique_and_texts_fit_a_comment() {
        for (i, rule) in RULES.iter().enumerate() {
            assert!(rule.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'));
            assert!(RULES[..i].iter().all(|other| other.code != rule.code));
            assert!(rule.text.len() <= TEXT_LENGTH_MAX, "{}", rule.code);
            assert!(!rule.always_refuses || rule.strict == Severity::Refuse);
        }
    }
}

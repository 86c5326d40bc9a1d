//! Refusals by content rule: the table of rules, explained to a sender.
//!
//! Code, status, words and sentence are the rule's own; here stands what a refusal says besides.
//! The table has a row for every rule, or it does not compile: none is added without one.

use super::{Answer, Entry, Family, Turn, ValueClass};
use crate::dataset::tag;
use crate::rules::{RULES, Rule, RuleId};

/// Every entry of this family, in the order of [`RULES`].
pub static ENTRIES: [Entry; RULES.len()] = {
    let mut entries = [entry(&RULES[0]); RULES.len()];
    let mut i = 1;
    while i < RULES.len() {
        entries[i] = entry(&RULES[i]);
        i += 1;
    }
    entries
};

impl RuleId {
    /// What a refusal by this rule says.
    pub fn entry(self) -> &'static Entry {
        &ENTRIES[self as usize]
    }
}

const fn entry(rule: &Rule) -> Entry {
    let Explanation(value_class, standard, mend, example) = explain(rule.id);
    Entry {
        code: rule.code,
        family: Family::Content,
        turn: Turn::Sender,
        value_class,
        answer: Answer::Status(rule.status),
        attribute: attribute(rule.id),
        text: rule.text,
        rule: rule.doc,
        standard,
        mend,
        example,
    }
}

/// The attribute of a rule about one alone.
const fn attribute(id: RuleId) -> Option<u32> {
    if matches!(id, RuleId::ContextMismatch | RuleId::SopClassMissing | RuleId::SopClassMismatch) {
        Some(tag::SOP_CLASS_UID)
    } else if matches!(id, RuleId::SopInstanceMissing | RuleId::SopInstanceMismatch) {
        Some(tag::SOP_INSTANCE_UID)
    } else if matches!(id, RuleId::StudyMissing) {
        Some(tag::STUDY_INSTANCE_UID)
    } else if matches!(id, RuleId::SeriesMissing) {
        Some(tag::SERIES_INSTANCE_UID)
    } else if matches!(id, RuleId::PatientIdEmpty) {
        Some(tag::PATIENT_ID)
    } else if matches!(id, RuleId::NumberOfFrames) {
        Some(tag::NUMBER_OF_FRAMES)
    } else {
        None
    }
}

/// Value class, standard, how to mend, how to provoke.
struct Explanation(ValueClass, &'static str, &'static str, &'static str);

const IDENTIFY: &str =
    "The sender must give the instance its identifiers; no archive may invent them.";
const AGREE: &str = "Send each instance under its own UIDs; after an edit, take command and context from the data set.";
const WRITE: &str =
    "A defect of the software that made the instance: give its vendor this code and the element.";
const CORRECT: &str =
    "Correct the value at its source, or have the operator accept such instances with a flag.";

macro_rules! explained {
    ($($rule:ident $class:ident $standard:literal $mend:expr, $example:literal;)*) => {
        const fn explain(id: RuleId) -> Explanation {
            match id {
                $(RuleId::$rule => {
                    Explanation(ValueClass::$class, $standard, $mend, $example)
                })*
            }
        }
    };
}

explained! {
    ContextMismatch Mismatched "PS3.4 B.2, PS3.7 9.1.1.1"
        AGREE,
        "Send a C-STORE-RQ of one SOP class on the context of another.";
    SopClassMissing Missing "PS3.3 C.12.1"
        IDENTIFY,
        "Take SOP Class UID out of the data set.";
    SopInstanceMissing Missing "PS3.3 C.12.1"
        IDENTIFY,
        "Take SOP Instance UID out of the data set.";
    StudyMissing Missing "PS3.3 C.7.2.1"
        IDENTIFY,
        "Send an instance with an empty Study Instance UID.";
    SeriesMissing Missing "PS3.3 C.7.3.1"
        IDENTIFY,
        "Send an instance with an empty Series Instance UID.";
    UidInvalid Malformed "PS3.5 9.1"
        IDENTIFY,
        "Send the Study Instance UID `1..2`.";
    SopClassMismatch Mismatched "PS3.4 B.2, PS3.7 9.3.1.1"
        AGREE,
        "Send a data set under the SOP class of another kind.";
    SopInstanceMismatch Mismatched "PS3.4 B.2, PS3.7 9.3.1.1"
        AGREE,
        "Send a data set under the SOP Instance UID of another.";
    IdentifierDuplicate Duplicate "PS3.5 7.1"
        WRITE,
        "Send a data set with two Patient IDs.";
    DuplicateTag Duplicate "PS3.5 7.1"
        WRITE,
        "Send a data set with two Study Dates.";
    PixelDataShort TooShort "PS3.5 8.1.1, 8.2; PS3.3 C.7.6.3"
        "The pixels were cut or their description is wrong: send the instance from its source again.",
        "Cut the pixel data of an instance to half.";
    OffsetTable Mismatched "PS3.5 A.4; PS3.3 C.7.6.3.1.8"
        WRITE,
        "Send encapsulated pixels whose Basic Offset Table points past them.";
    PixelDataMissing Missing "PS3.3 C.7.6.3"
        "The instance was cut, or its pixels are elsewhere: send it whole; a migration may keep and flag it.",
        "Take Pixel Data out of a CT image.";
    DeflateTrailer TooLong "PS3.5 A.5"
        WRITE,
        "Send four bytes behind a deflated data set.";
    TagOrder Misplaced "PS3.5 7.1"
        WRITE,
        "Send Patient's Name before SOP Class UID, under a profile that refuses it.";
    OddLength Malformed "PS3.5 7.1.1"
        WRITE,
        "Send a value of three bytes, under a profile that refuses it.";
    PatientIdEmpty Missing "PS3.3 C.7.1.1"
        CORRECT,
        "Send an instance without Patient ID, under a profile that refuses it.";
    UidLeadingZero Malformed "PS3.5 9.1"
        CORRECT,
        "Send the Study Instance UID `1.02.3`, under a profile that refuses it.";
    UidPadding Malformed "PS3.5 9.1, 6.2"
        CORRECT,
        "Pad a Study Instance UID by a space, under a profile that refuses it.";
    DateUnreadable Malformed "PS3.5 6.2 (DA)"
        CORRECT,
        "Send the Study Date 20240230, under a profile that refuses it.";
    TimeUnreadable Malformed "PS3.5 6.2 (TM)"
        CORRECT,
        "Send the Study Time 250000, under a profile that refuses it.";
    CharacterSetUnknown Unknown "PS3.3 C.12.1.1.2"
        CORRECT,
        "Send the Specific Character Set `LATIN`, under a profile that refuses it.";
    TextUndecodable Malformed "PS3.5 6.1; PS3.3 C.12.1.1.2"
        CORRECT,
        "Send Latin-1 bytes under ISO_IR 192, under a profile that refuses it.";
    PixelDataLong TooLong "PS3.5 8.1.1, 8.2; PS3.3 C.7.6.3"
        WRITE,
        "Send more pixel data than described, under a profile that refuses it.";
    PixelDescription Missing "PS3.3 C.7.6.3"
        WRITE,
        "Send pixel data without Rows, under a profile that refuses it.";
    NumberOfFrames Malformed "PS3.3 C.7.6.6"
        WRITE,
        "Send Number of Frames -1, under a profile that refuses it.";
    ReservedBytes Malformed "PS3.5 7.1.2"
        WRITE,
        "Send a VR OB with reserved bytes 0001H, under a profile that refuses it.";
}

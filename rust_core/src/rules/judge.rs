//! The judge: one scanned data set against one rule set and the request that brought it.

use std::sync::Arc;

use super::rule_set::RuleSet;
use super::table::{RULES, RuleId, Severity};
use super::uid::{self, UidReading};
use super::{date, image_class, pixel};
use crate::dataset::observation::PixelObservation;
use crate::dataset::{Scanned, tag};
use crate::instance::{Identity, Uid};
use crate::refusal::Refusal;

/// What the C-STORE request said of the instance.
#[derive(Clone, Copy, Debug)]
pub struct StoreRequest<'a> {
    /// Affected SOP Class UID (0000,0002).
    pub sop_class: &'a str,
    /// Affected SOP Instance UID (0000,1000).
    pub sop_instance: &'a str,
    /// Abstract syntax of the presentation context it came on.
    pub context_abstract_syntax: &'a str,
}

/// An instance that may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Bits of the rules it breaks and is kept in spite of.
    pub flags: u64,
    /// Its UIDs, padding taken away.
    pub identity: Identity,
    /// Its SOP class.
    pub sop_class: Uid,
}

/// Broken rules, each with the first element that breaks it.
struct Findings {
    broken: [bool; RULES.len()],
    offending: [Option<u32>; RULES.len()],
}

impl Findings {
    fn note(&mut self, id: RuleId, offending: Option<u32>) {
        let index = id as usize;
        if !self.broken[index] {
            self.broken[index] = true;
            self.offending[index] = offending;
        }
    }

    fn note_if(&mut self, broken: bool, id: RuleId, offending: u32) {
        if broken {
            self.note(id, Some(offending));
        }
    }

    fn note_at(&mut self, id: RuleId, observed: Option<u32>) {
        if observed.is_some() {
            self.note(id, observed);
        }
    }

    /// Flags, or the refusal of the gravest broken rule.
    fn conclude(&self, rules: &RuleSet) -> Result<u64, Refusal> {
        let mut flags = 0;
        for rule in RULES.iter().filter(|rule| self.broken[rule.id as usize]) {
            match rules.severity(rule.id) {
                Severity::Refuse => return Err(self.refuse(rule.id)),
                Severity::Flag => flags |= rule.mask(),
            }
        }
        Ok(flags)
    }

    fn refuse(&self, id: RuleId) -> Refusal {
        Refusal::at(id.entry(), self.offending[id as usize])
    }
}

/// Judges a data set: keep it, with flags, or refuse it.
///
/// All rules are looked at; a refusal names the gravest one ([`RULES`] is in that order) and the
/// first element that breaks it, so that the same instance always gets the same answer.
///
/// # Errors
/// The refusal to answer the sender with.
pub fn judge(
    rules: &RuleSet,
    scanned: &Scanned,
    request: &StoreRequest<'_>,
) -> Result<Judged, Refusal> {
    let mut findings = Findings { broken: [false; RULES.len()], offending: [None; RULES.len()] };
    let sop_class = identifier(&mut findings, scanned, tag::SOP_CLASS_UID, RuleId::SopClassMissing);
    let sop_instance =
        identifier(&mut findings, scanned, tag::SOP_INSTANCE_UID, RuleId::SopInstanceMissing);
    let study = identifier(&mut findings, scanned, tag::STUDY_INSTANCE_UID, RuleId::StudyMissing);
    let series =
        identifier(&mut findings, scanned, tag::SERIES_INSTANCE_UID, RuleId::SeriesMissing);
    agreement(&mut findings, sop_class, sop_instance, request);
    structure(&mut findings, scanned);
    pixels(&mut findings, scanned);
    let missing = scanned.pixel == PixelObservation::None
        && sop_class.is_some_and(image_class::requires_pixels);
    findings.note_if(missing, RuleId::PixelDataMissing, tag::PIXEL_DATA);
    values(&mut findings, scanned);
    let flags = findings.conclude(rules)?;
    match (sop_class, sop_instance, study, series) {
        (Some(sop_class), Some(sop_instance), Some(study), Some(series)) => Ok(Judged {
            flags,
            identity: Identity {
                study: Arc::from(study),
                series: Arc::from(series),
                sop_instance: Arc::from(sop_instance),
            },
            sop_class: Arc::from(sop_class),
        }),
        // Each absence was noted above under a rule that always refuses.
        _ => Err(findings.refuse(RuleId::UidInvalid)),
    }
}

fn identifier<'a>(
    findings: &mut Findings,
    scanned: &'a Scanned,
    tag: u32,
    missing: RuleId,
) -> Option<&'a str> {
    let reading = scanned.get(tag).map_or(UidReading::Empty, |element| uid::read(&element.value));
    match reading {
        UidReading::Empty => findings.note(missing, Some(tag)),
        UidReading::Invalid => findings.note(RuleId::UidInvalid, Some(tag)),
        UidReading::Uid { text, leading_zero, padded } => {
            findings.note_if(leading_zero, RuleId::UidLeadingZero, tag);
            findings.note_if(padded, RuleId::UidPadding, tag);
            return Some(text);
        }
    }
    None
}

/// Data set, command and presentation context speak of the same instance.
fn agreement(
    findings: &mut Findings,
    sop_class: Option<&str>,
    sop_instance: Option<&str>,
    request: &StoreRequest<'_>,
) {
    let same = |found: &str, asked: &str| match uid::read(asked.as_bytes()) {
        UidReading::Uid { text, .. } => text == found,
        UidReading::Empty | UidReading::Invalid => false,
    };
    let differs = |found: Option<&str>, asked| found.is_some_and(|found| !same(found, asked));
    let context_differs = !same(request.context_abstract_syntax.trim_end(), request.sop_class);
    findings.note_if(context_differs, RuleId::ContextMismatch, tag::SOP_CLASS_UID);
    let class_differs = differs(sop_class, request.sop_class);
    findings.note_if(class_differs, RuleId::SopClassMismatch, tag::SOP_CLASS_UID);
    let instance_differs = differs(sop_instance, request.sop_instance);
    findings.note_if(instance_differs, RuleId::SopInstanceMismatch, tag::SOP_INSTANCE_UID);
}

/// Elements of which a second one makes it doubtful what the instance is, or whose.
const IDENTIFYING: [u32; 5] = [
    tag::SOP_CLASS_UID,
    tag::SOP_INSTANCE_UID,
    tag::STUDY_INSTANCE_UID,
    tag::SERIES_INSTANCE_UID,
    tag::PATIENT_ID,
];

fn structure(findings: &mut Findings, scanned: &Scanned) {
    let observed = &scanned.observations;
    let repeated = &observed.captured_duplicates;
    let identifying = repeated.iter().find(|tag| IDENTIFYING.contains(tag));
    findings.note_at(RuleId::IdentifierDuplicate, identifying.copied());
    findings.note_at(RuleId::DuplicateTag, observed.duplicate);
    findings.note_at(RuleId::TagOrder, observed.unsorted);
    findings.note_at(RuleId::OddLength, observed.odd_length);
    findings.note_at(RuleId::ReservedBytes, observed.reserved_bytes);
    findings.note_at(RuleId::CharacterSetUnknown, observed.unknown_character_set);
    findings.note_at(RuleId::TextUndecodable, observed.undecodable_text);
    if observed.deflate_trailer {
        findings.note(RuleId::DeflateTrailer, None);
    }
}

fn pixels(findings: &mut Findings, scanned: &Scanned) {
    let reading = pixel::read(scanned);
    if reading.short {
        findings.note(RuleId::PixelDataShort, reading.tag);
    }
    if reading.long {
        findings.note(RuleId::PixelDataLong, reading.tag);
    }
    findings.note_at(RuleId::PixelDescription, reading.description);
    findings.note_if(reading.frames, RuleId::NumberOfFrames, tag::NUMBER_OF_FRAMES);
    if matches!(scanned.pixel, PixelObservation::Encapsulated { offsets_lawful: false, .. }) {
        findings.note(RuleId::OffsetTable, Some(tag::PIXEL_DATA));
    }
}

const DATES: [u32; 5] = [
    tag::STUDY_DATE,
    tag::SERIES_DATE,
    tag::ACQUISITION_DATE,
    tag::CONTENT_DATE,
    tag::PATIENT_BIRTH_DATE,
];
const TIMES: [u32; 3] = [tag::STUDY_TIME, tag::SERIES_TIME, tag::CONTENT_TIME];

fn values(findings: &mut Findings, scanned: &Scanned) {
    let value = |tag| scanned.get(tag).map_or(&[][..], |element| element.value.trim_ascii());
    let empty = value(tag::PATIENT_ID).iter().all(|&byte| byte == 0);
    findings.note_if(empty, RuleId::PatientIdEmpty, tag::PATIENT_ID);
    let mut unreadable = |tag, id, readable: fn(&[u8]) -> bool| {
        let value = value(tag);
        findings.note_if(!value.is_empty() && !readable(value), id, tag);
    };
    DATES.iter().for_each(|&tag| unreadable(tag, RuleId::DateUnreadable, date::is_date));
    TIMES.iter().for_each(|&tag| unreadable(tag, RuleId::TimeUnreadable, date::is_time));
    unreadable(tag::TIMEZONE_OFFSET_FROM_UTC, RuleId::TimeUnreadable, date::is_offset);
}

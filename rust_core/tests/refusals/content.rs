//! Readable data sets that break a content rule, each under a profile that refuses by that rule.

use kuva_core::dataset::{Encoding, ScanLimits, Scanner};
use kuva_core::rules::{Preset, RULES, RuleSet, Severity, StoreRequest, judge};

use crate::Provocation;
use crate::made::{
    Body, Element, SOP_CLASS, SOP_INSTANCE, encode, fragments, small, value, with, without,
};

const EXPLICIT: Encoding = Encoding::ExplicitLittle;
const REQUEST: StoreRequest<'_> = StoreRequest {
    sop_class: SOP_CLASS,
    sop_instance: SOP_INSTANCE,
    context_abstract_syntax: SOP_CLASS,
};

/// Everything that may be refused is.
fn strictest() -> RuleSet {
    let hardened = RULES.iter().filter(|rule| !rule.always_refuses);
    let pairs = hardened.map(|rule| (rule.code, Severity::Refuse));
    RuleSet::from_pairs(Preset::Strict, pairs).unwrap()
}

fn judged(bytes: &[u8], encapsulated: bool, request: &StoreRequest<'_>) -> &'static str {
    judged_in(EXPLICIT, bytes, encapsulated, request)
}

fn judged_in(
    encoding: Encoding,
    bytes: &[u8],
    encapsulated: bool,
    request: &StoreRequest<'_>,
) -> &'static str {
    let mut scanner = Scanner::new(encoding, encapsulated, ScanLimits::default());
    scanner.update(bytes).unwrap();
    judge(&strictest(), &scanner.finish().unwrap(), request).unwrap_err().code()
}

fn elements(elements: &[Element]) -> &'static str {
    judged(&encode(elements, EXPLICIT), false, &REQUEST)
}

fn one(tag: u32, vr: &[u8; 2], text: &str) -> &'static str {
    elements(&with(small(), value(tag, vr, text)))
}

fn asked(request: &StoreRequest<'_>) -> &'static str {
    judged(&encode(&small(), EXPLICIT), false, request)
}

fn pixels(length: usize) -> &'static str {
    elements(&with(small(), value(0x7FE0_0010, b"OW", vec![0; length])))
}

/// The same element once more, behind the other.
fn twice(place: usize) -> &'static str {
    let mut set = small();
    set.insert(place, set[place].clone());
    elements(&set)
}

fn reserved() -> &'static str {
    let mut bytes = encode(&small(), EXPLICIT);
    let at = bytes.len() - 6 - 6;
    bytes[at..at + 2].copy_from_slice(&[1, 0]);
    judged(&bytes, false, &REQUEST)
}

pub const PROVOCATIONS: &[Provocation] = &[
    ("context-mismatch", || asked(&StoreRequest { context_abstract_syntax: "1.2", ..REQUEST })),
    ("sop-class-missing", || elements(&without(small(), 0x0008_0016))),
    ("sop-instance-missing", || elements(&without(small(), 0x0008_0018))),
    ("study-uid-missing", || one(0x0020_000D, b"UI", "")),
    ("series-uid-missing", || one(0x0020_000E, b"UI", "")),
    ("uid-invalid", || one(0x0020_000D, b"UI", "1..2")),
    ("sop-class-mismatch", || {
        asked(&StoreRequest { sop_class: "1.2", context_abstract_syntax: "1.2", ..REQUEST })
    }),
    ("sop-instance-mismatch", || asked(&StoreRequest { sop_instance: "1.2", ..REQUEST })),
    ("identifier-duplicate", || twice(9)),
    ("duplicate-tag", || twice(3)),
    ("pixel-data-short", || pixels(2)),
    ("offset-table", || {
        let pixels = fragments(&[&[99, 0, 0, 0], &[1, 2]]);
        judged(&encode(&with(small(), pixels), EXPLICIT), true, &REQUEST)
    }),
    ("pixel-data-missing", || elements(&without(small(), 0x7FE0_0010))),
    ("deflate-trailer", || {
        let deflated = encode(&small(), Encoding::DeflatedLittle);
        judged_in(Encoding::DeflatedLittle, &[&deflated[..], b"abcd"].concat(), false, &REQUEST)
    }),
    ("tag-order", || {
        let mut unsorted = small();
        unsorted.swap(3, 4);
        elements(&unsorted)
    }),
    ("odd-length", || {
        let body = Body::Value(b"abc".to_vec());
        elements(&with(small(), Element { tag: 0x0010_0020, vr: *b"LO", body }))
    }),
    ("patient-id-empty", || one(0x0010_0020, b"LO", "")),
    ("uid-leading-zero", || one(0x0020_000D, b"UI", "1.02.3")),
    ("uid-padding", || one(0x0020_000D, b"UI", "1.2.3 ")),
    ("date-unreadable", || one(0x0008_0020, b"DA", "20240230")),
    ("time-unreadable", || one(0x0008_0030, b"TM", "250000")),
    ("character-set-unknown", || one(0x0008_0005, b"CS", "LATIN")),
    ("text-undecodable", || elements(&with(small(), value(0x0010_0010, b"PN", b"\xC4ij\xF6")))),
    ("pixel-data-long", || pixels(8)),
    ("pixel-description", || elements(&without(small(), 0x0028_0010))),
    ("number-of-frames", || one(0x0028_0008, b"IS", "-1")),
    ("reserved-bytes", reserved),
];

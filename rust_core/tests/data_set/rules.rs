//! The rules over whole data sets: each one broken on its own, by preset.

use kuva_core::dataset::Encoding;
use kuva_core::refusal::Refusal;
use kuva_core::rules::rule_set::codes_of;
use kuva_core::rules::{Judged, Preset, RuleSet, Severity, StoreRequest, judge};

use crate::made::{
    Body, Element, SOP_CLASS, SOP_INSTANCE, deflate, encode, fragments, sequence, small, value,
    with, without,
};
use crate::scan::{scan, scan_chunks};

const EXPLICIT: Encoding = Encoding::ExplicitLittle;
const REQUEST: StoreRequest<'_> = StoreRequest {
    sop_class: SOP_CLASS,
    sop_instance: SOP_INSTANCE,
    context_abstract_syntax: SOP_CLASS,
};

fn judged(preset: Preset, elements: &[Element]) -> Result<Judged, Refusal> {
    let scanned = scan(EXPLICIT, &encode(elements, EXPLICIT)).unwrap();
    judge(&preset.into(), &scanned, &REQUEST)
}

fn flags(elements: &[Element]) -> Vec<&'static str> {
    codes_of(judged(Preset::Strict, elements).unwrap().flags).collect()
}

fn refused(elements: &[Element]) -> (&'static str, u16, Option<u32>) {
    let refusal = judged(Preset::Strict, elements).unwrap_err();
    (refusal.code(), refusal.status(), refusal.offending)
}

fn us(tag: u32, number: u16) -> Element {
    value(tag, b"US", number.to_le_bytes())
}

fn pixels(length: usize) -> Element {
    value(0x7FE0_0010, b"OW", vec![0; length])
}

#[test]
fn a_lawful_instance_has_no_flags_and_its_uids() {
    let judged = judged(Preset::Strict, &small()).unwrap();
    assert_eq!(judged.flags, 0);
    assert_eq!(&*judged.identity.sop_instance, SOP_INSTANCE);
    assert_eq!(&*judged.identity.study, "1.2.826.0.1.3680043.2");
    assert_eq!(&*judged.identity.series, "1.2.826.0.1.3680043.3");
    assert_eq!(&*judged.sop_class, SOP_CLASS);
}

#[test]
fn identifying_uids_must_be_there_whatever_the_preset() {
    for (tag, code) in [
        (0x0008_0016, "sop-class-missing"),
        (0x0008_0018, "sop-instance-missing"),
        (0x0020_000D, "study-uid-missing"),
        (0x0020_000E, "series-uid-missing"),
    ] {
        for elements in [without(small(), tag), with(small(), value(tag, b"UI", ""))] {
            assert_eq!(refused(&elements), (code, 0xA900, Some(tag)));
            assert!(judged(Preset::Migration, &elements).is_err());
        }
    }
}

#[test]
fn uids_that_are_none_are_refused_and_odd_ones_flagged() {
    let study = |text: &str| with(small(), value(0x0020_000D, b"UI", text));
    let long = format!("1.{}", "2".repeat(63));
    for text in ["../../etc/passwd", "1..2", "1.2\\1.3", "1.2a", &long, "2".repeat(500).as_str()] {
        assert_eq!(refused(&study(text)), ("uid-invalid", 0xC000, Some(0x0020_000D)));
        assert!(judged(Preset::Migration, &study(text)).is_err());
    }
    assert_eq!(flags(&study("1.02.3")), ["uid-leading-zero"]);
    assert_eq!(flags(&study("1.2.3 ")), ["uid-padding"]);
    assert_eq!(&*judged(Preset::Strict, &study("1.2.3 ")).unwrap().identity.study, "1.2.3");
}

#[test]
fn data_set_command_and_context_must_agree() {
    let scanned = scan(EXPLICIT, &encode(&small(), EXPLICIT)).unwrap();
    let rules = RuleSet::from(Preset::Migration);
    let answer = |request| judge(&rules, &scanned, &request).unwrap_err();
    for (request, code) in [
        (StoreRequest { context_abstract_syntax: "1.2", ..REQUEST }, "context-mismatch"),
        (StoreRequest { sop_instance: "1.2", ..REQUEST }, "sop-instance-mismatch"),
        (
            StoreRequest { sop_class: "1.2", context_abstract_syntax: "1.2", ..REQUEST },
            "sop-class-mismatch",
        ),
    ] {
        let refusal = answer(request);
        assert_eq!((refusal.code(), refusal.status()), (code, 0xA900));
    }
    let padded = format!("{SOP_INSTANCE}\0");
    assert!(judge(&rules, &scanned, &StoreRequest { sop_instance: &padded, ..REQUEST }).is_ok());
}

#[test]
fn a_second_identifier_is_refused_always_and_another_second_element_by_preset() {
    let mut second_id = small();
    second_id.insert(10, value(0x0010_0020, b"LO", "P2"));
    assert_eq!(refused(&second_id), ("identifier-duplicate", 0xC000, Some(0x0010_0020)));
    assert!(judged(Preset::Migration, &second_id).is_err());

    let mut second_date = small();
    second_date.insert(4, value(0x0008_0020, b"DA", "20240301"));
    assert_eq!(refused(&second_date), ("duplicate-tag", 0xC000, Some(0x0008_0020)));
    let kept = judged(Preset::Migration, &second_date).unwrap();
    assert_eq!(codes_of(kept.flags).collect::<Vec<_>>(), ["duplicate-tag"]);
}

#[test]
fn native_pixels_are_as_long_as_described() {
    let refusal = refused(&with(small(), pixels(4)));
    assert_eq!(refusal, ("pixel-data-short", 0xC000, Some(0x7FE0_0010)));
    assert_eq!(flags(&with(small(), pixels(8))), ["pixel-data-long"]);
    let odd = with(small(), us(0x0028_0010, 1));
    assert_eq!(flags(&with(odd, pixels(4))), [""; 0]);
    let kept = judged(Preset::Migration, &with(small(), pixels(4))).unwrap();
    assert_eq!(codes_of(kept.flags).collect::<Vec<_>>(), ["pixel-data-short"]);
}

#[test]
fn frames_packed_bits_and_subsampled_colours_are_reckoned_with() {
    let frames = |text: &str| with(small(), value(0x0028_0008, b"IS", text));
    assert_eq!(flags(&with(frames("3"), pixels(18))), [""; 0]);
    assert_eq!(refused(&with(frames("1000000000"), pixels(18))).0, "pixel-data-short");
    let packed = with(with(frames("3"), us(0x0028_0100, 1)), pixels(4));
    assert_eq!(flags(&packed), [""; 0]);
    let colour = with(with(small(), us(0x0028_0002, 3)), us(0x0028_0011, 4));
    let colour = with(colour, value(0x0028_0004, b"CS", "YBR_FULL_422"));
    assert_eq!(flags(&with(colour.clone(), pixels(16))), [""; 0]);
    let rgb = with(colour, value(0x0028_0004, b"CS", "RGB"));
    assert_eq!(refused(&with(rgb, pixels(16))).0, "pixel-data-short");
}

#[test]
fn a_broken_description_is_flagged_and_still_reckoned_with() {
    for text in ["1e9", "-1", "1\\2", "", "0"] {
        let elements = with(small(), value(0x0028_0008, b"IS", text));
        assert_eq!(flags(&elements), ["number-of-frames"]);
    }
    let huge = with(small(), value(0x0028_0010, b"UL", u32::MAX.to_le_bytes()));
    assert_eq!(refused(&huge).0, "pixel-data-short");
    let two = with(small(), value(0x0028_0010, b"UL", 2u32.to_le_bytes()));
    assert_eq!(flags(&two), ["pixel-description"]);
    assert_eq!(flags(&without(small(), 0x0028_0011)), ["pixel-description"]);
    let everything = with(with(huge, us(0x0028_0011, u16::MAX)), us(0x0028_0100, u16::MAX));
    let everything = with(everything, value(0x0028_0008, b"IS", "2147483647"));
    assert_eq!(refused(&everything).0, "pixel-data-short");
}

#[test]
fn fragments_and_their_offset_tables_are_judged() {
    let judged = |pixels| {
        let bytes = encode(&with(small(), pixels), EXPLICIT);
        let scanned = scan_chunks(EXPLICIT, true, [&bytes[..]]).unwrap();
        judge(&Preset::Strict.into(), &scanned, &REQUEST).map(|judged| judged.flags)
    };
    assert_eq!(judged(fragments(&[&[], &[1, 2]])), Ok(0));
    assert_eq!(judged(fragments(&[&[]])).unwrap_err().code(), "pixel-data-short");
    assert_eq!(judged(fragments(&[&[99, 0, 0, 0], &[1, 2]])).unwrap_err().code(), "offset-table");
}

#[test]
fn content_that_can_be_kept_is_flagged() {
    let cases: [(Element, &str); 9] = [
        (value(0x0010_0020, b"LO", ""), "patient-id-empty"),
        (value(0x0008_0020, b"DA", "99999999"), "date-unreadable"),
        (value(0x0010_0030, b"DA", "00000000"), "date-unreadable"),
        (value(0x0008_0030, b"TM", "250000"), "time-unreadable"),
        (value(0x0008_0201, b"SH", "+9900"), "time-unreadable"),
        (value(0x0008_0005, b"CS", "ISO_IR 999"), "character-set-unknown"),
        (value(0x0010_0010, b"PN", b"\xC4ij\xF6"), "text-undecodable"),
        (value(0x0008_0005, b"CS", "ISO_IR 100"), "text-undecodable"),
        (
            Element { tag: 0x0010_0020, vr: *b"LO", body: Body::Value(b"abc".to_vec()) },
            "odd-length",
        ),
    ];
    for (element, code) in cases {
        assert_eq!(flags(&with(small(), element)), [code]);
    }
    assert_eq!(flags(&without(small(), 0x0010_0020)), ["patient-id-empty"]);
    let mut unsorted = small();
    unsorted.swap(3, 4);
    assert_eq!(flags(&unsorted), ["tag-order"]);
    let nested = sequence(0x0040_A730, true, vec![vec![value(0x0008_0005, b"CS", "nope")]]);
    assert_eq!(flags(&with(small(), nested)), ["character-set-unknown"]);
}

#[test]
fn a_profile_may_harden_a_flag_into_a_refusal() {
    let rules =
        RuleSet::from_pairs(Preset::Strict, [("patient-id-empty", Severity::Refuse)]).unwrap();
    let elements = without(small(), 0x0010_0020);
    let scanned = scan(EXPLICIT, &encode(&elements, EXPLICIT)).unwrap();
    let refusal = judge(&rules, &scanned, &REQUEST).unwrap_err();
    assert_eq!(refusal.comment(), "PatientID (0010,0020): missing or empty");
}

#[test]
fn the_gravest_broken_rule_gives_the_answer() {
    let elements = with(without(small(), 0x0020_000D), pixels(2));
    assert_eq!(refused(&elements).0, "study-uid-missing");
}

#[test]
fn no_comment_holds_a_value() {
    let secret = "1.999999.SECRET";
    let refusal = judged(Preset::Strict, &with(small(), value(0x0020_000D, b"UI", secret)));
    assert!(!refusal.unwrap_err().comment().contains("999999"));
}

#[test]
fn an_image_without_pixels_is_refused_and_another_class_needs_none() {
    let headless = without(small(), 0x7FE0_0010);
    assert_eq!(refused(&headless), ("pixel-data-missing", 0xC000, Some(0x7FE0_0010)));
    let kept = judged(Preset::Migration, &headless).unwrap();
    assert_eq!(codes_of(kept.flags).collect::<Vec<_>>(), ["pixel-data-missing"]);
    for pixels in [0x7FE0_0008, 0x7FE0_0009] {
        let floating = with(headless.clone(), value(pixels, b"OF", [0; 48]));
        assert!(!flags(&floating).contains(&"pixel-data-missing"), "{pixels:x}");
    }
    let report = "1.2.840.10008.5.1.4.1.1.88.11";
    let elements = with(headless, value(0x0008_0016, b"UI", report));
    let scanned = scan(EXPLICIT, &encode(&elements, EXPLICIT)).unwrap();
    let request = StoreRequest { sop_class: report, context_abstract_syntax: report, ..REQUEST };
    assert_eq!(judge(&Preset::Strict.into(), &scanned, &request).unwrap().flags, 0);
}

#[test]
fn a_deflate_trailer_is_refused_or_flagged_by_preset() {
    let bytes = encode(&small(), Encoding::DeflatedLittle);
    let end = bytes.len() - usize::from(bytes.ends_with(&[0]));
    let all = [&bytes[..end], b"checksum"].concat();
    let scanned = scan(Encoding::DeflatedLittle, &all).unwrap();
    let strict = judge(&Preset::Strict.into(), &scanned, &REQUEST).unwrap_err();
    assert_eq!((strict.code(), strict.offending), ("deflate-trailer", None));
    let kept = judge(&Preset::Migration.into(), &scanned, &REQUEST).unwrap();
    assert_eq!(kept.flags, 1 << 25, "bits are stable");
}

/// What became of a data set cut at `end`: the codes of its flags, or of its refusal.
fn cut_at(end: usize, bytes: &[u8], encoding: Encoding, encapsulated: bool) -> Result<(), String> {
    let scanned = scan_chunks(encoding, encapsulated, [&bytes[..end]]).map_err(|r| r.code())?;
    let judged = judge(&Preset::Strict.into(), &scanned, &REQUEST).map_err(|r| r.code())?;
    let flags: Vec<_> = codes_of(judged.flags).collect();
    if flags.is_empty() { Ok(()) } else { Err(flags.join(" ")) }
}

/// D1: an image cut at every byte, so at every element too, is refused in every encoding.
#[test]
fn an_image_cut_anywhere_is_refused_in_every_encoding() {
    let encapsulated = with(small(), fragments(&[&[], &[1, 2, 3, 4], &[5, 6]]));
    for (encoding, elements, fragments) in [
        (Encoding::ExplicitLittle, small(), false),
        (Encoding::ImplicitLittle, small(), false),
        (Encoding::ExplicitBig, small(), false),
        (Encoding::ExplicitLittle, encapsulated, true),
    ] {
        let bytes = encode(&elements, encoding);
        assert_eq!(cut_at(bytes.len(), &bytes, encoding, fragments), Ok(()));
        for end in 0..bytes.len() {
            let cut = cut_at(end, &bytes, encoding, fragments);
            assert!(cut.is_err(), "{encoding:?} cut at {end} of {}", bytes.len());
        }
        // The control: a cut between elements is well formed, and only the rules tell.
        let before_pixels = encode(&without(elements, 0x7FE0_0010), encoding).len();
        let told = cut_at(before_pixels, &bytes, encoding, fragments);
        assert_eq!(told, Err("pixel-data-missing".to_owned()));
    }
}

#[test]
fn a_deflated_image_cut_anywhere_is_refused() {
    let bytes = encode(&small(), Encoding::DeflatedLittle);
    let end = bytes.len() - usize::from(bytes.ends_with(&[0]));
    for cut in 0..end {
        assert!(cut_at(cut, &bytes, Encoding::DeflatedLittle, false).is_err(), "cut at {cut}");
    }
    // Cut before it was deflated: the stream is whole, the data set is not.
    let plain = encode(&small(), EXPLICIT);
    for end in 0..plain.len() {
        let bytes = deflate(&plain[..end]);
        let whole = bytes.len();
        assert!(cut_at(whole, &bytes, Encoding::DeflatedLittle, false).is_err(), "cut at {end}");
    }
}

/// What cannot be told: a data set that ends between two top-level elements, with all that a rule asks for.
#[test]
fn what_follows_the_pixels_or_a_report_cut_between_elements_is_the_known_limit() {
    let trailing = value(0xFFFC_FFFC, b"OB", [0; 8]);
    let elements = with(small(), trailing);
    let bytes = encode(&elements, EXPLICIT);
    let pixels_end = encode(&small(), EXPLICIT).len();
    let accepted: Vec<usize> =
        (0..bytes.len()).filter(|end| cut_at(*end, &bytes, EXPLICIT, false).is_ok()).collect();
    assert_eq!(accepted, [pixels_end], "padding after the pixels is the one thing not missed");
}

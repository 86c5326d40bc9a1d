//! The scan: what is accepted, what is refused, and that chunking never matters.

use kuva_core::dataset::observation::PixelObservation;
use kuva_core::dataset::{Encoding, ScanLimits, Scanned, Scanner};
use kuva_core::refusal::Refusal;
use proptest::prelude::*;

use crate::made::{
    Body, ENCODINGS, Element, any_elements, encode, fragments, put_header, put_tag, sequence,
    small, value, with,
};

type Outcome = Result<Scanned, Refusal>;
const EXPLICIT: Encoding = Encoding::ExplicitLittle;
const IMPLICIT: Encoding = Encoding::ImplicitLittle;

pub fn scan_chunks<'a>(
    encoding: Encoding,
    encapsulated: bool,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut scanner = Scanner::new(encoding, encapsulated, ScanLimits::default());
    for chunk in chunks {
        scanner.update(chunk)?;
    }
    scanner.finish()
}

pub fn scan(encoding: Encoding, bytes: &[u8]) -> Outcome {
    scan_chunks(encoding, false, [bytes])
}

fn scan_encapsulated(elements: &[Element]) -> Outcome {
    scan_chunks(EXPLICIT, true, [&encode(elements, EXPLICIT)[..]])
}

pub fn code(outcome: Outcome) -> &'static str {
    outcome.unwrap_err().code()
}

fn image(pixels: Element) -> Vec<Element> {
    with(small(), pixels)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn lawful_data_sets_are_accepted_whatever_the_encoding_and_chunking(
        elements in any_elements(),
        which in 0usize..4,
        cut in 1usize..40,
    ) {
        let bytes = encode(&elements, ENCODINGS[which]);
        let whole = scan(ENCODINGS[which], &bytes);
        prop_assert!(whole.is_ok(), "{whole:?}");
        prop_assert_eq!(&scan_chunks(ENCODINGS[which], false, bytes.chunks(1)), &whole);
        prop_assert_eq!(&scan_chunks(ENCODINGS[which], false, bytes.chunks(cut)), &whole);
        let observations = whole.unwrap().observations;
        prop_assert_eq!((observations.unsorted, observations.duplicate), (None, None));
    }

    #[test]
    fn one_changed_byte_gives_the_same_answer_in_any_chunking(
        elements in any_elements(),
        which in 0usize..3,
        at in any::<prop::sample::Index>(),
        byte: u8,
        cut in 1usize..40,
    ) {
        let mut bytes = encode(&elements, ENCODINGS[which]);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let whole = scan(ENCODINGS[which], &bytes);
        prop_assert_eq!(&scan_chunks(ENCODINGS[which], false, bytes.chunks(1)), &whole);
        prop_assert_eq!(&scan_chunks(ENCODINGS[which], false, bytes.chunks(cut)), &whole);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), which in 0usize..4, encapsulated: bool) {
        let whole = scan_chunks(ENCODINGS[which], encapsulated, [&bytes[..]]);
        let split = scan_chunks(ENCODINGS[which], encapsulated, bytes.chunks(1));
        prop_assert_eq!(whole.is_ok(), split.is_ok());
    }

    #[test]
    fn bytes_put_in_or_taken_out_never_panic(
        elements in any_elements(),
        which in 0usize..4,
        at in any::<prop::sample::Index>(),
        insert in prop::collection::vec(any::<u8>(), 0..4),
        remove in 0usize..4,
    ) {
        let mut bytes = encode(&elements, ENCODINGS[which]);
        let at = at.index(bytes.len());
        let end = (at + remove).min(bytes.len());
        bytes.splice(at..end, insert);
        let whole = scan(ENCODINGS[which], &bytes);
        let split = scan_chunks(ENCODINGS[which], false, bytes.chunks(1));
        prop_assert_eq!(whole.is_ok(), split.is_ok());
    }

    #[test]
    fn every_truncation_is_refused_unless_it_ends_between_top_level_elements(
        elements in any_elements(),
        which in 0usize..3,
    ) {
        let bytes = encode(&elements, ENCODINGS[which]);
        let ends: Vec<usize> =
            (1..=elements.len()).map(|n| encode(&elements[..n], ENCODINGS[which]).len()).collect();
        for end in 1..bytes.len() {
            let outcome = scan(ENCODINGS[which], &bytes[..end]);
            prop_assert_eq!(outcome.is_ok(), ends.contains(&end), "{} {:?}", end, outcome);
        }
    }
}

#[test]
fn every_truncation_within_a_small_instance_is_refused() {
    let elements = small();
    for encoding in [Encoding::ImplicitLittle, EXPLICIT, Encoding::ExplicitBig] {
        let bytes = encode(&elements, encoding);
        let last = encode(&elements[..elements.len() - 1], encoding).len();
        for end in last + 1..bytes.len() {
            assert_eq!(code(scan(encoding, &bytes[..end])), "data-set-truncated");
        }
        assert!(scan(encoding, &bytes).is_ok());
    }
}

#[test]
fn captured_values_are_the_same_in_every_encoding() {
    let elements = small();
    let first = scan(EXPLICIT, &encode(&elements, EXPLICIT)).unwrap();
    assert_eq!(&*first.get(0x0028_0010).unwrap().value, [2, 0]);
    assert_eq!(&*first.get(0x0010_0020).unwrap().value, b"P1");
    assert!(first.get(0x0008_1155).is_none());
    for encoding in ENCODINGS {
        let scanned = scan(encoding, &encode(&elements, encoding)).unwrap();
        assert_eq!(scanned.captured, first.captured);
        assert_eq!(scanned.observations, first.observations);
        assert_eq!(scanned.pixel, PixelObservation::Native { tag: 0x7FE0_0010, length: 6 });
    }
}

#[test]
fn the_study_is_known_before_the_pixels_have_come() {
    let bytes = encode(&small(), EXPLICIT);
    let mut scanner = Scanner::new(EXPLICIT, false, ScanLimits::default());
    scanner.update(&bytes[..bytes.len() - 6]).unwrap();
    assert_eq!(scanner.captured(0x0020_000D), Some(&b"1.2.826.0.1.3680043.2\0"[..]));
    assert_eq!(code(scanner.finish()), "data-set-truncated");
}

fn nested(depth: usize, defined: bool) -> Vec<Element> {
    let mut inner = vec![value(0x0008_0100, b"SH", "X")];
    for _ in 0..depth {
        inner = vec![sequence(0x0040_A730, defined, vec![inner])];
    }
    with(inner, value(0x0008_0016, b"UI", "1.2"))
}

#[test]
fn sixty_four_levels_are_accepted_and_sixty_five_refused() {
    for encoding in ENCODINGS {
        for defined in [true, false] {
            assert!(scan(encoding, &encode(&nested(64, defined), encoding)).is_ok());
            let deeper = encode(&nested(65, defined), encoding);
            assert_eq!(code(scan(encoding, &deeper)), "sequence-depth");
        }
    }
}

#[test]
fn a_hundred_thousand_open_sequences_are_refused_without_recursion() {
    let mut bytes = Vec::new();
    for _ in 0..100_000 {
        put_header(&mut bytes, 0x0040_A730, *b"SQ", u32::MAX, EXPLICIT);
        put_tag(&mut bytes, 0xFFFE_E000, EXPLICIT);
        bytes.extend(u32::MAX.to_le_bytes());
    }
    assert_eq!(code(scan(EXPLICIT, &bytes)), "sequence-depth");
}

#[test]
fn a_claim_of_four_gigabytes_with_three_bytes_is_refused() {
    let mut bytes = encode(&[value(0x0008_0016, b"UI", "1.2")], EXPLICIT);
    put_header(&mut bytes, 0x0042_0011, *b"OB", u32::MAX - 1, EXPLICIT);
    bytes.extend([1, 2, 3]);
    assert_eq!(code(scan(EXPLICIT, &bytes)), "data-set-truncated");
}

#[test]
fn a_claim_beyond_the_limit_is_refused_when_it_is_made() {
    let limits = ScanLimits { length_max: 1000, ..ScanLimits::default() };
    let mut bytes = encode(&[value(0x0008_0016, b"UI", "1.2")], EXPLICIT);
    put_header(&mut bytes, 0x0042_0011, *b"OB", 2000, EXPLICIT);
    let refusal = Scanner::new(EXPLICIT, false, limits).update(&bytes).unwrap_err();
    assert_eq!((refusal.code(), refusal.status()), ("data-set-too-large", 0xA700));
}

#[test]
fn a_wrong_transfer_syntax_is_told_from_the_first_element() {
    let elements = small();
    let sent = |encoding| encode(&elements, encoding);
    assert_eq!(code(scan(IMPLICIT, &sent(EXPLICIT))), "explicit-vr-sent");
    assert_eq!(code(scan(EXPLICIT, &sent(IMPLICIT))), "implicit-vr-sent");
    assert_eq!(code(scan(EXPLICIT, &sent(Encoding::ExplicitBig))), "byte-order");
    assert_eq!(code(scan(IMPLICIT, &sent(Encoding::ExplicitBig))), "byte-order");
    assert_eq!(code(scan(Encoding::ExplicitBig, &sent(EXPLICIT))), "byte-order");
    assert_eq!(code(scan(Encoding::DeflatedLittle, &sent(EXPLICIT))), "deflate-corrupt");
}

#[test]
fn an_empty_data_set_or_one_of_group_lengths_is_refused() {
    assert_eq!(code(scan(EXPLICIT, &[])), "data-set-empty");
    let lengths = [value(0x0008_0000, b"UL", [0; 4]), value(0xFFFC_FFFC, b"OB", [0; 4])];
    for encoding in ENCODINGS {
        assert_eq!(code(scan(encoding, &encode(&lengths, encoding))), "data-set-empty");
    }
}

#[test]
fn groups_that_no_data_set_may_hold_are_refused() {
    for tag in [0x0000_0002, 0x0002_0010, 0x0004_1130, 0x0005_0010, 0xFFFF_0001] {
        for elements in [
            with(small(), value(tag, b"LO", "x")),
            with(small(), sequence(0x0040_A730, true, vec![vec![value(tag, b"LO", "x")]])),
        ] {
            for encoding in ENCODINGS {
                let outcome = scan(encoding, &encode(&elements, encoding));
                assert_eq!(code(outcome), "unlawful-group", "{tag:08X} {encoding:?}");
            }
        }
    }
}

#[test]
fn stray_items_and_delimiters_are_refused() {
    for tag in [0xFFFE_E000, 0xFFFE_E00D, 0xFFFE_E0DD, 0xFFFE_0001] {
        for encoding in [EXPLICIT, IMPLICIT, Encoding::ExplicitBig] {
            let mut bytes = encode(&small()[..3], encoding);
            put_tag(&mut bytes, tag, encoding);
            bytes.extend([0; 4]);
            assert_eq!(code(scan(encoding, &bytes)), "stray-delimiter");
        }
    }
}

/// SOP Class UID, then a sequence of the given length and bytes, all explicit little endian.
fn with_sequence(length: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = encode(&[value(0x0008_0016, b"UI", "1.2")], EXPLICIT);
    put_header(&mut bytes, 0x0040_A730, *b"SQ", length, EXPLICIT);
    bytes.extend(content);
    bytes
}

fn item(tag: u32, length: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_tag(&mut bytes, tag, EXPLICIT);
    bytes.extend(length.to_le_bytes());
    bytes.extend(content);
    bytes
}

#[test]
fn sequences_and_items_end_exactly_where_they_say() {
    let inner = encode(&[value(0x0008_0100, b"SH", "X")], EXPLICIT);
    let size = inner.len() as u32;
    let whole = item(0xFFFE_E000, size, &inner);
    let total = whole.len() as u32;
    assert!(scan(EXPLICIT, &with_sequence(total, &whole)).is_ok());
    let refused = |length, content: &[u8]| code(scan(EXPLICIT, &with_sequence(length, content)));
    assert_eq!(refused(total, &item(0xFFFE_E000, size + 2, &inner)), "length-overrun");
    assert_eq!(refused(total, &item(0xFFFE_E000, size - 2, &inner)), "length-overrun");
    assert_eq!(refused(total - 2, &whole), "length-overrun");
    assert_eq!(refused(total + 2, &whole), "item-length");
    assert_eq!(refused(total + 8, &whole), "data-set-truncated");
    assert_eq!(refused(4, &[0; 4]), "item-length");
    assert_eq!(refused(total, &item(0x0008_0100, size, &inner)), "item-expected");
    let undelimited = item(0xFFFE_E000, u32::MAX, &inner);
    assert_eq!(refused(total, &undelimited), "item-length");
    let closed = [&undelimited[..], &item(0xFFFE_E00D, 0, &[])].concat();
    assert!(scan(EXPLICIT, &with_sequence(closed.len() as u32, &closed)).is_ok());
    let long = [&undelimited[..], &item(0xFFFE_E00D, 2, &[])].concat();
    assert_eq!(refused(long.len() as u32, &long), "delimiter-length");
    let delimited = [&whole[..], &item(0xFFFE_E0DD, 0, &[])].concat();
    assert_eq!(refused(total + 8, &delimited), "stray-delimiter");
    assert!(scan(EXPLICIT, &with_sequence(u32::MAX, &delimited)).is_ok());
    assert_eq!(refused(u32::MAX, &whole), "data-set-truncated");
}

#[test]
fn unknown_vrs_and_unlawful_undefined_lengths_are_refused() {
    let with = |tag, vr: &[u8; 2], length: u32| {
        let mut bytes = encode(&small()[..3], EXPLICIT);
        put_header(&mut bytes, tag, *vr, length, EXPLICIT);
        bytes
    };
    assert_eq!(code(scan(EXPLICIT, &with(0x0009_0010, b"ZZ", 0))), "unknown-vr");
    for vr in [b"OB", b"OW", b"OF", b"UT", b"OD"] {
        assert_eq!(code(scan(EXPLICIT, &with(0x0042_0011, vr, u32::MAX))), "undefined-length");
    }
    let mut implicit = encode(&small()[..3], IMPLICIT);
    put_header(&mut implicit, 0x0010_0020, *b"LO", u32::MAX, IMPLICIT);
    assert_eq!(code(scan(IMPLICIT, &implicit)), "undefined-length");
}

#[test]
fn un_of_undefined_length_is_implicit_inside_even_in_big_endian() {
    let inner = vec![(false, vec![value(0x0010_0020, b"LO", "P1")])];
    let body = Body::Items { defined: false, items: inner };
    let elements = with(small(), Element { tag: 0x0009_1010, vr: *b"UN", body });
    for encoding in ENCODINGS {
        let scanned = scan(encoding, &encode(&elements, encoding)).unwrap();
        assert_eq!(scanned.elements, small().len() as u64 + 3 + 2);
    }
}

#[test]
fn private_elements_of_the_implicit_syntax_are_opaque_unless_undefined() {
    let opaque = with(small(), value(0x0009_1010, b"UN", [0xFF; 12]));
    assert!(scan(IMPLICIT, &encode(&opaque, IMPLICIT)).is_ok());
    let nested = vec![vec![value(0x0009_1011, b"UN", "x")]];
    let sequence = with(small(), sequence(0x0009_1010, false, nested));
    let scanned = scan(IMPLICIT, &encode(&sequence, IMPLICIT)).unwrap();
    assert_eq!(scanned.elements, small().len() as u64 + 3 + 2);
}

#[test]
fn fragments_are_for_encapsulated_syntaxes_and_native_pixels_for_the_others() {
    let encapsulated = image(fragments(&[&[], &[1, 2, 3, 4]]));
    let observed =
        PixelObservation::Encapsulated { fragments: 1, length: 12, offsets_lawful: true };
    assert_eq!(scan_encapsulated(&encapsulated).unwrap().pixel, observed);
    assert_eq!(code(scan_encapsulated(&small())), "pixel-data-not-encapsulated");
    assert_eq!(code(scan(EXPLICIT, &encode(&encapsulated, EXPLICIT))), "pixel-data-encapsulated");
    let implicit = encode(&encapsulated, IMPLICIT);
    assert_eq!(code(scan(IMPLICIT, &implicit)), "pixel-data-encapsulated");
    let float = with(small(), value(0x7FE0_0008, b"OF", [0; 24]));
    assert!(scan(EXPLICIT, &encode(&float[..], EXPLICIT)).is_ok());
}

#[test]
fn an_icon_may_be_native_or_encapsulated_in_an_encapsulated_syntax_only() {
    let icon = |pixels| {
        let icon = sequence(0x0088_0200, false, vec![vec![pixels]]);
        with(image(fragments(&[&[], &[1, 2]])), icon)
    };
    let native = icon(value(0x7FE0_0010, b"OW", [0; 4]));
    assert!(scan_encapsulated(&native).is_ok());
    let wrapped = icon(fragments(&[&[], &[1, 2], &[3, 4]]));
    let observed =
        PixelObservation::Encapsulated { fragments: 1, length: 10, offsets_lawful: true };
    assert_eq!(scan_encapsulated(&wrapped).unwrap().pixel, observed);
    let in_native =
        with(small(), sequence(0x0088_0200, false, vec![vec![fragments(&[&[], &[1, 2]])]]));
    assert_eq!(code(scan(EXPLICIT, &encode(&in_native, EXPLICIT))), "pixel-data-encapsulated");
}

#[test]
fn encapsulated_pixels_begin_with_an_offset_table_and_end_with_a_delimiter() {
    assert_eq!(code(scan_encapsulated(&image(fragments(&[])))), "offset-table-missing");
    let bytes = encode(&image(fragments(&[&[], &[1, 2]])), EXPLICIT);
    let refused = |bytes: &[u8]| code(scan_chunks(EXPLICIT, true, [bytes]));
    assert_eq!(refused(&bytes[..bytes.len() - 8]), "data-set-truncated");
    let without_delimiter = &bytes[..bytes.len() - 8];
    let refused_with = |tail: &[u8]| refused(&[without_delimiter, tail].concat());
    assert_eq!(refused_with(&item(0xFFFE_E000, u32::MAX, &[])), "undefined-length");
    assert_eq!(refused_with(&item(0xFFFE_E00D, 0, &[])), "stray-delimiter");
    assert_eq!(refused_with(&item(0xFFFE_E0DD, 2, &[])), "delimiter-length");
    assert_eq!(refused_with(&item(0x0008_0016, 0, &[])), "item-expected");
}

#[test]
fn offset_tables_must_point_into_the_fragments() {
    let lawful = |table: &[u8]| {
        let pixels = fragments(&[table, &[1, 2], &[3, 4]]);
        match scan_encapsulated(&image(pixels)).unwrap().pixel {
            PixelObservation::Encapsulated { offsets_lawful, .. } => offsets_lawful,
            other => panic!("{other:?}"),
        }
    };
    assert!(lawful(&[0, 0, 0, 0, 10, 0, 0, 0]));
    assert!(!lawful(&[0, 0, 0, 0, 20, 0, 0, 0]));
    assert!(!lawful(&[0, 0, 0, 0, 10, 0]));
}

#[test]
fn trailing_padding_is_lawful_at_the_very_end_only() {
    let padding = value(0xFFFC_FFFC, b"OB", [0; 6]);
    let mut elements = small();
    elements.push(padding.clone());
    for encoding in ENCODINGS {
        assert!(scan(encoding, &encode(&elements, encoding)).is_ok());
    }
    elements.push(value(0xFFFD_0010, b"LO", "x"));
    let nested = with(small(), sequence(0x0040_A730, true, vec![vec![padding]]));
    for elements in [elements, nested] {
        for encoding in ENCODINGS {
            assert_eq!(code(scan(encoding, &encode(&elements, encoding))), "padding-not-last");
        }
    }
}

#[test]
fn departures_that_leave_a_data_set_readable_are_observed() {
    let mut elements = small();
    elements.push(value(0x0010_0020, b"LO", "P2"));
    let scanned = scan(EXPLICIT, &encode(&elements, EXPLICIT)).unwrap();
    assert_eq!(scanned.observations.unsorted, Some(0x0010_0020));
    assert_eq!(scanned.observations.duplicate, Some(0x0010_0020));
    assert_eq!(scanned.observations.captured_duplicates, [0x0010_0020]);
    assert_eq!(&*scanned.get(0x0010_0020).unwrap().value, b"P1");

    let twice = vec![value(0x0008_0100, b"SH", "X"); 2];
    let odd = Element { tag: 0x0040_A160, vr: *b"UT", body: Body::Value(b"abc".to_vec()) };
    let set = value(0x0008_0005, b"CS", "ISO_IR 999");
    let nested = sequence(0x0040_A730, false, vec![twice, vec![set], vec![odd]]);
    let scanned = scan(IMPLICIT, &encode(&with(small(), nested), IMPLICIT)).unwrap();
    assert_eq!(scanned.observations.duplicate, Some(0x0008_0100));
    assert_eq!(scanned.observations.odd_length, Some(0x0040_A160));
    assert_eq!(scanned.observations.unknown_character_set, Some(0x0008_0005));
    assert_eq!(scanned.observations.captured_duplicates, []);
}

#[test]
fn two_hundred_thousand_elements_are_taken_and_counted() {
    let mut bytes = encode(&small()[..5], EXPLICIT);
    let elements = 200_000;
    for i in 0..elements {
        put_header(
            &mut bytes,
            0x0011_1000 + (i % 0xE000) + (i / 0xE000 * 0x2_0000),
            *b"UN",
            0,
            EXPLICIT,
        );
    }
    let scanned = scan(EXPLICIT, &bytes).unwrap();
    assert_eq!(scanned.elements, u64::from(elements) + 5);
    assert_eq!(scanned.observations.unsorted, None);
}

#[test]
fn a_refusal_stands() {
    let mut scanner = Scanner::new(EXPLICIT, false, ScanLimits::default());
    let first = scanner.update(&[0xFF; 64]).unwrap_err();
    assert_eq!(scanner.update(&encode(&small(), EXPLICIT)).unwrap_err(), first);
    assert_eq!(scanner.finish().unwrap_err(), first);
}

#[test]
fn refusals_name_the_element_and_never_a_value() {
    let bytes = encode(&small(), EXPLICIT);
    let refusal = scan(EXPLICIT, &bytes[..bytes.len() - 1]).unwrap_err();
    let cut = format!("PixelData (7FE0,0010): data set truncated at byte {}", bytes.len() - 1);
    assert_eq!(refusal.comment(), cut);
    assert_eq!((refusal.status(), refusal.offending), (0xC000, Some(0x7FE0_0010)));
}

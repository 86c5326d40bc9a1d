//! The difference: nothing between encodings of one data set, exactly what changed otherwise.

use kuva_core::dataset::difference::{DifferenceError, DifferenceKind, Side};
use kuva_core::dataset::transfer_syntax::of;
use kuva_core::dataset::{Comparison, Encoding, TransferSyntax, differences};
use proptest::prelude::*;

use crate::made::{
    Body, ENCODINGS, Element, any_elements, encode, fragments, sequence, small, value, with,
    without,
};

fn syntax(encoding: Encoding) -> &'static TransferSyntax {
    of(match encoding {
        Encoding::ImplicitLittle => "1.2.840.10008.1.2",
        Encoding::ExplicitLittle => "1.2.840.10008.1.2.1",
        Encoding::ExplicitBig => "1.2.840.10008.1.2.2",
        Encoding::DeflatedLittle => "1.2.840.10008.1.2.1.99",
    })
    .unwrap()
}

fn compare(before: &[Element], eb: Encoding, after: &[Element], ea: Encoding) -> Comparison {
    let (left, right) = (encode(before, eb), encode(after, ea));
    differences(&mut &left[..], syntax(eb), &mut &right[..], syntax(ea), 100).unwrap()
}

const EXPLICIT: Encoding = Encoding::ExplicitLittle;

/// Path, kind, before, after.
type Shown = (String, DifferenceKind, String, String);

fn shown(before: &[Element], after: &[Element]) -> Vec<Shown> {
    let found = compare(before, Encoding::ExplicitBig, after, EXPLICIT).differences;
    found.into_iter().map(|d| (d.path, d.kind, d.before, d.after)).collect()
}

fn one(path: &str, kind: DifferenceKind, before: &str, after: &str) -> Vec<Shown> {
    vec![(path.to_owned(), kind, before.to_owned(), after.to_owned())]
}

/// The same tree with every sequence and item length form turned round.
fn turned(elements: &[Element]) -> Vec<Element> {
    let turn = |element: &Element| {
        let body = match &element.body {
            Body::Items { defined, items } => Body::Items {
                defined: !defined,
                items: items.iter().map(|(d, item)| (!d, turned(item))).collect(),
            },
            other => other.clone(),
        };
        Element { body, ..element.clone() }
    };
    elements.iter().map(turn).collect()
}

/// Changes the n-th plain value (depth first) and says where it is.
fn change(elements: &mut [Element], n: &mut usize, path: &str) -> Option<String> {
    for element in elements {
        let place = format!("{path}({:04X},{:04X})", element.tag >> 16, element.tag & 0xFFFF);
        match &mut element.body {
            Body::Value(bytes) if *n == 0 => {
                bytes.extend(b"QQ".repeat(4));
                return Some(place);
            }
            Body::Value(_) => *n -= 1,
            Body::Items { items, .. } => {
                for (i, (_, item)) in items.iter_mut().enumerate() {
                    let found = change(item, n, &format!("{place}[{}].", i + 1));
                    if found.is_some() {
                        return found;
                    }
                }
            }
            Body::Fragments(_) => {}
        }
    }
    None
}

fn values(elements: &[Element]) -> usize {
    let count = |element: &Element| match &element.body {
        Body::Value(_) => 1,
        Body::Items { items, .. } => items.iter().map(|(_, item)| values(item)).sum(),
        Body::Fragments(_) => 0,
    };
    elements.iter().map(count).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn encodings_of_one_data_set_do_not_differ(
        elements in any_elements(),
        left in 0usize..4,
        right in 0usize..4,
    ) {
        let found = compare(&elements, ENCODINGS[left], &turned(&elements), ENCODINGS[right]);
        prop_assert!(found.equivalent(), "{:?}", found);
    }

    #[test]
    fn one_changed_value_gives_exactly_its_path(
        elements in any_elements(),
        which in any::<prop::sample::Index>(),
        left in 0usize..4,
        right in 0usize..4,
    ) {
        let mut changed = elements.clone();
        let mut n = which.index(values(&elements));
        let place = change(&mut changed, &mut n, "").unwrap();
        let found = compare(&elements, ENCODINGS[left], &changed, ENCODINGS[right]);
        prop_assert!(!found.equivalent());
        prop_assert_eq!(found.differences.len(), 1, "{:?}", found);
        prop_assert_eq!(&found.differences[0].path, &place);
        prop_assert_eq!(found.differences[0].kind, DifferenceKind::Changed);
    }

    #[test]
    fn arbitrary_bytes_never_panic(left in prop::collection::vec(any::<u8>(), 0..200), right in prop::collection::vec(any::<u8>(), 0..200), which in 0usize..4) {
        let syntax = syntax(ENCODINGS[which]);
        let _ = differences(&mut &left[..], syntax, &mut &right[..], syntax, 10);
    }
}

#[test]
fn values_show_as_an_operator_reads_them() {
    let name = with(small(), value(0x0010_0010, b"PN", "Lahtinen^Äijö"));
    let changed = DifferenceKind::Changed;
    assert_eq!(
        shown(&small(), &name),
        one("(0010,0010)", changed, "Virtanen^Äijö", "Lahtinen^Äijö")
    );
    let rows = with(small(), value(0x0028_0010, b"US", 300u16.to_le_bytes()));
    assert_eq!(shown(&small(), &rows), one("(0028,0010)", changed, "2", "300"));
    let pixels = with(small(), value(0x7FE0_0010, b"OW", [1, 2, 3, 4, 5, 7]));
    let found = shown(&small(), &pixels);
    assert_eq!(found.len(), 1);
    assert!(found[0].2.starts_with("6 bytes, BLAKE3 ") && found[0].2 != found[0].3);
    let signed = with(small(), value(0x0028_0010, b"SS", [2, 0]));
    assert_eq!(shown(&small(), &signed), one("(0028,0010)", changed, "US 2", "SS 2"));
}

#[test]
fn long_values_that_differ_in_their_last_byte_differ_and_previews_stay_short() {
    let text = |last: &str| with(small(), value(0x0040_A160, b"UT", "ä".repeat(5000) + last));
    let found = compare(&text("a."), EXPLICIT, &text("b."), Encoding::ImplicitLittle).differences;
    assert_eq!(found.len(), 1);
    assert!(found[0].before.len() <= 64 && found[0].before.starts_with('ä'));
    assert!(compare(&text("a."), EXPLICIT, &text("a."), Encoding::ImplicitLittle).equivalent());
}

#[test]
fn what_one_side_lacks_is_added_or_removed_once_with_all_beneath_it() {
    let nested =
        vec![vec![sequence(0x0040_A730, true, vec![vec![value(0x0008_0100, b"SH", "X")]])]];
    let more = with(small(), sequence(0x0040_A730, false, nested));
    assert_eq!(shown(&small(), &more), one("(0040,A730)", DifferenceKind::Added, "", "sequence"));
    assert_eq!(shown(&more, &small()), one("(0040,A730)", DifferenceKind::Removed, "sequence", ""));
    let emptied = with(small(), sequence(0x0008_1140, false, vec![vec![], vec![]]));
    let removed = one("(0008,1140)[1].(0008,1155)", DifferenceKind::Removed, "1.2.3", "");
    assert_eq!(shown(&small(), &emptied), removed);
    let third = with(
        small(),
        sequence(
            0x0008_1140,
            false,
            vec![vec![value(0x0008_1155, b"UI", "1.2.3")], vec![], vec![]],
        ),
    );
    assert_eq!(shown(&small(), &third), one("(0008,1140)[3]", DifferenceKind::Added, "", "item"));
    let fewer = without(small(), 0x0010_0020);
    assert_eq!(shown(&small(), &fewer), one("(0010,0020)", DifferenceKind::Removed, "P1", ""));
}

#[test]
fn what_says_nothing_makes_no_difference() {
    let mut padded = with(small(), value(0x0008_0060, b"CS", "CT  "));
    padded = with(padded, value(0x0020_000E, b"UI", "1.2.826.0.1.3680043.3 "));
    padded = with(padded, value(0x0008_0000, b"UL", 9u32.to_le_bytes()));
    padded.push(value(0xFFFC_FFFC, b"OB", [0; 32]));
    assert!(compare(&small(), EXPLICIT, &padded, Encoding::ImplicitLittle).equivalent());
    let bytes = with(small(), value(0x7FE0_0010, b"OB", [1, 2, 3, 4, 5, 6]));
    assert!(compare(&small(), EXPLICIT, &bytes, EXPLICIT).equivalent());
}

#[test]
fn tags_out_of_order_are_never_taken_for_equal() {
    let mut unsorted = small();
    unsorted.swap(3, 4);
    assert!(!compare(&small(), EXPLICIT, &unsorted, EXPLICIT).equivalent());
    assert!(compare(&unsorted, EXPLICIT, &unsorted, Encoding::ExplicitBig).equivalent());
    let mut twice = small();
    twice.insert(10, value(0x0010_0020, b"LO", "P2"));
    assert!(!compare(&small(), EXPLICIT, &twice, EXPLICIT).equivalent());
}

#[test]
fn the_limit_stops_the_comparison_and_is_told() {
    let (left, right) = (encode(&small(), EXPLICIT), encode(&small()[1..2], EXPLICIT));
    let syntax = syntax(EXPLICIT);
    let found = differences(&mut &left[..], syntax, &mut &right[..], syntax, 3).unwrap();
    assert_eq!((found.differences.len(), found.complete), (3, false));
    let none = differences(&mut &left[..], syntax, &mut &right[..], syntax, 0).unwrap();
    assert!(!none.equivalent());
}

#[test]
fn fragments_are_compared_as_they_are_and_never_with_native_pixels() {
    let jpeg = of("1.2.840.10008.1.2.4.50").unwrap();
    let lossless = of("1.2.840.10008.1.2.4.70").unwrap();
    let image = |last: u8| encode(&with(small(), fragments(&[&[], &[1, 2], &[3, last]])), EXPLICIT);
    let (left, right) = (image(4), image(5));
    let found = differences(&mut &left[..], jpeg, &mut &right[..], jpeg, 9).unwrap();
    assert_eq!(found.differences.len(), 1);
    assert_eq!(found.differences[0].path, "(7FE0,0010)[3]");
    let same = |other| differences(&mut &left[..], jpeg, &mut &left[..], other, 9).unwrap();
    assert!(same(jpeg).equivalent());
    assert!(same(lossless).differences.is_empty() && !same(lossless).equivalent());
    let native = encode(&small(), EXPLICIT);
    let found = differences(&mut &left[..], jpeg, &mut &native[..], syntax(EXPLICIT), 9).unwrap();
    assert_eq!(found.differences.len(), 1);
    assert_eq!(found.differences[0].path, "(7FE0,0010)");
}

#[test]
fn a_broken_side_is_an_error_that_names_it() {
    let whole = encode(&small(), EXPLICIT);
    let cut = &whole[..whole.len() - 1];
    let explicit = syntax(EXPLICIT);
    let error = differences(&mut &whole[..], explicit, &mut &cut[..], explicit, 9).unwrap_err();
    assert!(matches!(error, DifferenceError::Unreadable(Side::After, _)));
    let xml = of("1.2.840.10008.1.2.6.2").unwrap();
    let error = differences(&mut &whole[..], xml, &mut &whole[..], explicit, 9).unwrap_err();
    assert!(matches!(error, DifferenceError::NoEncoding(Side::Before)));
}

#[test]
fn sixty_four_mebibytes_are_compared_in_any_word_order() {
    let pixels: Vec<u8> = (0..64u32 << 18).flat_map(u32::to_le_bytes).collect();
    let image = with(small(), value(0x7FE0_0010, b"OW", pixels));
    assert!(compare(&image, EXPLICIT, &image, Encoding::ExplicitBig).equivalent());
}

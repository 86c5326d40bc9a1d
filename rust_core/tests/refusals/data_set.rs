//! Bytes that are no data set.

use kuva_core::dataset::{Encoding, ScanLimits, Scanner};

use crate::Provocation;
use crate::made::{Element, encode, fragments, put_header, put_tag, sequence, small, value, with};

const EXPLICIT: Encoding = Encoding::ExplicitLittle;
const IMPLICIT: Encoding = Encoding::ImplicitLittle;
const DEFLATED: Encoding = Encoding::DeflatedLittle;

fn scan(encoding: Encoding, encapsulated: bool, bytes: &[u8]) -> &'static str {
    let mut scanner = Scanner::new(encoding, encapsulated, ScanLimits::default());
    let outcome = scanner.update(bytes).and_then(|()| scanner.finish().map(|_| ()));
    outcome.unwrap_err().code()
}

fn explicit(bytes: &[u8]) -> &'static str {
    scan(EXPLICIT, false, bytes)
}

fn elements(elements: &[Element]) -> &'static str {
    explicit(&encode(elements, EXPLICIT))
}

/// Two elements, then the header of another and some bytes.
fn followed_by(tag: u32, vr: &[u8; 2], length: u32, bytes: &[u8]) -> &'static str {
    let mut data_set = encode(&small()[..2], EXPLICIT);
    put_header(&mut data_set, tag, *vr, length, EXPLICIT);
    data_set.extend(bytes);
    explicit(&data_set)
}

fn item(tag: u32, length: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    put_tag(&mut bytes, tag, EXPLICIT);
    bytes.extend(length.to_le_bytes());
    bytes.extend(content);
    bytes
}

fn too_large() -> &'static str {
    let mut bytes = encode(&small()[..2], EXPLICIT);
    put_header(&mut bytes, 0x7FE0_0010, *b"OW", 2000, EXPLICIT);
    let limits = ScanLimits { length_max: 1000, ..ScanLimits::default() };
    Scanner::new(EXPLICIT, false, limits).update(&bytes).unwrap_err().code()
}

fn too_deep() -> &'static str {
    let mut inner = vec![value(0x0008_0100, b"SH", "X")];
    for _ in 0..65 {
        inner = vec![sequence(0x0040_A730, false, vec![inner])];
    }
    elements(&with(inner, small().remove(1)))
}

fn descending() -> &'static str {
    let mut bytes = encode(&small()[..2], EXPLICIT);
    for number in (0..70_000u32).rev() {
        put_header(&mut bytes, 0x0009_0000 + number, *b"SH", 0, EXPLICIT);
    }
    explicit(&bytes)
}

pub const PROVOCATIONS: &[Provocation] = &[
    ("data-set-truncated", || {
        let bytes = encode(&small(), EXPLICIT);
        explicit(&bytes[..bytes.len() - 1])
    }),
    ("data-set-empty", || explicit(&[])),
    ("data-set-too-large", too_large),
    ("explicit-vr-sent", || scan(IMPLICIT, false, &encode(&small(), EXPLICIT))),
    ("implicit-vr-sent", || explicit(&encode(&small(), IMPLICIT))),
    ("byte-order", || explicit(&encode(&small(), Encoding::ExplicitBig))),
    ("unknown-vr", || followed_by(0x0009_0010, b"ZZ", 0, &[])),
    ("unlawful-group", || elements(&with(small(), value(0x0002_0010, b"UI", "1.2")))),
    ("undefined-length", || followed_by(0x0042_0011, b"OB", u32::MAX, &[])),
    ("length-overrun", || followed_by(0x0040_A730, b"SQ", 10, &item(0xFFFE_E000, 8, &[0; 8]))),
    ("item-length", || followed_by(0x0040_A730, b"SQ", 4, &[0; 4])),
    ("item-expected", || followed_by(0x0040_A730, b"SQ", 8, &item(0x0008_0100, 0, &[]))),
    ("stray-delimiter", || {
        explicit(&[encode(&small()[..2], EXPLICIT), item(0xFFFE_E00D, 0, &[])].concat())
    }),
    ("delimiter-length", || followed_by(0x0040_A730, b"SQ", u32::MAX, &item(0xFFFE_E0DD, 2, &[]))),
    ("sequence-depth", too_deep),
    ("pixel-data-not-encapsulated", || scan(EXPLICIT, true, &encode(&small(), EXPLICIT))),
    ("pixel-data-encapsulated", || elements(&with(small(), fragments(&[&[], &[1, 2]])))),
    ("offset-table-missing", || {
        scan(EXPLICIT, true, &encode(&with(small(), fragments(&[])), EXPLICIT))
    }),
    ("padding-not-last", || {
        let mut padded = with(small(), value(0xFFFC_FFFC, b"OB", [0; 4]));
        padded.push(value(0xFFFD_0010, b"LO", "x"));
        elements(&padded)
    }),
    ("order-unknowable", descending),
    ("deflate-corrupt", || scan(DEFLATED, false, &encode(&small(), EXPLICIT))),
    ("deflate-truncated", || {
        let bytes = encode(&small(), DEFLATED);
        scan(DEFLATED, false, &bytes[..bytes.len() - 4])
    }),
    ("deflate-trailing", || {
        let bytes = encode(&small(), DEFLATED);
        scan(DEFLATED, false, &[&bytes[..], &bytes[..]].concat())
    }),
];

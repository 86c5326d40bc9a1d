//! Made data sets: a tree of elements, and its encoding in any transfer syntax.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use kuva_core::dataset::Encoding;
use kuva_core::dataset::vr::{LengthField, length_field, word};
use proptest::prelude::*;

/// An element of a made data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    pub tag: u32,
    pub vr: [u8; 2],
    pub body: Body,
}

/// What an element holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// A value in little endian.
    Value(Vec<u8>),
    /// Items; whether the sequence and each item are of defined length.
    Items { defined: bool, items: Vec<(bool, Vec<Element>)> },
    /// Fragments, the Basic Offset Table first.
    Fragments(Vec<Vec<u8>>),
}

pub fn value(tag: u32, vr: &[u8; 2], bytes: impl AsRef<[u8]>) -> Element {
    let mut bytes = bytes.as_ref().to_vec();
    if bytes.len() % 2 == 1 {
        bytes.push(if vr == b"UI" || vr == b"OB" { 0 } else { b' ' });
    }
    Element { tag, vr: *vr, body: Body::Value(bytes) }
}

pub fn sequence(tag: u32, defined: bool, items: Vec<Vec<Element>>) -> Element {
    let items = items.into_iter().map(|item| (defined, item)).collect();
    Element { tag, vr: *b"SQ", body: Body::Items { defined, items } }
}

pub fn fragments(fragments: &[&[u8]]) -> Element {
    let body = Body::Fragments(fragments.iter().map(|f| f.to_vec()).collect());
    Element { tag: 0x7FE0_0010, vr: *b"OB", body }
}

pub const SOP_CLASS: &str = "1.2.840.10008.5.1.4.1.1.2";
pub const SOP_INSTANCE: &str = "1.2.826.0.1.3680043.1";

/// A small instance with an 8-bit image of 2 by 3.
pub fn small() -> Vec<Element> {
    vec![
        value(0x0008_0005, b"CS", "ISO_IR 192"),
        value(0x0008_0016, b"UI", SOP_CLASS),
        value(0x0008_0018, b"UI", SOP_INSTANCE),
        value(0x0008_0020, b"DA", "20240229"),
        value(0x0008_0030, b"TM", "101112.5"),
        value(0x0008_0060, b"CS", "CT"),
        sequence(0x0008_1140, true, vec![vec![value(0x0008_1155, b"UI", "1.2.3")], vec![]]),
        sequence(
            0x0008_2112,
            false,
            vec![vec![sequence(0x0040_A170, true, vec![vec![value(0x0008_0100, b"SH", "X")]])]],
        ),
        value(0x0010_0010, b"PN", "Virtanen^Äijö"),
        value(0x0010_0020, b"LO", "P1"),
        value(0x0020_000D, b"UI", "1.2.826.0.1.3680043.2"),
        value(0x0020_000E, b"UI", "1.2.826.0.1.3680043.3"),
        value(0x0028_0002, b"US", 1u16.to_le_bytes()),
        value(0x0028_0004, b"CS", "MONOCHROME2"),
        value(0x0028_0010, b"US", 2u16.to_le_bytes()),
        value(0x0028_0011, b"US", 3u16.to_le_bytes()),
        value(0x0028_0100, b"US", 8u16.to_le_bytes()),
        value(0x7FE0_0010, b"OW", [1, 2, 3, 4, 5, 6]),
    ]
}

/// Puts `element` in its place, instead of one with its tag.
pub fn with(mut elements: Vec<Element>, element: Element) -> Vec<Element> {
    elements.retain(|other| other.tag != element.tag);
    let place = elements.partition_point(|other| other.tag < element.tag);
    elements.insert(place, element);
    elements
}

pub fn without(mut elements: Vec<Element>, tag: u32) -> Vec<Element> {
    elements.retain(|other| other.tag != tag);
    elements
}

/// Encodes a tree.
pub fn encode(elements: &[Element], encoding: Encoding) -> Vec<u8> {
    let mut out = Vec::new();
    let plain = match encoding {
        Encoding::DeflatedLittle => Encoding::ExplicitLittle,
        Encoding::ImplicitLittle | Encoding::ExplicitLittle | Encoding::ExplicitBig => encoding,
    };
    elements.iter().for_each(|element| put(&mut out, element, plain));
    if encoding == Encoding::DeflatedLittle { deflate(&out) } else { out }
}

/// Deflates as PS3.5 A.5 demands, pad byte included.
pub fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    let mut out = encoder.finish().unwrap();
    if out.len() % 2 == 1 {
        out.push(0);
    }
    out
}

fn u16s(out: &mut Vec<u8>, word: u16, encoding: Encoding) {
    let big = encoding == Encoding::ExplicitBig;
    out.extend(if big { word.to_be_bytes() } else { word.to_le_bytes() });
}

fn u32s(out: &mut Vec<u8>, word: u32, encoding: Encoding) {
    let big = encoding == Encoding::ExplicitBig;
    out.extend(if big { word.to_be_bytes() } else { word.to_le_bytes() });
}

pub fn put_tag(out: &mut Vec<u8>, tag: u32, encoding: Encoding) {
    u16s(out, (tag >> 16) as u16, encoding);
    u16s(out, tag as u16, encoding);
}

/// Tag, VR and length of an element.
pub fn put_header(out: &mut Vec<u8>, tag: u32, vr: [u8; 2], length: u32, encoding: Encoding) {
    put_tag(out, tag, encoding);
    if encoding == Encoding::ImplicitLittle {
        return u32s(out, length, encoding);
    }
    out.extend(vr);
    match length_field(vr) {
        Some(LengthField::Short) => u16s(out, length as u16, encoding),
        Some(LengthField::Long) | None => {
            out.extend([0, 0]);
            u32s(out, length, encoding);
        }
    }
}

fn put_item(out: &mut Vec<u8>, tag: u32, length: u32, encoding: Encoding) {
    put_tag(out, tag, encoding);
    u32s(out, length, encoding);
}

const UNDEFINED: u32 = u32::MAX;

fn put(out: &mut Vec<u8>, element: &Element, encoding: Encoding) {
    let Element { tag, vr, body } = element;
    match body {
        Body::Value(bytes) => {
            put_header(out, *tag, *vr, bytes.len() as u32, encoding);
            let start = out.len();
            out.extend(bytes);
            let word = if encoding == Encoding::ExplicitBig { word(*vr) } else { 1 };
            out[start..].chunks_exact_mut(word).for_each(<[u8]>::reverse);
        }
        Body::Items { defined, items } => {
            let inner = if vr == b"UN" { Encoding::ImplicitLittle } else { encoding };
            let mut content = Vec::new();
            items
                .iter()
                .for_each(|(defined, item)| put_whole_item(&mut content, *defined, item, inner));
            let length = if *defined { content.len() as u32 } else { UNDEFINED };
            put_header(out, *tag, *vr, length, encoding);
            out.extend(content);
            if !defined {
                put_item(out, 0xFFFE_E0DD, 0, inner);
            }
        }
        Body::Fragments(fragments) => {
            put_header(out, *tag, *vr, UNDEFINED, encoding);
            for fragment in fragments {
                put_item(out, 0xFFFE_E000, fragment.len() as u32, encoding);
                out.extend(fragment);
            }
            put_item(out, 0xFFFE_E0DD, 0, encoding);
        }
    }
}

fn put_whole_item(out: &mut Vec<u8>, defined: bool, item: &[Element], encoding: Encoding) {
    let mut content = Vec::new();
    item.iter().for_each(|element| put(&mut content, element, encoding));
    put_item(out, 0xFFFE_E000, if defined { content.len() as u32 } else { UNDEFINED }, encoding);
    out.extend(content);
    if !defined {
        put_item(out, 0xFFFE_E00D, 0, encoding);
    }
}

pub const ENCODINGS: [Encoding; 4] = [
    Encoding::ImplicitLittle,
    Encoding::ExplicitLittle,
    Encoding::ExplicitBig,
    Encoding::DeflatedLittle,
];

/// Plain elements that the generator may choose, with the VR of the dictionary.
const PLAIN: [(u32, &[u8; 2]); 14] = [
    (0x0008_0008, b"CS"),
    (0x0008_0070, b"LO"),
    (0x0008_1155, b"UI"),
    (0x0009_0010, b"LO"),
    (0x0009_1001, b"UN"),
    (0x0010_1030, b"DS"),
    (0x0010_4000, b"LT"),
    (0x0018_9073, b"FD"),
    (0x0020_4000, b"LT"),
    (0x0028_0106, b"US"),
    (0x0028_3006, b"OW"),
    (0x0040_A160, b"UT"),
    (0x0040_A73A, b"DS"),
    (0x0048_021B, b"FL"),
];
const SEQUENCES: [u32; 4] = [0x0008_1140, 0x0008_2112, 0x0040_A170, 0x0040_A730];

fn leaf() -> impl Strategy<Value = Element> {
    let bytes = prop::collection::vec(0x20u8..0x7F, 0..6).prop_map(|words| words.repeat(8));
    (prop::sample::select(&PLAIN[..]), bytes).prop_map(|((tag, vr), bytes)| value(tag, vr, bytes))
}

/// Sorted, each tag once.
fn tidy(mut elements: Vec<Element>) -> Vec<Element> {
    elements.sort_by_key(|element| element.tag);
    elements.dedup_by_key(|element| element.tag);
    elements
}

fn items(inner: BoxedStrategy<Element>) -> impl Strategy<Value = Body> {
    let item = (any::<bool>(), prop::collection::vec(inner, 0..4).prop_map(tidy));
    (any::<bool>(), prop::collection::vec(item, 0..3))
        .prop_map(|(defined, items)| Body::Items { defined, items })
}

/// Any lawful data set, nested, at least with a SOP class.
pub fn any_elements() -> impl Strategy<Value = Vec<Element>> {
    let element = leaf().boxed().prop_recursive(4, 24, 4, |inner| {
        let nested = (prop::sample::select(&SEQUENCES[..]), items(inner.clone()))
            .prop_map(|(tag, body)| Element { tag, vr: *b"SQ", body });
        prop_oneof![leaf(), nested].boxed()
    });
    prop::collection::vec(element, 0..12)
        .prop_map(|elements| with(tidy(elements), value(0x0008_0016, b"UI", SOP_CLASS)))
}

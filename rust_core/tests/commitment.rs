//! Storage commitment information: what is written so is read so, and nothing else is taken for it.
#![allow(clippy::unwrap_used, missing_docs)]

use kuva_core::commitment::{Information, Reference};
use kuva_core::dataset::Encoding;
use kuva_core::limits::REFERENCES_MAX;
use proptest::prelude::*;

const MR: &str = "1.2.840.10008.5.1.4.1.1.4";
const SYNTAXES: [Encoding; 2] = [Encoding::ImplicitLittle, Encoding::ExplicitLittle];

fn element(encoding: Encoding, tag: u32, vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let mut out = ((tag >> 16) as u16).to_le_bytes().to_vec();
    out.extend((tag as u16).to_le_bytes());
    if encoding == Encoding::ImplicitLittle {
        out.extend((value.len() as u32).to_le_bytes());
    } else {
        out.extend(vr);
        if matches!(vr, b"SQ" | b"OB") {
            out.extend([0, 0]);
            out.extend((value.len() as u32).to_le_bytes());
        } else {
            out.extend((value.len() as u16).to_le_bytes());
        }
    }
    out.extend(value);
    out
}

fn uid(encoding: Encoding, tag: u32, text: &str) -> Vec<u8> {
    let mut value = text.as_bytes().to_vec();
    value.resize(value.len().next_multiple_of(2), 0);
    element(encoding, tag, b"UI", &value)
}

fn item(content: &[u8], undefined: bool) -> Vec<u8> {
    let mut out = vec![0xFE, 0xFF, 0x00, 0xE0];
    let length = if undefined { u32::MAX } else { content.len() as u32 };
    out.extend(length.to_le_bytes());
    out.extend(content);
    if undefined {
        out.extend([0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0]);
    }
    out
}

fn reference(encoding: Encoding, one: &Reference, undefined: bool) -> Vec<u8> {
    let mut content = uid(encoding, 0x0008_1150, &one.sop_class);
    content.extend(uid(encoding, 0x0008_1155, &one.sop_instance));
    if let Some(reason) = one.reason {
        content.extend(element(encoding, 0x0008_1197, b"US", &reason.to_le_bytes()));
    }
    item(&content, undefined)
}

fn list(encoding: Encoding, tag: u32, references: &[Reference], undefined: bool) -> Vec<u8> {
    let items: Vec<u8> =
        references.iter().flat_map(|one| reference(encoding, one, undefined)).collect();
    element(encoding, tag, b"SQ", &items)
}

fn write(encoding: Encoding, information: &Information, undefined: bool) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(title) = &information.retrieve_title {
        let mut value = title.as_bytes().to_vec();
        value.resize(value.len().next_multiple_of(2), b' ');
        out.extend(element(encoding, 0x0008_0054, b"AE", &value));
    }
    if let Some(transaction) = &information.transaction {
        out.extend(uid(encoding, 0x0008_1195, transaction));
    }
    for (tag, references) in
        [(0x0008_1198, &information.failed), (0x0008_1199, &information.referenced)]
    {
        if let Some(references) = references {
            out.extend(list(encoding, tag, references, undefined));
        }
    }
    out
}

fn code(bytes: &[u8], encoding: Encoding) -> Result<Information, &'static str> {
    Information::read(bytes, encoding).map_err(|refusal| refusal.code())
}

prop_compose! {
    fn references()(
        all in prop::collection::vec(("[1-9]{1,4}(\\.[1-9]{1,9}){1,5}", "[1-9]{1,4}(\\.[1-9]{1,9}){1,6}", any::<Option<u16>>()), 0..20),
    ) -> Vec<Reference> {
        let one = |(class, instance, reason): (String, String, _)| Reference {
            sop_class: class.into(), sop_instance: instance.into(), reason,
        };
        all.into_iter().map(one).collect()
    }
}

prop_compose! {
    fn informations()(
        transaction in prop::option::of("[1-9]{1,4}(\\.[1-9]{1,9}){1,6}"),
        retrieve_title in prop::option::of("[A-Z]{1,16}"),
        referenced in prop::option::of(references()),
        failed in prop::option::of(references()),
    ) -> Information {
        Information { transaction: transaction.map(Into::into), retrieve_title, referenced, failed }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(information in informations(), undefined: bool) {
        for encoding in SYNTAXES {
            let bytes = write(encoding, &information, undefined);
            prop_assert_eq!(code(&bytes, encoding), Ok(information.clone()));
        }
    }

    #[test]
    fn u37_whatever_is_cut_or_changed_gives_what_it_says_or_a_refusal(
        information in informations(), at: prop::sample::Index, byte: u8, cut: bool,
    ) {
        for encoding in SYNTAXES {
            let mut bytes = write(encoding, &information, false);
            prop_assume!(!bytes.is_empty());
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] = byte }
            if let Err(refusal) = Information::read(&bytes, encoding) {
                prop_assert!(refusal.code().starts_with("commitment-"));
            }
        }
    }

    #[test]
    fn u37_garbage_is_refused_and_never_more(bytes: Vec<u8>) {
        for encoding in SYNTAXES {
            let _ = Information::read(&bytes, encoding);
        }
    }
}

fn one(instance: &str) -> Reference {
    Reference { sop_class: MR.into(), sop_instance: instance.into(), reason: None }
}

#[test]
fn u37_lists_that_are_none_are_refused_by_their_own_codes() {
    let e = Encoding::ExplicitLittle;
    let class = uid(e, 0x0008_1150, MR);
    let instance = uid(e, 0x0008_1155, "1.2.3");
    let in_list = |content: &[u8]| element(e, 0x0008_1199, b"SQ", &item(content, false));
    let whole = in_list(&[class.clone(), instance.clone()].concat());
    let twice = [class.clone(), instance.clone(), instance.clone()].concat();
    let cases: [(Vec<u8>, &str); 9] = [
        (in_list(&class), "commitment-list"),
        (in_list(&instance), "commitment-list"),
        (in_list(&twice), "commitment-list"),
        ([whole.clone(), whole.clone()].concat(), "commitment-list"),
        (element(e, 0x0008_1199, b"OB", b"12"), "commitment-list"),
        (element(e, 0x0008_1195, b"LO", b"1.2 "), "commitment-list"),
        (uid(e, 0x0008_1195, "1.2.x"), "commitment-uid"),
        (uid(e, 0x0008_1195, &"1".repeat(80)), "commitment-uid"),
        (b"abc".to_vec(), "commitment-unreadable"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(code(&bytes, e), Err(expected), "{bytes:?}");
    }
    assert_eq!(code(&whole, e).unwrap().referenced, Some(vec![one("1.2.3")]));
    assert!(code(&whole, Encoding::DeflatedLittle).is_err());
}

#[test]
fn references_inside_other_sequences_are_none_of_ours() {
    let e = Encoding::ExplicitLittle;
    let inner = list(e, 0x0008_1199, &[one("1.2.3")], false);
    let other = element(e, 0x0008_1111, b"SQ", &item(&inner, false));
    let mut bytes = other.clone();
    bytes.extend(list(e, 0x0008_1199, &[one("1.2.4")], false));
    assert_eq!(code(&bytes, e).unwrap().referenced, Some(vec![one("1.2.4")]));
    assert_eq!(code(&other, e).unwrap().referenced, None);
}

#[test]
fn u37_a_hundred_thousand_references_are_read_and_one_more_is_refused() {
    let e = Encoding::ImplicitLittle;
    let mut all: Vec<Reference> = (0..REFERENCES_MAX).map(|n| one(&format!("1.2.{n}"))).collect();
    let bytes = list(e, 0x0008_1199, &all, true);
    assert_eq!(code(&bytes, e).unwrap().referenced.unwrap().len(), REFERENCES_MAX);
    all.push(one("1.3"));
    assert_eq!(code(&list(e, 0x0008_1199, &all, true), e), Err("commitment-too-many"));
}

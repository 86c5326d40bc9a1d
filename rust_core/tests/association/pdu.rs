//! PDU codecs: what is written is read back, and what cannot be read is refused in its place.

use kuva_core::limits::{PDU_LENGTH_MAX_OURS, TRANSFER_SYNTAXES_MAX};
use kuva_core::pdu::{
    AssociateRq, Pdu, PduErrorKind, PduType, PresentationContextProposed, UserInformation,
};
use proptest::prelude::*;

use crate::strategies;
use crate::support::{EXPLICIT, answer, request};

fn decode(bytes: &[u8]) -> Result<Pdu, kuva_core::pdu::PduError> {
    Pdu::decode(bytes, PDU_LENGTH_MAX_OURS)
}

proptest! {
    #[test]
    fn every_pdu_is_read_back_as_it_was_written(pdu in strategies::pdu()) {
        prop_assert_eq!(decode(&pdu.encode()), Ok(pdu));
    }

    #[test]
    fn any_body_is_read_the_same_again_or_refused(
        kind in 1u8..8, body in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        if let Ok(pdu) = Pdu::decode_body(PduType::of(kind).unwrap(), &body) {
            prop_assert_eq!(decode(&pdu.encode()), Ok(pdu));
        }
    }

    #[test]
    fn a_damaged_pdu_is_read_the_same_again_or_refused(
        pdu in strategies::pdu(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = pdu.encode();
        for (index, byte) in damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(pdu) = decode(&bytes) {
            prop_assert_eq!(decode(&pdu.encode()), Ok(pdu));
        }
    }

    #[test]
    fn a_pdu_cut_anywhere_is_refused(pdu in strategies::pdu(), cut: prop::sample::Index) {
        let bytes = pdu.encode();
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
    }
}

/// The request with its items behind the fixed part replaced.
fn with_items(items: &[u8]) -> Vec<u8> {
    let mut body = request().encode()[6..74].to_vec();
    body.extend_from_slice(items);
    body
}

fn item(kind: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![kind, 0];
    out.extend_from_slice(&(content.len() as u16).to_be_bytes());
    out.extend_from_slice(content);
    out
}

fn context(id: u8) -> Vec<u8> {
    let mut content = vec![id, 0, 0, 0];
    content.extend(item(0x30, b"1.2"));
    content.extend(item(0x40, EXPLICIT.as_bytes()));
    item(0x20, &content)
}

fn common_items(user: &[u8]) -> Vec<u8> {
    let mut items = item(0x10, b"1.2.840.10008.3.1.1.1");
    items.extend(item(0x50, user));
    items
}

#[test]
fn even_and_repeated_context_ids_are_refused_where_they_stand() {
    let refused = |ids: &[u8]| {
        let mut items = common_items(&[]);
        ids.iter().for_each(|id| items.extend(context(*id)));
        AssociateRq::decode(&with_items(&items)).map(|_| ()).unwrap_err()
    };
    let start = 68 + common_items(&[]).len();
    assert_eq!(refused(&[2]).kind, PduErrorKind::ContextIdEven);
    assert_eq!(refused(&[2]).offset, start + 4);
    assert_eq!(refused(&[0]).kind, PduErrorKind::ContextIdEven);
    assert_eq!(refused(&[1, 3, 1]).kind, PduErrorKind::ContextIdDuplicate);
    assert_eq!(refused(&[1, 3, 1]).offset, start + 2 * context(1).len());
    assert_eq!(refused(&[]).kind, PduErrorKind::Missing);
}

#[test]
fn all_128_context_ids_fit_in_one_request() {
    let mut rq = request();
    let all = (0..128).map(|half| half * 2 + 1);
    rq.contexts =
        all.map(|id| PresentationContextProposed::new(id, "1.2", vec![EXPLICIT.into()])).collect();
    assert_eq!(decode(&rq.encode()), Ok(Pdu::AssociateRq(Box::new(rq))));
}

#[test]
fn u7_sixty_four_transfer_syntaxes_pass_and_sixty_five_mark_their_context_alone() {
    let decoded = |count: usize| {
        let mut rq = request();
        rq.contexts[1].transfer_syntaxes = vec![EXPLICIT.into(); count];
        AssociateRq::decode(&rq.encode()[6..]).unwrap()
    };
    let marks = |rq: AssociateRq| {
        rq.contexts.iter().map(|context| context.too_many_transfer_syntaxes).collect::<Vec<_>>()
    };
    assert_eq!(marks(decoded(TRANSFER_SYNTAXES_MAX)), [false, false, false, false]);
    assert_eq!(marks(decoded(TRANSFER_SYNTAXES_MAX + 1)), [false, true, false, false]);
    let kept = decoded(2_000).contexts.swap_remove(1).transfer_syntaxes.len();
    assert_eq!(kept, TRANSFER_SYNTAXES_MAX);
}

#[test]
fn unknown_items_and_sub_items_are_skipped() {
    let mut items = item(0x77, b"what");
    items.extend(common_items(&item(0x99, b"ever")));
    items.extend(context(1));
    let rq = AssociateRq::decode(&with_items(&items)).unwrap();
    assert_eq!(rq.user_information, UserInformation::default());
    assert_eq!(rq.contexts.len(), 1);
}

#[test]
fn items_that_may_stand_once_are_refused_the_second_time() {
    for (user, extra) in [
        (item(0x51, &[0, 0, 64, 0]).repeat(2), vec![]),
        (item(0x53, &[0, 1, 0, 1]).repeat(2), vec![]),
        (vec![], item(0x10, b"1.2.840.10008.3.1.1.1")),
        (vec![], item(0x50, b"")),
    ] {
        let mut items = common_items(&user);
        items.extend(context(1));
        items.extend(extra);
        let error = AssociateRq::decode(&with_items(&items)).unwrap_err();
        assert_eq!(error.kind, PduErrorKind::Duplicate);
    }
}

#[test]
fn u5_sub_items_that_claim_more_than_there_is_are_refused_at_the_first() {
    let mut items = common_items(&[]);
    items.extend([0x20, 0, 0xFF, 0xFF].repeat(16_000));
    let error = AssociateRq::decode(&with_items(&items)).unwrap_err();
    let context = 68 + common_items(&[]).len() + 4;
    // 64,000 bytes are there, 65,535 are claimed: nothing behind the first claim is looked at.
    assert_eq!((error.kind, error.offset), (PduErrorKind::Short, context));
    let mut items = common_items(&[]);
    items.extend([0x99, 0, 0xFF, 0xFF]);
    let error = AssociateRq::decode(&with_items(&items)).unwrap_err();
    assert_eq!((error.kind, error.offset), (PduErrorKind::Short, context));
}

#[test]
fn uids_lose_their_padding_and_nothing_else_is_forgiven() {
    let abstract_syntax = |uid: &[u8]| {
        let mut content = vec![1, 0, 0, 0];
        content.extend(item(0x30, uid));
        content.extend(item(0x40, EXPLICIT.as_bytes()));
        let mut items = common_items(&[]);
        items.extend(item(0x20, &content));
        AssociateRq::decode(&with_items(&items)).map(|rq| rq.contexts[0].abstract_syntax.clone())
    };
    assert_eq!(&*abstract_syntax(b"1.2\0").unwrap(), "1.2");
    assert_eq!(&*abstract_syntax(b"1.2 ").unwrap(), "1.2");
    assert_eq!(&*abstract_syntax(&[b'1'; 64]).unwrap(), "1".repeat(64));
    for bad in [&[b'1'; 65][..], b"", b"\0", b"1.2a", b"../x", b"1.\xd9\xa1"] {
        assert_eq!(abstract_syntax(bad).unwrap_err().kind, PduErrorKind::Uid, "{bad:?}");
    }
}

#[test]
fn u8_version_and_application_context_are_shown_not_judged() {
    let mut rq = request();
    assert!(rq.speaks_version_1() && rq.is_dicom());
    rq.protocol_version = 2;
    rq.application_context = "1.2.3".to_owned();
    let rq = AssociateRq::decode(&rq.encode()[6..]).unwrap();
    assert!(!rq.speaks_version_1() && !rq.is_dicom());
    assert!(AssociateRq { protocol_version: 0xFFFF, ..rq }.speaks_version_1());
}

#[test]
fn an_answer_echoes_titles_and_reserved_bytes_as_received() {
    let mut rq = request();
    rq.called = kuva_core::pdu::AeTitle::from_raw(*b"  KUVA\0\\\xff       ");
    let (rq, ac) = (rq.encode(), answer(&rq).encode());
    assert_eq!(rq[10..74], ac[10..74]);
}

#[test]
fn credentials_do_not_appear_in_debug_output() {
    let identity = kuva_core::pdu::UserIdentity {
        kind: 2,
        response_requested: false,
        primary: b"maija".to_vec(),
        secondary: b"salasana".to_vec(),
    };
    let shown = format!("{identity:?}");
    assert!(!shown.contains("109") && shown.contains("primary_length: 5"), "{shown}");
}

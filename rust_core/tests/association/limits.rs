//! Limits at their value and one beyond.

use kuva_core::association::{Association, AssociationLimits};
use kuva_core::limits::{ASSOCIATE_LENGTH_MAX, PDU_LENGTH_MAX_OURS, PDU_LENGTH_MAX_PEER_LEAST};
use kuva_core::pdu::Abort;

use crate::support::{CT, Seen, answer, data_tf, feed, request, value};

fn accepting(ours: u32) -> (Association, u32) {
    let mut acceptor = Association::acceptor(AssociationLimits { pdu_length_max_ours: ours });
    feed(&mut acceptor, &request().encode()).unwrap();
    let ac = acceptor.accept(&answer(&request())).unwrap();
    let ac = kuva_core::pdu::AssociateAc::decode(&ac[6..]).unwrap();
    (acceptor, ac.user_information.maximum_length)
}

#[test]
fn the_length_we_announce_is_the_length_we_take_and_not_a_byte_more() {
    for ours in [64, 1_000, PDU_LENGTH_MAX_OURS] {
        let pdu = |length: u32| {
            let first = value(3, 1, &[0; 12]);
            let mut body = first.clone();
            let rest = length as usize - first.len() - 6;
            body.extend(value(3, 1, &vec![0; rest.min(40_000)]));
            let mut header = data_tf(&body);
            header[2..6].copy_from_slice(&length.to_be_bytes());
            header
        };
        let (mut acceptor, announced) = accepting(ours);
        assert_eq!(announced, ours);
        feed(&mut acceptor, &pdu(ours)).unwrap();
        let (mut acceptor, _) = accepting(ours);
        let failure = feed(&mut acceptor, &pdu(ours + 1)).unwrap_err();
        assert_eq!(failure.answer, Some(Abort { source: 2, reason: 6 }));
    }
}

#[test]
fn our_limit_cannot_be_switched_off() {
    for (asked, had) in [
        (0, PDU_LENGTH_MAX_PEER_LEAST),
        (63, PDU_LENGTH_MAX_PEER_LEAST),
        (PDU_LENGTH_MAX_OURS + 1, PDU_LENGTH_MAX_OURS),
        (u32::MAX, PDU_LENGTH_MAX_OURS),
    ] {
        assert_eq!(accepting(asked).1, had);
    }
}

#[test]
fn the_requestor_announces_its_own_limit_whatever_the_request_says() {
    let mut rq = request();
    rq.user_information.maximum_length = 0;
    let limits = AssociationLimits { pdu_length_max_ours: 8_192 };
    let (_, bytes) = Association::requestor(&rq, limits);
    let rq = kuva_core::pdu::AssociateRq::decode(&bytes[6..]).unwrap();
    assert_eq!(rq.user_information.maximum_length, 8_192);
}

/// A request of exactly `length` bytes of body, filled with items to skip.
fn filled(length: usize) -> Vec<u8> {
    let mut bytes = request().encode();
    loop {
        let rest = length + 6 - bytes.len();
        let content = match rest {
            0 => break,
            1..=65_539 => rest - 4,
            _ => 60_000,
        };
        bytes.extend([0x7F, 0]);
        bytes.extend((content as u16).to_be_bytes());
        bytes.resize(bytes.len() + content, 0);
    }
    bytes[2..6].copy_from_slice(&(length as u32).to_be_bytes());
    bytes
}

#[test]
fn a_request_of_one_mebibyte_passes_and_one_longer_does_not() {
    let mut acceptor = Association::acceptor(AssociationLimits::default());
    let seen = feed(&mut acceptor, &filled(ASSOCIATE_LENGTH_MAX)).unwrap();
    assert!(matches!(seen[..], [Seen::Requested(_)]));
    let mut acceptor = Association::acceptor(AssociationLimits::default());
    let failure = feed(&mut acceptor, &filled(ASSOCIATE_LENGTH_MAX + 1)).unwrap_err();
    assert_eq!(failure.answer, Some(Abort { source: 2, reason: 6 }));
}

#[test]
fn a_context_with_too_many_transfer_syntaxes_can_only_be_refused() {
    use kuva_core::association::LocalError;
    use kuva_core::pdu::{ContextResult, PresentationContextAnswered};
    let mut rq = request();
    rq.contexts[1].transfer_syntaxes = vec!["1.2.840.10008.1.2.1".into(); 65];
    assert_eq!(&*rq.contexts[1].abstract_syntax, CT);
    let mut acceptor = Association::acceptor(AssociationLimits::default());
    feed(&mut acceptor, &rq.encode()).unwrap();
    let mut ac = answer(&rq);
    assert_eq!(acceptor.accept(&ac), Err(LocalError::TooManyTransferSyntaxes(3)));
    let result = ContextResult::TransferSyntaxesNotSupported;
    ac.contexts[1] = PresentationContextAnswered::refused(3, result);
    acceptor.accept(&ac).unwrap();
    assert!(acceptor.context(1).is_some() && acceptor.context(3).is_none());
}

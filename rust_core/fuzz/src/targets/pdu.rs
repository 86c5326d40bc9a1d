//! PDUs: what decodes encodes to a form that is its own, and an error points into the bytes.

use kuva_core::limits::PDU_LENGTH_MAX_OURS;
use kuva_core::pdu::{
    Abort, AbortReason, AssociateAc, AssociateRj, DataTf, Pdu, PduError, PduType, Pdv,
};

use super::made;

/// Content near the 65,535 bytes that an item can say grows beyond them by the items that we always
/// write.
const ENCODABLE_LENGTH_MAX: usize = 60_000;

/// The input is a whole PDU, and also the body of every kind of PDU.
pub fn check(data: &[u8]) {
    judge(data.len(), Pdu::decode(data, PDU_LENGTH_MAX_OURS));
    for kind in (0..=u8::MAX).filter_map(PduType::of) {
        judge(data.len(), Pdu::decode_body(kind, data));
    }
}

fn judge(length: usize, decoded: Result<Pdu, PduError>) {
    match decoded {
        Ok(pdu) if length <= ENCODABLE_LENGTH_MAX => is_its_own(&pdu),
        Ok(_) => {}
        Err(error) => assert!(error.offset <= length, "{error:?} of {length} bytes"),
    }
}

/// Encoded and decoded again it is the same, and nothing may be missing or added.
pub(super) fn is_its_own(pdu: &Pdu) {
    let bytes = pdu.encode();
    assert_eq!(Pdu::decode(&bytes, u32::MAX).as_ref(), Ok(pdu));
    assert!(Pdu::decode(&bytes[..bytes.len() - 1], u32::MAX).is_err());
    assert!(Pdu::decode(&[&bytes[..], &[0]].concat(), u32::MAX).is_err());
}

/// One PDU of each kind, whole and as a body.
pub fn seeds() -> Vec<Vec<u8>> {
    let rq = made::request();
    let ac: AssociateAc = made::answer(&rq);
    let values = vec![
        Pdv { context_id: 1, command: true, last: true, bytes: vec![1; 20] },
        Pdv { context_id: 3, command: false, last: false, bytes: Vec::new() },
    ];
    let pdus = [
        Pdu::AssociateRq(Box::new(rq)),
        Pdu::AssociateAc(Box::new(ac)),
        Pdu::AssociateRj(AssociateRj::CALLED_AE_TITLE),
        Pdu::DataTf(DataTf { values }),
        Pdu::ReleaseRq,
        Pdu::ReleaseRp,
        Pdu::Abort(Abort::provider(AbortReason::UnexpectedPdu)),
    ];
    pdus.iter().map(Pdu::encode).flat_map(|bytes| [bytes[6..].to_vec(), bytes]).collect()
}

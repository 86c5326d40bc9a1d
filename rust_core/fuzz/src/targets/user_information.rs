//! User information of an A-ASSOCIATE: any items, in an otherwise good request and answer.

use kuva_core::pdu::{Pdu, PduType};

use super::{made, pdu};

/// Item type of user information, and of the contexts around it.
const USER_INFORMATION: u8 = 0x50;
const LENGTH_MAX: usize = 60_000;

/// The input is the content of the user information item.
pub fn check(data: &[u8]) {
    let content = &data[..data.len().min(LENGTH_MAX)];
    let rq = made::request();
    let answer = made::answer(&rq).encode();
    for (kind, whole) in [(PduType::AssociateRq, rq.encode()), (PduType::AssociateAc, answer)] {
        let body = with_user_information(&whole[6..], content);
        match Pdu::decode_body(kind, &body) {
            Ok(found) => pdu::is_its_own(&found),
            Err(error) => assert!(error.offset <= body.len()),
        }
    }
}

/// The body with its user information, which comes last, replaced.
fn with_user_information(body: &[u8], content: &[u8]) -> Vec<u8> {
    let mut out = body[..start(body)].to_vec();
    out.extend([USER_INFORMATION, 0]);
    out.extend((content.len() as u16).to_be_bytes());
    out.extend(content);
    out
}

/// Where the user information item starts.
fn start(body: &[u8]) -> usize {
    let mut at = 68;
    while body[at] != USER_INFORMATION {
        at += 4 + usize::from(u16::from_be_bytes([body[at + 2], body[at + 3]]));
    }
    at
}

/// The items of our own requests and answers.
pub fn seeds() -> Vec<Vec<u8>> {
    let rq = made::request();
    let bodies = [rq.encode(), made::answer(&rq).encode()];
    let mut seeds: Vec<Vec<u8>> =
        bodies.iter().map(|whole| whole[6 + start(&whole[6..]) + 4..].to_vec()).collect();
    // An item of an unknown type, and one that is cut.
    seeds.push(vec![0x5A, 0, 0, 2, 1, 2, 0x51, 0, 0, 4, 0, 0, 64, 0]);
    seeds.push(vec![0x51, 0, 0, 4, 0, 0]);
    seeds
}

//! Payloads of closing and discard records: exact, so that what decodes encodes to the same bytes.

use kuva_core::instance::{
    CapturedElement, Content, Identity, NodeId, Particulars, ReceiveId, Sender, VaultId, Verdict,
};
use kuva_core::journal::closing::{self, Closing, Copied, Extent};
use kuva_core::journal::discard::{Discard, Discarded};
use kuva_core::journal::record::{BLOCK_PAYLOAD_LENGTH, Place};

use super::made::CT;

/// The input is a payload of either kind.
pub fn check(data: &[u8]) {
    if let Some(closing) = closing::decode(data) {
        let Closing { receive_id, copied, particulars, extents, tail } = closing;
        let mut payload = Vec::new();
        let written =
            closing::encode_copy(receive_id, copied, &particulars, &extents, &tail, &mut payload);
        assert_eq!((written, &payload[..]), (Ok(()), data));
    }
    if let Some(discard) = Discard::decode(data) {
        let mut payload = Vec::new();
        assert_eq!((discard.encode(&mut payload), &payload[..]), (Ok(()), data));
    }
}

/// What is known of a made instance of that many blocks and such a tail.
pub(super) fn particulars(blocks: u64, tail: &[u8], digest: [u8; 32]) -> Particulars {
    let text = |text: &str| text.into();
    Particulars {
        vault: VaultId([7; 16]),
        identity: Identity {
            study: text("1.2.1"),
            series: text("1.2.2"),
            sop_instance: text("1.3"),
        },
        content: Content {
            digest,
            transfer_syntax: text("1.2.840.10008.1.2"),
            sop_class: text(CT),
        },
        length: blocks * BLOCK_PAYLOAD_LENGTH as u64 + tail.len() as u64,
        received_at: 1_700_000_000_000_000,
        sender: Sender {
            calling: text("MODALITY"),
            called: text("KUVA"),
            address: text("127.0.0.1:104"),
            association: 4,
        },
        flags: 3,
        verdict: Verdict::Kept,
        conflicts_with: None,
        captured: vec![CapturedElement {
            tag: 0x0010_0020,
            vr: *b"LO",
            cut: false,
            value: b"P1".as_slice().into(),
        }],
    }
}

/// Instances with and without extents, in conflict and not, and copied; a discard of two.
pub fn seeds() -> Vec<Vec<u8>> {
    let receive_id = ReceiveId { node: NodeId([9; 16]), epoch: 1, position: 5 };
    let extents = [Extent { segment: 1, generation: 2, offset: 8192, blocks: 3 }];
    let mut conflicting = particulars(0, b"tail", [3; 32]);
    conflicting.conflicts_with = Some(receive_id);
    conflicting.verdict = Verdict::Quarantined;
    let copied = Copied { number: 2, from: extents[0].first(), length: 4096 };
    let mut seeds = vec![Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    let written = [
        closing::encode(receive_id, &conflicting, &[], b"tail", &mut seeds[0]),
        closing::encode(receive_id, &particulars(3, b"", [3; 32]), &extents, b"", &mut seeds[1]),
        discard(receive_id).encode(&mut seeds[2]),
        closing::encode_copy(
            receive_id,
            Some(copied),
            &particulars(3, b"", [3; 32]),
            &extents,
            b"",
            &mut seeds[3],
        ),
    ];
    assert!(written.iter().all(Result::is_ok), "{written:?}");
    seeds
}

fn discard(receive_id: ReceiveId) -> Discard {
    let closing = Place { segment: 1, generation: 2, offset: 8192 };
    let one = Discarded { receive_id, closing, length: 4096 };
    Discard { discarded: vec![one, one], reason: "not ours".into() }
}

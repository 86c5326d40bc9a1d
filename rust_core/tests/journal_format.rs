//! Properties of the record codec.
#![allow(clippy::unwrap_used)]

mod journal_support;

use journal_support::*;
use kuva_core::instance::*;
use kuva_core::journal::closing::{self, Closing, Copied, Extent};
use kuva_core::journal::discard::{Discard, Discarded};
use kuva_core::journal::record::*;
use kuva_core::journal::roster::{Enrolled, Roster};
use proptest::prelude::*;

const GENERATION: Generation =
    Generation { segment: 3, generation: 9, nonce: 0xfeed_beef_0bad_cafe };

fn record(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let place = Place { segment: 3, generation: 9, offset: 8192 };
    let header = Header {
        kind,
        version: FORMAT_VERSION,
        place,
        payload_length: payload.len() as u32,
        epoch: 4,
        durable_through: 77,
        nonce: GENERATION.nonce,
        upload: 12,
        index: 0,
    };
    let mut record = header.encode(payload).to_vec();
    record.extend(payload);
    record.resize(record_length(payload.len()), 0);
    record
}

fn uid() -> impl Strategy<Value = Uid> {
    "[0-9.]{0,64}".prop_map(Uid::from)
}

fn receive_id() -> impl Strategy<Value = ReceiveId> {
    any::<([u8; 16], u32, u64)>().prop_map(|(node, epoch, position)| ReceiveId {
        node: NodeId(node),
        epoch,
        position,
    })
}

fn captured() -> impl Strategy<Value = CapturedElement> {
    (any::<(u32, [u8; 2], bool)>(), prop::collection::vec(any::<u8>(), 0..200))
        .prop_map(|((tag, vr, cut), value)| CapturedElement { tag, vr, cut, value: value.into() })
}

fn extent() -> impl Strategy<Value = Extent> {
    (any::<(u32, u32)>(), 0..1000_u32, 1..100_u32).prop_map(
        |((segment, generation), at, blocks)| Extent {
            segment,
            generation,
            offset: at * 4096,
            blocks,
        },
    )
}

prop_compose! {
    fn closing()(
        ids in (receive_id(), prop::option::of(receive_id()), any::<[u8; 16]>(), any::<[u8; 32]>()),
        uids in [uid(), uid(), uid(), uid(), uid()],
        texts in ["\\PC{0,60}", "\\PC{0,16}", "[a-z0-9:.]{0,40}"],
        numbers in any::<(i64, u64, u64, bool)>(),
        captured in prop::collection::vec(captured(), 0..20),
        extents in prop::collection::vec(extent(), 0..20),
        tail in prop::collection::vec(any::<u8>(), 0..9000),
        copied in prop::option::of((1_u32.., any::<[u32; 4]>())),
    ) -> Closing {
        let [study, series, sop_instance, transfer_syntax, sop_class] = uids;
        let [calling, called, address] = texts.map(|text| text.into());
        let (receive_id, conflicts_with, vault, digest) = ids;
        let (received_at, flags, association, quarantined) = numbers;
        let blocks: u64 = extents.iter().map(|extent| u64::from(extent.blocks)).sum();
        let particulars = Particulars {
            vault: VaultId(vault),
            identity: Identity { study, series, sop_instance },
            content: Content { digest, transfer_syntax, sop_class },
            length: blocks * BLOCK_PAYLOAD_LENGTH as u64 + tail.len() as u64,
            received_at,
            sender: Sender { calling, called, address, association },
            flags,
            verdict: if quarantined { Verdict::Quarantined } else { Verdict::Kept },
            conflicts_with,
            captured,
        };
        let copied = copied.map(|(number, [segment, generation, offset, length])| {
            Copied { number, from: Place { segment, generation, offset }, length }
        });
        Closing { receive_id, copied, particulars, extents, tail: tail.into() }
    }
}

fn encoded(closing: &Closing) -> Vec<u8> {
    let Closing { receive_id, copied, particulars, extents, tail } = closing;
    let mut payload = Vec::new();
    closing::encode_copy(*receive_id, *copied, particulars, extents, tail, &mut payload).unwrap();
    payload
}

prop_compose! {
    fn roster()(
        node in any::<[u8; 16]>(),
        segment_length in any::<u64>(),
        entries in prop::collection::vec(any::<(u32, u32, u32)>(), 0..300),
    ) -> Roster {
        let segments = entries.into_iter().map(|(segment, generation, live_records)| {
            Enrolled { segment, generation, live_records }
        });
        Roster { node: NodeId(node), segment_length, segments: segments.collect() }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn closing_records_round_trip(closing in closing()) {
        prop_assert_eq!(closing::decode(&encoded(&closing)), Some(closing));
    }

    #[test]
    fn a_cut_closing_record_is_none(closing in closing(), cut in any::<prop::sample::Index>()) {
        let payload = encoded(&closing);
        prop_assert_eq!(closing::decode(&payload[..cut.index(payload.len())]), None);
    }

    #[test]
    fn discard_records_round_trip(
        ids in prop::collection::vec((receive_id(), any::<[u32; 4]>()), 1..50),
        reason in "\\PC{0,200}",
    ) {
        let discarded = ids.into_iter().map(|(receive_id, [segment, generation, offset, length])| {
            Discarded { receive_id, closing: Place { segment, generation, offset }, length }
        });
        let discard = Discard { discarded: discarded.collect(), reason: reason.into() };
        let mut payload = Vec::new();
        discard.encode(&mut payload).unwrap();
        prop_assert_eq!(Discard::decode(&payload), Some(discard));
    }

    #[test]
    fn rosters_round_trip_and_cut_ones_are_none(
        roster in roster(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut payload = Vec::new();
        roster.encode(&mut payload);
        prop_assert_eq!(Roster::decode(&payload[..cut.index(payload.len())]), None);
        prop_assert_eq!(Roster::decode(&payload), Some(roster));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..9000)) {
        let _ = closing::decode(&bytes);
        let _ = Discard::decode(&bytes);
        let _ = Roster::decode(&bytes);
        prop_assert!(GENERATION.check(8192, &bytes).is_err());
    }

    #[test]
    fn a_changed_closing_payload_never_panics(
        closing in closing(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut payload = encoded(&closing);
        let at = at.index(payload.len());
        payload[at] = byte;
        let _ = closing::decode(&payload);
    }
}

#[test]
fn every_flip_of_one_byte_of_a_record_is_detected() {
    let data_set = bytes_of(5, 6000);
    let id = ReceiveId { node: NODE, epoch: 1, position: 2 };
    let mut payload = Vec::new();
    closing::encode(id, &particulars(5, &data_set), &[], &data_set, &mut payload).unwrap();
    let mut record = record(Kind::Closing, &payload);
    assert!(GENERATION.check(8192, &record).is_ok());
    for at in 0..record.len() {
        for mask in [0x01, 0x80, 0xff] {
            record[at] ^= mask;
            assert!(GENERATION.check(8192, &record).is_err(), "byte {at} mask {mask:#x}");
            record[at] ^= mask;
        }
    }
}

#[test]
fn a_record_of_another_place_or_generation_is_foreign() {
    let record = record(Kind::Discard, &[1; 40]);
    assert!(GENERATION.check(8192, &record).is_ok());
    assert_eq!(GENERATION.check(12288, &record), Err(NoRecord::Foreign));
    for other in [
        Generation { segment: 4, ..GENERATION },
        Generation { generation: 8, ..GENERATION },
        Generation { nonce: 1, ..GENERATION },
    ] {
        assert_eq!(other.check(8192, &record), Err(NoRecord::Foreign));
    }
}

#[test]
fn lengths_that_contradict_each_other_are_not_recorded() {
    let id = ReceiveId::default();
    let mut wrong = particulars(1, b"abc");
    wrong.length = 4;
    assert!(closing::encode(id, &wrong, &[], b"abc", &mut Vec::new()).is_err());
    let mut long = particulars(1, b"abc");
    long.identity.study = "1".repeat(65).into();
    assert!(closing::encode(id, &long, &[], b"abc", &mut Vec::new()).is_err());
}

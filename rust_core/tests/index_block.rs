//! The index block: written then read is identity, arbitrary bytes are an error or a block and
//! never a bomb, and an instance of a CT study takes few bytes.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use kuva_core::dataset::tag;
use kuva_core::index::{
    Gathering, InVolume, IndexBlock, IndexEntry, IndexError, SeriesAttributes, Source, decode,
    encode, find, from_particulars, matches,
};
use kuva_core::instance::{
    CapturedElement, Content, Identity, NodeId, Particulars, ReceiveId, Sender, Uid, VaultId,
    Verdict,
};
use proptest::prelude::*;

const CT_CLASS: &str = "1.2.840.10008.5.1.4.1.1.2";
const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";

fn uid() -> impl Strategy<Value = Uid> {
    "(1\\.2\\.840\\.){0,2}[0-9][0-9.]{0,30}".prop_map(|uid| Arc::from(uid.as_str()))
}

fn text() -> impl Strategy<Value = Box<[u8]>> {
    prop::collection::vec(any::<u8>(), 0..20).prop_map(Vec::into_boxed_slice)
}

prop_compose! {
    fn series()(
        series_uid in uid(), modality in text(), series_number in any::<Option<i32>>(),
        description in text(), character_set in text(), body_part in text(),
    ) -> SeriesAttributes {
        SeriesAttributes {
            series_uid, modality, series_number, description, character_set, body_part
        }
    }
}

prop_compose! {
    fn entry()(
        (series, sop_instance, sop_class, transfer_syntax) in (any::<u32>(), uid(), uid(), uid()),
        digest in any::<[u8; 16]>(),
        (length, position, received_at, flags) in any::<(u64, u64, i64, u64)>(),
        (instance_number, number_of_frames, rows, columns)
            in any::<(Option<i32>, Option<u32>, Option<u16>, Option<u16>)>(),
    ) -> IndexEntry {
        IndexEntry {
            series, sop_instance, sop_class, transfer_syntax, digest, length, source: 0,
            position, received_at, flags, instance_number, number_of_frames, rows, columns,
            offset: 0,
        }
    }
}

prop_compose! {
    fn block()(
        node in any::<[u8; 16]>(), epoch in any::<u32>(),
        mut series in prop::collection::vec(series(), 1..4),
        mut entries in prop::collection::vec(entry(), 1..20),
    ) -> IndexBlock {
        series.truncate(entries.len());
        for entry in &mut entries {
            entry.series %= series.len() as u32;
        }
        IndexBlock { sources: vec![Source { node: NodeId(node), epoch }], volume: None, series, entries }
    }
}

prop_compose! {
    fn volume_block()(
        mut block in block(),
        mut sources in prop::collection::vec(any::<([u8; 16], u32)>(), 1..4),
        (quarantined, ranges_offset) in any::<(bool, u64)>(),
        places in prop::collection::vec(any::<(u32, u64)>(), 20),
    ) -> IndexBlock {
        sources.truncate(block.entries.len());
        for (entry, (source, offset)) in block.entries.iter_mut().zip(places) {
            (entry.source, entry.offset) = (source % sources.len() as u32, offset);
        }
        let source = |(node, epoch)| Source { node: NodeId(node), epoch };
        block.sources = sources.into_iter().map(source).collect();
        block.volume = Some(InVolume { quarantined, ranges_offset });
        block
    }
}

fn either_block() -> impl Strategy<Value = IndexBlock> {
    prop_oneof![block(), volume_block()]
}

/// A block of given parts, with its checksum right: what a faulty or hostile writer could make.
fn forged(entries: u32, texts: &[u8], numbers: &[u8], digests: &[u8]) -> Vec<u8> {
    let mut bytes = b"KIDX\x01\0\0\0\0\0\0\0".to_vec();
    bytes.extend([9; 16]);
    for word in [1, entries, texts.len() as u32, numbers.len() as u32] {
        bytes.extend(word.to_le_bytes());
    }
    [texts, numbers, digests].iter().for_each(|part| bytes.extend(*part));
    let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes[..8]), &bytes[12..]);
    bytes[8..12].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// Likewise of a volume.
fn forged_volume(entries: u32, sources: u32, texts: &[u8], numbers: &[u8]) -> Vec<u8> {
    let mut bytes = b"KIDX\x02\0\0\0\0\0\0\0".to_vec();
    for word in [entries, texts.len() as u32, numbers.len() as u32, sources] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(vec![7; sources.min(100) as usize * 20]);
    bytes.extend([texts, numbers, &vec![0; entries as usize * 16]].concat());
    let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes[..8]), &bytes[12..]);
    bytes[8..12].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

proptest! {
    #[test]
    fn encode_then_decode_is_identity(block in either_block()) {
        prop_assert_eq!(decode(&encode(&block).unwrap()), Ok(block));
    }

    #[test]
    fn a_changed_byte_is_noticed(block in either_block(), at: prop::sample::Index, by in 1..=255_u8) {
        let mut bytes = encode(&block).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= by;
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn a_cut_or_lengthened_block_is_an_error(block in either_block(), at: prop::sample::Index) {
        let mut bytes = encode(&block).unwrap();
        prop_assert!(decode(&bytes[..at.index(bytes.len())]).is_err());
        bytes.push(0);
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn arbitrary_bytes_are_an_error(bytes: Vec<u8>) {
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn arbitrary_sections_under_a_right_checksum_are_a_block_or_an_error(
        texts in prop::collection::vec(prop::sample::select(b"0123.9x".to_vec()), 0..60),
        numbers in prop::collection::vec(prop_oneof![4 => 0..4_u8, 1 => any::<u8>()], 0..60),
        entries in 0..3_u32,
    ) {
        let digests = vec![0; entries as usize * 16];
        let bytes = forged(entries, &deflated(&texts), &deflated(&numbers), &digests);
        if let Ok(block) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&block).unwrap()), Ok(block));
        }
        let sources = u32::from(entries > 0);
        let bytes = forged_volume(entries, sources, &deflated(&texts), &deflated(&numbers));
        if let Ok(block) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(&block).unwrap()), Ok(block));
        }
    }

    #[test]
    fn a_restricted_block_says_the_same_of_what_is_left(block in either_block(), wanted: [bool; 7]) {
        let keep = |entry: &IndexEntry| wanted[entry.position as usize % 7];
        let told = |block: &IndexBlock| -> Vec<_> {
            let of = |entry: &IndexEntry| {
                let series = block.series[entry.series as usize].clone();
                (series, IndexEntry { series: 0, ..entry.clone() })
            };
            block.entries.iter().filter(|entry| keep(entry)).map(of).collect()
        };
        let left = block.clone().restricted(keep);
        prop_assert_eq!(told(&left), told(&block));
        prop_assert_eq!(left.entries.len(), told(&block).len());
        prop_assert!((0..left.series.len()).all(|n| left.entries.iter().any(|e| e.series as usize == n)));
    }

    #[test]
    fn find_and_matches_agree_with_looking_at_every_pair(a in block(), b in block()) {
        for entry in &a.entries {
            let first = a.entries.iter().find(|e| e.sop_instance == entry.sop_instance);
            prop_assert_eq!(find(&a, &entry.sop_instance), first);
        }
        prop_assert_eq!(find(&a, "no such UID"), None);
        let found = matches(&a, &b);
        let expected = b.entries.iter().filter(|e| find(&a, &e.sop_instance).is_some()).count();
        prop_assert_eq!(found.len(), expected);
    }
}

#[test]
fn a_section_that_inflates_beyond_its_limit_is_refused() {
    let bomb = deflated(&vec![0; (32 << 20) + 1]);
    assert!(bomb.len() < 64 << 10);
    let bytes = forged(0, &bomb, &deflated(&[0]), &[]);
    assert_eq!(decode(&bytes), Err(IndexError::TooLarge("section")));
}

#[test]
fn counts_beyond_what_is_there_are_refused() {
    let none = deflated(&[]);
    let more_entries = forged(200_000, &none, &deflated(&[0]), &[0; 16]);
    assert_eq!(decode(&more_entries), Err(IndexError::Length));
    let beyond = forged(u32::MAX, &none, &none, &[]);
    assert_eq!(decode(&beyond), Err(IndexError::TooLarge("entries")));
    let more_series = forged(1, &none, &deflated(&[0xFF, 0xFF, 0x03]), &[0; 16]);
    assert_eq!(decode(&more_series), Err(IndexError::Malformed("count")));
}

#[test]
fn sources_beyond_what_is_there_are_refused() {
    let numbers = deflated(&[0]);
    let more = forged_volume(0, u32::MAX, &deflated(&[]), &numbers);
    assert_eq!(decode(&more), Err(IndexError::Length));
    let idle = forged_volume(0, 1, &deflated(&[]), &numbers);
    assert_eq!(decode(&idle), Err(IndexError::Malformed("source count")));
}

#[test]
fn another_version_is_named() {
    let mut bytes = forged(0, &deflated(&[]), &deflated(&[0]), &[]);
    bytes[4] = 3;
    assert_eq!(decode(&bytes), Err(IndexError::Version(3)));
}

#[test]
fn what_no_block_may_hold_is_not_written() {
    let ct = from_particulars(&borrowed(&ct_study(2, &sequential))).unwrap().unwrap();
    let with = |change: &dyn Fn(&mut IndexBlock)| {
        let mut block = ct.clone();
        change(&mut block);
        encode(&block)
    };
    let uid = with(&|block| block.entries[0].sop_instance = Arc::from("1.2\\3"));
    assert_eq!(uid, Err(IndexError::Malformed("UID")));
    let long = with(&|block| block.entries[0].sop_instance = Arc::from("1".repeat(65)));
    assert_eq!(long, Err(IndexError::Malformed("UID")));
    let series = with(&|block| block.entries[0].series = 1);
    assert_eq!(series, Err(IndexError::Malformed("series")));
    let text = with(&|block| block.series[0].description = vec![b'a'; 1025].into());
    assert_eq!(text, Err(IndexError::TooLarge("text")));
}

#[test]
fn the_same_uid_in_two_blocks_is_matched_by_content() {
    let a = from_particulars(&borrowed(&ct_study(3, &sequential))).unwrap().unwrap();
    let mut b = a.clone();
    b.entries.remove(0);
    b.entries[0].digest[15] ^= 1;
    b.entries[1].position = 99;
    let found = matches(&a, &b);
    let summary: Vec<_> =
        found.iter().map(|m| (m.same_content, m.position, m.other_position)).collect();
    let (second, third) = (a.entries[1].position, a.entries[2].position);
    assert_eq!(summary, [(false, second, second), (true, third, 99)]);
    b.entries[1].transfer_syntax = Arc::from("1.2.840.10008.1.2");
    assert!(!matches(&a, &b)[1].same_content);
}

fn captured(tag: u32, vr: [u8; 2], value: &[u8]) -> CapturedElement {
    CapturedElement { tag, vr, cut: false, value: value.into() }
}

fn padded(text: String) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    if bytes.len() % 2 == 1 {
        bytes.push(b' ');
    }
    bytes
}

fn particulars(series: &str, sop: &str, number: usize, at: i64) -> Particulars {
    let series_number = series.rsplit('.').next().unwrap().to_owned();
    Particulars {
        vault: VaultId([7; 16]),
        identity: Identity {
            study: Arc::from("1.3.12.2.1107.5.1.4.73491.30000019012206352541200000001"),
            series: Arc::from(series),
            sop_instance: Arc::from(sop),
        },
        content: Content {
            digest: *blake3::hash(sop.as_bytes()).as_bytes(),
            transfer_syntax: Arc::from(EXPLICIT_LITTLE),
            sop_class: Arc::from(CT_CLASS),
        },
        // The header of a CT image varies by some dozens of bytes.
        length: 526_000 + u64::from(noise(sop)[0] & 0x3E),
        received_at: 1_790_000_000_000_000 + at,
        sender: Sender::default(),
        flags: 0,
        verdict: Verdict::Kept,
        conflicts_with: None,
        captured: vec![
            captured(tag::SPECIFIC_CHARACTER_SET, *b"CS", b"ISO_IR 100"),
            captured(tag::MODALITY, *b"CS", b"CT"),
            captured(tag::SERIES_DESCRIPTION, *b"LO", b"Thorax 1.0 B31f "),
            captured(tag::SERIES_NUMBER, *b"IS", &padded(series_number)),
            captured(tag::INSTANCE_NUMBER, *b"IS", &padded(number.to_string())),
            captured(tag::ROWS, *b"US", &512_u16.to_le_bytes()),
            captured(tag::COLUMNS, *b"US", &512_u16.to_le_bytes()),
        ],
    }
}

/// Bytes without pattern, but the same in every run.
fn noise(seed: &str) -> [u8; 32] {
    *blake3::hash(format!("noise {seed}").as_bytes()).as_bytes()
}

/// UIDs that end in a running number.
fn sequential(series: usize, number: usize) -> String {
    format!("1.3.12.2.1107.5.1.4.73491.300000190122063525412000{series:02}{number:05}")
}

/// UIDs that end in 20 digits without order.
fn scattered(series: usize, number: usize) -> String {
    let hash = blake3::hash(&[series as u8, number as u8, (number >> 8) as u8]);
    let mut digits = [0; 8];
    digits.copy_from_slice(&hash.as_bytes()[..8]);
    format!("1.3.12.2.1107.5.1.4.73491.3000001901{:020}", u64::from_le_bytes(digits))
}

/// UIDs of 2.25 (PS3.5 B.2): 39 digits, all of them random; nothing shorter than 16 bytes exists.
fn random(series: usize, number: usize) -> String {
    let hash = blake3::hash(&[series as u8, number as u8, (number >> 8) as u8]);
    let mut digits = [0; 16];
    digits.copy_from_slice(&hash.as_bytes()[..16]);
    format!("2.25.{}", u128::from_le_bytes(digits))
}

fn ct_study(
    instances: usize,
    sop: &dyn Fn(usize, usize) -> String,
) -> Vec<(ReceiveId, Particulars)> {
    let one = |index: usize| {
        let (series, number) = (index / 100 + 2, index % 100 + 1);
        let receive = ReceiveId { node: NodeId([1; 16]), epoch: 3, position: 5_000 + index as u64 };
        let series_uid = format!("1.3.12.2.1107.5.1.4.73491.30000019012206352541.{series}");
        let sop = sop(series, number);
        // About 10 ms each, with the jitter of a network: up to 4 ms, without pattern.
        let jitter = u16::from_le_bytes([noise(&sop)[1], noise(&sop)[2]]) % 4_000;
        let at = index as i64 * 10_000 + i64::from(jitter);
        (receive, particulars(&series_uid, &sop, number, at))
    };
    (0..instances).map(one).collect()
}

fn borrowed(study: &[(ReceiveId, Particulars)]) -> Vec<(ReceiveId, &Particulars)> {
    study.iter().map(|(receive, one)| (*receive, one)).collect()
}

/// Places as a volume has them: one file behind the other, each from a new 512 bytes on.
fn lay_out(block: &mut IndexBlock) {
    let mut end = 1_500;
    for entry in &mut block.entries {
        let uids = [&entry.sop_class, &entry.sop_instance, &entry.transfer_syntax];
        let meta = 144
            + 14
            + 52
            + 22
            + uids.map(|uid| 8 + uid.len().next_multiple_of(2)).iter().sum::<usize>();
        entry.offset = u64::next_multiple_of(end, 512) + 512 + meta as u64;
        end = entry.offset + entry.length;
    }
    block.volume = Some(InVolume { quarantined: false, ranges_offset: end });
}

#[test]
fn a_volume_has_sources_places_and_ranges() {
    let mut gathering = Gathering::default();
    for (index, (mut receive, mut one)) in ct_study(4, &sequential).into_iter().enumerate() {
        receive.epoch += index as u32 % 2;
        one.length = [1 << 20, (1 << 20) + 1, 7, 3 << 20][index];
        gathering.add(receive, &one).unwrap();
    }
    let mut block = gathering.finish();
    assert_eq!(block.ranges_offsets(), [None; 4], "in a batch");
    lay_out(&mut block);
    block.volume = Some(InVolume { quarantined: true, ranges_offset: 9_000 });
    let block = decode(&encode(&block).unwrap()).unwrap();
    assert_eq!(block.sources.iter().map(|source| source.epoch).collect::<Vec<_>>(), [3, 4]);
    let epochs: Vec<u32> =
        block.entries.iter().map(|entry| block.receive_id(entry).unwrap().epoch).collect();
    assert_eq!(epochs, [3, 4, 3, 4]);
    assert_eq!(block.ranges_offsets(), [None, Some(9_000), None, Some(9_000 + 2 * 65)]);
}

#[test]
fn an_instance_of_a_ct_study_takes_at_most_60_bytes() {
    for (name, sop, bound) in [
        ("sequential UIDs", &sequential as &dyn Fn(usize, usize) -> String, 30),
        ("scattered UIDs", &scattered, 45),
        ("random UIDs (2.25)", &random, 60),
    ] {
        let study = ct_study(273, sop);
        let block = from_particulars(&borrowed(&study)).unwrap().unwrap();
        let bytes = encode(&block).unwrap().len();
        println!("273 CT instances, {name}: {bytes} bytes, {:.1} each", bytes as f64 / 273.0);
        assert!(bytes <= bound * 273, "{name}: {bytes} bytes");
    }
    let mut volume = from_particulars(&borrowed(&ct_study(273, &sequential))).unwrap().unwrap();
    let batch = encode(&volume).unwrap().len();
    lay_out(&mut volume);
    let bytes = encode(&volume).unwrap().len();
    println!("273 CT instances in a volume: {bytes} bytes, in a batch {batch}");
    assert!(bytes <= batch + 32, "where they lie costs nothing: {bytes}, not {batch}");
    let single = from_particulars(&borrowed(&ct_study(1, &sequential))).unwrap().unwrap();
    println!("1 CT instance: {} bytes", encode(&single).unwrap().len());
}

#[test]
fn a_block_is_sorted_by_series_and_instance_number_whatever_the_order_of_arrival() {
    let (a, b) = ("1.9.10", "1.9.2");
    let study: Vec<(ReceiveId, Particulars)> = [(a, 2), (b, 10), (b, 9), (a, 1)]
        .iter()
        .zip(1..)
        .map(|((series, number), position)| {
            let sop = format!("{series}.{number}");
            let receive = ReceiveId { node: NodeId([1; 16]), epoch: 1, position };
            (receive, particulars(series, &sop, *number, 0))
        })
        .collect();
    let block = from_particulars(&borrowed(&study)).unwrap().unwrap();
    let order: Vec<&str> = block.entries.iter().map(|entry| &*entry.sop_instance).collect();
    assert_eq!(order, ["1.9.2.9", "1.9.2.10", "1.9.10.1", "1.9.10.2"]);
    let mut reversed = borrowed(&study);
    reversed.reverse();
    assert_eq!(from_particulars(&reversed).unwrap().unwrap(), block);
}

#[test]
fn captured_values_are_read_by_their_vr_or_taken_as_absent() {
    let mut study = ct_study(2, &sequential);
    study[0].1.captured = vec![
        captured(tag::MODALITY, *b"CS", b" CT\0"),
        captured(tag::INSTANCE_NUMBER, *b"IS", b" +7 "),
        captured(tag::NUMBER_OF_FRAMES, *b"IS", b"250 "),
        captured(tag::ROWS, *b"US", &[0, 2, 0, 2]),
    ];
    study[1].1.captured = vec![captured(tag::INSTANCE_NUMBER, *b"IS", b"abc ")];
    let block = from_particulars(&borrowed(&study)).unwrap().unwrap();
    assert_eq!(&*block.series[0].modality, b"CT");
    let [first, second] = &block.entries[..] else { panic!("two entries") };
    assert_eq!((first.instance_number, first.number_of_frames), (Some(7), Some(250)));
    assert_eq!((first.rows, first.columns), (None, None));
    assert_eq!(second.instance_number, None, "without a number comes last");
}

#[test]
fn quarantined_instances_are_left_out_and_strangers_refused() {
    let mut study = ct_study(3, &sequential);
    study[1].1.verdict = Verdict::Quarantined;
    let block = from_particulars(&borrowed(&study)).unwrap().unwrap();
    assert_eq!(block.entries.len(), 2);
    study[2].1.identity.study = Arc::from("1.2");
    let mixed = from_particulars(&borrowed(&study));
    assert_eq!(mixed, Err(IndexError::Mixed("vault or study")));
    study[2].1.identity.study = study[0].1.identity.study.clone();
    study[2].0.epoch = 4;
    let mixed = from_particulars(&borrowed(&study));
    assert_eq!(mixed, Err(IndexError::Mixed("node or epoch")));
    study.iter_mut().for_each(|(_, one)| one.verdict = Verdict::Quarantined);
    assert_eq!(from_particulars(&borrowed(&study)), Ok(None));
}

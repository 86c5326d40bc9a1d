//! The scan of a volume: contents or an error, the same however the bytes come, and no byte unread.

use kuva_core::index;
use kuva_core::instance::{
    Content, Identity, NodeId, Particulars, ReceiveId, Sender, VaultId, Verdict,
};
use kuva_core::journal::{
    Done, Faults, Journal, JournalConfig, MemoryMedium, WriteMode, memory_medium::Seeded,
};
use kuva_core::volume::{Assembly, Description, Plan, VolumeContents, VolumeError, VolumeScan};
use sha2::{Digest, Sha256};
use std::sync::{Arc, mpsc};

use super::made::{CT, Form};

const UNIT: usize = 512;
const EXPLICIT: &str = "1.2.840.10008.1.2.1";

/// The first byte says whether sums and manifests are put right, so that mutation reaches what they
/// would guard; the rest is the TAR file.
pub fn check(data: &[u8]) {
    let [mode, bytes @ ..] = data else { return };
    let mut tar = bytes.to_vec();
    if mode & 1 != 0 {
        mend(&mut tar);
    }
    let whole = scan(&tar, tar.len().max(1));
    for piece in [1, 700] {
        let pieces = scan(&tar, piece);
        match (&whole, &pieces) {
            (Ok(one), Ok(other)) => assert_eq!(one.contents.block, other.contents.block),
            (Err(one), Err(other)) => assert_eq!(one, other),
            (one, other) => panic!("{:?}, but in pieces {:?}", one.is_ok(), other.is_ok()),
        }
    }
    if let Ok(found) = whole {
        sound(&found, &tar);
    }
}

fn scan(tar: &[u8], piece: usize) -> Result<VolumeContents, VolumeError> {
    let mut scan = VolumeScan::new([5; 16]);
    // What one call says, the next one says again.
    let failed = tar.chunks(piece).find_map(|bytes| scan.feed(bytes).err());
    let finished = scan.finish();
    match failed {
        Some(error) => {
            assert_eq!(finished.err().as_ref(), Some(&error));
            Err(error)
        }
        None => finished,
    }
}

/// What is told of a volume that passed.
fn sound(found: &VolumeContents, tar: &[u8]) {
    assert_eq!(found.contents.length, tar.len() as u64);
    let block = index::decode(&found.contents.block);
    let Ok(block) = block else { panic!("{block:?}") };
    // In the digest of the whole, each data set stands by its own.
    let (mut whole, mut at) = (blake3::Hasher::new(), 0);
    for (entry, one) in block.entries.iter().zip(&found.contents.instances) {
        let start = entry.offset as usize;
        let digest = blake3::hash(&tar[start..][..entry.length as usize]);
        assert_eq!(*digest.as_bytes(), one.digest);
        whole.update(&tar[at..start]).update(digest.as_bytes());
        at = start + entry.length as usize;
    }
    assert_eq!(found.digest, *whole.update(&tar[at..]).finalize().as_bytes());
    assert!(scan(&tar[..tar.len() - 1], tar.len()).is_err());
}

/// Puts right the sum of every header, and the manifests of all members that are whole.
fn mend(tar: &mut [u8]) {
    let (mut at, mut manifest, mut tags) = (0, String::new(), String::new());
    while let Some(header) = tar.get_mut(at..at + UNIT) {
        if header.iter().all(|byte| *byte == 0) {
            return;
        }
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let path = String::from_utf8_lossy(&header[..100]).trim_end_matches('\0').to_owned();
        let size = std::str::from_utf8(&header[124..135]).ok();
        let Some(size) = size.and_then(|digits| usize::from_str_radix(digits, 8).ok()) else {
            return;
        };
        let start = at + UNIT;
        let Some(content) = start.checked_add(size).and_then(|end| tar.get_mut(start..end)) else {
            return;
        };
        let name = path.get(27..).unwrap_or_default().to_owned();
        match &*name {
            "manifest-sha256.txt" => put(content, &manifest),
            "tagmanifest-sha256.txt" => put(content, &tags),
            _ => {}
        }
        let line: String =
            Sha256::digest(&*content).iter().map(|byte| format!("{byte:02x}")).collect();
        let list = if name.starts_with("data/") { &mut manifest } else { &mut tags };
        list.push_str(&format!("{line}  {name}\n"));
        at = start + size.next_multiple_of(UNIT);
    }
}

fn put(content: &mut [u8], text: &str) {
    if content.len() == text.len() {
        content.copy_from_slice(text.as_bytes());
    }
}

/// Volumes of one and of three small images, kept and quarantined.
pub fn seeds() -> Vec<Vec<u8>> {
    let volumes =
        [volume(1, Verdict::Kept), volume(3, Verdict::Kept), volume(2, Verdict::Quarantined)];
    let both = |tar: Vec<u8>| [[&[0][..], &tar].concat(), [&[1][..], &tar].concat()];
    volumes.into_iter().flatten().flat_map(both).collect()
}

fn volume(instances: u64, verdict: Verdict) -> Option<Vec<u8>> {
    let medium = MemoryMedium::new(WriteMode::Direct, Faults::default());
    let mut seeded = Seeded(instances);
    let config = JournalConfig {
        capacity_bytes: 16 << 20,
        segment_bytes: 1 << 20,
        block_pool_bytes: 2 << 20,
        ..JournalConfig::new(NodeId([9; 16]), 1)
    };
    let (journal, _) =
        Journal::open(Arc::new(medium), config, Box::new(move || seeded.draw())).ok()?;
    let instances = (1..=instances).filter_map(|number| keep(&journal, number, verdict)).collect();
    let description = Description {
        volume: "01K4M8Q2ZJ5W3T7N9V6X1B0CDE".into(),
        vault: VaultId([1; 16]),
        study: STUDY.into(),
        planned_at: 1_790_000_000_000_000,
        quarantined: verdict == Verdict::Quarantined,
        supersedes: Vec::new(),
    };
    let mut assembly = Assembly::begin(journal.readings(), Plan { description, instances }).ok()?;
    let mut tar = Vec::new();
    while let Some(piece) = assembly.next_piece().ok()? {
        tar.extend_from_slice(&piece);
    }
    Some(tar)
}

const STUDY: &str = "1.2.246.1";

fn sop_instance(number: u64) -> String {
    format!("1.2.246.3.{number}")
}

/// A small image, with the UIDs by which the catalogue knows it.
fn image(number: u64) -> Vec<u8> {
    let uid = |tag: u32, value: &str| {
        let mut value = value.as_bytes().to_vec();
        value.resize(value.len().next_multiple_of(2), 0);
        [Form::Explicit.header(tag, b"UI", value.len() as u32), value].concat()
    };
    let pixels = vec![number as u8; 40];
    [
        uid(0x0008_0016, CT),
        uid(0x0008_0018, &sop_instance(number)),
        uid(0x0020_000D, STUDY),
        uid(0x0020_000E, "1.2.246.2"),
        Form::Explicit.header(0x7FE0_0010, b"OW", pixels.len() as u32),
        pixels,
    ]
    .concat()
}

fn keep(journal: &Journal, number: u64, verdict: Verdict) -> Option<ReceiveId> {
    let data_set = image(number);
    let particulars = Particulars {
        vault: VaultId([1; 16]),
        identity: Identity {
            study: STUDY.into(),
            series: "1.2.246.2".into(),
            sop_instance: sop_instance(number).into(),
        },
        content: Content {
            digest: *blake3::hash(&data_set).as_bytes(),
            transfer_syntax: EXPLICIT.into(),
            sop_class: CT.into(),
        },
        length: data_set.len() as u64,
        received_at: 1_790_000_000_000_000 + number as i64,
        sender: Sender { calling: "A".into(), called: "B".into(), ..Sender::default() },
        flags: number,
        verdict,
        conflicts_with: None,
        captured: Vec::new(),
    };
    let (sender, outcome) = mpsc::channel();
    let done: Done = Box::new(move |result| drop(sender.send(result)));
    journal.close(journal.begin().ok()?, particulars, data_set, done);
    outcome.recv().ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_volumes_and_stay_so_when_they_are_mended() {
        for seed in seeds() {
            let mut tar = seed[1..].to_vec();
            mend(&mut tar);
            assert!(tar == seed[1..]);
            let scanned = scan(&tar, 512).map(|found| found.contents.instances.len());
            assert!(scanned.is_ok(), "{scanned:?}");
        }
        assert_eq!(seeds().len(), 6);
    }
}

//! Recovery from any bytes at all: it never panics, never believes a claim, never invents.
//!
//! What recovery calls live must read back: with the length and the digest that its closing record
//! says, unless the CRCs were forged as well, against which no journal can tell. It must do so again
//! after a second start, from what the first one repaired.

use std::collections::HashSet;
use std::sync::{Arc, mpsc};

use kuva_core::instance::{NodeId, ReceiveId, Verdict};
use kuva_core::journal::memory_medium::{MemoryMedium, Seeded};
use kuva_core::journal::record::BLOCK_PAYLOAD_LENGTH;
use kuva_core::journal::{
    Done, Faults, InstanceReader, Journal, JournalConfig, JournalError, Recovery, Tail, WriteMode,
};

use super::closing_record::particulars;
use super::journal_image::{SEGMENT_LENGTH, SEGMENTS, disk, image, mend, segments, without_roster};

const NODE: NodeId = NodeId(*b"node of the fuzz");
/// Above whatever a seed says; mutations may exceed it, which is an error with a type.
const EPOCH: u32 = 1 << 30;

/// The first byte says whether CRCs are put right; the rest is an image of the segments.
pub fn check(data: &[u8]) {
    let [mode, bytes @ ..] = data else { return };
    let forged = mode & 1 != 0;
    let mut segments = segments(bytes);
    if forged {
        segments.iter_mut().for_each(|segment| mend(segment));
    }
    let medium = disk(&segments);
    let Some(first) = start(&medium, EPOCH, forged) else { return };
    let second = start(&medium, EPOCH + 1, forged);
    assert_eq!(second.map(|recovery| recovery.instances), Some(first.instances));
}

/// Opens, verifies, shuts down; none if the journal refused.
fn start(medium: &MemoryMedium, epoch: u32, forged: bool) -> Option<Recovery> {
    match open(medium, epoch) {
        Ok((journal, recovery)) => {
            verify(&journal, &recovery, forged);
            Some(recovery)
        }
        Err(error) => {
            assert!(typed(&error), "{error}");
            None
        }
    }
}

fn open(medium: &MemoryMedium, epoch: u32) -> Result<(Journal, Recovery), JournalError> {
    let config = JournalConfig {
        capacity_bytes: (u64::from(SEGMENTS) + 4) * SEGMENT_LENGTH as u64,
        segment_bytes: SEGMENT_LENGTH as u64,
        writer_threads: 1,
        block_pool_bytes: 1 << 20,
        ..JournalConfig::new(NODE, epoch)
    };
    let mut seeded = Seeded(u64::from(epoch));
    Journal::open(Arc::new(medium.clone()), config, Box::new(move || seeded.draw()))
}

/// Damage, or settings that contradict the disk: nothing else may come of bytes.
fn typed(error: &JournalError) -> bool {
    matches!(
        error,
        JournalError::Rot { .. }
            | JournalError::Gone { .. }
            | JournalError::Config(_)
            | JournalError::Epoch { .. }
    )
}

fn verify(journal: &Journal, recovery: &Recovery, forged: bool) {
    let ids: HashSet<ReceiveId> = recovery.instances.iter().map(|(id, _)| *id).collect();
    assert_eq!(ids.len(), recovery.instances.len(), "one id, one instance");
    for (id, verdict) in &recovery.instances {
        match journal.reader(*id) {
            Ok(Some(reader)) => reads_back(reader, *id, *verdict, forged),
            Ok(None) => assert!(forged, "{id:?} is live and not there"),
            Err(error) => assert!(forged, "{id:?}: {error}"),
        }
    }
}

fn reads_back(mut reader: InstanceReader, id: ReceiveId, verdict: Verdict, forged: bool) {
    let kept = reader.kept().clone();
    assert_eq!((kept.receive_id, kept.particulars.verdict), (id, verdict));
    let (mut hasher, mut length, mut piece) = (blake3::Hasher::new(), 0, Vec::new());
    loop {
        piece.clear();
        match reader.read_chunk(&mut piece) {
            Ok(0) => break,
            Ok(taken) => length += taken as u64,
            Err(error) => return assert!(forged, "{id:?}: {error}"),
        }
        hasher.update(&piece);
    }
    assert_eq!(length, kept.particulars.length);
    let same = *hasher.finalize().as_bytes() == kept.particulars.content.digest;
    assert!(same || forged, "{id:?} is live and not what was received");
}

/// Journals as they come to be: empty, small and large instances, discarded ones, a clean end and
/// a crash.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = vec![vec![0], vec![1]];
    for (lengths, discards, crash) in [
        (&[100_usize][..], false, false),
        (&[10, 2 * BLOCK_PAYLOAD_LENGTH, 3000], false, true),
        (&[BLOCK_PAYLOAD_LENGTH + 7, 50, 60, 70], true, true),
    ] {
        let segments = written(lengths, discards, crash);
        let image = (1..).zip(&segments).flat_map(|(number, one)| image(number, one));
        let image: Vec<u8> = image.collect();
        seeds.push([&[0][..], &image].concat());
        seeds.push([&[1][..], &image].concat());
    }
    seeds
}

/// The first segments of a journal that kept instances of such lengths.
fn written(lengths: &[usize], discards: bool, crash: bool) -> Vec<Vec<u8>> {
    let medium = MemoryMedium::new(WriteMode::Direct, Faults::default());
    let Ok((journal, _)) = open(&medium, 1) else { return Vec::new() };
    let verdict = if discards { Verdict::Quarantined } else { Verdict::Kept };
    let ids: Vec<ReceiveId> =
        lengths.iter().filter_map(|length| keep(&journal, *length, verdict)).collect();
    if discards {
        let discarded = journal.discard(&ids[..2], "a reason");
        assert!(discarded.is_ok(), "{discarded:?}");
    }
    let medium = if crash {
        medium.copy()
    } else {
        drop(journal);
        medium
    };
    let mut segments: Vec<_> = (1..=SEGMENTS).map(|number| medium.contents(number)).collect();
    // The journal makes segments beside: the second may not be there yet.
    segments.iter_mut().for_each(|segment| segment.resize(SEGMENT_LENGTH, 0));
    segments.iter_mut().for_each(|segment| without_roster(segment));
    segments
}

/// Keeps an instance of equal bytes, which an image says shortly.
fn keep(journal: &Journal, length: usize, verdict: Verdict) -> Option<ReceiveId> {
    let data_set = vec![b'x'; length];
    let upload = journal.begin().ok()?;
    let pieces = data_set.chunks_exact(BLOCK_PAYLOAD_LENGTH);
    let (blocks, rest) = (pieces.len() as u64, pieces.remainder());
    for piece in pieces {
        let mut block = journal.pool().take()?;
        block.fill(piece);
        journal.append(&upload, block.freeze()).ok()?;
    }
    let mut known = particulars(blocks, rest, *blake3::hash(&data_set).as_bytes());
    known.verdict = verdict;
    let (sender, outcome) = mpsc::channel();
    let done: Done = Box::new(move |result| drop(sender.send(result)));
    journal.close(upload, known, Tail::from(rest.to_vec()), done);
    outcome.recv().ok()?.ok()
}

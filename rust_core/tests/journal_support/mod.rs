//! What the journal's tests share: small journals, made instances, and a ledger of what was answered.
#![allow(dead_code, clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};

use kuva_core::instance::*;
use kuva_core::journal::memory_medium::Seeded;
use kuva_core::journal::record::{BLOCK_PAYLOAD_LENGTH, Header};
use kuva_core::journal::roster::{ROSTER, ROSTER_SLOT_LENGTH};
use kuva_core::journal::*;

pub const NODE: NodeId = NodeId(*b"node of the test");
pub const SEGMENT: u64 = 1 << 20;

pub fn config(epoch: u32) -> JournalConfig {
    JournalConfig {
        capacity_bytes: 16 * SEGMENT,
        segment_bytes: SEGMENT,
        writer_threads: 3,
        block_pool_bytes: 4 << 20,
        ..JournalConfig::new(NODE, epoch)
    }
}

pub fn nonces(seed: u64) -> Nonces {
    let mut seeded = Seeded(seed ^ 0x6b75_7661);
    Box::new(move || seeded.draw())
}

pub fn open(medium: &MemoryMedium, epoch: u32) -> Result<(Journal, Recovery), JournalError> {
    Journal::open(Arc::new(medium.clone()), config(epoch), nonces(u64::from(epoch)))
}

/// Takes away what the roster learnt from `generation` on, as if the cut had come before.
pub fn forget_roster_from(medium: &MemoryMedium, generation: u32) {
    for slot in 0..2 {
        let at = slot * ROSTER_SLOT_LENGTH as usize;
        let header = Header::parse(&medium.contents(ROSTER)[at..]);
        if header.is_some_and(|header| header.place.generation >= generation) {
            medium.plant(ROSTER, at, &[0; 4096]);
        }
    }
}

/// The bytes of made instance `number`.
pub fn bytes_of(number: u64, length: usize) -> Vec<u8> {
    let mut seeded = Seeded(number);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend(seeded.draw().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub fn particulars(number: u64, data_set: &[u8]) -> Particulars {
    let uid = |kind: u64| Uid::from(format!("1.2.246.{kind}.{number}"));
    Particulars {
        vault: VaultId([7; 16]),
        identity: Identity { study: uid(1), series: uid(2), sop_instance: uid(3) },
        content: Content {
            digest: *blake3::hash(data_set).as_bytes(),
            transfer_syntax: Uid::from("1.2.840.10008.1.2.1"),
            sop_class: Uid::from("1.2.840.10008.5.1.4.1.1.2"),
        },
        length: data_set.len() as u64,
        received_at: number as i64 - 3,
        sender: Sender {
            calling: "MODALITY".into(),
            called: "KUVA".into(),
            address: "127.0.0.1:104".into(),
            association: number / 4,
        },
        flags: number,
        verdict: Verdict::Kept,
        conflicts_with: None,
        captured: vec![CapturedElement {
            tag: 0x0010_0020,
            vr: *b"LO",
            cut: false,
            value: number.to_le_bytes().into(),
        }],
    }
}

pub type Outcome = Receiver<Result<ReceiveId, JournalError>>;

/// Sends a data set through begin, append, close; none if it was refused on the way.
pub fn send(
    journal: &Journal,
    particulars: Particulars,
    data_set: &[u8],
) -> Result<Outcome, JournalError> {
    let upload = journal.begin()?;
    let mut pieces = data_set.chunks_exact(BLOCK_PAYLOAD_LENGTH);
    for piece in &mut pieces {
        let mut block = take(journal);
        assert_eq!(block.fill(piece), piece.len());
        journal.append(&upload, block.freeze())?;
    }
    let (sender, outcome) = mpsc::channel();
    let done: Done = Box::new(move |result| drop(sender.send(result)));
    let rest = pieces.remainder();
    if rest.len().is_multiple_of(2) {
        journal.close(upload, particulars, rest.to_vec(), done);
    } else {
        let mut block = take(journal);
        assert_eq!(block.fill(rest), rest.len());
        journal.close(upload, particulars, block.freeze(), done);
    }
    Ok(outcome)
}

/// A block, waiting for one if need be.
pub fn take(journal: &Journal) -> Block {
    for _ in 0..100_000 {
        if let Some(block) = journal.pool().take() {
            return block;
        }
        std::thread::sleep(std::time::Duration::from_micros(50));
    }
    panic!("no block came back");
}

/// Sends and waits.
pub fn keep(journal: &Journal, number: u64, length: usize) -> Result<ReceiveId, JournalError> {
    let data_set = bytes_of(number, length);
    send(journal, particulars(number, &data_set), &data_set)?.recv().unwrap()
}

pub fn quarantine(journal: &Journal, number: u64, length: usize) -> ReceiveId {
    let data_set = bytes_of(number, length);
    let mut particulars = particulars(number, &data_set);
    particulars.verdict = Verdict::Quarantined;
    send(journal, particulars, &data_set).unwrap().recv().unwrap().unwrap()
}

pub fn read(journal: &Journal, id: ReceiveId) -> Result<Option<Vec<u8>>, JournalError> {
    let Some(mut reader) = journal.reader(id)? else { return Ok(None) };
    let mut data_set = Vec::new();
    while reader.read_chunk(&mut data_set)? > 0 {}
    Ok(Some(data_set))
}

/// What was answered, over all restarts: receive id to (number, length).
#[derive(Clone, Default)]
pub struct Ledger(pub Arc<Mutex<BTreeMap<ReceiveId, (u64, usize)>>>);

impl Ledger {
    pub fn enter(&self, id: ReceiveId, number: u64, length: usize) {
        assert_eq!(self.0.lock().unwrap().insert(id, (number, length)), None, "{id:?} twice");
    }

    /// Checks every answered instance bit for bit, and that whatever else is live is whole.
    /// The first loss, in words.
    pub fn check(&self, journal: &Journal, recovery: &Recovery) -> Result<(), String> {
        for (id, (number, length)) in &*self.0.lock().unwrap() {
            let found = read(journal, *id).map_err(|error| format!("{id:?}: {error}"))?;
            if found.as_deref() != Some(&bytes_of(*number, *length)) {
                return Err(format!("instance {number} of {length} bytes, {id:?}, is lost"));
            }
        }
        for (id, _) in &recovery.instances {
            let kept = journal.instance(*id).map_err(|error| error.to_string())?;
            let particulars = &kept.ok_or("recovered and yet not there")?.particulars;
            let found = read(journal, *id).map_err(|error| error.to_string())?.unwrap_or_default();
            if blake3::hash(&found).as_bytes() != &particulars.content.digest {
                return Err(format!("{id:?} is there and not whole"));
            }
        }
        let sorted = recovery.instances.is_sorted_by_key(|(id, _)| (id.epoch, id.position));
        if sorted { Ok(()) } else { Err("not in position order".to_owned()) }
    }
}

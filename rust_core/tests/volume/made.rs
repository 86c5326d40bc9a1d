//! Made instances of one study in a journal in memory, and volumes of them.

use kuva_core::dataset::{Scanner, encapsulated, encoding_of};
use kuva_core::instance::*;
use kuva_core::journal::*;
use kuva_core::volume::*;

use crate::journal_support::{bytes_of, open, send};

pub const VOLUME: &str = "01K4M8Q2ZJ5W3T7N9V6X1B0CDE";
pub const STUDY: &str = "1.2.246.10.1";
pub const VAULT: VaultId = VaultId([7; 16]);
pub const KEY: [u8; 16] = [5; 16];
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const CT: &str = "1.2.840.10008.5.1.4.1.1.2";

/// What to make an instance of.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    pub series: u32,
    pub series_number: Option<i32>,
    pub number: Option<i32>,
    /// Tells its UID and its pixels.
    pub seed: u64,
    /// Bytes of pixels.
    pub pixels: usize,
    /// Whether they are few different bytes.
    pub plain: bool,
    pub verdict: Verdict,
}

pub fn recipe(series: u32, number: i32, seed: u64, pixels: usize) -> Recipe {
    let series_number = Some(series as i32);
    Recipe {
        series,
        series_number,
        number: Some(number),
        seed,
        pixels,
        plain: false,
        verdict: Verdict::Kept,
    }
}

fn put(out: &mut Vec<u8>, tag: u32, vr: &[u8; 2], value: &[u8]) {
    out.extend(((tag >> 16) as u16).to_le_bytes());
    out.extend((tag as u16).to_le_bytes());
    out.extend(vr);
    let odd = value.len() % 2;
    match vr {
        b"OW" => {
            out.extend([0, 0]);
            out.extend(((value.len() + odd) as u32).to_le_bytes());
        }
        _ => out.extend(((value.len() + odd) as u16).to_le_bytes()),
    }
    out.extend(value);
    out.extend(vec![if vr == b"UI" { 0 } else { b' ' }; odd]);
}

pub fn sop_instance(seed: u64) -> String {
    format!("1.2.246.10.3.{seed}")
}

fn series(number: u32) -> String {
    format!("1.2.246.10.2.{number}")
}

pub fn data_set(recipe: &Recipe) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, 0x0008_0016, b"UI", CT.as_bytes());
    put(&mut out, 0x0008_0018, b"UI", sop_instance(recipe.seed).as_bytes());
    put(&mut out, 0x0008_0060, b"CS", b"CT");
    put(&mut out, 0x0008_103E, b"LO", format!("series of {}", recipe.seed).as_bytes());
    put(&mut out, 0x0010_0010, b"PN", b"Virtanen^Aino");
    put(&mut out, 0x0020_000D, b"UI", STUDY.as_bytes());
    put(&mut out, 0x0020_000E, b"UI", series(recipe.series).as_bytes());
    if let Some(number) = recipe.series_number {
        put(&mut out, 0x0020_0011, b"IS", number.to_string().as_bytes());
    }
    if let Some(number) = recipe.number {
        put(&mut out, 0x0020_0013, b"IS", number.to_string().as_bytes());
    }
    let plain = || (0..recipe.pixels).map(|at| (at >> 12) as u8).collect();
    let pixels = if recipe.plain { plain() } else { bytes_of(recipe.seed, recipe.pixels) };
    put(&mut out, 0x7FE0_0010, b"OW", &pixels);
    out
}

pub fn particulars(recipe: &Recipe, data_set: &[u8]) -> Particulars {
    let encoding = encoding_of(EXPLICIT).unwrap();
    let mut scanner = Scanner::new(encoding, encapsulated(EXPLICIT), Default::default());
    scanner.update(data_set).unwrap();
    let quarantined = recipe.verdict == Verdict::Quarantined;
    let node = crate::journal_support::NODE;
    Particulars {
        vault: VAULT,
        identity: Identity {
            study: STUDY.into(),
            series: series(recipe.series).into(),
            sop_instance: sop_instance(recipe.seed).into(),
        },
        content: Content {
            digest: *blake3::hash(data_set).as_bytes(),
            transfer_syntax: EXPLICIT.into(),
            sop_class: CT.into(),
        },
        length: data_set.len() as u64,
        received_at: 1_790_000_000_000_000 + recipe.seed as i64 * 7,
        sender: Sender {
            calling: "MODALITY\t%".into(),
            called: "KUVA".into(),
            address: "127.0.0.1:104".into(),
            association: 1,
        },
        flags: recipe.seed & 3,
        verdict: recipe.verdict,
        conflicts_with: quarantined.then_some(ReceiveId { node, epoch: 1, position: 1 }),
        captured: scanner.finish().unwrap().captured,
    }
}

pub fn keep(journal: &Journal, recipe: &Recipe) -> ReceiveId {
    let data_set = data_set(recipe);
    send(journal, particulars(recipe, &data_set), &data_set).unwrap().recv().unwrap().unwrap()
}

/// A journal that holds these, in this order.
pub fn journal_of(recipes: &[Recipe]) -> (MemoryMedium, Journal, Vec<ReceiveId>) {
    let medium = MemoryMedium::new(WriteMode::Direct, Faults::default());
    let (journal, _) = open(&medium, 1).unwrap();
    let ids = recipes.iter().map(|recipe| keep(&journal, recipe)).collect();
    (medium, journal, ids)
}

pub fn description() -> Description {
    Description {
        volume: VOLUME.into(),
        vault: VAULT,
        study: STUDY.into(),
        planned_at: 1_790_000_123_456_789,
        quarantined: false,
        supersedes: vec!["01K4M8Q2ZJ0000000000000000".into()],
    }
}

pub fn plan(instances: &[ReceiveId]) -> Plan {
    Plan { description: description(), instances: instances.to_vec() }
}

/// All bytes of it.
pub fn assemble(journal: &Journal, plan: Plan) -> Result<(Vec<u8>, Assembled), AssemblyError> {
    let mut assembly = Assembly::begin(journal.readings(), plan)?;
    let mut tar = Vec::new();
    while let Some(piece) = assembly.next_piece()? {
        tar.extend_from_slice(&piece);
    }
    Ok((tar, assembly.finish()?))
}

pub fn scan(tar: &[u8]) -> Result<VolumeContents, VolumeError> {
    let mut scan = VolumeScan::new(KEY);
    scan.feed(tar)?;
    scan.finish()
}

pub fn verify(assembled: &Assembled, tar: &[u8]) -> Result<(), VolumeError> {
    let mut verification = Verification::new(assembled);
    verification.feed(tar)?;
    verification.finish()
}

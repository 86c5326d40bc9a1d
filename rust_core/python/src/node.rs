//! `Node`: the intake of one node, as Python holds it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use kuva_core::dataset;
use kuva_core::dataset::difference::DifferenceKind;
use kuva_core::dedup::{DuplicatesLimits, DuplicatesTable, Known, KnownContent, Origin};
use kuva_core::instance::{Microseconds, NodeId, ReceiveId, StudyKey, VaultId, Verdict};
use kuva_core::intake::landing::Closed;
use kuva_core::intake::node::Newest;
use kuva_core::intake::{Intake, IntakeSettings};
use kuva_core::journal::{self, FileMedium, Journal, JournalConfig, JournalState};
use kuva_core::volume::{Assembly as CoreAssembly, Plan};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::error;
use super::flush::Flush;
use super::index::{known_in, known_in_volume};
use super::recovery::{Recovery, describe};
use super::source::InstanceSource;
use super::volume::{self, Assembly};
use super::waking::Wake;

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct Room {
    capacity: u64,
    live: u64,
    dead: u64,
    fill: f64,
    writable: bool,
    why: Option<String>,
    write_mode: String,
    drain: f64,
    slowed: usize,
}

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct Difference {
    path: String,
    kind: String,
    kept: String,
    newcomer: String,
}

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct Comparison {
    differences: Vec<Py<Difference>>,
    equivalent: bool,
    complete: bool,
}

/// See the stub.
#[pyclass(frozen, module = "gateway._core")]
pub struct Node {
    intake: Arc<Intake>,
    node: NodeId,
    locator_key: [u8; 16],
    #[pyo3(get)]
    recovery: Py<Recovery>,
}

impl Node {
    /// The intake, for associations.
    pub fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    fn id(&self, (epoch, position): (u32, u64)) -> ReceiveId {
        ReceiveId { node: self.node, epoch, position }
    }
}

/// Epoch, position, study, SOP instance, transfer syntax, length, kept or quarantined.
type JournalEntry = (u32, u64, String, String, String, u64, &'static str);
type KnownBlock = ([u8; 16], u32, Vec<u8>);
/// Node, epoch and position.
pub type Place = ([u8; 16], u32, u64);
type EquivalentContent = (String, Vec<u8>, String, String);

#[pymethods]
impl Node {
    #[new]
    #[pyo3(signature = (folder, *, node, epoch, capacity, segment, block_pool, locator_key, workers=0, overwrite_after=None))]
    #[expect(clippy::too_many_arguments, reason = "named in Python")]
    fn new(
        py: Python<'_>,
        folder: &str,
        node: [u8; 16],
        epoch: u32,
        capacity: u64,
        segment: u64,
        block_pool: usize,
        locator_key: [u8; 16],
        workers: usize,
        overwrite_after: Option<u64>,
    ) -> PyResult<Self> {
        let node = NodeId(node);
        let config = JournalConfig::new(node, epoch);
        let config = JournalConfig {
            capacity_bytes: capacity,
            segment_bytes: segment,
            block_pool_bytes: block_pool,
            overwrite_after_seconds: overwrite_after.unwrap_or(config.overwrite_after_seconds),
            ..config
        };
        let workers = if workers == 0 { cores() } else { workers };
        let began = Instant::now();
        let (intake, found) = py.detach(|| start(Path::new(folder), config, workers))?;
        let recovery = describe(py, &intake, &found, began.elapsed().as_secs_f64())?;
        Ok(Self { intake, node, locator_key, recovery: Py::new(py, recovery)? })
    }

    #[getter]
    fn wake_fd(&self) -> i32 {
        self.intake.wake.descriptor()
    }

    fn drain(&self, py: Python<'_>) -> PyResult<Wake> {
        Wake::of(py, self.intake.wake.drain())
    }

    #[expect(clippy::too_many_arguments, reason = "all that is known of a study")]
    #[pyo3(
        signature = (vault, study, blocks, equivalents, disputed, preferred, damaged, *, volumes=Vec::new()),
        text_signature = "($self, vault, study, blocks, equivalents, disputed, preferred, damaged, *, volumes=())"
    )]
    fn study_opened(
        &self,
        py: Python<'_>,
        vault: [u8; 16],
        study: &str,
        blocks: Vec<KnownBlock>,
        equivalents: Vec<EquivalentContent>,
        disputed: Vec<String>,
        preferred: Vec<Place>,
        damaged: Vec<Place>,
        volumes: Vec<Vec<u8>>,
    ) -> PyResult<()> {
        let key = StudyKey { vault: VaultId(vault), study: study.into() };
        py.detach(|| {
            let mut known = Vec::new();
            for (node, epoch, block) in &blocks {
                known.extend(known_in(self.node, (*node, *epoch), block, &preferred, &damaged)?);
            }
            for block in &volumes {
                known.extend(known_in_volume(block, &preferred)?);
            }
            known.extend(equivalents.iter().map(equivalent).collect::<PyResult<Vec<_>>>()?);
            for known in &mut known {
                known.disputed = disputed.iter().any(|uid| **uid == *known.sop_instance);
            }
            let damaged: Vec<ReceiveId> = damaged.into_iter().map(receive_id).collect();
            self.intake.study_opened(&key, known, &damaged);
            Ok(())
        })
    }

    #[pyo3(
        signature = (*, volume, vault, study, planned_at, instances, quarantined=false, supersedes=Vec::new()),
        text_signature = "($self, *, volume, vault, study, planned_at, instances, quarantined=False, supersedes=())"
    )]
    #[expect(clippy::too_many_arguments, reason = "named in Python")]
    fn assemble(
        &self,
        py: Python<'_>,
        volume: &str,
        vault: [u8; 16],
        study: &str,
        planned_at: i64,
        instances: Vec<(u32, u64)>,
        quarantined: bool,
        supersedes: Vec<String>,
    ) -> PyResult<Assembly> {
        let description =
            volume::description(volume, vault, study, planned_at, quarantined, &supersedes);
        let instances = instances.into_iter().map(|id| self.id(id)).collect();
        let readings = self.intake.journal.readings();
        let begun = py.detach(|| CoreAssembly::begin(readings, Plan { description, instances }));
        begun.map(Assembly::new).map_err(|error| error::assembly(py, error))
    }

    fn damaged(&self, instance: (u32, u64)) {
        self.intake.damaged(self.id(instance));
    }

    fn rescue_of(&self, instance: (u32, u64)) -> PyResult<Option<(u32, u64)>> {
        let found = self.intake.rescue_of(self.id(instance)).map_err(error::comparison)?;
        Ok(found.map(|id| (id.epoch, id.position)))
    }

    fn verify(&self, py: Python<'_>, instance: (u32, u64)) -> PyResult<()> {
        let id = self.id(instance);
        let there = py.detach(|| self.intake.verify(id)).map_err(error::journal)?;
        if there { Ok(()) } else { Err(error::absent(id)) }
    }

    fn study_changed(&self, vault: [u8; 16], study: &str) {
        let key = StudyKey { vault: VaultId(vault), study: study.into() };
        self.intake.studies().table.reread(&key);
    }

    fn study_failed(&self, vault: [u8; 16], study: &str) {
        self.intake.study_failed(&StudyKey { vault: VaultId(vault), study: study.into() });
    }

    fn recovered_after(&self, py: Python<'_>, epoch: u32, position: u64) -> PyResult<()> {
        py.detach(|| {
            for entry in self.intake.journal.entries_after(epoch, position) {
                let kept = entry.map_err(error::journal)?;
                let particulars = Arc::new(kept.particulars.clone());
                self.intake.landing.push(Closed { receive_id: kept.receive_id, particulars });
            }
            Ok(())
        })
    }

    #[pyo3(signature = (instances_max=20_000))]
    fn take_flush(&self, py: Python<'_>, instances_max: usize) -> PyResult<Option<Flush>> {
        let flush = py.detach(|| self.intake.landing.take(instances_max));
        flush.map(|flush| Flush::new(py, flush, &self.locator_key)).transpose()
    }

    fn landed(&self, epoch: u32, through: u64) {
        self.intake.landing.landed(epoch, through);
    }

    fn newest_closed(&self) -> Option<(u32, u64)> {
        self.intake.landing.newest().map(|id| (id.epoch, id.position))
    }

    fn has_landed_through(&self, through: (u32, u64)) -> bool {
        let through = self.id(through);
        self.intake.landing.first_unlanded().is_none_or(|first| first > through)
    }

    fn evict(&self, now: Microseconds) {
        self.intake.evict(now);
    }

    fn source(&self, epoch: u32, position: u64) -> PyResult<InstanceSource> {
        InstanceSource::in_journal(&self.intake, self.id((epoch, position)))
    }

    #[pyo3(signature = (kept, newcomer, limit=100))]
    fn compare(
        &self,
        py: Python<'_>,
        kept: (u32, u64),
        newcomer: (u32, u64),
        limit: usize,
    ) -> PyResult<Comparison> {
        let found = py.detach(|| self.intake.compare(self.id(kept), self.id(newcomer), limit));
        let found = found.map_err(error::comparison)?;
        let (equivalent, complete) = (found.equivalent(), found.complete);
        let differences = found.differences.into_iter().map(|d| Py::new(py, difference(d)));
        Ok(Comparison { differences: differences.collect::<PyResult<_>>()?, equivalent, complete })
    }

    fn accept_equivalent(&self, newcomer: (u32, u64)) -> PyResult<()> {
        self.intake.accept_equivalent(self.id(newcomer)).map_err(error::comparison)
    }

    fn discard(&self, py: Python<'_>, instances: Vec<(u32, u64)>, reason: &str) -> PyResult<()> {
        let ids: Vec<ReceiveId> = instances.into_iter().map(|id| self.id(id)).collect();
        py.detach(|| self.intake.discard(&ids, reason)).map_err(error::journal)
    }

    fn forget(
        &self,
        py: Python<'_>,
        vault: [u8; 16],
        study: &str,
        instances: Vec<(u32, u64)>,
    ) -> PyResult<()> {
        let key = StudyKey { vault: VaultId(vault), study: study.into() };
        let ids: Vec<ReceiveId> = instances.into_iter().map(|id| self.id(id)).collect();
        py.detach(|| self.intake.forget(&key, &ids)).map_err(error::journal)
    }

    #[pyo3(signature = (limit=100))]
    fn journal_entries(&self, py: Python<'_>, limit: usize) -> PyResult<Vec<JournalEntry>> {
        let newest = py.detach(|| self.intake.newest(limit)).map_err(error::journal)?;
        let row = |(id, kept): Newest| {
            let Some(kept) = kept else {
                let nothing = String::new;
                return (id.epoch, id.position, nothing(), nothing(), nothing(), 0, "damaged");
            };
            let p = &kept.particulars;
            let verdict = match p.verdict {
                Verdict::Kept => "kept",
                Verdict::Quarantined => "quarantined",
            };
            let (study, instance) =
                (p.identity.study.to_string(), p.identity.sop_instance.to_string());
            let syntax = p.content.transfer_syntax.to_string();
            (id.epoch, id.position, study, instance, syntax, p.length, verdict)
        };
        Ok(newest.into_iter().map(row).collect())
    }

    fn room(&self) -> Room {
        let journal = &self.intake.journal;
        let (room, paced) = (journal.room(), self.intake.pace.paced());
        let why = journal.admits().err().map(|why| why.to_string());
        Room {
            capacity: room.capacity,
            live: room.live_bytes,
            dead: room.dead_bytes,
            fill: room.fill,
            writable: journal.state() == JournalState::Writable,
            why,
            write_mode: journal.medium().why,
            drain: paced.drain,
            slowed: paced.slowed,
        }
    }

    fn counters(&self) -> std::collections::HashMap<&'static str, u64> {
        self.intake.counters.snapshot().into_iter().collect()
    }

    fn refusal_counters(&self) -> std::collections::HashMap<&'static str, u64> {
        self.intake.refusals.snapshot().into_iter().collect()
    }

    fn stop(&self, py: Python<'_>) {
        py.detach(|| self.intake.stop());
    }
}

fn receive_id((node, epoch, position): Place) -> ReceiveId {
    ReceiveId { node: NodeId(node), epoch, position }
}

fn equivalent((sop_instance, digest, syntax, class): &EquivalentContent) -> PyResult<Known> {
    let prefix = digest.first_chunk::<16>().copied();
    let digest = prefix.ok_or_else(|| PyValueError::new_err("a digest has at least 16 bytes"))?;
    let content = KnownContent {
        digest,
        transfer_syntax: syntax.as_str().into(),
        sop_class: class.as_str().into(),
    };
    let sop_instance = sop_instance.as_str().into();
    Ok(Known {
        sop_instance,
        content,
        origin: Origin::Equivalent,
        disputed: false,
        preferred: false,
    })
}

fn difference(found: dataset::Difference) -> Difference {
    let kind = match found.kind {
        DifferenceKind::Added => "added",
        DifferenceKind::Removed => "removed",
        DifferenceKind::Changed => "changed",
    };
    Difference {
        path: found.path,
        kind: kind.to_owned(),
        kept: found.before,
        newcomer: found.after,
    }
}

fn start(
    folder: &Path,
    config: JournalConfig,
    workers: usize,
) -> PyResult<(Arc<Intake>, journal::Recovery)> {
    let medium = FileMedium::open(folder)?;
    let node = config.node;
    let (journal, recovery) =
        Journal::open(Arc::new(medium), config, Box::new(nonce)).map_err(error::journal)?;
    let settings = IntakeSettings { workers, clock: Box::new(now) };
    let mut table = DuplicatesTable::new(node, DuplicatesLimits::default());
    for found in &recovery.damaged {
        table.recovered_damaged(found.receive_id, &found.particulars);
    }
    let intake = Intake::start(journal, table, settings).map_err(error::journal)?;
    intake.keep_house(Arc::new(Box::new(steady())))?;
    Ok((intake, recovery))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// A clock that never goes back.
fn steady() -> impl Fn() -> Microseconds {
    let began = Instant::now();
    move || i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX)
}

fn now() -> Microseconds {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Eight bytes from the kernel; they only have to be unguessable to senders.
fn nonce() -> u64 {
    let mut bytes = [0u8; 8];
    // SAFETY: eight writable bytes; getrandom(2) of so few never comes back short once seeded.
    unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    u64::from_ne_bytes(bytes)
}

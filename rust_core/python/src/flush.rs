//! What the catalogue is to learn, as frozen Python objects.

use kuva_core::index::{IndexError, locator_hash, series_hash};
use kuva_core::instance::CapturedElement;
use kuva_core::intake::landing;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::error;

/// Tag, VR and value.
pub type Captured = (u32, Py<PyBytes>, Py<PyBytes>);
type Patient = (u64, String, Vec<Captured>);
type Series = (u64, String, String, Py<PyBytes>);

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct Batch {
    vault: Py<PyBytes>,
    study: String,
    first_position: u64,
    last_position: u64,
    instances: usize,
    length: u64,
    received_first: i64,
    received_last: i64,
    block: Py<PyBytes>,
    sop_instances: Vec<String>,
    locator_hashes: Vec<i64>,
    captured: Vec<Captured>,
    patients: Vec<Patient>,
    series: Vec<Series>,
    flags: u64,
}

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct Quarantined {
    vault: Py<PyBytes>,
    study: String,
    series: String,
    sop_instance: String,
    sop_class: String,
    transfer_syntax: String,
    length: u64,
    position: u64,
    received_at: i64,
    calling: String,
    called: String,
    address: String,
    association: u64,
    digest: Py<PyBytes>,
    conflicts_with: Option<(u32, u64)>,
}

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct Flush {
    epoch: u32,
    through: u64,
    batches: Vec<Py<Batch>>,
    quarantined: Vec<Py<Quarantined>>,
}

/// A batch with everything that needs no interpreter made beforehand.
struct Prepared {
    block: Vec<u8>,
    locator_hashes: Vec<i64>,
    patients: Vec<landing::Closed>,
    series: Vec<(landing::Closed, [u8; 16])>,
    batch: landing::Batch,
}

impl Flush {
    /// Make the Python objects; blocks are encoded without holding the interpreter.
    pub fn new(py: Python<'_>, flush: landing::Flush, locator_key: &[u8; 16]) -> PyResult<Self> {
        let landing::Flush { epoch, through, batches, quarantined } = flush;
        let prepare = |batch| prepare(batch, locator_key);
        let prepared =
            py.detach(|| batches.into_iter().map(prepare).collect::<Result<Vec<_>, _>>());
        let prepared = prepared.map_err(error::index)?;
        let batches = prepared.into_iter().map(|p| Py::new(py, batch(py, p)));
        let quarantined = quarantined.iter().map(|closed| Py::new(py, held_apart(py, closed)));
        Ok(Self {
            epoch,
            through,
            batches: batches.collect::<PyResult<_>>()?,
            quarantined: quarantined.collect::<PyResult<_>>()?,
        })
    }
}

fn prepare(batch: landing::Batch, key: &[u8; 16]) -> Result<Prepared, IndexError> {
    let block = batch.block()?;
    let hash =
        |closed: &landing::Closed| locator_hash(key, &closed.particulars.identity.sop_instance);
    let locator_hashes = batch.instances.iter().map(hash).collect();
    let patients = batch.patients();
    let hashed = |closed: landing::Closed| {
        let hash = series_hash(key, batch.key.vault, &closed.particulars.identity.series);
        (closed, hash)
    };
    let series = batch.series().into_iter().map(hashed).collect();
    Ok(Prepared { block, locator_hashes, patients, series, batch })
}

fn batch(py: Python<'_>, prepared: Prepared) -> Batch {
    let landing::Batch { key, instances } = prepared.batch;
    let positions = instances.iter().map(|c| c.receive_id.position);
    let received = instances.iter().map(|c| c.particulars.received_at);
    let first = instances.first().map(|c| &*c.particulars);
    Batch {
        vault: PyBytes::new(py, &key.vault.0).unbind(),
        study: key.study.to_string(),
        first_position: positions.clone().min().unwrap_or_default(),
        last_position: positions.max().unwrap_or_default(),
        instances: instances.len(),
        length: instances.iter().map(|c| c.particulars.length).sum(),
        received_first: received.clone().min().unwrap_or_default(),
        received_last: received.max().unwrap_or_default(),
        block: PyBytes::new(py, &prepared.block).unbind(),
        sop_instances: instances
            .iter()
            .map(|c| c.particulars.identity.sop_instance.to_string())
            .collect(),
        locator_hashes: prepared.locator_hashes,
        captured: first.map(|p| captured_elements(py, &p.captured)).unwrap_or_default(),
        patients: prepared.patients.iter().map(|closed| patient(py, closed)).collect(),
        series: prepared.series.iter().map(|(closed, hash)| series(py, closed, hash)).collect(),
        flags: instances.iter().fold(0, |flags, c| flags | c.particulars.flags),
    }
}

fn patient(py: Python<'_>, closed: &landing::Closed) -> Patient {
    let sop_instance = closed.particulars.identity.sop_instance.to_string();
    (closed.receive_id.position, sop_instance, captured_elements(py, &closed.particulars.captured))
}

fn series(py: Python<'_>, closed: &landing::Closed, hash: &[u8; 16]) -> Series {
    let identity = &closed.particulars.identity;
    let (sop_instance, series) = (identity.sop_instance.to_string(), identity.series.to_string());
    (closed.receive_id.position, sop_instance, series, PyBytes::new(py, hash).unbind())
}

/// Captured elements, as the catalogue takes them.
pub fn captured_elements(py: Python<'_>, elements: &[CapturedElement]) -> Vec<Captured> {
    let element = |e: &CapturedElement| {
        (e.tag, PyBytes::new(py, &e.vr).unbind(), PyBytes::new(py, &e.value).unbind())
    };
    elements.iter().map(element).collect()
}

fn held_apart(py: Python<'_>, closed: &landing::Closed) -> Quarantined {
    let particulars = &closed.particulars;
    let identity = &particulars.identity;
    Quarantined {
        vault: PyBytes::new(py, &particulars.vault.0).unbind(),
        study: identity.study.to_string(),
        series: identity.series.to_string(),
        sop_instance: identity.sop_instance.to_string(),
        sop_class: particulars.content.sop_class.to_string(),
        transfer_syntax: particulars.content.transfer_syntax.to_string(),
        length: particulars.length,
        position: closed.receive_id.position,
        received_at: particulars.received_at,
        calling: particulars.sender.calling.to_string(),
        called: particulars.sender.called.to_string(),
        address: particulars.sender.address.to_string(),
        association: particulars.sender.association,
        digest: PyBytes::new(py, &particulars.content.digest).unbind(),
        conflicts_with: particulars.conflicts_with.map(|id| (id.epoch, id.position)),
    }
}

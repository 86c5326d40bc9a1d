//! What was found in the journal at start, as Python sees it.

use kuva_core::instance::{ReceiveId, Verdict};
use kuva_core::intake::{Intake, wake};
use kuva_core::journal;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct Recovery {
    instances: usize,
    quarantined: usize,
    damaged: Vec<Py<Damaged>>,
    epochs: Vec<u32>,
    vaults: Vec<Py<PyBytes>>,
    unwritten_bytes: u64,
    segments: u32,
    received_oldest: Option<i64>,
    epoch_highest: u32,
    seconds: f64,
}

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct Damaged {
    epoch: u32,
    position: u64,
    why: String,
    vault: Py<PyBytes>,
    study: String,
    sop_instance: String,
}

/// Tells a recovery.
pub(super) fn describe(
    py: Python<'_>,
    intake: &Intake,
    found: &journal::Recovery,
    seconds: f64,
) -> PyResult<Recovery> {
    let held_apart = |(_, verdict): &&(ReceiveId, Verdict)| *verdict == Verdict::Quarantined;
    let quarantined = found.instances.iter().filter(held_apart).count();
    let damaged = found.damaged.iter().map(|damaged| damage(py, damaged));
    let vaults = intake.vaults_recovered.iter().map(|vault| PyBytes::new(py, &vault.0).unbind());
    Ok(Recovery {
        instances: found.instances.len() - quarantined,
        quarantined,
        damaged: damaged.collect::<PyResult<_>>()?,
        epochs: intake.journal.epochs(),
        vaults: vaults.collect(),
        unwritten_bytes: found.torn_bytes,
        segments: found.segments,
        received_oldest: intake.received_oldest,
        epoch_highest: found.epoch_highest,
        seconds,
    })
}

fn damage(py: Python<'_>, found: &journal::Damaged) -> PyResult<Py<Damaged>> {
    let (id, place, said) = (found.receive_id, found.place, &found.particulars);
    let damaged = Damaged {
        epoch: id.epoch,
        position: id.position,
        why: format!("segment {} has no whole record at {}", place.segment, place.offset),
        vault: PyBytes::new(py, &said.vault.0).unbind(),
        study: said.identity.study.to_string(),
        sop_instance: said.identity.sop_instance.to_string(),
    };
    Py::new(py, damaged)
}

impl Damaged {
    /// Found since the start; of whom it was, if that could be read.
    pub(super) fn found(py: Python<'_>, found: &wake::Damage) -> PyResult<Py<Self>> {
        let of = found.of.as_ref();
        let vault = of.map_or(&[][..], |(key, _)| &key.vault.0);
        let damaged = Self {
            epoch: found.receive_id.epoch,
            position: found.receive_id.position,
            why: found.why.clone(),
            vault: PyBytes::new(py, vault).unbind(),
            study: of.map_or_else(String::new, |(key, _)| key.study.to_string()),
            sop_instance: of.map_or_else(String::new, |(_, uid)| uid.to_string()),
        };
        Py::new(py, damaged)
    }
}

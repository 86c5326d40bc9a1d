//! Index blocks, read for Python.

use kuva_core::index::{self, IndexBlock, IndexEntry};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::error;

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct KnownInstance {
    series: String,
    sop_instance: String,
    sop_class: String,
    transfer_syntax: String,
    digest: Py<PyBytes>,
    length: u64,
    epoch: u32,
    position: u64,
    received_at: i64,
    flags: u64,
    modality: String,
    series_number: Option<i32>,
    series_description: Py<PyBytes>,
    series_character_set: Py<PyBytes>,
    instance_number: Option<i32>,
}

/// See the stub.
#[pyfunction]
pub fn decode_block(py: Python<'_>, block: &[u8]) -> PyResult<Vec<KnownInstance>> {
    let block = index::decode(block).map_err(error::index)?;
    Ok(block.entries.iter().map(|entry| known(py, &block, entry)).collect())
}

fn known(py: Python<'_>, block: &IndexBlock, entry: &IndexEntry) -> KnownInstance {
    let series = &block.series[entry.series as usize];
    KnownInstance {
        series: series.series_uid.to_string(),
        sop_instance: entry.sop_instance.to_string(),
        sop_class: entry.sop_class.to_string(),
        transfer_syntax: entry.transfer_syntax.to_string(),
        digest: PyBytes::new(py, &entry.digest).unbind(),
        length: entry.length,
        epoch: block.epoch,
        position: entry.position,
        received_at: entry.received_at,
        flags: entry.flags,
        modality: String::from_utf8_lossy(&series.modality).into_owned(),
        series_number: series.series_number,
        series_description: PyBytes::new(py, &series.description).unbind(),
        series_character_set: PyBytes::new(py, &series.character_set).unbind(),
        instance_number: entry.instance_number,
    }
}

/// See the stub.
#[pyfunction]
pub fn locator_hash(key: [u8; 16], sop_instance: &str) -> i64 {
    index::locator_hash(&key, sop_instance)
}

//! Index blocks, read for Python and for the duplicates table.

use std::collections::HashSet;
use std::sync::Arc;

use kuva_core::dedup::{Known, KnownContent, Origin};
use kuva_core::index::{self, IndexBlock, IndexEntry};
use kuva_core::instance::NodeId;
use kuva_core::volume::Ordinal;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::error;
use super::node::Place;

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct KnownInstance {
    series: String,
    sop_instance: String,
    sop_class: String,
    transfer_syntax: String,
    digest: Py<PyBytes>,
    length: u64,
    node: Py<PyBytes>,
    epoch: u32,
    position: u64,
    received_at: i64,
    flags: u64,
    modality: String,
    series_number: Option<i32>,
    series_description: Py<PyBytes>,
    series_character_set: Py<PyBytes>,
    instance_number: Option<i32>,
    path: Option<String>,
    offset: Option<u64>,
    ranges_offset: Option<u64>,
}

/// See the stub.
#[pyfunction]
pub fn decode_block(py: Python<'_>, block: &[u8]) -> PyResult<Vec<KnownInstance>> {
    let block = index::decode(block).map_err(error::index)?;
    let entries = block.entries.iter().zip(block.ranges_offsets()).zip(1..);
    Ok(entries.map(|((entry, ranges), number)| known(py, &block, entry, ranges, number)).collect())
}

/// See the stub.
#[pyfunction]
pub fn restrict_block<'py>(
    py: Python<'py>,
    block: &[u8],
    positions: Vec<u64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let block = index::decode(block).map_err(error::index)?;
    if block.volume.is_some() {
        return Err(PyValueError::new_err("not the index block of a batch"));
    }
    let wanted: HashSet<u64> = positions.into_iter().collect();
    let block = block.restricted(|entry| wanted.contains(&entry.position));
    if block.entries.len() != wanted.len() {
        return Err(PyValueError::new_err("the block has not all of these positions"));
    }
    Ok(PyBytes::new(py, &index::encode(&block).map_err(error::index)?))
}

fn known(
    py: Python<'_>,
    block: &IndexBlock,
    entry: &IndexEntry,
    ranges_offset: Option<u64>,
    instance: u32,
) -> KnownInstance {
    let series = &block.series[entry.series as usize];
    let source = block.sources[entry.source as usize];
    KnownInstance {
        series: series.series_uid.to_string(),
        sop_instance: entry.sop_instance.to_string(),
        sop_class: entry.sop_class.to_string(),
        transfer_syntax: entry.transfer_syntax.to_string(),
        digest: PyBytes::new(py, &entry.digest).unbind(),
        length: entry.length,
        node: PyBytes::new(py, &source.node.0).unbind(),
        epoch: source.epoch,
        position: entry.position,
        received_at: entry.received_at,
        flags: entry.flags,
        modality: String::from_utf8_lossy(&series.modality).into_owned(),
        series_number: series.series_number,
        series_description: PyBytes::new(py, &series.description).unbind(),
        series_character_set: PyBytes::new(py, &series.character_set).unbind(),
        instance_number: entry.instance_number,
        // A volume's block is in the order of the volume.
        path: block.volume.map(|_| Ordinal { series: entry.series + 1, instance }.path()),
        offset: block.volume.map(|_| entry.offset),
        ranges_offset,
    }
}

/// See the stub.
#[pyfunction]
pub fn locator_hash(key: [u8; 16], sop_instance: &str) -> i64 {
    index::locator_hash(&key, sop_instance)
}

/// What a block says, seen from this node. Its own instances come from its journal, which is
/// the truth: those that the journal no longer holds count as absent. What a person chose is
/// told of all nodes, for no journal knows of that; and so is what was found damaged or gone,
/// which the journal may not hold at all: it was acknowledged.
pub fn known_in(
    here: NodeId,
    (node, epoch): ([u8; 16], u32),
    block: &[u8],
    preferred: &[Place],
    damaged: &[Place],
) -> PyResult<Vec<Known>> {
    let block = index::decode(block).map_err(error::index)?;
    let chosen = |entry: &IndexEntry| preferred.contains(&(node, epoch, entry.position));
    let lost = |entry: &IndexEntry| damaged.contains(&(node, epoch, entry.position));
    let told = |entry: &&IndexEntry| NodeId(node) != here || chosen(entry) || lost(entry);
    let known = |entry: &IndexEntry| Known {
        sop_instance: Arc::clone(&entry.sop_instance),
        content: content(entry),
        origin: Origin::OtherJournal(NodeId(node)),
        disputed: false,
        preferred: chosen(entry),
    };
    Ok(block.entries.iter().filter(told).map(known).collect())
}

/// What the block of a verified, undamaged volume says: of all nodes, for its bytes are there.
pub fn known_in_volume(block: &[u8], preferred: &[Place]) -> PyResult<Vec<Known>> {
    let block = index::decode(block).map_err(error::index)?;
    if block.volume.is_none_or(|volume| volume.quarantined) {
        return Err(PyValueError::new_err("not the index block of a volume of kept instances"));
    }
    let chosen = |entry: &IndexEntry| {
        let id = block.receive_id(entry);
        id.is_some_and(|id| preferred.contains(&(id.node.0, id.epoch, id.position)))
    };
    let known = |entry: &IndexEntry| Known {
        sop_instance: Arc::clone(&entry.sop_instance),
        content: content(entry),
        origin: Origin::VerifiedVolume,
        disputed: false,
        preferred: chosen(entry),
    };
    Ok(block.entries.iter().map(known).collect())
}

fn content(entry: &IndexEntry) -> KnownContent {
    KnownContent {
        digest: entry.digest,
        transfer_syntax: Arc::clone(&entry.transfer_syntax),
        sop_class: Arc::clone(&entry.sop_class),
    }
}

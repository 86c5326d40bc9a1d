//! Storage commitment information, read by the core and handed on in slices: a list of a hundred
//! thousand made into Python objects at once would hold up the event loop from any thread.

use kuva_core::commitment::{Information, Reference};
use kuva_core::dataset::encoding_of;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::error;

/// See the stub.
#[pyclass(frozen, module = "gateway._core")]
pub struct CommitmentInformation(Information);

#[pymethods]
impl CommitmentInformation {
    #[getter]
    fn transaction(&self) -> Option<&str> {
        self.0.transaction.as_deref()
    }

    #[getter]
    fn retrieve_title(&self) -> Option<&str> {
        self.0.retrieve_title.as_deref()
    }

    #[getter]
    fn referenced_count(&self) -> usize {
        self.0.referenced.as_ref().map_or(0, Vec::len)
    }

    #[getter]
    fn failed_count(&self) -> usize {
        self.0.failed.as_ref().map_or(0, Vec::len)
    }

    fn referenced(&self, start: usize, many: usize) -> Vec<(&str, &str)> {
        slice(self.0.referenced.as_ref(), start, many).map(pair).collect()
    }

    fn failed(&self, start: usize, many: usize) -> Vec<(&str, &str, Option<u16>)> {
        slice(self.0.failed.as_ref(), start, many).map(triple).collect()
    }
}

fn pair(one: &Reference) -> (&str, &str) {
    (&one.sop_class, &one.sop_instance)
}

fn triple(one: &Reference) -> (&str, &str, Option<u16>) {
    (&one.sop_class, &one.sop_instance, one.reason)
}

fn slice(
    list: Option<&Vec<Reference>>,
    start: usize,
    many: usize,
) -> impl Iterator<Item = &Reference> {
    list.into_iter().flatten().skip(start).take(many)
}

/// See the stub.
#[pyfunction]
pub fn read_commitment(
    py: Python<'_>,
    data_set: &[u8],
    transfer_syntax: &str,
) -> PyResult<CommitmentInformation> {
    let encoding = encoding_of(transfer_syntax)
        .ok_or_else(|| PyValueError::new_err("no such transfer syntax"))?;
    let read = py.detach(|| Information::read(data_set, encoding));
    read.map(CommitmentInformation).map_err(error::information)
}

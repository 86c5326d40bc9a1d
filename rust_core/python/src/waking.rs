//! Wake-ups: what the event loop hears of, as Python holds it.

use kuva_core::intake::wake::{self, Pile};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::recovery::Damaged;

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct StudyOpening {
    vault: Py<PyBytes>,
    study: String,
}

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct Wake {
    opening: Vec<Py<StudyOpening>>,
    resume: Vec<u64>,
    output: Vec<(u64, Py<PyBytes>)>,
    landing: bool,
    refused: Vec<Py<Refused>>,
    damaged: Vec<Py<Damaged>>,
    journal_stopped: Option<String>,
}

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct Refused {
    association: u64,
    calling: String,
    address: String,
    sop_instance: Option<String>,
    code: &'static str,
    status: u16,
    comment: String,
    offending: Option<u32>,
    byte: Option<u64>,
}

impl Wake {
    /// What was gathered since the last time.
    pub fn of(py: Python<'_>, pile: Pile) -> PyResult<Self> {
        let opening = pile.opening.into_iter().map(|key| {
            let vault = PyBytes::new(py, &key.vault.0).unbind();
            Py::new(py, StudyOpening { vault, study: key.study.to_string() })
        });
        let refused = pile.refused.into_iter().map(|refused| Py::new(py, self::refused(refused)));
        let damaged = pile.damaged.iter().map(|found| Damaged::found(py, found));
        let output = pile.output.into_iter();
        Ok(Self {
            opening: opening.collect::<PyResult<_>>()?,
            resume: pile.resume.into_iter().collect(),
            output: output.map(|(n, bytes)| (n, PyBytes::new(py, &bytes).unbind())).collect(),
            landing: pile.landing,
            refused: refused.collect::<PyResult<_>>()?,
            damaged: damaged.collect::<PyResult<_>>()?,
            journal_stopped: pile.stopped,
        })
    }
}

fn refused(refused: wake::Refused) -> Refused {
    Refused {
        association: refused.association,
        calling: refused.sender.calling.to_string(),
        address: refused.sender.address.to_string(),
        sop_instance: refused.sop_instance.map(|uid| uid.to_string()),
        code: refused.refusal.code(),
        status: refused.refusal.status(),
        comment: refused.refusal.comment(),
        offending: refused.refusal.offending,
        byte: refused.refusal.byte,
    }
}

//! `Admission`: what an accepted association may do.

use std::sync::Arc;

use kuva_core::instance::{Sender, VaultId};
use kuva_core::intake;
use kuva_core::rules::{Preset, RuleSet, Severity};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::error;

/// See the stub.
#[pyclass(frozen, module = "gateway._core")]
pub struct Admission(pub Arc<intake::Admission>);

#[pymethods]
impl Admission {
    #[new]
    #[pyo3(signature = (*, vault, calling, called, address, preset, rules))]
    fn new(
        vault: [u8; 16],
        calling: &str,
        called: &str,
        address: &str,
        preset: &str,
        rules: Vec<(String, String)>,
    ) -> PyResult<Self> {
        let sender = Sender {
            calling: calling.into(),
            called: called.into(),
            address: address.into(),
            association: 0,
        };
        let rules = rule_set(preset, &rules)?;
        Ok(Self(Arc::new(intake::Admission { vault: VaultId(vault), sender, rules })))
    }
}

fn rule_set(preset: &str, pairs: &[(String, String)]) -> PyResult<RuleSet> {
    let preset = match preset {
        "strict" => Preset::Strict,
        "migration" => Preset::Migration,
        other => return Err(PyValueError::new_err(format!("no rule preset {other:?}"))),
    };
    let pairs: Vec<(&str, Severity)> = pairs
        .iter()
        .map(|(code, how)| Ok((code.as_str(), severity(how)?)))
        .collect::<PyResult<_>>()?;
    RuleSet::from_pairs(preset, pairs).map_err(error::rule)
}

fn severity(name: &str) -> PyResult<Severity> {
    match name {
        "refuse" => Ok(Severity::Refuse),
        "flag" => Ok(Severity::Flag),
        other => Err(PyValueError::new_err(format!("no severity {other:?}; say refuse or flag"))),
    }
}

//! The core's tables, for profiles to be checked against.

use kuva_core::dataset::transfer_syntax::{Encoding, Pixels, TRANSFER_SYNTAXES};
use kuva_core::rules::{RULES, Severity};
use pyo3::prelude::*;

type RuleRow = (&'static str, u8, &'static str, &'static str, &'static str);

/// See the stub.
#[pyfunction]
pub fn rule_codes() -> Vec<RuleRow> {
    let row = |rule: &kuva_core::rules::Rule| {
        (rule.code, rule.bit, severity(rule.strict), severity(rule.migration), rule.doc)
    };
    RULES.iter().map(row).collect()
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Refuse => "refuse",
        Severity::Flag => "flag",
    }
}

/// See the stub.
#[pyfunction]
pub fn transfer_syntaxes() -> Vec<(&'static str, &'static str, bool, bool)> {
    let readable =
        TRANSFER_SYNTAXES.iter().filter_map(|row| row.encoding.map(|encoding| (row, encoding)));
    readable
        .map(|(row, encoding)| {
            let encapsulated = matches!(row.pixels, Pixels::Encapsulated);
            (row.uid, name(encoding), encapsulated, matches!(row.pixels, Pixels::Elsewhere))
        })
        .collect()
}

fn name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::ImplicitLittle => "implicit-little",
        Encoding::ExplicitLittle => "explicit-little",
        Encoding::ExplicitBig => "explicit-big",
        Encoding::DeflatedLittle => "deflated-little",
    }
}

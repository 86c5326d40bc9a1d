//! The catalogue of refusals, as Python reads it.

use kuva_core::refusal::{Answer, Entry, catalogue, comment};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct RefusalEntry {
    code: &'static str,
    family: &'static str,
    turn: &'static str,
    value_class: &'static str,
    answer: (&'static str, u16, u8, u8),
    attribute: Option<u32>,
    text: &'static str,
    rule: &'static str,
    standard: &'static str,
    mend: &'static str,
    example: &'static str,
}

/// See the stub.
#[pyfunction]
pub fn refusals() -> Vec<RefusalEntry> {
    catalogue::entries().iter().map(|entry| row(entry)).collect()
}

/// See the stub.
#[pyfunction]
#[pyo3(signature = (code, offending=None, byte=None))]
pub fn refusal_comment(code: &str, offending: Option<u32>, byte: Option<u64>) -> PyResult<String> {
    let unknown = || PyKeyError::new_err(code.to_owned());
    let entry = catalogue::find(code).ok_or_else(unknown)?;
    Ok(comment::render(entry.text, offending.or(entry.attribute), byte))
}

/// See the stub.
#[pyfunction]
pub fn keyword_of(tag: u32) -> Option<&'static str> {
    comment::keyword(tag)
}

fn row(entry: &Entry) -> RefusalEntry {
    RefusalEntry {
        code: entry.code,
        family: entry.family.name(),
        turn: entry.turn.name(),
        value_class: entry.value_class.name(),
        answer: answer(entry.answer),
        attribute: entry.attribute,
        text: entry.text,
        rule: entry.rule,
        standard: entry.standard,
        mend: entry.mend,
        example: entry.example,
    }
}

fn answer(answer: Answer) -> (&'static str, u16, u8, u8) {
    match answer {
        Answer::Status(status) => ("status", status, 0, 0),
        Answer::Reject(result, source, reason) => ("reject", result.into(), source, reason),
        Answer::Abort(source, reason) => ("abort", 0, source, reason),
        Answer::Close => ("close", 0, 0, 0),
        Answer::Counted => ("counted", 0, 0, 0),
    }
}

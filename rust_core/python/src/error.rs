//! The whole table from the core's errors to `gateway.errors`.

use std::path::Path;

use kuva_core::association::LocalError as ProtocolError;
use kuva_core::index::IndexError;
use kuva_core::instance::ReceiveId;
use kuva_core::intake::equivalence::ComparisonError;
use kuva_core::journal::JournalError;
use kuva_core::part10::FileMetaError;
use kuva_core::rules::RuleError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

pyo3::import_exception!(gateway.errors, DamagedInstance);
pyo3::import_exception!(gateway.errors, InstanceAbsent);
pyo3::import_exception!(gateway.errors, JournalRot);
pyo3::import_exception!(gateway.errors, JournalStopped);
pyo3::import_exception!(gateway.errors, LocalError);
pyo3::import_exception!(gateway.errors, NotDiscardable);
pyo3::import_exception!(gateway.errors, UnreadableFile);

/// Our own call was wrong for the association's state.
pub fn protocol(error: ProtocolError) -> PyErr {
    LocalError::new_err(error.to_string())
}

/// A rule set that names no rule, or weakens one that may not be.
pub fn rule(error: RuleError) -> PyErr {
    LocalError::new_err(error.to_string())
}

/// A file that is to be sent and can't be.
pub fn file(path: &Path, error: FileMetaError) -> PyErr {
    UnreadableFile::new_err(format!("{} {error}", path.display()))
}

/// An index block that cannot be made or read.
pub fn index(error: IndexError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// An instance that is not in this journal.
pub fn absent(id: ReceiveId) -> PyErr {
    let (epoch, position) = (id.epoch, id.position);
    InstanceAbsent::new_err(format!("no instance {epoch}/{position} in this journal"))
}

/// Two instances that can't be compared.
pub fn comparison(error: ComparisonError) -> PyErr {
    match error {
        ComparisonError::Absent(id) => absent(id),
        ComparisonError::Journal(error) => journal(error),
        ComparisonError::Unreadable(error) => DamagedInstance::new_err(error.to_string()),
    }
}

/// The journal's errors.
pub fn journal(error: JournalError) -> PyErr {
    let what = error.to_string();
    match error {
        JournalError::Rot { .. } => JournalRot::new_err(what),
        JournalError::NotDiscardable => NotDiscardable::new_err(what),
        JournalError::Full
        | JournalError::ReadOnly(_)
        | JournalError::Closed
        | JournalError::Io(_) => JournalStopped::new_err(what),
        JournalError::Config(_) | JournalError::Epoch { .. } | JournalError::Unrecordable(_) => {
            LocalError::new_err(what)
        }
    }
}

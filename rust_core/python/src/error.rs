//! The whole table from the core's errors to `gateway.errors`.

use std::path::Path;

use kuva_core::association::LocalError as ProtocolError;
use kuva_core::index::IndexError;
use kuva_core::instance::ReceiveId;
use kuva_core::intake::equivalence::ComparisonError;
use kuva_core::journal::JournalError as CoreJournalError;
use kuva_core::part10::FileMetaError;
use kuva_core::refusal::Refusal;
use kuva_core::rules::RuleError;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

pyo3::import_exception!(gateway.errors, DamagedInstanceError);
pyo3::import_exception!(gateway.errors, InstanceAbsentError);
pyo3::import_exception!(gateway.errors, JournalError);
pyo3::import_exception!(gateway.errors, JournalFullError);
pyo3::import_exception!(gateway.errors, JournalReadOnlyError);
pyo3::import_exception!(gateway.errors, JournalRotError);
pyo3::import_exception!(gateway.errors, LocalError);
pyo3::import_exception!(gateway.errors, MalformedInformationError);
pyo3::import_exception!(gateway.errors, NotDiscardableError);
pyo3::import_exception!(gateway.errors, UnreadableFileError);

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
    UnreadableFileError::new_err(format!("{} {error}", path.display()))
}

/// Storage commitment information that is none.
pub fn information(refusal: Refusal) -> PyErr {
    let Refusal { entry, offending, byte } = refusal;
    MalformedInformationError::new_err((entry.code, offending, byte))
}

/// An index block that cannot be made or read.
pub fn index(error: IndexError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// An instance that is not in this journal.
pub fn absent(id: ReceiveId) -> PyErr {
    let (epoch, position) = (id.epoch, id.position);
    InstanceAbsentError::new_err(format!("no instance {epoch}/{position} in this journal"))
}

/// Two instances that can't be compared.
pub fn comparison(error: ComparisonError) -> PyErr {
    match error {
        ComparisonError::Absent(id) => absent(id),
        ComparisonError::Journal(error) => journal(error),
        ComparisonError::Unreadable(error) => DamagedInstanceError::new_err(error.to_string()),
    }
}

/// The journal's errors.
pub fn journal(error: CoreJournalError) -> PyErr {
    let what = error.to_string();
    match error {
        CoreJournalError::Rot { .. } | CoreJournalError::Gone { .. } => {
            JournalRotError::new_err(what)
        }
        CoreJournalError::NotDiscardable => NotDiscardableError::new_err(what),
        CoreJournalError::Full => JournalFullError::new_err(what),
        CoreJournalError::ReadOnly(_) | CoreJournalError::Closed => {
            JournalReadOnlyError::new_err(what)
        }
        CoreJournalError::Io(_) => JournalError::new_err(what),
        CoreJournalError::Config(_)
        | CoreJournalError::NotForgettable(_)
        | CoreJournalError::Epoch { .. }
        | CoreJournalError::Unrecordable(_) => LocalError::new_err(what),
    }
}

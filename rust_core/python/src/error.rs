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
use kuva_core::volume::{AssemblyError, VolumeError, name_of};
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
pyo3::import_exception!(gateway.errors, VolumeMismatchError);

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

/// A volume whose bytes are not what they should be.
pub fn volume(error: VolumeError) -> PyErr {
    VolumeMismatchError::new_err(error.to_string())
}

/// A volume that cannot be assembled; where one instance is why, the error names it.
pub fn assembly(py: Python<'_>, error: AssemblyError) -> PyErr {
    let what = error.to_string();
    let (raised, id) = match error {
        AssemblyError::Plan(_) => return LocalError::new_err(what),
        AssemblyError::Absent(id) => (InstanceAbsentError::new_err(what), id),
        AssemblyError::Changed(id) => (DamagedInstanceError::new_err(what), id),
        AssemblyError::Journal(id, error) => (journal_of(id, error), id),
    };
    match raised.value(py).setattr("instance", (id.epoch, id.position)) {
        Ok(()) => raised,
        Err(failed) => failed,
    }
}

fn journal_of(id: ReceiveId, error: CoreJournalError) -> PyErr {
    let name = name_of(id);
    match error {
        CoreJournalError::Rot { .. } => JournalRotError::new_err(format!("{name}: {error}")),
        other => journal(other),
    }
}

/// What came up while a data set was read that is to be sent: what Python raised in a callback as it
/// is, a volume's damage as such, everything else as damage of this journal.
pub fn reading(error: std::io::Error) -> PyErr {
    let what = error.to_string();
    let Some(inner) = error.into_inner() else { return DamagedInstanceError::new_err(what) };
    match inner.downcast::<PyErr>() {
        Ok(raised) => *raised,
        Err(inner) if inner.is::<VolumeError>() => VolumeMismatchError::new_err(what),
        Err(_) => DamagedInstanceError::new_err(what),
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
        CoreJournalError::Full | CoreJournalError::Descriptors => JournalFullError::new_err(what),
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

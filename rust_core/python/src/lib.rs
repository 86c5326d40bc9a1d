//! `gateway._core`: the one door between Python and the core. Documented in `gateway/_core.pyi`.

mod admission;
mod associate;
mod association;
mod commitment;
mod error;
mod flush;
mod index;
mod node;
mod recovery;
mod refusal;
mod source;
mod tables;
mod volume;
mod waking;

use pyo3::prelude::*;

#[pymodule]
mod _core {
    #[pymodule_export]
    use super::admission::Admission;
    #[pymodule_export]
    use super::associate::{
        Aborted, AnsweredContext, AssociateAccepted, AssociateRejected, AssociateRequested,
        CommandReceived, Failed, ProposedContext, ProposedContextSpec, ReleaseRequested, Released,
        Role,
    };
    #[pymodule_export]
    use super::association::{Association, Progress};
    #[pymodule_export]
    use super::commitment::{CommitmentInformation, read_commitment};
    #[pymodule_export]
    use super::flush::{Batch, Flush, Quarantined};
    #[pymodule_export]
    use super::index::{KnownInstance, decode_block, locator_hash, restrict_block};
    #[pymodule_export]
    use super::node::{Comparison, Difference, Node, Room};
    #[pymodule_export]
    use super::recovery::{Damaged, Recovery};
    #[pymodule_export]
    use super::refusal::{RefusalEntry, keyword_of, refusal_comment, refusals};
    #[pymodule_export]
    use super::source::{InstanceSource, StoreTransfer};
    #[pymodule_export]
    use super::tables::{rule_codes, transfer_syntaxes};
    #[pymodule_export]
    use super::volume::{Assembled, Assembly, Piece, Verification, VolumeContents, VolumeScan};
    #[pymodule_export]
    use super::waking::{Refused, StudyOpening, Wake};

    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("IMPLEMENTATION_CLASS_UID", kuva_core::implementation::CLASS_UID)?;
        module.add("IMPLEMENTATION_VERSION_NAME", kuva_core::implementation::VERSION_NAME)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

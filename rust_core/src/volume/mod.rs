//! Volumes: immutable TAR files with the instances of one study, each a BagIt bag (RFC 8493).
//!
//! The format is described in `docs/design/volume-format.md`. A volume is a pure function of its
//! plan and of what the journal keeps of the instances that the plan names.

mod assembly;
mod contents;
mod description;
mod error;
pub mod file_meta;
mod framing;
pub mod layout;
mod listed;
mod moment;
mod piece;
pub mod ranges;
mod reading;
mod scan;
mod source;
mod tar;

pub use assembly::{Assembled, Assembly, PIECE_LENGTH, Plan, name_of};
pub use contents::Contents;
pub use description::{Description, is_ulid};
pub use error::{AssemblyError, VolumeError};
pub use listed::{Listed, Ordinal};
pub use piece::Piece;
pub use scan::{Verification, VolumeContents, VolumeScan};
pub use source::{ReadStored, StoredPlace, StoredReader};

//! Volumes: immutable TAR files with the instances of one study, each a BagIt bag (RFC 8493).
//!
//! The format is described in `docs/design/volume-format.md`. A volume is a pure function of its
//! plan and of what the journal keeps of the instances that the plan names.

mod error;
pub mod file_meta;
pub mod layout;
pub mod ranges;

pub use error::VolumeError;

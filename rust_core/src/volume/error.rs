//! What can be wrong with a volume's bytes, or with a plan.

use std::fmt;

use super::assembly::name_of;
use crate::instance::ReceiveId;
use crate::journal::JournalError;

/// Why bytes are not the volume that they should be, or why there can be no such volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeError {
    /// What differs, without a value of any data set.
    pub what: Box<str>,
}

impl VolumeError {
    /// This differs.
    pub fn new(what: impl Into<Box<str>>) -> Self {
        Self { what: what.into() }
    }

    /// This is not what the format says.
    pub fn malformed(what: &str) -> Self {
        Self::new(format!("malformed {what}"))
    }

    /// The same, with where it was found in front.
    pub fn within(self, place: &str) -> Self {
        Self::new(format!("{place}: {}", self.what))
    }
}

impl fmt::Display for VolumeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)
    }
}

impl std::error::Error for VolumeError {}

/// Why a volume cannot be assembled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssemblyError {
    /// No volume can be made of this plan.
    Plan(VolumeError),
    /// The journal does not hold this instance.
    Absent(ReceiveId),
    /// This instance's bytes are no longer those of its closing record's digest.
    Changed(ReceiveId),
    /// The journal cannot give out this instance.
    Journal(ReceiveId, JournalError),
}

impl From<VolumeError> for AssemblyError {
    fn from(error: VolumeError) -> Self {
        Self::Plan(error)
    }
}

impl fmt::Display for AssemblyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan(error) => write!(formatter, "no such volume can be made: {error}"),
            Self::Absent(id) => write!(formatter, "{} is not in this journal", name_of(*id)),
            Self::Changed(id) => write!(formatter, "{} no longer matches its digest", name_of(*id)),
            Self::Journal(id, error) => write!(formatter, "{}: {error}", name_of(*id)),
        }
    }
}

impl std::error::Error for AssemblyError {}

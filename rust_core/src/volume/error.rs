//! What can be wrong with a volume's bytes, or with a plan.

use std::fmt;

/// Why bytes are not the volume that they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeError {
    /// What differs, in one sentence without a value of any data set.
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

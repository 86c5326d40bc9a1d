//! What can go wrong in the journal: whose fault it is, and whether trying again may help.

use std::{fmt, io, sync::Arc};

/// An error of the journal. Cheap to clone: one failure may answer many waiting instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalError {
    /// No room for new instances; try again when something was released (A700H).
    Full,
    /// The process may open no more files, so that no segment can be made; tried again each second
    /// (A700H).
    Descriptors,
    /// The journal stopped writing for good after a failed write or sync; reads are still served.
    ReadOnly(Arc<str>),
    /// The journal was shut down.
    Closed,
    /// Bytes that were known durable do not read back as written. The node must stop.
    Rot {
        /// Segment id.
        segment: u32,
        /// Byte offset within the segment.
        offset: u32,
        /// Generation that the segment holds, 0 if even that cannot be read.
        generation: u32,
        /// What was expected there.
        what: &'static str,
    },
    /// A segment that held records is missing, blank, or of an older day. The node must stop.
    Gone {
        /// Segment id.
        segment: u32,
        /// The generation that was durable in it.
        generation: u32,
        /// The generation that it holds instead, 0 for none.
        holds: u32,
        /// Its live records when it was last counted.
        live_records: u32,
    },
    /// The medium failed outside the write path (start, reads).
    Io(Arc<str>),
    /// The configuration cannot work, or contradicts what lies on the medium.
    Config(&'static str),
    /// The epoch was not raised above the highest found in the journal.
    Epoch {
        /// Highest epoch found.
        highest: u32,
    },
    /// Particulars, tail or extents that a closing record cannot say.
    Unrecordable(&'static str),
    /// It may not be discarded: it was answered 0000H, or it is another node's.
    NotDiscardable,
    /// It may not be forgotten: the catalogue does not know of it, or of another study's.
    NotForgettable(&'static str),
}

impl JournalError {
    /// Refused rather than misread.
    pub(crate) const NEWER: Self = Self::Config(
        "the journal was written by a newer release of this program: start that release, or a later one",
    );

    /// Translates a failure of the medium, naming what was attempted.
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        Self::Io(format!("{what}: {error}").into())
    }

    /// Why there is no segment to write on: nothing was promised on it, and it may be made later.
    pub(super) fn unmade(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(libc::EMFILE | libc::ENFILE) => Self::Descriptors,
            Some(libc::ENOSPC | libc::EDQUOT) => Self::Full,
            _ if error.kind() == io::ErrorKind::StorageFull => Self::Full,
            _ => Self::io("making a segment", error),
        }
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(f, "the journal is full"),
            Self::Descriptors => write!(f, "the journal is out of file descriptors"),
            Self::ReadOnly(why) => write!(f, "the journal is read-only: {why}"),
            Self::Closed => write!(f, "the journal was shut down"),
            Self::Rot { segment, offset, generation, what } => write!(
                f,
                "rot in segment {segment} (generation {generation}) at offset {offset}: {what}"
            ),
            Self::Gone { segment, generation, holds, live_records } => write!(
                f,
                "rot in segment {segment}: generation {generation} is gone, with {live_records} live \
                 records when it was last counted; the segment {}",
                match holds {
                    0 => "is missing or blank".to_owned(),
                    older => format!("holds the older generation {older}"),
                }
            ),
            Self::Io(what) => write!(f, "journal medium: {what}"),
            Self::Config(what) => write!(f, "journal configuration: {what}"),
            Self::Epoch { highest } => write!(f, "the epoch must be above {highest}"),
            Self::Unrecordable(what) => write!(f, "cannot be recorded: {what}"),
            Self::NotDiscardable => write!(f, "only quarantined instances can be discarded"),
            Self::NotForgettable(why) => write!(f, "it cannot be forgotten: {why}"),
        }
    }
}

impl std::error::Error for JournalError {}

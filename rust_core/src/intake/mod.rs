//! The way in: the row of stages between a presentation context and the journal.
//!
//! The event loop's thread frames PDUs ([`peer`]) and copies data set bytes once, into pooled
//! blocks ([`receiving`]). Digest workers hash and scan them in order ([`digest`]); the last one
//! judges the instance ([`verdict`]) by rules and duplicates table; the journal's committer makes
//! it durable; the answer leaves on the association's lane ([`lane`]). While the journal fills, [`pace`]
//! says who may read on. The event loop hears of
//! anything only through [`wake`], in batches; the catalogue learns through [`landing`].

pub mod admission;
mod beat;
pub mod budget;
pub mod buffer;
pub mod counters;
pub mod damage;
pub mod digest;
pub mod equivalence;
mod housekeeping;
pub mod landing;
pub mod lane;
pub mod node;
pub mod owed;
pub mod pace;
pub mod peer;
pub mod receiving;
pub mod verdict;
pub mod waiting;
pub mod wake;

pub use admission::Admission;
pub use budget::{Budget, Share};
pub use node::{Clock, Intake, IntakeSettings};
pub use peer::{Heard, Peer};

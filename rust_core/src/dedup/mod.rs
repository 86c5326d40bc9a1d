//! The duplicates table: what is already known of an instance that is being received.
//!
//! An instance's identity is (vault, SOP Instance UID) within its study; its content is (digest of
//! the data set, transfer syntax, SOP class). *Identical* is answered only against a verified
//! volume or this node's own journal: a copy in another node's journal counts as absent, because
//! that node may be dead and the resend may be the rescue. So does a copy that was found damaged: the
//! same content is kept again. *Conflicting* is judged against every copy known anywhere, also a
//! damaged one, for it was acknowledged. The same UID in another study is not seen here; the catalogue finds it.
//!
//! The table is pure: it has no clock (`now` is an argument), no threads (the caller holds a lock)
//! and no randomness.

mod known;
mod study;
mod table;

pub use known::{Known, KnownContent, Origin};
pub use study::{Judgement, Ticket};
pub use table::{DuplicatesLimits, DuplicatesTable, Forgotten, Opening, Settled};

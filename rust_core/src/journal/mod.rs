//! The journal: a node's write-ahead log of instances, in recycled, pre-written segments.

pub mod aligned;
pub mod block;
pub mod closing;
mod cursor;
pub mod discard;
pub mod error;
pub mod medium;
pub mod memory_medium;
pub mod record;

pub use block::{Block, BlockPool, FilledBlock};
pub use error::JournalError;

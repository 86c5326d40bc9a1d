//! The journal: a node's write-ahead log of instances, in recycled, pre-written segments.
//!
//! An instance is begun, its full blocks are appended, and it is closed; when its closing record is
//! durable, it MUST be found whole after any loss of the process or of power. Format and recovery
//! are described in `docs/design/journal-format.md`.

pub mod aligned;
pub mod block;
pub mod closing;
mod committer;
mod config;
mod copying;
mod cursor;
mod direct;
pub mod discard;
pub mod error;
pub mod file_medium;
mod index;
mod log;
pub mod medium;
pub mod memory_medium;
mod open;
mod overwriting;
mod preparer;
pub mod reader;
pub mod record;
mod recovery;
pub mod roster;
mod scan;
mod segments;
mod selection;
mod upload;
mod withdrawn;
mod writer;

pub use block::{Block, BlockPool, FilledBlock, Holder};
pub use config::JournalConfig;
pub use copying::Tended;
pub use error::JournalError;
pub use file_medium::FileMedium;
pub use medium::{Medium, MediumReport, WriteMode};
pub use memory_medium::{Faults, MemoryMedium};
pub use open::{Journal, JournalState, Upload};
pub use preparer::Nonces;
pub use reader::{Entries, InstanceReader, Kept};
pub use recovery::{Damaged, Recovery};
pub use segments::Room;
pub use selection::{Readings, Selection};
pub use upload::{Done, Tail};

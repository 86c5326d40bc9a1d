//! The association: PDUs, command sets, the engine and its state table.
#![allow(clippy::unwrap_used, missing_docs)]

mod command;
mod drawing;
mod engine;
mod limits;
mod pair;
mod pdu;
mod strategies;
mod support;
mod table;
mod violations;

//! The Python-free core of Kuvavaranto.
//!
//! Bytes of instances go from the socket through [`association`] (framing), [`dataset`] (strict
//! scan), [`rules`] (content rules) and [`dedup`] into the [`journal`]; [`intake`] is the row
//! of stages that joins them. Nothing here knows Python, a clock or a socket: time and randomness
//! are arguments, and the journal speaks to its disk through a trait.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod association;
pub mod command;
pub mod commitment;
pub mod dataset;
pub mod dedup;
pub mod implementation;
pub mod index;
pub mod instance;
pub mod intake;
pub mod journal;
pub mod limits;
pub mod part10;
pub mod pdu;
pub mod refusal;
pub mod rules;
pub mod transfer;
pub mod volume;

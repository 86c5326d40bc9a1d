//! Fuzzing of the core: one function a parser, the same for libFuzzer and for `cargo test`.
//!
//! A target is a plain function over bytes that panics when a promise is broken ([`targets`]).
//! libFuzzer calls it through `fuzz_targets/`; `tests/replay.rs` calls it with the corpus and with
//! a fixed, seeded number of mutations of it ([`mutation`]). Both meter memory ([`meter`]).

pub mod corpus;
pub mod meter;
pub mod mutation;
pub mod targets;

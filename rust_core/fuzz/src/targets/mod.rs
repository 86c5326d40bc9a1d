//! The targets: for each parser, what must hold whatever bytes it is given.

mod association;
mod closing_record;
mod command_set;
mod data_set;
mod difference;
mod index_block;
mod journal;
mod journal_image;
mod made;
mod part10;
mod pdu;
mod user_information;
mod volume;

use crate::meter::{Allowance, measured};

/// One parser under test.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: that of its corpus folder and of its libFuzzer binary.
    pub name: &'static str,
    /// Panics if a promise is broken.
    pub check: fn(&[u8]),
    /// Inputs made by our own encoders, from which mutation starts.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// What an input may cost in memory.
    pub allowance: Allowance,
    /// Mutations that `cargo test` tries.
    pub mutations: u32,
}

const fn allowance(fixed: usize, each_at_once: usize, each_in_all: usize) -> Allowance {
    Allowance { fixed, each_at_once, each_in_all }
}

/// All targets, by name.
#[rustfmt::skip]
pub const TARGETS: &[Target] = &[
    Target { name: "association", check: association::check, seeds: association::seeds, allowance: allowance(64 << 10, 64, 512), mutations: 40_000 },
    Target { name: "closing_record", check: closing_record::check, seeds: closing_record::seeds, allowance: allowance(16 << 10, 32, 64), mutations: 40_000 },
    Target { name: "command_set", check: command_set::check, seeds: command_set::seeds, allowance: allowance(16 << 10, 32, 128), mutations: 40_000 },
    Target { name: "data_set", check: data_set::check, seeds: data_set::seeds, allowance: allowance(1 << 20, 64, 256), mutations: 40_000 },
    Target { name: "difference", check: difference::check, seeds: difference::seeds, allowance: allowance(2 << 20, 256, 4096), mutations: 20_000 },
    Target { name: "index_block", check: index_block::check, seeds: index_block::seeds, allowance: allowance(2 << 20, 256, 1024), mutations: 8_000 },
    Target { name: "journal", check: journal::check, seeds: journal::seeds, allowance: allowance(32 << 20, 64, 4096), mutations: 2_000 },
    Target { name: "part10", check: part10::check, seeds: part10::seeds, allowance: allowance(16 << 10, 16, 16), mutations: 40_000 },
    Target { name: "pdu", check: pdu::check, seeds: pdu::seeds, allowance: allowance(16 << 10, 64, 256), mutations: 30_000 },
    Target { name: "user_information", check: user_information::check, seeds: user_information::seeds, allowance: allowance(16 << 10, 64, 256), mutations: 40_000 },
    Target { name: "volume", check: volume::check, seeds: volume::seeds, allowance: allowance(2 << 20, 64, 1024), mutations: 40_000 },
];

/// Runs a target and holds what it allocated against its allowance.
///
/// # Panics
/// If a promise is broken, or the name is no target's.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let target = target.unwrap_or_else(|| panic!("there is no target {name}"));
    let spent = measured(|| (target.check)(data));
    let (length, allowed) = (data.len(), target.allowance);
    assert!(
        allowed.covers(length, spent),
        "{name}: {length} bytes cost {spent:?}, not {allowed:?}"
    );
}

//! Every target over its corpus, and over a fixed number of mutations that a seed draws: the same
//! inputs on every machine, no clock.
#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use kuva_core::journal::memory_medium::Seeded;
use kuva_fuzz::corpus::{CORPUS, REGRESSIONS, inputs};
use kuva_fuzz::mutation::mutate;
use kuva_fuzz::targets::{TARGETS, Target, run};

/// Of every so many mutations one goes back among those that are mutated.
const KEPT_OF: u32 = 16;

/// One target at a time: the meter counts what every thread allocates.
static TURN: Mutex<()> = Mutex::new(());

fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap()
}

/// How often more than `cargo test` does: `make fuzz` raises it where there is no libFuzzer.
fn times() -> u32 {
    std::env::var("KUVA_FUZZ_TIMES").map_or(1, |times| times.parse().unwrap())
}

/// Everything that is kept for a target, and our own seeds.
fn known(target: &Target) -> Vec<(String, Vec<u8>)> {
    let seeds = (target.seeds)().into_iter().enumerate();
    let mut known: Vec<_> = seeds.map(|(i, seed)| (format!("seed {i}"), seed)).collect();
    known.extend(inputs(CORPUS, target.name).unwrap());
    known.extend(inputs(REGRESSIONS, target.name).unwrap());
    known
}

/// Runs one input; when it fails, leaves it where it can be kept as a regression.
fn attempt(name: &str, origin: &str, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(name, input))) {
        let path = std::env::temp_dir().join(format!("kuva-fuzz-{name}"));
        std::fs::write(&path, input).unwrap();
        eprintln!("{name} fails on {origin}; the input is kept in {}", path.display());
        std::panic::resume_unwind(panic);
    }
}

fn replay(name: &str) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let target = target(name);
    let known = known(target);
    known.iter().for_each(|(origin, input)| attempt(name, origin, input));
    let mut pool: Vec<Vec<u8>> = known.into_iter().map(|(_, input)| input).collect();
    let mut seeded = Seeded(0x6b75_7661);
    for number in 0..target.mutations * times() {
        let one = seeded.below(pool.len() as u64) as usize;
        let other = seeded.below(pool.len() as u64) as usize;
        let input = mutate(&mut seeded, &pool[one], &pool[other]);
        attempt(name, &format!("mutation {number}"), &input);
        if number % KEPT_OF == 0 && pool.len() < 4096 {
            pool.push(input);
        }
    }
}

macro_rules! replays {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn every_target_is_replayed_and_has_a_door_for_libfuzzer() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
            let manifest = include_str!("../Cargo.toml");
            let doors: Vec<&str> = manifest.lines().filter(|line| line.starts_with("path = ")).collect();
            let expected: Vec<String> =
                names.iter().map(|name| format!("path = \"fuzz_targets/{name}.rs\"")).collect();
            assert_eq!(doors, expected);
        }
    };
}

replays!(
    association,
    closing_record,
    command_set,
    data_set,
    difference,
    index_block,
    journal,
    part10,
    pdu,
    user_information,
    volume
);

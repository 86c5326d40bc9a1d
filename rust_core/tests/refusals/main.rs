//! The catalogue of refusals: each entry is provoked by a real input, and says what it should.
#![allow(clippy::unwrap_used, missing_docs)]

mod content;
mod data_set;
mod protocol;
mod storage;
mod words;

#[allow(dead_code)]
#[path = "../data_set/made.rs"]
mod made;
#[allow(dead_code)]
#[path = "../intake/rig.rs"]
mod rig;
#[allow(dead_code)]
#[path = "../association/support.rs"]
mod support;

use std::collections::BTreeSet;

use kuva_core::refusal::{Family, catalogue};

/// A code, and what provokes it; it returns the code that came out.
type Provocation = (&'static str, fn() -> &'static str);

fn provocations() -> impl Iterator<Item = &'static Provocation> {
    let tables = [
        data_set::PROVOCATIONS,
        content::PROVOCATIONS,
        storage::PROVOCATIONS,
        protocol::PROVOCATIONS,
    ];
    tables.into_iter().flatten()
}

/// What the gateway refuses, not the core: `tests/integration/test_refusals.py` provokes these.
fn made_by_the_gateway(code: &str) -> bool {
    let entry = catalogue::find(code).unwrap();
    let families = [Family::Service, Family::Rejection, Family::Ending];
    families.contains(&entry.family) || code == "operation-unrecognised"
}

#[test]
fn each_provocation_is_refused_by_its_code() {
    let outcomes = provocations().map(|(code, provoke)| (*code, provoke()));
    let wrong: Vec<_> = outcomes.filter(|(code, got)| code != got).collect();
    assert!(wrong.is_empty(), "(expected, got): {wrong:?}");
}

#[test]
fn every_entry_of_the_core_is_provoked() {
    let catalogue = catalogue::entries().iter().map(|entry| entry.code);
    let ours: BTreeSet<_> = catalogue.filter(|code| !made_by_the_gateway(code)).collect();
    let provoked: BTreeSet<_> = provocations().map(|(code, _)| *code).collect();
    let missing: Vec<_> = ours.difference(&provoked).collect();
    let unknown: Vec<_> = provoked.difference(&ours).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing {missing:?}, unknown {unknown:?}");
}

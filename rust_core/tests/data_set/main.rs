//! The data set from outside: scan, rules and difference over data sets made for the purpose.
#![allow(clippy::unwrap_used)]

mod deflated;
mod difference;
mod made;
mod rules;
mod scan;

//! `kuva-load`: stores made instances in any archive, as fast as it takes them, and records every answer.
//!
//! One JSON line in: the plan. One out, `standing`: all associations are established and everything
//! is prepared. One (any) line in starts the clock; the report comes out when the last response has
//! arrived. The associations are released, and the program ends, when standard input is closed, so
//! that whoever measures can read its CPU time in between.

mod peer;
mod plan;
mod report;
mod run;
mod wire;

use std::io::Write;
use std::process::ExitCode;

use crate::plan::Plan;
use crate::run::Standing;

/// Why there is no load, in words for people.
type Trouble = String;

fn main() -> ExitCode {
    match load() {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("kuva-load: {trouble}");
            ExitCode::FAILURE
        }
    }
}

fn load() -> Result<(), Trouble> {
    let mut lines = std::io::stdin().lines();
    let mut next = || lines.next().transpose().map_err(|error| format!("standard input: {error}"));
    let plan = next()?.ok_or("the plan is missing: one JSON line on standard input")?;
    let plan: Plan = serde_json::from_str(&plan).map_err(|error| format!("plan: {error}"))?;
    let standing = Standing::establish(&plan)?;
    say(&standing.says())?;
    next()?.ok_or("standard input was closed before the start")?;
    let (finished, report) = standing.run();
    say(&report)?;
    while next()?.is_some() {}
    finished.into_iter().for_each(peer::Peer::release);
    Ok(())
}

fn say(what: &impl serde::Serialize) -> Result<(), Trouble> {
    let line = serde_json::to_string(what).map_err(|error| error.to_string())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| error.to_string())
}

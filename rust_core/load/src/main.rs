//! `kuva-load`: stores made instances in any archive, as fast as it takes them, and records every answer.
//!
//! One JSON line in: the plan. One out, `standing`: all associations are established and everything
//! is prepared. One (any) line in starts the clock; the report comes out when the last response, and
//! the last report on what was to be committed, has arrived. Another line in before that lets no
//! further instance begin. The associations are released, and the program ends, when standard input
//! is closed, so that whoever measures can read its CPU time in between.

mod commitment;
mod ledger;
mod listener;
mod peer;
mod plan;
mod report;
mod run;
mod wire;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};

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
    let stop = Arc::new(AtomicBool::new(false));
    let lines = lines(&stop);
    let plan = lines.recv().map_err(|_| "the plan is missing: one JSON line on standard input")?;
    let plan: Plan = serde_json::from_str(&plan).map_err(|error| format!("plan: {error}"))?;
    let standing = Standing::establish(&plan)?;
    say(&standing.says())?;
    lines.recv().map_err(|_| "standard input was closed before the start")?;
    let (finished, report) = standing.run(&stop);
    say(&report)?;
    while lines.recv().is_ok() {}
    finished.into_iter().for_each(peer::Peer::release);
    Ok(())
}

/// Standard input. Whatever comes after the plan and the start, its end too, stops the load.
fn lines(stop: &Arc<AtomicBool>) -> Receiver<String> {
    let (sender, lines) = channel();
    let stop = Arc::clone(stop);
    std::thread::spawn(move || {
        for (number, line) in std::io::stdin().lines().map_while(Result::ok).enumerate() {
            stop.fetch_or(number >= 2, Ordering::Relaxed);
            if sender.send(line).is_err() {
                return;
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    lines
}

fn say(what: &impl serde::Serialize) -> Result<(), Trouble> {
    let line = serde_json::to_string(what).map_err(|error| error.to_string())?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|error| error.to_string())
}

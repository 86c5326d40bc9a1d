//! The state diagram and table in the design document are those of the code.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use kuva_core::association::table::{Action, EVENTS, STATES, action};

const BEGIN: &str = "<!-- made from the table: begin -->\n";
const END: &str = "<!-- made from the table: end -->\n";

/// One arrow for each pair of states, with the events that lead that way. What ends in Sta13 or
/// Sta1 from nearly everywhere (aborts, a lost transport) is left to the table, or nothing could be
/// seen.
fn diagram() -> String {
    let mut arrows: BTreeMap<(u8, u8), Vec<String>> = BTreeMap::new();
    for state in STATES {
        for event in EVENTS {
            let Some(action) = action(event, state).filter(|action| *action < Action::Aa1) else {
                continue;
            };
            let mut label = format!("{} ({})", event.words(), action.name());
            for requestor in [true, false] {
                let next = action.next(requestor);
                if action == Action::Ar8 {
                    let side = if requestor { "requestor" } else { "acceptor" };
                    label = format!("{} ({}, {side})", event.words(), action.name());
                }
                let labels = arrows.entry((state as u8, next as u8)).or_default();
                if !labels.contains(&label) {
                    labels.push(label.clone());
                }
            }
        }
    }
    let mut out = String::from("```mermaid\nstateDiagram-v2\n");
    for state in STATES {
        writeln!(out, "    Sta{0}: Sta{0} {1}", state as u8, plain(state.words())).unwrap();
    }
    for ((from, to), labels) in arrows {
        writeln!(out, "    Sta{from} --> Sta{to}: {}", plain(&labels.join(" / "))).unwrap();
    }
    out + "```\n"
}

/// Without the colons and commas that the diagram language takes for its own.
fn plain(words: &str) -> String {
    words.replace(": ", " - ")
}

fn table() -> String {
    let mut out = String::from("| event |");
    STATES.iter().for_each(|state| write!(out, " {} |", *state as u8).unwrap());
    out.push_str("\n|---|");
    STATES.iter().for_each(|_| out.push_str("---|"));
    out.push('\n');
    for event in EVENTS {
        write!(out, "| {} {} |", event as u8, event.words()).unwrap();
        for state in STATES {
            write!(out, " {} |", action(event, state).map_or("", Action::name)).unwrap();
        }
        out.push('\n');
    }
    out
}

#[test]
fn the_design_document_shows_the_table_that_the_engine_runs_on() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("../docs/design/association.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    let made = format!("\n{}\n{}\n", diagram(), table());
    if std::env::var_os("KUVA_REMAKE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
    } else {
        assert_eq!(shown, made, "remake with KUVA_REMAKE_DOCS=1 cargo test -p kuva-core drawing");
    }
}

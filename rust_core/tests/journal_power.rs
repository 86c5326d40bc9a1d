//! Power cuts on the disk in memory: what was answered is there, everything else whole or absent.
#![allow(clippy::unwrap_used)]

mod journal_support;

use std::sync::atomic::{AtomicU64, Ordering};

use journal_support::*;
use kuva_core::journal::memory_medium::Seeded;
use kuva_core::journal::record::BLOCK_PAYLOAD_LENGTH;
use kuva_core::journal::{
    Faults, Journal, JournalError, Medium, MemoryMedium, Recovery, WriteMode,
};

const BLOCK: usize = BLOCK_PAYLOAD_LENGTH;

fn length(seeded: &mut Seeded) -> usize {
    match seeded.below(8) {
        0 => 0,
        1 => BLOCK,
        2 => 2 * BLOCK,
        3 => 1 + seeded.below(5 * BLOCK as u64) as usize,
        _ => 1 + seeded.below(20_000) as usize,
    }
}

/// Three senders until the power is gone (or each has sent a good number).
fn load(journal: &Journal, ledger: &Ledger, numbers: &AtomicU64, seed: u64) {
    std::thread::scope(|scope| {
        for sender in 0..3 {
            scope.spawn(move || {
                let mut seeded = Seeded(seed ^ sender << 40);
                for _ in 0..12 {
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    let length = length(&mut seeded);
                    match keep(journal, number, length) {
                        Ok(id) => ledger.enter(id, number, length),
                        // `Io`: the cut came while a segment was being made.
                        Err(
                            JournalError::ReadOnly(_) | JournalError::Full | JournalError::Io(_),
                        ) => return,
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
}

struct Run {
    cuts: u32,
    torn: u64,
    /// Blank segments that stopped the node.
    stopped: u32,
}

/// Restart after restart on one disk, each cut short at a random operation.
fn run(mode: WriteMode, seed: u64, restarts: u32, lies: bool) -> Result<Run, String> {
    let mut seeded = Seeded(seed);
    let (ledger, numbers) = (Ledger::default(), AtomicU64::new(0));
    let mut medium = MemoryMedium::new(mode, Faults::default());
    let mut run = Run { cuts: 0, torn: 0, stopped: 0 };
    for epoch in 1..=restarts {
        let cut = 1 + seeded.below(90);
        let faults = Faults { power_cut: Some(cut), ignores_sync: lies, ..Faults::default() };
        medium.set_faults(faults);
        match open(&medium, epoch) {
            Ok((journal, recovery)) => {
                run.torn += recovery.torn_bytes;
                load(&journal, &ledger, &numbers, seed ^ u64::from(epoch) << 20);
            }
            // The cut came while recovery was marking torn regions.
            Err(JournalError::Io(_) | JournalError::ReadOnly(_)) => {}
            Err(error) => return Err(format!("seed {seed} epoch {epoch}: {error}")),
        }
        run.cuts += 1;
        medium = medium.after_power_cut(seeded.draw());
        check(&medium, epoch, &ledger)
            .map_err(|lost| format!("seed {seed} epoch {epoch}: {lost}"))?;
        let blank = check_blank(&medium, epoch, &ledger, seeded.draw());
        run.stopped += u32::from(blank.map_err(|lost| format!("seed {seed} {epoch}: {lost}"))?);
        medium = medium.after_power_cut(seeded.draw());
    }
    Ok(run)
}

/// Looks at a copy, so that looking does not tidy the disk up for the next start.
fn check(medium: &MemoryMedium, epoch: u32, ledger: &Ledger) -> Result<Recovery, String> {
    let copy = medium.copy();
    let (journal, recovery) = open(&copy, epoch + 1000).map_err(|error| error.to_string())?;
    if !recovery.damaged.is_empty() {
        return Err(format!("incidents on an honest disk: {:?}", recovery.damaged));
    }
    ledger.check(&journal, &recovery)?;
    Ok(recovery)
}

/// A segment that went blank either held nothing that was answered, or stops the node.
fn check_blank(
    medium: &MemoryMedium,
    epoch: u32,
    ledger: &Ledger,
    draw: u64,
) -> Result<bool, String> {
    let copy = medium.copy();
    let segments = copy.segments().map_err(|error| error.to_string())?;
    let Some((segment, length)) = segments.get(draw as usize % segments.len().max(1)) else {
        return Ok(false);
    };
    copy.plant(*segment, 0, &vec![0; *length as usize]);
    match open(&copy, epoch + 1000) {
        Ok((journal, recovery)) => ledger
            .check(&journal, &recovery)
            .map(|()| false)
            .map_err(|lost| format!("blank segment {segment} went unnoticed: {lost}")),
        Err(JournalError::Gone { .. } | JournalError::Rot { .. }) => Ok(true),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn what_was_answered_survives_every_power_cut_in_direct_mode() {
    let runs: Vec<Run> =
        (0..12).map(|seed| run(WriteMode::Direct, seed, 8, false).unwrap()).collect();
    assert!(runs.iter().map(|run| run.cuts).sum::<u32>() >= 90);
    assert!(runs.iter().any(|run| run.torn > 0), "nothing was ever torn: no test");
    assert!(runs.iter().any(|run| run.stopped > 0), "no blank segment ever mattered: no test");
}

#[test]
fn what_was_answered_survives_every_power_cut_in_buffered_mode() {
    for seed in 100..112 {
        run(WriteMode::Buffered, seed, 8, false).unwrap();
    }
}

#[test]
fn a_medium_that_ignores_sync_is_noticed_by_these_tests() {
    let lost = |mode| (0..6).filter(|seed| run(mode, 200 + seed, 4, true).is_err()).count();
    assert!(lost(WriteMode::Direct) > 0);
    assert!(lost(WriteMode::Buffered) > 0);
}

#[test]
fn generations_go_stale_and_are_never_taken_for_new_ones() {
    // Quarantined instances come and go until every segment was used several times.
    let medium = MemoryMedium::new(WriteMode::Direct, Faults::default());
    let (ledger, mut medium) = (Ledger::default(), medium);
    let mut generations = 0;
    for epoch in 1..=4 {
        let (journal, _) = open(&medium, epoch).unwrap();
        for number in 0..40 {
            let number = u64::from(epoch) * 1000 + number;
            let id = quarantine(&journal, number, 4 * BLOCK + 100);
            journal.discard(&[id], "test").unwrap();
            if number % 1000 == 20 {
                let length = BLOCK + number as usize;
                ledger.enter(keep(&journal, number + 500, length).unwrap(), number + 500, length);
            }
        }
        medium.cut_power();
        medium = medium.after_power_cut(u64::from(epoch));
        let recovery = check(&medium, epoch, &ledger).unwrap();
        assert_eq!(recovery.instances.len(), epoch as usize);
        generations = recovery.generation_highest;
    }
    assert!(generations > 3 * 16, "segments were hardly reused: {generations}");
}

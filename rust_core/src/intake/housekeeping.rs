//! Housekeeping: the two threads that look after the journal's room while instances come in.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::counters::count;
use super::node::{Clock, Intake};
use super::wake::Damage;
use crate::instance::{Particulars, ReceiveId, StudyKey, Uid};

/// Between two looks at the room while reading is held back.
const LOOK_SOON: Duration = Duration::from_millis(50);
/// And while nobody does.
const LOOK_LATER: Duration = Duration::from_secs(1);
/// Between two rounds of copying forward and overwriting.
const TEND: Duration = Duration::from_secs(1);

impl Intake {
    /// Starts both; they hold the intake until it is stopped. `clock` never goes back.
    ///
    /// # Errors
    /// If a thread cannot be had.
    pub fn keep_house(self: &Arc<Self>, clock: Arc<Clock>) -> io::Result<()> {
        let (intake, time) = (Arc::clone(self), Arc::clone(&clock));
        let looking = move || {
            while intake.pacing.rest(intake.look(time())) {}
        };
        self.pacing.keep(std::thread::Builder::new().name("kuva-pace".into()).spawn(looking)?);
        let intake = Arc::clone(self);
        let tending = move || {
            while intake.tending.rest(TEND) {
                intake.tend(clock());
            }
        };
        self.tending.keep(std::thread::Builder::new().name("kuva-tend".into()).spawn(tending)?);
        Ok(())
    }

    /// Looks at the room, and lets those read on whose turn it is; how long until the next look.
    pub fn look(&self, now: i64) -> Duration {
        let room = self.journal.room();
        let spent = self.counters.journal_copied_bytes.load(std::sync::atomic::Ordering::Relaxed);
        self.pace.look(now, &room, room.freed_bytes as i64 - spent as i64);
        if self.pace.paced().rate.is_some() { LOOK_SOON } else { LOOK_LATER }
    }

    /// One round in the journal's house. Blocking.
    pub fn tend(&self, now: i64) {
        let tended = self.journal.tend(now);
        count(&self.counters.journal_copied_instances, tended.copied_instances);
        count(&self.counters.journal_copied_bytes, tended.copied_bytes);
        count(&self.counters.journal_overwritten_bytes, tended.overwritten_bytes);
        for (receive_id, error) in tended.damaged {
            self.damaged(receive_id);
            let damage = Damage { receive_id, of: self.named(receive_id), why: error.to_string() };
            self.wake.push(|pile| pile.damaged.push(damage));
        }
    }

    /// What an instance is, if its closing record can be read.
    fn named(&self, id: ReceiveId) -> Option<(StudyKey, Uid)> {
        let kept = self.journal.instance(id).ok().flatten()?;
        let Particulars { vault, identity, .. } = &kept.particulars;
        let key = StudyKey { vault: *vault, study: Arc::clone(&identity.study) };
        Some((key, Arc::clone(&identity.sop_instance)))
    }
}

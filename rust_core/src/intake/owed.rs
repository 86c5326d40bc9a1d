//! What is owed for an instance under way in the duplicates table: its outcome, and its answer.
//!
//! Twins wait for that outcome. Whoever drops it unsettled (a panic is how that happens) has a
//! digest worker settle it as failed, so that a defect costs one instance and never those behind it.

use std::sync::{Arc, Weak};

use super::node::Intake;
use super::receiving::Inbound;
use crate::dedup::Ticket;

/// A ticket that must be settled; see the module.
pub struct Owed {
    intake: Weak<Intake>,
    ticket: Option<Ticket>,
    inbound: Arc<Inbound>,
}

impl Owed {
    /// The outcome of `ticket` is owed to the table, and its answer to the sender of `inbound`.
    pub fn new(intake: &Arc<Intake>, ticket: Ticket, inbound: Arc<Inbound>) -> Self {
        Self { intake: Arc::downgrade(intake), ticket: Some(ticket), inbound }
    }

    /// The instance.
    pub fn inbound(&self) -> &Arc<Inbound> {
        &self.inbound
    }

    /// The ticket, for whoever settles it now: nothing is owed any more.
    pub fn take(&mut self) -> Option<Ticket> {
        self.ticket.take()
    }
}

impl Drop for Owed {
    /// Only handed over here: the table may be locked, or this thread unwinding.
    fn drop(&mut self) {
        if let (Some(ticket), Some(intake)) = (self.ticket.take(), self.intake.upgrade()) {
            intake.digest.settle_lost(ticket, Arc::clone(&self.inbound));
        }
    }
}

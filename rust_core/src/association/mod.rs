//! The association: the upper layer protocol of PS3.8 as an engine without I/O, clock or thread.
//!
//! Bytes go in by [`Association::next`] and come out as [`Event`]s; what is to be sent comes out of
//! the methods named after the standard's primitives. Every step goes through the state table of
//! PS3.8 ([`table`]). However the bytes are cut, the events are the same.

mod engine;
mod error;
mod framing;
mod message;
mod negotiated;
mod outgoing;
mod primitives;
pub mod table;

pub use engine::{Association, Closed, Event, TimerWanted};
pub use error::{Failure, LocalError};
pub use negotiated::{AcceptedContext, pdu_length_max_to_peer};
pub use outgoing::Outgoing;
pub use table::State;

use crate::limits::{PDU_LENGTH_MAX_OURS, PDU_LENGTH_MAX_PEER_LEAST};

/// What one association may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssociationLimits {
    /// Longest P-DATA-TF body that we take and announce, bytes. Brought into
    /// `PDU_LENGTH_MAX_PEER_LEAST..=PDU_LENGTH_MAX_OURS`: there is no "unlimited" for us.
    pub pdu_length_max_ours: u32,
}

impl Default for AssociationLimits {
    fn default() -> Self {
        Self { pdu_length_max_ours: PDU_LENGTH_MAX_OURS }
    }
}

impl AssociationLimits {
    fn bounded(self) -> Self {
        let length = self.pdu_length_max_ours;
        Self { pdu_length_max_ours: length.clamp(PDU_LENGTH_MAX_PEER_LEAST, PDU_LENGTH_MAX_OURS) }
    }
}

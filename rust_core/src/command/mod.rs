//! Command sets: what a DIMSE message asks or answers (PS3.7 section 6.3 and Annex E).
//!
//! [`CommandSet`] is the strict form on the wire, [`Command`] what it means, [`build`] makes the
//! ones that we send.

pub mod build;
mod error;
mod message;
mod set;
pub mod tag;

pub use error::{CommandError, CommandErrorKind};
pub use message::{Command, CommandFault, MoveOriginator, Priority, SubOperations};
pub use set::{CommandSet, CommandSetBuilder};

/// Command Data Set Type that announces no data set (PS3.7 E.1); every other value announces one.
pub const NO_DATA_SET: u16 = 0x0101;
/// Command Data Set Type that we send to announce a data set.
pub const DATA_SET: u16 = 0x0001;

/// Command Field values (PS3.7 Table E.1-1).
pub mod field {
    /// C-STORE-RQ.
    pub const C_STORE_RQ: u16 = 0x0001;
    /// C-STORE-RSP.
    pub const C_STORE_RSP: u16 = 0x8001;
    /// C-GET-RQ.
    pub const C_GET_RQ: u16 = 0x0010;
    /// C-GET-RSP.
    pub const C_GET_RSP: u16 = 0x8010;
    /// C-ECHO-RQ.
    pub const C_ECHO_RQ: u16 = 0x0030;
    /// C-ECHO-RSP.
    pub const C_ECHO_RSP: u16 = 0x8030;
    /// N-EVENT-REPORT-RQ.
    pub const N_EVENT_REPORT_RQ: u16 = 0x0100;
    /// N-EVENT-REPORT-RSP.
    pub const N_EVENT_REPORT_RSP: u16 = 0x8100;
    /// N-ACTION-RQ.
    pub const N_ACTION_RQ: u16 = 0x0130;
    /// N-ACTION-RSP.
    pub const N_ACTION_RSP: u16 = 0x8130;
    /// C-CANCEL-RQ.
    pub const C_CANCEL_RQ: u16 = 0x0FFF;
    /// Bit that makes a response of a request.
    pub const RESPONSE: u16 = 0x8000;
}

/// General statuses (PS3.7 Annex C) that command sets themselves give rise to.
pub mod status {
    /// Missing attribute (0120H).
    pub const MISSING_ATTRIBUTE: u16 = 0x0120;
    /// Invalid argument value (0115H).
    pub const INVALID_ARGUMENT: u16 = 0x0115;
    /// Unrecognized operation (0211H).
    pub const UNRECOGNIZED_OPERATION: u16 = 0x0211;
    /// Mistyped argument (0212H).
    pub const MISTYPED_ARGUMENT: u16 = 0x0212;
}

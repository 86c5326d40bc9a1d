//! The state table of the upper layer protocol, as data (PS3.8 9.2, Tables 9-6 to 9-10).
//!
//! One row an event, one column a state, exactly as the standard prints it. The engine takes every
//! step through [`action`]; `docs/design/association.md` is drawn from it.

/// States (PS3.8 Tables 9-1 to 9-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum State {
    /// Idle: no transport connection.
    Sta1 = 1,
    /// Transport connection open, awaiting A-ASSOCIATE-RQ.
    Sta2,
    /// Awaiting the local A-ASSOCIATE response.
    Sta3,
    /// Awaiting transport connection to open.
    Sta4,
    /// Awaiting A-ASSOCIATE-AC or -RJ.
    Sta5,
    /// Association established, ready for data transfer.
    Sta6,
    /// Awaiting A-RELEASE-RP.
    Sta7,
    /// Awaiting the local A-RELEASE response.
    Sta8,
    /// Release collision, requestor: awaiting the local A-RELEASE response.
    Sta9,
    /// Release collision, acceptor: awaiting A-RELEASE-RP.
    Sta10,
    /// Release collision, requestor: awaiting A-RELEASE-RP.
    Sta11,
    /// Release collision, acceptor: awaiting the local A-RELEASE response.
    Sta12,
    /// Awaiting the transport connection to close: the association exists no more.
    Sta13,
}

/// Events (PS3.8 Table 9-10, first column).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // `words` says what each is.
pub enum TableEvent {
    Evt1 = 1,
    Evt2,
    Evt3,
    Evt4,
    Evt5,
    Evt6,
    Evt7,
    Evt8,
    Evt9,
    Evt10,
    Evt11,
    Evt12,
    Evt13,
    Evt14,
    Evt15,
    Evt16,
    Evt17,
    Evt18,
    Evt19,
}

/// Actions (PS3.8 Tables 9-6 to 9-9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // `words` says what each does.
pub enum Action {
    Ae1,
    Ae2,
    Ae3,
    Ae4,
    Ae5,
    Ae6,
    Ae7,
    Ae8,
    Dt1,
    Dt2,
    Ar1,
    Ar2,
    Ar3,
    Ar4,
    Ar5,
    Ar6,
    Ar7,
    Ar8,
    Ar9,
    Ar10,
    Aa1,
    Aa2,
    Aa3,
    Aa4,
    Aa5,
    Aa6,
    Aa7,
    Aa8,
}

use Action::*;
use State::*;
use TableEvent::*;

/// All states, in the order of the table's columns.
pub const STATES: [State; 13] =
    [Sta1, Sta2, Sta3, Sta4, Sta5, Sta6, Sta7, Sta8, Sta9, Sta10, Sta11, Sta12, Sta13];

/// All events, in the order of the table's rows.
pub const EVENTS: [TableEvent; 19] = [
    Evt1, Evt2, Evt3, Evt4, Evt5, Evt6, Evt7, Evt8, Evt9, Evt10, Evt11, Evt12, Evt13, Evt14, Evt15,
    Evt16, Evt17, Evt18, Evt19,
];

/// A cell that the standard leaves blank: the event cannot happen, or may not be caused.
const NONE: Option<Action> = None;

const fn a(action: Action) -> Option<Action> {
    Some(action)
}

/// PS3.8 Table 9-10. Columns: Sta1 to Sta13.
#[rustfmt::skip]
pub const TABLE: [[Option<Action>; 13]; 19] = [
    // Sta1      2        3        4        5        6        7        8        9        10        11       12       13
    /* Evt1  */ [a(Ae1), NONE,    NONE,    NONE,    NONE,    NONE,    NONE,    NONE,    NONE,    NONE,     NONE,    NONE,    NONE],
    /* Evt2  */ [NONE,   NONE,    NONE,    a(Ae2),  NONE,    NONE,    NONE,    NONE,    NONE,    NONE,     NONE,    NONE,    NONE],
    /* Evt3  */ [NONE,   a(Aa1),  a(Aa8),  NONE,    a(Ae3),  a(Aa8),  a(Aa8),  a(Aa8),  a(Aa8),  a(Aa8),   a(Aa8),  a(Aa8),  a(Aa6)],
    /* Evt4  */ [NONE,   a(Aa1),  a(Aa8),  NONE,    a(Ae4),  a(Aa8),  a(Aa8),  a(Aa8),  a(Aa8),  a(Aa8),   a(Aa8),  a(Aa8),  a(Aa6)],
    /* Evt5  */ [a(Ae5), NONE,    NONE,    NONE,    NONE,    NONE,    NONE,    NONE,    NONE,    NONE,     NONE,    NONE,    NONE],
    /* Evt6  */ [NONE,   a(Ae6),  a(Aa8),  NONE,    a(Aa8),  a(Aa8),  a(Aa8),  a(Aa8),  a(Aa8),  a(Aa8),   a(Aa8),  a(Aa8),  a(Aa7)],
    /* Evt7  */ [NONE,   NONE,    a(Ae7),  NONE,    NONE,    NONE,    NONE,    NONE,    NONE,    NONE,     NONE,    NONE,    NONE],
    /* Evt8  */ [NONE,   NONE,    a(Ae8),  NONE,    NONE,    NONE,    NONE,    NONE,    NONE,    NONE,     NONE,    NONE,    NONE],
    /* Evt9  */ [NONE,   NONE,    NONE,    NONE,    NONE,    a(Dt1),  NONE,    a(Ar7),  NONE,    NONE,     NONE,    NONE,    NONE],
    /* Evt10 */ [NONE,   a(Aa1),  a(Aa8),  NONE,    a(Aa8),  a(Dt2),  a(Ar6),  a(Aa8),  a(Aa8),  a(Aa8),   a(Aa8),  a(Aa8),  a(Aa6)],
    /* Evt11 */ [NONE,   NONE,    NONE,    NONE,    NONE,    a(Ar1),  NONE,    NONE,    NONE,    NONE,     NONE,    NONE,    NONE],
    /* Evt12 */ [NONE,   a(Aa1),  a(Aa8),  NONE,    a(Aa8),  a(Ar2),  a(Ar8),  a(Aa8),  a(Aa8),  a(Aa8),   a(Aa8),  a(Aa8),  a(Aa6)],
    /* Evt13 */ [NONE,   a(Aa1),  a(Aa8),  NONE,    a(Aa8),  a(Aa8),  a(Ar3),  a(Aa8),  a(Aa8),  a(Ar10),  a(Ar3),  a(Aa8),  a(Aa6)],
    /* Evt14 */ [NONE,   NONE,    NONE,    NONE,    NONE,    NONE,    NONE,    a(Ar4),  a(Ar9),  NONE,     NONE,    a(Ar4),  NONE],
    /* Evt15 */ [NONE,   NONE,    a(Aa1),  a(Aa2),  a(Aa1),  a(Aa1),  a(Aa1),  a(Aa1),  a(Aa1),  a(Aa1),   a(Aa1),  a(Aa1),  NONE],
    /* Evt16 */ [NONE,   a(Aa2),  a(Aa3),  NONE,    a(Aa3),  a(Aa3),  a(Aa3),  a(Aa3),  a(Aa3),  a(Aa3),   a(Aa3),  a(Aa3),  a(Aa2)],
    /* Evt17 */ [NONE,   a(Aa5),  a(Aa4),  a(Aa4),  a(Aa4),  a(Aa4),  a(Aa4),  a(Aa4),  a(Aa4),  a(Aa4),   a(Aa4),  a(Aa4),  a(Ar5)],
    /* Evt18 */ [NONE,   a(Aa2),  NONE,    NONE,    NONE,    NONE,    NONE,    NONE,    NONE,    NONE,     NONE,    NONE,    a(Aa2)],
    /* Evt19 */ [NONE,   a(Aa1),  a(Aa8),  NONE,    a(Aa8),  a(Aa8),  a(Aa8),  a(Aa8),  a(Aa8),  a(Aa8),   a(Aa8),  a(Aa8),  a(Aa7)],
];

/// The action of a cell; `None` where the standard leaves it blank.
pub const fn action(event: TableEvent, state: State) -> Option<Action> {
    TABLE[event as usize - 1][state as usize - 1]
}

impl Action {
    /// The state after the action, for the side that requested the association or for the other.
    ///
    /// AE-6 may also lead to Sta13; here the request is always shown to the local user, who
    /// rejects it from Sta3, so it does not.
    pub const fn next(self, requestor: bool) -> State {
        match self {
            Ae1 => Sta4,
            Ae2 => Sta5,
            Ae5 => Sta2,
            Ae6 => Sta3,
            Ae3 | Ae7 | Dt1 | Dt2 => Sta6,
            Ar1 | Ar6 => Sta7,
            Ar2 | Ar7 => Sta8,
            Ar8 if requestor => Sta9,
            Ar8 => Sta10,
            Ar9 => Sta11,
            Ar10 => Sta12,
            Ae8 | Ar4 | Aa1 | Aa6 | Aa7 | Aa8 => Sta13,
            Ae4 | Ar3 | Ar5 | Aa2 | Aa3 | Aa4 | Aa5 => Sta1,
        }
    }

    /// The action's name in the standard.
    pub const fn name(self) -> &'static str {
        match self {
            Ae1 => "AE-1",
            Ae2 => "AE-2",
            Ae3 => "AE-3",
            Ae4 => "AE-4",
            Ae5 => "AE-5",
            Ae6 => "AE-6",
            Ae7 => "AE-7",
            Ae8 => "AE-8",
            Dt1 => "DT-1",
            Dt2 => "DT-2",
            Ar1 => "AR-1",
            Ar2 => "AR-2",
            Ar3 => "AR-3",
            Ar4 => "AR-4",
            Ar5 => "AR-5",
            Ar6 => "AR-6",
            Ar7 => "AR-7",
            Ar8 => "AR-8",
            Ar9 => "AR-9",
            Ar10 => "AR-10",
            Aa1 => "AA-1",
            Aa2 => "AA-2",
            Aa3 => "AA-3",
            Aa4 => "AA-4",
            Aa5 => "AA-5",
            Aa6 => "AA-6",
            Aa7 => "AA-7",
            Aa8 => "AA-8",
        }
    }
}

impl State {
    /// The state in a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Sta1 => "idle",
            Sta2 => "transport open, awaiting A-ASSOCIATE-RQ",
            Sta3 => "awaiting local answer to the request",
            Sta4 => "awaiting transport",
            Sta5 => "awaiting A-ASSOCIATE-AC or -RJ",
            Sta6 => "established",
            Sta7 => "awaiting A-RELEASE-RP",
            Sta8 => "awaiting local release response",
            Sta9 => "collision, requestor: awaiting local release response",
            Sta10 => "collision, acceptor: awaiting A-RELEASE-RP",
            Sta11 => "collision, requestor: awaiting A-RELEASE-RP",
            Sta12 => "collision, acceptor: awaiting local release response",
            Sta13 => "awaiting transport close",
        }
    }
}

impl TableEvent {
    /// The event in a few words.
    pub const fn words(self) -> &'static str {
        match self {
            Evt1 => "we ask for an association",
            Evt2 => "transport opened by us",
            Evt3 => "A-ASSOCIATE-AC",
            Evt4 => "A-ASSOCIATE-RJ",
            Evt5 => "transport opened by peer",
            Evt6 => "A-ASSOCIATE-RQ",
            Evt7 => "we accept",
            Evt8 => "we reject",
            Evt9 => "we send P-DATA",
            Evt10 => "P-DATA-TF",
            Evt11 => "we ask for release",
            Evt12 => "A-RELEASE-RQ",
            Evt13 => "A-RELEASE-RP",
            Evt14 => "we answer release",
            Evt15 => "we abort",
            Evt16 => "A-ABORT",
            Evt17 => "transport closed",
            Evt18 => "ARTIM expired",
            Evt19 => "invalid PDU",
        }
    }
}

//! The state table: every cell walked through the engine, and rules that its rows obey.

use kuva_core::association::State::*;
use kuva_core::association::table::TableEvent::*;
use kuva_core::association::table::{Action, EVENTS, STATES, TableEvent, action};
use kuva_core::association::{Association, Closed, LocalError, State};
use kuva_core::command::build::c_echo_rq;
use kuva_core::pdu::{Abort, AssociateRj, PduType};

use crate::support::{Seen, answer, feed, in_state, pdu_of, request};

/// What came of causing an event.
enum Outcome {
    /// The engine has no such entry: it happens in the constructors only.
    Constructor,
    Local(Result<(), LocalError>),
    Peer(Result<Vec<Seen>, kuva_core::association::Failure>),
    Closed(Closed),
}

fn cause(association: &mut Association, event: TableEvent) -> Outcome {
    let kind = match event {
        Evt1 | Evt2 | Evt5 => return Outcome::Constructor,
        Evt7 => return local(association.accept(&answer(&request()))),
        Evt8 => return local(association.reject(AssociateRj::NO_REASON)),
        Evt9 => {
            // Contexts exist from Sta6 on, so a refusal elsewhere is the state's.
            return local(association.command(1, &c_echo_rq(1)));
        }
        Evt11 => return local(association.release_request()),
        Evt14 => return local(association.release_response()),
        Evt15 => return local(association.abort(Abort::USER)),
        Evt17 => return Outcome::Closed(association.closed()),
        Evt18 => return Outcome::Local(association.artim_expired()),
        Evt19 => return Outcome::Peer(feed(association, &[0x16, 3, 1])),
        Evt3 => PduType::AssociateAc,
        Evt4 => PduType::AssociateRj,
        Evt6 => PduType::AssociateRq,
        Evt10 => PduType::DataTf,
        Evt12 => PduType::ReleaseRq,
        Evt13 => PduType::ReleaseRp,
        Evt16 => PduType::Abort,
    };
    Outcome::Peer(feed(association, &pdu_of(kind)))
}

fn local(result: Result<Vec<u8>, LocalError>) -> Outcome {
    Outcome::Local(result.map(|_| ()))
}

fn is_requestor(state: State) -> bool {
    matches!(state, Sta5 | Sta9 | Sta11)
}

#[test]
fn every_cell_is_walked_and_leads_where_the_table_says() {
    let mut walked = 0;
    for state in STATES {
        for event in EVENTS {
            let Some(mut association) = in_state(state) else { continue };
            let cell = action(event, state);
            let next = cell.map_or(state, |action| action.next(is_requestor(state)));
            match cause(&mut association, event) {
                Outcome::Constructor => continue,
                Outcome::Local(result) => {
                    let expected = cell.map(|_| ()).ok_or(LocalError::State(state));
                    assert_eq!(result, expected, "{state:?} {event:?}");
                }
                Outcome::Peer(result) => check_peer(result, cell, state, event),
                Outcome::Closed(closed) => {
                    let broken = cell == Some(Action::Aa4);
                    assert_eq!(closed == Closed::Broken, broken, "{state:?}");
                }
            }
            assert_eq!(association.state(), next, "{state:?} {event:?}");
            walked += 1;
        }
    }
    // 13 states but Sta4, 19 events but the three of the constructors.
    assert_eq!(walked, 12 * 16);
}

fn check_peer(
    result: Result<Vec<Seen>, kuva_core::association::Failure>,
    cell: Option<Action>,
    state: State,
    event: TableEvent,
) {
    let aborts = matches!(cell, Some(Action::Aa1 | Action::Aa7 | Action::Aa8));
    match (result, cell) {
        (Err(failure), _) => {
            assert!(aborts, "{state:?} {event:?} {failure:?}");
            let reason = if event == Evt19 { 1 } else { 2 };
            assert_eq!(failure.answer, Some(Abort { source: 2, reason }), "{state:?} {event:?}");
        }
        (Ok(seen), None | Some(Action::Aa6 | Action::Aa2)) => assert_eq!(seen, []),
        (Ok(seen), Some(action)) => {
            assert!(!aborts && seen.len() == 1, "{state:?} {event:?} {action:?} {seen:?}");
        }
    }
}

#[test]
fn constructors_take_the_transport_events() {
    assert_eq!(action(Evt5, Sta1).map(|action| action.next(false)), Some(Sta2));
    assert_eq!(crate::support::acceptor().state(), Sta2);
    assert_eq!(action(Evt1, Sta1).map(|action| action.next(true)), Some(Sta4));
    assert_eq!(action(Evt2, Sta4).map(|action| action.next(true)), Some(Sta5));
    assert_eq!(crate::support::requestor().state(), Sta5);
}

/// The table again, in a form written independently: only the cells that are not the rule.
#[test]
fn pdu_rows_are_aa8_but_for_the_cells_where_the_pdu_belongs() {
    use Action::*;
    let exceptions: &[(TableEvent, &[(State, Action)])] = &[
        (Evt3, &[(Sta2, Aa1), (Sta5, Ae3), (Sta13, Aa6)]),
        (Evt4, &[(Sta2, Aa1), (Sta5, Ae4), (Sta13, Aa6)]),
        (Evt6, &[(Sta2, Ae6), (Sta13, Aa7)]),
        (Evt10, &[(Sta2, Aa1), (Sta6, Dt2), (Sta7, Ar6), (Sta13, Aa6)]),
        (Evt12, &[(Sta2, Aa1), (Sta6, Ar2), (Sta7, Ar8), (Sta13, Aa6)]),
        (Evt13, &[(Sta2, Aa1), (Sta7, Ar3), (Sta10, Ar10), (Sta11, Ar3), (Sta13, Aa6)]),
        (Evt19, &[(Sta2, Aa1), (Sta13, Aa7)]),
    ];
    for (event, cells) in exceptions {
        for state in STATES {
            let exception = cells.iter().find(|(at, _)| *at == state).map(|(_, action)| *action);
            let rule = (!matches!(state, Sta1 | Sta4)).then_some(exception.unwrap_or(Aa8));
            assert_eq!(action(*event, state), rule, "{event:?} {state:?}");
        }
    }
}

#[test]
fn local_rows_have_just_the_cells_where_the_primitive_makes_sense() {
    let cells = |event| STATES.into_iter().filter_map(move |s| action(event, s).map(|a| (s, a)));
    let named = |event| {
        cells(event).map(|(s, a)| format!("{} {}", s as u8, a.name())).collect::<Vec<_>>().join(",")
    };
    assert_eq!(named(Evt1), "1 AE-1");
    assert_eq!(named(Evt2), "4 AE-2");
    assert_eq!(named(Evt5), "1 AE-5");
    assert_eq!(named(Evt7), "3 AE-7");
    assert_eq!(named(Evt8), "3 AE-8");
    assert_eq!(named(Evt9), "6 DT-1,8 AR-7");
    assert_eq!(named(Evt11), "6 AR-1");
    assert_eq!(named(Evt14), "8 AR-4,9 AR-9,12 AR-4");
    assert_eq!(named(Evt18), "2 AA-2,13 AA-2");
    let aa = |from: u8, name: &str| {
        (from..13).map(|n| format!("{n} {name}")).collect::<Vec<_>>().join(",")
    };
    assert_eq!(named(Evt15), format!("3 AA-1,4 AA-2,{}", aa(5, "AA-1")));
    assert_eq!(named(Evt16), format!("2 AA-2,3 AA-3,{},13 AA-2", aa(5, "AA-3")));
    assert_eq!(named(Evt17), format!("2 AA-5,{},13 AR-5", aa(3, "AA-4")));
}

//! The engine under any cutting of its input.

use kuva_core::association::{Event, TimerWanted};
use kuva_core::command::{Priority, build};
use kuva_core::limits::FRAGMENT_LENGTH_AVERAGE_LEAST;
use kuva_core::pdu::{Abort, RELEASE_RQ};
use proptest::prelude::*;

use crate::support::{
    CT, Seen, acceptor, answer, data_tf, established, feed, in_state, joined, request, value,
};

/// Feeds `bytes` cut at `cuts`, up to the first failure.
fn run(bytes: &[u8], cuts: &[usize]) -> (Vec<Seen>, Option<kuva_core::association::Failure>) {
    let mut association = acceptor();
    let mut seen = Vec::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        let mut input = &bytes[start..end];
        start = end;
        loop {
            match association.next(&mut input) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    let event = Seen::of(event);
                    if let Seen::Requested(rq) = &event {
                        association.accept(&answer(rq)).unwrap();
                    }
                    seen.push(event);
                }
                Err(failure) => return (joined(seen), Some(failure)),
            }
        }
    }
    (joined(seen), None)
}

/// A whole association: request, then a C-STORE whose fragments are cut and packed into PDUs as
/// given, then a release.
fn stream(fragment: usize, per_pdu: usize, data: &[u8]) -> Vec<u8> {
    let command = build::c_store_rq(1, CT, "1.2.3", Priority::Medium, None).encode();
    let mut values = Vec::new();
    for (kind, bytes) in [(1, &command[..]), (0, data)] {
        let count = bytes.len().div_ceil(fragment).max(1);
        for n in 0..count {
            let piece = &bytes[n * fragment..bytes.len().min((n + 1) * fragment)];
            values.push(value(3, kind | if n + 1 == count { 2 } else { 0 }, piece));
        }
    }
    let mut out = request().encode();
    values.chunks(per_pdu).for_each(|values| out.extend(data_tf(&values.concat())));
    out.extend(RELEASE_RQ);
    out
}

proptest! {
    #[test]
    fn cutting_the_input_never_matters(
        fragment in 1usize..90, per_pdu in 1usize..6,
        data in proptest::collection::vec(any::<u8>(), 0..300),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let bytes = stream(fragment, per_pdu, &data);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        cuts.sort_unstable();
        let whole = run(&bytes, &[]);
        prop_assert_eq!(whole.0.len(), 4);
        prop_assert_eq!(&whole.0[2], &Seen::DataSet(3, data, true));
        prop_assert_eq!(&whole, &run(&bytes, &cuts));
        let every: Vec<usize> = (1..bytes.len()).collect();
        prop_assert_eq!(&whole, &run(&bytes, &every));
    }

    #[test]
    fn cutting_damaged_input_never_matters(
        fragment in 1usize..90, per_pdu in 1usize..6,
        data in proptest::collection::vec(any::<u8>(), 0..200),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = stream(fragment, per_pdu, &data);
        for (index, byte) in damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        // Damage to the maximum length would make our own accept fail.
        let request = request().encode();
        bytes[..request.len()].copy_from_slice(&request);
        let every: Vec<usize> = (1..bytes.len()).collect();
        prop_assert_eq!(run(&bytes, &[]), run(&bytes, &every));
    }

    #[test]
    fn any_bytes_give_events_or_a_failure_and_never_more(
        bytes in proptest::collection::vec(prop_oneof![0u8..9, any::<u8>()], 0..400),
    ) {
        let every: Vec<usize> = (1..bytes.len()).collect();
        if bytes.first() != Some(&1) {
            prop_assert_eq!(run(&bytes, &[]), run(&bytes, &every));
        }
        let mut association = established().1;
        let _ = feed(&mut association, &bytes);
        let mut association = established().0;
        let _ = feed(&mut association, &data_tf(&bytes));
    }
}

#[test]
fn u20_command_and_data_may_share_a_pdu_and_data_is_lent_from_the_input() {
    let (_, mut acceptor) = established();
    let command = build::c_store_rq(1, CT, "1.2.3", Priority::Medium, None).encode();
    let body = [value(3, 3, &command), value(3, 0, b"abcd"), value(3, 2, b"")].concat();
    let bytes = data_tf(&body);
    let mut input = &bytes[..];
    assert!(matches!(acceptor.next(&mut input), Ok(Some(Event::Command { .. }))));
    let Ok(Some(Event::DataSet { bytes: lent, last: false, .. })) = acceptor.next(&mut input)
    else {
        panic!()
    };
    assert_eq!(lent, b"abcd");
    assert!(bytes.as_ptr_range().contains(&lent.as_ptr()));
    let ended = acceptor.next(&mut input);
    assert_eq!(ended, Ok(Some(Event::DataSet { context_id: 3, bytes: b"", last: true })));
    assert_eq!(acceptor.next(&mut input), Ok(None));
}

#[test]
fn input_behind_an_event_stays_with_the_caller() {
    let mut bytes = request().encode();
    let length = bytes.len();
    bytes.extend(crate::support::echo_pdu());
    let mut acceptor = acceptor();
    let mut input = &bytes[..];
    let Ok(Some(Event::AssociateRequested(rq))) = acceptor.next(&mut input) else { panic!() };
    assert_eq!(input.len(), bytes.len() - length);
    acceptor.accept(&answer(&rq)).unwrap();
    assert!(matches!(acceptor.next(&mut input), Ok(Some(Event::Command { .. }))));
}

#[test]
fn u19_the_smallest_lawful_fragments_take_linear_time() {
    let (_, mut acceptor) = established();
    let command = build::c_store_rq(1, CT, "1.2.3", Priority::Medium, None);
    feed(&mut acceptor, &established().0.command(3, &command).unwrap()).unwrap();
    let fragment = [b'x'; FRAGMENT_LENGTH_AVERAGE_LEAST as usize];
    let pdu = data_tf(&value(3, 0, &fragment).repeat(1_000));
    let mut count = 0;
    for _ in 0..100 {
        let mut input = &pdu[..];
        while let Some(event) = acceptor.next(&mut input).unwrap() {
            assert!(
                matches!(event, Event::DataSet { bytes, last: false, .. } if bytes == fragment)
            );
            count += 1;
        }
    }
    assert_eq!(count, 100 * 1_000);
}

#[test]
fn the_timer_wanted_follows_what_is_awaited() {
    use kuva_core::association::State::*;
    for (state, timer) in [
        (Sta1, TimerWanted::None),
        (Sta2, TimerWanted::Artim),
        (Sta3, TimerWanted::None),
        (Sta5, TimerWanted::Artim),
        (Sta6, TimerWanted::Idle),
        (Sta7, TimerWanted::Artim),
        (Sta8, TimerWanted::None),
        (Sta13, TimerWanted::Artim),
    ] {
        assert_eq!(in_state(state).unwrap().wants(), timer, "{state:?}");
    }
}

#[test]
fn progress_is_wanted_from_the_first_byte_of_a_message_to_its_last() {
    let (requestor, mut acceptor) = established();
    let command = build::c_store_rq(1, CT, "1.2.3", Priority::Medium, None);
    let mut bytes = requestor.command(3, &command).unwrap();
    requestor.data_set(3, b"abcdefgh", false, &mut bytes).unwrap();
    requestor.data_set(3, b"", true, &mut bytes).unwrap();
    for (n, byte) in bytes.iter().enumerate() {
        feed(&mut acceptor, &[*byte]).unwrap();
        let end = n + 1 == bytes.len();
        let timer = if end { TimerWanted::Idle } else { TimerWanted::Progress };
        assert_eq!(acceptor.wants(), timer, "after byte {n}");
    }
}

#[test]
fn after_our_abort_anything_is_swallowed() {
    let (_, mut acceptor) = established();
    let abort = acceptor.abort(Abort::USER).unwrap();
    assert_eq!(abort, [7, 0, 0, 0, 0, 4, 0, 0, 0, 0]);
    for bytes in [&b"GET / HTTP/1.1"[..], &RELEASE_RQ, &request().encode()] {
        assert_eq!(feed(&mut acceptor, bytes), Ok(vec![]));
    }
    assert!(acceptor.abort(Abort::USER).is_err());
}

#[test]
fn what_follows_a_rejection_is_ignored_whole_or_in_bytes() {
    let mut acceptor = in_state(kuva_core::association::State::Sta13).unwrap();
    let bytes = [crate::support::echo_pdu(), RELEASE_RQ.to_vec()].concat();
    assert_eq!(feed(&mut acceptor, &bytes), Ok(vec![]));
    for byte in &bytes {
        assert_eq!(feed(&mut acceptor, &[*byte]), Ok(vec![]));
    }
    assert!(feed(&mut acceptor, &request().encode()).is_err());
}

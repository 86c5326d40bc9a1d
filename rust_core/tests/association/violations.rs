//! What the peer may not do, each with the abort that it is answered by.

use kuva_core::association::{Association, Failure, State};
use kuva_core::command::{Priority, build};
use kuva_core::limits::{COMMAND_SET_LENGTH_MAX, FRAGMENT_LENGTH_AVERAGE_LEAST, FRAGMENTS_FREE};
use kuva_core::pdu::{Abort, RELEASE_RQ};

use crate::support::{CT, acceptor, answer, data_tf, established, feed, pdv, request, value};

const USER: Abort = Abort { source: 0, reason: 0 };

fn provider(reason: u8) -> Abort {
    Abort { source: 2, reason }
}

fn failure(association: &mut Association, bytes: &[u8]) -> Failure {
    let failure = feed(association, bytes).unwrap_err();
    assert_eq!(association.state(), State::Sta13);
    failure
}

fn established_failure(bytes: &[u8]) -> Failure {
    failure(&mut established().1, bytes)
}

fn store_command() -> Vec<u8> {
    build::c_store_rq(1, CT, "1.2.3", Priority::Medium, None).encode()
}

#[test]
fn u1_u2_other_protocols_are_known_by_their_first_byte() {
    for bytes in [&b"G"[..], b"\x16\x03\x01", b"\0", b"\x08", b"\xff"] {
        let failure = failure(&mut acceptor(), bytes);
        assert_eq!((failure.answer, failure.offset), (Some(provider(1)), 0), "{bytes:?}");
        assert_eq!(failure.entry.text, "unrecognized PDU type");
    }
}

#[test]
fn u15_a_pdu_out_of_turn_is_known_before_its_length() {
    assert_eq!(failure(&mut acceptor(), &[4]).answer, Some(provider(2)));
    assert_eq!(failure(&mut acceptor(), &[2]).answer, Some(provider(2)));
    assert_eq!(established_failure(&[1]).answer, Some(provider(2)));
    assert_eq!(failure(&mut crate::support::requestor(), &[1]).answer, Some(provider(2)));
}

#[test]
fn u3_u4_lengths_impossible_for_the_type_are_refused_from_the_header() {
    let header = |kind: u8, length: u32| {
        let [a, b, c, d] = length.to_be_bytes();
        [kind, 0, a, b, c, d]
    };
    for length in [0, 1, 67, (1 << 20) + 1, u32::MAX] {
        let failure = failure(&mut acceptor(), &header(1, length));
        assert_eq!((failure.answer, failure.offset), (Some(provider(6)), 2), "{length}");
    }
    for length in [0, 5, (256 << 10) + 1, u32::MAX] {
        assert_eq!(established_failure(&header(4, length)).answer, Some(provider(6)), "{length}");
    }
    for kind in [5, 7] {
        for length in [0, 3, 5] {
            assert_eq!(established_failure(&header(kind, length)).answer, Some(provider(6)));
        }
    }
}

#[test]
fn u16_a_pdv_on_a_context_that_was_not_accepted_is_refused() {
    for id in [0, 2, 7, 255] {
        let failure = established_failure(&pdv(id, 3, &store_command()));
        assert_eq!(failure.answer, Some(provider(6)), "{id}");
    }
}

#[test]
fn u17_pdv_lengths_must_fit_their_pdu_exactly() {
    let claims = |length: u32, rest: &[u8]| {
        let mut body = length.to_be_bytes().to_vec();
        body.extend([3, 3]);
        body.extend(rest);
        data_tf(&body)
    };
    for length in [0, 1, 7, u32::MAX] {
        let failure = established_failure(&claims(length, b"abcd"));
        assert_eq!(failure.answer, Some(provider(6)), "{length}");
        assert_eq!(failure.entry.text, "PDV length does not fit its PDU");
    }
    let mut body = value(3, 1, b"ab");
    body.extend([0; 5]);
    let failure = established_failure(&data_tf(&body));
    assert_eq!(failure.entry.text, "PDU has too few bytes left for a PDV");
}

#[test]
fn u18_a_command_that_never_ends_is_refused_at_its_limit() {
    let (_, mut acceptor) = established();
    let kib = pdv(3, 1, &[0; 1024]);
    for _ in 0..COMMAND_SET_LENGTH_MAX / 1024 {
        feed(&mut acceptor, &kib).unwrap();
    }
    let failure = failure(&mut acceptor, &pdv(3, 1, &[0])[..12]);
    assert_eq!((failure.entry.text, failure.answer), ("command set is too long", Some(USER)));
}

#[test]
fn u19_a_message_of_crumbs_is_refused_and_one_of_small_fragments_is_not() {
    let (_, mut acceptor) = established();
    let small = pdv(3, 0, &[0; FRAGMENT_LENGTH_AVERAGE_LEAST as usize]);
    for _ in 0..2 {
        feed(&mut acceptor, &pdv(3, 3, &store_command())).unwrap();
        for _ in 0..2 * FRAGMENTS_FREE {
            feed(&mut acceptor, &small).unwrap();
        }
        feed(&mut acceptor, &pdv(3, 2, &[0])).unwrap();
    }
    feed(&mut acceptor, &pdv(3, 3, &store_command())).unwrap();
    let crumb = pdv(3, 0, &[0]);
    let crumbs = (0..2 * FRAGMENTS_FREE).position(|_| feed(&mut acceptor, &crumb).is_err());
    // The command's fragment was one, its bytes and those of the crumbs earn a few more.
    assert!((FRAGMENTS_FREE - 1..FRAGMENTS_FREE + 64).contains(&(crumbs.unwrap() as u64)));
    let answered = failure(&mut established().1, &crumbs_in_one_pdu());
    assert_eq!(answered.entry.text, "message in too many fragments for its length");
    assert_eq!(answered.answer, Some(USER));
}

/// All in one PDU, no fragment with a single byte.
fn crumbs_in_one_pdu() -> Vec<u8> {
    let command = value(3, 3, &store_command());
    let empty = value(3, 0, &[]).repeat(2 * FRAGMENTS_FREE as usize);
    data_tf(&[command, empty].concat())
}

#[test]
fn u21_u22_fragments_out_of_order_are_refused() {
    let command = store_command();
    let (announced, half) = (value(3, 3, &command), value(3, 1, &command[..20]));
    let echo = value(1, 3, &build::c_echo_rq(1).encode());
    for (values, what) in [
        (vec![value(3, 2, b"ab")], "data set without a command before it"),
        (vec![echo.clone(), value(1, 2, b"ab")], "data set without a command before it"),
        (vec![half.clone(), value(3, 2, b"ab")], "data set before the command's end"),
        (vec![announced.clone(), echo.clone()], "new command while a data set is expected"),
        (
            vec![announced.clone(), value(3, 0, b"ab"), announced.clone()],
            "new command while a data set is expected",
        ),
        (
            vec![announced, value(5, 2, b"ab")],
            "fragments of one message on two presentation contexts",
        ),
        (
            vec![half, value(5, 3, &command[20..])],
            "fragments of one message on two presentation contexts",
        ),
    ] {
        let failure = established_failure(&data_tf(&values.concat()));
        assert_eq!((failure.entry.text, failure.answer), (what, Some(USER)));
    }
}

#[test]
fn u22_a_command_set_that_is_none_ends_the_association() {
    let failure = established_failure(&pdv(3, 3, b"not a command set"));
    assert_eq!(failure.answer, Some(USER));
}

#[test]
fn a_failure_is_for_good_and_is_answered_once() {
    let (_, mut acceptor) = established();
    let first = failure(&mut acceptor, b"\xff");
    assert!(first.answer.is_some());
    for bytes in [&b""[..], &RELEASE_RQ, b"\xff"] {
        let again = feed(&mut acceptor, bytes).unwrap_err();
        assert_eq!(again, Failure { answer: None, ..first });
    }
    assert!(acceptor.release_request().is_err());
    assert!(acceptor.command(1, &build::c_echo_rq(1)).is_err());
    acceptor.closed();
    assert!(feed(&mut acceptor, &RELEASE_RQ).is_err());
}

#[test]
fn the_offset_of_a_failure_counts_from_the_first_byte_of_the_association() {
    let mut association = acceptor();
    let rq = request().encode();
    feed(&mut association, &rq).unwrap();
    association.accept(&answer(&request())).unwrap();
    let echo = crate::support::echo_pdu();
    feed(&mut association, &echo).unwrap();
    let failure = failure(&mut association, &[0xFF]);
    assert_eq!(failure.offset, (rq.len() + echo.len()) as u64);
}

#[test]
fn an_answer_that_was_not_asked_for_is_refused() {
    let changes: [fn(&mut kuva_core::pdu::AssociateAc); 3] = [
        |ac| ac.contexts[0].id = 9,
        |ac| ac.contexts[0].transfer_syntax = Some("1.2.840.10008.1.2.2".into()),
        |ac| ac.user_information.maximum_length = 63,
    ];
    let answers = [provider(6), provider(6), USER];
    for (change, expected) in changes.iter().zip(answers) {
        let mut ac = answer(&request());
        change(&mut ac);
        let failure = failure(&mut crate::support::requestor(), &ac.encode());
        assert_eq!(failure.answer, Some(expected));
    }
}

//! Bytes that break the upper layer protocol or the order of messages.

use kuva_core::association::Association;
use kuva_core::command::build;
use kuva_core::limits::COMMAND_SET_LENGTH_MAX;
use kuva_core::pdu::{Abort, AssociateAc, RELEASE_RQ};

use crate::Provocation;
use crate::support::{
    EXPLICIT, acceptor, answer, data_tf, established, feed, pdv, request, requestor, value,
};

/// The code of the failure; the answer is what the catalogue says.
fn failure(mut association: Association, bytes: &[u8]) -> &'static str {
    let failure = feed(&mut association, bytes).unwrap_err();
    assert_eq!(failure.answer, Some(Abort::of(failure.entry)));
    failure.entry.code
}

fn spoken(bytes: &[u8]) -> &'static str {
    failure(established().1, bytes)
}

fn item(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16).to_be_bytes();
    [&[kind, 0], &length[..], content].concat()
}

fn context(kind: u8, id: u8, syntax: &[u8]) -> Vec<u8> {
    let syntaxes = [item(0x30, syntax), item(0x40, EXPLICIT.as_bytes())].concat();
    item(kind, &[&[id, 0, 0, 0], &syntaxes[..]].concat())
}

fn application() -> Vec<u8> {
    item(0x10, b"1.2.840.10008.3.1.1.1")
}

fn user(length: &[u8], name: &[u8]) -> Vec<u8> {
    item(0x50, &[item(0x51, length), item(0x52, b"1.2.3"), item(0x55, name)].concat())
}

const FOUR: &[u8] = &[0, 0, 64, 0];

fn plain_user() -> Vec<u8> {
    user(FOUR, b"TEST")
}

/// An A-ASSOCIATE-RQ of these items.
fn asked(items: &[Vec<u8>]) -> &'static str {
    let mut body = request().encode()[6..74].to_vec();
    body.extend(items.concat());
    let header = [&[1, 0], &(body.len() as u32).to_be_bytes()[..]].concat();
    failure(acceptor(), &[header, body].concat())
}

/// Our request, answered so.
fn answered(change: fn(&mut AssociateAc)) -> &'static str {
    let mut ac = answer(&request());
    change(&mut ac);
    failure(requestor(), &ac.encode())
}

fn unlawful_result() -> &'static str {
    let mut bytes = answer(&request()).encode();
    let context = bytes.windows(2).position(|pair| pair == [0x21, 0]).unwrap();
    bytes[context + 6] = 9;
    failure(requestor(), &bytes)
}

fn endless_command() -> &'static str {
    let fragments = vec![pdv(3, 1, &[0; 1024]); COMMAND_SET_LENGTH_MAX / 1024 + 1];
    spoken(&fragments.concat())
}

fn element(group: u16, number: u16, value: &[u8]) -> Vec<u8> {
    let (group, number) = (group.to_le_bytes(), number.to_le_bytes());
    [&group, &number, &(value.len() as u32).to_le_bytes()[..], value].concat()
}

fn field() -> Vec<u8> {
    element(0, 0x100, &[0x30, 0])
}

fn id() -> Vec<u8> {
    element(0, 0x110, &[1, 0])
}

fn set_of(elements: &[Vec<u8>]) -> Vec<u8> {
    let body = elements.concat();
    [element(0, 0, &(body.len() as u32).to_le_bytes()), body].concat()
}

fn command(bytes: &[u8]) -> &'static str {
    spoken(&pdv(1, 3, bytes))
}

fn store() -> Vec<u8> {
    build::c_store_rq(1, crate::support::CT, "1.2.3", Default::default(), None).encode()
}

pub const PROVOCATIONS: &[Provocation] = &[
    ("pdu-type-unknown", || failure(acceptor(), b"GET / HTTP/1.1\r\n")),
    ("pdu-unexpected", || failure(acceptor(), &RELEASE_RQ)),
    ("pdu-length", || failure(acceptor(), &[1, 0, 255, 255, 255, 255])),
    ("pdu-item-overrun", || asked(&[application(), vec![0x20, 0, 255, 255]])),
    ("pdu-item-trailing", || {
        asked(&[application(), context(0x20, 1, b"1.2"), user(&[0, 0, 64, 0, 0], b"TEST")])
    }),
    ("pdu-item-missing", || asked(&[context(0x20, 1, b"1.2"), plain_user()])),
    ("pdu-item-duplicate", || {
        asked(&[application(), application(), context(0x20, 1, b"1.2"), plain_user()])
    }),
    ("pdu-item-unexpected", || asked(&[application(), context(0x21, 1, b"1.2"), plain_user()])),
    ("context-id-even", || asked(&[application(), context(0x20, 2, b"1.2"), plain_user()])),
    ("context-id-duplicate", || {
        let twice = [context(0x20, 1, b"1.2"), context(0x20, 1, b"1.3")].concat();
        asked(&[application(), twice, plain_user()])
    }),
    ("pdu-uid", || asked(&[application(), context(0x20, 1, b"1.2.x"), plain_user()])),
    ("pdu-text", || asked(&[application(), context(0x20, 1, b"1.2"), user(FOUR, b"A\nB")])),
    ("pdu-value", unlawful_result),
    ("associate-ac-mismatch", || answered(|ac| ac.contexts[0].id = 9)),
    ("associate-ac-pdu-length-max", || answered(|ac| ac.user_information.maximum_length = 63)),
    ("pdv-short", || {
        let echo = value(1, 3, &build::c_echo_rq(1).encode());
        spoken(&data_tf(&[&echo[..], &[0; 5]].concat()))
    }),
    ("pdv-length", || spoken(&data_tf(&[255, 255, 255, 255, 1, 3]))),
    ("pdv-context", || spoken(&pdv(255, 3, &build::c_echo_rq(1).encode()))),
    ("data-set-without-command", || spoken(&pdv(3, 2, b"ab"))),
    ("data-set-before-command-end", || {
        spoken(&[pdv(3, 1, &store()[..20]), pdv(3, 2, b"ab")].concat())
    }),
    ("command-during-data-set", || spoken(&[pdv(3, 3, &store()), pdv(3, 3, &store())].concat())),
    ("fragments-mixed", || spoken(&[pdv(3, 3, &store()), pdv(1, 2, b"ab")].concat())),
    ("fragments-too-many", || {
        let crumbs = value(3, 0, b"x").repeat(10_000);
        spoken(&data_tf(&[value(3, 3, &store()), crumbs].concat()))
    }),
    ("command-set-too-long", endless_command),
    ("command-set-overrun", || {
        let mut cut = set_of(&[field()]);
        cut[16] = 4;
        command(&cut)
    }),
    ("command-group-length-missing", || command(&[field(), id()].concat())),
    ("command-group-length", || {
        let mut wrong = set_of(&[field()]);
        wrong[8] += 1;
        command(&wrong)
    }),
    ("command-group", || command(&set_of(&[field(), element(0x10, 0x20, b"P1")]))),
    ("command-order", || command(&set_of(&[id(), field()]))),
    ("command-element-duplicate", || command(&set_of(&[id(), id()]))),
    ("command-element-odd", || command(&set_of(&[field(), element(0, 0x1000, b"1.2")]))),
    ("command-unanswerable", || command(&set_of(&[field()]))),
    ("response-malformed", || {
        let mut announcing =
            build::c_store_rsp(1, crate::support::CT, "1.2.3", 0, None, &[]).encode();
        let at = announcing.windows(4).position(|tag| tag == [0, 0, 0, 8]).unwrap();
        announcing[at + 8..][..2].copy_from_slice(&[0, 0]);
        command(&announcing)
    }),
];

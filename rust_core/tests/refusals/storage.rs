//! Lawful instances that are not kept, and commands that cannot be done: a whole node in memory.

use kuva_core::command::{CommandSet, CommandSetBuilder, NO_DATA_SET, field, tag};
use kuva_core::intake::Heard;

use crate::Provocation;
use crate::rig::{CLASS, Rig, Sample, Sender};

fn sample(number: u32) -> Sample {
    Sample::new("1.2.3", number, 5000)
}

/// The last code that was told to the log, when this was sent.
fn sent(rig: &Rig, mut sender: Sender, sample: &Sample) -> &'static str {
    sender.send(sample);
    assert_ne!(sender.status(), 0);
    let told = rig.refused();
    let code = *told.last().unwrap();
    let counted = told.iter().filter(|other| **other == code).count() as u64;
    assert_eq!(rig.refusals(code), counted, "{code} is told once for each that is counted");
    code
}

fn kept(rig: &Rig, sample: &Sample) {
    let mut sender = rig.sender();
    sender.send(sample);
    assert_eq!(sender.status(), 0);
}

fn full() -> &'static str {
    let rig = Rig::new();
    let mut sender = rig.sender();
    let statuses = (1..60).map(|number| {
        sender.send(&Sample::new("1.2.3", number, 1_000_000));
        sender.status()
    });
    let full = statuses.skip_while(|status| *status == 0).take(1).count();
    assert_eq!(full, 1, "60 MB fit into 24");
    sent(&rig, rig.sender(), &Sample::new("1.2.3", 99, 1_000_000))
}

fn out_of_descriptors() -> &'static str {
    let rig = Rig::new();
    rig.out_of_descriptors(true);
    let mut sender = rig.sender();
    let statuses = (1..60).map(|number| {
        sender.send(&Sample::new("1.2.3", number, 1_000_000));
        sender.status()
    });
    let short = statuses.skip_while(|status| *status == 0).take(1).count();
    assert_eq!(short, 1, "60 MB need more segments than were made");
    rig.refused().last().unwrap()
}

fn after_a_failed_write() -> &'static str {
    let rig = Rig::new();
    kept(&rig, &sample(1));
    rig.fail_next_write();
    let first = sent(&rig, rig.sender(), &sample(2));
    assert_eq!(first, sent(&rig, rig.sender(), &sample(3)), "for good");
    first
}

/// What is told of a command on a context for storage.
fn commanded(command: CommandSetBuilder, data_set: Option<&[u8]>) -> &'static str {
    let rig = Rig::new();
    let mut sender = rig.sender();
    let heard = sender.command(&command.finish(), data_set);
    assert!(heard.is_empty(), "{heard:?}");
    rig.refused()[0]
}

fn store() -> CommandSetBuilder {
    CommandSetBuilder::new()
        .us(tag::COMMAND_FIELD, field::C_STORE_RQ)
        .us(tag::MESSAGE_ID, 1)
        .us(tag::DATA_SET_TYPE, 1)
        .uid(tag::AFFECTED_SOP_CLASS, CLASS)
}

fn failed(heard: Vec<Heard>) -> &'static str {
    match &heard[..] {
        [Heard::Failed(failure)] => failure.entry.code,
        other => panic!("{other:?}"),
    }
}

fn long_identifier() -> CommandSet {
    let find = CommandSetBuilder::new().us(tag::COMMAND_FIELD, 0x20).us(tag::MESSAGE_ID, 1);
    find.us(tag::DATA_SET_TYPE, 1).uid(tag::AFFECTED_SOP_CLASS, CLASS).finish()
}

pub const PROVOCATIONS: &[Provocation] = &[
    ("journal-full", full),
    ("file-descriptors", out_of_descriptors),
    ("journal-read-only", after_a_failed_write),
    ("journal-unrecordable", || {
        let rig = Rig::new();
        sent(&rig, rig.sender_called(&"X".repeat(70_000)), &sample(1))
    }),
    ("catalogue-behind", || {
        let rig = Rig::new();
        kept(&rig, &sample(1));
        rig.fall_behind();
        sent(&rig, rig.sender(), &sample(2))
    }),
    ("catalogue-unreachable", || {
        let rig = Rig::new();
        rig.catalogue_answers(false);
        sent(&rig, rig.sender(), &sample(1))
    }),
    ("conflicting-content", || {
        let rig = Rig::new();
        kept(&rig, &sample(1));
        sent(&rig, rig.sender(), &sample(1).with_last_bit_flipped())
    }),
    ("sop-instance-disputed", || {
        let rig = Rig::new();
        rig.dispute(&sample(1));
        sent(&rig, rig.sender(), &sample(1))
    }),
    ("transfer-syntax-unknown", || {
        let rig = Rig::new();
        sent(&rig, rig.sender_in("1.2.3.4"), &sample(1))
    }),
    ("not-authorised", || {
        let rig = Rig::new();
        sent(&rig, rig.sender_without_grant(), &sample(1))
    }),
    ("processing-failure", || {
        let rig = Rig::new();
        rig.break_clock();
        sent(&rig, rig.sender(), &sample(1))
    }),
    ("command-element-missing", || commanded(store(), Some(b""))),
    ("command-element-mistyped", || {
        commanded(store().uid(tag::AFFECTED_SOP_INSTANCE, "no"), Some(b""))
    }),
    ("command-element-value", || {
        commanded(
            store().uid(tag::AFFECTED_SOP_INSTANCE, "1.2").us(tag::DATA_SET_TYPE, NO_DATA_SET),
            None,
        )
    }),
    ("identifier-too-long", || {
        let rig = Rig::new();
        failed(rig.sender().command(&long_identifier(), Some(&vec![0; 2 << 20])))
    }),
    ("buffer-overrun", || failed(Rig::new().sender().overrun())),
];

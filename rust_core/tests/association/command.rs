//! Command sets: strict on the wire, typed in meaning, answerable where they are only incomplete.

use kuva_core::command::{
    Command, CommandErrorKind, CommandSet, CommandSetBuilder, DATA_SET, MoveOriginator,
    NO_DATA_SET, Priority, SubOperations, build, field, status, tag,
};
use kuva_core::limits::COMMAND_SET_LENGTH_MAX;
use proptest::prelude::*;

use crate::strategies::uid;
use crate::support::{CT, GET};

fn meaning(set: &CommandSet) -> Command {
    assert_eq!(CommandSet::decode(&set.encode()).as_ref(), Ok(set));
    Command::of(set).unwrap()
}

fn priority() -> impl Strategy<Value = Priority> {
    prop_oneof![Just(Priority::Medium), Just(Priority::High), Just(Priority::Low)]
}

prop_compose! {
    fn originator()(title in "[A-Z]{1,16}", message_id: u16) -> MoveOriginator {
        MoveOriginator { title, message_id }
    }
}

prop_compose! {
    fn counters()(a: [Option<u16>; 4]) -> SubOperations {
        SubOperations { remaining: a[0], completed: a[1], failed: a[2], warning: a[3] }
    }
}

proptest! {
    #[test]
    fn c_echo_means_what_was_built(message_id: u16, status: u16) {
        let sop_class = "1.2.840.10008.1.1".into();
        prop_assert_eq!(meaning(&build::c_echo_rq(message_id)),
            Command::CEchoRq { message_id, sop_class });
        prop_assert_eq!(meaning(&build::c_echo_rsp(message_id, status)),
            Command::CEchoRsp { message_id_responded: message_id, status });
    }

    #[test]
    fn c_store_means_what_was_built(
        message_id: u16, sop_class in uid(), sop_instance in uid(), priority in priority(),
        move_originator in proptest::option::of(originator()), status: u16,
    ) {
        let rq = build::c_store_rq(message_id, &sop_class, &sop_instance, priority,
            move_originator.as_ref());
        let rsp = build::c_store_rsp(message_id, &sop_class, &sop_instance, status, None, &[]);
        let sop_instance_of_rsp = Some(sop_instance.clone());
        prop_assert_eq!(meaning(&rq), Command::CStoreRq {
            message_id, sop_class, sop_instance, priority, move_originator });
        prop_assert_eq!(meaning(&rsp), Command::CStoreRsp {
            message_id_responded: message_id, sop_instance: sop_instance_of_rsp, status });
    }

    #[test]
    fn c_get_and_c_cancel_mean_what_was_built(
        message_id: u16, sop_class in uid(), priority in priority(), status: u16,
        sub_operations in counters(), has_data_set: bool,
    ) {
        let rsp = build::c_get_rsp(message_id, &sop_class, status, sub_operations, has_data_set);
        prop_assert_eq!(meaning(&build::c_get_rq(message_id, &sop_class, priority)),
            Command::CGetRq { message_id, sop_class, priority });
        let message_id_responded = message_id;
        prop_assert_eq!(meaning(&rsp), Command::CGetRsp {
            message_id_responded, status, sub_operations, has_data_set });
        prop_assert_eq!(meaning(&build::c_cancel_rq(message_id)),
            Command::CCancelRq { message_id_responded });
    }

    #[test]
    fn any_bytes_are_read_the_same_again_or_refused(
        body in proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..120),
    ) {
        let mut bytes = vec![0, 0, 0, 0, 4, 0, 0, 0];
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(&body);
        if let Ok(set) = CommandSet::decode(&bytes) {
            prop_assert_eq!(set.encode(), bytes);
            let _ = Command::of(&set);
        }
        let _ = CommandSet::decode(&body);
    }

    #[test]
    fn a_damaged_command_set_is_read_the_same_again_or_refused(
        at: prop::sample::Index, byte: u8,
    ) {
        let mut bytes = build::c_store_rq(1, CT, "1.2.3", Priority::Low, None).encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(set) = CommandSet::decode(&bytes) {
            prop_assert_eq!(set.encode(), bytes);
            let _ = Command::of(&set);
        }
    }
}

fn element(group: u16, number: u16, value: &[u8]) -> Vec<u8> {
    let mut out = group.to_le_bytes().to_vec();
    out.extend(number.to_le_bytes());
    out.extend((value.len() as u32).to_le_bytes());
    out.extend(value);
    out
}

fn set_of(elements: &[Vec<u8>]) -> Vec<u8> {
    let body = elements.concat();
    let mut out = element(0, 0, &(body.len() as u32).to_le_bytes());
    out.extend(body);
    out
}

fn kind_of(bytes: &[u8]) -> CommandErrorKind {
    CommandSet::decode(bytes).unwrap_err().kind
}

#[test]
fn u22_a_command_set_that_breaks_a_rule_is_refused_by_that_rule() {
    let (a, b) = (element(0, 0x100, &[1, 0]), element(0, 0x110, &[1, 0]));
    assert!(CommandSet::decode(&set_of(&[a.clone(), b.clone()])).is_ok());
    assert_eq!(kind_of(&set_of(&[b.clone(), a.clone()])), CommandErrorKind::Unsorted);
    assert_eq!(kind_of(&set_of(&[a.clone(), a.clone()])), CommandErrorKind::Duplicate);
    assert_eq!(kind_of(&set_of(&[element(0, 0x902, b"odd")])), CommandErrorKind::OddLength);
    assert_eq!(kind_of(&set_of(&[element(8, 0x18, b"12")])), CommandErrorKind::Group);
    assert_eq!(kind_of(&[a.clone(), b.clone()].concat()), CommandErrorKind::NoGroupLength);
    let second = element(0, 0, &[0; 4]);
    assert_eq!(kind_of(&set_of(&[second])), CommandErrorKind::Duplicate);
    let mut wrong = set_of(std::slice::from_ref(&a));
    wrong[8] += 1;
    assert_eq!(kind_of(&wrong), CommandErrorKind::GroupLength);
    let mut claims = set_of(&[a]);
    claims[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(kind_of(&claims), CommandErrorKind::Short);
    // Explicit VR: "UL" stands where the length should begin.
    assert_eq!(kind_of(b"\0\0\0\0UL\x04\0\0\0\0\0"), CommandErrorKind::NoGroupLength);
}

#[test]
fn a_command_set_of_64_kib_passes_and_one_longer_does_not() {
    let filled = |length: usize| set_of(&[element(0, 0x902, &vec![b' '; length - 12 - 8])]);
    assert!(CommandSet::decode(&filled(COMMAND_SET_LENGTH_MAX)).is_ok());
    assert_eq!(kind_of(&filled(COMMAND_SET_LENGTH_MAX + 2)), CommandErrorKind::TooLong);
}

fn fault_of(set: CommandSet) -> Option<(u16, u32)> {
    match Command::of(&set).unwrap() {
        Command::Malformed { fault, message_id: 7, .. } => {
            Some((fault.entry.status(), fault.offending))
        }
        _ => None,
    }
}

#[test]
fn u22_a_missing_or_wrong_element_can_be_answered() {
    let store = || {
        CommandSetBuilder::new()
            .us(tag::COMMAND_FIELD, field::C_STORE_RQ)
            .us(tag::MESSAGE_ID, 7)
            .us(tag::DATA_SET_TYPE, 1)
            .uid(tag::AFFECTED_SOP_CLASS, CT)
    };
    let fault = |status, element: u16| Some((status, u32::from(element)));
    let instance = tag::AFFECTED_SOP_INSTANCE;
    assert_eq!(fault_of(store().uid(instance, "1.2").finish()), None);
    assert_eq!(fault_of(store().finish()), fault(status::MISSING_ATTRIBUTE, instance));
    assert_eq!(
        fault_of(store().uid(instance, "no").finish()),
        fault(status::MISTYPED_ARGUMENT, instance)
    );
    let store = store().uid(instance, "1.2");
    assert_eq!(
        fault_of(store.clone().us(tag::PRIORITY, 3).finish()),
        fault(status::INVALID_ARGUMENT, tag::PRIORITY)
    );
    let bare = store.us(tag::DATA_SET_TYPE, NO_DATA_SET).finish();
    assert_eq!(fault_of(bare.clone()), fault(status::INVALID_ARGUMENT, tag::DATA_SET_TYPE));
    // It is delimited by what it says, not by what it should have said.
    assert!(!Command::of(&bare).unwrap().has_data_set());
}

#[test]
fn a_command_without_field_id_or_data_set_type_cannot_be_answered() {
    let full = CommandSetBuilder::new()
        .us(tag::COMMAND_FIELD, field::C_ECHO_RQ)
        .us(tag::MESSAGE_ID, 1)
        .us(tag::DATA_SET_TYPE, NO_DATA_SET);
    assert!(Command::of(&full.clone().finish()).is_ok());
    for element in [tag::COMMAND_FIELD, tag::MESSAGE_ID, tag::DATA_SET_TYPE] {
        let set = full.clone().text(element, "four").finish();
        assert_eq!(Command::of(&set).unwrap_err().kind, CommandErrorKind::Unanswerable);
    }
}

#[test]
fn u40_a_fault_in_a_response_or_a_cancel_is_never_one_that_is_answered() {
    let answered = |command_field: u16| {
        CommandSetBuilder::new()
            .us(tag::COMMAND_FIELD, command_field)
            .us(tag::MESSAGE_ID_RESPONDED, 7)
            .us(tag::DATA_SET_TYPE, NO_DATA_SET)
    };
    let store = answered(field::C_STORE_RSP).us(tag::STATUS, 0);
    assert!(Command::of(&store.clone().finish()).is_ok());
    let faulty = [
        store.us(tag::DATA_SET_TYPE, DATA_SET),
        answered(field::C_STORE_RSP),
        answered(field::C_ECHO_RSP).text(tag::STATUS, "four"),
        answered(field::C_GET_RSP).us(tag::STATUS, 0).text(tag::REMAINING, "four"),
        answered(field::C_CANCEL_RQ).us(tag::DATA_SET_TYPE, DATA_SET),
    ];
    for set in faulty {
        assert_eq!(Command::of(&set.finish()).unwrap_err().kind, CommandErrorKind::Response);
    }
}

#[test]
fn unknown_commands_keep_what_is_needed_to_refuse_them() {
    let set = CommandSetBuilder::new()
        .us(tag::COMMAND_FIELD, 0x0140)
        .us(tag::MESSAGE_ID, 9)
        .us(tag::DATA_SET_TYPE, 0)
        .uid(tag::REQUESTED_SOP_CLASS, "1.2.3")
        .finish();
    let other = Command::Other { command_field: 0x0140, message_id: 9, has_data_set: true };
    assert_eq!(Command::of(&set), Ok(other));
    let rsp = build::response(&set, status::UNRECOGNIZED_OPERATION, None, &[]).unwrap();
    assert_eq!(rsp.us(tag::COMMAND_FIELD), Some(0x8140));
    assert_eq!(rsp.us(tag::MESSAGE_ID_RESPONDED), Some(9));
    assert_eq!(rsp.uid(tag::AFFECTED_SOP_CLASS).as_deref(), Some("1.2.3"));
    assert_eq!(rsp.us(tag::STATUS), Some(0x0211));
    assert!(!rsp.announces_data_set());
}

#[test]
fn a_response_carries_its_reason_within_the_limits_of_its_elements() {
    let rq = build::c_get_rq(5, GET, Priority::Medium);
    let comment = format!("a\\b\u{e4}\n{}", "c".repeat(100));
    let rsp = build::response(&rq, 0xC000, Some(&comment), &[0x0008_0018, 0x0020_000D]).unwrap();
    assert_eq!(rsp.text(tag::ERROR_COMMENT), Some(&*format!("ab{}", "c".repeat(62))));
    assert_eq!(rsp.tags(tag::OFFENDING_ELEMENT), [0x0008_0018, 0x0020_000D]);
    assert_eq!(rsp.value(tag::OFFENDING_ELEMENT), Some(&[8, 0, 0x18, 0, 0x20, 0, 0x0D, 0][..]));
    assert_eq!(CommandSet::decode(&rsp.encode()), Ok(rsp));
}

#[test]
fn responses_and_cancels_are_not_answered() {
    for set in [build::c_echo_rsp(1, 0), build::c_cancel_rq(1)] {
        assert_eq!(build::response(&set, 0, None, &[]), None);
    }
}

#[test]
fn normalised_requests_and_their_responses_mean_what_they_say() {
    let report = build::n_event_report_rq(3, CT, "1.2.3", 2);
    let (sop_class, sop_instance) = (CT.into(), "1.2.3".into());
    assert_eq!(
        meaning(&report),
        Command::NEventReportRq {
            message_id: 3,
            sop_class,
            sop_instance,
            event_type: 2,
            has_data_set: true
        }
    );
    let action = build::n_action_rq(4, CT, "1.2.3", 1);
    let answer = build::response(&action, 0x0123, None, &[]).unwrap();
    assert_eq!(
        meaning(&answer),
        Command::NActionRsp { message_id_responded: 4, status: 0x0123, has_data_set: false }
    );
    // What was requested is what is affected (PS3.7 10.3.5.2).
    assert_eq!(answer.uid(tag::AFFECTED_SOP_CLASS).as_deref(), Some(CT));
    assert_eq!(answer.uid(tag::AFFECTED_SOP_INSTANCE).as_deref(), Some("1.2.3"));
}

#[test]
fn u22_an_action_without_its_type_or_its_instance_can_be_answered() {
    let action = || {
        CommandSetBuilder::new()
            .us(tag::COMMAND_FIELD, field::N_ACTION_RQ)
            .us(tag::MESSAGE_ID, 7)
            .us(tag::DATA_SET_TYPE, 1)
            .uid(tag::REQUESTED_SOP_CLASS, CT)
    };
    let missing = |element: u16| Some((status::MISSING_ATTRIBUTE, u32::from(element)));
    let without = action().us(tag::ACTION_TYPE, 1).finish();
    assert_eq!(fault_of(without), missing(tag::REQUESTED_SOP_INSTANCE));
    let without = action().uid(tag::REQUESTED_SOP_INSTANCE, "1.2").finish();
    assert_eq!(fault_of(without), missing(tag::ACTION_TYPE));
}

//! Command sets: strict, so that what decodes encodes to the very bytes it came from.

use kuva_core::command::{Command, CommandSet, Priority, SubOperations, build};
use kuva_core::limits::COMMAND_SET_LENGTH_MAX;

use super::made::{CT, VERIFICATION};

/// The input is a whole command set; also the body of one with its group length put right.
pub fn check(data: &[u8]) {
    judge(data);
    let length = (data.len() as u32).to_le_bytes();
    judge(&[&[0, 0, 0, 0, 4, 0, 0, 0][..], &length, data].concat());
}

fn judge(bytes: &[u8]) {
    match CommandSet::decode(bytes) {
        Ok(set) => understood(&set, bytes),
        Err(error) => assert!(error.offset <= bytes.len().min(COMMAND_SET_LENGTH_MAX)),
    }
}

fn understood(set: &CommandSet, bytes: &[u8]) {
    assert_eq!(set.encode(), bytes);
    let elements: Vec<(u16, &[u8])> = set.elements().collect();
    let length: usize = elements.iter().map(|(_, value)| 8 + value.len()).sum();
    assert_eq!(length + 12, bytes.len());
    assert!(elements.iter().all(|(number, value)| set.value(*number) == Some(value)));
    if let Ok(command) = Command::of(set) {
        assert_eq!(command.has_data_set(), set.announces_data_set());
    }
    if let Some(answer) = build::response(set, 0x0110, Some("processing failure"), &[0x0008_0018]) {
        let bytes = answer.encode();
        assert_eq!(CommandSet::decode(&bytes), Ok(answer));
    }
}

/// The commands that we send.
pub fn seeds() -> Vec<Vec<u8>> {
    let progress =
        SubOperations { remaining: Some(1), completed: Some(2), ..SubOperations::default() };
    let sets = [
        build::c_echo_rq(1),
        build::c_echo_rsp(1, 0),
        build::c_store_rq(2, CT, "1.2.3", Priority::Medium, None),
        build::c_store_rsp(2, CT, "1.2.3", 0xC000, Some("unreadable"), &[0x0010_0020]),
        build::c_get_rq(3, VERIFICATION, Priority::High),
        build::c_get_rsp(3, VERIFICATION, 0xFF00, progress, true),
        build::n_action_rq(4, CT, "1.2.3", 1),
        build::n_event_report_rq(5, CT, "1.2.3", 2),
        build::c_cancel_rq(3),
    ];
    sets.iter().map(CommandSet::encode).flat_map(|bytes| [bytes[12..].to_vec(), bytes]).collect()
}

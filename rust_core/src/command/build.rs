//! Builders of the command sets that we send.

use super::{
    CommandSet, CommandSetBuilder, DATA_SET, MoveOriginator, NO_DATA_SET, Priority, SubOperations,
    field, tag,
};
use crate::limits::ERROR_COMMENT_LENGTH_MAX;

/// The Verification SOP class (PS3.4 A.4).
const VERIFICATION: &str = "1.2.840.10008.1.1";

/// C-ECHO-RQ (PS3.7 9.3.5.1).
pub fn c_echo_rq(message_id: u16) -> CommandSet {
    request(field::C_ECHO_RQ, message_id, VERIFICATION, NO_DATA_SET).finish()
}

/// C-ECHO-RSP (PS3.7 9.3.5.2).
pub fn c_echo_rsp(message_id: u16, status: u16) -> CommandSet {
    answer(field::C_ECHO_RSP, message_id, status)
        .uid(tag::AFFECTED_SOP_CLASS, VERIFICATION)
        .finish()
}

/// C-STORE-RQ (PS3.7 9.3.1.1).
pub fn c_store_rq(
    message_id: u16,
    sop_class: &str,
    sop_instance: &str,
    priority: Priority,
    move_originator: Option<&MoveOriginator>,
) -> CommandSet {
    let set = request(field::C_STORE_RQ, message_id, sop_class, DATA_SET)
        .uid(tag::AFFECTED_SOP_INSTANCE, sop_instance)
        .us(tag::PRIORITY, priority as u16);
    match move_originator {
        None => set.finish(),
        Some(originator) => set
            .text(tag::MOVE_ORIGINATOR, &originator.title)
            .us(tag::MOVE_ORIGINATOR_MESSAGE_ID, originator.message_id)
            .finish(),
    }
}

/// C-STORE-RSP (PS3.7 9.3.1.2); comment and offending elements as in [`response`].
pub fn c_store_rsp(
    message_id: u16,
    sop_class: &str,
    sop_instance: &str,
    status: u16,
    comment: Option<&str>,
    offending: &[u32],
) -> CommandSet {
    let set = answer(field::C_STORE_RSP, message_id, status)
        .uid(tag::AFFECTED_SOP_CLASS, sop_class)
        .uid(tag::AFFECTED_SOP_INSTANCE, sop_instance);
    explained(set, comment, offending).finish()
}

/// C-GET-RQ (PS3.7 9.3.3.1); the identifier follows.
pub fn c_get_rq(message_id: u16, sop_class: &str, priority: Priority) -> CommandSet {
    request(field::C_GET_RQ, message_id, sop_class, DATA_SET)
        .us(tag::PRIORITY, priority as u16)
        .finish()
}

/// C-GET-RSP (PS3.7 9.3.3.2); `has_data_set` if a list of failed instances follows.
pub fn c_get_rsp(
    message_id: u16,
    sop_class: &str,
    status: u16,
    sub_operations: SubOperations,
    has_data_set: bool,
) -> CommandSet {
    answer(field::C_GET_RSP, message_id, status)
        .uid(tag::AFFECTED_SOP_CLASS, sop_class)
        .us(tag::DATA_SET_TYPE, if has_data_set { DATA_SET } else { NO_DATA_SET })
        .us_if(tag::REMAINING, sub_operations.remaining)
        .us_if(tag::COMPLETED, sub_operations.completed)
        .us_if(tag::FAILED, sub_operations.failed)
        .us_if(tag::WARNING, sub_operations.warning)
        .finish()
}

/// N-EVENT-REPORT-RQ (PS3.7 10.3.1.1); the event information follows.
pub fn n_event_report_rq(
    message_id: u16,
    sop_class: &str,
    sop_instance: &str,
    event_type: u16,
) -> CommandSet {
    request(field::N_EVENT_REPORT_RQ, message_id, sop_class, DATA_SET)
        .uid(tag::AFFECTED_SOP_INSTANCE, sop_instance)
        .us(tag::EVENT_TYPE, event_type)
        .finish()
}

/// N-ACTION-RQ (PS3.7 10.3.5.1); the action information follows.
pub fn n_action_rq(
    message_id: u16,
    sop_class: &str,
    sop_instance: &str,
    action_type: u16,
) -> CommandSet {
    CommandSetBuilder::new()
        .uid(tag::REQUESTED_SOP_CLASS, sop_class)
        .us(tag::COMMAND_FIELD, field::N_ACTION_RQ)
        .us(tag::MESSAGE_ID, message_id)
        .us(tag::DATA_SET_TYPE, DATA_SET)
        .uid(tag::REQUESTED_SOP_INSTANCE, sop_instance)
        .us(tag::ACTION_TYPE, action_type)
        .finish()
}

/// C-CANCEL-RQ of a C-FIND, C-MOVE or C-GET by its message id (PS3.7 9.3.2.3).
pub fn c_cancel_rq(message_id_responded: u16) -> CommandSet {
    CommandSetBuilder::new()
        .us(tag::COMMAND_FIELD, field::C_CANCEL_RQ)
        .us(tag::MESSAGE_ID_RESPONDED, message_id_responded)
        .us(tag::DATA_SET_TYPE, NO_DATA_SET)
        .finish()
}

/// The response, without data set, to any request: its UIDs are echoed as affected ones, as far as
/// it has them.
///
/// `comment` becomes Error Comment, cut to what LO holds, characters outside printable ASCII and
/// backslashes left out; `offending` are tags, `(group << 16) | element`. `None` if `request` is
/// no request that can be answered (a response, a cancel, no message id).
pub fn response(
    request: &CommandSet,
    status: u16,
    comment: Option<&str>,
    offending: &[u32],
) -> Option<CommandSet> {
    let command_field = request.us(tag::COMMAND_FIELD)?;
    if command_field & field::RESPONSE != 0 || command_field == field::C_CANCEL_RQ {
        return None;
    }
    let message_id = request.us(tag::MESSAGE_ID)?;
    let mut set = answer(command_field | field::RESPONSE, message_id, status);
    for (affected, requested) in [
        (tag::AFFECTED_SOP_CLASS, tag::REQUESTED_SOP_CLASS),
        (tag::AFFECTED_SOP_INSTANCE, tag::REQUESTED_SOP_INSTANCE),
    ] {
        if let Some(uid) = request.uid(affected).or_else(|| request.uid(requested)) {
            set = set.uid(affected, &uid);
        }
    }
    Some(explained(set, comment, offending).finish())
}

fn request(field: u16, message_id: u16, sop_class: &str, data_set_type: u16) -> CommandSetBuilder {
    CommandSetBuilder::new()
        .uid(tag::AFFECTED_SOP_CLASS, sop_class)
        .us(tag::COMMAND_FIELD, field)
        .us(tag::MESSAGE_ID, message_id)
        .us(tag::DATA_SET_TYPE, data_set_type)
}

fn answer(field: u16, message_id: u16, status: u16) -> CommandSetBuilder {
    CommandSetBuilder::new()
        .us(tag::COMMAND_FIELD, field)
        .us(tag::MESSAGE_ID_RESPONDED, message_id)
        .us(tag::DATA_SET_TYPE, NO_DATA_SET)
        .us(tag::STATUS, status)
}

fn explained(
    mut set: CommandSetBuilder,
    comment: Option<&str>,
    offending: &[u32],
) -> CommandSetBuilder {
    if let Some(comment) = comment {
        // A backslash would make two values of one (PS3.5 6.2, LO).
        let allowed = |c: &char| matches!(c, ' '..='~') && *c != '\\';
        let text: String = comment.chars().filter(allowed).take(ERROR_COMMENT_LENGTH_MAX).collect();
        set = set.text(tag::ERROR_COMMENT, &text);
    }
    if !offending.is_empty() {
        set = set.tags(tag::OFFENDING_ELEMENT, offending);
    }
    set
}

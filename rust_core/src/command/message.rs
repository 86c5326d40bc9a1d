//! What a command set means: the message it opens, as typed values.

use super::error::{CommandError, CommandErrorKind};
use super::{CommandSet, field, tag};
use crate::instance::Uid;
use crate::refusal::{Entry, command};

/// Priority of an operation (PS3.7 E.1): asked for, promised by nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u16)]
pub enum Priority {
    /// MEDIUM.
    #[default]
    Medium = 0,
    /// HIGH.
    High = 1,
    /// LOW.
    Low = 2,
}

/// Who asked for the C-MOVE of which a C-STORE is a sub-operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveOriginator {
    /// Its AE title.
    pub title: String,
    /// Message ID of its C-MOVE-RQ.
    pub message_id: u16,
}

/// Counters of sub-operations (PS3.7 9.1.3, 9.1.4). `None` where the element is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct SubOperations {
    /// Remaining; only in pending and cancelled responses.
    pub remaining: Option<u16>,
    /// Completed.
    pub completed: Option<u16>,
    /// Failed.
    pub failed: Option<u16>,
    /// Completed with a warning.
    pub warning: Option<u16>,
}

/// Why a message cannot be done although it can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandFault {
    /// What a refusal of it says.
    pub entry: &'static Entry,
    /// Element at fault, `(group << 16) | element`.
    pub offending: u32,
}

/// A command. Services we do not know are [`Command::Other`], so that they can be refused with a
/// status, or taken by a service that reads the command set itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The fields are the elements of PS3.7 section 9.3, by their names there.
pub enum Command {
    CEchoRq {
        message_id: u16,
        sop_class: Uid,
    },
    CEchoRsp {
        message_id_responded: u16,
        status: u16,
    },
    CStoreRq {
        message_id: u16,
        sop_class: Uid,
        sop_instance: Uid,
        priority: Priority,
        move_originator: Option<MoveOriginator>,
    },
    CStoreRsp {
        message_id_responded: u16,
        sop_instance: Option<Uid>,
        status: u16,
    },
    CGetRq {
        message_id: u16,
        sop_class: Uid,
        priority: Priority,
    },
    CGetRsp {
        message_id_responded: u16,
        status: u16,
        sub_operations: SubOperations,
        has_data_set: bool,
    },
    NEventReportRq {
        message_id: u16,
        sop_class: Uid,
        sop_instance: Uid,
        event_type: u16,
        has_data_set: bool,
    },
    NEventReportRsp {
        message_id_responded: u16,
        status: u16,
        has_data_set: bool,
    },
    NActionRq {
        message_id: u16,
        sop_class: Uid,
        sop_instance: Uid,
        action_type: u16,
        has_data_set: bool,
    },
    NActionRsp {
        message_id_responded: u16,
        status: u16,
        has_data_set: bool,
    },
    CCancelRq {
        message_id_responded: u16,
    },
    /// A command of another service.
    Other {
        command_field: u16,
        /// Message ID; of a response, Message ID Being Responded To.
        message_id: u16,
        has_data_set: bool,
    },
    /// A request of a service we know, with an element missing or mistyped.
    Malformed {
        command_field: u16,
        message_id: u16,
        has_data_set: bool,
        fault: CommandFault,
    },
}

impl Command {
    /// The meaning of a command set.
    ///
    /// Fails only if the message could be neither delimited nor answered, or is none that has an
    /// answer: a fault in a response must never be answered by a response.
    pub fn of(set: &CommandSet) -> Result<Self, CommandError> {
        let unanswerable = CommandError { offset: 0, kind: CommandErrorKind::Unanswerable };
        let command_field = set.us(tag::COMMAND_FIELD).ok_or(unanswerable)?;
        set.us(tag::DATA_SET_TYPE).ok_or(unanswerable)?;
        let answers = command_field & field::RESPONSE != 0 || command_field == field::C_CANCEL_RQ;
        let id_tag = if answers { tag::MESSAGE_ID_RESPONDED } else { tag::MESSAGE_ID };
        let message_id = set.us(id_tag).ok_or(unanswerable)?;
        let has_data_set = set.announces_data_set();
        match parse(set, command_field, message_id, has_data_set) {
            Ok(command) => Ok(command),
            Err(_) if answers => Err(CommandError { offset: 0, kind: CommandErrorKind::Response }),
            Err(fault) => Ok(Self::Malformed { command_field, message_id, has_data_set, fault }),
        }
    }

    /// Whether a data set follows on the same presentation context.
    pub fn has_data_set(&self) -> bool {
        match self {
            Self::CStoreRq { .. } | Self::CGetRq { .. } => true,
            Self::CEchoRq { .. }
            | Self::CEchoRsp { .. }
            | Self::CStoreRsp { .. }
            | Self::CCancelRq { .. } => false,
            Self::CGetRsp { has_data_set, .. }
            | Self::NEventReportRq { has_data_set, .. }
            | Self::NEventReportRsp { has_data_set, .. }
            | Self::NActionRq { has_data_set, .. }
            | Self::NActionRsp { has_data_set, .. }
            | Self::Other { has_data_set, .. }
            | Self::Malformed { has_data_set, .. } => *has_data_set,
        }
    }
}

fn parse(
    set: &CommandSet,
    command_field: u16,
    message_id: u16,
    has_data_set: bool,
) -> Result<Command, CommandFault> {
    let message_id_responded = message_id;
    Ok(match command_field {
        field::C_ECHO_RQ => {
            announced(has_data_set, false)?;
            Command::CEchoRq { message_id, sop_class: uid(set, tag::AFFECTED_SOP_CLASS)? }
        }
        field::C_ECHO_RSP => {
            announced(has_data_set, false)?;
            Command::CEchoRsp { message_id_responded, status: us(set, tag::STATUS)? }
        }
        field::C_STORE_RQ => {
            announced(has_data_set, true)?;
            c_store_rq(set, message_id)?
        }
        field::C_STORE_RSP => {
            announced(has_data_set, false)?;
            let sop_instance = set.uid(tag::AFFECTED_SOP_INSTANCE);
            let status = us(set, tag::STATUS)?;
            Command::CStoreRsp { message_id_responded, sop_instance, status }
        }
        field::C_GET_RQ => {
            announced(has_data_set, true)?;
            let sop_class = uid(set, tag::AFFECTED_SOP_CLASS)?;
            Command::CGetRq { message_id, sop_class, priority: priority(set)? }
        }
        field::C_GET_RSP => {
            let sub_operations = sub_operations(set)?;
            let status = us(set, tag::STATUS)?;
            Command::CGetRsp { message_id_responded, status, sub_operations, has_data_set }
        }
        field::C_CANCEL_RQ => {
            announced(has_data_set, false)?;
            Command::CCancelRq { message_id_responded }
        }
        _ => return normalised(set, command_field, message_id, has_data_set),
    })
}

/// Event Information and Action Information are the service's to demand (PS3.7 10.1).
fn normalised(
    set: &CommandSet,
    command_field: u16,
    message_id: u16,
    has_data_set: bool,
) -> Result<Command, CommandFault> {
    let message_id_responded = message_id;
    Ok(match command_field {
        field::N_EVENT_REPORT_RQ => Command::NEventReportRq {
            message_id,
            sop_class: uid(set, tag::AFFECTED_SOP_CLASS)?,
            sop_instance: uid(set, tag::AFFECTED_SOP_INSTANCE)?,
            event_type: us(set, tag::EVENT_TYPE)?,
            has_data_set,
        },
        field::N_EVENT_REPORT_RSP => {
            let status = us(set, tag::STATUS)?;
            Command::NEventReportRsp { message_id_responded, status, has_data_set }
        }
        field::N_ACTION_RQ => Command::NActionRq {
            message_id,
            sop_class: uid(set, tag::REQUESTED_SOP_CLASS)?,
            sop_instance: uid(set, tag::REQUESTED_SOP_INSTANCE)?,
            action_type: us(set, tag::ACTION_TYPE)?,
            has_data_set,
        },
        field::N_ACTION_RSP => {
            let status = us(set, tag::STATUS)?;
            Command::NActionRsp { message_id_responded, status, has_data_set }
        }
        _ => Command::Other { command_field, message_id, has_data_set },
    })
}

fn c_store_rq(set: &CommandSet, message_id: u16) -> Result<Command, CommandFault> {
    let originator = set.text(tag::MOVE_ORIGINATOR).filter(|title| !title.is_empty());
    let move_originator = originator.zip(set.us(tag::MOVE_ORIGINATOR_MESSAGE_ID));
    Ok(Command::CStoreRq {
        message_id,
        sop_class: uid(set, tag::AFFECTED_SOP_CLASS)?,
        sop_instance: uid(set, tag::AFFECTED_SOP_INSTANCE)?,
        priority: priority(set)?,
        move_originator: move_originator
            .map(|(title, message_id)| MoveOriginator { title: title.to_owned(), message_id }),
    })
}

/// A wrong Command Data Set Type for the service: the message is delimited by what it says, and
/// refused by what it should have said.
fn announced(has_data_set: bool, wanted: bool) -> Result<(), CommandFault> {
    let fault =
        CommandFault { entry: &command::ELEMENT_VALUE, offending: tag::DATA_SET_TYPE.into() };
    if has_data_set == wanted { Ok(()) } else { Err(fault) }
}

fn fault(set: &CommandSet, element: u16) -> CommandFault {
    let entry = match set.value(element) {
        None | Some([]) => &command::ELEMENT_MISSING,
        Some(_) => &command::ELEMENT_MISTYPED,
    };
    CommandFault { entry, offending: element.into() }
}

fn us(set: &CommandSet, element: u16) -> Result<u16, CommandFault> {
    set.us(element).ok_or_else(|| fault(set, element))
}

fn uid(set: &CommandSet, element: u16) -> Result<Uid, CommandFault> {
    set.uid(element).ok_or_else(|| fault(set, element))
}

/// Absent means medium: nothing depends on it, and old senders leave it out.
fn priority(set: &CommandSet) -> Result<Priority, CommandFault> {
    let offending = tag::PRIORITY.into();
    match set.us(tag::PRIORITY) {
        None if set.value(tag::PRIORITY).is_some() => Err(fault(set, tag::PRIORITY)),
        None | Some(0) => Ok(Priority::Medium),
        Some(1) => Ok(Priority::High),
        Some(2) => Ok(Priority::Low),
        Some(_) => Err(CommandFault { entry: &command::ELEMENT_VALUE, offending }),
    }
}

fn sub_operations(set: &CommandSet) -> Result<SubOperations, CommandFault> {
    let counter = |element| match set.value(element) {
        None => Ok(None),
        Some(_) => us(set, element).map(Some),
    };
    Ok(SubOperations {
        remaining: counter(tag::REMAINING)?,
        completed: counter(tag::COMPLETED)?,
        failed: counter(tag::FAILED)?,
        warning: counter(tag::WARNING)?,
    })
}

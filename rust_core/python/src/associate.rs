//! What an association says to policy, as frozen Python objects.

use kuva_core::command::{CommandSet, tag};
use kuva_core::intake::peer::DataSet;
use kuva_core::intake::{Heard, Share};
use kuva_core::pdu::{self, ContextResult, UserInformation};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
#[derive(Clone)]
pub struct ProposedContext {
    context_id: u8,
    abstract_syntax: String,
    transfer_syntaxes: Vec<String>,
    crowded: bool,
}

/// See the stub.
#[pyclass(frozen, module = "gateway._core")]
#[derive(Clone)]
pub struct ProposedContextSpec(pub pdu::PresentationContextProposed);

#[pymethods]
impl ProposedContextSpec {
    #[new]
    fn new(context_id: u8, abstract_syntax: String, transfer_syntaxes: Vec<String>) -> Self {
        let syntaxes = transfer_syntaxes.into_iter().map(Into::into).collect();
        Self(pdu::PresentationContextProposed::new(context_id, abstract_syntax, syntaxes))
    }
}

/// See the stub.
#[pyclass(frozen, get_all, from_py_object, module = "gateway._core")]
#[derive(Clone)]
pub struct AnsweredContext {
    pub context_id: u8,
    pub result: u8,
    pub transfer_syntax: String,
}

#[pymethods]
impl AnsweredContext {
    #[new]
    fn new(context_id: u8, result: u8, transfer_syntax: String) -> Self {
        Self { context_id, result, transfer_syntax }
    }
}

/// See the stub.
#[pyclass(frozen, get_all, from_py_object, module = "gateway._core")]
#[derive(Clone)]
pub struct Role {
    pub sop_class: String,
    pub scu: bool,
    pub scp: bool,
}

#[pymethods]
impl Role {
    #[new]
    fn new(sop_class: String, scu: bool, scp: bool) -> Self {
        Self { sop_class, scu, scp }
    }
}

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct AssociateRequested {
    protocol_version: u16,
    application_context: String,
    called: Option<String>,
    calling: Option<String>,
    contexts: Vec<ProposedContext>,
    roles: Vec<Role>,
    pdu_length_max: u32,
    operations_window: Option<(u16, u16)>,
    extended: Vec<(String, Vec<u8>)>,
    user_identity: Option<(u8, bool)>,
    implementation_class_uid: String,
    implementation_version_name: String,
}

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct AssociateAccepted {
    contexts: Vec<AnsweredContext>,
    roles: Vec<Role>,
    pdu_length_max: u32,
    operations_window: Option<(u16, u16)>,
    implementation_class_uid: String,
    implementation_version_name: String,
}

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct AssociateRejected {
    result: u8,
    source: u8,
    reason: u8,
}

/// See the stub.
#[pyclass(frozen, module = "gateway._core")]
pub struct CommandReceived {
    #[pyo3(get)]
    context_id: u8,
    #[pyo3(get)]
    command_field: u16,
    #[pyo3(get)]
    message_id: Option<u16>,
    #[pyo3(get)]
    message_id_responded_to: Option<u16>,
    #[pyo3(get)]
    sop_class: Option<String>,
    #[pyo3(get)]
    sop_instance: Option<String>,
    #[pyo3(get)]
    requested_sop_class: Option<String>,
    #[pyo3(get)]
    requested_sop_instance: Option<String>,
    #[pyo3(get)]
    action_type: Option<u16>,
    #[pyo3(get)]
    event_type: Option<u16>,
    #[pyo3(get)]
    status: Option<u16>,
    #[pyo3(get)]
    error_comment: Option<String>,
    #[pyo3(get)]
    offending_elements: Vec<u32>,
    #[pyo3(get)]
    priority: Option<u16>,
    #[pyo3(get)]
    data_set: Option<Py<PyBytes>>,
    /// Given back when Python lets go of the command, and so of its data set.
    _share: Option<Share>,
}

/// See the stub.
#[pyclass(frozen, module = "gateway._core")]
pub struct ReleaseRequested;

/// See the stub.
#[pyclass(frozen, module = "gateway._core")]
pub struct Released;

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct Aborted {
    source: u8,
    reason: u8,
}

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct Failed {
    code: &'static str,
    what: String,
    offset: u64,
    answer: Py<PyBytes>,
}

/// One thing heard, as its Python object.
pub fn event(py: Python<'_>, heard: Heard) -> PyResult<Py<PyAny>> {
    Ok(match heard {
        Heard::Requested(rq) => Py::new(py, requested(*rq))?.into_any(),
        Heard::Accepted(ac) => Py::new(py, accepted(*ac))?.into_any(),
        Heard::Rejected(rj) => {
            let (result, source, reason) = (rj.result, rj.source, rj.reason);
            Py::new(py, AssociateRejected { result, source, reason })?.into_any()
        }
        Heard::Command(context_id, command, data_set) => {
            Py::new(py, received(py, context_id, &command, data_set))?.into_any()
        }
        Heard::ReleaseRequested => Py::new(py, ReleaseRequested)?.into_any(),
        Heard::Released => Py::new(py, Released)?.into_any(),
        Heard::Aborted(abort) => {
            Py::new(py, Aborted { source: abort.source, reason: abort.reason })?.into_any()
        }
        Heard::Failed(failure) => {
            let answer = failure.answer.map(|abort| abort.encode()).unwrap_or_default();
            let answer = PyBytes::new(py, &answer).unbind();
            let (code, what) = (failure.entry.code, failure.entry.text.to_owned());
            Py::new(py, Failed { code, what, offset: failure.offset, answer })?.into_any()
        }
    })
}

fn requested(rq: pdu::AssociateRq) -> AssociateRequested {
    let information = rq.user_information;
    let extended = information.extended.iter();
    let identity = information.user_identity.as_ref();
    AssociateRequested {
        protocol_version: rq.protocol_version,
        application_context: rq.application_context,
        called: rq.called.name().ok().map(str::to_owned),
        calling: rq.calling.name().ok().map(str::to_owned),
        contexts: rq.contexts.into_iter().map(proposed).collect(),
        roles: roles(&information),
        pdu_length_max: information.maximum_length,
        operations_window: information.asynchronous_operations,
        extended: extended.map(|e| (e.sop_class.to_string(), e.information.clone())).collect(),
        user_identity: identity.map(|u| (u.kind, u.response_requested)),
        implementation_class_uid: text(information.implementation_class_uid.as_deref()),
        implementation_version_name: text(information.implementation_version_name.as_deref()),
    }
}

fn proposed(context: pdu::PresentationContextProposed) -> ProposedContext {
    ProposedContext {
        context_id: context.id,
        abstract_syntax: context.abstract_syntax.to_string(),
        transfer_syntaxes: context.transfer_syntaxes.iter().map(|t| t.to_string()).collect(),
        crowded: context.too_many_transfer_syntaxes,
    }
}

fn accepted(ac: pdu::AssociateAc) -> AssociateAccepted {
    let information = ac.user_information;
    AssociateAccepted {
        contexts: ac.contexts.into_iter().map(answered).collect(),
        roles: roles(&information),
        pdu_length_max: information.maximum_length,
        operations_window: information.asynchronous_operations,
        implementation_class_uid: text(information.implementation_class_uid.as_deref()),
        implementation_version_name: text(information.implementation_version_name.as_deref()),
    }
}

fn answered(context: pdu::PresentationContextAnswered) -> AnsweredContext {
    AnsweredContext {
        context_id: context.id,
        result: context.result as u8,
        transfer_syntax: text(context.transfer_syntax.as_deref()),
    }
}

fn roles(information: &UserInformation) -> Vec<Role> {
    let roles = information.roles.iter();
    roles.map(|r| Role { sop_class: r.sop_class.to_string(), scu: r.scu, scp: r.scp }).collect()
}

fn received(
    py: Python<'_>,
    context_id: u8,
    command: &CommandSet,
    data_set: Option<DataSet>,
) -> CommandReceived {
    let uid = |tag| command.uid(tag).map(|uid| uid.to_string());
    let (bytes, share) = data_set.map(|d| (d.bytes, d.share)).unzip();
    CommandReceived {
        context_id,
        command_field: command.us(tag::COMMAND_FIELD).unwrap_or_default(),
        message_id: command.us(tag::MESSAGE_ID),
        message_id_responded_to: command.us(tag::MESSAGE_ID_RESPONDED),
        sop_class: uid(tag::AFFECTED_SOP_CLASS),
        sop_instance: uid(tag::AFFECTED_SOP_INSTANCE),
        requested_sop_class: uid(tag::REQUESTED_SOP_CLASS),
        requested_sop_instance: uid(tag::REQUESTED_SOP_INSTANCE),
        action_type: command.us(tag::ACTION_TYPE),
        event_type: command.us(tag::EVENT_TYPE),
        status: command.us(tag::STATUS),
        error_comment: command.text(tag::ERROR_COMMENT).map(|t| t.to_string()),
        offending_elements: command.tags(tag::OFFENDING_ELEMENT),
        priority: command.us(tag::PRIORITY),
        data_set: bytes.map(|bytes| PyBytes::new(py, &bytes).unbind()),
        _share: share.flatten(),
    }
}

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().to_owned()
}

/// A presentation context result of PS3.8 Table 9-18.
pub fn context_result(result: u8) -> Option<ContextResult> {
    use ContextResult::{
        AbstractSyntaxNotSupported, Acceptance, NoReason, TransferSyntaxesNotSupported,
        UserRejection,
    };
    let all = [
        Acceptance,
        UserRejection,
        NoReason,
        AbstractSyntaxNotSupported,
        TransferSyntaxesNotSupported,
    ];
    all.into_iter().find(|known| *known as u8 == result)
}

//! `Association`: engine, receive buffer and lane of one association, lent to the event loop.

use std::ffi::c_int;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kuva_core::association::AssociationLimits;
use kuva_core::command::{
    CommandSet, CommandSetBuilder, DATA_SET, MoveOriginator, NO_DATA_SET, Priority, build, tag,
};
use kuva_core::implementation;
use kuva_core::intake::counters::Counters;
use kuva_core::intake::lane::Lane;
use kuva_core::intake::wake::WakeUps;
use kuva_core::intake::{Heard, Peer};
use kuva_core::pdu::{
    Abort, AeTitle, AssociateAc, AssociateRj, AssociateRq, PresentationContextAnswered,
    RoleSelection, SopClassExtended, UserInformation,
};
use kuva_core::refusal::comment::fit;
use kuva_core::transfer::StoreTransfer as CoreTransfer;
use pyo3::exceptions::{PyBufferError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::admission::Admission;
use super::associate::{AnsweredContext, ProposedContextSpec, Role, context_result, event};
use super::error::{self, LocalError};
use super::node::Node;
use super::source::{InstanceSource, StoreTransfer};

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct Progress {
    received: u64,
    sent: u64,
    outstanding: u32,
    in_message: bool,
    message: u64,
    message_received: u64,
    paused: bool,
}

struct Inner {
    peer: Peer,
    request: Option<Box<AssociateRq>>,
    handed_out: u64,
}

/// See the stub.
#[pyclass(frozen, module = "gateway._core")]
pub struct Association {
    inner: Mutex<Inner>,
    lane: Arc<Lane>,
}

impl Association {
    fn with(peer: Peer) -> Self {
        let lane = Arc::clone(peer.lane());
        Self { inner: Mutex::new(Inner { peer, request: None, handed_out: 0 }), lane }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that the event loop will write: counted, as Python's.
    fn out<'py>(&self, py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyBytes> {
        self.lock().handed_out += bytes.len() as u64;
        PyBytes::new(py, bytes)
    }
}

#[pymethods]
impl Association {
    #[staticmethod]
    fn acceptor(node: &Node, number: u64) -> Self {
        let intake = node.intake();
        let (wake, counters) = (Arc::clone(&intake.wake), Arc::clone(&intake.counters));
        let lane = Arc::new(Lane::new(number, wake, counters));
        Self::with(Peer::acceptor(Arc::clone(intake), lane, AssociationLimits::default()))
    }

    #[staticmethod]
    fn keeping_nothing() -> PyResult<Self> {
        let wake = Arc::new(WakeUps::new()?);
        let lane = Arc::new(Lane::new(0, wake, Arc::new(Counters::default())));
        Ok(Self::with(Peer::keeping_nothing(lane, AssociationLimits::default())))
    }

    #[staticmethod]
    #[pyo3(signature = (*, called, calling, contexts, operations_window=None, roles=None))]
    fn requestor<'py>(
        py: Python<'py>,
        called: &str,
        calling: &str,
        contexts: Vec<PyRef<'_, ProposedContextSpec>>,
        operations_window: Option<(u16, u16)>,
        roles: Option<Vec<Role>>,
    ) -> PyResult<(Self, Bound<'py, PyBytes>)> {
        let wake = Arc::new(WakeUps::new()?);
        let lane = Arc::new(Lane::new(0, wake, Arc::new(Counters::default())));
        let contexts = contexts.iter().map(|spec| spec.0.clone()).collect();
        let information = user_information(operations_window, &roles.unwrap_or_default());
        let rq = AssociateRq::new(title(called)?, title(calling)?, contexts, information);
        let (peer, request) = Peer::requestor(&rq, lane, AssociationLimits::default());
        Ok((Self::with(peer), PyBytes::new(py, &request)))
    }

    /// Lend the free part of the receive buffer, writable.
    ///
    /// # Safety
    /// `view` is a valid, unused Py_buffer, as CPython promises to `bf_getbuffer`.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let (pointer, length) = slf.get().lock().peer.free();
        let length = isize::try_from(length)?;
        if length == 0 {
            return Err(PyBufferError::new_err("the receive buffer is full: reading is paused"));
        }
        // SAFETY: the memory lives as long as this object, which the view keeps alive (PyBuffer_FillInfo
        // takes a reference). The event loop writes to it only between `get_buffer` and
        // `buffer_updated`, when nothing in Rust looks at the free part.
        let filled =
            unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), pointer.cast(), length, 0, flags) };
        if filled == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }

    fn buffer_updated<'py>(
        &self,
        py: Python<'py>,
        nbytes: usize,
    ) -> PyResult<Option<Bound<'py, PyList>>> {
        let mut inner = self.lock();
        let heard = inner.peer.buffer_updated(nbytes);
        if heard.is_empty() && !inner.peer.paused() {
            return Ok(None); // the common path
        }
        drop(inner);
        self.events(py, heard).map(Some)
    }

    fn resume<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let heard = self.lock().peer.resume();
        self.events(py, heard)
    }

    fn connect_output(&self, fd: Option<RawFd>) -> PyResult<()> {
        let Some(fd) = fd else {
            self.lane.share();
            return Ok(());
        };
        // SAFETY: the caller's open descriptor; it is only borrowed to be duplicated.
        let socket = unsafe { BorrowedFd::borrow_raw(fd) };
        Ok(self.lane.connect(socket)?)
    }

    #[pyo3(signature = (contexts, roles, operations_window, extended, user_identity_answered, admission))]
    #[expect(clippy::too_many_arguments, reason = "an A-ASSOCIATE-AC has these parts")]
    fn accept<'py>(
        &self,
        py: Python<'py>,
        contexts: Vec<AnsweredContext>,
        roles: Vec<Role>,
        operations_window: Option<(u16, u16)>,
        extended: Vec<(String, Vec<u8>)>,
        user_identity_answered: bool,
        admission: Option<&Admission>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut information = user_information(operations_window, &roles);
        let item = |(sop_class, information): (String, Vec<u8>)| SopClassExtended {
            sop_class: sop_class.into(),
            information,
        };
        information.extended = extended.into_iter().map(item).collect();
        information.user_identity_answer = user_identity_answered.then(Vec::new);
        let contexts = contexts.iter().map(answered).collect::<PyResult<Vec<_>>>()?;
        let mut inner = self.lock();
        let rq = inner.request.take().ok_or_else(|| LocalError::new_err("nothing to accept"))?;
        let ac = AssociateAc::answering(&rq, contexts, information);
        let bytes = inner.peer.engine().accept(&ac).map_err(error::protocol)?;
        let window = operations_window.map_or(1, |(invoked, _)| invoked);
        inner.peer.admit(admission.map(|admission| Arc::clone(&admission.0)), window);
        drop(inner);
        Ok(self.out(py, &bytes))
    }

    fn reject<'py>(
        &self,
        py: Python<'py>,
        result: u8,
        source: u8,
        reason: u8,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let rj = AssociateRj { result, source, reason };
        let bytes = self.lock().peer.engine().reject(rj).map_err(error::protocol)?;
        Ok(self.out(py, &bytes))
    }

    fn abort<'py>(&self, py: Python<'py>, source: u8, reason: u8) -> Bound<'py, PyBytes> {
        // Where there is no association to abort, closing the transport says it all.
        let bytes = self.lock().peer.engine().abort(Abort { source, reason }).unwrap_or_default();
        self.out(py, &bytes)
    }

    fn release<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.lock().peer.engine().release_request().map_err(error::protocol)?;
        Ok(self.out(py, &bytes))
    }

    fn release_response<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = self.lock().peer.engine().release_response().map_err(error::protocol)?;
        Ok(self.out(py, &bytes))
    }

    fn closed(&self) {
        self.lock().peer.closed();
    }

    #[pyo3(signature = (sop_class, transfer_syntax, scu=true))]
    fn context_for(&self, sop_class: &str, transfer_syntax: &str, scu: bool) -> Option<u8> {
        let mut inner = self.lock();
        let mut contexts = inner.peer.engine().contexts();
        contexts
            .find(|(_, context)| {
                &*context.abstract_syntax == sop_class
                    && &*context.transfer_syntax == transfer_syntax
                    && (!scu || context.we_may_be_scu)
            })
            .map(|(id, _)| id)
    }

    fn contexts(&self, sop_class: &str) -> Vec<String> {
        let mut inner = self.lock();
        let contexts = inner.peer.engine().contexts();
        contexts
            .filter(|(_, c)| &*c.abstract_syntax == sop_class && c.we_may_be_scu)
            .map(|(_, context)| context.transfer_syntax.to_string())
            .collect()
    }

    #[pyo3(signature = (context_id, command_field, message_id_responded_to, sop_class, status, *,
                        sop_instance=None, error_comment=None, offending=None,
                        sub_operations=None, data_set=None))]
    #[expect(clippy::too_many_arguments, reason = "a DIMSE response has these parts")]
    fn response<'py>(
        &self,
        py: Python<'py>,
        context_id: u8,
        command_field: u16,
        message_id_responded_to: u16,
        sop_class: Option<&str>,
        status: u16,
        sop_instance: Option<&str>,
        error_comment: Option<&str>,
        offending: Option<u32>,
        sub_operations: Option<(Option<u16>, u16, u16, u16)>,
        data_set: Option<&[u8]>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.lane.share();
        let command = CommandSetBuilder::new()
            .us(tag::COMMAND_FIELD, command_field)
            .us(tag::MESSAGE_ID_RESPONDED, message_id_responded_to)
            .us(tag::DATA_SET_TYPE, if data_set.is_some() { DATA_SET } else { NO_DATA_SET })
            .us(tag::STATUS, status);
        let command = described(command, sop_class, sop_instance, error_comment, offending);
        let command = counted(command, sub_operations);
        let mut inner = self.lock();
        let engine = inner.peer.engine();
        let mut bytes = engine.command(context_id, &command.finish()).map_err(error::protocol)?;
        if let Some(data_set) = data_set {
            engine.outgoing().data_set(context_id, data_set, true, &mut bytes);
        }
        drop(inner);
        Ok(self.out(py, &bytes))
    }

    fn echo_request<'py>(
        &self,
        py: Python<'py>,
        context_id: u8,
        message_id: u16,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let command = build::c_echo_rq(message_id);
        let bytes = self.lock().peer.engine().command(context_id, &command);
        Ok(self.out(py, &bytes.map_err(error::protocol)?))
    }

    #[pyo3(signature = (context_id, message_id, *, sop_class, sop_instance, event_type, data_set))]
    #[expect(clippy::too_many_arguments, reason = "an N-EVENT-REPORT-RQ has these parts")]
    fn n_event_report<'py>(
        &self,
        py: Python<'py>,
        context_id: u8,
        message_id: u16,
        sop_class: &str,
        sop_instance: &str,
        event_type: u16,
        data_set: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let command = build::n_event_report_rq(message_id, sop_class, sop_instance, event_type);
        self.message(py, context_id, &command, data_set)
    }

    #[pyo3(signature = (context_id, message_id, *, sop_class, sop_instance, action_type, data_set))]
    #[expect(clippy::too_many_arguments, reason = "an N-ACTION-RQ has these parts")]
    fn n_action<'py>(
        &self,
        py: Python<'py>,
        context_id: u8,
        message_id: u16,
        sop_class: &str,
        sop_instance: &str,
        action_type: u16,
        data_set: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let command = build::n_action_rq(message_id, sop_class, sop_instance, action_type);
        self.message(py, context_id, &command, data_set)
    }

    fn abstract_syntax(&self, context_id: u8) -> Option<String> {
        let mut inner = self.lock();
        Some(inner.peer.engine().context(context_id)?.abstract_syntax.to_string())
    }

    /// Which of an accepted context's two roles are ours: (SCU, SCP).
    fn roles(&self, context_id: u8) -> Option<(bool, bool)> {
        let mut inner = self.lock();
        let context = inner.peer.engine().context(context_id)?;
        Some((context.we_may_be_scu, context.we_may_be_scp))
    }

    #[pyo3(signature = (context_id, message_id, source, *, move_originator=None))]
    fn store(
        &self,
        context_id: u8,
        message_id: u16,
        source: &InstanceSource,
        move_originator: Option<(String, u16)>,
    ) -> PyResult<StoreTransfer> {
        self.lane.share();
        let originator =
            move_originator.map(|(title, message_id)| MoveOriginator { title, message_id });
        let (class, instance) = (source.sop_class(), source.sop_instance());
        let command =
            build::c_store_rq(message_id, class, instance, Priority::Medium, originator.as_ref());
        let outgoing = self.lock().peer.engine().outgoing();
        let (reader, length) = source.open()?;
        let transfer = CoreTransfer::new(reader, length, context_id, outgoing, &command);
        Ok(StoreTransfer::new(transfer))
    }

    fn progress(&self) -> Progress {
        let inner = self.lock();
        let (message, message_received) = inner.peer.message();
        Progress {
            received: inner.peer.received(),
            sent: inner.handed_out + self.lane.sent(),
            outstanding: self.lane.outstanding(),
            in_message: inner.peer.in_message(),
            message,
            message_received,
            paused: inner.peer.paused(),
        }
    }
}

impl Association {
    /// A command with its data set, as ready PDUs. From now on workers hand their answers over,
    /// so that none comes between its fragments (PS3.8 E.2).
    fn message<'py>(
        &self,
        py: Python<'py>,
        context_id: u8,
        command: &CommandSet,
        data_set: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.lane.share();
        let mut inner = self.lock();
        let engine = inner.peer.engine();
        let mut bytes = engine.command(context_id, command).map_err(error::protocol)?;
        engine.outgoing().data_set(context_id, data_set, true, &mut bytes);
        drop(inner);
        Ok(self.out(py, &bytes))
    }

    fn events<'py>(&self, py: Python<'py>, heard: Vec<Heard>) -> PyResult<Bound<'py, PyList>> {
        let events = PyList::empty(py);
        for one in heard {
            if let Heard::Requested(rq) = &one {
                self.lock().request = Some(rq.clone());
            }
            events.append(event(py, one)?)?;
        }
        Ok(events)
    }
}

fn described(
    mut command: CommandSetBuilder,
    sop_class: Option<&str>,
    sop_instance: Option<&str>,
    error_comment: Option<&str>,
    offending: Option<u32>,
) -> CommandSetBuilder {
    if let Some(uid) = sop_class {
        command = command.uid(tag::AFFECTED_SOP_CLASS, uid);
    }
    if let Some(uid) = sop_instance {
        command = command.uid(tag::AFFECTED_SOP_INSTANCE, uid);
    }
    if let Some(element) = offending {
        command = command.tags(tag::OFFENDING_ELEMENT, &[element]);
    }
    match error_comment {
        Some(comment) => command.text(tag::ERROR_COMMENT, &fit(comment)),
        None => command,
    }
}

fn counted(
    command: CommandSetBuilder,
    sub_operations: Option<(Option<u16>, u16, u16, u16)>,
) -> CommandSetBuilder {
    let Some((remaining, completed, failed, warning)) = sub_operations else { return command };
    command
        .us_if(tag::REMAINING, remaining)
        .us(tag::COMPLETED, completed)
        .us(tag::FAILED, failed)
        .us(tag::WARNING, warning)
}

fn user_information(window: Option<(u16, u16)>, roles: &[Role]) -> UserInformation {
    let role = |role: &Role| RoleSelection {
        sop_class: role.sop_class.as_str().into(),
        scu: role.scu,
        scp: role.scp,
    };
    UserInformation {
        maximum_length: kuva_core::limits::PDU_LENGTH_MAX_OURS,
        implementation_class_uid: Some(implementation::CLASS_UID.into()),
        implementation_version_name: Some(implementation::VERSION_NAME.into()),
        asynchronous_operations: window,
        roles: roles.iter().map(role).collect(),
        ..UserInformation::default()
    }
}

fn title(name: &str) -> PyResult<AeTitle> {
    AeTitle::new(name).ok_or_else(|| PyValueError::new_err(format!("{name:?} is no AE title")))
}

fn answered(context: &AnsweredContext) -> PyResult<PresentationContextAnswered> {
    let AnsweredContext { context_id, result, transfer_syntax } = context;
    let unknown = || PyValueError::new_err(format!("no presentation context result {result}"));
    let refusal = context_result(*result).ok_or_else(unknown)?;
    Ok(if *result == 0 {
        PresentationContextAnswered::accepted(*context_id, transfer_syntax.as_str())
    } else {
        PresentationContextAnswered::refused(*context_id, refusal)
    })
}

//! Volumes: assembly, verification and scan, for Python.

use std::ffi::c_int;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kuva_core::volume::{self, Contents, VolumeError};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::error::{self, LocalError};
use super::flush::{Captured, captured_elements};

/// See the stub.
#[pyclass(frozen, module = "gateway._core")]
pub struct Assembly {
    inner: Mutex<volume::Assembly>,
    #[pyo3(get)]
    length: u64,
}

impl Assembly {
    /// To be driven by Python.
    pub fn new(assembly: volume::Assembly) -> Self {
        let length = assembly.contents().length;
        Self { inner: Mutex::new(assembly), length }
    }

    fn lock(&self) -> MutexGuard<'_, volume::Assembly> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Assembly {
    fn next(&self, py: Python<'_>) -> PyResult<Option<Piece>> {
        let piece = py.detach(|| self.lock().next_piece());
        Ok(piece.map_err(|error| error::assembly(py, error))?.map(Piece))
    }

    fn finish(&self, py: Python<'_>) -> PyResult<Assembled> {
        let assembled = self.lock().finish().map_err(|error| error::assembly(py, error))?;
        Ok(Assembled { summary: Summary::of(py, &assembled.contents, assembled.digest), assembled })
    }
}

/// See the stub.
#[pyclass(frozen, module = "gateway._core")]
pub struct Piece(volume::Piece);

#[pymethods]
impl Piece {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    /// Lend the bytes, to be read.
    ///
    /// # Safety
    /// `view` is a valid, unused Py_buffer, as CPython promises to `bf_getbuffer`.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let bytes: &[u8] = &slf.get().0;
        let (start, length) = (bytes.as_ptr().cast_mut(), isize::try_from(bytes.len())?);
        // SAFETY: the memory lives as long as this object, which the view keeps alive
        // (PyBuffer_FillInfo takes a reference); nobody writes to it: the view is read-only.
        let filled =
            unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), start.cast(), length, 1, flags) };
        if filled == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}

/// What assembly and scan tell alike.
struct Summary {
    digest: Py<PyBytes>,
    block: Py<PyBytes>,
    length: u64,
    instances: usize,
    data_length: u64,
    received: (i64, i64),
}

impl Summary {
    fn of(py: Python<'_>, contents: &Contents, digest: [u8; 32]) -> Self {
        Self {
            digest: PyBytes::new(py, &digest).unbind(),
            block: PyBytes::new(py, &contents.block).unbind(),
            length: contents.length,
            instances: contents.instances.len(),
            data_length: contents.data_length(),
            received: contents.received(),
        }
    }
}

/// See the stub.
#[pyclass(frozen, module = "gateway._core")]
pub struct Assembled {
    summary: Summary,
    assembled: volume::Assembled,
}

#[pymethods]
impl Assembled {
    #[getter]
    fn digest(&self, py: Python<'_>) -> Py<PyBytes> {
        self.summary.digest.clone_ref(py)
    }

    #[getter]
    fn block(&self, py: Python<'_>) -> Py<PyBytes> {
        self.summary.block.clone_ref(py)
    }

    #[getter]
    fn length(&self) -> u64 {
        self.summary.length
    }

    #[getter]
    fn instances(&self) -> usize {
        self.summary.instances
    }

    #[getter]
    fn data_length(&self) -> u64 {
        self.summary.data_length
    }

    #[getter]
    fn received_from(&self) -> i64 {
        self.summary.received.0
    }

    #[getter]
    fn received_to(&self) -> i64 {
        self.summary.received.1
    }

    fn verification(&self) -> Verification {
        Verification(Mutex::new(Some(volume::Verification::new(&self.assembled))))
    }
}

/// See the stub.
#[pyclass(frozen, module = "gateway._core")]
pub struct Verification(Mutex<Option<volume::Verification>>);

#[pymethods]
impl Verification {
    fn feed(&self, py: Python<'_>, buffer: PyBuffer<u8>) -> PyResult<()> {
        feed(py, &buffer, &self.0, volume::Verification::feed)
    }

    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| take(&self.0)?.finish().map_err(error::volume))
    }
}

/// See the stub.
#[pyclass(frozen, module = "gateway._core")]
pub struct VolumeScan(Mutex<Option<volume::VolumeScan>>);

#[pymethods]
impl VolumeScan {
    #[new]
    fn new(locator_key: [u8; 16]) -> Self {
        Self(Mutex::new(Some(volume::VolumeScan::new(locator_key))))
    }

    fn feed(&self, py: Python<'_>, buffer: PyBuffer<u8>) -> PyResult<()> {
        feed(py, &buffer, &self.0, volume::VolumeScan::feed)
    }

    fn finish(&self, py: Python<'_>) -> PyResult<VolumeContents> {
        let found = py.detach(|| take(&self.0)?.finish().map_err(error::volume))?;
        Ok(VolumeContents::new(py, found))
    }
}

/// Gives the bytes of a buffer to what reads a volume, without holding the interpreter.
fn feed<T: Send>(
    py: Python<'_>,
    buffer: &PyBuffer<u8>,
    reader: &Mutex<Option<T>>,
    take: impl FnOnce(&mut T, &[u8]) -> Result<(), VolumeError> + Send,
) -> PyResult<()> {
    if !buffer.is_c_contiguous() {
        return Err(PyValueError::new_err("the buffer is not contiguous"));
    }
    let (at, length) = (buffer.buf_ptr() as usize, buffer.len_bytes());
    py.detach(|| {
        let bytes = match length {
            0 => &[][..],
            // SAFETY: the buffer view keeps that memory alive and in place while it is held, which is
            // longer than this call. That nobody writes to it meanwhile is asked of the caller in
            // the stub, as `hashlib` asks it, which also reads without the interpreter.
            _ => unsafe { std::slice::from_raw_parts(at as *const u8, length) },
        };
        let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = reader.as_mut().ok_or_else(finished)?;
        take(reader, bytes).map_err(error::volume)
    })
}

fn take<T>(reader: &Mutex<Option<T>>) -> PyResult<T> {
    reader.lock().unwrap_or_else(PoisonError::into_inner).take().ok_or_else(finished)
}

fn finished() -> PyErr {
    LocalError::new_err("it is finished already")
}

/// See the stub.
#[pyclass(frozen, get_all, module = "gateway._core")]
pub struct VolumeContents {
    volume: String,
    vault: Py<PyBytes>,
    study: String,
    planned_at: i64,
    quarantined: bool,
    supersedes: Vec<String>,
    digest: Py<PyBytes>,
    length: u64,
    block: Py<PyBytes>,
    instances: usize,
    data_length: u64,
    received_from: i64,
    received_to: i64,
    locator_hashes: Vec<i64>,
    captured: Vec<Captured>,
}

impl VolumeContents {
    fn new(py: Python<'_>, found: volume::VolumeContents) -> Self {
        let Summary { digest, block, length, instances, data_length, received } =
            Summary::of(py, &found.contents, found.digest);
        let description = &found.contents.description;
        Self {
            volume: description.volume.to_string(),
            vault: PyBytes::new(py, &description.vault.0).unbind(),
            study: description.study.to_string(),
            planned_at: description.planned_at,
            quarantined: description.quarantined,
            supersedes: description.supersedes.iter().map(|id| id.to_string()).collect(),
            digest,
            length,
            block,
            instances,
            data_length,
            received_from: received.0,
            received_to: received.1,
            locator_hashes: found.locator_hashes,
            captured: captured_elements(py, &found.captured),
        }
    }
}

/// A plan as Python tells it.
pub fn description(
    volume: &str,
    vault: [u8; 16],
    study: &str,
    planned_at: i64,
    quarantined: bool,
    supersedes: &[String],
) -> volume::Description {
    volume::Description {
        volume: volume.into(),
        vault: kuva_core::instance::VaultId(vault),
        study: Arc::from(study),
        planned_at,
        quarantined,
        supersedes: supersedes.iter().map(|id| id.as_str().into()).collect(),
    }
}

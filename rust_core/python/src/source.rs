//! Instances on their way out: from the journal, from a volume or from a Part 10 file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use kuva_core::instance::{ReceiveId, Uid};
use kuva_core::intake::Intake;
use kuva_core::part10::FileMeta;
use kuva_core::transfer::StoreTransfer as CoreTransfer;
use kuva_core::volume::{ReadStored, StoredPlace, StoredReader};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::error;

enum Place {
    File(PathBuf, u64),
    Journal(Arc<Intake>, ReceiveId),
    Volume(StoredPlace, Py<PyAny>),
}

/// See the stub.
#[pyclass(frozen, module = "gateway._core")]
pub struct InstanceSource {
    #[pyo3(get)]
    length: u64,
    sop_class: Uid,
    sop_instance: Uid,
    transfer_syntax: Uid,
    place: Place,
}

impl InstanceSource {
    /// The instance in this node's journal; InstanceAbsentError if it is not there.
    pub fn in_journal(intake: &Arc<Intake>, id: ReceiveId) -> PyResult<Self> {
        let kept = intake.journal.instance(id).map_err(error::journal)?;
        let kept = &kept.ok_or_else(|| error::absent(id))?.particulars;
        Ok(Self {
            length: kept.length,
            sop_class: Arc::clone(&kept.content.sop_class),
            sop_instance: Arc::clone(&kept.identity.sop_instance),
            transfer_syntax: Arc::clone(&kept.content.transfer_syntax),
            place: Place::Journal(Arc::clone(intake), id),
        })
    }

    /// A reader of its data set, and how long that is.
    pub fn open(&self) -> PyResult<(Box<dyn Read + Send>, u64)> {
        let reader: Box<dyn Read + Send> = match &self.place {
            Place::File(path, offset) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(*offset))?;
                Box::new(file)
            }
            Place::Journal(intake, id) => {
                let reader = intake.journal.reader(*id).map_err(error::journal)?;
                Box::new(reader.ok_or_else(|| error::absent(*id))?)
            }
            Place::Volume(place, read) => {
                let read = Python::attach(|py| read.clone_ref(py));
                Box::new(StoredReader::new(*place, stored(read)))
            }
        };
        Ok((reader, self.length))
    }

    /// SOP class.
    pub fn sop_class(&self) -> &str {
        &self.sop_class
    }

    /// SOP Instance UID.
    pub fn sop_instance(&self) -> &str {
        &self.sop_instance
    }
}

/// Reads through a Python callback; what it raises comes out again as it is.
fn stored(read: Py<PyAny>) -> ReadStored {
    Box::new(move |offset, length| {
        Python::attach(|py| {
            let bytes = read.call1(py, (offset, length)).map_err(io::Error::other)?;
            let bytes = bytes.bind(py).extract::<&[u8]>();
            let bytes = bytes.map_err(|error| io::Error::other(PyErr::from(error)))?;
            Ok(bytes.to_vec())
        })
    })
}

#[pymethods]
impl InstanceSource {
    #[staticmethod]
    #[pyo3(signature = (*, sop_class, sop_instance, transfer_syntax, offset, length, digest, ranges_offset, read))]
    #[expect(clippy::too_many_arguments, reason = "named in Python")]
    fn from_volume(
        sop_class: &str,
        sop_instance: &str,
        transfer_syntax: &str,
        offset: u64,
        length: u64,
        digest: [u8; 16],
        ranges_offset: Option<u64>,
        read: Py<PyAny>,
    ) -> Self {
        Self {
            length,
            sop_class: sop_class.into(),
            sop_instance: sop_instance.into(),
            transfer_syntax: transfer_syntax.into(),
            place: Place::Volume(StoredPlace { offset, length, digest, ranges_offset }, read),
        }
    }

    #[staticmethod]
    fn from_file(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let read = py.detach(|| {
            let file = File::open(&path)?;
            let length = file.metadata()?.len();
            let meta = FileMeta::read(&mut BufReader::with_capacity(4096, file))?;
            Ok((meta, length))
        });
        let (meta, file_length) = read.map_err(|error| error::file(&path, error))?;
        Ok(Self {
            length: file_length.saturating_sub(meta.data_set_offset),
            sop_class: meta.sop_class,
            sop_instance: meta.sop_instance,
            transfer_syntax: meta.transfer_syntax,
            place: Place::File(path, meta.data_set_offset),
        })
    }

    #[getter(sop_class)]
    fn py_sop_class(&self) -> &str {
        &self.sop_class
    }

    #[getter(sop_instance)]
    fn py_sop_instance(&self) -> &str {
        &self.sop_instance
    }

    #[getter]
    fn transfer_syntax(&self) -> &str {
        &self.transfer_syntax
    }
}

/// See the stub.
#[pyclass(frozen, module = "gateway._core")]
pub struct StoreTransfer(Mutex<CoreTransfer>);

impl StoreTransfer {
    /// A transfer to be driven by Python.
    pub fn new(transfer: CoreTransfer) -> Self {
        Self(Mutex::new(transfer))
    }
}

#[pymethods]
impl StoreTransfer {
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let piece =
            py.detach(|| self.0.lock().unwrap_or_else(PoisonError::into_inner).next_piece());
        let piece = piece.map_err(error::reading)?;
        Ok(piece.map(|bytes| PyBytes::new(py, &bytes)))
    }
}

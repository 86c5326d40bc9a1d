//! Captured elements of many data sets, each different one once: instances of a study have most in
//! common.

use std::collections::HashSet;
use std::sync::Arc;

use crate::instance::CapturedElement;
use crate::volume::error::VolumeError;

/// Different captured elements of one volume, bytes with what it takes to keep them.
const CAPTURED_LENGTH_MAX: usize = 128 << 20;
/// What it takes to keep one, beside its value.
const OVERHEAD: usize = 96;

/// The elements of one data set.
pub type Captured = Box<[Arc<CapturedElement>]>;

/// The different ones so far.
#[derive(Default)]
pub struct Interned {
    known: HashSet<Arc<CapturedElement>>,
    length: usize,
}

impl Interned {
    /// The same elements, shared.
    ///
    /// # Errors
    /// If they are too many together: no volume of ours has so many different ones.
    pub fn intern(&mut self, elements: Vec<CapturedElement>) -> Result<Captured, VolumeError> {
        elements.into_iter().map(|element| self.one(element)).collect()
    }

    fn one(&mut self, element: CapturedElement) -> Result<Arc<CapturedElement>, VolumeError> {
        if let Some(known) = self.known.get(&element) {
            return Ok(Arc::clone(known));
        }
        self.length += element.value.len() + OVERHEAD;
        if self.length > CAPTURED_LENGTH_MAX {
            return Err(VolumeError::new("too many different captured elements"));
        }
        let element = Arc::new(element);
        self.known.insert(Arc::clone(&element));
        Ok(element)
    }
}

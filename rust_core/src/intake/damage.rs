//! Damage: kept bytes that are no longer what was received.

use super::equivalence::ComparisonError;
use super::node::Intake;
use crate::instance::ReceiveId;
use crate::journal::JournalError;

impl Intake {
    /// Reads an instance to its end; false if it is not in this journal. Blocking; constant memory.
    ///
    /// # Errors
    /// `Rot` if it is not what was received, `Io` if it cannot be read.
    pub fn verify(&self, id: ReceiveId) -> Result<bool, JournalError> {
        let Some(mut reader) = self.journal.reader(id)? else { return Ok(false) };
        let mut piece = Vec::new();
        while reader.read_chunk(&mut piece)? > 0 {
            piece.clear();
        }
        Ok(true)
    }

    /// From now on nothing rests on the bytes of this instance: sent again, it is kept again.
    pub fn damaged(&self, id: ReceiveId) {
        self.studies().table.damaged(id);
    }

    /// Where this journal keeps again what was kept as `id`; an error if it does not know of `id`.
    pub fn rescue_of(&self, id: ReceiveId) -> Result<Option<ReceiveId>, ComparisonError> {
        let table = &self.studies().table;
        if table.holds(id) { Ok(table.rescue_of(id)) } else { Err(ComparisonError::Absent(id)) }
    }
}

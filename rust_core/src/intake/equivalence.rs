//! Equivalence: what sets a quarantined newcomer apart from the kept instance it conflicts with.

use std::sync::Arc;

use super::node::Intake;
use crate::dataset::difference::DifferenceError;
use crate::dataset::transfer_syntax::{self, TransferSyntax};
use crate::dataset::{Comparison, differences};
use crate::instance::{ReceiveId, StudyKey};
use crate::journal::{InstanceReader, JournalError};

/// Why two instances could not be compared.
#[derive(Debug)]
pub enum ComparisonError {
    /// One of them is not in this journal.
    Absent(ReceiveId),
    /// The journal could not be read.
    Journal(JournalError),
    /// One of them could not be read to its end as a data set.
    Unreadable(DifferenceError),
}

impl From<JournalError> for ComparisonError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

impl Intake {
    /// Element by element, at most `limit` differences. Blocking; constant memory.
    pub fn compare(
        &self,
        kept: ReceiveId,
        newcomer: ReceiveId,
        limit: usize,
    ) -> Result<Comparison, ComparisonError> {
        let (before_syntax, mut before) = self.side(kept)?;
        let (after_syntax, mut after) = self.side(newcomer)?;
        differences(&mut before, before_syntax, &mut after, after_syntax, limit)
            .map_err(ComparisonError::Unreadable)
    }

    /// From now on the content of this newcomer is an accepted encoding of the kept instance.
    pub fn accept_equivalent(&self, newcomer: ReceiveId) -> Result<(), ComparisonError> {
        let kept = self.journal.instance(newcomer)?.ok_or(ComparisonError::Absent(newcomer))?;
        let particulars = &kept.particulars;
        let study = Arc::clone(&particulars.identity.study);
        let key = StudyKey { vault: particulars.vault, study };
        let sop_instance = &particulars.identity.sop_instance;
        self.studies().table.accept_equivalent(&key, sop_instance, &particulars.content);
        Ok(())
    }

    fn side(
        &self,
        id: ReceiveId,
    ) -> Result<(&'static TransferSyntax, InstanceReader), ComparisonError> {
        let reader = self.journal.reader(id)?.ok_or(ComparisonError::Absent(id))?;
        let syntax = transfer_syntax::of(&reader.kept().particulars.content.transfer_syntax);
        Ok((syntax.ok_or(ComparisonError::Absent(id))?, reader))
    }
}

//! What an accepted association may do: its vault, its sender's names, its rules.

use crate::instance::{Sender, VaultId};
use crate::rules::RuleSet;

/// Decided once by policy when an association is accepted, shared by all its instances.
#[derive(Debug)]
pub struct Admission {
    /// Where its instances belong.
    pub vault: VaultId,
    /// Who sends them, for the record.
    pub sender: Sender,
    /// The content rules with their severities for this sender.
    pub rules: RuleSet,
}

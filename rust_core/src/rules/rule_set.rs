//! The rule set: which rules refuse and which flag, for one profile and AE.

use super::table::{RULES, Rule, RuleId, Severity};

/// Severities to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// The normal default.
    Strict,
    /// For old archives: what can be read is kept, and flagged.
    Migration,
}

/// Why no rule set could be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleError {
    /// No rule has this code.
    Unknown(String),
    /// The rule refuses always; no profile may change that.
    AlwaysRefuses(&'static str),
    /// The code was given twice.
    Repeated(&'static str),
}

impl std::fmt::Display for RuleError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RuleError::Unknown(code) => write!(f, "no content rule is called {code:?}"),
            RuleError::AlwaysRefuses(code) => {
                write!(f, "content rule {code} always refuses: its severity cannot be set")
            }
            RuleError::Repeated(code) => write!(f, "content rule {code} is set twice"),
        }
    }
}

impl std::error::Error for RuleError {}

/// Severities compiled to a mask of the rules that refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleSet {
    refusing: u64,
}

impl From<Preset> for RuleSet {
    fn from(preset: Preset) -> Self {
        let refuses = |rule: &&Rule| match preset {
            Preset::Strict => rule.strict == Severity::Refuse,
            Preset::Migration => rule.migration == Severity::Refuse,
        };
        Self { refusing: RULES.iter().filter(refuses).map(Rule::mask).sum() }
    }
}

impl RuleSet {
    /// A preset with some severities set by code.
    ///
    /// # Errors
    /// [`RuleError`] for an unknown or repeated code, or a rule that always refuses (even if
    /// it is asked to do so: a profile must not look as if it had a say).
    pub fn from_pairs<'a>(
        preset: Preset,
        pairs: impl IntoIterator<Item = (&'a str, Severity)>,
    ) -> Result<Self, RuleError> {
        let mut set = Self::from(preset);
        let mut given = 0;
        for (code, severity) in pairs {
            let rule = RULES
                .iter()
                .find(|rule| rule.code == code)
                .ok_or_else(|| RuleError::Unknown(code.to_owned()))?;
            if rule.always_refuses {
                return Err(RuleError::AlwaysRefuses(rule.code));
            }
            if given & rule.mask() != 0 {
                return Err(RuleError::Repeated(rule.code));
            }
            given |= rule.mask();
            set.set(rule, severity);
        }
        Ok(set)
    }

    fn set(&mut self, rule: &Rule, severity: Severity) {
        match severity {
            Severity::Refuse => self.refusing |= rule.mask(),
            Severity::Flag => self.refusing &= !rule.mask(),
        }
    }

    /// What this set says of a rule.
    pub fn severity(&self, id: RuleId) -> Severity {
        if self.refusing & id.rule().mask() != 0 { Severity::Refuse } else { Severity::Flag }
    }
}

/// Codes of the rules whose bits are set in `flags`, in the order of [`RULES`].
pub fn codes_of(flags: u64) -> impl Iterator<Item = &'static str> {
    RULES.iter().filter(move |rule| flags & rule.mask() != 0).map(|rule| rule.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_differ_where_old_archives_need_it_and_only_there() {
        let (strict, migration) = (RuleSet::from(Preset::Strict), RuleSet::from(Preset::Migration));
        assert_eq!(strict.severity(RuleId::DuplicateTag), Severity::Refuse);
        assert_eq!(migration.severity(RuleId::DuplicateTag), Severity::Flag);
        for rule in RULES.iter().filter(|rule| rule.always_refuses) {
            assert_eq!(migration.severity(rule.id), Severity::Refuse);
        }
    }

    #[test]
    fn pairs_set_severities_and_wrong_ones_are_named() {
        let set =
            |pairs: &[(&str, Severity)]| RuleSet::from_pairs(Preset::Strict, pairs.iter().copied());
        let harder = set(&[("tag-order", Severity::Refuse)]).unwrap();
        assert_eq!(harder.severity(RuleId::TagOrder), Severity::Refuse);
        let twice = [("tag-order", Severity::Flag); 2];
        assert_eq!(set(&twice), Err(RuleError::Repeated("tag-order")));
        assert_eq!(set(&[("nope", Severity::Flag)]), Err(RuleError::Unknown("nope".into())));
        for severity in [Severity::Flag, Severity::Refuse] {
            let fixed = set(&[("uid-invalid", severity)]);
            assert_eq!(fixed, Err(RuleError::AlwaysRefuses("uid-invalid")));
        }
    }

    #[test]
    fn flags_are_told_by_their_codes() {
        let flags = RuleId::OddLength.rule().mask() | RuleId::TagOrder.rule().mask();
        assert_eq!(codes_of(flags).collect::<Vec<_>>(), ["tag-order", "odd-length"]);
    }
}

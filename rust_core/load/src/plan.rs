//! The plan: what is sent, where, and how.

use std::path::PathBuf;

use serde::Deserialize;

/// All of a load. `Instance n` of association `a` belongs to the association's study `n / per_study`,
/// and sends template `n % templates`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Host name or address of the archive.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Called AE title.
    pub called: String,
    /// Calling AE title.
    pub calling: String,
    /// Associations, one thread each.
    pub associations: u32,
    /// C-STOREs sent and not yet answered, on one association; 1 = synchronous.
    pub window: u16,
    /// Longest P-DATA-TF body, bytes; shorter where the peer says so.
    pub pdu_length_max: u32,
    /// Instances on each association.
    pub instances_each: u32,
    /// No instance is begun after so many seconds.
    pub seconds_max: f64,
    /// Longest wait for one answer, seconds.
    pub answer_seconds_max: f64,
    /// Memory that is taken and given back just before the start, so that no archive pays for
    /// memory that the machine had handed back to its host, bytes.
    pub warm_bytes: usize,
    /// Instances of one study, all on one association.
    pub per_study: u32,
    /// Series of a study.
    pub series: u32,
    /// First characters of every UID, the same length as the marks less [`UID_NUMBER_LENGTH`].
    pub uid_prefix: String,
    /// What stands in the templates for the values that differ from instance to instance.
    pub marks: Marks,
    /// The data sets.
    pub templates: Vec<Template>,
    /// Whether, and how, storage commitment is asked for each study.
    #[serde(default)]
    pub commitment: Option<CommitmentPlan>,
}

/// Storage commitment of each study, asked on its association when all of it was answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitmentPlan {
    /// Where reports on associations of the archive's own come in; without it they are expected on
    /// the association on which was asked.
    pub listen_port: Option<u16>,
    /// Whether the next study waits for the report on the one before.
    pub await_each: bool,
    /// Longest wait for the next report, seconds.
    pub report_seconds_max: f64,
}

/// Digits at the end of a UID that tell studies, series and instances apart.
pub const UID_NUMBER_LENGTH: usize = 12;

/// Values to be replaced, each exactly once in every template.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marks {
    /// Study Instance UID.
    pub study: String,
    /// Series Instance UID.
    pub series: String,
    /// SOP Instance UID.
    pub sop_instance: String,
    /// Instance Number.
    pub number: String,
}

/// An encoded data set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// File that holds the data set alone.
    pub path: PathBuf,
    /// SOP class.
    pub sop_class: String,
    /// Transfer syntax.
    pub transfer_syntax: String,
}

/// Where an instance belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of its study in the whole load.
    pub study: u64,
    /// Number of its series in the whole load.
    pub series: u64,
    /// Its own number in the whole load.
    pub instance: u64,
    /// Its number in its study, from 1.
    pub number: u32,
}

impl Plan {
    /// The place of the association's `index`th instance. No two associations share a study.
    pub fn place(&self, association: u32, index: u32) -> Place {
        let study = u64::from(index / self.per_study) * u64::from(self.associations)
            + u64::from(association);
        let within = index % self.per_study;
        let series = u64::from(within) * u64::from(self.series) / u64::from(self.per_study);
        Place {
            study,
            series: study * u64::from(self.series) + series,
            instance: study * u64::from(self.per_study) + u64::from(within),
            number: within + 1,
        }
    }

    /// A UID of this load; `kind` tells studies (1), series (2), instances (3) and transactions (4)
    /// apart.
    pub fn uid(&self, kind: u8, number: u64) -> String {
        let width = UID_NUMBER_LENGTH - 1;
        format!("{}{kind}{number:0width$}", self.uid_prefix)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use super::*;

    pub(crate) fn plan() -> Plan {
        let uid = |digit: &str| format!("2.25.1{}", digit.repeat(37));
        Plan {
            host: "127.0.0.1".into(),
            port: 0,
            called: "CALLED".into(),
            calling: "CALLING".into(),
            associations: 3,
            window: 1,
            pdu_length_max: 131_072,
            instances_each: 10,
            seconds_max: 10.0,
            answer_seconds_max: 10.0,
            warm_bytes: 0,
            per_study: 4,
            series: 2,
            uid_prefix: format!("2.25.1{}", "7".repeat(25)),
            marks: Marks {
                study: uid("1"),
                series: uid("2"),
                sop_instance: uid("3"),
                number: "99999999".into(),
            },
            templates: Vec::new(),
            commitment: None,
        }
    }

    #[test]
    fn every_instance_has_a_uid_of_its_own_and_studies_stay_on_their_association() {
        let plan = plan();
        let mut instances = BTreeSet::new();
        let mut studies = BTreeSet::new();
        for association in 0..plan.associations {
            let places: Vec<_> = (0..10).map(|index| plan.place(association, index)).collect();
            instances.extend(places.iter().map(|place| plan.uid(3, place.instance)));
            let own: BTreeSet<_> = places.iter().map(|place| place.study).collect();
            assert_eq!(own.len(), 3);
            assert!(own.iter().all(|study| studies.insert(*study)));
        }
        assert_eq!(instances.len(), 30);
        assert!(instances.iter().all(|uid| uid.len() == plan.marks.sop_instance.len()));
    }

    #[test]
    fn the_series_of_a_study_share_its_instances() {
        let plan = plan();
        let series: Vec<_> = (0..8).map(|index| plan.place(1, index).series).collect();
        assert_eq!(series, [2, 2, 3, 3, 8, 8, 9, 9]);
    }
}

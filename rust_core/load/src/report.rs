//! The report: every answer with its latency, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

/// Refusals that are told in full.
pub const REFUSALS_TOLD_MAX: usize = 5;

/// All associations stand.
#[derive(Debug, Serialize)]
pub struct Said {
    pub event: &'static str,
    /// Longest P-DATA-TF body that is sent, bytes.
    pub pdu_length_max: u32,
    /// How the peer names itself, if it does.
    pub peer: Option<String>,
}

/// What came of the whole load.
#[derive(Debug, Serialize)]
pub struct Report {
    pub event: &'static str,
    /// From the start, when all associations stood, to the last response.
    pub seconds: f64,
    pub associations: Vec<Outcome>,
    /// Every commitment that was asked for, in order.
    pub commitments: Vec<Commitment>,
}

/// What came of one request for storage commitment; times are seconds since the start.
#[derive(Clone, Debug, Serialize)]
pub struct Commitment {
    pub association: u32,
    /// Instances that were asked for.
    pub items: u64,
    /// Bytes of their data sets.
    pub length: u64,
    /// When the last of them was answered.
    pub last_answer: f64,
    /// When the N-ACTION went out.
    pub asked: f64,
    /// When it was answered.
    pub answered: Option<f64>,
    /// With which status, as four hexadecimal digits.
    pub status: Option<String>,
    /// When the first N-EVENT-REPORT was there, whole.
    pub reported: Option<f64>,
    /// Further reports of it.
    pub repeats: u64,
    /// Instances that the report says are committed, among those that were asked for.
    pub committed: u64,
    /// Bytes of their data sets.
    pub committed_bytes: u64,
    /// Instances that it says failed, by reason, as four hexadecimal digits.
    pub failed: BTreeMap<String, u64>,
    /// Instances in it that were not asked for, or are there twice.
    pub strange: u64,
    /// Instances that were asked for and are not in it.
    pub unnamed: u64,
}

/// What came of one association.
#[derive(Debug, Default, Serialize)]
pub struct Outcome {
    /// C-STOREs sent whole.
    pub sent: u64,
    /// Bytes of data sets answered with success.
    pub stored_bytes: u64,
    /// Answers by status, as four hexadecimal digits.
    pub statuses: BTreeMap<String, u64>,
    /// Each answer: from the first byte of the request to its response, microseconds.
    pub latencies: Vec<u32>,
    /// The first refusals.
    pub refusals: Vec<Refusal>,
    /// Why it ended before its time.
    pub trouble: Option<String>,
}

/// An answer that was not success.
#[derive(Debug, Serialize)]
pub struct Refusal {
    pub sop_instance: String,
    pub status: String,
    pub comment: String,
}

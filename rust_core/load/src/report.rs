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

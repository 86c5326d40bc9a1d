//! The PDUs of fixed form: A-ASSOCIATE-RJ, A-RELEASE-RQ, A-RELEASE-RP, A-ABORT.

use super::error::PduError;
use super::reader::Reader;
use crate::refusal::{Answer, Entry};

/// A whole A-RELEASE-RQ PDU (PS3.8 9.3.6).
pub const RELEASE_RQ: [u8; 10] = [5, 0, 0, 0, 0, 4, 0, 0, 0, 0];
/// A whole A-RELEASE-RP PDU (PS3.8 9.3.7).
pub const RELEASE_RP: [u8; 10] = [6, 0, 0, 0, 0, 4, 0, 0, 0, 0];

/// An A-ASSOCIATE-RJ: the numbers of PS3.8 Table 9-21. Those of a peer are kept as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AssociateRj {
    /// 1 permanent, 2 transient.
    pub result: u8,
    /// 1 service user, 2 service provider (ACSE), 3 service provider (presentation).
    pub source: u8,
    /// Reason, in the meaning that the source gives it.
    pub reason: u8,
}

impl AssociateRj {
    /// Permanent, service user: no reason given.
    pub const NO_REASON: Self = Self { result: 1, source: 1, reason: 1 };
    /// Permanent, service user: application context name not supported.
    pub const APPLICATION_CONTEXT: Self = Self { result: 1, source: 1, reason: 2 };
    /// Permanent, service user: calling AE title not recognized.
    pub const CALLING_AE_TITLE: Self = Self { result: 1, source: 1, reason: 3 };
    /// Permanent, service user: called AE title not recognized.
    pub const CALLED_AE_TITLE: Self = Self { result: 1, source: 1, reason: 7 };
    /// Permanent, service provider (ACSE): protocol version not supported.
    pub const PROTOCOL_VERSION: Self = Self { result: 1, source: 2, reason: 2 };
    /// Transient, service provider (presentation): temporary congestion.
    pub const CONGESTION: Self = Self { result: 2, source: 3, reason: 1 };
    /// Transient, service provider (presentation): local limit exceeded.
    pub const LIMIT_EXCEEDED: Self = Self { result: 2, source: 3, reason: 2 };

    /// The PDU with its header.
    pub fn encode(&self) -> Vec<u8> {
        vec![3, 0, 0, 0, 0, 4, 0, self.result, self.source, self.reason]
    }

    /// From the body, four bytes.
    pub fn decode(body: &[u8]) -> Result<Self, PduError> {
        let [_, result, source, reason] = four(body)?;
        Ok(Self { result, source, reason })
    }
}

/// An A-ABORT (PS3.8 Table 9-26). The numbers of a peer are kept as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Abort {
    /// 0 service user, 2 service provider.
    pub source: u8,
    /// Reason, significant with source 2 only; see [`AbortReason`].
    pub reason: u8,
}

/// Why a service provider aborts (PS3.8 Table 9-26).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AbortReason {
    /// Reason not specified.
    NotSpecified = 0,
    /// Unrecognized PDU.
    UnrecognizedPdu = 1,
    /// Unexpected PDU.
    UnexpectedPdu = 2,
    /// Unrecognized PDU parameter.
    UnrecognizedParameter = 4,
    /// Unexpected PDU parameter.
    UnexpectedParameter = 5,
    /// Invalid PDU parameter value.
    InvalidParameterValue = 6,
}

impl Abort {
    /// The abort that an entry of the catalogue says; by the provider, without a reason, where it
    /// says none.
    pub const fn of(entry: &Entry) -> Self {
        match entry.answer {
            Answer::Abort(source, reason) => Self { source, reason },
            Answer::Status(_) | Answer::Reject(..) | Answer::Close | Answer::Counted => {
                Self { source: 2, reason: AbortReason::NotSpecified as u8 }
            }
        }
    }

    /// Abort by the service user; carries no reason.
    pub const USER: Self = Self { source: 0, reason: 0 };

    /// Abort by the service provider.
    pub fn provider(reason: AbortReason) -> Self {
        Self { source: 2, reason: reason as u8 }
    }

    /// The PDU with its header.
    pub fn encode(&self) -> Vec<u8> {
        vec![7, 0, 0, 0, 0, 4, 0, 0, self.source, self.reason]
    }

    /// From the body, four bytes.
    pub fn decode(body: &[u8]) -> Result<Self, PduError> {
        let [_, _, source, reason] = four(body)?;
        Ok(Self { source, reason })
    }
}

/// The body of a release carries nothing; its bytes are reserved and not tested (PS3.8 9.3.6).
pub(super) fn decode_release(body: &[u8]) -> Result<(), PduError> {
    four(body).map(|_| ())
}

fn four(body: &[u8]) -> Result<[u8; 4], PduError> {
    let mut reader = Reader::new(body);
    let fields = reader.array()?;
    reader.end()?;
    Ok(fields)
}

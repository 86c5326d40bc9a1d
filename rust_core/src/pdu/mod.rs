//! PDUs of the DICOM upper layer: the seven kinds and their items, bytes to nouns and back.
//!
//! Every parser is bounded by the slice it is given: a length field is compared with what is there
//! before anything is allocated, so a claim costs nothing (PS3.8 9.3, Annex D; PS3.7 D.3.3).
//! [`Pdu`] joins the kinds; the association engine uses the kinds one by one.

mod associate;
mod context;
mod data;
mod error;
mod plain;
mod reader;
mod title;
mod user_information;
mod writer;

pub use associate::{AssociateAc, AssociateRq, DICOM_APPLICATION_CONTEXT, PROTOCOL_VERSION_1};
pub use context::{ContextResult, PresentationContextAnswered, PresentationContextProposed};
pub(crate) use data::PdvHeader;
pub use data::{DataTf, PDV_HEADER_LENGTH, Pdv, write_data_header};
pub use error::{PduError, PduErrorKind};
pub use plain::{Abort, AbortReason};
pub use plain::{AssociateRj, RELEASE_RP, RELEASE_RQ};
pub use title::{AeTitle, TitleFault};
pub use user_information::{
    CommonExtended, RoleSelection, SopClassExtended, UserIdentity, UserInformation,
};

use crate::limits::ASSOCIATE_LENGTH_MAX;

/// Bytes before the body of every PDU: type, reserved, length (PS3.8 9.3.1).
pub const PDU_HEADER_LENGTH: usize = 6;

/// The seven PDU types (PS3.8 Table 9-11 and following), by their first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PduType {
    /// A-ASSOCIATE-RQ (PS3.8 9.3.2).
    AssociateRq = 1,
    /// A-ASSOCIATE-AC (PS3.8 9.3.3).
    AssociateAc = 2,
    /// A-ASSOCIATE-RJ (PS3.8 9.3.4).
    AssociateRj = 3,
    /// P-DATA-TF (PS3.8 9.3.5).
    DataTf = 4,
    /// A-RELEASE-RQ (PS3.8 9.3.6).
    ReleaseRq = 5,
    /// A-RELEASE-RP (PS3.8 9.3.7).
    ReleaseRp = 6,
    /// A-ABORT (PS3.8 9.3.8).
    Abort = 7,
}

impl PduType {
    /// The type that a first byte names; `None` if the standard names none.
    pub fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::AssociateRq),
            2 => Some(Self::AssociateAc),
            3 => Some(Self::AssociateRj),
            4 => Some(Self::DataTf),
            5 => Some(Self::ReleaseRq),
            6 => Some(Self::ReleaseRp),
            7 => Some(Self::Abort),
            0 | 8..=255 => None,
        }
    }

    /// Least and greatest body length of the type, bytes, where we receive at most
    /// `data_length_max` bytes in a P-DATA-TF.
    pub fn lengths(self, data_length_max: u32) -> (u32, u32) {
        match self {
            Self::AssociateRq | Self::AssociateAc => {
                (associate::FIXED_LENGTH as u32, ASSOCIATE_LENGTH_MAX as u32)
            }
            Self::AssociateRj | Self::ReleaseRq | Self::ReleaseRp | Self::Abort => (4, 4),
            Self::DataTf => (PDV_HEADER_LENGTH as u32, data_length_max),
        }
    }
}

/// Any PDU, whole.
#[derive(Clone, Debug, PartialEq)]
pub enum Pdu {
    /// A-ASSOCIATE-RQ.
    AssociateRq(Box<AssociateRq>),
    /// A-ASSOCIATE-AC.
    AssociateAc(Box<AssociateAc>),
    /// A-ASSOCIATE-RJ.
    AssociateRj(AssociateRj),
    /// P-DATA-TF.
    DataTf(DataTf),
    /// A-RELEASE-RQ.
    ReleaseRq,
    /// A-RELEASE-RP.
    ReleaseRp,
    /// A-ABORT.
    Abort(Abort),
}

impl Pdu {
    /// The PDU with its header, ready to send.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::AssociateRq(rq) => rq.encode(),
            Self::AssociateAc(ac) => ac.encode(),
            Self::AssociateRj(rj) => rj.encode(),
            Self::DataTf(data) => data.encode(),
            Self::ReleaseRq => RELEASE_RQ.to_vec(),
            Self::ReleaseRp => RELEASE_RP.to_vec(),
            Self::Abort(abort) => abort.encode(),
        }
    }

    /// One whole PDU, header included, and nothing behind it. A P-DATA-TF may have up to
    /// `data_length_max` bytes of body.
    pub fn decode(bytes: &[u8], data_length_max: u32) -> Result<Self, PduError> {
        let kind = bytes.first().and_then(|byte| PduType::of(*byte));
        let kind = kind.ok_or(PduError::at(0, PduErrorKind::UnknownType))?;
        let header: [u8; PDU_HEADER_LENGTH] = bytes
            .get(..PDU_HEADER_LENGTH)
            .and_then(|header| header.try_into().ok())
            .ok_or(PduError::at(bytes.len(), PduErrorKind::Short))?;
        let length = u32::from_be_bytes([header[2], header[3], header[4], header[5]]);
        let (least, greatest) = kind.lengths(data_length_max);
        if length < least || length > greatest {
            return Err(PduError::at(2, PduErrorKind::Length));
        }
        let body = &bytes[PDU_HEADER_LENGTH..];
        if body.len() != length as usize {
            return Err(PduError::at(2, PduErrorKind::Length));
        }
        Self::decode_body(kind, body).map_err(|error| error.shifted(PDU_HEADER_LENGTH))
    }

    /// The PDU of a type from its body (what follows the header). Offsets of errors count from the
    /// start of the body.
    pub fn decode_body(kind: PduType, body: &[u8]) -> Result<Self, PduError> {
        Ok(match kind {
            PduType::AssociateRq => Self::AssociateRq(Box::new(AssociateRq::decode(body)?)),
            PduType::AssociateAc => Self::AssociateAc(Box::new(AssociateAc::decode(body)?)),
            PduType::AssociateRj => Self::AssociateRj(AssociateRj::decode(body)?),
            PduType::DataTf => Self::DataTf(DataTf::decode(body)?),
            PduType::ReleaseRq => plain::decode_release(body).map(|()| Self::ReleaseRq)?,
            PduType::ReleaseRp => plain::decode_release(body).map(|()| Self::ReleaseRp)?,
            PduType::Abort => Self::Abort(Abort::decode(body)?),
        })
    }
}

//! A-ASSOCIATE-RQ and A-ASSOCIATE-AC (PS3.8 9.3.2, 9.3.3).

use super::context::{self, PresentationContextAnswered, PresentationContextProposed};
use super::error::{PduError, PduErrorKind};
use super::reader::Reader;
use super::title::AeTitle;
use super::user_information::UserInformation;
use super::writer::{item, pdu};

/// Bytes of body before the items: version, reserved, two AE titles, reserved.
pub(super) const FIXED_LENGTH: usize = 68;
const APPLICATION_CONTEXT: u8 = 0x10;
const USER_INFORMATION: u8 = 0x50;

/// The DICOM application context name (PS3.7 A.2.1).
pub const DICOM_APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
/// Version 1 of the upper layer protocol: bit 0 of the field.
pub const PROTOCOL_VERSION_1: u16 = 1;

/// An A-ASSOCIATE-RQ.
///
/// Version, application context and AE titles are not judged by the decoder: each has a reject
/// reason of its own, which needs the decoded request.
#[derive(Clone, Debug, PartialEq)]
pub struct AssociateRq {
    /// Bit field; see [`Self::speaks_version_1`].
    pub protocol_version: u16,
    /// Called AE title.
    pub called: AeTitle,
    /// Calling AE title.
    pub calling: AeTitle,
    /// Bytes 43 to 74, which an answer echoes.
    pub reserved: [u8; 32],
    /// Application context name, printable ASCII as sent.
    pub application_context: String,
    /// Proposed contexts in order, at least one.
    pub contexts: Vec<PresentationContextProposed>,
    /// User information.
    pub user_information: UserInformation,
}

/// An A-ASSOCIATE-AC. The AE title fields are reserved in it: they echo the request.
#[derive(Clone, Debug, PartialEq)]
pub struct AssociateAc {
    /// Bit field.
    pub protocol_version: u16,
    /// Echo of the request's called AE title; not tested when received.
    pub called: AeTitle,
    /// Echo of the request's calling AE title; not tested when received.
    pub calling: AeTitle,
    /// Echo of the request's bytes 43 to 74; not tested when received.
    pub reserved: [u8; 32],
    /// Application context name.
    pub application_context: String,
    /// Answered contexts in order, at least one.
    pub contexts: Vec<PresentationContextAnswered>,
    /// User information.
    pub user_information: UserInformation,
}

impl AssociateRq {
    /// A request of our own.
    pub fn new(
        called: AeTitle,
        calling: AeTitle,
        contexts: Vec<PresentationContextProposed>,
        user_information: UserInformation,
    ) -> Self {
        Self {
            protocol_version: PROTOCOL_VERSION_1,
            called,
            calling,
            reserved: [0; 32],
            application_context: DICOM_APPLICATION_CONTEXT.to_owned(),
            contexts,
            user_information,
        }
    }

    /// Whether the requestor speaks the only version there is (PS3.8 9.3.2: test bit 0 alone).
    pub fn speaks_version_1(&self) -> bool {
        self.protocol_version & PROTOCOL_VERSION_1 != 0
    }

    /// Whether the application context is DICOM's.
    pub fn is_dicom(&self) -> bool {
        self.application_context.trim_end() == DICOM_APPLICATION_CONTEXT
    }

    /// The PDU with its header.
    pub fn encode(&self) -> Vec<u8> {
        pdu(1, |out| {
            write_fixed(out, self.protocol_version, &self.called, &self.calling, &self.reserved);
            write_application_context(out, &self.application_context);
            self.contexts.iter().for_each(|context| context.write(out));
            item(out, USER_INFORMATION, 0, |out| self.user_information.write(out));
        })
    }

    /// From the body.
    pub fn decode(body: &[u8]) -> Result<Self, PduError> {
        let (fixed, items) = read(
            body,
            context::PROPOSED,
            PresentationContextProposed::read,
            |proposed: &PresentationContextProposed| proposed.id,
        )?;
        Ok(Self {
            protocol_version: fixed.protocol_version,
            called: fixed.called,
            calling: fixed.calling,
            reserved: fixed.reserved,
            application_context: items.application_context,
            contexts: items.contexts,
            user_information: items.user_information,
        })
    }
}

impl AssociateAc {
    /// The answer to a request, with all that it must echo.
    pub fn answering(
        rq: &AssociateRq,
        contexts: Vec<PresentationContextAnswered>,
        user_information: UserInformation,
    ) -> Self {
        Self {
            protocol_version: PROTOCOL_VERSION_1,
            called: rq.called,
            calling: rq.calling,
            reserved: rq.reserved,
            application_context: DICOM_APPLICATION_CONTEXT.to_owned(),
            contexts,
            user_information,
        }
    }

    /// The PDU with its header.
    pub fn encode(&self) -> Vec<u8> {
        pdu(2, |out| {
            write_fixed(out, self.protocol_version, &self.called, &self.calling, &self.reserved);
            write_application_context(out, &self.application_context);
            self.contexts.iter().for_each(|context| context.write(out));
            item(out, USER_INFORMATION, 0, |out| self.user_information.write(out));
        })
    }

    /// From the body.
    pub fn decode(body: &[u8]) -> Result<Self, PduError> {
        let (fixed, items) = read(
            body,
            context::ANSWERED,
            PresentationContextAnswered::read,
            |answered: &PresentationContextAnswered| answered.id,
        )?;
        Ok(Self {
            protocol_version: fixed.protocol_version,
            called: fixed.called,
            calling: fixed.calling,
            reserved: fixed.reserved,
            application_context: items.application_context,
            contexts: items.contexts,
            user_information: items.user_information,
        })
    }
}

struct Fixed {
    protocol_version: u16,
    called: AeTitle,
    calling: AeTitle,
    reserved: [u8; 32],
}

struct Items<C> {
    application_context: String,
    contexts: Vec<C>,
    user_information: UserInformation,
}

/// Reads either PDU: both have the same form but for their contexts. Items are taken in any
/// order; those of unknown type are ignored and skipped (PS3.8 9.3.1).
fn read<'a, C>(
    body: &'a [u8],
    context_kind: u8,
    read_context: impl Fn(Reader<'a>) -> Result<C, PduError>,
    id_of: impl Fn(&C) -> u8,
) -> Result<(Fixed, Items<C>), PduError> {
    let mut reader = Reader::new(body);
    let fixed = read_fixed(&mut reader)?;
    let mut application_context = None;
    let mut user_information = None;
    let mut contexts = Vec::new();
    let mut seen = [false; 256];
    while !reader.is_empty() {
        let start = reader;
        let (kind, _, content) = reader.item()?;
        let once = if kind == context_kind {
            let context = read_context(content)?;
            if std::mem::replace(&mut seen[usize::from(id_of(&context))], true) {
                return Err(start.error(PduErrorKind::ContextIdDuplicate));
            }
            contexts.push(context);
            true
        } else {
            match kind {
                APPLICATION_CONTEXT => {
                    application_context.replace(content.text()?.to_owned()).is_none()
                }
                USER_INFORMATION => {
                    user_information.replace(UserInformation::read(content)?).is_none()
                }
                context::PROPOSED | context::ANSWERED => {
                    return Err(start.error(PduErrorKind::UnexpectedItem));
                }
                _ => true,
            }
        };
        if !once {
            return Err(start.error(PduErrorKind::Duplicate));
        }
    }
    let missing = PduError::at(reader.offset(), PduErrorKind::Missing);
    if contexts.is_empty() {
        return Err(missing);
    }
    let application_context = application_context.ok_or(missing)?;
    let user_information = user_information.ok_or(missing)?;
    Ok((fixed, Items { application_context, contexts, user_information }))
}

fn read_fixed(reader: &mut Reader<'_>) -> Result<Fixed, PduError> {
    let protocol_version = reader.u16()?;
    reader.u16()?;
    let called = AeTitle::from_raw(reader.array()?);
    let calling = AeTitle::from_raw(reader.array()?);
    Ok(Fixed { protocol_version, called, calling, reserved: reader.array()? })
}

fn write_fixed(
    out: &mut Vec<u8>,
    protocol_version: u16,
    called: &AeTitle,
    calling: &AeTitle,
    reserved: &[u8; 32],
) {
    out.extend_from_slice(&protocol_version.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&called.raw());
    out.extend_from_slice(&calling.raw());
    out.extend_from_slice(reserved);
}

fn write_application_context(out: &mut Vec<u8>, name: &str) {
    item(out, APPLICATION_CONTEXT, 0, |out| out.extend_from_slice(name.as_bytes()));
}

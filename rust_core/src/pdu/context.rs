//! Presentation contexts: as proposed and as answered (PS3.8 9.3.2.2, 9.3.3.2).

use super::error::{PduError, PduErrorKind};
use super::reader::Reader;
use super::writer::item;
use crate::instance::Uid;
use crate::limits::TRANSFER_SYNTAXES_MAX;

pub(super) const PROPOSED: u8 = 0x20;
pub(super) const ANSWERED: u8 = 0x21;
const ABSTRACT_SYNTAX: u8 = 0x30;
const TRANSFER_SYNTAX: u8 = 0x40;
/// Sent where a transfer syntax must stand but means nothing (PS3.8 9.3.3.2): Implicit VR Little
/// Endian, since some requestors choke on an empty one.
const INSIGNIFICANT_TRANSFER_SYNTAX: &str = "1.2.840.10008.1.2";

/// A presentation context as the requestor proposes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentationContextProposed {
    /// Odd, 1 to 255, unique in its association.
    pub id: u8,
    /// Abstract syntax: mostly a SOP class.
    pub abstract_syntax: Uid,
    /// Transfer syntaxes in the requestor's order, 1 to [`TRANSFER_SYNTAXES_MAX`].
    pub transfer_syntaxes: Vec<Uid>,
    /// More transfer syntaxes were proposed than we look at. Negotiation refuses such a context;
    /// the others of the association stand.
    pub too_many_transfer_syntaxes: bool,
}

/// What the acceptor says to one presentation context (PS3.8 Table 9-18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ContextResult {
    /// Acceptance.
    Acceptance = 0,
    /// User rejection.
    UserRejection = 1,
    /// No reason (provider rejection).
    NoReason = 2,
    /// Abstract syntax not supported (provider rejection).
    AbstractSyntaxNotSupported = 3,
    /// Transfer syntaxes not supported (provider rejection).
    TransferSyntaxesNotSupported = 4,
}

/// A presentation context as the acceptor answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentationContextAnswered {
    /// Id of the proposed context.
    pub id: u8,
    /// Accepted, or why not.
    pub result: ContextResult,
    /// The transfer syntax; `Some` exactly where the result is acceptance.
    pub transfer_syntax: Option<Uid>,
}

impl ContextResult {
    fn of(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Acceptance),
            1 => Some(Self::UserRejection),
            2 => Some(Self::NoReason),
            3 => Some(Self::AbstractSyntaxNotSupported),
            4 => Some(Self::TransferSyntaxesNotSupported),
            5..=255 => None,
        }
    }
}

impl PresentationContextProposed {
    /// A context of our own.
    pub fn new(id: u8, abstract_syntax: impl Into<Uid>, transfer_syntaxes: Vec<Uid>) -> Self {
        let abstract_syntax = abstract_syntax.into();
        Self { id, abstract_syntax, transfer_syntaxes, too_many_transfer_syntaxes: false }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        item(out, PROPOSED, 0, |out| {
            out.extend_from_slice(&[self.id, 0, 0, 0]);
            item(out, ABSTRACT_SYNTAX, 0, |out| {
                out.extend_from_slice(self.abstract_syntax.as_bytes());
            });
            // One more than is kept, so that the mark survives being written.
            let excess = self.transfer_syntaxes.last().filter(|_| self.too_many_transfer_syntaxes);
            for syntax in self.transfer_syntaxes.iter().chain(excess) {
                item(out, TRANSFER_SYNTAX, 0, |out| out.extend_from_slice(syntax.as_bytes()));
            }
        });
    }

    pub(super) fn read(mut reader: Reader<'_>) -> Result<Self, PduError> {
        let id = read_id(&mut reader)?;
        reader.take(3)?;
        let mut abstract_syntax = None;
        let mut transfer_syntaxes = Vec::new();
        let mut too_many = false;
        while !reader.is_empty() {
            let start = reader;
            match reader.item()? {
                (ABSTRACT_SYNTAX, _, content) => {
                    if abstract_syntax.replace(content.uid()?).is_some() {
                        return Err(start.error(PduErrorKind::Duplicate));
                    }
                }
                (TRANSFER_SYNTAX, ..) if transfer_syntaxes.len() == TRANSFER_SYNTAXES_MAX => {
                    too_many = true;
                }
                (TRANSFER_SYNTAX, _, content) => transfer_syntaxes.push(content.uid()?),
                // Unknown sub-items are skipped, like unknown items (PS3.8 9.3.1).
                (_, _, _) => {}
            }
        }
        if transfer_syntaxes.is_empty() {
            return Err(reader.error(PduErrorKind::Missing));
        }
        let abstract_syntax = abstract_syntax.ok_or(reader.error(PduErrorKind::Missing))?;
        let too_many_transfer_syntaxes = too_many;
        Ok(Self { id, abstract_syntax, transfer_syntaxes, too_many_transfer_syntaxes })
    }
}

impl PresentationContextAnswered {
    /// The context accepted with a transfer syntax.
    pub fn accepted(id: u8, transfer_syntax: impl Into<Uid>) -> Self {
        let transfer_syntax = Some(transfer_syntax.into());
        Self { id, result: ContextResult::Acceptance, transfer_syntax }
    }

    /// The context refused.
    pub fn refused(id: u8, result: ContextResult) -> Self {
        Self { id, result, transfer_syntax: None }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let syntax = self.transfer_syntax.as_deref().unwrap_or(INSIGNIFICANT_TRANSFER_SYNTAX);
        item(out, ANSWERED, 0, |out| {
            out.extend_from_slice(&[self.id, 0, self.result as u8, 0]);
            item(out, TRANSFER_SYNTAX, 0, |out| out.extend_from_slice(syntax.as_bytes()));
        });
    }

    pub(super) fn read(mut reader: Reader<'_>) -> Result<Self, PduError> {
        let id = read_id(&mut reader)?;
        reader.u8()?;
        let error = reader.error(PduErrorKind::Value);
        let result = ContextResult::of(reader.u8()?).ok_or(error)?;
        reader.u8()?;
        // What stands there for a refused context is not significant, so it is not judged either.
        if result != ContextResult::Acceptance {
            return Ok(Self::refused(id, result));
        }
        let missing = reader.error(PduErrorKind::Missing);
        let mut transfer_syntax = None;
        while !reader.is_empty() {
            let start = reader;
            let (kind, _, content) = reader.item()?;
            if kind != TRANSFER_SYNTAX {
                continue;
            }
            if transfer_syntax.replace(content.uid()?).is_some() {
                return Err(start.error(PduErrorKind::Duplicate));
            }
        }
        Ok(Self { id, result, transfer_syntax: Some(transfer_syntax.ok_or(missing)?) })
    }
}

fn read_id(reader: &mut Reader<'_>) -> Result<u8, PduError> {
    let error = reader.error(PduErrorKind::ContextIdEven);
    let id = reader.u8()?;
    if id % 2 == 1 { Ok(id) } else { Err(error) }
}

//! P-DATA-TF: presentation data values, command or data set fragments (PS3.8 9.3.5, Annex E).

use super::error::{PduError, PduErrorKind};
use super::reader::Reader;
use super::writer::pdu;

/// Bytes before the fragment in a PDV item: length, context id, message control header.
pub const PDV_HEADER_LENGTH: usize = 6;
/// Bytes of the header that the PDV's own length counts: context id, message control header.
const COUNTED_HEADER_LENGTH: usize = 2;
const COMMAND: u8 = 0b01;
const LAST: u8 = 0b10;

/// A presentation data value: one fragment of a command set or of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdv {
    /// Presentation context it belongs to.
    pub context_id: u8,
    /// Fragment of a command set, not of a data set.
    pub command: bool,
    /// Last fragment of its command or data set.
    pub last: bool,
    /// The fragment.
    pub bytes: Vec<u8>,
}

/// A P-DATA-TF PDU with copies of its fragments. The engine does not use it (it lends slices
/// instead); peers in tests and tools do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataTf {
    /// One or more values.
    pub values: Vec<Pdv>,
}

/// What a PDV header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PdvHeader {
    /// PDV length as sent: fragment and two bytes of header.
    pub length: u32,
    pub context_id: u8,
    pub command: bool,
    pub last: bool,
}

impl PdvHeader {
    /// Odd fragments are taken, although PS3.8 E.1 forbids them: whether an odd data set is kept is
    /// a content rule with a severity, not a matter of framing. Bits 2 to 7 of the message control header are not tested (PS3.8 E.2).
    pub fn decode(bytes: [u8; PDV_HEADER_LENGTH]) -> Self {
        let [a, b, c, d, context_id, control] = bytes;
        let length = u32::from_be_bytes([a, b, c, d]);
        Self { length, context_id, command: control & COMMAND != 0, last: control & LAST != 0 }
    }

    /// Length of the fragment if it lies within `rest` bytes, those behind this header.
    pub fn fragment_length(self, rest: u32) -> Option<u32> {
        self.length.checked_sub(COUNTED_HEADER_LENGTH as u32).filter(|length| *length <= rest)
    }
}

/// Appends the headers of a P-DATA-TF with one PDV, whose `length` bytes the caller appends next.
pub fn write_data_header(
    out: &mut Vec<u8>,
    context_id: u8,
    command: bool,
    last: bool,
    length: u32,
) {
    out.extend_from_slice(&[4, 0]);
    out.extend_from_slice(&(length + PDV_HEADER_LENGTH as u32).to_be_bytes());
    out.extend_from_slice(&(length + COUNTED_HEADER_LENGTH as u32).to_be_bytes());
    out.extend_from_slice(&[context_id, control(command, last)]);
}

fn control(command: bool, last: bool) -> u8 {
    (u8::from(command) * COMMAND) | (u8::from(last) * LAST)
}

impl DataTf {
    /// The PDU with its header.
    pub fn encode(&self) -> Vec<u8> {
        pdu(4, |out| {
            for value in &self.values {
                let length = (value.bytes.len() + COUNTED_HEADER_LENGTH) as u32;
                out.extend_from_slice(&length.to_be_bytes());
                out.extend_from_slice(&[value.context_id, control(value.command, value.last)]);
                out.extend_from_slice(&value.bytes);
            }
        })
    }

    /// From the body.
    pub fn decode(body: &[u8]) -> Result<Self, PduError> {
        let mut reader = Reader::new(body);
        let mut values = Vec::new();
        while !reader.is_empty() {
            values.push(read_value(&mut reader)?);
        }
        if values.is_empty() {
            return Err(reader.error(PduErrorKind::Missing));
        }
        Ok(Self { values })
    }
}

fn read_value(reader: &mut Reader<'_>) -> Result<Pdv, PduError> {
    let start = *reader;
    let header = PdvHeader::decode(reader.array()?);
    // PS3.8 9.3.5.1: the length counts context id and message control header, so it is at least 2.
    let length = header.fragment_length(u32::MAX).ok_or(start.error(PduErrorKind::Length))?;
    let bytes = reader.take(length as usize)?.to_vec();
    Ok(Pdv { context_id: header.context_id, command: header.command, last: header.last, bytes })
}

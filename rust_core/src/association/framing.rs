//! Framing: where in a PDU the stream is, and the bytes held back until a part is whole.

use crate::pdu::{PDU_HEADER_LENGTH, PDV_HEADER_LENGTH, PduType, PdvHeader};

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// The header of a PDU.
    Header,
    /// The body of a PDU that is read whole.
    Body { kind: PduType, length: u32 },
    /// The header of a PDV, with `rest` bytes of its PDU left before it.
    PdvHeader { rest: u32 },
    /// A fragment with `fragment` bytes left, and `rest` bytes of its PDU behind it.
    Fragment { header: PdvHeader, fragment: u32, rest: u32 },
    /// The rest of a PDU that the state table says to ignore (AA-6).
    Ignored { rest: u32 },
}

/// The start of a PDU or PDV header that was cut by the end of the input. Both have six bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PartialHeader {
    bytes: [u8; PDU_HEADER_LENGTH],
    length: usize,
}

const _: () = assert!(PDU_HEADER_LENGTH == PDV_HEADER_LENGTH);

impl PartialHeader {
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Takes from `input` what is missing, returning how many bytes that was and the header if it
    /// is whole, after which this is empty again.
    pub fn fill(&mut self, input: &[u8]) -> (usize, Option<[u8; PDU_HEADER_LENGTH]>) {
        let taken = input.len().min(PDU_HEADER_LENGTH - self.length);
        self.bytes[self.length..self.length + taken].copy_from_slice(&input[..taken]);
        self.length += taken;
        if self.length < PDU_HEADER_LENGTH {
            return (taken, None);
        }
        self.length = 0;
        (taken, Some(self.bytes))
    }
}

//! A cursor over the bytes of one PDU that cannot leave its slice and knows its offset.

use super::error::{PduError, PduErrorKind};
use crate::instance::Uid;

/// Longest UID (PS3.5 9.1), characters.
const UID_LENGTH_MAX: usize = 64;

#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn offset(&self) -> usize {
        self.offset
    }

    pub fn error(&self, kind: PduErrorKind) -> PduError {
        PduError::at(self.offset, kind)
    }

    pub fn take(&mut self, length: usize) -> Result<&'a [u8], PduError> {
        let Some((taken, rest)) = self.bytes.split_at_checked(length) else {
            return Err(self.error(PduErrorKind::Short));
        };
        self.bytes = rest;
        self.offset += length;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], PduError> {
        let error = self.error(PduErrorKind::Short);
        self.take(N)?.try_into().map_err(|_| error)
    }

    pub fn u8(&mut self) -> Result<u8, PduError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub fn u16(&mut self) -> Result<u16, PduError> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, PduError> {
        self.array().map(u32::from_be_bytes)
    }

    /// A reader over the next `length` bytes, which keeps counting offsets.
    pub fn part(&mut self, length: usize) -> Result<Self, PduError> {
        let offset = self.offset;
        Ok(Self { bytes: self.take(length)?, offset })
    }

    /// The next item or sub-item: type, second byte (mostly reserved), content.
    pub fn item(&mut self) -> Result<(u8, u8, Self), PduError> {
        let [kind, second] = self.array()?;
        let length = usize::from(self.u16()?);
        Ok((kind, second, self.part(length)?))
    }

    /// A field with its two-byte length before it.
    pub fn counted(&mut self) -> Result<Self, PduError> {
        let length = usize::from(self.u16()?);
        self.part(length)
    }

    pub fn rest(&mut self) -> &'a [u8] {
        let taken = self.bytes;
        self.offset += taken.len();
        self.bytes = &[];
        taken
    }

    /// All that is left, as a UID. Trailing padding (NUL or space) is forgiven: PS3.8 Annex F
    /// forbids it, old senders do it, and it changes no meaning.
    pub fn uid(mut self) -> Result<Uid, PduError> {
        let error = self.error(PduErrorKind::Uid);
        let bytes = self.rest();
        let padding = bytes.iter().rev().take_while(|byte| matches!(byte, 0 | b' ')).count();
        let bytes = &bytes[..bytes.len() - padding];
        let allowed = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        if bytes.is_empty() || bytes.len() > UID_LENGTH_MAX || !bytes.iter().all(allowed) {
            return Err(error);
        }
        std::str::from_utf8(bytes).map(Uid::from).map_err(|_| error)
    }

    /// All that is left, as printable ASCII; a trailing NUL is forgiven like in a UID.
    pub fn text(mut self) -> Result<&'a str, PduError> {
        let error = self.error(PduErrorKind::Text);
        let bytes = self.rest();
        let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
        if !bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(error);
        }
        std::str::from_utf8(bytes).map_err(|_| error)
    }

    pub fn end(&self) -> Result<(), PduError> {
        if self.is_empty() { Ok(()) } else { Err(self.error(PduErrorKind::Trailing)) }
    }
}

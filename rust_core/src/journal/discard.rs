//! The discard record: quarantined instances that a person decided to drop, with the reason.
//!
//! It is durable before the closing records that it names are overwritten by void records, and is
//! needed until they are: it tells recovery that a torn closing record there is no rot.

use std::sync::Arc;

use super::closing::{put_receive_id, take_receive_id};
use super::cursor::{Cursor, put_text};
use super::error::JournalError;
use super::record::Place;
use crate::instance::ReceiveId;

/// Most receive ids in one discard record.
pub const DISCARD_COUNT_MAX: usize = 4096;
/// Longest reason, bytes of UTF-8.
pub const DISCARD_REASON_LENGTH_MAX: usize = 4096;
const VERSION: u16 = 1;

/// One instance that is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discarded {
    /// Its receive id.
    pub receive_id: ReceiveId,
    /// Where its closing record lies.
    pub closing: Place,
    /// Bytes that the closing record takes in the segment.
    pub length: u32,
}

/// A discard record's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discard {
    /// What is discarded.
    pub discarded: Vec<Discarded>,
    /// Why, in the operator's words.
    pub reason: Arc<str>,
}

impl Discard {
    /// Appends the payload to `out`.
    ///
    /// # Errors
    /// `Unrecordable` for no or too many ids or too long a reason.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), JournalError> {
        if self.discarded.is_empty() || self.discarded.len() > DISCARD_COUNT_MAX {
            return Err(JournalError::Unrecordable("none or too many instances to discard"));
        }
        if self.reason.len() > DISCARD_REASON_LENGTH_MAX {
            return Err(JournalError::Unrecordable("the reason is too long"));
        }
        out.extend(VERSION.to_le_bytes());
        put_text(&self.reason, out);
        out.extend((self.discarded.len() as u32).to_le_bytes());
        self.discarded.iter().for_each(|one| one.encode(out));
        Ok(())
    }

    /// Reads a payload; None if it is not exactly one.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(payload);
        if cursor.u16()? != VERSION {
            return None;
        }
        let reason = cursor.text(DISCARD_REASON_LENGTH_MAX)?;
        let count = cursor.u32()? as usize;
        if count == 0 || count > DISCARD_COUNT_MAX {
            return None;
        }
        let discarded =
            (0..count).map(|_| Discarded::decode(&mut cursor)).collect::<Option<_>>()?;
        cursor.is_empty().then_some(Self { discarded, reason })
    }
}

impl Discarded {
    fn encode(&self, out: &mut Vec<u8>) {
        put_receive_id(self.receive_id, out);
        let Place { segment, generation, offset } = self.closing;
        for word in [segment, generation, offset, self.length] {
            out.extend(word.to_le_bytes());
        }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let receive_id = take_receive_id(cursor)?;
        let (segment, generation) = (cursor.u32()?, cursor.u32()?);
        let closing = Place { segment, generation, offset: cursor.u32()? };
        Some(Self { receive_id, closing, length: cursor.u32()? })
    }
}

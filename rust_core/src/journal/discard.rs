//! The discard record: quarantined instances that a person decided to drop, with the reason.

use std::sync::Arc;

use super::closing::{put_receive_id, take_receive_id};
use super::cursor::{Cursor, put_text};
use super::error::JournalError;
use crate::instance::ReceiveId;

/// Most receive ids in one discard record.
pub const DISCARD_COUNT_MAX: usize = 4096;
/// Longest reason, bytes of UTF-8.
pub const DISCARD_REASON_LENGTH_MAX: usize = 4096;
const VERSION: u16 = 1;

/// A discard record's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discard {
    /// What is discarded.
    pub receive_ids: Vec<ReceiveId>,
    /// Why, in the operator's words.
    pub reason: Arc<str>,
}

impl Discard {
    /// Appends the payload to `out`.
    ///
    /// # Errors
    /// `Unrecordable` for no or too many ids or too long a reason.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), JournalError> {
        if self.receive_ids.is_empty() || self.receive_ids.len() > DISCARD_COUNT_MAX {
            return Err(JournalError::Unrecordable("none or too many instances to discard"));
        }
        if self.reason.len() > DISCARD_REASON_LENGTH_MAX {
            return Err(JournalError::Unrecordable("the reason is too long"));
        }
        out.extend(VERSION.to_le_bytes());
        put_text(&self.reason, out);
        out.extend((self.receive_ids.len() as u32).to_le_bytes());
        self.receive_ids.iter().for_each(|id| put_receive_id(*id, out));
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
        let receive_ids =
            (0..count).map(|_| take_receive_id(&mut cursor)).collect::<Option<_>>()?;
        cursor.is_empty().then_some(Self { receive_ids, reason })
    }
}

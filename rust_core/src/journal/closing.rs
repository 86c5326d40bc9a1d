//! The closing record: what makes an instance of its blocks. Payload codec, bounded in both ways.

use std::sync::Arc;

use super::cursor::{Cursor, put_text};
use super::error::JournalError;
use super::record::{BLOCK_PAYLOAD_LENGTH, Place, RECORD_HEADER_LENGTH};
use crate::instance::{
    CapturedElement, Content, Identity, NodeId, Particulars, ReceiveId, Sender, VaultId, Verdict,
};
use crate::limits::{
    BLOCK_LENGTH, CAPTURED_TOTAL_MAX, CAPTURED_VALUE_MAX, CLOSING_RECORD_LENGTH_MAX,
    INSTANCE_LENGTH_MAX, JOURNAL_ALIGNMENT,
};

/// Longest UID (PS3.5 9.1).
const UID_LENGTH_MAX: usize = 64;
/// Longest AE title or peer address recorded, bytes.
const SENDER_TEXT_LENGTH_MAX: usize = 256;
/// Most captured elements; an empty value costs its nine bytes too.
const CAPTURED_COUNT_MAX: usize = 1024;
const VERSION: u16 = 1;
/// Of the closing record of a copy.
const VERSION_COPIED: u16 = 2;

/// A run of whole data records of one instance that lie behind each other in one segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Segment id.
    pub segment: u32,
    /// Generation; if the segment holds a newer one, the instance was forgotten.
    pub generation: u32,
    /// Offset of the first record, bytes.
    pub offset: u32,
    /// Data records, each of `BLOCK_LENGTH` bytes.
    pub blocks: u32,
}

/// That an instance was copied forward, and which closing record this one replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// How often it was copied, from 1: of two closing records of one receive id the higher counts.
    pub number: u32,
    /// Where the closing record lies that this one replaces.
    pub from: Place,
    /// Bytes that that one takes in the segment.
    pub length: u32,
}

/// A closing record's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Under which id it was received.
    pub receive_id: ReceiveId,
    /// Set in the closing record of a copy.
    pub copied: Option<Copied>,
    /// What is known of it.
    pub particulars: Particulars,
    /// Where its whole blocks lie, in order.
    pub extents: Vec<Extent>,
    /// The bytes behind the last whole block.
    pub tail: Box<[u8]>,
}

/// Appends the payload of a closing record to `out`.
///
/// # Errors
/// `Unrecordable` names what exceeds its limit or contradicts itself; `out` is then as it was.
pub fn encode(
    receive_id: ReceiveId,
    particulars: &Particulars,
    extents: &[Extent],
    tail: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), JournalError> {
    encode_copy(receive_id, None, particulars, extents, tail, out)
}

/// As [`encode`], of an instance that was copied.
///
/// # Errors
/// As [`encode`].
pub fn encode_copy(
    receive_id: ReceiveId,
    copied: Option<Copied>,
    particulars: &Particulars,
    extents: &[Extent],
    tail: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), JournalError> {
    check(particulars, extents, tail)?;
    let version = if copied.is_some() { VERSION_COPIED } else { VERSION };
    out.extend(version.to_le_bytes());
    copied.iter().for_each(|copied| copied.encode(out));
    out.extend([particulars.verdict as u8, u8::from(particulars.conflicts_with.is_some())]);
    put_receive_id(receive_id, out);
    out.extend(particulars.vault.0);
    out.extend(particulars.length.to_le_bytes());
    out.extend(particulars.received_at.to_le_bytes());
    out.extend(particulars.flags.to_le_bytes());
    out.extend(particulars.content.digest);
    out.extend(particulars.sender.association.to_le_bytes());
    if let Some(other) = particulars.conflicts_with {
        put_receive_id(other, out);
    }
    for text in uids(particulars).into_iter().chain(sender_texts(particulars)) {
        put_text(text, out);
    }
    put_captured(&particulars.captured, out);
    out.extend((extents.len() as u32).to_le_bytes());
    for extent in extents {
        for word in [extent.segment, extent.generation, extent.offset, extent.blocks] {
            out.extend(word.to_le_bytes());
        }
    }
    out.extend((tail.len() as u32).to_le_bytes());
    out.extend(tail);
    Ok(())
}

/// Reads a closing record's payload; None if it is not exactly one.
pub fn decode(payload: &[u8]) -> Option<Closing> {
    let mut cursor = Cursor::new(payload);
    let copied = match cursor.u16()? {
        VERSION => None,
        VERSION_COPIED => Some(Copied::decode(&mut cursor)?),
        _ => return None,
    };
    let verdict = match cursor.u8()? {
        1 => Verdict::Kept,
        2 => Verdict::Quarantined,
        _ => return None,
    };
    let conflicts = cursor.flag()?;
    let receive_id = take_receive_id(&mut cursor)?;
    let vault = VaultId(cursor.array()?);
    let length = cursor.u64()?;
    let received_at = cursor.u64()? as i64;
    let flags = cursor.u64()?;
    let digest = cursor.array()?;
    let association = cursor.u64()?;
    let conflicts_with = if conflicts { Some(take_receive_id(&mut cursor)?) } else { None };
    let mut uid = || cursor.text(UID_LENGTH_MAX);
    let (study, series, sop_instance) = (uid()?, uid()?, uid()?);
    let (transfer_syntax, sop_class) = (uid()?, uid()?);
    let mut text = || cursor.text(SENDER_TEXT_LENGTH_MAX);
    let (calling, called, address) = (text()?, text()?, text()?);
    let captured = take_captured(&mut cursor)?;
    let extents = take_extents(&mut cursor)?;
    let tail_length = cursor.u32()? as usize;
    let tail: Box<[u8]> = cursor.take(tail_length)?.into();
    let particulars = Particulars {
        vault,
        identity: Identity { study, series, sop_instance },
        content: Content { digest, transfer_syntax, sop_class },
        length,
        received_at,
        sender: Sender { calling, called, address, association },
        flags,
        verdict,
        conflicts_with,
        captured,
    };
    check(&particulars, &extents, &tail).ok()?;
    cursor.is_empty().then_some(Closing { receive_id, copied, particulars, extents, tail })
}

fn uids(particulars: &Particulars) -> [&Arc<str>; 5] {
    let (identity, content) = (&particulars.identity, &particulars.content);
    let uids = [&identity.study, &identity.series, &identity.sop_instance];
    [uids[0], uids[1], uids[2], &content.transfer_syntax, &content.sop_class]
}

fn sender_texts(particulars: &Particulars) -> [&Arc<str>; 3] {
    let sender = &particulars.sender;
    [&sender.calling, &sender.called, &sender.address]
}

/// The rules of a closing record, the same for what we write and what we read.
fn check(particulars: &Particulars, extents: &[Extent], tail: &[u8]) -> Result<(), JournalError> {
    let blocks = extents.iter().map(|extent| u64::from(extent.blocks)).sum::<u64>();
    let captured = particulars.captured.iter().map(|element| element.value.len());
    let captured_total = captured.clone().sum::<usize>();
    let rules = [
        (uids(particulars).iter().all(|uid| uid.len() <= UID_LENGTH_MAX), "a UID is too long"),
        (
            sender_texts(particulars).iter().all(|text| text.len() <= SENDER_TEXT_LENGTH_MAX),
            "an AE title or address is too long",
        ),
        (particulars.captured.len() <= CAPTURED_COUNT_MAX, "too many captured elements"),
        (captured.max().unwrap_or(0) <= CAPTURED_VALUE_MAX, "a captured value is too long"),
        (captured_total <= CAPTURED_TOTAL_MAX, "captured values are too long together"),
        (particulars.length <= INSTANCE_LENGTH_MAX, "the instance is too long"),
        (tail.len() <= BLOCK_PAYLOAD_LENGTH, "the tail is longer than a block"),
        (
            blocks * BLOCK_PAYLOAD_LENGTH as u64 + tail.len() as u64 == particulars.length,
            "blocks and tail are not the length of the instance",
        ),
        (extents.iter().all(|extent| extent.blocks > 0), "an extent is empty"),
        (extents.iter().all(Extent::is_addressable), "an extent leaves the address space"),
        (
            FIXED_LENGTH_MAX + captured_total + extents.len() * EXTENT_LENGTH + tail.len()
                <= CLOSING_RECORD_LENGTH_MAX - RECORD_HEADER_LENGTH,
            "the closing record is too long",
        ),
    ];
    rules
        .iter()
        .find(|(kept, _)| !kept)
        .map_or(Ok(()), |(_, what)| Err(JournalError::Unrecordable(what)))
}

const EXTENT_LENGTH: usize = 16;
const COPIED_LENGTH: usize = 20;
/// Everything but captured values, extents and tail, at its longest.
const FIXED_LENGTH_MAX: usize = 4
    + COPIED_LENGTH
    + 3 * 28
    + 16
    + 64
    + 5 * (2 + UID_LENGTH_MAX)
    + 3 * (2 + SENDER_TEXT_LENGTH_MAX)
    + 2
    + CAPTURED_COUNT_MAX * 9
    + 8;

impl Copied {
    fn encode(&self, out: &mut Vec<u8>) {
        let Place { segment, generation, offset } = self.from;
        let words = [self.number, segment, generation, offset, self.length];
        words.iter().for_each(|word| out.extend(word.to_le_bytes()));
    }

    /// The first one is number 1: there is none before a copy that was not copied.
    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let number = cursor.u32().filter(|number| *number > 0)?;
        let (segment, generation) = (cursor.u32()?, cursor.u32()?);
        let from = Place { segment, generation, offset: cursor.u32()? };
        Some(Self { number, from, length: cursor.u32()? })
    }
}

impl Extent {
    fn is_addressable(&self) -> bool {
        let end = u64::from(self.offset) + u64::from(self.blocks) * BLOCK_LENGTH as u64;
        end <= u64::from(u32::MAX) && (self.offset as usize).is_multiple_of(JOURNAL_ALIGNMENT)
    }
}

pub(super) fn put_receive_id(id: ReceiveId, out: &mut Vec<u8>) {
    out.extend(id.node.0);
    out.extend(id.epoch.to_le_bytes());
    out.extend(id.position.to_le_bytes());
}

pub(super) fn take_receive_id(cursor: &mut Cursor<'_>) -> Option<ReceiveId> {
    let node = NodeId(cursor.array()?);
    Some(ReceiveId { node, epoch: cursor.u32()?, position: cursor.u64()? })
}

fn put_captured(captured: &[CapturedElement], out: &mut Vec<u8>) {
    out.extend((captured.len() as u16).to_le_bytes());
    for element in captured {
        out.extend(element.tag.to_le_bytes());
        out.extend(element.vr);
        out.push(u8::from(element.cut));
        out.extend((element.value.len() as u16).to_le_bytes());
        out.extend(&element.value);
    }
}

fn take_captured(cursor: &mut Cursor<'_>) -> Option<Vec<CapturedElement>> {
    let count = usize::from(cursor.u16()?);
    if count > CAPTURED_COUNT_MAX {
        return None;
    }
    (0..count)
        .map(|_| {
            let (tag, vr, cut) = (cursor.u32()?, cursor.array()?, cursor.flag()?);
            let length = usize::from(cursor.u16()?);
            Some(CapturedElement { tag, vr, cut, value: cursor.take(length)?.into() })
        })
        .collect()
}

fn take_extents(cursor: &mut Cursor<'_>) -> Option<Vec<Extent>> {
    let count = cursor.u32()? as usize;
    // The claim meets the bytes that are there before it meets an allocation.
    let bytes = cursor.take(count.checked_mul(EXTENT_LENGTH)?)?;
    let mut words = Cursor::new(bytes);
    (0..count)
        .map(|_| {
            let (segment, generation) = (words.u32()?, words.u32()?);
            Some(Extent { segment, generation, offset: words.u32()?, blocks: words.u32()? })
        })
        .collect()
}

//! A command set: elements of group 0000 in implicit VR little endian (PS3.7 6.3.1).

use super::error::{CommandError, CommandErrorKind};
use super::tag;
use crate::instance::Uid;
use crate::limits::COMMAND_SET_LENGTH_MAX;

/// Bytes of group length itself: header and value.
const GROUP_LENGTH_LENGTH: usize = 12;
const ELEMENT_HEADER_LENGTH: usize = 8;
const UID_LENGTH_MAX: usize = 64;

/// A command set that has been found well formed: group 0000 only, ascending, unique, even.
///
/// Kept as the bytes behind the group length; there are a dozen elements, so finding one is a
/// short walk and needs no index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandSet {
    body: Vec<u8>,
}

impl CommandSet {
    /// Reads a whole command set.
    pub fn decode(bytes: &[u8]) -> Result<Self, CommandError> {
        let error = |offset, kind| CommandError { offset, kind };
        if bytes.len() > COMMAND_SET_LENGTH_MAX {
            return Err(error(COMMAND_SET_LENGTH_MAX, CommandErrorKind::TooLong));
        }
        let Some((head, body)) = bytes.split_first_chunk::<GROUP_LENGTH_LENGTH>() else {
            return Err(error(0, CommandErrorKind::NoGroupLength));
        };
        if head[..ELEMENT_HEADER_LENGTH] != [0, 0, 0, 0, 4, 0, 0, 0] {
            return Err(error(0, CommandErrorKind::NoGroupLength));
        }
        let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        if length as usize != body.len() {
            return Err(error(ELEMENT_HEADER_LENGTH, CommandErrorKind::GroupLength));
        }
        check(body).map_err(|e| error(e.offset + GROUP_LENGTH_LENGTH, e.kind))?;
        Ok(Self { body: body.to_vec() })
    }

    /// The whole command set, group length included.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + GROUP_LENGTH_LENGTH);
        out.extend_from_slice(&[0, 0, 0, 0, 4, 0, 0, 0]);
        out.extend_from_slice(&(self.body.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.body);
        out
    }

    /// The elements in order: number within group 0000, value.
    pub fn elements(&self) -> impl Iterator<Item = (u16, &[u8])> {
        let mut rest = &self.body[..];
        std::iter::from_fn(move || {
            let (element, after) = next_element(rest).ok()??;
            rest = after;
            Some((element.number, element.value))
        })
    }

    /// The value of an element, padding included; `None` if absent.
    pub fn value(&self, element: u16) -> Option<&[u8]> {
        self.elements().find(|(number, _)| *number == element).map(|(_, value)| value)
    }

    /// The value as one US; `None` if absent or of another length.
    pub fn us(&self, element: u16) -> Option<u16> {
        self.value(element)?.try_into().ok().map(u16::from_le_bytes)
    }

    /// The value as a UID without its padding; `None` if absent or not a UID (PS3.5 9.1).
    pub fn uid(&self, element: u16) -> Option<Uid> {
        let value = self.value(element)?;
        let padding = value.iter().rev().take_while(|byte| matches!(byte, 0 | b' ')).count();
        let value = &value[..value.len() - padding];
        let allowed = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        if value.is_empty() || value.len() > UID_LENGTH_MAX || !value.iter().all(allowed) {
            return None;
        }
        std::str::from_utf8(value).ok().map(Uid::from)
    }

    /// The value as text (AE, LO) without surrounding spaces; `None` if absent or not printable
    /// ASCII.
    pub fn text(&self, element: u16) -> Option<&str> {
        let text = std::str::from_utf8(self.value(element)?).ok()?.trim_matches([' ', '\0']);
        text.bytes().all(|byte| matches!(byte, b' '..=b'~')).then_some(text)
    }

    /// The value as tags (AT), each `(group << 16) | element`; empty if absent.
    pub fn tags(&self, element: u16) -> Vec<u32> {
        let half = |pair: &[u8]| u32::from(u16::from_le_bytes([pair[0], pair[1]]));
        let value = self.value(element).unwrap_or_default();
        value.chunks_exact(4).map(|tag| half(&tag[..2]) << 16 | half(&tag[2..])).collect()
    }

    /// Whether a data set follows the command (PS3.7 E.1).
    pub fn announces_data_set(&self) -> bool {
        self.us(tag::DATA_SET_TYPE).is_some_and(|kind| kind != super::NO_DATA_SET)
    }
}

struct Element<'a> {
    number: u16,
    value: &'a [u8],
}

/// The first element and what follows it; `Ok(None)` at the end.
fn next_element(bytes: &[u8]) -> Result<Option<(Element<'_>, &[u8])>, CommandErrorKind> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (head, rest) = bytes.split_first_chunk::<8>().ok_or(CommandErrorKind::Short)?;
    let [g0, g1, e0, e1, l0, l1, l2, l3] = *head;
    if u16::from_le_bytes([g0, g1]) != 0 {
        return Err(CommandErrorKind::Group);
    }
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    let (value, rest) = rest.split_at_checked(length).ok_or(CommandErrorKind::Short)?;
    Ok(Some((Element { number: u16::from_le_bytes([e0, e1]), value }, rest)))
}

fn check(body: &[u8]) -> Result<(), CommandError> {
    let mut rest = body;
    let mut previous = tag::GROUP_LENGTH;
    loop {
        let offset = body.len() - rest.len();
        let error = |kind| CommandError { offset, kind };
        let Some((element, after)) = next_element(rest).map_err(error)? else { return Ok(()) };
        match element.number.cmp(&previous) {
            std::cmp::Ordering::Greater => previous = element.number,
            std::cmp::Ordering::Equal => return Err(error(CommandErrorKind::Duplicate)),
            std::cmp::Ordering::Less => return Err(error(CommandErrorKind::Unsorted)),
        }
        if element.value.len() % 2 == 1 {
            return Err(error(CommandErrorKind::OddLength));
        }
        rest = after;
    }
}

/// Collects elements in any order and writes them in the right one. The last value given for an
/// element stands.
#[derive(Clone, Debug, Default)]
pub struct CommandSetBuilder {
    elements: std::collections::BTreeMap<u16, Vec<u8>>,
}

impl CommandSetBuilder {
    /// No elements yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a US.
    pub fn us(mut self, element: u16, value: u16) -> Self {
        self.elements.insert(element, value.to_le_bytes().to_vec());
        self
    }

    /// Adds a US if there is one.
    pub fn us_if(self, element: u16, value: Option<u16>) -> Self {
        match value {
            Some(value) => self.us(element, value),
            None => self,
        }
    }

    /// Adds a UID, padded to even length with NUL (PS3.5 9.1).
    pub fn uid(self, element: u16, value: &str) -> Self {
        self.padded(element, value, 0)
    }

    /// Adds text, padded to even length with a space.
    pub fn text(self, element: u16, value: &str) -> Self {
        self.padded(element, value, b' ')
    }

    /// Adds tags, each `(group << 16) | element`.
    pub fn tags(mut self, element: u16, tags: &[u32]) -> Self {
        let bytes = |tag: &u32| {
            let [e0, e1, g0, g1] = tag.to_le_bytes();
            [g0, g1, e0, e1]
        };
        self.elements.insert(element, tags.iter().flat_map(bytes).collect());
        self
    }

    /// The command set. Group length is made, whether or not somebody gave one.
    pub fn finish(mut self) -> CommandSet {
        self.elements.remove(&tag::GROUP_LENGTH);
        let mut body = Vec::new();
        for (number, value) in &self.elements {
            body.extend_from_slice(&[0, 0]);
            body.extend_from_slice(&number.to_le_bytes());
            body.extend_from_slice(&(value.len() as u32).to_le_bytes());
            body.extend_from_slice(value);
        }
        CommandSet { body }
    }

    fn padded(mut self, element: u16, value: &str, pad: u8) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        if bytes.len() % 2 == 1 {
            bytes.push(pad);
        }
        self.elements.insert(element, bytes);
        self
    }
}

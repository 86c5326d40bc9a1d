//! Storage commitment information (PS3.4 J.3): the transaction, and lists of instances.
//!
//! One strict and bounded reader serves the request (N-ACTION) and its report (N-EVENT-REPORT):
//! the grammar is the [`Walker`]'s, elements that are none of ours are skipped, and a list has at
//! most `REFERENCES_MAX` items. Which list must be there is the service's to say.

use std::collections::HashSet;
use std::sync::Arc;

use crate::dataset::framing::Fault;
use crate::dataset::token::Token;
use crate::dataset::walker::Walker;
use crate::dataset::{Encoding, vr::Vr};
use crate::instance::Uid;
use crate::limits::{REFERENCES_LENGTH_MAX, REFERENCES_MAX, SEQUENCE_DEPTH_MAX};
use crate::refusal::{Refusal, commitment};
use crate::rules::uid::{self, UidReading};

const RETRIEVE_TITLE: u32 = 0x0008_0054;
const CLASS: u32 = 0x0008_1150;
const INSTANCE: u32 = 0x0008_1155;
const TRANSACTION: u32 = 0x0008_1195;
const REASON: u32 = 0x0008_1197;
const FAILED: u32 = 0x0008_1198;
const REFERENCED: u32 = 0x0008_1199;
/// Longest value that any element of ours has, with some padding, bytes.
const VALUE_LENGTH_MAX: usize = 66;

/// An instance that a list names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Referenced SOP Class UID (0008,1150).
    pub sop_class: Uid,
    /// Referenced SOP Instance UID (0008,1155).
    pub sop_instance: Box<str>,
    /// Failure Reason (0008,1197).
    pub reason: Option<u16>,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Information {
    /// Transaction UID (0008,1195).
    pub transaction: Option<Uid>,
    /// Retrieve AE Title (0008,0054) at the top level.
    pub retrieve_title: Option<String>,
    /// Referenced SOP Sequence (0008,1199).
    pub referenced: Option<Vec<Reference>>,
    /// Failed SOP Sequence (0008,1198).
    pub failed: Option<Vec<Reference>>,
}

impl Information {
    /// Reads a whole data set.
    ///
    /// # Errors
    /// A refusal of the family of storage commitment, naming the element.
    pub fn read(bytes: &[u8], encoding: Encoding) -> Result<Self, Refusal> {
        if encoding == Encoding::DeflatedLittle || bytes.len() > REFERENCES_LENGTH_MAX {
            return Err(Refusal::of(&commitment::COMMITMENT_UNREADABLE));
        }
        let mut reader = Reader::default();
        let mut walker = Walker::new(encoding, false, bytes.len() as u64, SEQUENCE_DEPTH_MAX);
        let mut input = bytes;
        while let Some(token) = walker.next(&mut input).map_err(unreadable(&walker))? {
            reader.take(token, walker.big_endian())?;
        }
        walker.finish().map_err(unreadable(&walker))?;
        Ok(reader.information)
    }
}

fn unreadable(walker: &Walker) -> impl Fn(Fault) -> Refusal {
    let byte = walker.position();
    move |fault| Refusal::at(&commitment::COMMITMENT_UNREADABLE, fault.offending).at_byte(byte)
}

fn malformed(tag: u32) -> Refusal {
    Refusal::at(&commitment::COMMITMENT_LIST, Some(tag))
}

/// An item that is being read.
#[derive(Default)]
struct Item {
    class: Option<Uid>,
    instance: Option<Box<str>>,
    reason: Option<u16>,
}

#[derive(Default)]
struct Reader {
    information: Information,
    /// Open sequences and items.
    level: usize,
    /// The list that is open, by its tag.
    list: Option<u32>,
    item: Item,
    /// Element of ours whose value is arriving.
    wanted: Option<u32>,
    value: Vec<u8>,
    /// One copy of each class: a list names few.
    classes: HashSet<Uid>,
}

impl Reader {
    fn take(&mut self, token: Token<'_>, big_endian: bool) -> Result<(), Refusal> {
        match token {
            Token::Element { tag, vr, .. } => self.element(tag, vr),
            Token::Value { bytes, last } => self.value(bytes, last, big_endian),
            Token::SequenceStart { tag, .. } => self.begin(tag),
            Token::ItemStart => {
                self.level += 1;
                self.begin_item()
            }
            Token::ItemEnd => {
                let ours = self.in_item();
                self.level -= 1;
                if ours { self.end_item() } else { Ok(()) }
            }
            Token::SequenceEnd => {
                self.level -= 1;
                if self.level == 0 {
                    self.list = None;
                }
                Ok(())
            }
            // Pixels have no place here, but the grammar lets them pass.
            Token::FragmentsStart { tag, .. } => Err(malformed(tag)),
            Token::Fragment { .. } | Token::FragmentsEnd => Ok(()),
        }
    }

    fn in_item(&self) -> bool {
        self.list.is_some() && self.level == 2
    }

    fn begin(&mut self, tag: u32) -> Result<(), Refusal> {
        self.level += 1;
        self.wanted = None;
        if self.level > 1 {
            let misplaced =
                self.list.is_some() && self.level == 3 && matches!(tag, CLASS | INSTANCE);
            return if misplaced { Err(malformed(tag)) } else { Ok(()) };
        }
        let list = match tag {
            REFERENCED => &mut self.information.referenced,
            FAILED => &mut self.information.failed,
            TRANSACTION => return Err(malformed(tag)),
            _ => return Ok(()),
        };
        if list.replace(Vec::new()).is_some() {
            return Err(malformed(tag));
        }
        self.list = Some(tag);
        Ok(())
    }

    fn begin_item(&mut self) -> Result<(), Refusal> {
        if !self.in_item() {
            return Ok(());
        }
        self.item = Item::default();
        let named = |list: &Option<Vec<Reference>>| list.as_ref().map_or(0, Vec::len);
        let many = named(&self.information.referenced) + named(&self.information.failed);
        if many >= REFERENCES_MAX {
            return Err(Refusal::at(&commitment::COMMITMENT_TOO_MANY, self.list));
        }
        Ok(())
    }

    fn end_item(&mut self) -> Result<(), Refusal> {
        let Item { class, instance, reason } = std::mem::take(&mut self.item);
        let reference = Reference {
            sop_class: class.ok_or_else(|| malformed(CLASS))?,
            sop_instance: instance.ok_or_else(|| malformed(INSTANCE))?,
            reason,
        };
        let list = match self.list {
            Some(FAILED) => &mut self.information.failed,
            _ => &mut self.information.referenced,
        };
        list.get_or_insert_default().push(reference);
        Ok(())
    }

    fn element(&mut self, tag: u32, vr: Vr) -> Result<(), Refusal> {
        let ours = match tag {
            TRANSACTION | RETRIEVE_TITLE | REFERENCED | FAILED => self.level == 0,
            CLASS | INSTANCE | REASON => self.in_item(),
            _ => false,
        };
        self.wanted = ours.then_some(tag);
        self.value.clear();
        let lawful = match tag {
            REFERENCED | FAILED => false, // a list that is no sequence
            RETRIEVE_TITLE => &vr == b"AE",
            REASON => &vr == b"US",
            _ => &vr == b"UI",
        };
        if ours && !lawful { Err(malformed(tag)) } else { Ok(()) }
    }

    fn value(&mut self, bytes: &[u8], last: bool, big_endian: bool) -> Result<(), Refusal> {
        let Some(tag) = self.wanted else { return Ok(()) };
        if bytes.len() > VALUE_LENGTH_MAX - self.value.len() {
            return Err(Refusal::at(&commitment::COMMITMENT_UID, Some(tag)));
        }
        self.value.extend_from_slice(bytes);
        if last {
            self.wanted = None;
            self.set(tag, big_endian)?;
        }
        Ok(())
    }

    fn set(&mut self, tag: u32, big_endian: bool) -> Result<(), Refusal> {
        let again = match tag {
            RETRIEVE_TITLE => {
                let title = String::from_utf8_lossy(&self.value);
                let title = Some(title.trim_matches([' ', '\0'])).filter(|title| !title.is_empty());
                self.information.retrieve_title = title.map(str::to_owned);
                false
            }
            REASON => self.item.reason.replace(reason(&self.value, big_endian)?).is_some(),
            TRANSACTION => match read_uid(tag, &self.value)? {
                Some(uid) => self.information.transaction.replace(uid.into()).is_some(),
                None => false,
            },
            CLASS => {
                let class = self.class()?;
                self.item.class.replace(class).is_some()
            }
            _ => {
                let instance = read_uid(tag, &self.value)?.ok_or_else(|| malformed(tag))?;
                self.item.instance.replace(instance.into()).is_some()
            }
        };
        if again { Err(malformed(tag)) } else { Ok(()) }
    }

    fn class(&mut self) -> Result<Uid, Refusal> {
        let class = read_uid(CLASS, &self.value)?.ok_or_else(|| malformed(CLASS))?;
        if let Some(known) = self.classes.get(class) {
            return Ok(Arc::clone(known));
        }
        let class: Uid = class.into();
        self.classes.insert(Arc::clone(&class));
        Ok(class)
    }
}

fn reason(value: &[u8], big_endian: bool) -> Result<u16, Refusal> {
    let bytes = <[u8; 2]>::try_from(value).map_err(|_| malformed(REASON))?;
    Ok(if big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
}

fn read_uid(tag: u32, value: &[u8]) -> Result<Option<&str>, Refusal> {
    match uid::read(value) {
        UidReading::Empty => Ok(None),
        UidReading::Invalid => Err(Refusal::at(&commitment::COMMITMENT_UID, Some(tag))),
        UidReading::Uid { text, .. } => Ok(Some(text)),
    }
}

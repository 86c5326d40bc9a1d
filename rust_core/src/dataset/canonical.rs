//! Canonical elements: a data set as a row of leaves that no uncompressed encoding changes.
//!
//! A leaf is a path and a canonical value: bytes in little endian, without the trailing padding
//! that the VR calls insignificant; longer ones as head, length and digest. Group lengths and Data
//! Set Trailing Padding are no leaves, since they say nothing. The row comes in path order whenever
//! tags do. One block of input and the open path are all that is held.

use std::io::{self, Read};

use super::capture::to_little_endian;
use super::dictionary::vr_of;
use super::framing::{Fault, Framing};
use super::inflate::Inflater;
use super::tag;
use super::token::Token;
use super::transfer_syntax::{Encoding, TransferSyntax};
use super::vr::{Vr, is_text, word};
use super::walker::Walker;
use crate::limits::{INSTANCE_LENGTH_MAX, SEQUENCE_DEPTH_MAX};
use crate::refusal::Refusal;

/// Bytes of a value that are kept as they are.
pub const HEAD_MAX: usize = 64;
const BLOCK: usize = 64 << 10;

/// One step of a path: an element, or its n-th item or fragment (from 1; 0 is the element itself).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// The element's tag.
    pub tag: u32,
    /// Item or fragment, from 1.
    pub item: u32,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// A sequence; its items follow.
    Sequence,
    /// Encapsulated Pixel Data; its fragments follow.
    Fragments,
    /// An item; its elements follow.
    Item,
    /// A plain value, or one fragment.
    Value(Value),
}

/// A canonical value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its length, bytes.
    pub length: u64,
    /// Its first bytes, at most [`HEAD_MAX`].
    pub head: Vec<u8>,
    /// BLAKE3 of all of it, where it is longer than its head.
    pub digest: Option<[u8; 32]>,
}

/// One leaf of the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Where it stands.
    pub path: Vec<Step>,
    /// VR that the sender wrote; `None` where the encoding carries none, or for `UN`.
    pub sent_vr: Option<Vr>,
    /// What stands there.
    pub body: Body,
}

/// Why a data set could not be read to its end.
#[derive(Debug)]
pub enum CanonicalError {
    /// The bytes could not be had.
    Read(io::Error),
    /// The bytes are no data set.
    Refused(Refusal),
}

impl From<Refusal> for CanonicalError {
    fn from(refusal: Refusal) -> Self {
        CanonicalError::Refused(refusal)
    }
}

impl From<Fault> for CanonicalError {
    fn from(fault: Fault) -> Self {
        CanonicalError::Refused(fault.into())
    }
}

impl From<io::Error> for CanonicalError {
    fn from(error: io::Error) -> Self {
        CanonicalError::Read(error)
    }
}

/// Blocks of a data set, inflated where need be.
struct Source<'r> {
    reader: &'r mut dyn Read,
    inflater: Option<Inflater>,
    raw: Vec<u8>,
    taken: usize,
}

impl Source<'_> {
    /// Fills `block` with the next bytes of the data set; false at its end.
    fn next(&mut self, block: &mut Vec<u8>) -> Result<bool, CanonicalError> {
        block.clear();
        let Some(inflater) = &mut self.inflater else {
            return Ok(read_block(self.reader, block)?);
        };
        loop {
            let mut input = &self.raw[self.taken..];
            let before = input.len();
            block.extend_from_slice(inflater.next(&mut input)?);
            self.taken += before - input.len();
            if !block.is_empty() {
                return Ok(true);
            }
            if self.taken < self.raw.len() {
                if input.len() == before {
                    return Err(Framing::DeflateCorrupt.refuse(None).into());
                }
                continue;
            }
            self.taken = 0;
            if !read_block(self.reader, &mut self.raw)? {
                inflater.finish()?;
                return Ok(false);
            }
        }
    }
}

fn read_block(reader: &mut dyn Read, block: &mut Vec<u8>) -> io::Result<bool> {
    block.clear();
    reader.take(BLOCK as u64).read_to_end(block)?;
    Ok(!block.is_empty())
}

/// The row of leaves of one data set.
pub struct Leaves<'r> {
    source: Source<'r>,
    walker: Walker,
    block: Vec<u8>,
    taken: usize,
    row: Row,
}

impl<'r> Leaves<'r> {
    /// Begins a row; `None` if the transfer syntax encodes no data set.
    pub fn new(reader: &'r mut dyn Read, syntax: &TransferSyntax) -> Option<Self> {
        let encoding = syntax.encoding?;
        let (length, depth) = (INSTANCE_LENGTH_MAX, SEQUENCE_DEPTH_MAX);
        let inflater = (encoding == Encoding::DeflatedLittle).then(Inflater::default);
        Some(Self {
            source: Source { reader, inflater, raw: Vec::new(), taken: 0 },
            walker: Walker::new(encoding, syntax.encapsulated(), length, depth),
            block: Vec::new(),
            taken: 0,
            row: Row::default(),
        })
    }

    /// The next leaf; `None` at the end of the data set.
    ///
    /// # Errors
    /// What the reader says, or a [`Framing`] fault.
    pub fn next_leaf(&mut self) -> Result<Option<Leaf>, CanonicalError> {
        loop {
            let mut input = &self.block[self.taken..];
            let before = input.len();
            let token = self.walker.next(&mut input)?;
            self.taken += before - input.len();
            if let Some(token) = token {
                if let Some(leaf) = self.row.token(&self.walker, token) {
                    return Ok(Some(leaf));
                }
                continue;
            }
            self.taken = 0;
            if !self.source.next(&mut self.block)? {
                self.walker.finish()?;
                return Ok(None);
            }
        }
    }
}

/// Turns tokens into leaves.
#[derive(Default)]
struct Row {
    path: Vec<Step>,
    open: Option<Open>,
}

/// The value that is being read; without a builder if it says nothing.
struct Open {
    builder: Option<Builder>,
    sent_vr: Option<Vr>,
    fragment: bool,
}

impl Row {
    fn token(&mut self, walker: &Walker, token: Token<'_>) -> Option<Leaf> {
        match token {
            Token::Element { tag, vr, .. } => self.element(walker, tag, vr),
            Token::Value { bytes, last } => return self.value(bytes, last),
            Token::SequenceStart { tag, .. } => return Some(self.enter(tag, Body::Sequence)),
            Token::FragmentsStart { tag, .. } => return Some(self.enter(tag, Body::Fragments)),
            Token::ItemStart => {
                self.next_item();
                return Some(self.leaf(None, Body::Item));
            }
            Token::Fragment { .. } => self.fragment(),
            Token::SequenceEnd | Token::FragmentsEnd => {
                self.path.pop();
            }
            Token::ItemEnd => {}
        }
        None
    }

    fn leaf(&self, sent_vr: Option<Vr>, body: Body) -> Leaf {
        Leaf { path: self.path.clone(), sent_vr, body }
    }

    fn enter(&mut self, tag: u32, body: Body) -> Leaf {
        self.path.push(Step { tag, item: 0 });
        self.leaf(None, body)
    }

    fn next_item(&mut self) {
        if let Some(step) = self.path.last_mut() {
            step.item += 1;
        }
    }

    fn fragment(&mut self) {
        self.next_item();
        let builder = Some(Builder::new(1, &[]));
        self.open = Some(Open { builder, sent_vr: None, fragment: true });
    }

    fn element(&mut self, walker: &Walker, tag: u32, vr: Vr) {
        self.path.push(Step { tag, item: 0 });
        let sent_vr = (!walker.implicit() && vr != *b"UN").then_some(vr);
        let says_nothing = tag::is_group_length(tag) || tag == tag::DATA_SET_TRAILING_PADDING;
        let unit = if walker.big_endian() { word(vr) } else { 1 };
        let builder = (!says_nothing).then(|| Builder::new(unit, padding(tag)));
        self.open = Some(Open { builder, sent_vr, fragment: false });
    }

    fn value(&mut self, bytes: &[u8], last: bool) -> Option<Leaf> {
        let open = self.open.as_mut()?;
        if let Some(builder) = &mut open.builder {
            builder.piece(bytes);
        }
        if !last {
            return None;
        }
        let Open { builder, sent_vr, fragment } = self.open.take()?;
        let leaf = builder.map(|builder| self.leaf(sent_vr, Body::Value(builder.finish())));
        if !fragment {
            self.path.pop();
        }
        leaf
    }
}

/// Bytes that mean nothing at the end of the value. By the dictionary, not by the VR sent: both
/// sides must come to the same bytes, and one of them may not have been told the VR.
fn padding(tag: u32) -> &'static [u8] {
    match vr_of(tag) {
        Some([b'U', b'I']) => &[0, b' '],
        Some(vr) if is_text(vr) => b" ",
        Some(_) | None => &[],
    }
}

/// Makes a canonical value of pieces.
struct Builder {
    unit: usize,
    padding: &'static [u8],
    /// Bytes of a word that is not complete, big endian only.
    carry: Vec<u8>,
    /// A run of one padding byte that may be the last.
    held: (u8, u64),
    length: u64,
    head: Vec<u8>,
    hasher: Option<Box<blake3::Hasher>>,
}

impl Builder {
    fn new(unit: usize, padding: &'static [u8]) -> Self {
        let (carry, head) = (Vec::new(), Vec::new());
        Self { unit, padding, carry, held: (0, 0), length: 0, head, hasher: None }
    }

    fn piece(&mut self, bytes: &[u8]) {
        if self.unit == 1 {
            return self.ordered(bytes);
        }
        let mut carry = std::mem::take(&mut self.carry);
        carry.extend_from_slice(bytes);
        let whole = carry.len() - carry.len() % self.unit;
        to_little_endian(&mut carry[..whole], self.unit);
        self.ordered(&carry[..whole]);
        carry.drain(..whole);
        self.carry = carry;
    }

    /// Holds padding back until something comes after it.
    fn ordered(&mut self, bytes: &[u8]) {
        let Some(&last) = bytes.last().filter(|last| self.padding.contains(last)) else {
            if !bytes.is_empty() {
                self.release();
                self.kept(bytes);
            }
            return;
        };
        let content = bytes.iter().rposition(|&byte| byte != last).map_or(0, |at| at + 1);
        if content > 0 || last != self.held.0 {
            self.release();
        }
        self.kept(&bytes[..content]);
        self.held = (last, self.held.1 + (bytes.len() - content) as u64);
    }

    fn release(&mut self) {
        let (byte, mut count) = std::mem::take(&mut self.held);
        while count > 0 {
            let run = [byte; HEAD_MAX];
            let now = count.min(HEAD_MAX as u64);
            self.kept(&run[..now as usize]);
            count -= now;
        }
    }

    fn kept(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        let room = (HEAD_MAX - self.head.len()).min(bytes.len());
        let (head, rest) = bytes.split_at(room);
        self.head.extend_from_slice(head);
        if !rest.is_empty() {
            let begun = || Box::new(blake3::Hasher::new().update(&self.head).clone());
            self.hasher.get_or_insert_with(begun).update(rest);
        }
    }

    fn finish(mut self) -> Value {
        let carry = std::mem::take(&mut self.carry);
        self.ordered(&carry);
        let digest = self.hasher.map(|hasher| *hasher.finalize().as_bytes());
        Value { length: self.length, head: self.head, digest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(unit: usize, padding: &'static [u8], pieces: &[&[u8]]) -> Value {
        let mut builder = Builder::new(unit, padding);
        pieces.iter().for_each(|piece| builder.piece(piece));
        builder.finish()
    }

    #[test]
    fn trailing_padding_goes_and_padding_within_stays() {
        assert_eq!(built(1, b" ", &[b"A B  ", b"  "]).head, b"A B");
        assert_eq!(built(1, b" ", &[b"A  ", b" ", b"B"]).head, b"A   B");
        assert_eq!(built(1, &[0, b' '], &[b"1.2\0"]).head, b"1.2");
        assert_eq!(built(1, b" ", &[b"    "]).length, 0);
        assert_eq!(built(1, &[], &[b"A "]).head, b"A ");
        let long = [&b"x".repeat(100)[..], &b" ".repeat(1000)].concat();
        assert_eq!(built(1, b" ", &[&long]), built(1, b" ", &[&b"x".repeat(100)]));
        assert_ne!(built(1, b" ", &[&long, b"y"]), built(1, b" ", &[&b"x".repeat(100)]));
    }

    #[test]
    fn words_are_reversed_wherever_the_pieces_are_cut() {
        let bytes: Vec<u8> = (0..200).collect();
        let whole = built(4, &[], &[&bytes]);
        assert_eq!(whole.head[..4], [3, 2, 1, 0]);
        let pieces: Vec<&[u8]> = bytes.chunks(3).collect();
        assert_eq!(built(4, &[], &pieces), whole);
        assert_eq!(built(2, &[], &[&[1, 2, 3]]).head, [2, 1, 3]);
    }
}

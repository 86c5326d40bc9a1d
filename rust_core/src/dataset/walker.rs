//! The walker: the grammar of a data set (PS3.5 7, A), pull style over borrowed bytes.
//!
//! [`Walker::next`] takes what it can from the front of the input and returns one token; it keeps
//! at most one split element header (12 bytes) and one frame per open sequence and item, never
//! a value. Chunking does not matter: the same bytes give the same tokens, except that values come
//! in other pieces. No length is believed before it has been held against what encloses it.

use super::dictionary::vr_of;
use super::framing::{Fault, Framing};
use super::tag::{self, group};
use super::token::Token;
use super::transfer_syntax::Encoding;
use super::vr::{LengthField, Vr, length_field};

const UNDEFINED: u32 = 0xFFFF_FFFF;
const HEADER_MAX: usize = 12;

/// How elements are encoded at one level; sequences of VR UN are implicit inside (PS3.5 6.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    ImplicitLittle,
    ExplicitLittle,
    ExplicitBig,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    DataSet,
    Sequence,
    Item,
    /// `first` until the Basic Offset Table item has come.
    Fragments {
        first: bool,
    },
}

/// An open level: what may come in it, and where it must end.
#[derive(Clone, Copy, Debug)]
struct Frame {
    kind: Kind,
    form: Form,
    /// Ends by a delimiter; `end` is then that of the level around it.
    delimited: bool,
    end: u64,
    /// Element that opened it.
    tag: u32,
}

struct Header {
    tag: u32,
    vr: Option<Vr>,
    length: u32,
}

/// A walk through one data set.
#[derive(Debug)]
pub struct Walker {
    encapsulated: bool,
    depth_max: usize,
    depth: usize,
    position: u64,
    top: Frame,
    below: Vec<Frame>,
    pending: [u8; HEADER_MAX],
    pending_length: usize,
    /// Bytes still to come of the value that is open.
    value: Option<u32>,
    tag: u32,
    padded: bool,
    reserved: Option<u32>,
}

impl Walker {
    /// Begins a data set of at most `length_max` bytes, with sequences at most `depth_max` deep.
    pub fn new(encoding: Encoding, encapsulated: bool, length_max: u64, depth_max: usize) -> Self {
        let form = match encoding {
            Encoding::ImplicitLittle => Form::ImplicitLittle,
            Encoding::ExplicitLittle | Encoding::DeflatedLittle => Form::ExplicitLittle,
            Encoding::ExplicitBig => Form::ExplicitBig,
        };
        let kind = Kind::DataSet;
        Self {
            encapsulated,
            depth_max,
            depth: 0,
            position: 0,
            top: Frame { kind, form, delimited: false, end: length_max, tag: 0 },
            below: Vec::new(),
            pending: [0; HEADER_MAX],
            pending_length: 0,
            value: None,
            tag: 0,
            padded: false,
            reserved: None,
        }
    }

    /// Bytes taken so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes given so far, those of a header that is cut included.
    pub fn reached(&self) -> u64 {
        self.position + self.pending_length as u64
    }

    /// Whether the element just begun is big endian.
    pub fn big_endian(&self) -> bool {
        self.top.form == Form::ExplicitBig
    }

    /// Whether the VR of the element just begun came from the dictionary.
    pub fn implicit(&self) -> bool {
        self.top.form == Form::ImplicitLittle
    }

    /// Open sequences and items; 0 at the top level of the data set.
    pub fn level(&self) -> usize {
        self.below.len()
    }

    /// First element whose reserved bytes are not zero (PS3.5 7.1.2).
    pub fn reserved(&self) -> Option<u32> {
        self.reserved
    }

    /// Whether the bytes taken end where a data set may end. Call it when [`Walker::next`] has
    /// returned `None` for an empty input.
    ///
    /// # Errors
    /// [`Framing::Truncated`] within an element, item or sequence.
    pub fn finish(&self) -> Result<(), Fault> {
        let open = self.value.is_some() || self.pending_length > 0 || !self.below.is_empty();
        if open { Err(Framing::Truncated.at(self.place())) } else { Ok(()) }
    }

    /// Takes what it can from the front of `input` and returns the next token; `None` asks for
    /// more.
    ///
    /// # Errors
    /// A [`Framing`] fault; the walk is then over.
    #[inline]
    pub fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Token<'a>>, Fault> {
        if let Some(remaining) = self.value {
            return Ok(self.piece(remaining, input));
        }
        if self.top.end - self.position < 8 {
            return self.at_end(input);
        }
        let Some(header) = self.header(input)? else { return Ok(None) };
        self.tag = header.tag;
        match self.top.kind {
            Kind::DataSet | Kind::Item => self.element(&header).map(Some),
            Kind::Sequence => self.item(&header).map(Some),
            Kind::Fragments { first } => self.fragment(&header, first).map(Some),
        }
    }

    #[inline]
    fn piece<'a>(&mut self, remaining: u32, input: &mut &'a [u8]) -> Option<Token<'a>> {
        let taken = input.len().min(remaining as usize);
        if taken == 0 && remaining > 0 {
            return None;
        }
        let (bytes, rest) = input.split_at(taken);
        *input = rest;
        self.position += taken as u64;
        let left = remaining - taken as u32;
        self.value = (left > 0).then_some(left);
        Some(Token::Value { bytes, last: left == 0 })
    }

    /// Too little is left of the level for another header: it ends exactly here, or it is broken.
    fn at_end<'a>(&mut self, input: &[u8]) -> Result<Option<Token<'a>>, Fault> {
        let exactly = self.position == self.top.end;
        match self.top.kind {
            Kind::DataSet if input.is_empty() => Ok(None),
            Kind::DataSet => Err(Framing::TooLarge.at(None)),
            Kind::Sequence if exactly && !self.top.delimited => Ok(Some(self.close())),
            Kind::Item if exactly && !self.top.delimited => Ok(Some(self.close())),
            Kind::Sequence | Kind::Item | Kind::Fragments { .. } => {
                Err(self.limit_fault(Framing::ItemLength).at(Some(self.top.tag)))
            }
        }
    }

    /// What a length that does not fit says: of the instance as a whole if nothing else is open.
    fn limit_fault(&self, within: Framing) -> Framing {
        let root = self.below.first().unwrap_or(&self.top);
        if self.top.end == root.end { Framing::TooLarge } else { within }
    }

    fn place(&self) -> Option<u32> {
        (self.tag != 0).then_some(self.tag)
    }

    #[inline]
    fn header(&mut self, input: &mut &[u8]) -> Result<Option<Header>, Fault> {
        if self.padded && !input.is_empty() {
            return Err(Framing::PaddingNotLast.at(Some(tag::DATA_SET_TRAILING_PADDING)));
        }
        if self.pending_length == 0
            && let Some(bytes) = input.first_chunk::<HEADER_MAX>()
        {
            let size = self.header_size(bytes)?;
            *input = &input[size..];
            return Ok(Some(self.decode(bytes, size)));
        }
        self.split_header(input)
    }

    /// A header that may be spread over several inputs.
    fn split_header(&mut self, input: &mut &[u8]) -> Result<Option<Header>, Fault> {
        if !self.gather(8, input) {
            return Ok(None);
        }
        let size = self.header_size(&{ self.pending })?;
        if !self.gather(size, input) {
            return Ok(None);
        }
        self.pending_length = 0;
        let pending = self.pending;
        Ok(Some(self.decode(&pending, size)))
    }

    fn gather(&mut self, size: usize, input: &mut &[u8]) -> bool {
        let missing = size.saturating_sub(self.pending_length).min(input.len());
        let (bytes, rest) = input.split_at(missing);
        self.pending[self.pending_length..self.pending_length + missing].copy_from_slice(bytes);
        self.pending_length += missing;
        *input = rest;
        self.pending_length >= size
    }

    /// Judges the first eight bytes of a header: lawful tag, known VR, room for the rest of it.
    #[inline]
    fn header_size(&mut self, bytes: &[u8; HEADER_MAX]) -> Result<usize, Fault> {
        let tag = self.tag_of(bytes);
        if matches!(self.top.kind, Kind::Sequence | Kind::Fragments { .. }) || group(tag) == 0xFFFE
        {
            return Ok(8);
        }
        if self.position == 0 {
            self.plausible(tag, bytes)?;
        }
        if group(tag) < 8 || group(tag) == 0xFFFF {
            return Err(Framing::UnlawfulGroup.at(Some(tag)));
        }
        if self.top.form == Form::ImplicitLittle {
            return Ok(8);
        }
        match length_field([bytes[4], bytes[5]]) {
            Some(LengthField::Short) => Ok(8),
            Some(LengthField::Long) if self.top.end - self.position >= 12 => Ok(12),
            Some(LengthField::Long) => Err(self.limit_fault(Framing::ItemLength).at(Some(tag))),
            None => Err(Framing::UnknownVr.at(Some(tag))),
        }
    }

    /// Whether the very first element can be what the transfer syntax says. A composite instance
    /// begins in group 0008 (SOP Common is mandatory), which makes a wrong syntax easy to tell.
    #[cold]
    fn plausible(&self, tag: u32, bytes: &[u8; HEADER_MAX]) -> Result<(), Fault> {
        if matches!(group(tag), 0x0200 | 0x0800 | 0x1000) {
            return Err(Framing::ByteOrder.at(None));
        }
        let letters = [bytes[4], bytes[5]];
        let known = length_field(letters).is_some();
        match self.top.form {
            Form::ImplicitLittle if known && vr_of(tag) == Some(letters) => {
                Err(Framing::ExplicitSent.at(Some(tag)))
            }
            Form::ExplicitLittle | Form::ExplicitBig if !known && group(tag) == 8 => {
                let length = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
                let sent = length < 1 << 20 || length == UNDEFINED;
                let fault = if sent { Framing::ImplicitSent } else { Framing::UnknownVr };
                Err(fault.at(Some(tag)))
            }
            Form::ImplicitLittle | Form::ExplicitLittle | Form::ExplicitBig => Ok(()),
        }
    }

    #[inline]
    fn tag_of(&self, bytes: &[u8; HEADER_MAX]) -> u32 {
        let [a, b, c, d] = [bytes[0], bytes[1], bytes[2], bytes[3]];
        match self.top.form {
            Form::ImplicitLittle | Form::ExplicitLittle => u32::from_be_bytes([b, a, d, c]),
            Form::ExplicitBig => u32::from_be_bytes([a, b, c, d]),
        }
    }

    #[inline]
    fn decode(&mut self, bytes: &[u8; HEADER_MAX], size: usize) -> Header {
        let tag = self.tag_of(bytes);
        self.position += size as u64;
        let plain = matches!(self.top.kind, Kind::DataSet | Kind::Item) && group(tag) != 0xFFFE;
        if !plain || self.top.form == Form::ImplicitLittle {
            return Header { tag, vr: None, length: self.u32_of(bytes, 4) };
        }
        let vr = Some([bytes[4], bytes[5]]);
        if size == 8 {
            return Header { tag, vr, length: u32::from(self.u16_of(bytes, 6)) };
        }
        if bytes[6..8] != [0, 0] {
            self.reserved.get_or_insert(tag);
        }
        Header { tag, vr, length: self.u32_of(bytes, 8) }
    }

    #[inline]
    fn u16_of(&self, bytes: &[u8; HEADER_MAX], at: usize) -> u16 {
        let word = [bytes[at], bytes[at + 1]];
        if self.big_endian() { u16::from_be_bytes(word) } else { u16::from_le_bytes(word) }
    }

    #[inline]
    fn u32_of(&self, bytes: &[u8; HEADER_MAX], at: usize) -> u32 {
        let word = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        if self.big_endian() { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) }
    }

    #[inline]
    fn element<'a>(&mut self, header: &Header) -> Result<Token<'a>, Fault> {
        let Header { tag, length, .. } = *header;
        if group(tag) == 0xFFFE {
            return self.item_delimiter(header);
        }
        let dictionary = if header.vr.is_none() { vr_of(tag) } else { None };
        let vr = header.vr.or(dictionary).unwrap_or(*b"UN");
        if tag == tag::PIXEL_DATA {
            self.pixels_lawful(length)?;
        }
        if tag == tag::DATA_SET_TRAILING_PADDING {
            if !self.below.is_empty() {
                return Err(Framing::PaddingNotLast.at(Some(tag)));
            }
            self.padded = true;
        }
        if length == UNDEFINED {
            return self.undefined(tag, vr);
        }
        if vr == *b"SQ" {
            return self.open_sequence(tag, vr, self.top.form, Some(length));
        }
        self.claim(length)?;
        self.value = Some(length);
        Ok(Token::Element { tag, vr, length })
    }

    /// PS3.5 A.4: top-level pixels of an encapsulated syntax come in fragments; those of an icon
    /// may; nothing else does.
    fn pixels_lawful(&self, length: u32) -> Result<(), Fault> {
        let may = self.encapsulated && self.top.form == Form::ExplicitLittle;
        if length == UNDEFINED && !may {
            return Err(Framing::Encapsulated.at(Some(tag::PIXEL_DATA)));
        }
        if length != UNDEFINED && self.encapsulated && self.below.is_empty() {
            return Err(Framing::NotEncapsulated.at(Some(tag::PIXEL_DATA)));
        }
        Ok(())
    }

    fn undefined<'a>(&mut self, tag: u32, vr: Vr) -> Result<Token<'a>, Fault> {
        match &vr {
            b"OB" | b"OW" if tag == tag::PIXEL_DATA => {
                self.open(Kind::Fragments { first: true }, tag, self.top.form, None)?;
                Ok(Token::FragmentsStart { tag, vr })
            }
            b"SQ" => self.open_sequence(tag, vr, self.top.form, None),
            b"UN" if tag != tag::PIXEL_DATA && tag != tag::DATA_SET_TRAILING_PADDING => {
                self.open_sequence(tag, vr, Form::ImplicitLittle, None)
            }
            _ => Err(Framing::UndefinedLength.at(Some(tag))),
        }
    }

    fn open_sequence<'a>(
        &mut self,
        tag: u32,
        vr: Vr,
        form: Form,
        length: Option<u32>,
    ) -> Result<Token<'a>, Fault> {
        if self.depth == self.depth_max {
            return Err(Framing::Depth.at(Some(tag)));
        }
        self.open(Kind::Sequence, tag, form, length)?;
        self.depth += 1;
        Ok(Token::SequenceStart { tag, vr })
    }

    fn open(&mut self, kind: Kind, tag: u32, form: Form, length: Option<u32>) -> Result<(), Fault> {
        let end = match length {
            Some(length) => self.claim(length)?,
            None => self.top.end,
        };
        self.below.push(self.top);
        self.top = Frame { kind, form, delimited: length.is_none(), end, tag };
        Ok(())
    }

    /// Where a claimed length ends, if what encloses it has room for that.
    #[inline]
    fn claim(&self, length: u32) -> Result<u64, Fault> {
        let end = self.position + u64::from(length);
        if end > self.top.end {
            return Err(self.limit_fault(Framing::Overrun).at(self.place()));
        }
        Ok(end)
    }

    /// Leaves the innermost level.
    fn close<'a>(&mut self) -> Token<'a> {
        let kind = self.top.kind;
        if let Some(frame) = self.below.pop() {
            self.top = frame;
        }
        match kind {
            Kind::DataSet | Kind::Item => Token::ItemEnd,
            Kind::Sequence => {
                self.depth -= 1;
                Token::SequenceEnd
            }
            Kind::Fragments { .. } => Token::FragmentsEnd,
        }
    }

    fn item_delimiter<'a>(&mut self, header: &Header) -> Result<Token<'a>, Fault> {
        let lawful = header.tag == tag::ITEM_DELIMITATION
            && self.top.kind == Kind::Item
            && self.top.delimited;
        self.delimiter(header, lawful)
    }

    fn delimiter<'a>(&mut self, header: &Header, lawful: bool) -> Result<Token<'a>, Fault> {
        if !lawful {
            return Err(Framing::StrayDelimiter.at(Some(header.tag)));
        }
        if header.length != 0 {
            return Err(Framing::DelimiterLength.at(Some(header.tag)));
        }
        Ok(self.close())
    }

    fn item<'a>(&mut self, header: &Header) -> Result<Token<'a>, Fault> {
        match header.tag {
            tag::ITEM => {
                let length = (header.length != UNDEFINED).then_some(header.length);
                self.open(Kind::Item, self.top.tag, self.top.form, length)?;
                Ok(Token::ItemStart)
            }
            tag::SEQUENCE_DELIMITATION => self.delimiter(header, self.top.delimited),
            tag::ITEM_DELIMITATION => self.delimiter(header, false),
            _ => Err(Framing::ItemExpected.at(Some(self.top.tag))),
        }
    }

    fn fragment<'a>(&mut self, header: &Header, first: bool) -> Result<Token<'a>, Fault> {
        match header.tag {
            tag::ITEM if header.length == UNDEFINED => {
                Err(Framing::UndefinedLength.at(Some(self.top.tag)))
            }
            tag::ITEM => {
                self.claim(header.length)?;
                self.top.kind = Kind::Fragments { first: false };
                self.value = Some(header.length);
                Ok(Token::Fragment { length: header.length })
            }
            tag::SEQUENCE_DELIMITATION if first => {
                Err(Framing::OffsetTableMissing.at(Some(self.top.tag)))
            }
            tag::SEQUENCE_DELIMITATION => self.delimiter(header, true),
            tag::ITEM_DELIMITATION => self.delimiter(header, false),
            _ => Err(Framing::ItemExpected.at(Some(self.top.tag))),
        }
    }
}

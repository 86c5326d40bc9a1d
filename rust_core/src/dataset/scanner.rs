//! The scanner: one strict pass over a data set as it arrives, keeping nothing but what is asked.
//!
//! Success of [`Scanner::finish`] MUST mean: every byte given belongs to a data set that is well
//! formed in its transfer syntax and ends exactly with the last byte.

use super::capture::{Captured, Captures};
use super::character_set::{decodable, repertoire};
use super::framing::{Fault, Framing};
use super::inflate::Inflater;
use super::observation::{Observations, OffsetTable, PixelObservation};
use super::order::TagOrder;
use super::tag;
use super::token::Token;
use super::transfer_syntax::Encoding;
use super::vr::{Vr, is_localised};
use super::walker::Walker;
use crate::instance::CapturedElement;
use crate::limits::{INSTANCE_LENGTH_MAX, SEQUENCE_DEPTH_MAX};
use crate::refusal::Refusal;

/// Bounds of one scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanLimits {
    /// Bytes of data set, as received and as inflated.
    pub length_max: u64,
    /// Nesting depth of sequences.
    pub depth_max: usize,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self { length_max: INSTANCE_LENGTH_MAX, depth_max: SEQUENCE_DEPTH_MAX }
    }
}

/// What a whole data set showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// Captured top-level elements in tag order.
    pub captured: Vec<CapturedElement>,
    /// What rules may judge.
    pub observations: Observations,
    /// The top-level pixels.
    pub pixel: PixelObservation,
    /// Elements at all levels.
    pub elements: u64,
    /// Bytes as received.
    pub length: u64,
}

impl Scanned {
    /// The captured element of a tag.
    pub fn get(&self, tag: u32) -> Option<&CapturedElement> {
        let index = self.captured.binary_search_by_key(&tag, |element| element.tag).ok()?;
        Some(&self.captured[index])
    }
}

/// A scan in progress.
#[derive(Debug)]
pub struct Scanner {
    walker: Walker,
    inflater: Option<Box<Inflater>>,
    record: Record,
    limits: ScanLimits,
    received: u64,
    refused: Option<Refusal>,
}

/// A fault that the walker saw where it stands now.
fn seen_by(walker: &Walker) -> impl Fn(Fault) -> Refusal {
    move |fault| fault.refuse(walker.position())
}

impl Scanner {
    /// Begins a data set; `encapsulated` says whether its transfer syntax puts pixels in fragments.
    pub fn new(encoding: Encoding, encapsulated: bool, limits: ScanLimits) -> Self {
        let deflated = encoding == Encoding::DeflatedLittle;
        Self {
            walker: Walker::new(encoding, encapsulated, limits.length_max, limits.depth_max),
            inflater: deflated.then(Box::default),
            record: Record::default(),
            limits,
            received: 0,
            refused: None,
        }
    }

    /// Takes the next bytes, however they are cut.
    ///
    /// # Errors
    /// The first [`Framing`] fault; the same again for all later calls.
    pub fn update(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        if let Some(refusal) = &self.refused {
            return Err(*refusal);
        }
        let result = self.take(chunk);
        self.refused = result.err();
        result
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), Refusal> {
        let room = self.limits.length_max.saturating_sub(self.received);
        self.received += chunk.len() as u64;
        let Some(inflater) = &mut self.inflater else {
            return self.record.drain(&mut self.walker, chunk);
        };
        // What is within the limit is judged first, or the verdict would depend on the cutting.
        let within = chunk.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        let (mut input, excess) = chunk.split_at(within);
        loop {
            let before = input.len();
            // No byte: how far the walker is when a stream breaks depends on how it was cut.
            let inflated = inflater.next(&mut input)?;
            if inflated.is_empty() && input.is_empty() {
                break;
            }
            if inflated.is_empty() && input.len() == before {
                return Err(Framing::DeflateCorrupt.refuse(None));
            }
            self.record.drain(&mut self.walker, inflated)?;
        }
        if excess.is_empty() { Ok(()) } else { Err(Framing::TooLarge.refuse(None)) }
    }

    /// The value of a captured top-level element, once all of it has arrived.
    pub fn captured(&self, tag: u32) -> Option<&[u8]> {
        self.record.captures.get(tag).map(|captured| captured.value)
    }

    /// The data set has ended: was it one?
    ///
    /// # Errors
    /// An earlier refusal, a truncated or an empty data set.
    pub fn finish(mut self) -> Result<Scanned, Refusal> {
        self.update(&[])?;
        if let Some(inflater) = &self.inflater {
            inflater.finish().map_err(|fault| fault.refuse(self.received))?;
            self.record.observations.deflate_trailer = inflater.has_trailer();
        }
        self.walker.finish().map_err(|fault| fault.refuse(self.walker.reached()))?;
        self.record.conclude(&self.walker, self.received)
    }
}

/// What the bytes of the open value are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Purpose {
    #[default]
    Nothing,
    Capture,
    NestedCharacterSet,
    BasicOffsets,
    ExtendedOffsets,
}

/// A nested Specific Character Set longer than this is no defined term.
const CHARACTER_SET_MAX: usize = 256;

/// The keeping side of a scan.
#[derive(Debug, Default)]
struct Record {
    order: TagOrder,
    captures: Captures,
    observations: Observations,
    pixel: PixelObservation,
    basic: Option<OffsetTable>,
    extended: Option<OffsetTable>,
    character_set: Vec<u8>,
    purpose: Purpose,
    elements: u64,
    /// Something other than group lengths and padding has come.
    substance: bool,
}

impl Record {
    fn drain(&mut self, walker: &mut Walker, mut input: &[u8]) -> Result<(), Refusal> {
        while let Some(token) = walker.next(&mut input).map_err(seen_by(walker))? {
            match token {
                Token::Element { tag, vr, length } => self.element(walker, tag, vr, length),
                Token::Value { bytes, last } => self.value(walker, bytes, last),
                Token::SequenceStart { tag, .. } => self.begin(tag),
                Token::ItemStart => self.order.enter(),
                Token::ItemEnd => self.order.leave().map_err(seen_by(walker))?,
                Token::SequenceEnd | Token::FragmentsEnd => {}
                Token::FragmentsStart { tag, .. } => self.fragments(walker, tag),
                Token::Fragment { length } => self.fragment(walker, length),
            }
        }
        Ok(())
    }

    #[inline]
    fn begin(&mut self, tag: u32) {
        self.elements += 1;
        self.order.see(tag);
        self.substance |= !tag::is_group_length(tag) && tag != tag::DATA_SET_TRAILING_PADDING;
    }

    #[inline]
    fn element(&mut self, walker: &Walker, tag: u32, vr: Vr, length: u32) {
        self.begin(tag);
        if length % 2 == 1 {
            self.observations.odd_length.get_or_insert(tag);
        }
        self.purpose = if walker.level() > 0 {
            self.nested(tag)
        } else if self.captures.begin(tag, vr) {
            Purpose::Capture
        } else {
            self.pixel_group(tag, length)
        };
    }

    fn nested(&mut self, tag: u32) -> Purpose {
        if tag != tag::SPECIFIC_CHARACTER_SET {
            return Purpose::Nothing;
        }
        self.character_set.clear();
        Purpose::NestedCharacterSet
    }

    fn pixel_group(&mut self, tag: u32, length: u32) -> Purpose {
        match tag {
            tag::PIXEL_DATA | tag::FLOAT_PIXEL_DATA | tag::DOUBLE_FLOAT_PIXEL_DATA
                if self.pixel == PixelObservation::None =>
            {
                self.pixel = PixelObservation::Native { tag, length };
                Purpose::Nothing
            }
            tag::EXTENDED_OFFSET_TABLE if self.extended.is_none() => {
                self.extended = Some(OffsetTable::EXTENDED);
                Purpose::ExtendedOffsets
            }
            _ => Purpose::Nothing,
        }
    }

    #[inline]
    fn value(&mut self, walker: &Walker, bytes: &[u8], last: bool) {
        match self.purpose {
            Purpose::Nothing => {}
            Purpose::Capture => self.captures.piece(bytes, last, walker.big_endian()),
            Purpose::NestedCharacterSet => self.nested_character_set(bytes, last),
            Purpose::BasicOffsets => self.basic.iter_mut().for_each(|table| table.piece(bytes)),
            Purpose::ExtendedOffsets => {
                self.extended.iter_mut().for_each(|table| table.piece(bytes));
            }
        }
    }

    fn nested_character_set(&mut self, bytes: &[u8], last: bool) {
        let room = CHARACTER_SET_MAX - self.character_set.len();
        self.character_set.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let unknown = bytes.len() > room || repertoire(&self.character_set).is_none();
        if last && unknown {
            self.observations.unknown_character_set.get_or_insert(tag::SPECIFIC_CHARACTER_SET);
        }
    }

    fn fragments(&mut self, walker: &Walker, tag: u32) {
        self.begin(tag);
        if walker.level() == 1 && self.pixel == PixelObservation::None {
            self.pixel =
                PixelObservation::Encapsulated { fragments: 0, length: 0, offsets_lawful: true };
        }
    }

    /// The first fragment of the top-level pixels is the Basic Offset Table.
    fn fragment(&mut self, walker: &Walker, taken: u32) {
        self.purpose = Purpose::Nothing;
        if taken % 2 == 1 {
            self.observations.odd_length.get_or_insert(tag::PIXEL_DATA);
        }
        if walker.level() > 1 {
            return;
        }
        if self.basic.is_none() {
            self.basic = Some(OffsetTable::BASIC);
            self.purpose = Purpose::BasicOffsets;
        } else if let PixelObservation::Encapsulated { fragments, length, .. } = &mut self.pixel {
            *fragments += 1;
            *length += 8 + u64::from(taken);
        }
    }

    fn conclude(mut self, walker: &Walker, received: u64) -> Result<Scanned, Refusal> {
        self.order.leave().map_err(seen_by(walker))?;
        if !self.substance {
            return Err(Framing::Empty.refuse(None));
        }
        self.judge_offsets();
        self.judge_text();
        let observations = Observations {
            unsorted: self.order.unsorted,
            duplicate: self.order.duplicate,
            captured_duplicates: self.captures.repeated(),
            reserved_bytes: walker.reserved(),
            ..self.observations
        };
        Ok(Scanned {
            captured: self.captures.to_elements(),
            observations,
            pixel: self.pixel,
            elements: self.elements,
            length: received,
        })
    }

    fn judge_offsets(&mut self) {
        if let PixelObservation::Encapsulated { length, offsets_lawful, .. } = &mut self.pixel {
            let tables = [&self.basic, &self.extended];
            *offsets_lawful = tables.iter().all(|t| t.is_none_or(|table| table.lawful(*length)));
        }
    }

    /// Captured text must decode by the top-level character set; an unknown one is its own matter.
    fn judge_text(&mut self) {
        let named = self.captures.get(tag::SPECIFIC_CHARACTER_SET);
        let Some(repertoire) = repertoire(named.map_or(&[], |captured| captured.value)) else {
            self.observations.unknown_character_set = Some(tag::SPECIFIC_CHARACTER_SET);
            return;
        };
        let undecodable = |captured: &Captured<'_>| {
            is_localised(captured.vr) && !decodable(repertoire, captured.value, captured.cut)
        };
        self.observations.undecodable_text =
            self.captures.iter().find(undecodable).map(|captured| captured.tag);
    }
}

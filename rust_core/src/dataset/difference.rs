//! The difference between two data sets, element by element, whatever uncompressed syntax each is
//! in.
//!
//! Two rows of canonical leaves ([`super::canonical`]) are merged by path, as sorted lists are: a
//! leaf that only one side has is *added* or *removed*, one that both have is the same or
//! *changed*. Memory is constant: one leaf and one block a side. Where tags are out of order the
//! merge reports what it meets as it comes; that can show too many differences, never too few, since
//! every leaf of one side must have met its equal on the other.
//!
//! A private sequence of defined length is opaque in the implicit syntax, and so differs from the
//! same sequence in an explicit one: again too many, never too few.

use std::cmp::Ordering;
use std::fmt::Write as _;
use std::io::Read;

use super::canonical::{Body, CanonicalError, HEAD_MAX, Leaf, Leaves, Step, Value};
use super::dictionary::vr_of;
use super::tag;
use super::transfer_syntax::TransferSyntax;
use super::vr::{Vr, is_text};

/// Which way two data sets differ at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DifferenceKind {
    /// Only the second has it.
    Added,
    /// Only the first has it.
    Removed,
    /// Both have it, and not the same.
    Changed,
}

/// One element in which two data sets differ. Previews hold patient data: for operators only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where, like `(0008,1140)[2].(0008,1155)`; items and fragments count from 1.
    pub path: String,
    /// How.
    pub kind: DifferenceKind,
    /// The first's value, at most 64 bytes; empty if it has none.
    pub before: String,
    /// The second's value, likewise.
    pub after: String,
}

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Differences in path order.
    pub differences: Vec<Difference>,
    /// Whether both were read to their ends; false if the limit of differences stopped it.
    pub complete: bool,
    /// Whether no difference can mean equivalence: both native, or both in one transfer syntax.
    pub comparable: bool,
}

impl Comparison {
    /// Whether the two are element by element the same.
    pub fn equivalent(&self) -> bool {
        self.comparable && self.complete && self.differences.is_empty()
    }
}

/// Which of the two data sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The first.
    Before,
    /// The second.
    After,
}

/// Why two data sets could not be compared.
#[derive(Debug)]
pub enum DifferenceError {
    /// One could not be read, or is no data set.
    Unreadable(Side, CanonicalError),
    /// One's transfer syntax encodes no data set.
    NoEncoding(Side),
}

impl std::fmt::Display for DifferenceError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DifferenceError::Unreadable(side, CanonicalError::Read(error)) => {
                write!(f, "data set ({side:?}) could not be read: {error}")
            }
            DifferenceError::Unreadable(side, CanonicalError::Refused(refusal)) => {
                write!(f, "data set ({side:?}) is not one: {}", refusal.comment())
            }
            DifferenceError::NoEncoding(side) => {
                write!(f, "transfer syntax ({side:?}) encodes no data set")
            }
        }
    }
}

impl std::error::Error for DifferenceError {}

/// One side of the merge: its row and the leaf that is next.
struct Reading<'r> {
    side: Side,
    leaves: Leaves<'r>,
    next: Option<Leaf>,
}

impl<'r> Reading<'r> {
    fn begin(
        side: Side,
        reader: &'r mut dyn Read,
        syntax: &TransferSyntax,
    ) -> Result<Self, DifferenceError> {
        let leaves = Leaves::new(reader, syntax).ok_or(DifferenceError::NoEncoding(side))?;
        let mut reading = Self { side, leaves, next: None };
        reading.advance()?;
        Ok(reading)
    }

    fn advance(&mut self) -> Result<Option<Leaf>, DifferenceError> {
        let unreadable = |error| DifferenceError::Unreadable(self.side, error);
        let next = self.leaves.next_leaf().map_err(unreadable)?;
        Ok(std::mem::replace(&mut self.next, next))
    }

    /// Takes the next leaf and everything beneath it.
    fn take_whole(&mut self) -> Result<Option<Leaf>, DifferenceError> {
        let Some(leaf) = self.advance()? else { return Ok(None) };
        while self.next.as_ref().is_some_and(|next| beneath(&leaf, &next.path)) {
            self.advance()?;
        }
        Ok(Some(leaf))
    }
}

/// Whether a path lies within a sequence, an item or fragments.
fn beneath(container: &Leaf, path: &[Step]) -> bool {
    let Some((last, outer)) = container.path.split_last() else { return false };
    let Some(step) = path.get(outer.len()) else { return false };
    if !path.starts_with(outer) || step.tag != last.tag {
        return false;
    }
    match container.body {
        Body::Sequence | Body::Fragments => true,
        Body::Item => step.item == last.item && path.len() > container.path.len(),
        Body::Value(_) => false,
    }
}

/// Compares two data sets; stops after `limit` differences.
///
/// # Errors
/// [`DifferenceError`] if either cannot be read to its end.
pub fn differences(
    before: &mut dyn Read,
    before_syntax: &TransferSyntax,
    after: &mut dyn Read,
    after_syntax: &TransferSyntax,
    limit: usize,
) -> Result<Comparison, DifferenceError> {
    let mut before = Reading::begin(Side::Before, before, before_syntax)?;
    let mut after = Reading::begin(Side::After, after, after_syntax)?;
    let one_syntax = before_syntax.uid == after_syntax.uid;
    let mut comparison = Comparison {
        differences: Vec::new(),
        complete: true,
        comparable: one_syntax || before_syntax.native() && after_syntax.native(),
    };
    while before.next.is_some() || after.next.is_some() {
        if let Some(difference) = step(&mut before, &mut after)? {
            if comparison.differences.len() == limit {
                comparison.complete = false;
                break;
            }
            comparison.differences.push(difference);
        }
    }
    Ok(comparison)
}

/// Takes what stands at the lesser path, of one side or of both.
fn step(
    before: &mut Reading<'_>,
    after: &mut Reading<'_>,
) -> Result<Option<Difference>, DifferenceError> {
    let order = match (&before.next, &after.next) {
        (Some(left), Some(right)) => left.path.cmp(&right.path),
        (Some(_), None) => Ordering::Less,
        (None, _) => Ordering::Greater,
    };
    match order {
        Ordering::Less => Ok(before.take_whole()?.map(|leaf| difference(Some(&leaf), None))),
        Ordering::Greater => Ok(after.take_whole()?.map(|leaf| difference(None, Some(&leaf)))),
        Ordering::Equal => pair(before, after),
    }
}

fn pair(
    before: &mut Reading<'_>,
    after: &mut Reading<'_>,
) -> Result<Option<Difference>, DifferenceError> {
    let same =
        matches!((&before.next, &after.next), (Some(left), Some(right)) if same(left, right));
    if same {
        before.advance()?;
        after.advance()?;
        return Ok(None);
    }
    let (left, right) = (before.take_whole()?, after.take_whole()?);
    Ok(Some(difference(left.as_ref(), right.as_ref())))
}

fn same(left: &Leaf, right: &Leaf) -> bool {
    match (&left.body, &right.body) {
        // An empty private sequence is an empty opaque value where the encoding has no VR.
        (Body::Value(empty), Body::Sequence) => empty.length == 0 && left.sent_vr.is_none(),
        (Body::Sequence, Body::Value(empty)) => empty.length == 0 && right.sent_vr.is_none(),
        (one, other) => one == other && vr_agrees(left.sent_vr, right.sent_vr),
    }
}

/// A VR that was not sent agrees with any. OB and OW say the same bytes in little endian, and
/// transcoding from implicit may choose either (PS3.5 A.1, A.2).
fn vr_agrees(left: Option<Vr>, right: Option<Vr>) -> bool {
    let bytes = |vr: Vr| matches!(&vr, b"OB" | b"OW");
    match (left, right) {
        (Some(left), Some(right)) => left == right || bytes(left) && bytes(right),
        (None, _) | (_, None) => true,
    }
}

fn difference(before: Option<&Leaf>, after: Option<&Leaf>) -> Difference {
    let (kind, path) = match (before, after) {
        (Some(leaf), None) => (DifferenceKind::Removed, &leaf.path[..]),
        (None, Some(leaf)) => (DifferenceKind::Added, &leaf.path[..]),
        (Some(leaf), Some(_)) => (DifferenceKind::Changed, &leaf.path[..]),
        (None, None) => (DifferenceKind::Changed, &[][..]),
    };
    let vrs = before.zip(after).filter(|(left, right)| !vr_agrees(left.sent_vr, right.sent_vr));
    let shown = |leaf: Option<&Leaf>| leaf.map_or_else(String::new, |l| preview(l, vrs.is_some()));
    Difference { path: path_text(path), kind, before: shown(before), after: shown(after) }
}

/// `(gggg,eeee)[n].(gggg,eeee)`.
fn path_text(path: &[Step]) -> String {
    let mut text = String::new();
    for (i, step) in path.iter().enumerate() {
        if i > 0 {
            text.push('.');
        }
        text.push_str(&tag::text(step.tag));
        if step.item > 0 {
            let _ = write!(text, "[{}]", step.item); // writing to a String cannot fail
        }
    }
    text
}

/// What an operator sees of a leaf, at most [`HEAD_MAX`] bytes.
fn preview(leaf: &Leaf, with_vr: bool) -> String {
    let tag = leaf.path.last().map_or(0, |step| step.tag);
    let vr = leaf.sent_vr.or_else(|| vr_of(tag)).unwrap_or(*b"UN");
    let mut shown = match &leaf.body {
        Body::Sequence => "sequence".to_owned(),
        Body::Fragments => "fragments".to_owned(),
        Body::Item => "item".to_owned(),
        Body::Value(value) => value_preview(vr, value),
    };
    if with_vr {
        shown = format!("{} {shown}", String::from_utf8_lossy(&vr));
    }
    let end = (0..=HEAD_MAX.min(shown.len())).rev().find(|&end| shown.is_char_boundary(end));
    shown.truncate(end.unwrap_or(0));
    shown
}

fn value_preview(vr: Vr, value: &Value) -> String {
    if is_text(vr) || vr == *b"UI" {
        let text = String::from_utf8_lossy(&value.head);
        return text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    }
    match (&vr, &value.head[..]) {
        (b"US", &[a, b]) => u16::from_le_bytes([a, b]).to_string(),
        (b"SS", &[a, b]) => i16::from_le_bytes([a, b]).to_string(),
        (b"UL", &[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]).to_string(),
        (b"SL", &[a, b, c, d]) => i32::from_le_bytes([a, b, c, d]).to_string(),
        _ => bytes_preview(value),
    }
}

/// Length, and enough of the digest to tell two values apart.
fn bytes_preview(value: &Value) -> String {
    let digest = value.digest.unwrap_or_else(|| blake3::hash(&value.head).into());
    let mut text = format!("{} bytes, BLAKE3 ", value.length);
    digest[..8].iter().for_each(|byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
    });
    text
}

//! The difference of two data sets: none from itself, the same from both sides, and only where both
//! can be read.

use std::io::{self, Read};

use kuva_core::dataset::transfer_syntax::{TransferSyntax, of};
use kuva_core::dataset::{
    Comparison, Difference, Encoding, ScanLimits, Scanner, difference, differences,
};

use super::made::{self, Form};

const SYNTAXES: [&str; 6] = [
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.6.2",
];
const LIMIT: usize = 8;

/// One byte at a time, as a slow disk would.
struct Dribble<'a>(&'a [u8]);

impl Read for Dribble<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = into.len().min(1);
        self.0.read(&mut into[..length])
    }
}

/// A data set and the syntax it claims.
struct Side {
    syntax: &'static TransferSyntax,
    bytes: Vec<u8>,
}

impl Side {
    /// The lower bits choose the syntax; the highest deflates the bytes first, where it is deflated.
    fn of(choice: u8, bytes: &[u8]) -> Option<Self> {
        let syntax = of(SYNTAXES[usize::from(choice & 0x7F) % SYNTAXES.len()])?;
        let deflates = syntax.encoding == Some(Encoding::DeflatedLittle) && choice & 0x80 != 0;
        let bytes = if deflates { made::deflate(bytes) } else { bytes.to_vec() };
        Some(Self { syntax, bytes })
    }

    fn against(&self, other: &Self) -> Option<Comparison> {
        let (mut before, mut after) = (&self.bytes[..], &other.bytes[..]);
        differences(&mut before, self.syntax, &mut after, other.syntax, LIMIT).ok()
    }

    fn dribbled_against(&self, other: &Self) -> Option<Comparison> {
        let (mut before, mut after) = (Dribble(&self.bytes), Dribble(&other.bytes));
        differences(&mut before, self.syntax, &mut after, other.syntax, LIMIT).ok()
    }

    /// The scanner's verdict, but for what only it judges.
    fn readable(&self) -> bool {
        let Some(encoding) = self.syntax.encoding else { return false };
        let encapsulated = self.syntax.encapsulated();
        let mut scanner = Scanner::new(encoding, encapsulated, ScanLimits::default());
        let scanned = scanner.update(&self.bytes).and_then(|()| scanner.finish());
        scanned.map_or_else(|r| matches!(r.code(), "data-set-empty" | "order-unknowable"), |_| true)
    }
}

/// Two bytes choose the syntaxes, two say where the first data set ends and the second begins.
pub fn check(data: &[u8]) {
    let [one, other, high, low, bytes @ ..] = data else { return };
    let cut = usize::from(u16::from_be_bytes([*high, *low])).min(bytes.len());
    let (before, after) = bytes.split_at(cut);
    if let (Some(before), Some(after)) = (Side::of(*one, before), Side::of(*other, after)) {
        from_itself(&before);
        from_itself(&after);
        from_both_sides(&before, &after);
    }
}

fn from_itself(side: &Side) {
    let found = side.against(side);
    assert_eq!(found.is_some(), side.readable());
    assert!(found.is_none_or(|comparison| comparison.equivalent()));
}

fn from_both_sides(before: &Side, after: &Side) {
    let forward = before.against(after);
    assert_eq!(before.dribbled_against(after), forward);
    let backward = after.against(before);
    assert_eq!(forward.is_some(), backward.is_some());
    let (Some(forward), Some(backward)) = (forward, backward) else { return };
    assert!(forward.differences.len() <= LIMIT);
    let mirrored: Vec<Difference> = backward.differences.into_iter().map(mirror).collect();
    assert_eq!(forward.differences, mirrored);
    assert_eq!(forward.complete, backward.complete);
}

fn mirror(difference: Difference) -> Difference {
    use difference::DifferenceKind::{Added, Changed, Removed};
    let kind = match difference.kind {
        Added => Removed,
        Removed => Added,
        Changed => Changed,
    };
    Difference { kind, before: difference.after, after: difference.before, ..difference }
}

/// The same image in two syntaxes, changed and not.
pub fn seeds() -> Vec<Vec<u8>> {
    let [implicit, explicit, big] =
        [Form::Implicit, Form::Explicit, Form::Big].map(|form| made::data_set(form, false));
    let encapsulated = made::data_set(Form::Explicit, true);
    let pair = |one: u8, other: u8, before: &[u8], after: &[u8]| {
        [&[one, other][..], &(before.len() as u16).to_be_bytes(), before, after].concat()
    };
    let mut changed = explicit.clone();
    changed[40] ^= 1;
    vec![
        pair(0, 1, &implicit, &explicit),
        pair(1, 2, &explicit, &big),
        pair(1, 0x83, &explicit, &explicit),
        pair(4, 4, &encapsulated, &encapsulated),
        pair(1, 1, &explicit, &changed),
        pair(1, 5, &explicit, &[]),
        pair(1, 1, &explicit[..60], &explicit[60..]),
    ]
}

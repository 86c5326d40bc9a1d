//! The scan of a data set, in every encoding: one verdict however it is cut, in linear steps.

use kuva_core::dataset::walker::Walker;
use kuva_core::dataset::{Encoding, ScanLimits, Scanned, Scanner};
use kuva_core::limits::{CAPTURED_TOTAL_MAX, ERROR_COMMENT_LENGTH_MAX, SEQUENCE_DEPTH_MAX};
use kuva_core::refusal::Refusal;

use super::made::{self, Form};

const ENCODINGS: [Encoding; 4] = [
    Encoding::ImplicitLittle,
    Encoding::ExplicitLittle,
    Encoding::ExplicitBig,
    Encoding::DeflatedLittle,
];

/// What the first byte says: two bits of encoding, then one each for encapsulated pixels, narrow
/// limits, and deflating the rest ourselves.
#[derive(Clone, Copy, Debug)]
struct Way(u8);

impl Way {
    fn encoding(self) -> Encoding {
        ENCODINGS[usize::from(self.0 & 3)]
    }

    fn encapsulated(self) -> bool {
        self.0 & 4 != 0
    }

    fn limits(self) -> ScanLimits {
        if self.0 & 8 == 0 {
            ScanLimits::default()
        } else {
            ScanLimits { length_max: 200, depth_max: 2 }
        }
    }

    fn deflates(self) -> bool {
        self.encoding() == Encoding::DeflatedLittle && self.0 & 16 != 0
    }

    fn scan<'a>(self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Scanned, Refusal> {
        let mut scanner = Scanner::new(self.encoding(), self.encapsulated(), self.limits());
        for piece in pieces {
            if let Err(refusal) = scanner.update(piece) {
                assert_eq!(scanner.update(b"more"), Err(refusal), "a refusal stands");
                return Err(refusal);
            }
        }
        scanner.finish()
    }
}

/// The first byte is the way, the second how it is cut, the rest the data set.
pub fn check(data: &[u8]) {
    let [way, cut, bytes @ ..] = data else { return };
    let way = Way(*way);
    if way.deflates() {
        judge(way, *cut, &made::deflate(bytes));
    } else {
        judge(way, *cut, bytes);
    }
    if way.encoding() != Encoding::DeflatedLittle {
        walk(way, bytes);
    }
}

fn judge(way: Way, cut: u8, bytes: &[u8]) {
    let whole = way.scan([bytes]);
    assert_eq!(way.scan(bytes.chunks(1)), whole);
    assert_eq!(way.scan(bytes.chunks(2 + usize::from(cut))), whole);
    match whole {
        Ok(scanned) => accepted(&scanned, bytes.len()),
        Err(refusal) => assert!(refusal.comment().len() <= ERROR_COMMENT_LENGTH_MAX),
    }
}

fn accepted(scanned: &Scanned, length: usize) {
    assert_eq!(scanned.length, length as u64);
    assert!(scanned.elements > 0);
    assert!(scanned.captured.is_sorted_by(|one, next| one.tag < next.tag));
    let captured: usize = scanned.captured.iter().map(|element| element.value.len()).sum();
    assert!(captured <= CAPTURED_TOTAL_MAX);
}

/// Every header costs eight bytes and gives at most two tokens.
fn walk(way: Way, bytes: &[u8]) {
    let limits = way.limits();
    let (encoding, encapsulated) = (way.encoding(), way.encapsulated());
    let mut walker = Walker::new(encoding, encapsulated, limits.length_max, limits.depth_max);
    let (mut input, mut tokens) = (bytes, 0);
    while let Ok(Some(_)) = walker.next(&mut input) {
        tokens += 1;
        assert!(tokens <= bytes.len() / 4 + 4, "{tokens} tokens");
        assert!(walker.level() <= 2 * SEQUENCE_DEPTH_MAX + 1);
    }
    assert!(walker.position() <= bytes.len() as u64);
}

/// A small image in every encoding, native and encapsulated, under wide and narrow limits.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (encoding, form) in [Form::Implicit, Form::Explicit, Form::Big].into_iter().enumerate() {
        let native = made::data_set(form, false);
        seeds.push([&[encoding as u8, 6][..], &native].concat());
        seeds.push([&[encoding as u8 | 8, 6][..], &native].concat());
    }
    let (native, encapsulated) =
        (made::data_set(Form::Explicit, false), made::data_set(Form::Explicit, true));
    seeds.push([&[1 | 4, 9][..], &encapsulated].concat());
    seeds.push([&[3 | 16, 9][..], &native].concat());
    seeds.push([&[3 | 8 | 16, 9][..], &native].concat());
    seeds.push([&[3, 9][..], &made::deflate(&native)].concat());
    seeds.push([&[3, 9][..], &made::deflate(&vec![0; 4000])].concat());
    seeds.push([&[1, 0][..], &deep(SEQUENCE_DEPTH_MAX + 1)].concat());
    seeds
}

/// Sequences in sequences, deeper than is allowed.
fn deep(depth: usize) -> Vec<u8> {
    let sequence = Form::Explicit.header(0x0040_A730, b"SQ", u32::MAX);
    let item = Form::Explicit.header(0xFFFE_E000, b"  ", u32::MAX);
    [sequence, item].concat().repeat(depth)
}

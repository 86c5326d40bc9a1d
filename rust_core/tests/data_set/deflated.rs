//! Deflated data sets: one whole stream, inflated into nothing, and what may stand behind it.

use kuva_core::dataset::{Encoding, ScanLimits, Scanner};

use crate::made::{deflate, encode, small, value, with};
use crate::scan::{code, scan, scan_chunks};

const EXPLICIT: Encoding = Encoding::ExplicitLittle;

#[test]
fn a_deflated_data_set_is_one_whole_stream_and_at_most_its_pad_byte() {
    const DEFLATED: Encoding = Encoding::DeflatedLittle;
    let bytes = encode(&small(), DEFLATED);
    let refused = |bytes: &[u8]| {
        let whole = code(scan(DEFLATED, bytes));
        assert_eq!(code(scan_chunks(DEFLATED, false, bytes.chunks(1))), whole);
        whole
    };
    let end = bytes.len() - usize::from(bytes.ends_with(&[0]));
    for cut in 0..end - 1 {
        let outcome = refused(&bytes[..cut]);
        assert!(["deflate-truncated", "data-set-truncated"].contains(&outcome), "{outcome}");
    }
    for more in [&[0; 9][..], &bytes, b"eight and", &[0; 100]] {
        assert_eq!(refused(&[&bytes[..end], more].concat()), "deflate-trailing");
    }
    let cut_inside = encode(&small(), EXPLICIT);
    assert_eq!(refused(&deflate(&cut_inside[..cut_inside.len() - 1])), "data-set-truncated");
}

#[test]
fn up_to_eight_bytes_after_a_deflated_data_set_are_observed_however_they_are_cut() {
    const DEFLATED: Encoding = Encoding::DeflatedLittle;
    for text in ["1", "12"] {
        let elements = with(small(), value(0x0010_0020, b"LO", text));
        let bytes = encode(&elements, DEFLATED);
        let end = bytes.len() - usize::from(bytes.ends_with(&[0]));
        for (trailer, observed) in [
            (&[][..], false),
            (&[0][..], end.is_multiple_of(2)),
            (b"x", true),
            (&[0, 0], true),
            (b"8 bytes!", true),
            (&[0; 8], true),
        ] {
            let all = [&bytes[..end], trailer].concat();
            let whole = scan(DEFLATED, &all).unwrap();
            assert_eq!(whole.observations.deflate_trailer, observed, "{trailer:?}");
            assert_eq!(scan_chunks(DEFLATED, false, all.chunks(1)).unwrap(), whole);
        }
    }
}

#[test]
fn a_deflated_bomb_is_refused_at_the_limit_of_inflated_bytes() {
    let mut elements = small();
    elements.push(value(0x7FE1_1010, b"OB", vec![0; 4 << 20]));
    let bytes = encode(&elements, Encoding::DeflatedLittle);
    assert!(bytes.len() < 16 << 10);
    let limits = ScanLimits { length_max: 1 << 20, ..ScanLimits::default() };
    let mut scanner = Scanner::new(Encoding::DeflatedLittle, false, limits);
    assert_eq!(scanner.update(&bytes).unwrap_err().code(), "data-set-too-large");
    assert!(scan(Encoding::DeflatedLittle, &bytes).is_ok());
}

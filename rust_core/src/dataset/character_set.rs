//! Specific Character Set (0008,0005): its defined terms, and whether text decodes by them.
//!
//! This judges bytes; it does not make text of them. PS3.3 C.12.1.1.2, PS3.5 6.1.

/// Repertoires without code extensions, by registration number; bytes 80H-9FH are controls in
/// all of them.
const SINGLE_BYTE: &[&[u8]] = &[
    b"100", b"101", b"109", b"110", b"126", b"127", b"138", b"144", b"148", b"166", b"203", b"13",
];
/// Further terms that code extensions alone may name.
const EXTENSIONS: &[&[u8]] = &[b"6", b"58", b"87", b"149", b"159"];
/// What may follow ESC (PS3.5 6.1.2.5, PS3.3 tables C.12-3 and C.12-4).
const ESCAPES: &[&[u8]] = &[
    b"(B", b"(J", b")I", b"-A", b"-B", b"-C", b"-D", b"-F", b"-G", b"-H", b"-L", b"-M", b"-T",
    b"-b", b"$B", b"$(D", b"$)A", b"$)C",
];
const ESC: u8 = 0x1B;

/// How text is encoded under one value of Specific Character Set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repertoire {
    /// Absent or empty: the default repertoire, seven bits.
    Default,
    /// One ISO 8859 part or TIS 620.
    SingleByte,
    /// JIS X 0201.
    Katakana,
    /// ISO 2022 code extensions.
    Extended,
    /// UTF-8.
    Utf8,
    /// GB 18030 or GBK: multi-byte by lead byte.
    Chinese,
}

/// The repertoire that the attribute's value names; `None` if a term is not defined, or not
/// lawful beside the others.
pub fn repertoire(value: &[u8]) -> Option<Repertoire> {
    let mut terms = value.split(|&byte| byte == b'\\').map(<[u8]>::trim_ascii);
    let first = terms.next().unwrap_or_default();
    let mut several = false;
    for term in terms {
        several = true;
        extension(term)?;
    }
    match (alone(first), several) {
        (Some(Repertoire::Utf8 | Repertoire::Chinese), true) | (None, _) => None,
        (Some(_), true) => Some(Repertoire::Extended),
        (repertoire, false) => repertoire,
    }
}

fn alone(term: &[u8]) -> Option<Repertoire> {
    match term {
        b"" | b"ISO_IR 6" => Some(Repertoire::Default),
        b"ISO_IR 192" => Some(Repertoire::Utf8),
        b"GB18030" | b"GBK" => Some(Repertoire::Chinese),
        b"ISO_IR 13" => Some(Repertoire::Katakana),
        _ => match term.strip_prefix(b"ISO_IR ") {
            Some(number) => SINGLE_BYTE.contains(&number).then_some(Repertoire::SingleByte),
            None => extension(term),
        },
    }
}

fn extension(term: &[u8]) -> Option<Repertoire> {
    let number = term.strip_prefix(b"ISO 2022 IR ")?;
    let known = SINGLE_BYTE.contains(&number) || EXTENSIONS.contains(&number);
    known.then_some(Repertoire::Extended)
}

/// Whether `text` can be decoded; `cut` forgives a character broken at the end.
pub fn decodable(repertoire: Repertoire, text: &[u8], cut: bool) -> bool {
    match repertoire {
        _ if text.is_ascii() && !text.contains(&ESC) => true,
        Repertoire::Default => false,
        Repertoire::SingleByte => !text.iter().any(|byte| matches!(byte, 0x80..=0x9F | &ESC)),
        Repertoire::Katakana => {
            text.iter().all(|byte| byte.is_ascii() && *byte != ESC || matches!(byte, 0xA1..=0xDF))
        }
        Repertoire::Extended => escapes_known(text, cut),
        Repertoire::Utf8 => match std::str::from_utf8(text) {
            Ok(_) => true,
            Err(error) => cut && error.error_len().is_none(),
        },
        Repertoire::Chinese => chinese(text, cut),
    }
}

fn escapes_known(text: &[u8], cut: bool) -> bool {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&byte| byte == ESC) {
        rest = &rest[at + 1..];
        let broken = cut && rest.len() < 3;
        if !broken && !ESCAPES.iter().any(|escape| rest.starts_with(escape)) {
            return false;
        }
    }
    !text.iter().any(|byte| matches!(byte, 0x80..=0x9F))
}

fn chinese(text: &[u8], cut: bool) -> bool {
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return true,
            [0..=0x7F, rest @ ..] => rest,
            [0x81..=0xFE, 0x40..=0x7E | 0x80..=0xFE, rest @ ..] => rest,
            [0x81..=0xFE, 0x30..=0x39, 0x81..=0xFE, 0x30..=0x39, rest @ ..] => rest,
            broken => return cut && broken.len() < 4,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defined_terms_are_known_and_others_are_not() {
        assert_eq!(repertoire(b""), Some(Repertoire::Default));
        assert_eq!(repertoire(b"ISO_IR 100"), Some(Repertoire::SingleByte));
        assert_eq!(repertoire(b"ISO_IR 192 "), Some(Repertoire::Utf8));
        assert_eq!(repertoire(b"\\ISO 2022 IR 87"), Some(Repertoire::Extended));
        for unknown in [&b"ISO_IR 999"[..], b"latin1", b"ISO_IR 192\\ISO 2022 IR 87", b"\\x"] {
            assert_eq!(repertoire(unknown), None);
        }
    }

    #[test]
    fn finnish_names_decode_only_by_their_own_character_set() {
        let (utf8, latin) = ("Äijälä^Öystein".as_bytes(), b"\xC4ij\xE4l\xE4");
        assert!(decodable(Repertoire::Utf8, utf8, false));
        assert!(!decodable(Repertoire::Utf8, latin, false));
        assert!(decodable(Repertoire::SingleByte, latin, false));
        assert!(!decodable(Repertoire::SingleByte, utf8, false));
        assert!(!decodable(Repertoire::Default, latin, false));
        assert!(decodable(Repertoire::Utf8, &utf8[..1], true));
        assert!(!decodable(Repertoire::Utf8, &utf8[..1], false));
    }

    #[test]
    fn escapes_outside_the_tables_do_not_decode() {
        assert!(decodable(Repertoire::Extended, b"Yamada\x1B$B;3ED\x1B(B", false));
        assert!(!decodable(Repertoire::Extended, b"\x1B[31m", false));
        assert!(!decodable(Repertoire::SingleByte, b"\x1B$B", false));
        assert!(decodable(Repertoire::Chinese, b"\xCD\xF5", false));
        assert!(!decodable(Repertoire::Chinese, b"\xCD", false));
    }
}

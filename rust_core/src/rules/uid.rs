//! UIDs as values (PS3.5 9.1): read from bytes once, strictly.

/// Longest UID, characters.
const LENGTH_MAX: usize = 64;

/// What the bytes of a UID element say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UidReading<'a> {
    /// Nothing but padding.
    Empty,
    /// Something that no reader may take for a UID.
    Invalid,
    /// A UID, padding taken away.
    Uid {
        /// Its characters.
        text: &'a str,
        /// Whether a component begins with a zero that should not be there.
        leading_zero: bool,
        /// Whether it was padded by anything but one NUL.
        padded: bool,
    },
}

/// Reads a UID value. Trailing NULs and spaces are padding, whatever their number: otherwise two
/// spellings of one UID would be two instances.
pub fn read(value: &[u8]) -> UidReading<'_> {
    let end = value.iter().rposition(|byte| !matches!(byte, 0 | b' ')).map_or(0, |last| last + 1);
    let (text, padding) = value.split_at(end);
    if text.is_empty() {
        return UidReading::Empty;
    }
    if text.len() > LENGTH_MAX || !text.iter().all(|b| b.is_ascii_digit() || *b == b'.') {
        return UidReading::Invalid;
    }
    let mut leading_zero = false;
    for component in text.split(|&byte| byte == b'.') {
        match component {
            [] => return UidReading::Invalid,
            [b'0', _, ..] => leading_zero = true,
            [_, ..] => {}
        }
    }
    match std::str::from_utf8(text) {
        Ok(text) => UidReading::Uid { text, leading_zero, padded: !matches!(padding, [] | [0]) },
        Err(_) => UidReading::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_uid_read_alike() {
        for (value, odd) in
            [(&b"1.2.3"[..], false), (b"1.2.3\0", false), (b"1.2.3 ", true), (b"1.2.3\0\0", true)]
        {
            let expected = UidReading::Uid { text: "1.2.3", leading_zero: false, padded: odd };
            assert_eq!(read(value), expected);
        }
    }

    #[test]
    fn what_is_no_uid_is_not_read_as_one() {
        let long = [b'1'; 65];
        for value in [
            &b"../../etc/passwd"[..],
            b"/abs",
            &long,
            b"1..2",
            b".1",
            b"1.",
            b"1.2\\1.3",
            b"1 .2",
            "1.\u{0663}".as_bytes(),
            b"\x001.2",
            b"1.2a",
            b"-1",
        ] {
            assert_eq!(read(value), UidReading::Invalid, "{value:?}");
        }
        assert!(matches!(read(&long[..64]), UidReading::Uid { .. }));
        assert_eq!(read(b""), UidReading::Empty);
        assert_eq!(read(b"\0 "), UidReading::Empty);
    }

    #[test]
    fn zero_itself_is_a_component_and_a_leading_zero_is_seen() {
        let zero = |value| match read(value) {
            UidReading::Uid { leading_zero, .. } => leading_zero,
            UidReading::Empty | UidReading::Invalid => panic!("a UID"),
        };
        assert!(!zero(b"1.0.3"));
        assert!(zero(b"1.02.3"));
        assert!(zero(b"00.1"));
    }
}

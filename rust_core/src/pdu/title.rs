//! AE titles as they stand in an A-ASSOCIATE: sixteen bytes, and the name they carry if any.

use std::fmt;

/// An AE title field: the raw bytes are kept, because an answer must echo them (PS3.8 9.3.3) and
/// an unusable title is answered by its own reject reason, not by an abort.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AeTitle {
    raw: [u8; 16],
}

/// Why the bytes of an AE title field are no AE title (PS3.5 6.2, VR AE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TitleFault {
    /// Nothing but spaces.
    AllSpaces,
    /// A control character, a backslash, or a byte outside ASCII.
    Character,
}

impl AeTitle {
    /// The title as the sixteen bytes of a PDU.
    pub fn from_raw(raw: [u8; 16]) -> Self {
        Self { raw }
    }

    /// A title of our own making, 1 to 16 allowed characters; padded with spaces.
    pub fn new(name: &str) -> Option<Self> {
        let bytes = name.as_bytes();
        let mut raw = [b' '; 16];
        raw.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let title = Self { raw };
        title.name().is_ok().then_some(title)
    }

    /// The sixteen bytes as received.
    pub fn raw(&self) -> [u8; 16] {
        self.raw
    }

    /// The title without leading and trailing spaces, which are not significant (PS3.8 9.3.2).
    pub fn name(&self) -> Result<&str, TitleFault> {
        let allowed = |byte: &u8| matches!(byte, b' '..=b'~') && *byte != b'\\';
        if !self.raw.iter().all(allowed) {
            return Err(TitleFault::Character);
        }
        let name = std::str::from_utf8(&self.raw).map_err(|_| TitleFault::Character)?;
        match name.trim_matches(' ') {
            "" => Err(TitleFault::AllSpaces),
            name => Ok(name),
        }
    }
}

impl fmt::Debug for AeTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AeTitle(\"{}\")", self.raw.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(bytes: &[u8]) -> AeTitle {
        let mut raw = [b' '; 16];
        raw[..bytes.len()].copy_from_slice(bytes);
        AeTitle::from_raw(raw)
    }

    #[test]
    fn surrounding_spaces_are_not_part_of_the_name() {
        assert_eq!(title(b"  KUVA A ").name(), Ok("KUVA A"));
        assert_eq!(AeTitle::new("KUVA").unwrap().raw(), *b"KUVA            ");
    }

    #[test]
    fn u9_characters_that_are_not_allowed_are_told_from_an_empty_title() {
        assert_eq!(title(b"").name(), Err(TitleFault::AllSpaces));
        for bytes in [&b"A\0"[..], b"A\\B", b"\x1b[1m", b"K\xc4", b"A\x7f", b"A\nB"] {
            assert_eq!(title(bytes).name(), Err(TitleFault::Character), "{bytes:?}");
        }
        assert_eq!(title(b"$(id);../..").name(), Ok("$(id);../.."));
    }

    #[test]
    fn sixteen_characters_fit_and_seventeen_do_not() {
        assert!(AeTitle::new("ABCDEFGHIJKLMNOP").is_some());
        assert!(AeTitle::new("ABCDEFGHIJKLMNOPQ").is_none());
        assert!(AeTitle::new("").is_none());
    }
}

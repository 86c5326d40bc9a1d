//! Value representations (PS3.5 6.2): their length field, their unit of byte order, their padding.

/// A value representation as its two letters.
pub type Vr = [u8; 2];

/// Size of the length field that follows an explicit VR (PS3.5 7.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthField {
    /// Two bytes, straight after the VR.
    Short,
    /// Four bytes, after two reserved ones.
    Long,
}

/// How the length of an element of this VR is encoded; `None` for letters that are no VR
/// (PS3.5 tables 7.1-1 and 7.1-2).
pub const fn length_field(vr: Vr) -> Option<LengthField> {
    match &vr {
        b"AE" | b"AS" | b"AT" | b"CS" | b"DA" | b"DS" | b"DT" | b"FL" | b"FD" | b"IS" | b"LO"
        | b"LT" | b"PN" | b"SH" | b"SL" | b"SS" | b"ST" | b"TM" | b"UI" | b"UL" | b"US" => {
            Some(LengthField::Short)
        }
        b"OB" | b"OD" | b"OF" | b"OL" | b"OV" | b"OW" | b"SQ" | b"SV" | b"UC" | b"UN" | b"UR"
        | b"UT" | b"UV" => Some(LengthField::Long),
        _ => None,
    }
}

/// Bytes that big endian reverses together (PS3.5 7.3); 1 where order does not matter.
pub const fn word(vr: Vr) -> usize {
    match &vr {
        b"AT" | b"OW" | b"SS" | b"US" => 2,
        b"FL" | b"OF" | b"OL" | b"SL" | b"UL" => 4,
        b"FD" | b"OD" | b"OV" | b"SV" | b"UV" => 8,
        _ => 1,
    }
}

/// Whether the value is text whose trailing spaces mean nothing (PS3.5 6.2).
pub const fn is_text(vr: Vr) -> bool {
    matches!(
        &vr,
        b"AE"
            | b"AS"
            | b"CS"
            | b"DA"
            | b"DS"
            | b"DT"
            | b"IS"
            | b"LO"
            | b"LT"
            | b"PN"
            | b"SH"
            | b"ST"
            | b"TM"
            | b"UC"
            | b"UR"
            | b"UT"
    )
}

/// Whether Specific Character Set governs the value (PS3.5 6.1.2.2).
pub const fn is_localised(vr: Vr) -> bool {
    matches!(&vr, b"LO" | b"LT" | b"PN" | b"SH" | b"ST" | b"UC" | b"UT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_that_are_no_vr_have_no_length_field() {
        for vr in [*b"ZZ", *b"us", [0, 0], *b"A ", *b"OX"] {
            assert_eq!(length_field(vr), None);
        }
        assert_eq!(length_field(*b"US"), Some(LengthField::Short));
        assert_eq!(length_field(*b"UV"), Some(LengthField::Long));
    }
}

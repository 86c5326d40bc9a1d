//! Tags by name, as `(group << 16) | element`, and how they are written.

/// `(gggg,eeee)`, as PS3.5 writes a tag.
pub fn text(tag: u32) -> String {
    format!("({:04X},{:04X})", tag >> 16, tag & 0xFFFF)
}

/// Group of a tag.
pub const fn group(tag: u32) -> u16 {
    (tag >> 16) as u16
}

/// Whether the tag is a group length (gggg,0000), retired but lawful (PS3.5 7.2).
pub const fn is_group_length(tag: u32) -> bool {
    tag & 0xFFFF == 0
}

macro_rules! tags {
    ($($name:ident = $value:literal;)*) => {
        $(#[doc = stringify!($name)] pub const $name: u32 = $value;)*
    };
}

tags! {
    SPECIFIC_CHARACTER_SET = 0x0008_0005;
    SOP_CLASS_UID = 0x0008_0016;
    SOP_INSTANCE_UID = 0x0008_0018;
    STUDY_DATE = 0x0008_0020;
    SERIES_DATE = 0x0008_0021;
    ACQUISITION_DATE = 0x0008_0022;
    CONTENT_DATE = 0x0008_0023;
    STUDY_TIME = 0x0008_0030;
    SERIES_TIME = 0x0008_0031;
    CONTENT_TIME = 0x0008_0033;
    ACCESSION_NUMBER = 0x0008_0050;
    MODALITY = 0x0008_0060;
    MANUFACTURER = 0x0008_0070;
    INSTITUTION_NAME = 0x0008_0080;
    REFERRING_PHYSICIAN_NAME = 0x0008_0090;
    TIMEZONE_OFFSET_FROM_UTC = 0x0008_0201;
    STATION_NAME = 0x0008_1010;
    STUDY_DESCRIPTION = 0x0008_1030;
    SERIES_DESCRIPTION = 0x0008_103E;
    MODEL_NAME = 0x0008_1090;
    PATIENT_NAME = 0x0010_0010;
    PATIENT_ID = 0x0010_0020;
    ISSUER_OF_PATIENT_ID = 0x0010_0021;
    PATIENT_BIRTH_DATE = 0x0010_0030;
    PATIENT_SEX = 0x0010_0040;
    BODY_PART_EXAMINED = 0x0018_0015;
    STUDY_INSTANCE_UID = 0x0020_000D;
    SERIES_INSTANCE_UID = 0x0020_000E;
    STUDY_ID = 0x0020_0010;
    SERIES_NUMBER = 0x0020_0011;
    INSTANCE_NUMBER = 0x0020_0013;
    SAMPLES_PER_PIXEL = 0x0028_0002;
    PHOTOMETRIC_INTERPRETATION = 0x0028_0004;
    NUMBER_OF_FRAMES = 0x0028_0008;
    ROWS = 0x0028_0010;
    COLUMNS = 0x0028_0011;
    BITS_ALLOCATED = 0x0028_0100;
    REQUESTED_PROCEDURE_DESCRIPTION = 0x0032_1060;
    EXTENDED_OFFSET_TABLE = 0x7FE0_0001;
    FLOAT_PIXEL_DATA = 0x7FE0_0008;
    DOUBLE_FLOAT_PIXEL_DATA = 0x7FE0_0009;
    PIXEL_DATA = 0x7FE0_0010;
    DATA_SET_TRAILING_PADDING = 0xFFFC_FFFC;
    ITEM = 0xFFFE_E000;
    ITEM_DELIMITATION = 0xFFFE_E00D;
    SEQUENCE_DELIMITATION = 0xFFFE_E0DD;
}

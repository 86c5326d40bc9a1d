//! The canonical file meta group (PS3.10 7.1) of an instance in a volume: fixed, for ever.

use super::VolumeError;
use crate::instance::Uid;

/// Implementation Class UID (0002,0012) of the *format*, not of a program: constant for ever.
pub const FORMAT_CLASS_UID: &str = "2.25.314434689837527510404134413564453296854";
/// Implementation Version Name (0002,0013) of the format.
pub const FORMAT_VERSION_NAME: &str = "KUVA_VOLUME_1";

/// Zero preamble and prefix.
const PROLOGUE_LENGTH: usize = 132;
/// The element of the group's length, after which its value counts.
const GROUP_LENGTH_END: usize = PROLOGUE_LENGTH + 12;
/// (0002,0001), (0002,0012) and (0002,0013).
const FIXED_ELEMENTS_LENGTH: usize =
    14 + element_length(FORMAT_CLASS_UID) + element_length(FORMAT_VERSION_NAME);
/// Longest UID (PS3.5 9.1).
const UID_LENGTH_MAX: usize = 64;
/// Longest file meta information there can be, preamble included, bytes.
pub const FILE_META_LENGTH_MAX: usize =
    GROUP_LENGTH_END + FIXED_ELEMENTS_LENGTH + 3 * (8 + UID_LENGTH_MAX);
/// Bytes that say how long it is.
pub const FILE_META_LENGTH_KNOWN: usize = GROUP_LENGTH_END;

const fn even(length: usize) -> usize {
    length + length % 2
}

const fn element_length(value: &str) -> usize {
    8 + even(value.len())
}

/// The UIDs that the file meta group tells of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMeta {
    /// Media Storage SOP Class UID (0002,0002).
    pub sop_class: Uid,
    /// Media Storage SOP Instance UID (0002,0003).
    pub sop_instance: Uid,
    /// Transfer Syntax UID (0002,0010): as received.
    pub transfer_syntax: Uid,
}

/// Bytes from the start of the file to the data set.
pub fn file_meta_length(sop_class: &str, sop_instance: &str, transfer_syntax: &str) -> u64 {
    let uids = element_length(sop_class) + element_length(sop_instance);
    (GROUP_LENGTH_END + FIXED_ELEMENTS_LENGTH + uids + element_length(transfer_syntax)) as u64
}

/// The bytes before the data set.
pub fn encode(meta: &FileMeta) -> Vec<u8> {
    let FileMeta { sop_class, sop_instance, transfer_syntax } = meta;
    let length = file_meta_length(sop_class, sop_instance, transfer_syntax) as usize;
    let mut out = Vec::with_capacity(length);
    out.resize(PROLOGUE_LENGTH - 4, 0);
    out.extend(b"DICM");
    out.extend([2, 0, 0, 0, b'U', b'L', 4, 0]);
    out.extend(((length - GROUP_LENGTH_END) as u32).to_le_bytes());
    out.extend([2, 0, 1, 0, b'O', b'B', 0, 0, 2, 0, 0, 0, 0, 1]);
    put(&mut out, 0x02, *b"UI", sop_class, 0);
    put(&mut out, 0x03, *b"UI", sop_instance, 0);
    put(&mut out, 0x10, *b"UI", transfer_syntax, 0);
    put(&mut out, 0x12, *b"UI", FORMAT_CLASS_UID, 0);
    put(&mut out, 0x13, *b"SH", FORMAT_VERSION_NAME, b' ');
    out
}

fn put(out: &mut Vec<u8>, element: u8, vr: [u8; 2], value: &str, pad: u8) {
    out.extend([2, 0, element, 0]);
    out.extend(vr);
    out.extend((even(value.len()) as u16).to_le_bytes());
    out.extend(value.as_bytes());
    if !value.len().is_multiple_of(2) {
        out.push(pad);
    }
}

/// How long the file meta information is, by its first [`FILE_META_LENGTH_KNOWN`] bytes; none if it
/// cannot be one of ours.
pub fn length_of(start: &[u8]) -> Option<usize> {
    let length = start.get(GROUP_LENGTH_END - 4..GROUP_LENGTH_END)?.try_into().ok()?;
    let length = (u32::from_le_bytes(length) as usize).checked_add(GROUP_LENGTH_END)?;
    (length <= FILE_META_LENGTH_MAX).then_some(length)
}

/// Reads it strictly: whatever is not byte for byte what we would write is an error.
///
/// # Errors
/// `Malformed`.
pub fn decode(bytes: &[u8]) -> Result<FileMeta, VolumeError> {
    let mut rest = bytes.get(GROUP_LENGTH_END + 14..).unwrap_or_default();
    let mut uid = || -> Option<Uid> {
        let length = usize::from(u16::from_le_bytes([*rest.get(6)?, *rest.get(7)?]));
        let value = std::str::from_utf8(rest.get(8..8 + length)?).ok()?.trim_end_matches('\0');
        rest = &rest[8 + length..];
        is_uid(value).then(|| value.into())
    };
    let meta = (|| {
        let (sop_class, sop_instance, transfer_syntax) = (uid()?, uid()?, uid()?);
        Some(FileMeta { sop_class, sop_instance, transfer_syntax })
    })();
    let meta = meta.filter(|meta| encode(meta) == bytes);
    meta.ok_or_else(|| VolumeError::malformed("file meta information"))
}

/// Digits and dots, 1 to 64 of them.
pub fn is_uid(text: &str) -> bool {
    (1..=UID_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part10;
    use std::io::Cursor;

    fn meta(class: &str, instance: &str) -> FileMeta {
        let transfer_syntax = "1.2.840.10008.1.2.1".into();
        FileMeta { sop_class: class.into(), sop_instance: instance.into(), transfer_syntax }
    }

    #[test]
    fn encode_then_decode_is_identity_and_our_reader_of_foreign_files_agrees() {
        for (class, instance) in
            [("1.2.3", "1.2"), ("1.2.34", "1.2.3"), (&"1".repeat(64), "2.25.9")]
        {
            let meta = meta(class, instance);
            let bytes = encode(&meta);
            assert_eq!(
                bytes.len() as u64,
                file_meta_length(class, instance, &meta.transfer_syntax)
            );
            assert_eq!(length_of(&bytes), Some(bytes.len()));
            assert_eq!(decode(&bytes), Ok(meta));
            let read = part10::FileMeta::read(&mut Cursor::new(&bytes)).unwrap();
            assert_eq!((&*read.sop_class, &*read.sop_instance), (class, instance));
            assert_eq!(read.data_set_offset, bytes.len() as u64);
        }
        let longest = meta(&"1".repeat(64), &"2".repeat(64));
        let longest = FileMeta { transfer_syntax: "3".repeat(64).into(), ..longest };
        assert_eq!(encode(&longest).len(), FILE_META_LENGTH_MAX);
    }

    #[test]
    fn every_changed_byte_is_another_meta_or_an_error() {
        let bytes = encode(&meta("1.2.3", "1.2"));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_ne!(decode(&changed), decode(&bytes), "byte {at}");
            assert!(decode(&bytes[..at]).is_err());
        }
    }
}

//! Part 10 files: the file meta information in front of a data set (PS3.10 7.1).
//!
//! Reading is strict and bounded: the preamble's content does not matter, the prefix must be there,
//! group 0002 must be explicit VR little endian, in order, and end exactly where its group length
//! says (where it has one; old writers leave it out, then group 0002 ends at the first other group).

use std::io::{self, Read, Seek, SeekFrom};

use crate::instance::Uid;

/// Preamble and prefix.
const PROLOGUE_LENGTH: usize = 132;
/// Largest file meta information we read, bytes. Private information (0002,0102) is the only part
/// that can grow, and nobody needs this much.
const META_LENGTH_MAX: u64 = 1 << 20;

/// Longest UID (PS3.5 9.1), bytes.
const UID_LENGTH_MAX: usize = 64;
const GROUP_LENGTH: u16 = 0x0000;
const MEDIA_STORAGE_SOP_CLASS: u16 = 0x0002;
const MEDIA_STORAGE_SOP_INSTANCE: u16 = 0x0003;
const TRANSFER_SYNTAX: u16 = 0x0010;

/// What a sender must know of a file before it opens an association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMeta {
    /// Media Storage SOP Class UID (0002,0002).
    pub sop_class: Uid,
    /// Media Storage SOP Instance UID (0002,0003).
    pub sop_instance: Uid,
    /// Transfer Syntax UID (0002,0010).
    pub transfer_syntax: Uid,
    /// Where the data set begins, bytes from the start of the file.
    pub data_set_offset: u64,
}

/// Why a file is not a readable Part 10 file.
#[derive(Debug)]
pub enum FileMetaError {
    /// Reading failed.
    Io(io::Error),
    /// No `DICM` after 128 bytes.
    NotPart10,
    /// Group 0002 is broken, in these words.
    Broken(&'static str),
}

impl std::fmt::Display for FileMetaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot be read: {error}"),
            Self::NotPart10 => f.write_str("is not a DICOM Part 10 file (no DICM prefix)"),
            Self::Broken(what) => write!(f, "has broken file meta information: {what}"),
        }
    }
}

impl std::error::Error for FileMetaError {}

impl From<io::Error> for FileMetaError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Broken("it ends in the middle of an element"),
            _ => Self::Io(error),
        }
    }
}

struct Element {
    group: u16,
    element: u16,
    length: u64,
    header_length: u64,
}

impl FileMeta {
    /// Read the file meta information; the file is left where the data set begins.
    pub fn read(file: &mut (impl Read + Seek)) -> Result<Self, FileMetaError> {
        read_prologue(file)?;
        let mut group = Group::default();
        while let Some(element) = group.next(file)? {
            group.enter(&element)?;
            group.read_value(file, &element)?;
        }
        if group.end.is_some_and(|end| end != group.position) {
            return Err(FileMetaError::Broken("it does not end where its group length says"));
        }
        // A value that is skipped may have been claimed only.
        if file.seek(SeekFrom::End(0))? < group.position {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        file.seek(SeekFrom::Start(group.position))?;
        group.finish()
    }
}

/// Group 0002 as far as it has been read.
struct Group {
    position: u64,
    last: Option<u16>,
    /// Where it ends by its group length, if it has one.
    end: Option<u64>,
    found: [Option<Uid>; 3],
}

impl Default for Group {
    fn default() -> Self {
        let position = PROLOGUE_LENGTH as u64;
        Self { position, last: None, end: None, found: [None, None, None] }
    }
}

impl Group {
    /// The next element of the group; none at its end.
    fn next(&self, file: &mut impl Read) -> Result<Option<Element>, FileMetaError> {
        if self.end.is_some_and(|end| self.position >= end) {
            return Ok(None);
        }
        Ok(read_element(file)?.filter(|element| element.group == 2))
    }

    fn enter(&mut self, element: &Element) -> Result<(), FileMetaError> {
        if self.last.is_some_and(|last| last >= element.element) {
            return Err(FileMetaError::Broken("its elements are not in order"));
        }
        self.last = Some(element.element);
        self.position += element.header_length + element.length;
        if self.position > META_LENGTH_MAX {
            return Err(FileMetaError::Broken("it is longer than 1 MiB"));
        }
        Ok(())
    }

    fn read_value(
        &mut self,
        file: &mut (impl Read + Seek),
        element: &Element,
    ) -> Result<(), FileMetaError> {
        let slot = match element.element {
            GROUP_LENGTH => return self.read_group_length(file, element.length),
            MEDIA_STORAGE_SOP_CLASS => &mut self.found[0],
            MEDIA_STORAGE_SOP_INSTANCE => &mut self.found[1],
            TRANSFER_SYNTAX => &mut self.found[2],
            _ => {
                let length = i64::try_from(element.length).map_err(|_| missing("a length"))?;
                file.seek(SeekFrom::Current(length))?;
                return Ok(());
            }
        };
        *slot = Some(read_uid(file, element.length)?);
        Ok(())
    }

    fn read_group_length(
        &mut self,
        file: &mut impl Read,
        length: u64,
    ) -> Result<(), FileMetaError> {
        let mut value = [0; 4];
        if length != value.len() as u64 {
            return Err(FileMetaError::Broken("its group length is no number"));
        }
        file.read_exact(&mut value)?;
        self.end = Some(self.position + u64::from(u32::from_le_bytes(value)));
        Ok(())
    }

    fn finish(self) -> Result<FileMeta, FileMetaError> {
        let [sop_class, sop_instance, transfer_syntax] = self.found;
        Ok(FileMeta {
            sop_class: sop_class.ok_or(missing("Media Storage SOP Class UID"))?,
            sop_instance: sop_instance.ok_or(missing("Media Storage SOP Instance UID"))?,
            transfer_syntax: transfer_syntax.ok_or(missing("Transfer Syntax UID"))?,
            data_set_offset: self.position,
        })
    }
}

fn missing(what: &'static str) -> FileMetaError {
    FileMetaError::Broken(what)
}

fn read_prologue(file: &mut impl Read) -> Result<(), FileMetaError> {
    let mut prologue = [0; PROLOGUE_LENGTH];
    match file.read_exact(&mut prologue) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(FileMetaError::NotPart10),
        Err(error) => Err(error.into()),
        Ok(()) if &prologue[128..] == b"DICM" => Ok(()),
        Ok(()) => Err(FileMetaError::NotPart10),
    }
}

/// The next element's header; None at the end of the file.
fn read_element(file: &mut impl Read) -> Result<Option<Element>, FileMetaError> {
    let mut head = [0; 8];
    let first = file.read(&mut head)?;
    if first == 0 {
        return Ok(None);
    }
    file.read_exact(&mut head[first..])?;
    let [g0, g1, e0, e1, v0, v1, l0, l1] = head;
    let (group, element) = (u16::from_le_bytes([g0, g1]), u16::from_le_bytes([e0, e1]));
    let long = matches!(&[v0, v1], b"OB" | b"UN" | b"OW" | b"UT" | b"SQ");
    if group != 2 || !long {
        let length = u64::from(u16::from_le_bytes([l0, l1]));
        return Ok(Some(Element { group, element, length, header_length: 8 }));
    }
    let mut length = [0; 4];
    file.read_exact(&mut length)?;
    let length = u64::from(u32::from_le_bytes(length));
    Ok(Some(Element { group, element, length, header_length: 12 }))
}

fn read_uid(file: &mut impl Read, length: u64) -> Result<Uid, FileMetaError> {
    let mut value = [0; UID_LENGTH_MAX];
    let value = usize::try_from(length).ok().and_then(|length| value.get_mut(..length));
    let value = value.ok_or(FileMetaError::Broken("a UID is longer than 64 characters"))?;
    file.read_exact(value)?;
    let text = str::from_utf8(value).unwrap_or_default().trim_end_matches(['\0', ' ']);
    let lawful = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    lawful
        .then(|| text.into())
        .ok_or(FileMetaError::Broken("a UID has other characters than digits and dots"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn element(number: u16, vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
        let mut bytes = [2u16.to_le_bytes(), number.to_le_bytes()].concat();
        bytes.extend(vr);
        match vr {
            b"OB" => {
                bytes.extend([vec![0, 0], (value.len() as u32).to_le_bytes().to_vec()].concat())
            }
            _ => bytes.extend((value.len() as u16).to_le_bytes()),
        }
        bytes.extend(value);
        bytes
    }

    fn file() -> Vec<u8> {
        let mut bytes = vec![7; 128];
        bytes.extend(b"DICM");
        bytes.extend(element(1, b"OB", &[0, 1]));
        bytes.extend(element(2, b"UI", b"1.2.840.10008.5.1.4.1.1.2\0"));
        bytes.extend(element(3, b"UI", b"1.2.3\0"));
        bytes.extend(element(0x10, b"UI", b"1.2.840.10008.1.2.1\0"));
        bytes.extend([8, 0, 5, 0, b'C', b'S', 2, 0, b'A', b'B']);
        bytes
    }

    #[test]
    fn the_file_meta_is_read_and_the_file_left_at_the_data_set() {
        let mut cursor = Cursor::new(file());
        let meta = FileMeta::read(&mut cursor).unwrap();
        assert_eq!(&*meta.sop_instance, "1.2.3");
        assert_eq!(&*meta.transfer_syntax, "1.2.840.10008.1.2.1");
        assert_eq!(meta.data_set_offset, file().len() as u64 - 10);
        assert_eq!(cursor.position(), meta.data_set_offset);
    }

    #[test]
    fn every_cut_within_the_meta_is_refused() {
        let whole = file();
        for cut in 0..whole.len() - 10 {
            assert!(FileMeta::read(&mut Cursor::new(&whole[..cut])).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_value_that_is_skipped_must_be_there() {
        let mut bytes = file();
        bytes.truncate(bytes.len() - 10);
        bytes.extend(element(0x102, b"OB", &[7; 40]));
        assert!(FileMeta::read(&mut Cursor::new(&bytes)).is_ok());
        let cut = FileMeta::read(&mut Cursor::new(&bytes[..bytes.len() - 1]));
        assert!(matches!(cut, Err(FileMetaError::Broken(_))), "{cut:?}");
    }

    #[test]
    fn the_group_ends_where_its_length_says_and_comes_in_order() {
        let whole = file();
        let length = (whole.len() - PROLOGUE_LENGTH - 10) as u32;
        let with = |length: u32| {
            let group_length = element(0, b"UL", &length.to_le_bytes());
            [&whole[..PROLOGUE_LENGTH], &group_length, &whole[PROLOGUE_LENGTH..]].concat()
        };
        assert!(FileMeta::read(&mut Cursor::new(with(length))).is_ok());
        for wrong in [0, length - 1, length + 1, u32::MAX] {
            assert!(FileMeta::read(&mut Cursor::new(with(wrong))).is_err(), "{wrong}");
        }
        let twice = [&whole[..whole.len() - 10], &element(2, b"UI", b"1.2\0")].concat();
        let twice = FileMeta::read(&mut Cursor::new(twice));
        assert!(matches!(twice, Err(FileMetaError::Broken(_))), "{twice:?}");
    }

    #[test]
    fn a_claim_of_four_gibibytes_is_refused_without_reading_it() {
        let mut bytes = file();
        bytes[132 + 8..132 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(FileMeta::read(&mut Cursor::new(bytes)), Err(FileMetaError::Broken(_))));
    }
}

//! File meta information: the same from any reader, never believed further than the file goes.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use kuva_core::part10::{FileMeta, FileMetaError};

use super::made::{self, Form};

/// A file that gives one byte at a time, and counts how often it is asked.
struct Dribble<'a> {
    file: Cursor<&'a [u8]>,
    calls: usize,
}

impl Read for Dribble<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        let length = into.len().min(1);
        self.file.read(&mut into[..length])
    }
}

impl Seek for Dribble<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.calls += 1;
        self.file.seek(to)
    }
}

/// The input is a file; and, with preamble and prefix put before it, the rest of one.
pub fn check(data: &[u8]) {
    judge(data);
    judge(&[&[0; 128][..], b"DICM", data].concat());
}

fn judge(file: &[u8]) {
    let mut whole = Cursor::new(file);
    let read = FileMeta::read(&mut whole);
    let mut dribble = Dribble { file: Cursor::new(file), calls: 0 };
    let dribbled = FileMeta::read(&mut dribble);
    assert!(dribble.calls <= 2 * file.len() + 16, "{} calls", dribble.calls);
    match (read, dribbled) {
        (Ok(meta), Ok(other)) => {
            assert_eq!(meta, other);
            assert_eq!(whole.position(), meta.data_set_offset);
            sound(&meta, file);
        }
        (Err(error), Err(other)) => assert_eq!(words(&error), words(&other)),
        (one, other) => panic!("{one:?} whole, {other:?} byte by byte"),
    }
}

fn sound(meta: &FileMeta, file: &[u8]) {
    assert!(meta.data_set_offset <= file.len() as u64, "a data set beyond the end of the file");
    for uid in [&meta.sop_class, &meta.sop_instance, &meta.transfer_syntax] {
        assert!(
            (1..=64).contains(&uid.len()) && uid.bytes().all(|b| b == b'.' || b.is_ascii_digit())
        );
    }
    let cut = &file[..meta.data_set_offset as usize];
    assert_eq!(FileMeta::read(&mut Cursor::new(cut)).ok().as_ref(), Some(meta));
    let short = FileMeta::read(&mut Cursor::new(&cut[..cut.len() - 1]));
    assert!(short.is_err(), "the meta information was cut, and nobody saw");
}

fn words(error: &FileMetaError) -> String {
    assert!(!matches!(error, FileMetaError::Io(_)), "{error}");
    error.to_string()
}

/// A whole file, one without group length, one with private information behind the UIDs.
pub fn seeds() -> Vec<Vec<u8>> {
    let uids = [
        element(2, b"UI", made::CT.as_bytes()),
        element(3, b"UI", b"1.2.3\0"),
        element(0x10, b"UI", b"1.2.840.10008.1.2.1\0"),
    ]
    .concat();
    let version = element(1, b"OB", &[0, 1]);
    let private = [element(0x100, b"UI", b"1.2.4\0"), element(0x102, b"OB", &[7; 20])].concat();
    let body = [version, uids.clone(), private].concat();
    let length = element(0, b"UL", &(body.len() as u32).to_le_bytes());
    let data_set = made::data_set(Form::Explicit, false);
    let whole = [&[0; 128][..], b"DICM", &length, &body, &data_set].concat();
    vec![whole, [length, body].concat(), [uids, data_set].concat()]
}

fn element(number: u32, vr: &[u8; 2], value: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    value.resize(value.len().next_multiple_of(2), 0);
    [Form::Explicit.header(0x0002_0000 | number, vr, value.len() as u32), value].concat()
}

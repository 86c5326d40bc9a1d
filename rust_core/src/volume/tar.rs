//! Headers of a TAR file (POSIX.1 ustar, pax for what ustar cannot say), one form for each member.

use super::layout::{SIZE_MAX_OCTAL, UNIT};

/// Longest path of a member: ustar's name field, without its prefix field.
pub const PATH_LENGTH_MAX: usize = 100;
/// Largest time that eleven octal digits hold, seconds since 1970.
pub const MTIME_MAX: u64 = (8 << 30) - 1;
const UNIT_LENGTH: usize = UNIT as usize;
const FILE: u8 = b'0';
const PAX: u8 = b'x';
const PAX_NAME: &str = "pax-header";

/// The header of a file: one unit, or three where its size needs a pax record. The path is ASCII.
pub fn header(path: &str, size: u64, mtime: u64) -> Vec<u8> {
    if size <= SIZE_MAX_OCTAL {
        return unit(path, size, mtime, FILE).to_vec();
    }
    let record = size_record(size);
    let mut out = unit(PAX_NAME, record.len() as u64, mtime, PAX).to_vec();
    out.extend(record.as_bytes());
    out.resize(2 * UNIT_LENGTH, 0);
    out.extend(unit(path, 0, mtime, FILE));
    out
}

/// `NN size=SIZE` and a line feed; NN is the length of all of it.
fn size_record(size: u64) -> String {
    let rest = format!(" size={size}\n");
    // Sizes of ten digits and more make a record of at least 18 bytes, and of fewer than 100.
    format!("{}{rest}", rest.len() + 2)
}

fn unit(path: &str, size: u64, mtime: u64, kind: u8) -> [u8; UNIT_LENGTH] {
    let mut unit = [0; UNIT_LENGTH];
    let mut put = |at: usize, bytes: &[u8]| unit[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &path.as_bytes()[..path.len().min(PATH_LENGTH_MAX)]);
    put(100, b"0000444\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, format!("{:011o}\0", mtime.min(MTIME_MAX)).as_bytes());
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    let sum: u32 = unit.iter().map(|byte| u32::from(*byte)).sum();
    unit[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    unit
}

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its path.
    pub path: String,
    /// Bytes of its content.
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: u64,
}

/// How many bytes the header has that begins with this unit.
pub fn whole_length(first: &[u8]) -> usize {
    if first.get(156) == Some(&PAX) { 3 * UNIT_LENGTH } else { UNIT_LENGTH }
}

/// Reads a header strictly: none if it is not byte for byte what we would write.
pub fn parse(bytes: &[u8]) -> Option<Member> {
    let last = bytes.get(bytes.len().checked_sub(UNIT_LENGTH)?..)?;
    let end = last[..PATH_LENGTH_MAX].iter().position(|byte| *byte == 0);
    let path = std::str::from_utf8(&last[..end.unwrap_or(PATH_LENGTH_MAX)]).ok()?.to_owned();
    let size = match bytes.len() {
        UNIT_LENGTH => octal(&last[124..135])?,
        _ => decimal(&bytes[UNIT_LENGTH..])?,
    };
    let member = Member { path, size, mtime: octal(&last[136..147])? };
    (header(&member.path, size, member.mtime) == bytes).then_some(member)
}

fn octal(digits: &[u8]) -> Option<u64> {
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// The size in a pax record.
fn decimal(record: &[u8]) -> Option<u64> {
    let digits = record.get(8..)?.split(|byte| *byte == b'\n').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::layout::header_length;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn header_then_parse_is_identity(
            path in "[a-z0-9/.]{1,100}",
            size in prop_oneof![any::<u64>(), 0..=SIZE_MAX_OCTAL, Just(SIZE_MAX_OCTAL + 1)],
            mtime in 0..=MTIME_MAX,
        ) {
            let bytes = header(&path, size, mtime);
            prop_assert_eq!(bytes.len() as u64, header_length(size));
            prop_assert_eq!(whole_length(&bytes), bytes.len());
            prop_assert_eq!(parse(&bytes), Some(Member { path, size, mtime }));
        }

        #[test]
        fn arbitrary_units_are_no_header(bytes in prop::collection::vec(any::<u8>(), 0..1600)) {
            prop_assert_eq!(parse(&bytes), None);
        }
    }

    #[test]
    fn the_systems_tar_reads_a_size_beyond_eleven_octal_digits() {
        use std::io::{Seek, SeekFrom, Write};
        let size = (8 << 30) + 12_345;
        let path = std::env::temp_dir().join(format!("kuva-long-{}.tar", std::process::id()));
        let mut file = std::fs::File::create(&path).unwrap();
        file.write_all(&header("V/data/0001/000001.dcm", size, 1_790_000_000)).unwrap();
        // A hole: no byte of it is on the disk.
        file.seek(SeekFrom::Current(size.next_multiple_of(UNIT) as i64)).unwrap();
        file.write_all(&header("V/bagit.txt", 0, 1_790_000_000)).unwrap();
        file.write_all(&[0; 1024]).unwrap();
        let listed = std::process::Command::new("tar").arg("-tvf").arg(&path).output().unwrap();
        std::fs::remove_file(&path).unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let lines: Vec<&str> = listed.lines().collect();
        assert!(
            lines[0].contains(&size.to_string()) && lines[0].contains("-r--r--r-- 0/0"),
            "{listed}"
        );
        assert!(lines[1].ends_with("V/bagit.txt"), "{listed}");
    }

    #[test]
    fn a_changed_byte_is_another_member_or_none() {
        for size in [5, SIZE_MAX_OCTAL, 9 << 30] {
            let bytes = header("A/data/0001/000001.dcm", size, 1_790_000_000);
            let member = parse(&bytes);
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 4;
                // No sum covers the digits of a pax record; the file's length tells.
                assert_ne!(parse(&changed), member, "byte {at}");
            }
        }
    }
}

//! What a volume says of itself: the lines of `bag-info.txt`.

use std::fmt::Write;

use super::error::VolumeError;
use super::file_meta::is_uid;
use super::moment;
use super::tar::MTIME_MAX;
use crate::instance::{Microseconds, Uid, VaultId};

/// Volumes that one may supersede.
pub const SUPERSEDES_MAX: usize = 1_000;
/// Longest `bag-info.txt`, bytes.
pub const BAG_INFO_LENGTH_MAX: usize = 64 << 10;
/// The alphabet of ULIDs.
const CROCKFORD: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const FORMAT: &str = "1";

/// What belongs to a volume as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The volume's id, a ULID: 26 characters.
    pub volume: Box<str>,
    /// The vault that it belongs to.
    pub vault: VaultId,
    /// The study, all of whose instances here belong to it.
    pub study: Uid,
    /// When it was planned, microseconds since 1970.
    pub planned_at: Microseconds,
    /// Whether it holds quarantined instances, and those alone.
    pub quarantined: bool,
    /// Volumes in whose place it is.
    pub supersedes: Vec<Box<str>>,
}

/// Bytes and files under `data`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Bytes of all files together.
    pub octets: u64,
    /// Files.
    pub count: u64,
}

/// Whether it is a ULID in its one canonical form.
pub fn is_ulid(text: &str) -> bool {
    text.len() == 26
        && text.bytes().all(|byte| CROCKFORD.contains(&byte))
        && text.as_bytes()[0] <= b'7'
}

impl Description {
    /// Whether it can be written at all.
    ///
    /// # Errors
    /// What cannot.
    pub fn check(&self) -> Result<(), VolumeError> {
        let rules = [
            (is_ulid(&self.volume), "volume id"),
            (self.supersedes.iter().all(|id| is_ulid(id)), "id of a superseded volume"),
            (self.supersedes.len() <= SUPERSEDES_MAX, "number of superseded volumes"),
            (is_uid(&self.study), "Study Instance UID"),
            ((0..=MTIME_MAX).contains(&self.seconds()) && self.planned_at >= 0, "time of planning"),
        ];
        rules.iter().find(|(kept, _)| !kept).map_or(Ok(()), |(_, w)| Err(VolumeError::malformed(w)))
    }

    /// When it was planned, whole seconds: the time of every member.
    pub fn seconds(&self) -> u64 {
        (self.planned_at.max(0) / 1_000_000) as u64
    }

    /// The text of `bag-info.txt`.
    pub fn bag_info(&self, payload: Payload) -> String {
        let date = moment::date(self.planned_at).unwrap_or_default();
        let planned_at = moment::text(self.planned_at).unwrap_or_default();
        let kind = if self.quarantined { "quarantined" } else { "kept" };
        let mut text = String::new();
        let mut line = |label: &str, value: &str| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{label}: {value}");
        };
        line("Payload-Oxum", &format!("{}.{}", payload.octets, payload.count));
        line("External-Identifier", &self.study);
        line("Bagging-Date", &date);
        line("Kuva-Volume-Format", FORMAT);
        line("Kuva-Vault", &uuid(&self.vault.0));
        line("Kuva-Planned-At", &planned_at);
        line("Kuva-Kind", kind);
        self.supersedes.iter().for_each(|id| line("Kuva-Supersedes", id));
        text
    }

    /// Reads `bag-info.txt` of the volume with this id, strictly.
    ///
    /// # Errors
    /// `Malformed`, or a format that this program does not know.
    pub fn parse(volume: &str, text: &str) -> Result<(Self, Payload), VolumeError> {
        let mut lines = text.lines();
        let mut value =
            |label: &str| -> Option<&str> { lines.next()?.strip_prefix(label)?.strip_prefix(": ") };
        let parsed = (|| {
            let (octets, count) = value("Payload-Oxum")?.split_once('.')?;
            let payload = Payload { octets: octets.parse().ok()?, count: count.parse().ok()? };
            let study: Uid = value("External-Identifier")?.into();
            value("Bagging-Date")?;
            let format = value("Kuva-Volume-Format")?;
            let vault = VaultId(parse_uuid(value("Kuva-Vault")?)?);
            let planned_at = moment::parse(value("Kuva-Planned-At")?)?;
            let quarantined = value("Kuva-Kind")? == "quarantined";
            let supersedes = std::iter::from_fn(|| value("Kuva-Supersedes").map(Into::into));
            let supersedes = supersedes.collect();
            let volume = volume.into();
            let one = Self { volume, vault, study, planned_at, quarantined, supersedes };
            Some((one, payload, format))
        })();
        let (one, payload, format) =
            parsed.ok_or_else(|| VolumeError::malformed("bag-info.txt"))?;
        if format != FORMAT {
            return Err(VolumeError::new("a volume format that this program does not know"));
        }
        one.check()?;
        match one.bag_info(payload) == text {
            true => Ok((one, payload)),
            false => Err(VolumeError::malformed("bag-info.txt")),
        }
    }
}

/// A UUID as text, in lower case.
pub fn uuid(bytes: &[u8; 16]) -> String {
    let mut text = hex(bytes);
    [20, 16, 12, 8].iter().for_each(|at| text.insert(*at, '-'));
    text
}

/// What [`uuid`] wrote; other forms too, for the caller compares.
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    unhex(&text.replace('-', ""))
}

/// Hexadecimal digits, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// As many bytes as asked for, of hexadecimal digits in lower case.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let mut bytes = [0; N];
    if pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn description()(
            vault in any::<[u8; 16]>(), study in "[0-2](\\.[0-9]{1,5}){1,8}",
            planned_at in 0..=(MTIME_MAX as i64 * 1_000_000), quarantined: bool,
            supersedes in prop::collection::vec("[0-7][0-9A-HJKMNP-TV-Z]{25}", 0..3),
        ) -> Description {
            Description {
                volume: "01K4M8Q2ZJ5W3T7N9V6X1B0CDE".into(), vault: VaultId(vault),
                study: study.as_str().into(), planned_at, quarantined,
                supersedes: supersedes.into_iter().map(Into::into).collect(),
            }
        }
    }

    proptest! {
        #[test]
        fn bag_info_then_parse_is_identity(one in description(), octets: u64, count: u64) {
            let payload = Payload { octets, count };
            prop_assert_eq!(one.check(), Ok(()));
            let text = one.bag_info(payload);
            prop_assert!(text.len() <= BAG_INFO_LENGTH_MAX);
            prop_assert_eq!(Description::parse(&one.volume, &text), Ok((one, payload)));
        }

        #[test]
        fn a_changed_byte_is_another_description_or_an_error(
            one in description(), at: prop::sample::Index, by in 1..128_u8,
        ) {
            let payload = Payload { octets: 12_345, count: 67 };
            let mut bytes = one.bag_info(payload).into_bytes();
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            let changed = std::str::from_utf8(&bytes).unwrap();
            prop_assert_ne!(Description::parse(&one.volume, changed), Ok((one, payload)));
        }
    }

    #[test]
    fn an_unknown_format_is_named_and_a_wrong_id_refused() {
        let text = "Payload-Oxum: 1.1\nExternal-Identifier: 1.2\nBagging-Date: 1970-01-01\n\
            Kuva-Volume-Format: 2\nKuva-Vault: 00000000-0000-0000-0000-000000000000\n\
            Kuva-Planned-At: 1970-01-01T00:00:00.000000Z\nKuva-Kind: kept\n";
        let unknown = Description::parse("01K4M8Q2ZJ5W3T7N9V6X1B0CDE", text).unwrap_err();
        assert!(unknown.what.contains("format"), "{unknown}");
        let known = text.replace("Format: 2", "Format: 1");
        assert!(Description::parse("01K4M8Q2ZJ5W3T7N9V6X1B0CDE", &known).is_ok());
        for wrong in ["", "81K4M8Q2ZJ5W3T7N9V6X1B0CDE", "01K4M8Q2ZJ5W3T7N9V6X1B0CDI"] {
            assert!(Description::parse(wrong, &known).is_err(), "{wrong}");
        }
    }
}

//! One instance of a volume, and its line in `instances.tsv`.

use std::fmt::Write;
use std::sync::Arc;

use super::description::{hex, parse_uuid, unhex, uuid};
use super::file_meta::{FileMeta, file_meta_length, is_uid};
use super::moment;
use crate::instance::{ContentDigest, Microseconds, NodeId, ReceiveId, Uid};

/// The first line of `instances.tsv`.
pub const HEADING: &str = "path\tsop_instance_uid\tsop_class_uid\tseries_instance_uid\t\
    transfer_syntax_uid\tdata_set_offset\tdata_set_length\tblake3\treceive_id\treceived_at\t\
    flags\tcalling_ae_title\tcalled_ae_title\tconflicts_with\n";
/// Longest line, bytes: a text of 256 bytes may take three times as many.
pub const LINE_LENGTH_MAX: usize = 4096;
const TITLE_LENGTH_MAX: usize = 256;

/// Where an instance stands in its volume: both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ordinal {
    /// Its series, among those of the volume.
    pub series: u32,
    /// The instance, among all of the volume.
    pub instance: u32,
}

impl Ordinal {
    /// The path of its file within the bag.
    pub fn path(self) -> String {
        format!("data/{:04}/{:06}.dcm", self.series, self.instance)
    }
}

/// What a volume says of one of its instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Where it stands.
    pub ordinal: Ordinal,
    /// SOP class, SOP instance, transfer syntax.
    pub meta: FileMeta,
    /// Series Instance UID.
    pub series: Uid,
    /// Bytes of the data set.
    pub length: u64,
    /// BLAKE3 of the data set, whole.
    pub digest: ContentDigest,
    /// Its receive id.
    pub receive_id: ReceiveId,
    /// When its last fragment was received.
    pub received_at: Microseconds,
    /// Bits of the content rules that flagged it.
    pub flags: u64,
    /// Calling AE title of the sender.
    pub calling: Arc<str>,
    /// Called AE title.
    pub called: Arc<str>,
    /// Of a quarantined instance: the kept one that it conflicts with, if that was on its node.
    pub conflicts_with: Option<ReceiveId>,
}

impl Listed {
    /// Bytes before the data set in the file.
    pub fn data_set_offset(&self) -> u64 {
        let FileMeta { sop_class, sop_instance, transfer_syntax } = &self.meta;
        file_meta_length(sop_class, sop_instance, transfer_syntax)
    }

    /// Bytes of the file.
    pub fn file_length(&self) -> u64 {
        self.data_set_offset() + self.length
    }

    /// Its line in `instances.tsv`; none if it has a moment that no line can say.
    pub fn line(&self) -> Option<String> {
        let FileMeta { sop_class, sop_instance, transfer_syntax } = &self.meta;
        let mut line = self.ordinal.path();
        for uid in [sop_instance, sop_class, &self.series, transfer_syntax] {
            line.push('\t');
            line.push_str(uid);
        }
        let (offset, length, digest) = (self.data_set_offset(), self.length, hex(&self.digest));
        let (id, at) = (receive_id(self.receive_id), moment::text(self.received_at)?);
        write!(line, "\t{offset}\t{length}\t{digest}\t{id}\t{at}\t{}\t", self.flags).ok()?;
        put_escaped(&self.calling, &mut line);
        line.push('\t');
        put_escaped(&self.called, &mut line);
        line.push('\t');
        line.extend(self.conflicts_with.map(receive_id));
        line.push('\n');
        Some(line)
    }

    /// Reads a line, its line feed included, strictly; none if it is not what [`Listed::line`] writes.
    pub fn parse(line: &str) -> Option<Self> {
        let mut fields = line.strip_suffix('\n')?.split('\t');
        let mut field = || fields.next();
        let ordinal = parse_path(field()?)?;
        let uid = |text: &str| is_uid(text).then(|| Uid::from(text));
        let (sop_instance, sop_class) = (uid(field()?)?, uid(field()?)?);
        let (series, transfer_syntax) = (uid(field()?)?, uid(field()?)?);
        field()?;
        let length = field()?.parse().ok()?;
        let digest = unhex(field()?)?;
        let receive_id = parse_receive_id(field()?)?;
        let received_at = moment::parse(field()?)?;
        let flags = field()?.parse().ok()?;
        let (calling, called) = (unescaped(field()?)?, unescaped(field()?)?);
        let conflicts_with = match field()? {
            "" => None,
            id => Some(parse_receive_id(id)?),
        };
        let meta = FileMeta { sop_class, sop_instance, transfer_syntax };
        let one = Self {
            ordinal,
            meta,
            series,
            length,
            digest,
            receive_id,
            received_at,
            flags,
            calling,
            called,
            conflicts_with,
        };
        (one.line().as_deref() == Some(line)).then_some(one)
    }
}

fn parse_path(path: &str) -> Option<Ordinal> {
    let (series, instance) = path.strip_prefix("data/")?.strip_suffix(".dcm")?.split_once('/')?;
    Some(Ordinal { series: series.parse().ok()?, instance: instance.parse().ok()? })
}

fn receive_id(id: ReceiveId) -> String {
    format!("{}/{}/{}", uuid(&id.node.0), id.epoch, id.position)
}

fn parse_receive_id(text: &str) -> Option<ReceiveId> {
    let (node, rest) = text.split_once('/')?;
    let (epoch, position) = rest.split_once('/')?;
    let node = NodeId(parse_uuid(node)?);
    Some(ReceiveId { node, epoch: epoch.parse().ok()?, position: position.parse().ok()? })
}

/// Control characters and the per cent sign as `%XX`, so that a line stays a line.
fn put_escaped(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '%' | '\0'..='\x1F' | '\x7F' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{:02X}", u32::from(character));
            }
            other => out.push(other),
        }
    }
}

fn unescaped(text: &str) -> Option<Arc<str>> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('%') {
        out.push_str(plain);
        let code = u8::from_str_radix(escaped.get(..2)?, 16).ok()?;
        out.push(char::from(code));
        rest = &escaped[2..];
    }
    out.push_str(rest);
    (out.len() <= TITLE_LENGTH_MAX).then(|| out.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn listed()(
            (series, instance) in (1..20_000_u32, 1..300_000_u32),
            (sop_class, sop_instance, transfer_syntax, uid) in ("[0-9.]{1,64}", "[0-9.]{1,64}", "[0-9.]{1,64}", "[0-9.]{1,64}"),
            (length, digest, flags) in (0..1_u64 << 40, any::<[u8; 32]>(), any::<u64>()),
            (node, epoch, position) in any::<([u8; 16], u32, u64)>(),
            received_at in -62_167_219_200_000_000..253_402_300_800_000_000_i64,
            (calling, called) in (any::<String>(), "\\PC{0,16}"),
            conflicts: bool,
        ) -> Listed {
            let receive_id = ReceiveId { node: NodeId(node), epoch, position };
            let calling: String = calling.chars().take(64).collect();
            Listed {
                ordinal: Ordinal { series, instance },
                meta: FileMeta {
                    sop_class: sop_class.as_str().into(), sop_instance: sop_instance.as_str().into(),
                    transfer_syntax: transfer_syntax.as_str().into(),
                },
                series: uid.as_str().into(), length, digest, receive_id, received_at, flags,
                calling: calling.as_str().into(), called: called.as_str().into(),
                conflicts_with: conflicts.then_some(receive_id),
            }
        }
    }

    proptest! {
        #[test]
        fn line_then_parse_is_identity(one in listed()) {
            let line = one.line().unwrap();
            prop_assert_eq!(line.matches('\n').count(), 1);
            prop_assert_eq!(line.matches('\t').count(), HEADING.matches('\t').count());
            prop_assert!(line.len() <= LINE_LENGTH_MAX);
            prop_assert_eq!(Listed::parse(&line), Some(one));
        }

        #[test]
        fn arbitrary_lines_are_no_instance(line: String) {
            prop_assert_eq!(Listed::parse(&line), None);
        }
    }
}

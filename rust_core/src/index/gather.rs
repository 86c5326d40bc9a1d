//! Making an index block of what closing records say.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::{IndexBlock, IndexEntry, IndexError, SERIES_TEXT_LENGTH_MAX, SeriesAttributes};
use crate::dataset::tag;
use crate::instance::{Particulars, ReceiveId, Uid, Verdict};

/// The block of the kept ones among some instances of one study, one node and one epoch, sorted
/// by series number, series, instance number and position. `Ok(None)` if none is kept.
///
/// A series' texts come from its first received instance. A captured value that is not what its
/// VR says (a number that is none) is taken as absent: the bytes in the volume are the truth.
pub fn from_particulars(
    instances: &[(ReceiveId, &Particulars)],
) -> Result<Option<IndexBlock>, IndexError> {
    let mut kept: Vec<&(ReceiveId, &Particulars)> =
        instances.iter().filter(|(_, one)| one.verdict == Verdict::Kept).collect();
    kept.sort_unstable_by_key(|(receive, _)| *receive);
    let Some((first, _)) = kept.first() else { return Ok(None) };
    alike(&kept)?;
    let series = series_of(&kept);
    let index_of: BTreeMap<&Uid, u32> =
        series.iter().zip(0..).map(|(one, index)| (&one.series_uid, index)).collect();
    let mut entries: Vec<IndexEntry> = kept
        .iter()
        .filter_map(|(receive, one)| {
            Some(entry(*index_of.get(&one.identity.series)?, *receive, one))
        })
        .collect();
    // Without a number comes last: `Reverse(Some)` is less than `Reverse(None)`.
    entries.sort_by_key(|e| (e.series, Reverse(e.instance_number.map(Reverse)), e.position));
    Ok(Some(IndexBlock { node: first.node, epoch: first.epoch, series, entries }))
}

/// Whether all are of one vault, study, node and epoch.
fn alike(kept: &[&(ReceiveId, &Particulars)]) -> Result<(), IndexError> {
    for pair in kept.windows(2) {
        let [(a, one), (b, other)] = pair else { continue };
        if (a.node, a.epoch) != (b.node, b.epoch) {
            return Err(IndexError::Mixed("node or epoch"));
        }
        if (one.vault, &one.identity.study) != (other.vault, &other.identity.study) {
            return Err(IndexError::Mixed("vault or study"));
        }
    }
    Ok(())
}

fn series_of(kept: &[&(ReceiveId, &Particulars)]) -> Vec<SeriesAttributes> {
    let mut by_uid: BTreeMap<&Uid, SeriesAttributes> = BTreeMap::new();
    for (_, one) in kept {
        by_uid.entry(&one.identity.series).or_insert_with(|| attributes(one));
    }
    let mut series: Vec<SeriesAttributes> = by_uid.into_values().collect();
    series.sort_by_key(|one| Reverse(one.series_number.map(Reverse)));
    series
}

fn attributes(one: &Particulars) -> SeriesAttributes {
    SeriesAttributes {
        series_uid: one.identity.series.clone(),
        modality: text(one, tag::MODALITY),
        series_number: number(one, tag::SERIES_NUMBER),
        description: text(one, tag::SERIES_DESCRIPTION),
        character_set: text(one, tag::SPECIFIC_CHARACTER_SET),
        body_part: text(one, tag::BODY_PART_EXAMINED),
    }
}

fn entry(series: u32, receive: ReceiveId, one: &Particulars) -> IndexEntry {
    let mut digest = [0; 16];
    digest.copy_from_slice(&one.content.digest[..16]);
    IndexEntry {
        series,
        sop_instance: one.identity.sop_instance.clone(),
        sop_class: one.content.sop_class.clone(),
        transfer_syntax: one.content.transfer_syntax.clone(),
        digest,
        length: one.length,
        position: receive.position,
        received_at: one.received_at,
        flags: one.flags,
        instance_number: number(one, tag::INSTANCE_NUMBER),
        number_of_frames: number(one, tag::NUMBER_OF_FRAMES),
        rows: short(one, tag::ROWS),
        columns: short(one, tag::COLUMNS),
    }
}

fn value(one: &Particulars, tag: u32) -> Option<&[u8]> {
    one.captured.iter().find(|element| element.tag == tag).map(|element| &*element.value)
}

/// A captured value without the padding around it (PS3.5 6.2); empty if there is none.
pub fn trimmed(one: &Particulars, tag: u32) -> &[u8] {
    let padding = |byte: &u8| *byte == b' ' || *byte == 0;
    let value = value(one, tag).unwrap_or_default();
    let start = value.iter().position(|byte| !padding(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !padding(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}

fn text(one: &Particulars, tag: u32) -> Box<[u8]> {
    let text = trimmed(one, tag);
    text[..text.len().min(SERIES_TEXT_LENGTH_MAX)].into()
}

/// An Integer String (VR IS), if it is one.
fn number<T: std::str::FromStr>(one: &Particulars, tag: u32) -> Option<T> {
    std::str::from_utf8(trimmed(one, tag)).ok()?.parse().ok()
}

/// An Unsigned Short (VR US), if it is one value.
fn short(one: &Particulars, tag: u32) -> Option<u16> {
    value(one, tag)?.try_into().ok().map(u16::from_le_bytes)
}

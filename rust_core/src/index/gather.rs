//! Making an index block of what closing records say.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{IndexBlock, IndexEntry, IndexError, SERIES_TEXT_LENGTH_MAX, SeriesAttributes, Source};
use crate::dataset::tag;
use crate::instance::{Particulars, ReceiveId, Uid, VaultId, Verdict};

/// The block of the kept ones among some instances of one study, one node and one epoch, sorted
/// by series number, series, instance number and position. `Ok(None)` if none is kept.
pub fn from_particulars(
    instances: &[(ReceiveId, &Particulars)],
) -> Result<Option<IndexBlock>, IndexError> {
    let mut gathering = Gathering::default();
    for (receive, one) in instances.iter().filter(|(_, one)| one.verdict == Verdict::Kept) {
        gathering.add(*receive, one)?;
    }
    let block = gathering.finish();
    match block.sources.len() {
        0 => Ok(None),
        1 => Ok(Some(block)),
        _ => Err(IndexError::Mixed("node or epoch")),
    }
}

/// A block in the making: instances of one vault and one study, one after the other.
///
/// A series' texts come from its first received instance. A captured value that is not what its
/// VR says (a number that is none) is taken as absent: the bytes in the volume are the truth.
#[derive(Default)]
pub struct Gathering {
    study: Option<(VaultId, Uid)>,
    series: BTreeMap<Uid, (ReceiveId, SeriesAttributes)>,
    entries: Vec<(ReceiveId, Uid, IndexEntry)>,
}

impl Gathering {
    /// One more, in any order, kept or quarantined.
    ///
    /// # Errors
    /// `Mixed` if it is of another vault or study.
    pub fn add(&mut self, receive: ReceiveId, one: &Particulars) -> Result<(), IndexError> {
        let (vault, study) = (one.vault, &one.identity.study);
        let (first, known) = self.study.get_or_insert_with(|| (vault, study.clone()));
        if (*first, &*known) != (vault, study) {
            return Err(IndexError::Mixed("vault or study"));
        }
        let series = &one.identity.series;
        match self.series.get_mut(series) {
            Some((earliest, _)) if *earliest < receive => {}
            Some(found) => *found = (receive, attributes(one)),
            None => drop(self.series.insert(series.clone(), (receive, attributes(one)))),
        }
        self.entries.push((receive, series.clone(), entry(receive, one)));
        Ok(())
    }

    /// The block, sorted by series number, series, instance number and receive id.
    pub fn finish(self) -> IndexBlock {
        let sources: BTreeSet<Source> = self.entries.iter().map(|(id, ..)| source(*id)).collect();
        let sources: Vec<Source> = sources.into_iter().collect();
        let mut series: Vec<SeriesAttributes> =
            self.series.into_values().map(|(_, attributes)| attributes).collect();
        // Without a number comes last: `Reverse(Some)` is less than `Reverse(None)`.
        series.sort_by_key(|one| Reverse(one.series_number.map(Reverse)));
        let index_of: BTreeMap<&Uid, u32> =
            series.iter().zip(0..).map(|(one, index)| (&one.series_uid, index)).collect();
        let source_of: BTreeMap<Source, u32> = sources.iter().copied().zip(0..).collect();
        let mut entries: Vec<IndexEntry> = Vec::with_capacity(self.entries.len());
        for (receive, series, mut entry) in self.entries {
            entry.series = index_of.get(&series).copied().unwrap_or_default();
            entry.source = source_of.get(&source(receive)).copied().unwrap_or_default();
            entries.push(entry);
        }
        // Sources are sorted, so that source and position are in the order of receive ids.
        entries.sort_by_key(|e| {
            (e.series, Reverse(e.instance_number.map(Reverse)), e.source, e.position)
        });
        IndexBlock { sources, volume: None, series, entries }
    }
}

fn source(receive: ReceiveId) -> Source {
    Source { node: receive.node, epoch: receive.epoch }
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

/// An entry that does not know its series and source yet.
fn entry(receive: ReceiveId, one: &Particulars) -> IndexEntry {
    let mut digest = [0; 16];
    digest.copy_from_slice(&one.content.digest[..16]);
    IndexEntry {
        series: 0,
        sop_instance: one.identity.sop_instance.clone(),
        sop_class: one.content.sop_class.clone(),
        transfer_syntax: one.content.transfer_syntax.clone(),
        digest,
        length: one.length,
        source: 0,
        position: receive.position,
        received_at: one.received_at,
        flags: one.flags,
        instance_number: number(one, tag::INSTANCE_NUMBER),
        number_of_frames: number(one, tag::NUMBER_OF_FRAMES),
        rows: short(one, tag::ROWS),
        columns: short(one, tag::COLUMNS),
        offset: 0,
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

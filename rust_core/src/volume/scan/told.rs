//! What a volume tells of its instances, held together: files, list, and what was expected.

use std::collections::VecDeque;
use std::sync::Arc;

use super::captures::{Captured, Interned};
use super::instance::{Met, Read};
use super::reader::ranges_text;
use crate::dataset::tag;
use crate::instance::{
    CapturedElement, Content, Identity, Microseconds, Particulars, ReceiveId, Sender, Verdict,
};
use crate::volume::contents::{Contents, Gathered, manifest_line};
use crate::volume::description::Description;
use crate::volume::error::VolumeError;
use crate::volume::listed::Listed;

/// Contents, and the captured elements of the instance that was received first.
pub type Whole = (Contents, Vec<CapturedElement>);

type First = ((Microseconds, ReceiveId), Captured);

/// See the module.
pub struct Told {
    /// What was assembled, when it is read back; else what it says is gathered.
    expected: Option<Arc<Contents>>,
    gathered: Option<Gathered>,
    description: Option<Description>,
    met: Vec<Met>,
    captured: VecDeque<Captured>,
    interned: Interned,
    ranges: Vec<[u8; 32]>,
    order: Vec<ReceiveId>,
    first: Option<First>,
}

impl Told {
    /// Nothing yet.
    pub fn new(expected: Option<Arc<Contents>>) -> Self {
        Self {
            expected,
            gathered: None,
            description: None,
            met: Vec::new(),
            captured: VecDeque::new(),
            interned: Interned::default(),
            ranges: Vec::new(),
            order: Vec::new(),
            first: None,
        }
    }

    /// Whether data sets are to be scanned: where nothing else says what they hold.
    pub fn scans(&self) -> bool {
        self.expected.is_none()
    }

    /// The first member is of this volume.
    pub fn expect_volume(&self, volume: &str) -> Result<(), VolumeError> {
        match &self.expected {
            Some(expected) if *expected.description.volume != *volume => {
                Err(VolumeError::new("another volume"))
            }
            _ => Ok(()),
        }
    }

    /// `bag-info.txt` was read.
    pub fn describe(&mut self, description: Description, text: &str) -> Result<(), VolumeError> {
        match &self.expected {
            Some(expected) if expected.bag_info() != text => {
                return Err(VolumeError::new("not what was planned"));
            }
            Some(_) => {}
            None => self.gathered = Some(Gathered::new(description.clone())),
        }
        self.description = Some(description);
        Ok(())
    }

    /// One more file was read.
    pub fn meet(&mut self, read: Read) -> Result<(), VolumeError> {
        let Read { met, ranges, captured, .. } = read;
        if let Some(expected) = &self.expected {
            let expected = expected.instances.get(self.met.len());
            let expected = expected.ok_or_else(|| VolumeError::new("an instance too many"))?;
            held_against(&met, expected)?;
        } else {
            self.captured.push_back(self.interned.intern(captured)?);
        }
        self.ranges.extend(ranges);
        self.met.push(met);
        Ok(())
    }

    /// What `manifest-sha256.txt` must say.
    pub fn manifest(&self) -> String {
        self.met.iter().map(|met| manifest_line(&met.sha256, &met.ordinal.path())).collect()
    }

    /// What `blake3-ranges.txt` must say.
    pub fn ranges_text(&self) -> String {
        ranges_text(&self.ranges)
    }

    /// `instances.tsv` lists one more.
    pub fn list(&mut self, one: &Listed) -> Result<(), VolumeError> {
        let path = one.ordinal.path();
        let met = self.met.get(self.order.len());
        let met = met.ok_or_else(|| VolumeError::new("an instance too many"))?;
        let differs =
            |what: &str| VolumeError::new(format!("{what} of {path} is not what it lists"));
        let rules = [
            (one.ordinal == met.ordinal, "the place"),
            (one.meta == met.meta, "the file meta information"),
            (one.length == met.length, "the length"),
            (one.digest == met.digest, "the BLAKE3"),
        ];
        if let Some((_, what)) = rules.iter().find(|(holds, _)| !holds) {
            return Err(differs(what));
        }
        if let Some(expected) = &self.expected {
            let same = expected.instances.get(self.order.len()) == Some(one);
            same.then_some(()).ok_or_else(|| differs("the closing record"))?;
        } else {
            self.gather(one)?;
        }
        self.order.push(one.receive_id);
        Ok(())
    }

    fn gather(&mut self, one: &Listed) -> Result<(), VolumeError> {
        let captured = self.captured.pop_front().unwrap_or_default();
        let (Some(gathered), Some(description)) = (&mut self.gathered, &self.description) else {
            return Err(VolumeError::malformed("volume"));
        };
        agree(&captured, one, description)?;
        let key = (one.received_at, one.receive_id);
        let particulars = particulars(one, description, &captured);
        gathered.add(one.receive_id, &particulars)?;
        if self.first.as_ref().is_none_or(|(first, _)| key < *first) {
            self.first = Some((key, captured));
        }
        Ok(())
    }

    /// `instances.tsv` ends.
    pub fn all_listed(&self) -> Result<(), VolumeError> {
        match self.order.len() == self.met.len() {
            true => Ok(()),
            false => Err(VolumeError::new("an instance is missing")),
        }
    }

    /// The volume ends, and is so long.
    pub fn finish(self, length: u64) -> Result<Option<Whole>, VolumeError> {
        let Some(gathered) = self.gathered else { return Ok(None) };
        let contents = gathered.finish()?;
        let order = contents.instances.iter().zip(&self.order);
        if contents.length != length || !order.clone().all(|(one, id)| one.receive_id == *id) {
            return Err(VolumeError::new("its instances are not in their order"));
        }
        let series = contents.instances.iter().zip(&self.met);
        if !series.clone().all(|(one, met)| one.ordinal == met.ordinal) {
            return Err(VolumeError::new("its series are not in their order"));
        }
        let first = self.first.map(|(_, captured)| captured).unwrap_or_default();
        let captured = first.iter().map(|element| CapturedElement::clone(element)).collect();
        Ok(Some((contents, captured)))
    }
}

/// A file that was read back, against the closing record that it was made of.
fn held_against(met: &Met, expected: &Listed) -> Result<(), VolumeError> {
    let id = expected.receive_id;
    let rules = [
        (met.ordinal == expected.ordinal, "place"),
        (met.meta == expected.meta, "file meta information"),
        (met.length == expected.length, "length"),
        (met.digest == expected.digest, "BLAKE3"),
    ];
    let differs = |what: &str| {
        let (epoch, position) = (id.epoch, id.position);
        VolumeError::new(format!("the {what} is not that of closing record {epoch}/{position}"))
    };
    rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, what)| Err(differs(what)))
}

/// The UIDs in the data set are those that the volume tells.
fn agree(captured: &Captured, one: &Listed, description: &Description) -> Result<(), VolumeError> {
    let padding = |character: char| character == ' ' || character == '\0';
    let value = |tag: u32| {
        let element = captured.iter().find(|element| element.tag == tag)?;
        std::str::from_utf8(&element.value).ok().map(|text| text.trim_matches(padding))
    };
    let rules = [
        (tag::STUDY_INSTANCE_UID, &description.study),
        (tag::SERIES_INSTANCE_UID, &one.series),
        (tag::SOP_INSTANCE_UID, &one.meta.sop_instance),
        (tag::SOP_CLASS_UID, &one.meta.sop_class),
    ];
    match rules.iter().all(|(tag, uid)| value(*tag) == Some(uid)) {
        true => Ok(()),
        false => {
            let path = one.ordinal.path();
            Err(VolumeError::new(format!("the UIDs in {path} are not those that it lists")))
        }
    }
}

fn particulars(one: &Listed, description: &Description, captured: &Captured) -> Particulars {
    let quarantined = description.quarantined;
    Particulars {
        vault: description.vault,
        identity: Identity {
            study: description.study.clone(),
            series: one.series.clone(),
            sop_instance: one.meta.sop_instance.clone(),
        },
        content: Content {
            digest: one.digest,
            transfer_syntax: one.meta.transfer_syntax.clone(),
            sop_class: one.meta.sop_class.clone(),
        },
        length: one.length,
        received_at: one.received_at,
        sender: Sender {
            calling: one.calling.clone(),
            called: one.called.clone(),
            ..Sender::default()
        },
        flags: one.flags,
        verdict: if quarantined { Verdict::Quarantined } else { Verdict::Kept },
        conflicts_with: one.conflicts_with,
        captured: captured.iter().map(|element| CapturedElement::clone(element)).collect(),
    }
}

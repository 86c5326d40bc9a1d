//! What recovery must not count: closing records that were discarded, or replaced by a copy's.

use std::collections::{BTreeMap, HashSet};

use super::record::Place;
use super::recovery::{Generations, Region};
use crate::instance::{ReceiveId, Verdict};

/// Which closing records are void, or were being made so.
pub(super) struct Withdrawn {
    discarded: HashSet<ReceiveId>,
    /// Closing records of generations that are still there: segment to regions.
    regions: BTreeMap<u32, Vec<Region>>,
}

impl Withdrawn {
    pub(super) fn of(generations: &Generations) -> Self {
        let mut withdrawn = Self { discarded: HashSet::new(), regions: BTreeMap::new() };
        let discards = generations.values().flat_map(|scanned| &scanned.discards);
        for one in discards.flat_map(|discard| &discard.discarded) {
            withdrawn.discarded.insert(one.receive_id);
            withdrawn.enter(generations, one.closing, one.length);
        }
        let closings = generations.values().flat_map(|scanned| &scanned.closings);
        // What was kept is not overwritten when it is copied: nothing can take the copy back.
        for closing in closings.filter(|closing| closing.verdict == Verdict::Quarantined) {
            if let Some(copied) = closing.copied {
                withdrawn.enter(generations, copied.from, copied.length);
            }
        }
        withdrawn.regions.values_mut().for_each(|regions| regions.sort_unstable());
        withdrawn
    }

    fn enter(&mut self, generations: &Generations, closing: Place, length: u32) {
        let Place { segment, generation, offset } = closing;
        let holder = generations.get(&segment).map(|scanned| scanned.generation.generation);
        if holder == Some(generation) {
            let region = (offset, offset.saturating_add(length));
            self.regions.entry(segment).or_default().push(region);
        }
    }

    pub(super) fn is_discarded(&self, id: ReceiveId) -> bool {
        self.discarded.contains(&id)
    }

    /// Closing records that are whole although discarded: the crash came before their end.
    pub(super) fn whole(&self, generations: &Generations) -> Vec<(u32, Region)> {
        let closings = generations.values().flat_map(|scanned| {
            scanned.closings.iter().map(move |closing| (scanned.generation.segment, closing))
        });
        closings
            .filter(|(_, closing)| self.is_discarded(closing.receive_id))
            .map(|(segment, closing)| (segment, closing.region()))
            .collect()
    }

    /// A gap, cut at the closing records in it that do not count; those are flagged.
    pub(super) fn cut(&self, segment: u32, gap: Region) -> Vec<(Region, bool)> {
        let (mut at, end) = gap;
        let mut pieces = Vec::new();
        let regions = self.regions.get(&segment).map_or(&[][..], Vec::as_slice);
        for (from, to) in regions.iter().filter(|(from, to)| *from < end && *to > gap.0) {
            let (from, to) = ((*from).max(at), (*to).min(end));
            pieces.extend((at < from).then_some(((at, from), false)));
            pieces.extend((from < to).then_some(((from, to), true)));
            at = at.max(to);
        }
        pieces.extend((at < end).then_some(((at, end), false)));
        pieces
    }
}

//! The order of tags: ascending and each once, at every level (PS3.5 7.1).

use super::framing::{Fault, Framing};

/// Tags remembered over all open levels. Ascending levels need none of them; in a level out of
/// order, they are what tells a duplicate.
const REMEMBERED_MAX: usize = 1 << 16;

#[derive(Clone, Copy, Debug, Default)]
struct Level {
    start: usize,
    last: u32,
    seen: bool,
    unsorted: bool,
    forgotten: bool,
}

/// Watches tags go by, level by level.
#[derive(Debug, Default)]
pub struct TagOrder {
    top: Level,
    below: Vec<Level>,
    tags: Vec<u32>,
    /// First tag that came after a greater one.
    pub unsorted: Option<u32>,
    /// A tag that one level holds twice: the first found.
    pub duplicate: Option<u32>,
}

impl TagOrder {
    /// The next tag of the innermost level.
    #[inline]
    pub fn see(&mut self, tag: u32) {
        if self.top.seen && tag <= self.top.last {
            self.descend(tag);
        } else {
            self.top.last = tag;
            self.top.seen = true;
        }
        if self.tags.len() < REMEMBERED_MAX {
            self.tags.push(tag);
        } else {
            self.top.forgotten = true;
        }
    }

    /// `last` is the greatest so far, so that what is greater is known to be new.
    #[cold]
    fn descend(&mut self, tag: u32) {
        if tag == self.top.last {
            self.duplicate.get_or_insert(tag);
        } else {
            self.top.unsorted = true;
            self.unsorted.get_or_insert(tag);
        }
    }

    /// An item opens.
    pub fn enter(&mut self) {
        self.below.push(self.top);
        self.top = Level { start: self.tags.len(), ..Level::default() };
    }

    /// The innermost item (or the data set) ends.
    ///
    /// # Errors
    /// [`Framing::OrderUnknowable`] if too many tags were out of order to find a duplicate.
    pub fn leave(&mut self) -> Result<(), Fault> {
        let level = self.top;
        if level.unsorted {
            if level.forgotten {
                return Err(Framing::OrderUnknowable.at(self.unsorted));
            }
            let tags = &mut self.tags[level.start..];
            tags.sort_unstable();
            let twice = tags.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
            self.duplicate = self.duplicate.or(twice);
        }
        self.tags.truncate(level.start);
        if let Some(outer) = self.below.pop() {
            self.top = outer;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(tags: &[u32]) -> (Option<u32>, Option<u32>) {
        let mut order = TagOrder::default();
        tags.iter().for_each(|&tag| order.see(tag));
        order.leave().unwrap();
        (order.unsorted, order.duplicate)
    }

    #[test]
    fn duplicates_are_found_in_any_order() {
        assert_eq!(ordered(&[1, 2, 3]), (None, None));
        assert_eq!(ordered(&[1, 2, 2]), (None, Some(2)));
        assert_eq!(ordered(&[1, 3, 2]), (Some(2), None));
        assert_eq!(ordered(&[5, 3, 4, 3, 9]), (Some(3), Some(3)));
        assert_eq!(ordered(&[0]), (None, None));
    }

    #[test]
    fn items_are_levels_of_their_own() {
        let mut order = TagOrder::default();
        order.see(7);
        for _ in 0..3 {
            order.enter();
            order.see(7);
            order.see(8);
            order.leave().unwrap();
        }
        order.see(9);
        order.leave().unwrap();
        assert_eq!((order.unsorted, order.duplicate), (None, None));
    }

    #[test]
    fn more_disorder_than_can_be_remembered_is_refused() {
        let mut order = TagOrder::default();
        (0..=REMEMBERED_MAX as u32).rev().for_each(|tag| order.see(tag));
        assert_eq!(order.leave().unwrap_err().framing, Framing::OrderUnknowable);
    }
}

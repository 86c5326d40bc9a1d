//! Back-pressure: how fast instances may be read while the journal fills.
//!
//! While there is room nothing is held back. From [`PACE_FILL_FROM`] on all associations together read
//! as fast as room comes back, in turns: whoever finds no room waits in a queue, and is named to the
//! loop when its turn comes, with as many blocks as are there for each. One queue serves everybody; where lanes and organisations
//! get shares of their own they get queues of their own, here.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::lane::Lane;
use crate::instance::Microseconds;
use crate::journal::Room;
use crate::limits::{
    BLOCK_LENGTH, JOURNAL_ALIGNMENT, PACE_FILL_FROM, PACE_FILL_TO, PACE_FLOOR_BYTES_PER_SECOND,
    PACE_GAIN_MAX, PACE_SMOOTHING_SECONDS, PACE_SPENDING_SECONDS,
};

const BLOCK: i64 = BLOCK_LENGTH as i64;

/// How the pace is, for people.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Paced {
    /// Room that came back, bytes a second, smoothed.
    pub drain: f64,
    /// What may be read, bytes a second; none while nothing is held back.
    pub rate: Option<f64>,
    /// Associations that wait for their turn.
    pub slowed: usize,
}

#[derive(Default)]
struct State {
    looked: Option<(Microseconds, i64)>,
    paced: Paced,
    /// What may still be read now, bytes.
    allowance: f64,
    waiting: VecDeque<Arc<Lane>>,
}

/// See the module. It has no clock: `look` is told the time.
#[derive(Default)]
pub struct Pace {
    /// Bytes that may be read before anything is held back, as of the last look.
    headroom: AtomicI64,
    state: Mutex<State>,
}

impl Pace {
    /// A pace that holds nothing back yet.
    pub fn new() -> Self {
        Self { headroom: AtomicI64::new(i64::MAX / 2), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this association may read a block's worth now. If not it waits for its turn; `begins`
    /// is true if holding back begins with that: whoever looks does not know yet, and must look soon.
    pub fn may_read(&self, lane: &Arc<Lane>) -> Reading {
        if self.headroom.fetch_sub(BLOCK, SeqCst) > 0 || lane.take_turn() {
            return Reading::Now;
        }
        let mut state = self.state();
        if lane.take_turn() {
            return Reading::Now;
        }
        let begins = state.paced.rate.is_none() && state.waiting.is_empty();
        if !lane.is_slowed() {
            lane.slow(true);
            state.waiting.push_back(Arc::clone(lane));
        }
        Reading::Later { begins }
    }

    /// Less was read than a block: an instance ended.
    pub fn ended_early(&self, tail: usize) {
        let taken = tail.next_multiple_of(JOURNAL_ALIGNMENT) as i64;
        let spared = (BLOCK - taken).max(0);
        self.headroom.fetch_add(spared, SeqCst);
        let mut state = self.state();
        if state.paced.rate.is_some() {
            state.allowance += spared as f64;
        }
    }

    /// Looks at the journal: `regained` is all room that ever came back, less what was spent on
    /// getting it. Lets those go on whose turn it is.
    pub fn look(&self, now: Microseconds, room: &Room, regained: i64) {
        let mut state = self.state();
        let seconds = state.measure(now, regained);
        let left = (PACE_FILL_FROM - room.fill) * room.capacity as f64;
        self.headroom.store(left as i64, SeqCst);
        if left > 0.0 {
            (state.paced.rate, state.allowance) = (None, 0.0);
            let everyone = state.waiting.len();
            state.release(everyone);
            return;
        }
        let rate = rate(room, state.paced.drain);
        state.paced.rate = Some(rate);
        // What nobody took in time is not saved up: a second's worth, and a block.
        let most = rate + BLOCK as f64;
        state.allowance = (state.allowance + rate * seconds).min(most);
        let blocks = (state.allowance / BLOCK as f64) as usize;
        state.allowance -= state.release(blocks) as f64 * BLOCK as f64;
    }

    /// How the pace is.
    pub fn paced(&self) -> Paced {
        let state = self.state();
        Paced { slowed: state.waiting.len(), ..state.paced }
    }
}

/// Whether to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Now.
    Now,
    /// When the lane is named.
    Later {
        /// Nothing was held back before.
        begins: bool,
    },
}

impl State {
    /// Seconds since the last look; the drain is measured over them.
    fn measure(&mut self, now: Microseconds, regained: i64) -> f64 {
        let Some((before, had)) = self.looked.replace((now, regained)) else { return 0.0 };
        let seconds = now.saturating_sub(before).max(0) as f64 / 1e6;
        if seconds > 0.0 {
            let sample = (regained - had) as f64 / seconds;
            let weight = 1.0 - (-seconds / PACE_SMOOTHING_SECONDS).exp();
            self.paced.drain = (self.paced.drain + (sample - self.paced.drain) * weight).max(0.0);
        }
        seconds
    }

    /// Shares blocks out evenly among those who wait, or one each to those who wait longest; how many
    /// that were. What does not go up evenly is left for the next time.
    fn release(&mut self, blocks: usize) -> usize {
        let waiting = self.waiting.len();
        let each = blocks.checked_div(waiting).map_or(0, |each| each.max(1));
        let many = waiting.min(blocks);
        for lane in self.waiting.drain(..many) {
            lane.slow(false);
            lane.give_turns(each);
            lane.resume_if_waiting();
        }
        many * each
    }
}

/// What may be read: twice the drain where holding back begins, the drain itself in the middle, none of
/// it where instances are refused; so the fill settles in the middle, whatever the drain is. What is
/// left of the room is spent over a while, and a little is always read, so that what is under way
/// ends, one way or the other.
fn rate(room: &Room, drain: f64) -> f64 {
    let left = (PACE_FILL_TO - room.fill).max(0.0);
    let gain = PACE_GAIN_MAX * left / (PACE_FILL_TO - PACE_FILL_FROM);
    let spent = left * room.capacity as f64 / PACE_SPENDING_SECONDS;
    drain * gain.min(PACE_GAIN_MAX) + spent + PACE_FLOOR_BYTES_PER_SECOND
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::intake::wake::WakeUps;

    const MIB: u64 = 1 << 20;
    const SECOND: Microseconds = 1_000_000;

    fn room(fill: f64) -> Room {
        Room {
            capacity: 1024 * MIB,
            live_bytes: 0,
            dead_bytes: 0,
            free_segments: 9,
            fill,
            freed_bytes: 0,
        }
    }

    fn lane(number: u64) -> Arc<Lane> {
        Arc::new(Lane::new(number, Arc::new(WakeUps::new().unwrap()), Arc::default()))
    }

    /// Blocks read in `seconds` by lanes that always want more, each tenth of a second a look.
    fn read(
        pace: &Pace,
        lanes: &[Arc<Lane>],
        room: &Room,
        from: i64,
        seconds: i64,
        drain: i64,
    ) -> BTreeMap<u64, u64> {
        let mut blocks: BTreeMap<u64, u64> = BTreeMap::new();
        for tick in from * 10..(from + seconds) * 10 {
            pace.look(tick * SECOND / 10, room, tick * drain / 10);
            for lane in lanes {
                while pace.may_read(lane) == Reading::Now {
                    *blocks.entry(lane.number()).or_default() += 1;
                    assert!(blocks[&lane.number()] < 1_000_000, "nothing is held back");
                }
            }
        }
        blocks
    }

    #[test]
    fn below_the_fill_from_which_it_holds_back_it_holds_nothing_back() {
        let (pace, lane) = (Pace::new(), lane(1));
        pace.look(0, &room(0.59), 0);
        let ten_mib = (0..80).filter(|_| pace.may_read(&lane) == Reading::Now).count();
        assert_eq!((ten_mib, pace.paced().rate), (80, None));
        // One per cent is left, and no more is read before the next look, whenever that comes.
        let more = (0..8000).filter(|_| pace.may_read(&lane) == Reading::Now).count();
        assert!(more < 10, "{more}");
        assert_eq!(pace.paced().slowed, 1);
    }

    #[test]
    fn in_the_middle_it_reads_as_fast_as_room_comes_back_and_at_the_end_next_to_nothing() {
        let drain = 64 * MIB as i64;
        let rate_at = |fill: f64| {
            let (pace, lanes) = (Pace::new(), [lane(1)]);
            read(&pace, &lanes, &room(fill), 0, 60, drain); // it learns the drain
            let blocks = read(&pace, &lanes, &room(fill), 60, 20, drain);
            blocks.values().sum::<u64>() * BLOCK_LENGTH as u64 / 20
        };
        let (begin, middle, end, full) =
            (rate_at(0.61), rate_at(0.75), rate_at(0.89), rate_at(0.95));
        assert!(begin > 110 * MIB && begin < 140 * MIB, "{begin}");
        assert!(middle > 60 * MIB && middle < 70 * MIB, "{middle}");
        assert!(end < 8 * MIB, "{end}");
        assert!(full > MIB / 2 && full < 2 * MIB, "what is under way must end: {full}");
    }

    #[test]
    fn turns_are_fair_between_associations_however_eager_they_are() {
        let (pace, lanes) = (Pace::new(), [lane(1), lane(2), lane(3)]);
        let blocks = read(&pace, &lanes, &room(0.8), 0, 60, 20 * MIB as i64);
        let (least, most) = (blocks.values().min().unwrap(), blocks.values().max().unwrap());
        assert!(*least > 500 && most - least <= 60, "{blocks:?}");
    }

    #[test]
    fn who_waits_is_named_when_its_turn_comes_and_everyone_when_there_is_room() {
        let wake = Arc::new(WakeUps::new().unwrap());
        let lanes: Vec<_> =
            (0..5).map(|n| Arc::new(Lane::new(n, wake.clone(), Arc::default()))).collect();
        let pace = Pace::new();
        pace.look(0, &room(0.95), 0);
        for lane in &lanes {
            assert!(matches!(pace.may_read(lane), Reading::Later { .. }));
            assert_eq!(pace.may_read(lane), Reading::Later { begins: false }, "queued once");
            lane.wait();
        }
        assert_eq!(pace.paced().slowed, 5);
        pace.look(SECOND / 5, &room(0.95), 0);
        assert_eq!(
            wake.drain().resume.into_iter().collect::<Vec<_>>(),
            [0],
            "what there is makes one block"
        );
        assert_eq!(pace.may_read(&lanes[0]), Reading::Now);
        pace.look(2 * SECOND / 5, &room(0.5), 0);
        assert_eq!(wake.drain().resume.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
        assert_eq!(pace.paced().slowed, 0);
    }

    #[test]
    fn short_instances_are_charged_what_they_take() {
        let (pace, lane) = (Pace::new(), lane(1));
        pace.look(0, &room(0.59), 0);
        let mut read = 0;
        while pace.may_read(&lane) == Reading::Now {
            pace.ended_early(5000);
            read += 1;
        }
        let taken = read * 8192;
        assert!(taken > 9 * MIB && taken < 11 * MIB, "{taken}");
    }
}

//! What waits to be pushed, and what the last pushes spoke of.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use lattice_presence::{CausalContext, ClockSet, ReplicaId};

/// Former lives of which one push tells that they are over: the last ones. Older ones are
/// retired by peers that still know them (rule R9).
const MOST_FORMER: usize = 8;

/// Intervals that are kept, over all pushes: 256 KiB. A push of one join or leave takes
/// one or two.
const MOST_INTERVALS: usize = 16_384;

/// The own clocks of each of the last pushes, by number, so that exactly what a peer lost
/// can be told again.
///
/// # Invariants
///
/// Numbers are consecutive and end with the last push; `intervals` is the sum over all.
#[derive(Clone, Debug, Default)]
pub(crate) struct PushLog {
    /// The number of the last push; 0 if there was none.
    last: u64,
    pushes: VecDeque<ClockSet>,
    intervals: usize,
}

impl PushLog {
    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    /// Notes what the next push speaks of; its number comes back.
    pub(crate) fn append(&mut self, clocks: ClockSet) -> u64 {
        self.last += 1;
        self.intervals += clocks.interval_count();
        self.pushes.push_back(clocks);
        while self.intervals > MOST_INTERVALS {
            let oldest = self.pushes.pop_front();
            self.intervals -= oldest.map_or(self.intervals, |oldest| oldest.interval_count());
        }
        self.last
    }

    /// Takes the last push back, as if it had never been: it was not sent.
    pub(crate) fn take_back(&mut self, number: u64) -> Option<ClockSet> {
        if number != self.last {
            return None;
        }
        let clocks = self.pushes.pop_back()?;
        self.intervals -= clocks.interval_count();
        self.last -= 1;
        Some(clocks)
    }

    /// What the pushes of those numbers spoke of, as far as they are still here, in
    /// ascending order and until `most` clocks have come together: the numbers, their
    /// clocks, and whether some were left for later. At least one is told. O(pushes that are
    /// asked for + i log i), for i intervals of clocks.
    pub(crate) fn of(&self, numbers: &ClockSet, most: u64) -> (ClockSet, ClockSet, bool) {
        let first = self.last + 1 - self.pushes.len() as u64;
        let (mut told, mut ranges, mut count) = (ClockSet::new(), Vec::new(), 0);
        for range in numbers.intervals() {
            let (from, to) = ((*range.start()).max(first), (*range.end()).min(self.last));
            for number in from..=to {
                let of = &self.pushes[(number - first) as usize];
                count += of.len();
                if count > most && !told.is_empty() {
                    return (told, together(ranges), true);
                }
                told.insert(number);
                ranges.extend(of.intervals());
            }
        }
        (told, together(ranges), false)
    }

    #[cfg(test)]
    fn check_invariants(&self) -> bool {
        let intervals = self.pushes.iter().map(ClockSet::interval_count);
        self.intervals == intervals.sum::<usize>() && self.pushes.len() as u64 <= self.last
    }
}

/// One set of all ranges. In ascending order each is put at the end: a union for each push
/// would go through all that came before it.
/// Own changes on their way out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pushes {
    /// Own clocks that joined or left and were not pushed yet. What joined and left again
    /// meanwhile is told as one that left; between live entries that were pushed, all of
    /// it is one interval: bounded by what is live.
    pub(crate) unsent: ClockSet,
    /// Former lives of this node that are over; told once the last own entry has moved.
    pub(crate) former: CausalContext<ReplicaId>,
    /// The push that told so, and what.
    pub(crate) told: Option<(u64, CausalContext<ReplicaId>)>,
    pub(crate) log: PushLog,
}

impl Pushes {
    /// The node goes on under another name, which issued `own`, after those lives, and
    /// those of which it did not tell yet that they are over.
    pub(crate) fn begin_anew(&mut self, own: ClockSet, former: CausalContext<ReplicaId>) {
        let mut former = former.union(&self.former);
        while former.replicas().len() > MOST_FORMER {
            let lives = former.replicas();
            let oldest = lives.reduce(|oldest, life| match oldest.is_newer_than(life) {
                true => life,
                false => oldest,
            });
            if let Some(oldest) = oldest.cloned() {
                former.remove(&oldest);
            }
        }
        *self = Self {
            unsent: own,
            former,
            told: None,
            log: PushLog::default(),
        };
    }
}

fn together(mut ranges: Vec<RangeInclusive<u64>>) -> ClockSet {
    ranges.sort_unstable_by_key(|range| *range.start());
    let mut clocks = ClockSet::new();
    for range in ranges {
        clocks.insert_range(range);
    }
    clocks
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::time::Instant;

    use super::*;

    fn numbers(numbers: impl IntoIterator<Item = u64>) -> ClockSet {
        numbers.into_iter().collect()
    }

    #[test]
    fn pushes_are_found_by_number_until_they_are_too_old() {
        let mut log = PushLog::default();
        for clock in 1..=20_000 {
            assert_eq!(log.append(numbers([clock])), clock);
        }
        assert!(log.check_invariants());
        assert_eq!(log.pushes.len(), MOST_INTERVALS);
        let (told, clocks, more) = log.of(&numbers([1, 2, 19_999, 20_000, 20_001]), 10);
        assert_eq!((told, more), (numbers([19_999, 20_000]), false));
        assert_eq!(clocks, numbers([19_999, 20_000]));
    }

    #[test]
    fn one_answer_is_bounded_and_always_tells_something() {
        let mut log = PushLog::default();
        log.append((1..=100).into());
        log.append((101..=102).into());
        let (told, clocks, more) = log.of(&numbers([1, 2]), 10);
        assert_eq!((told, clocks.len(), more), (numbers([1]), 100, true));
    }

    #[test]
    fn only_the_last_push_is_taken_back() {
        let mut log = PushLog::default();
        log.append((1..=3).into());
        log.append((4..=6).into());
        assert_eq!(log.take_back(1), None);
        assert_eq!(log.take_back(2), Some((4..=6).into()));
        assert_eq!(log.last(), 1);
        assert_eq!(log.append((4..=5).into()), 2);
        assert!(log.check_invariants());
    }

    /// A question with a made-up range of numbers costs what the log holds.
    #[test]
    fn r11_a_question_about_every_number_there_is_costs_the_log_and_no_more() {
        let mut log = PushLog::default();
        log.append((1..=1).into());
        let (told, _, more) = log.of(&(1..=lattice_presence::MAX_CLOCK).into(), 10);
        assert_eq!((told.len(), more), (1, false));
        let (told, ..) = PushLog::default().of(&(1..=9).into(), 10);
        assert!(told.is_empty());
    }

    /// Each push that was told again went through the clocks of all before it: 15 ms in one
    /// call, with the largest messages.
    #[test]
    fn r13_pushes_whose_clocks_lie_scattered_are_told_in_the_time_of_a_call() {
        let mut log = PushLog::default();
        for n in 1..=8_000_u64 {
            // Somebody left who came long ago, and somebody joined.
            let old = n * 2_654_435_761 % 100_000 * 2 + 1;
            log.append(numbers([old, 300_000 + 2 * n]));
        }
        let most = crate::MAX_ENTRIES as u64;
        let took = (0..20).map(|_| {
            let start = Instant::now();
            let (told, clocks, more) = log.of(&(1..=8_000).into(), most);
            assert_eq!((told.len(), clocks.len(), more), (most / 2, most, true));
            start.elapsed()
        });
        let best = took.min().unwrap();
        assert!(best < Duration::from_millis(5), "{best:?}");
    }
}

//! The live dots of one replica, in clock order.

use core::cmp::Ordering;
use core::ops::RangeInclusive;

use smallvec::SmallVec;

use crate::store::{Identify, Summary};
use crate::{ClockSet, dot_fingerprint};

/// One clock with its value; a slot that lost its value is a *tombstone*.
#[derive(Clone, Debug)]
pub(crate) struct Slot<V> {
    pub(crate) clock: u64,
    pub(crate) value: Option<V>,
}

/// The live dots of one replica with their values, in clock order.
///
/// A sorted vector: a replica mints ascending clocks, so nearly every insertion
/// is an append, and reads and joins walk memory in order. Removal leaves a
/// tombstone, so that it costs a search and no move; tombstones go when they
/// are last, or all at once when they outnumber the living.
///
/// # Invariants
///
/// - Clocks are strictly ascending.
/// - The last slot is live.
/// - Tombstones are at most `live + SLACK`.
/// - The summary is that of the live slots.
#[derive(Debug)]
pub(crate) struct Run<V> {
    slots: SmallVec<[Slot<V>; 1]>,
    summary: Summary,
}

/// A stretch of slots that is bisected without a guess.
const FEW: usize = 16;

/// Tombstones that a short run may keep before it is compacted.
const SLACK: usize = 8;

impl<V> Run<V> {
    pub(crate) const fn new() -> Self {
        Self {
            slots: SmallVec::new_const(),
            summary: Summary::EMPTY,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.summary.live == 0
    }

    pub(crate) fn summary(&self) -> Summary {
        self.summary
    }

    /// Where `clock` is, or where it would go.
    ///
    /// Clocks are distinct integers, so the distance of two clocks bounds the
    /// distance of their slots: where a run has no gaps, the bounds meet at once.
    /// Where it has, the gaps are mostly spread evenly, and a guess in proportion
    /// is a few slots off. Only what is left after two guesses is bisected.
    fn search(&self, clock: u64) -> Result<usize, usize> {
        let slots = &*self.slots;
        let (Some(first), Some(last)) = (slots.first(), slots.last()) else {
            return Err(0);
        };
        if clock > last.clock {
            return Err(slots.len());
        }
        if clock < first.clock {
            return Err(0);
        }
        // The slot, if there is one, is in `low..=high`.
        let (mut low, mut high) = (0_usize, slots.len() - 1);
        let (mut below, mut above) = (first.clock, last.clock);
        let mut guesses = 2;
        loop {
            let distance = |a: u64, b: u64| usize::try_from(a - b).unwrap_or(usize::MAX);
            let nearest = high.saturating_sub(distance(above, clock));
            let farthest = low.saturating_add(distance(clock, below));
            let guess = || guess(clock, (low, below), (high, above));
            if guesses == 0 || high - low < FEW || nearest >= farthest {
                (low, high) = (low.max(nearest), high.min(farthest));
                break;
            }
            guesses -= 1;
            let at = guess().clamp(low.max(nearest), high.min(farthest));
            let found = slots[at].clock;
            match found.cmp(&clock) {
                Ordering::Equal => return Ok(at),
                Ordering::Less => (low, below) = (at, found),
                Ordering::Greater => (high, above) = (at, found),
            }
        }
        slots[low..=high]
            .binary_search_by(|slot| slot.clock.cmp(&clock))
            .map(|at| low + at)
            .map_err(|at| low + at)
    }

    pub(crate) fn get(&self, clock: u64) -> Option<&V> {
        let at = self.search(clock).ok()?;
        self.slots[at].value.as_ref()
    }

    /// The intervals of `clocks` that reach into this run. Nested in a map, a run
    /// has few dots, and a context that all keys share has many intervals.
    pub(crate) fn reached_by<'a>(
        &self,
        clocks: &'a ClockSet,
    ) -> impl Iterator<Item = RangeInclusive<u64>> + use<'a, V> {
        let ends = self.slots.first().zip(self.slots.last());
        let span = ends.map(|(first, last)| first.clock..=last.clock);
        span.into_iter().flat_map(|span| clocks.overlapping(span))
    }

    pub(crate) fn iter(&self) -> RunIter<'_, V> {
        RunIter {
            slots: self.slots.iter(),
        }
    }

    /// The slots, tombstones among them, whose clocks lie in `range`.
    fn slots_in(&self, range: &RangeInclusive<u64>) -> core::ops::Range<usize> {
        let place = |clock| self.search(clock).unwrap_or_else(|at| at);
        // The end of a range is at most MAX_CLOCK, so one more fits.
        place(*range.start())..place(*range.end() + 1)
    }

    /// The live dots whose clocks lie in `range`: O(log + those slots).
    pub(crate) fn range(&self, range: &RangeInclusive<u64>) -> RunIter<'_, V> {
        RunIter {
            slots: self.slots[self.slots_in(range)].iter(),
        }
    }

    /// Puts `value` under `clock`; a live value that was there comes back. O(1)
    /// at the end.
    pub(crate) fn insert<I: Identify<V>>(&mut self, clock: u64, value: V) -> Option<V> {
        self.summary
            .add(dot_fingerprint(clock, I::identity(&value)));
        let slot = Slot {
            clock,
            value: Some(value),
        };
        let before = match self.search(clock) {
            Ok(at) => core::mem::replace(&mut self.slots[at], slot).value,
            Err(at) => {
                self.slots.insert(at, slot);
                None
            }
        };
        if let Some(before) = &before {
            self.summary
                .subtract(dot_fingerprint(clock, I::identity(before)));
        }
        debug_assert!(self.check_ends());
        before
    }

    /// Takes the value under `clock` out: O(log), amortized over compactions.
    pub(crate) fn remove<I: Identify<V>>(&mut self, clock: u64) -> Option<V> {
        let at = self.search(clock).ok()?;
        let value = self.bury::<I>(at)?;
        self.tidy();
        Some(value)
    }

    fn bury<I: Identify<V>>(&mut self, at: usize) -> Option<V> {
        let slot = &mut self.slots[at];
        let value = slot.value.take()?;
        self.summary
            .subtract(dot_fingerprint(slot.clock, I::identity(&value)));
        Some(value)
    }

    /// Restores the invariants about tombstones.
    fn tidy(&mut self) {
        let before = self.slots.len();
        while self.slots.last().is_some_and(|slot| slot.value.is_none()) {
            self.slots.pop();
        }
        if self.slots.len() - self.summary.live > self.summary.live + SLACK {
            self.slots.retain(|slot| slot.value.is_some());
        }
        if self.slots.len() < before {
            self.shrink();
        }
        debug_assert!(self.check_ends());
    }

    /// Gives memory back where most of it lies idle. Half of what stays is free,
    /// so that the next appends do not grow it.
    fn shrink(&mut self) {
        if self.slots.capacity() > 4 * (self.slots.len() + SLACK) {
            let mut slots = SmallVec::with_capacity(2 * self.slots.len());
            slots.extend(self.slots.drain(..));
            self.slots = slots;
        }
    }

    /// Takes out every live value whose clock lies in `range` and that `dies`
    /// says: O(log + slots in the range).
    pub(crate) fn remove_where<I: Identify<V>>(
        &mut self,
        range: &RangeInclusive<u64>,
        mut dies: impl FnMut(u64, &V) -> bool,
        mut removed: impl FnMut(u64, V),
    ) {
        for at in self.slots_in(range) {
            let slot = &self.slots[at];
            let clock = slot.clock;
            if slot.value.as_ref().is_some_and(|value| dies(clock, value))
                && let Some(value) = self.bury::<I>(at)
            {
                removed(clock, value);
            }
        }
        self.tidy();
    }

    /// Adds slots that are live, ascending, and of clocks that are not live here.
    /// Appending costs O(batch); otherwise the part behind the first new clock
    /// is rebuilt once.
    pub(crate) fn extend_sorted<I: Identify<V>>(&mut self, batch: SmallVec<[Slot<V>; 1]>) {
        let Some(first) = batch.first() else {
            return;
        };
        for Slot { clock, value } in &batch {
            if let Some(value) = value {
                self.summary
                    .add(dot_fingerprint(*clock, I::identity(value)));
            }
        }
        let from = self.search(first.clock).unwrap_or_else(|at| at);
        if from == self.slots.len() {
            self.slots.extend(batch);
        } else {
            let mut old = self.slots.drain(from..).collect::<SmallVec<[_; 1]>>();
            self.slots.reserve(old.len() + batch.len());
            merge_into(&mut self.slots, &mut old, batch);
        }
        debug_assert!(self.check_ends());
    }

    fn check_ends(&self) -> bool {
        self.slots.last().is_none_or(|slot| slot.value.is_some())
            && self.slots.len() <= 2 * self.summary.live + SLACK
    }

    pub(crate) fn check_invariants<I: Identify<V>>(&self) -> bool {
        let mut summary = Summary::EMPTY;
        for (clock, value) in self.iter() {
            summary.add(dot_fingerprint(clock, I::identity(value)));
        }
        self.check_ends()
            && summary == self.summary
            && self
                .slots
                .windows(2)
                .all(|pair| pair[0].clock < pair[1].clock)
    }
}

/// A place for `clock` in proportion to the clocks at two places.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a guess, between the two places"
)]
fn guess(clock: u64, (low, below): (usize, u64), (high, above): (usize, u64)) -> usize {
    let span = (above - below).max(1) as f64;
    low + ((clock - below) as f64 / span * (high - low) as f64) as usize
}

/// Two ascending sequences become one. Where both have a clock, the one of
/// `old` is a tombstone, and goes.
fn merge_into<V>(
    slots: &mut SmallVec<[Slot<V>; 1]>,
    old: &mut SmallVec<[Slot<V>; 1]>,
    batch: SmallVec<[Slot<V>; 1]>,
) {
    let mut old = old.drain(..).peekable();
    for new in batch {
        while let Some(before) = old.next_if(|before| before.clock < new.clock) {
            slots.push(before);
        }
        old.next_if(|before| before.clock.cmp(&new.clock) == Ordering::Equal);
        slots.push(new);
    }
    slots.extend(old);
}

/// A copy has no tombstones, and some room: what comes next are appends, and the
/// first one must not move everything.
impl<V: Clone> Clone for Run<V> {
    fn clone(&self) -> Self {
        let live = self.summary.live;
        let mut slots = SmallVec::with_capacity(live + live / 8);
        slots.extend(self.slots.iter().filter(|s| s.value.is_some()).cloned());
        Self {
            slots,
            summary: self.summary,
        }
    }
}

impl<V: PartialEq> PartialEq for Run<V> {
    fn eq(&self, other: &Self) -> bool {
        self.summary == other.summary && self.iter().eq(other.iter())
    }
}

impl<V: Eq> Eq for Run<V> {}

/// The live dots of one replica, ascending: clock and value. See
/// [`DotFun::of`](crate::DotFun::of).
///
/// ```
/// use lattice_causal::{Dot, DotFun, RunIter};
///
/// let store: DotFun<_, _> = [(Dot::new("a", 3), 'x')].into_iter().collect();
/// let mut dots: RunIter<'_, char> = store.of(&"a");
/// assert_eq!((dots.next(), dots.next()), (Some((3, &'x')), None));
/// ```
#[derive(Debug)]
pub struct RunIter<'a, V> {
    slots: core::slice::Iter<'a, Slot<V>>,
}

impl<V> Default for RunIter<'_, V> {
    fn default() -> Self {
        Self { slots: [].iter() }
    }
}

impl<V> Clone for RunIter<'_, V> {
    fn clone(&self) -> Self {
        Self {
            slots: self.slots.clone(),
        }
    }
}

fn live<V>(slot: &Slot<V>) -> Option<(u64, &V)> {
    slot.value.as_ref().map(|value| (slot.clock, value))
}

impl<'a, V> Iterator for RunIter<'a, V> {
    type Item = (u64, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.slots.find_map(live)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.slots.len()))
    }
}

impl<V> DoubleEndedIterator for RunIter<'_, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.slots.by_ref().rev().find_map(live)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use smallvec::smallvec;

    use super::*;

    fn run_of(clocks: impl IntoIterator<Item = u64>) -> Run<u64> {
        let mut run = Run::new();
        for clock in clocks {
            run.insert::<()>(clock, clock * 10);
        }
        run
    }

    fn clocks(run: &Run<u64>) -> Vec<u64> {
        run.iter().map(|(clock, _)| clock).collect()
    }

    #[test]
    fn search_finds_every_clock_and_every_gap() {
        let run = run_of([3, 4, 9, 100, 101, 5000]);
        for clock in 1..6000 {
            let expected = [3, 4, 9, 100, 101, 5000].contains(&clock);
            assert_eq!(run.get(clock).is_some(), expected, "clock {clock}");
        }
        assert_eq!(run.get(crate::MAX_CLOCK), None);
    }

    #[test]
    fn search_survives_any_spread_of_gaps() {
        // A fixed multiplicative sequence decides which clocks are there: dense
        // stretches, sparse ones, and a far end.
        let mut state = 1_u64;
        let mut present = Vec::new();
        for clock in 1..=4000_u64 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let share = if clock % 1000 < 300 { 60 } else { 5 };
            if state >> 32 & 63 < share {
                present.push(clock);
            }
        }
        present.push(crate::MAX_CLOCK);
        let run = run_of(present.iter().copied());
        for clock in (1..=4001).chain([1 << 40, crate::MAX_CLOCK - 1, crate::MAX_CLOCK]) {
            assert_eq!(
                run.search(clock),
                present.binary_search(&clock),
                "clock {clock}"
            );
        }
    }

    #[test]
    fn a_dead_tail_is_dropped_and_the_dead_never_outnumber_the_living() {
        let mut run = run_of(1..=1000);
        for clock in 1..=999 {
            assert_eq!(run.remove::<()>(clock), Some(clock * 10));
            assert!(run.check_invariants::<()>());
        }
        assert!(run.slots.len() <= 1 + 1 + SLACK);
        assert!(run.slots.capacity() <= 4 * (run.slots.len() + SLACK));
        assert_eq!(run.remove::<()>(1000), Some(10_000));
        assert!(run.slots.is_empty() && run.summary == Summary::EMPTY);
    }

    #[test]
    fn a_batch_behind_between_and_over_tombstones_ends_sorted() {
        let mut run = run_of([2, 5, 6, 9]);
        run.remove::<()>(5);
        let slot = |clock| Slot {
            clock,
            value: Some(clock),
        };
        run.extend_sorted::<()>(smallvec![slot(1), slot(5), slot(7), slot(12)]);
        assert_eq!(clocks(&run), [1, 2, 5, 6, 7, 9, 12]);
        assert!(run.check_invariants::<()>());
        assert_eq!(run, {
            let mut same = run_of([2, 6, 9]);
            for clock in [12, 1, 7, 5] {
                same.insert::<()>(clock, clock);
            }
            same
        });
    }

    #[test]
    fn ranges_see_the_living_only() {
        let mut run = run_of([2, 5, 6, 9]);
        run.remove::<()>(6);
        let of = |first, last| run.range(&(first..=last)).map(|(clock, _)| clock);
        assert_eq!(of(1, 5).collect::<Vec<_>>(), [2, 5]);
        assert_eq!(of(6, 8).count(), 0);
        assert_eq!(of(6, crate::MAX_CLOCK).collect::<Vec<_>>(), [9]);
        assert_eq!(run.iter().next_back(), Some((9, &90)));
    }
}

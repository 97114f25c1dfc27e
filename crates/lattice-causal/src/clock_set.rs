//! The clocks of one replica, as intervals.

use alloc::vec::Vec;
use core::fmt;
use core::ops::RangeInclusive;

use smallvec::{SmallVec, smallvec};

use crate::MAX_CLOCK;

/// A run of consecutive clocks, both ends included.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Interval {
    first: u64,
    last: u64,
}

/// A set of clocks of *one* replica: a contiguous prefix `1..=n` and a
/// *cloud* of later clocks with gaps before them.
///
/// A gap of a million clocks costs one interval, so the size follows the number
/// of gaps, not the number of clocks. Set operations between two sets are linear
/// in their intervals; look-ups are logarithmic.
///
/// # Invariants
///
/// The intervals are sorted, disjoint, not adjacent (`a.last + 1 < b.first`),
/// not empty, and inside `1..=MAX_CLOCK`. The representation of a set is
/// therefore unique: derived equality is set equality, and there is no
/// compaction to forget.
///
/// ```
/// use lattice_causal::ClockSet;
///
/// let mut seen = ClockSet::new();
/// seen.insert_range(1..=3);
/// seen.insert(7);
/// assert_eq!(seen.prefix(), 3);
/// assert_eq!(seen.cloud().collect::<Vec<_>>(), [7..=7]);
///
/// seen.insert_range(4..=6); // closes the gap
/// assert_eq!(seen.intervals().collect::<Vec<_>>(), [1..=7]);
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct ClockSet {
    // Nearly every replica is one prefix: it lives inline, without allocation.
    intervals: SmallVec<[Interval; 1]>,
}

impl ClockSet {
    /// The empty set.
    ///
    /// ```
    /// assert!(lattice_causal::ClockSet::new().is_empty());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            intervals: SmallVec::new_const(),
        }
    }

    /// Whether no clock is in the set. O(1).
    ///
    /// ```
    /// assert!(!lattice_causal::ClockSet::from(1..=1).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// How many clocks are in the set. O(intervals).
    ///
    /// ```
    /// let claimed = lattice_causal::ClockSet::from(1..=lattice_causal::MAX_CLOCK);
    /// assert_eq!(claimed.len(), lattice_causal::MAX_CLOCK);
    /// ```
    #[must_use]
    pub fn len(&self) -> u64 {
        self.intervals.iter().map(|i| i.last - i.first + 1).sum()
    }

    /// How many intervals hold the set: its cost in memory and in merges. O(1).
    ///
    /// ```
    /// let set: lattice_causal::ClockSet = [1, 2, 5, 6].into_iter().collect();
    /// assert_eq!(set.interval_count(), 2);
    /// ```
    #[must_use]
    pub fn interval_count(&self) -> usize {
        self.intervals.len()
    }

    /// Whether `clock` is in the set. O(log intervals).
    ///
    /// ```
    /// let set = lattice_causal::ClockSet::from(3..=5);
    /// assert!(set.contains(5) && !set.contains(2) && !set.contains(0));
    /// ```
    #[must_use]
    pub fn contains(&self, clock: u64) -> bool {
        match self.intervals.as_slice() {
            [] => false,
            [only] => only.first <= clock && clock <= only.last,
            all => {
                let at = all.partition_point(|i| i.last < clock);
                all.get(at).is_some_and(|i| i.first <= clock)
            }
        }
    }

    /// `n`, where `1..=n` is the longest contiguous prefix in the set; 0 if
    /// clock 1 is missing. O(1).
    ///
    /// ```
    /// let set: lattice_causal::ClockSet = [1, 2, 4].into_iter().collect();
    /// assert_eq!(set.prefix(), 2);
    /// ```
    #[must_use]
    pub fn prefix(&self) -> u64 {
        match self.intervals.first() {
            Some(i) if i.first == 1 => i.last,
            _ => 0,
        }
    }

    /// The greatest clock in the set, 0 if it is empty. O(1).
    ///
    /// ```
    /// let set: lattice_causal::ClockSet = [1, 9].into_iter().collect();
    /// assert_eq!(set.max(), 9);
    /// ```
    #[must_use]
    #[inline]
    pub fn max(&self) -> u64 {
        self.intervals.last().map_or(0, |i| i.last)
    }

    /// All intervals in ascending order, the prefix first.
    ///
    /// ```
    /// let set: lattice_causal::ClockSet = [1, 2, 4].into_iter().collect();
    /// assert_eq!(set.intervals().collect::<Vec<_>>(), [1..=2, 4..=4]);
    /// ```
    pub fn intervals(
        &self,
    ) -> impl DoubleEndedIterator<Item = RangeInclusive<u64>> + ExactSizeIterator + '_ {
        self.intervals.iter().map(|i| i.first..=i.last)
    }

    /// The intervals behind the prefix, in ascending order.
    ///
    /// ```
    /// let set: lattice_causal::ClockSet = [1, 3, 4, 9].into_iter().collect();
    /// assert_eq!(set.cloud().collect::<Vec<_>>(), [3..=4, 9..=9]);
    /// ```
    pub fn cloud(
        &self,
    ) -> impl DoubleEndedIterator<Item = RangeInclusive<u64>> + ExactSizeIterator + '_ {
        let behind = usize::from(self.prefix() > 0);
        self.intervals[behind..].iter().map(|i| i.first..=i.last)
    }

    /// Every clock, ascending. A claimed range of 2^53 clocks is as long as it
    /// says: prefer [`intervals`](Self::intervals) for what a peer sent.
    ///
    /// ```
    /// let set: lattice_causal::ClockSet = [4, 1, 2].into_iter().collect();
    /// assert_eq!(set.clocks().collect::<Vec<_>>(), [1, 2, 4]);
    /// ```
    pub fn clocks(&self) -> impl Iterator<Item = u64> + '_ {
        self.intervals().flatten()
    }

    /// Adds `clock`; true if it is new. Clocks outside `1..=MAX_CLOCK` are
    /// members of no set: false, nothing changed. O(1) at the end, otherwise
    /// O(intervals).
    ///
    /// ```
    /// let mut set = lattice_causal::ClockSet::new();
    /// assert!(set.insert(1));
    /// assert!(!set.insert(1));
    /// assert!(!set.insert(0));
    /// ```
    #[inline]
    pub fn insert(&mut self, clock: u64) -> bool {
        if clock == 0 || clock > MAX_CLOCK {
            return false;
        }
        match self.intervals.last_mut() {
            Some(last) if last.last + 1 == clock => {
                last.last = clock;
                return true;
            }
            Some(last) if clock <= last.last => {}
            _ => {
                let (first, last) = (clock, clock);
                self.intervals.push(Interval { first, last });
                return true;
            }
        }
        if self.contains(clock) {
            return false;
        }
        self.insert_interval(clock, clock);
        true
    }

    /// Adds every clock of `range` that lies in `1..=MAX_CLOCK`. O(intervals),
    /// whatever the length of the range.
    ///
    /// ```
    /// let mut set = lattice_causal::ClockSet::new();
    /// set.insert_range(5..=9);
    /// set.insert_range(0..=4);
    /// assert_eq!(set, (1..=9).into());
    /// ```
    pub fn insert_range(&mut self, range: RangeInclusive<u64>) {
        let (first, last) = ((*range.start()).max(1), (*range.end()).min(MAX_CLOCK));
        if first <= last {
            self.insert_interval(first, last);
        }
    }

    fn insert_interval(&mut self, first: u64, last: u64) {
        // The intervals that touch or overlap the new one are `from..to`.
        let from = self.intervals.partition_point(|i| i.last + 1 < first);
        let to = self.intervals.partition_point(|i| i.first <= last + 1);
        if from == to {
            self.intervals.insert(from, Interval { first, last });
        } else {
            let joined = Interval {
                first: first.min(self.intervals[from].first),
                last: last.max(self.intervals[to - 1].last),
            };
            self.intervals[from] = joined;
            self.intervals.drain(from + 1..to);
        }
        debug_assert!(self.check_invariants());
    }

    /// Removes every clock of `range`. O(intervals).
    ///
    /// ```
    /// let mut set = lattice_causal::ClockSet::from(1..=9);
    /// set.remove_range(4..=6);
    /// assert_eq!(set.intervals().collect::<Vec<_>>(), [1..=3, 7..=9]);
    /// ```
    pub fn remove_range(&mut self, range: RangeInclusive<u64>) {
        let (first, last) = (*range.start(), *range.end());
        if first > last {
            return;
        }
        let from = self.intervals.partition_point(|i| i.last < first);
        let to = self.intervals.partition_point(|i| i.first <= last);
        if from == to {
            return;
        }
        let (head, tail) = (self.intervals[from], self.intervals[to - 1]);
        let mut kept: SmallVec<[Interval; 2]> = SmallVec::new();
        if head.first < first {
            kept.push(Interval {
                first: head.first,
                last: first - 1,
            });
        }
        if last < tail.last {
            kept.push(Interval {
                first: last + 1,
                last: tail.last,
            });
        }
        self.intervals.drain(from..to);
        self.intervals.insert_many(from, kept);
        debug_assert!(self.check_invariants());
    }

    /// Adds every clock of `other`. O(intervals of both).
    ///
    /// ```
    /// use lattice_causal::ClockSet;
    ///
    /// let mut set = ClockSet::from(1..=3);
    /// set.union_with(&ClockSet::from(3..=8));
    /// assert_eq!(set, (1..=8).into());
    /// ```
    pub fn union_with(&mut self, other: &Self) {
        match other.intervals.as_slice() {
            [] => {}
            [only] => self.insert_interval(only.first, only.last),
            _ if self == other => {}
            _ => *self = self.union(other),
        }
    }

    /// The clocks in either set. O(intervals of both).
    ///
    /// ```
    /// use lattice_causal::ClockSet;
    ///
    /// let union = ClockSet::from(1..=2).union(&ClockSet::from(5..=6));
    /// assert_eq!(union, [1, 2, 5, 6].into_iter().collect());
    /// ```
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let (mut left, mut right) = (self.intervals.iter(), other.intervals.iter());
        let (mut a, mut b) = (left.next(), right.next());
        let mut joined: SmallVec<[Interval; 1]> = SmallVec::new();
        loop {
            let next = match (a, b) {
                (Some(x), Some(y)) if x.first <= y.first => {
                    a = left.next();
                    x
                }
                (_, Some(y)) => {
                    b = right.next();
                    y
                }
                (Some(x), None) => {
                    a = left.next();
                    x
                }
                (None, None) => break,
            };
            push_joined(&mut joined, *next);
        }
        Self::from_intervals(joined)
    }

    /// The clocks in both sets. O(intervals of both).
    ///
    /// ```
    /// use lattice_causal::ClockSet;
    ///
    /// let both = ClockSet::from(1..=5).intersection(&ClockSet::from(4..=9));
    /// assert_eq!(both, (4..=5).into());
    /// ```
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (a, b) = (&self.intervals, &other.intervals);
        let (mut i, mut j) = (0, 0);
        let mut common = SmallVec::new();
        while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
            let (first, last) = (x.first.max(y.first), x.last.min(y.last));
            if first <= last {
                common.push(Interval { first, last });
            }
            if x.last <= y.last {
                i += 1;
            } else {
                j += 1;
            }
        }
        Self::from_intervals(common)
    }

    /// The clocks in this set and not in `other`. O(intervals of both).
    ///
    /// ```
    /// use lattice_causal::ClockSet;
    ///
    /// let rest = ClockSet::from(1..=5).difference(&ClockSet::from(2..=3));
    /// assert_eq!(rest, [1, 4, 5].into_iter().collect());
    /// ```
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut holes = other.intervals.iter().peekable();
        let mut rest = SmallVec::new();
        for interval in &self.intervals {
            let mut first = interval.first;
            while let Some(hole) = holes.peek() {
                if hole.first > interval.last {
                    break;
                }
                if first < hole.first {
                    rest.push(Interval {
                        first,
                        last: hole.first - 1,
                    });
                }
                first = first.max(hole.last + 1);
                // A hole that reaches further also cuts the next interval.
                if hole.last > interval.last {
                    break;
                }
                holes.next();
            }
            if first <= interval.last {
                rest.push(Interval {
                    first,
                    last: interval.last,
                });
            }
        }
        Self::from_intervals(rest)
    }

    /// Whether every clock of this set is in `other`. O(intervals of both).
    ///
    /// ```
    /// use lattice_causal::ClockSet;
    ///
    /// assert!(ClockSet::from(2..=3).is_subset(&ClockSet::from(1..=5)));
    /// assert!(!ClockSet::from(2..=6).is_subset(&ClockSet::from(1..=5)));
    /// ```
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        let mut j = 0;
        self.intervals.iter().all(|i| {
            while other.intervals.get(j).is_some_and(|o| o.last < i.first) {
                j += 1;
            }
            other
                .intervals
                .get(j)
                .is_some_and(|o| o.first <= i.first && i.last <= o.last)
        })
    }

    /// Appends `first..=last`, if that leaves the set canonical: behind the
    /// last clock, with a gap before it, and in range. Otherwise false, and
    /// nothing changed.
    pub(crate) fn push_interval(&mut self, first: u64, last: u64) -> bool {
        let behind = self.intervals.last().map_or(1, |i| i.last + 2);
        let canonical = behind <= first && first <= last && last <= MAX_CLOCK;
        if canonical {
            self.intervals.push(Interval { first, last });
        }
        canonical
    }

    /// The union of many sets. O(n log n) for `n` intervals in all. Uniting one
    /// after the other would be quadratic.
    pub(crate) fn union_of(sets: impl IntoIterator<Item = Self>) -> Self {
        Self::from_unsorted(sets.into_iter().flat_map(|set| set.intervals).collect())
    }

    fn from_unsorted(mut intervals: Vec<Interval>) -> Self {
        intervals.sort_unstable_by_key(|i| i.first);
        let mut joined: SmallVec<[Interval; 1]> = SmallVec::new();
        for next in intervals {
            push_joined(&mut joined, next);
        }
        Self::from_intervals(joined)
    }

    fn from_intervals(intervals: SmallVec<[Interval; 1]>) -> Self {
        let set = Self { intervals };
        debug_assert!(set.check_invariants());
        set
    }

    /// The intervals that reach into `range`, whole: O(log intervals) to find.
    pub(crate) fn overlapping(
        &self,
        range: RangeInclusive<u64>,
    ) -> impl Iterator<Item = RangeInclusive<u64>> + '_ {
        let from = self.intervals.partition_point(|i| i.last < *range.start());
        let reaching = self.intervals[from..].iter();
        let end = *range.end();
        reaching
            .take_while(move |i| i.first <= end)
            .map(|i| i.first..=i.last)
    }

    /// The part of the set that lies in `range`: O(log intervals + the part).
    pub(crate) fn within(&self, range: RangeInclusive<u64>) -> Self {
        let (first, last) = (*range.start(), *range.end());
        let parts = self.overlapping(range);
        let clipped = parts.map(|i| Interval {
            first: first.max(*i.start()),
            last: last.min(*i.end()),
        });
        Self::from_intervals(clipped.collect())
    }

    /// A test of membership for clocks that come in ascending order. Neighbours
    /// cost O(1), a leap O(log intervals).
    pub(crate) fn sweep(&self) -> Sweep<'_> {
        Sweep {
            rest: &self.intervals,
        }
    }

    fn check_invariants(&self) -> bool {
        // Where a debug build adds interval by interval, it must not check all of
        // them each time.
        if self.intervals.len() > 256 {
            return true;
        }
        let inside = |i: &Interval| 1 <= i.first && i.first <= i.last && i.last <= MAX_CLOCK;
        self.intervals.iter().all(inside)
            && self
                .intervals
                .windows(2)
                .all(|pair| pair[0].last + 1 < pair[1].first)
    }
}

/// Adds an interval that does not begin before the last one.
fn push_joined(joined: &mut SmallVec<[Interval; 1]>, next: Interval) {
    match joined.last_mut() {
        Some(last) if next.first <= last.last + 1 => last.last = last.last.max(next.last),
        _ => joined.push(next),
    }
}

/// See [`ClockSet::sweep`].
pub(crate) struct Sweep<'a> {
    rest: &'a [Interval],
}

impl Sweep<'_> {
    /// Whether `clock` is in the set; `clock` is not below any asked before.
    pub(crate) fn contains(&mut self, clock: u64) -> bool {
        if self.rest.first().is_some_and(|i| i.last < clock) {
            let skipped = self.rest.partition_point(|i| i.last < clock);
            self.rest = &self.rest[skipped..];
        }
        self.rest.first().is_some_and(|i| i.first <= clock)
    }

    /// Whether no clock of `range` is in the set; its start is not below any clock asked
    /// before, and none asked later is below it.
    pub(crate) fn misses(&mut self, range: RangeInclusive<u64>) -> bool {
        !self.contains(*range.start()) && self.rest.first().is_none_or(|i| i.first > *range.end())
    }
}

impl From<RangeInclusive<u64>> for ClockSet {
    /// The clocks of the range that lie in `1..=MAX_CLOCK`.
    fn from(range: RangeInclusive<u64>) -> Self {
        let (first, last) = ((*range.start()).max(1), (*range.end()).min(MAX_CLOCK));
        if first > last {
            return Self::new();
        }
        Self::from_intervals(smallvec![Interval { first, last }])
    }
}

impl FromIterator<u64> for ClockSet {
    fn from_iter<T: IntoIterator<Item = u64>>(clocks: T) -> Self {
        let mut set = Self::new();
        set.extend(clocks);
        set
    }
}

impl Extend<u64> for ClockSet {
    /// O(n log n) for `n` clocks in any order, linear in ascending order.
    fn extend<T: IntoIterator<Item = u64>>(&mut self, clocks: T) {
        let mut intervals = Vec::<Interval>::new();
        let inside = clocks
            .into_iter()
            .filter(|clock| (1..=MAX_CLOCK).contains(clock));
        for clock in inside {
            match intervals.last_mut() {
                Some(interval) if interval.last + 1 == clock => interval.last = clock,
                _ => intervals.push(Interval {
                    first: clock,
                    last: clock,
                }),
            }
        }
        self.union_with(&Self::from_unsorted(intervals));
    }
}

impl fmt::Debug for ClockSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.intervals()).finish()
    }
}

//! Own dots that wait to be taken.

use alloc::vec::Vec;

use lattice_causal::ClockSet;

/// A set of clocks that takes a new one in O(1), amortized: connections end in
/// no order, and a set of intervals would move half of itself for each.
///
/// # Invariants
///
/// `recent` holds at most as many clocks as `settled` has intervals, or `SLACK`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    settled: ClockSet,
    recent: Vec<u64>,
}

/// Clocks that may wait unsorted, however few intervals there are.
const SLACK: usize = 64;

impl Pending {
    pub(crate) fn insert(&mut self, clock: u64) {
        // The newest dot goes to the end at once.
        if clock > self.settled.max() {
            self.settled.insert(clock);
            return;
        }
        // What joined since the last take is one interval, mostly the only one.
        // Among many a look-up would cost more than a clock that waits twice.
        if self.settled.interval_count() == 1 && self.settled.contains(clock) {
            return;
        }
        self.recent.push(clock);
        if self.recent.len() > self.settled.interval_count().max(SLACK) {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.recent.sort_unstable();
        self.settled.extend(self.recent.drain(..));
    }

    /// The whole set; it is empty afterwards.
    pub(crate) fn take(&mut self) -> ClockSet {
        self.settle();
        core::mem::take(&mut self.settled)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.settled.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_set_whatever_the_order() {
        let mut pending = Pending::default();
        // 7919 is prime to 1000: every residue comes, in a scattered order.
        let clocks = (1..=1000).map(|i| i * 7919 % 1000 + 1);
        for clock in clocks.clone() {
            pending.insert(clock);
            assert!(pending.recent.len() <= pending.settled.interval_count().max(SLACK));
        }
        for clock in clocks {
            pending.insert(clock);
        }
        assert!(!pending.is_empty());
        assert_eq!(pending.take(), ClockSet::from(1..=1000));
        assert!(pending.is_empty() && pending.take().is_empty());
    }
}

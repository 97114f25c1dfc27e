//! Answers of bounded size: what fits is told first, in clock order.

use super::Causal;
use crate::{ClockSet, DotStore, MAX_CLOCK};

/// How much an answer may still say: live dots and intervals of claims, one unit each.
pub(super) struct Room {
    left: usize,
    /// Whether something did not fit.
    pub(super) more: bool,
}

impl Room {
    /// One dot with its claim always fits, so that every answer gets on.
    pub(super) fn new(max: usize) -> Self {
        Self {
            left: max.max(2),
            more: false,
        }
    }

    pub(super) const fn unbounded() -> Self {
        Self {
            left: usize::MAX,
            more: false,
        }
    }

    const fn is_unbounded(&self) -> bool {
        self.left == usize::MAX
    }

    /// Takes `cost` if it fits.
    pub(super) fn take(&mut self, cost: usize) -> bool {
        let left = self.left.checked_sub(cost);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}

impl<S: DotStore> Causal<S> {
    /// What it costs to tell `claims` of `replica`.
    pub(super) fn cost(&self, replica: &S::Replica, claims: &ClockSet) -> usize {
        self.store.summary_in(replica, claims).live + claims.interval_count()
    }

    /// The first clocks of `claims` from `from` on, as many as there is room for; and
    /// where the rest begins, if there is one.
    pub(super) fn fit(
        &self,
        replica: &S::Replica,
        claims: &ClockSet,
        from: u64,
        room: &mut Room,
    ) -> (ClockSet, Option<u64>) {
        let mut first = ClockSet::new();
        for range in claims.overlapping(from..=MAX_CLOCK) {
            let range = from.max(*range.start())..=*range.end();
            let part = ClockSet::from(range.clone());
            if room.is_unbounded() || room.take(self.cost(replica, &part)) {
                first.push_interval(*range.start(), *range.end());
                continue;
            }
            room.more = true;
            // One unit is for the interval, the rest for what lives in it.
            let fitting = core::mem::take(&mut room.left).checked_sub(1);
            let beyond = fitting.and_then(|n| self.store.nth_live(replica, range.clone(), n));
            let start = *range.start();
            let next = beyond.unwrap_or(start);
            first.push_interval(start, next - 1);
            return (first, Some(next));
        }
        (first, None)
    }
}

//! What was written here goes out, cut and coalesced (rule R2).

use lattice_presence::{CausalContext, ClockSet, PresenceDelta};

use crate::machine::Sync;

/// How many clocks a push may speak of for each entry that it may carry: those that left
/// cost a few bytes, or none.
pub(crate) const CLOCKS_PER_ENTRY: u64 = 8;

impl<M> Sync<M> {
    /// Whether own changes wait to be pushed. A node that is superseded pushes none.
    pub(crate) fn has_unsent(&mut self) -> bool {
        let changes = self.state.take_changes();
        if self.is_superseded() {
            return false;
        }
        if self.pushes.unsent.is_empty() {
            self.pushes.unsent = changes;
        } else if !changes.is_empty() {
            self.pushes.unsent.union_with(&changes);
        }
        !self.pushes.unsent.is_empty()
    }

    /// The next push and its number. O(what it carries + intervals that wait).
    pub(crate) fn next_push(&mut self) -> Option<(u64, PresenceDelta<M>)> {
        if !self.has_unsent() {
            return None;
        }
        let most = self.config.max_entries;
        let mut clocks = first(&self.pushes.unsent, most as u64 * CLOCKS_PER_ENTRY);
        let mut delta = self.of_own(&clocks);
        if delta.len() > most {
            let last = delta.entries().nth(most - 1).map(|entry| entry.dot().clock);
            clocks = clocks.intersection(&(1..=last.unwrap_or_default()).into());
            delta = self.of_own(&clocks);
        }
        self.pushes.unsent.remove_range(1..=clocks.max());
        if self.pushes.unsent.is_empty() && !self.pushes.former.is_empty() {
            let number = self.pushes.log.last() + 1;
            self.pushes.told = Some((number, core::mem::take(&mut self.pushes.former)));
            delta = self.told_again(&(number..=number).into(), &clocks);
        }
        Some((self.pushes.log.append(clocks), delta))
    }

    /// Takes a push back that was not sent; whether that was possible.
    pub(crate) fn take_back_push(&mut self, number: u64) -> bool {
        let Some(clocks) = self.pushes.log.take_back(number) else {
            return false;
        };
        self.pushes.unsent.union_with(&clocks);
        if let Some((_, former)) = self.pushes.told.take_if(|(told, _)| *told == number) {
            self.pushes.former = former;
        }
        true
    }

    /// What the pushes of those numbers tell, which speak of those own clocks.
    pub(crate) fn told_again(&self, numbers: &ClockSet, clocks: &ClockSet) -> PresenceDelta<M> {
        let told = self.pushes.told.as_ref();
        let told = told.filter(|(number, _)| numbers.contains(*number));
        let mut told = told.map(|(_, former)| former.clone()).unwrap_or_default();
        told.insert_set(self.state.replica().clone(), clocks);
        self.state.delta_of(&told)
    }

    /// What is known of those own clocks.
    pub(crate) fn of_own(&self, clocks: &ClockSet) -> PresenceDelta<M> {
        let own = self.state.replica().clone();
        self.state
            .delta_of(&CausalContext::from_iter([(own, clocks.clone())]))
    }
}

/// The first `most` clocks.
fn first(clocks: &ClockSet, mut most: u64) -> ClockSet {
    let mut chosen = ClockSet::new();
    for range in clocks.intervals() {
        if most == 0 {
            break;
        }
        let last = (*range.end()).min(range.start() + most - 1);
        most -= last - range.start() + 1;
        chosen.insert_range(*range.start()..=last);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_clocks_are_cut_off() {
        let clocks: ClockSet = [1, 2, 3, 7, 8, 20].into_iter().collect();
        assert_eq!(first(&clocks, 5), [1, 2, 3, 7, 8].into_iter().collect());
        assert_eq!(first(&clocks, 2), (1..=2).into());
        assert_eq!(first(&clocks, 99), clocks);
        assert!(first(&ClockSet::new(), 3).is_empty());
    }
}

//! The dots of pruned replicas that stale gossip must not bring back.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use lattice_causal::{CausalContext, ClockSet};

use crate::ReplicaId;

/// The refusal filter of rule S9. Local: neither serialized nor merged.
///
/// # Invariants
///
/// `lives` holds exactly those replicas of `dots` whose incarnations time orders, by
/// base, each list ascending by age.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    dots: CausalContext<ReplicaId>,
    lives: BTreeMap<Box<str>, Vec<ReplicaId>>,
}

impl Filter {
    pub(crate) fn is_empty(&self) -> bool {
        self.dots.is_empty()
    }

    pub(crate) const fn dots(&self) -> &CausalContext<ReplicaId> {
        &self.dots
    }

    pub(crate) fn get(&self, replica: &ReplicaId) -> Option<&ClockSet> {
        self.dots.get(replica)
    }

    /// Refuses `seen` of `replica`, beside what is refused of it already.
    pub(crate) fn refuse(&mut self, replica: &ReplicaId, seen: &ClockSet) {
        if seen.is_empty() {
            return;
        }
        if self.dots.get(replica).is_none() && replica.is_ordered() {
            let lives = self.lives.entry(replica.base().into()).or_default();
            let at = lives.partition_point(|life| replica.is_newer_than(life));
            lives.insert(at, replica.clone());
        }
        self.dots.insert_set(replica.clone(), seen);
    }

    /// Refuses nothing of `replica` any more.
    pub(crate) fn lift(&mut self, replica: &ReplicaId) {
        if self.dots.remove(replica).is_none() {
            return;
        }
        if let Some(lives) = self.lives.get_mut(replica.base()) {
            lives.retain(|life| life != replica);
            if lives.is_empty() {
                self.lives.remove(replica.base());
            }
        }
    }

    /// The newest incarnation of the base of `replica`, if something is refused of it.
    /// O(log bases).
    pub(crate) fn newest_of_base(&self, replica: &ReplicaId) -> Option<&ReplicaId> {
        self.lives.get(replica.base())?.last()
    }

    /// Whether something is refused of an incarnation that is newer than `replica`.
    pub(crate) fn knows_newer_than(&self, replica: &ReplicaId) -> bool {
        let newest = self.newest_of_base(replica);
        newest.is_some_and(|newest| newest.is_newer_than(replica))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(base: &str, time: u8) -> ReplicaId {
        let mut uuid = [0; 16];
        (uuid[0], uuid[6], uuid[8]) = (time, 0x70, 0x80);
        ReplicaId::incarnation(base, uuid)
    }

    #[test]
    fn it_knows_the_newest_life_of_each_base() {
        let mut filter = Filter::default();
        let seen = ClockSet::from(1..=2);
        for replica in [life("a", 3), life("a", 1), life("b", 9), "a".into()] {
            filter.refuse(&replica, &seen);
            filter.refuse(&replica, &ClockSet::from(4..=4));
        }
        assert_eq!(filter.newest_of_base(&life("a", 2)), Some(&life("a", 3)));
        assert!(filter.knows_newer_than(&life("a", 2)));
        assert!(!filter.knows_newer_than(&life("a", 3)));
        assert!(
            !filter.knows_newer_than(&"a".into()),
            "a plain name has no order"
        );
        assert_eq!(filter.get(&life("b", 9)).map(ClockSet::len), Some(3));

        filter.lift(&life("a", 3));
        filter.lift(&life("a", 3));
        assert_eq!(filter.newest_of_base(&life("a", 2)), Some(&life("a", 1)));
        filter.lift(&life("a", 1));
        assert_eq!(filter.newest_of_base(&life("a", 2)), None);
        assert_eq!(filter.dots().replicas().count(), 2);
    }

    #[test]
    fn what_was_never_seen_is_not_refused() {
        let mut filter = Filter::default();
        filter.refuse(&life("a", 1), &ClockSet::new());
        assert!(filter.is_empty() && filter.newest_of_base(&life("a", 0)).is_none());
    }
}

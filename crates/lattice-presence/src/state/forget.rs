//! Letting go of lives that are over.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use lattice_causal::DotStore;

use super::PresenceState;
use crate::ReplicaId;

impl<M> PresenceState<M> {
    /// Drops the marks and the filters of all lives that are over: incarnations of
    /// which nothing is here, and of whose base this state has seen a newer one. Gives
    /// their number.
    ///
    /// A cluster whose processes restart marks one life after the other, and each mark
    /// with its filter takes some hundred bytes for ever. Call this now and then, when
    /// gossip of the former lives cannot be on its way any more: an entry that stale
    /// gossip brings back nevertheless is visible until the newer incarnation is heard,
    /// which has claimed the former one (rule S7). Names without an order are left to
    /// [`forget_replica`](Self::forget_replica). O(replicas and marks).
    ///
    /// ```
    /// use lattice_presence::{PresenceState, ReplicaId};
    ///
    /// let life = |ms: u8| {
    ///     let mut uuid = [0; 16];
    ///     (uuid[5], uuid[6], uuid[8]) = (ms, 0x70, 0x80); // version 7
    ///     ReplicaId::incarnation("a", uuid)
    /// };
    /// let mut b = PresenceState::new("b");
    /// for ms in 1..=3 {
    ///     let mut a = PresenceState::new(life(ms));
    ///     a.join("p", "t", "k", ())?;
    ///     b.merge(&a).unwrap();
    /// }
    /// let _ = b.supersede(&life(3)).unwrap();
    /// assert!(b.is_down(&life(1)) && b.is_down(&life(2)));
    ///
    /// assert_eq!(b.forget_former_lives(), 2);
    /// assert!(!b.is_down(&life(1)) && !b.is_down(&life(2)));
    /// assert_eq!(b.forget_former_lives(), 0);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn forget_former_lives(&mut self) -> usize {
        let mut newest: BTreeMap<String, ReplicaId> = BTreeMap::new();
        for life in self.context().replicas().filter(|life| life.is_ordered()) {
            let known = newest
                .entry(life.base().into())
                .or_insert_with(|| life.clone());
            if life.is_newer_than(known) {
                *known = life.clone();
            }
        }
        let is_over = |life: &&ReplicaId| {
            let newest = newest.get(life.base());
            newest.is_some_and(|newest| newest.is_newer_than(life))
                && **life != self.replica
                && self.causal.store().summary(life).live == 0
        };
        let known = self.down.iter().chain(self.filter.dots().replicas());
        let mut over: Vec<ReplicaId> = known.filter(is_over).cloned().collect();
        over.sort_unstable();
        over.dedup();
        for life in &over {
            self.down.unmark(life);
            self.filter.lift(life);
        }
        debug_assert!(self.check_invariants());
        over.len()
    }
}

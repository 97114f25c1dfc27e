//! Names that many entries share.

use super::PresenceState;

impl<M> PresenceState<M> {
    /// Lets entries that came with copies of their names share those that are here.
    ///
    /// What one delta brings has a topic and an owner of its own, in memory of their
    /// own. While the caller holds the delta they cannot change, so this is done at the
    /// next merge: of whatever then is held here alone.
    pub(super) fn intern_names(&mut self) {
        for _ in 0..self.index.uninterned() {
            let Some(entry) = self.index.pop_uninterned() else {
                break;
            };
            let dot = entry.dot().clone();
            let stands = self.causal.store().get(&dot);
            if !stands.is_some_and(|other| other.is(&entry)) {
                continue;
            }
            drop(entry);
            let intern = |entry| self.index.intern(entry, &self.down);
            self.causal.rewrite(&dot, intern);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;
    use alloc::vec::Vec;

    use lattice_causal::Dot;

    use crate::{CausalContext, Presence, PresenceDelta, PresenceState, ReplicaId};

    /// What a codec makes of one join: no memory is shared with anything.
    fn received(clock: u64) -> PresenceDelta<u64> {
        let owner = || ReplicaId::new("node-b");
        let dot = Dot::new(owner(), clock);
        let context: CausalContext<ReplicaId> = [dot.clone()].into_iter().collect();
        let pid = alloc::format!("pid-{clock}");
        let entry = Presence::new(dot, "room", "alice", &pid, clock);
        PresenceDelta::from_parts(owner(), context, Vec::from([entry])).unwrap()
    }

    #[test]
    fn what_came_alone_shares_its_names_after_the_next_merge() {
        let mut state = PresenceState::new("node-a");
        let kept = received(2);
        for clock in [1, 3, 4] {
            state.merge_delta(&received(clock)).unwrap();
        }
        state.merge_delta(&kept).unwrap();
        let digest = state.digest();
        state.merge_delta(&received(5)).unwrap();
        state.merge_delta(&received(5)).unwrap();
        let entries: Vec<_> = state.entries().collect();
        let first = entries[0];
        for entry in &entries {
            // Whoever holds the entry of a delta holds it as it came.
            let shares = *entry.meta() != 2;
            assert_eq!(
                Arc::ptr_eq(entry.shared_topic(), first.shared_topic()),
                shares
            );
            assert_eq!(entry.owner().is(first.owner()), shares);
            assert_eq!((entry.topic(), *entry.meta()), ("room", entry.dot().clock));
        }
        drop(entries);
        let _ = state.leave_by_pid("nobody");
        let mut without = state.clone();
        let gone = PresenceDelta::from_parts(
            "node-b".into(),
            [Dot::new("node-b".into(), 5)].into_iter().collect(),
            Vec::new(),
        );
        without.merge_delta(&gone.unwrap()).unwrap();
        assert_eq!(
            without
                .digest()
                .get(&"node-b".into())
                .map(|line| line.fingerprint),
            digest.get(&"node-b".into()).map(|line| line.fingerprint)
        );
    }

    /// An entry that somebody else holds stays as it came, and is not tried again at every
    /// merge: neither in a topic of few members, nor in one that has its keys in a table.
    #[test]
    fn what_somebody_else_holds_is_tried_once() {
        for count in [3, 300] {
            let mut state = PresenceState::new("node-a");
            let deltas: Vec<_> = (1..=count).map(received).collect();
            for delta in &deltas {
                state.merge_delta(delta).unwrap();
            }
            state.merge_delta(&deltas[0]).unwrap();
            state.merge_delta(&deltas[0]).unwrap();
            assert_eq!(state.index.uninterned(), 0, "{count}");
            assert!(state.index.check_invariants());
        }
    }

    /// What nobody else holds shares its names in a large topic, too.
    #[test]
    fn names_are_shared_in_a_large_topic() {
        let mut state = PresenceState::new("node-a");
        for clock in 1..=300 {
            state.merge_delta(&received(clock)).unwrap();
        }
        state.merge_delta(&received(1)).unwrap();
        state.merge_delta(&received(1)).unwrap();
        let first = state.entries().next().unwrap();
        let shares =
            |entry: &&Presence<u64>| Arc::ptr_eq(entry.shared_topic(), first.shared_topic());
        assert_eq!(state.entries().filter(shares).count(), 300);
        assert!(state.index.check_invariants());
    }
}

//! What this node sends (rules S13 and S14).

use alloc::vec::Vec;

use lattice_causal::Causal;

use super::PresenceState;
use crate::delta::Entries;
use crate::index::Index;
use crate::{PresenceDelta, ReplicaId};

impl<M> PresenceState<M> {
    /// The state in which a snapshot was merged into nothing, under the name of
    /// its sender: how a codec restores one.
    ///
    /// Entries of older incarnations of that name do not enter (rule S7); several
    /// entries in one own slot, which a peer may keep, all enter. What its sender
    /// had not taken yet, as a delta, is not pending here. O(entries).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    /// let copy = PresenceState::from_snapshot(state.snapshot());
    /// assert_eq!(copy.digest(), state.digest());
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn from_snapshot(snapshot: PresenceDelta<M>) -> Self {
        let mut state = Self::new(snapshot.replica);
        state.causal = snapshot.causal;
        state.drop_former_lives();
        state.rebuild_index();
        let known: Vec<ReplicaId> = state.context().replicas().cloned().collect();
        state.hear_of(known.iter());
        drop(known);
        if !state.names_claimant() {
            state.name_claimant();
        }
        debug_assert!(state.check_invariants());
        state
    }

    pub(super) fn rebuild_index(&mut self) {
        self.refill(Index::new(self.index.hashing.clone()));
    }

    /// Puts all entries into an index that holds nothing.
    pub(super) fn refill(&mut self, mut index: Index<M>) {
        // In dot order, so each entry is the newest of its groups.
        for (_, _, entry) in self.causal.store().iter() {
            index.insert(entry, index.pid_hash(entry), &self.down);
        }
        self.index = index;
    }

    fn drop_former_lives(&mut self) {
        let replicas = self.causal.store().replicas();
        let former: Vec<ReplicaId> = replicas
            .filter(|(replica, _)| self.replica.is_newer_than(replica))
            .map(|(replica, _)| replica.clone())
            .collect();
        for replica in former {
            if let Some(seen) = self.causal.forget_replica(&replica) {
                self.causal.claim(replica, &seen);
            }
        }
    }

    /// What was mutated locally since the last take: entries that joined, and
    /// the dots of those that left. `None` if nothing was. Push it to the
    /// peers; what gets lost on the way, [`delta_since`](Self::delta_since)
    /// repairs. O(mutations).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    /// assert_eq!(state.take_delta().unwrap().len(), 1);
    /// assert!(state.take_delta().is_none());
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn take_delta(&mut self) -> Option<PresenceDelta<M>> {
        if !self.has_pending() {
            return None;
        }
        let mut mutated = core::mem::take(&mut self.ended);
        mutated.insert_set(self.replica.clone(), &self.pending.take());
        Some(self.told(self.causal.slice(&mutated)))
    }

    /// Whether [`take_delta`](Self::take_delta) would yield something. O(1).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    /// assert!(state.has_pending());
    /// let delta = state.take_delta();
    /// assert!(delta.is_some() && !state.has_pending());
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn has_pending(&self) -> bool {
        // A former life ends with own dots under the next name.
        !self.pending.is_empty()
    }

    /// Everything that is replicated, as one delta. O(entries).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    /// assert_eq!(state.snapshot().len(), 1);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> PresenceDelta<M> {
        PresenceDelta {
            replica: self.replica.clone(),
            causal: self.causal.clone(),
        }
    }

    /// The local replica's own entries and its own context, for
    /// [`merge_owned`](Self::merge_owned). O(own entries).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// let mut b = PresenceState::new("b");
    /// b.merge(&a).unwrap();
    /// assert_eq!(a.owned_snapshot().len(), 1);
    /// assert_eq!(b.owned_snapshot().len(), 0);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn owned_snapshot(&self) -> PresenceDelta<M> {
        let own = self.context().get(&self.replica).cloned();
        let own = own.map(|seen| (self.replica.clone(), seen));
        self.told(self.causal.slice(&own.into_iter().collect()))
    }

    /// A delta that says `part` of this state.
    pub(super) fn told(&self, part: Causal<Entries<M>>) -> PresenceDelta<M> {
        PresenceDelta {
            replica: self.replica.clone(),
            causal: part,
        }
    }
}

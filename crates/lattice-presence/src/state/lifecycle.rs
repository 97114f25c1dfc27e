//! Who is considered down, removed, superseded (rules S7 to S10).

use alloc::vec::Vec;

use lattice_causal::DotStore;

use super::PresenceState;
use crate::{Diff, LifecycleError, Presence, ReplicaId};

impl<M> PresenceState<M> {
    /// Considers `replica` down: its entries are hidden, and come as leaves. They
    /// stay in the state, and go on being merged. Local: peers learn nothing of
    /// it. Idempotent; an unknown replica may be marked, too. O(its entries).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// let mut b = PresenceState::new("b");
    /// b.merge(&a).unwrap();
    ///
    /// assert_eq!(b.replica_down(a.replica()).leaves().count(), 1);
    /// assert!(b.is_empty());
    /// assert!(b.replica_down(a.replica()).is_empty());
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn replica_down(&mut self, replica: &ReplicaId) -> Diff<M> {
        if !self.down.mark(replica) {
            return Diff::new();
        }
        self.hide_or_show(replica, Diff::push_leave)
    }

    /// Considers `replica` up again: what is known of it comes back as joins, and
    /// what [`remove_down_replica`](Self::remove_down_replica) refused may come
    /// again. Idempotent; replicas that were never marked are up. O(its entries).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    /// let _ = state.replica_down(&"a".into());
    /// assert_eq!(state.replica_up(&"a".into()).joins().count(), 1);
    /// assert!(state.replica_up(&"a".into()).is_empty());
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn replica_up(&mut self, replica: &ReplicaId) -> Diff<M> {
        if !self.down.unmark(replica) {
            return Diff::new();
        }
        self.filter.lift(replica);
        self.hide_or_show(replica, Diff::push_join)
    }

    /// Reports every entry of `replica`, whose mark has just changed.
    fn hide_or_show(
        &mut self,
        replica: &ReplicaId,
        push: impl Fn(&mut Diff<M>, Presence<M>, bool),
    ) -> Diff<M> {
        let hidden = self.down.hides(replica);
        let store = self.causal.store();
        let mut diff = Diff::with_capacity(store.summary(replica).live);
        for (_, entry) in store.of(replica) {
            push(&mut diff, entry.clone(), true);
        }
        let mut accompanied = Vec::new();
        self.index
            .set_hidden(replica, hidden, diff.entries(), |entry| {
                accompanied.push(entry.dot().clock);
            });
        for clock in accompanied {
            diff.clear_edge(clock);
        }
        diff
    }

    /// Whether `replica` is marked down.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::<()>::new("a");
    /// let _ = state.replica_down(&"b".into());
    /// assert!(state.is_down(&"b".into()) && !state.is_down(&"c".into()));
    /// ```
    #[must_use]
    pub fn is_down(&self, replica: &ReplicaId) -> bool {
        self.down.hides(replica)
    }

    /// Discards what is known of a replica that is marked down. Its memory comes
    /// back: that of its entries, and that of the indexes but for a few times what
    /// the entries that stay take.
    ///
    /// Its dots stay refused *here* while the mark stands, so that stale gossip
    /// cannot bring them back; nothing is claimed about them to others. After
    /// [`replica_up`](Self::replica_up) the replica is simply seen again. The
    /// diff is empty: its entries left when it was marked. O(its entries).
    ///
    /// # Errors
    ///
    /// [`LifecycleError::NotDown`] unless the replica is marked down, and
    /// [`LifecycleError::LocalReplica`] for the local one; nothing changed.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// let mut b = PresenceState::new("b");
    /// b.merge(&a).unwrap();
    /// let _ = b.replica_down(a.replica());
    /// let _ = b.remove_down_replica(a.replica()).unwrap();
    ///
    /// b.merge(&a).unwrap(); // stale gossip
    /// assert_eq!(b.entries().count(), 0);
    /// let _ = b.replica_up(a.replica());
    /// assert_eq!(b.merge_with_diff(&a).unwrap().joins().count(), 1);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn remove_down_replica(&mut self, replica: &ReplicaId) -> Result<Diff<M>, LifecycleError> {
        let named = || replica.clone();
        if *replica == self.replica {
            return Err(LifecycleError::LocalReplica { replica: named() });
        }
        if !self.down.hides(replica) {
            return Err(LifecycleError::NotDown { replica: named() });
        }
        self.prune(replica);
        debug_assert!(self.check_invariants());
        Ok(Diff::new())
    }

    /// Discards what is known of a replica that is hidden.
    pub(super) fn prune(&mut self, replica: &ReplicaId) {
        let entries = self.causal.store().of(replica);
        let entries: Vec<_> = entries.map(|(_, entry)| entry.clone()).collect();
        for entry in entries {
            self.index.remove(&entry, self.index.pid_hash(&entry));
        }
        let seen = self.causal.forget_replica(replica).unwrap_or_default();
        self.ended.remove(replica);
        // The local replica's former lives are never admitted; their context is,
        // so that their ghosts go elsewhere, too (rule S7).
        if !self.replica.is_newer_than(replica) {
            self.filter.refuse(replica, &seen);
        }
    }

    /// Names `current` the one living incarnation of its base: every other known
    /// one is marked down and removed, with one diff of all that left. A mark that
    /// `current` itself has stays, until [`replica_up`](Self::replica_up).
    ///
    /// # Errors
    ///
    /// [`LifecycleError::LocalReplica`] if the local replica is another
    /// incarnation of that base, and [`LifecycleError::NewerKnown`] if a newer
    /// incarnation of it than `current` was seen, pruned or heard of: `current` is a
    /// former life itself, perhaps of a process that was frozen. Nothing changed.
    ///
    /// ```
    /// use lattice_presence::{PresenceState, ReplicaId};
    ///
    /// let life = |n| ReplicaId::incarnation("a", [n; 16]);
    /// let mut old = PresenceState::new(life(1));
    /// old.join("p", "t", "k", ())?;
    /// let mut b = PresenceState::new("b");
    /// b.merge(&old).unwrap();
    ///
    /// let diff = b.supersede(&life(2)).unwrap();
    /// assert_eq!(diff.leaves().count(), 1);
    /// assert!(b.is_down(&life(1)) && !b.is_down(&life(2)));
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn supersede(&mut self, current: &ReplicaId) -> Result<Diff<M>, LifecycleError> {
        let is_former = |replica: &ReplicaId| replica != current && replica.same_base(current);
        if is_former(&self.replica) {
            let replica = self.replica.clone();
            return Err(LifecycleError::LocalReplica { replica });
        }
        if let Some(newest) = self.newest_of_base(current)
            && newest.is_newer_than(current)
        {
            let newest = newest.clone();
            return Err(LifecycleError::NewerKnown { newest });
        }
        let former = self
            .context()
            .replicas()
            .filter(|replica| is_former(replica));
        let former: Vec<_> = former.cloned().collect();
        let mut diff = Diff::new();
        for replica in &former {
            diff.append(self.replica_down(replica));
            self.prune(replica);
        }
        debug_assert!(self.check_invariants());
        Ok(diff)
    }

    /// The newest of the incarnations of the base of `replica` that time orders and that
    /// this state knows: from its context, its filter, its own name, or hearsay.
    /// O(replicas).
    pub(super) fn newest_of_base(&self, replica: &ReplicaId) -> Option<&ReplicaId> {
        let own = [&self.replica].into_iter().chain(&self.successor);
        let known = self.context().replicas().chain(own);
        let known = known.filter(|known| known.is_ordered() && known.same_base(replica));
        let known = known.chain(self.filter.newest_of_base(replica));
        known.reduce(|newest, known| {
            if known.is_newer_than(newest) {
                known
            } else {
                newest
            }
        })
    }

    /// Drops the mark of `replica` and the filter of its refused dots, for a
    /// replica that will not be heard of again. Were its entries not removed
    /// before, they show again, as joins.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::<()>::new("a");
    /// let b = "b".into();
    /// let _ = state.replica_down(&b);
    /// let _ = state.remove_down_replica(&b).unwrap();
    /// assert!(state.forget_replica(&b).is_empty());
    /// assert!(!state.is_down(&b));
    /// ```
    pub fn forget_replica(&mut self, replica: &ReplicaId) -> Diff<M> {
        self.replica_up(replica)
    }

    /// The newest incarnation of the local base that this state has heard of, if
    /// it is newer than the local one (rule S7). It is remembered, whatever is pruned or
    /// forgotten later.
    ///
    /// Anybody whose payloads are merged can write a name, so this is a reason to look
    /// and not yet to stop: [`confirmed_successor`](Self::confirmed_successor) is, or a
    /// connection of that incarnation itself. If it stays silent, it is dead, misdated or
    /// made up: [`reincarnate`](Self::reincarnate). Until then this state serves on, and
    /// re-issues nothing.
    ///
    /// ```
    /// use lattice_presence::{PresenceState, ReplicaId};
    ///
    /// let life = |ms: u8| {
    ///     let mut uuid = [0; 16];
    ///     (uuid[5], uuid[6], uuid[8]) = (ms, 0x70, 0x80); // version 7
    ///     ReplicaId::incarnation("a", uuid)
    /// };
    /// let mut old = PresenceState::new(life(1));
    /// let mut new = PresenceState::new(life(2));
    /// new.join("p", "t", "k", ())?;
    /// old.merge(&new).unwrap();
    /// assert_eq!(old.superseded_by(), Some(&life(2)));
    /// assert_eq!(new.superseded_by(), None);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub const fn superseded_by(&self) -> Option<&ReplicaId> {
        self.successor.as_ref()
    }

    /// The newest newer incarnation of the local base that has spoken for itself, by
    /// [`merge_owned_with_diff`](Self::merge_owned_with_diff): the transport vouches for
    /// it. The application should drain and stop.
    ///
    /// ```
    /// use lattice_presence::{PresenceState, ReplicaId};
    ///
    /// let life = |ms: u8| {
    ///     let mut uuid = [0; 16];
    ///     (uuid[5], uuid[6], uuid[8]) = (ms, 0x70, 0x80); // version 7
    ///     ReplicaId::incarnation("a", uuid)
    /// };
    /// let mut old = PresenceState::<()>::new(life(1));
    /// let new = PresenceState::new(life(2));
    ///
    /// old.merge_delta(&new.snapshot()).unwrap(); // anybody may have written that
    /// assert_eq!(old.superseded_by(), Some(&life(2)));
    /// assert_eq!(old.confirmed_successor(), None);
    ///
    /// old.merge_owned_with_diff(&life(2), &new.owned_snapshot()).unwrap();
    /// assert_eq!(old.confirmed_successor(), Some(&life(2)));
    /// ```
    #[must_use]
    pub const fn confirmed_successor(&self) -> Option<&ReplicaId> {
        self.confirmed.as_ref()
    }
}

//! Merging what others send (rules S5, S6, S7, S9).

use alloc::collections::{BTreeMap, BTreeSet};

use lattice_causal::{Causal, CausalContext, ClockSet, Dot, DotStore, Observer};

use super::PresenceState;
use crate::delta::Entries;
use crate::down::Down;
use crate::index::{Ahead, Index};
use crate::{Diff, MergeError, Presence, PresenceDelta, ReplicaId};

impl<M> PresenceState<M> {
    /// Merges the whole state of a peer. Replicas on which both agree cost
    /// O(intervals), mostly one; the others are merged in one linear walk.
    ///
    /// Own entries that the peer has pruned get fresh dots (rule S5): whoever keeps
    /// references to entries asks for the [diff](Self::merge_with_diff), which lists
    /// them. If no dot is left to mint, they keep the old one.
    ///
    /// # Errors
    ///
    /// [`MergeError::SameReplica`] and [`MergeError::ConflictingDot`]; nothing
    /// changed. A *different* state of the same name is refused in any case;
    /// merging an identical one changes nothing.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// let mut b = PresenceState::new("b");
    /// b.merge(&a).unwrap();
    /// assert!(b.contains("p", "t", "k"));
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn merge(&mut self, other: &Self) -> Result<(), MergeError> {
        self.check_name(other)?;
        self.absorb(&other.replica, &other.causal, None)
    }

    /// [`merge`](Self::merge), and what it changed in the visible view.
    ///
    /// # Errors
    ///
    /// Those of [`merge`](Self::merge); nothing changed.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// let mut b = PresenceState::new("b");
    /// assert_eq!(b.merge_with_diff(&a).unwrap().joins().count(), 1);
    /// assert!(b.merge_with_diff(&a).unwrap().is_empty());
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn merge_with_diff(&mut self, other: &Self) -> Result<Diff<M>, MergeError> {
        self.check_name(other)?;
        let mut diff = Diff::new();
        self.absorb(&other.replica, &other.causal, Some(&mut diff))?;
        Ok(diff)
    }

    /// Merges a delta, or a snapshot. O(what it speaks of).
    ///
    /// # Errors
    ///
    /// [`MergeError::SameReplica`] and [`MergeError::ConflictingDot`]; nothing
    /// changed. The local replica's own deltas, echoed by a bus, are no error.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// let delta = a.take_delta().unwrap();
    /// let mut b = PresenceState::new("b");
    /// b.merge_delta(&delta).unwrap();
    /// assert!(b.contains("p", "t", "k"));
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn merge_delta(&mut self, delta: &PresenceDelta<M>) -> Result<(), MergeError> {
        self.absorb(&delta.replica, &delta.causal, None)
    }

    /// [`merge_delta`](Self::merge_delta), and what it changed in the visible
    /// view.
    ///
    /// # Errors
    ///
    /// Those of [`merge_delta`](Self::merge_delta); nothing changed.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut a = PresenceState::new("a");
    /// a.join("p", "t", "k", ())?;
    /// let mut b = PresenceState::new("b");
    /// let diff = b.merge_delta_with_diff(&a.delta_since(&b.digest())).unwrap();
    /// assert_eq!(diff.joins().count(), 1);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn merge_delta_with_diff(
        &mut self,
        delta: &PresenceDelta<M>,
    ) -> Result<Diff<M>, MergeError> {
        let mut diff = Diff::new();
        self.absorb(&delta.replica, &delta.causal, Some(&mut diff))?;
        Ok(diff)
    }

    /// A state under the local name is the local state, or that of somebody who
    /// must not have the name.
    fn check_name(&self, other: &Self) -> Result<(), MergeError> {
        if self.replica == other.replica && self.digest() != other.digest() {
            return Err(self.same_replica());
        }
        Ok(())
    }

    fn same_replica(&self) -> MergeError {
        MergeError::SameReplica {
            replica: self.replica.clone(),
        }
    }

    /// Whether `other` may be merged (rule S6). Changes nothing.
    fn check(&self, other: &Causal<Entries<M>>) -> Result<(), MergeError> {
        let context = self.context();
        if let Some(theirs) = other.context().get(&self.replica) {
            let issued = context.get(&self.replica);
            if !issued.is_some_and(|issued| theirs.is_subset(issued)) {
                return Err(self.same_replica());
            }
        }
        for (replica, _) in other.store().replicas() {
            if self.agrees(replica, other) {
                continue;
            }
            if let Some(clock) = self.conflict(replica, other.store()) {
                let dot = Dot::new(replica.clone(), clock);
                return Err(MergeError::ConflictingDot { dot });
            }
        }
        Ok(())
    }

    /// Whether `other` has nothing to say about `replica`.
    fn agrees(&self, replica: &ReplicaId, other: &Causal<Entries<M>>) -> bool {
        let store = self.causal.store();
        self.context().get(replica) == other.context().get(replica)
            && store.summary(replica) == other.store().summary(replica)
    }

    /// The first dot of `replica` that is live on both sides with different
    /// entries. O(the fewer entries of it, with their look-ups).
    fn conflict(&self, replica: &ReplicaId, theirs: &Entries<M>) -> Option<u64> {
        let mine = self.causal.store();
        let (few, many) = if mine.summary(replica).live < theirs.summary(replica).live {
            (mine, theirs)
        } else {
            (theirs, mine)
        };
        let differs = |entry: &Presence<M>| {
            let other = many.get(entry.dot());
            other.is_some_and(|other| !other.same_slot(entry))
        };
        few.of(replica)
            .find(|(_, entry)| differs(entry))
            .map(|(clock, _)| clock)
    }

    /// Merges what passes [`check`](Self::check), replica by replica.
    fn absorb(
        &mut self,
        sender: &ReplicaId,
        other: &Causal<Entries<M>>,
        mut diff: Option<&mut Diff<M>>,
    ) -> Result<(), MergeError> {
        self.check(other)?;
        self.intern_names();
        self.hear_of(other.context().replicas().chain([sender]));
        let anonymous = self.anonymous(sender, other);
        let mut clears = false;
        for (replica, theirs) in other.context().iter() {
            if self.agrees(replica, other) {
                continue;
            }
            if *replica == self.replica {
                self.note_claims(other, theirs);
            } else if self.replica.is_newer_than(replica) {
                // An earlier life of this node: what it knew is known, what it
                // held is gone (rule S7).
                self.causal.claim(replica.clone(), theirs);
                clears = true;
            } else {
                let living = anonymous.contains(replica);
                match self.admitted(replica, theirs, other, living) {
                    Some(admitted) => {
                        let part = CausalContext::from_iter([(replica.clone(), admitted)]);
                        self.merge_replica(replica, &other.slice(&part), diff.as_deref_mut());
                    }
                    None => self.merge_replica(replica, other, diff.as_deref_mut()),
                }
            }
        }
        if clears {
            self.name_claimant();
        }
        self.reissue_claimed(diff);
        debug_assert!(self.check_invariants());
        Ok(())
    }

    /// What of a replica's dots is admitted, if not all of them: not what was pruned
    /// (rule S9), and only what lives if the deaths are `anonymous`.
    fn admitted(
        &self,
        replica: &ReplicaId,
        theirs: &ClockSet,
        other: &Causal<Entries<M>>,
        living: bool,
    ) -> Option<ClockSet> {
        let living = living.then(|| other.store().live(replica));
        match (living, self.filter.get(replica)) {
            (living, None) => living,
            (living, Some(refused)) => Some(living.as_ref().unwrap_or(theirs).difference(refused)),
        }
    }

    /// The replicas of whose dots this payload may claim a death that nobody here
    /// could answer for: a newer life of theirs, which may have claimed it, was pruned,
    /// and no newer one will be known after the merge. Passed on without the name of a
    /// newer life such a claim would make the replica, which cannot know to whom to
    /// yield, re-issue its entries in every round (rule S7).
    ///
    /// The sender answers for itself (rule S6). O(payload), and O(replicas) if there
    /// is a suspect among them.
    fn anonymous<'a>(
        &self,
        sender: &ReplicaId,
        other: &'a Causal<Entries<M>>,
    ) -> BTreeSet<&'a ReplicaId> {
        if self.filter.is_empty() {
            return BTreeSet::new();
        }
        let is_suspect =
            |replica: &&ReplicaId| *replica != sender && self.filter.knows_newer_than(replica);
        let suspects = other.context().replicas().filter(is_suspect);
        let mut suspects: BTreeSet<&ReplicaId> = suspects.collect();
        if suspects.is_empty() {
            return suspects;
        }
        let stays = |(replica, seen): (&'a ReplicaId, &ClockSet)| {
            let admitted = self.admitted(replica, seen, other, suspects.contains(replica));
            let is_empty = admitted.as_ref().unwrap_or(seen).is_empty();
            (!is_empty).then_some(replica)
        };
        let arriving = other.context().iter().filter_map(stays);
        let mut newest: BTreeMap<&str, &ReplicaId> = BTreeMap::new();
        for life in self.context().replicas().chain(arriving) {
            if life.is_ordered() {
                let newest = newest.entry(life.base()).or_insert(life);
                if life.is_newer_than(newest) {
                    *newest = life;
                }
            }
        }
        suspects.retain(|replica| {
            let newest = newest.get(replica.base());
            !newest.is_some_and(|newest| newest.is_newer_than(replica))
        });
        suspects
    }

    /// Notes the newest incarnation of the local base that is newer than this one.
    pub(super) fn hear_of<'a>(&mut self, replicas: impl Iterator<Item = &'a ReplicaId>) {
        for replica in replicas {
            let newest = self.successor.as_ref().unwrap_or(&self.replica);
            if replica.is_newer_than(newest) {
                self.successor = Some(replica.clone());
            }
        }
    }

    /// Sees to it that a claim on former lives never travels without the name of
    /// the claimant: when they hear it, they yield (rule S7). A node without a
    /// dot of its own uses its first one up for that.
    pub(super) fn name_claimant(&mut self) {
        if self.context().get(&self.replica).is_none() {
            self.causal
                .claim(self.replica.clone(), &ClockSet::from(1..=1));
        }
    }

    fn merge_replica(
        &mut self,
        replica: &ReplicaId,
        other: &Causal<Entries<M>>,
        diff: Option<&mut Diff<M>>,
    ) {
        if self.context().get(replica).is_none() {
            // Room for all of it at once.
            self.index.reserve(other.store().summary(replica).live);
        }
        let mut fold = Fold {
            index: &mut self.index,
            ahead: Ahead::default(),
            diff: diff.filter(|_| !self.down.hides(replica)),
            down: &self.down,
        };
        self.causal.merge_replica_with(replica, other, &mut fold);
    }
}

/// Keeps index and diff in step with what a join reports.
struct Fold<'a, M> {
    index: &'a mut Index<M>,
    /// What the index has looked up already.
    ahead: Ahead,
    /// Absent if nobody asked, or the replica is hidden.
    diff: Option<&'a mut Diff<M>>,
    down: &'a Down,
}

impl<M> Observer<Entries<M>> for Fold<'_, M> {
    const EXPECTS: bool = true;

    fn added(&mut self, _: &ReplicaId, _: u64, _: impl FnOnce(), entry: &Presence<M>) {
        let edge = self
            .index
            .insert(entry, self.index.pid_hash(entry), self.down);
        if let Some(diff) = &mut self.diff {
            diff.push_join(entry.clone(), edge);
        }
    }

    fn removed(&mut self, _: &ReplicaId, _: u64, _: impl FnOnce(), entry: Presence<M>) {
        let pid = self.ahead.next(&entry);
        let pid = pid.unwrap_or_else(|| self.index.pid_hash(&entry));
        let edge = self.index.remove(&entry, pid);
        if let Some(diff) = &mut self.diff {
            diff.push_leave(entry, edge);
        }
    }

    fn expect(&mut self, _: &ReplicaId, dying: &[(u64, &Presence<M>)]) {
        self.index.look_ahead(dying, &mut self.ahead);
    }
}

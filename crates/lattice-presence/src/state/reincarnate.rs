//! A running state that moves to a fresh incarnation (rule S7).

use alloc::vec::Vec;

use lattice_causal::Dot;

use super::PresenceState;
use crate::{Diff, ReincarnateError, ReplicaId};

impl<M> PresenceState<M> {
    /// Goes on as `replica`, a fresh incarnation, without a restart of the process. The
    /// own entries get fresh dots under the new id, and the diff lists each pair of a
    /// leave and a join. What was the own life so far is a former one: its context is
    /// kept, its entries are gone. The next [`take_delta`](Self::take_delta) tells all of
    /// it.
    ///
    /// For a node that [yields](Self::superseded_by) to an incarnation that does not
    /// live; whose future dots somebody has claimed, so that peers do not see its new
    /// entries and it must refuse their payloads; or whose clock is
    /// [exhausted](crate::JoinError::ClockExhausted). With the feature `uuid`,
    /// `ReplicaId::new_incarnation_after` draws the id.
    ///
    /// Marks stay with their ids: if the former id was marked down here, the new one is
    /// not, and the diff shows joins alone. O(own entries + replicas).
    ///
    /// # Errors
    ///
    /// [`ReincarnateError::NotFresh`] if `replica` is the present id, or something is known
    /// of it, a mark included, [`ReincarnateError::NewerKnown`] if a newer incarnation of its base is
    /// known. Nothing changed.
    ///
    /// ```
    /// use lattice_presence::{PresenceState, ReplicaId};
    ///
    /// let life = |ms: u8| {
    ///     let mut uuid = [0; 16];
    ///     (uuid[5], uuid[6], uuid[8]) = (ms, 0x70, 0x80); // version 7
    ///     ReplicaId::incarnation("a", uuid)
    /// };
    /// let mut state = PresenceState::new(life(1));
    /// let mut peer = PresenceState::new("peer");
    /// state.join("p", "t", "alice", ())?;
    /// peer.merge(&state).unwrap();
    ///
    /// let diff = state.reincarnate(life(2)).unwrap();
    /// assert_eq!(diff.updates().len(), 0, "the owner is another one");
    /// assert_eq!((diff.leaves().count(), diff.joins().count()), (1, 1));
    /// assert!(diff.topics()[0].departed().is_empty(), "alice stays");
    ///
    /// let delta = state.take_delta().unwrap();
    /// let diff = peer.merge_delta_with_diff(&delta).unwrap();
    /// assert_eq!((diff.leaves().count(), diff.joins().count()), (1, 1));
    /// assert_eq!(peer.online_list().next().unwrap().dot().replica, life(2));
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn reincarnate(&mut self, replica: ReplicaId) -> Result<Diff<M>, ReincarnateError> {
        let is_known = self.context().get(&replica).is_some()
            || self.filter.get(&replica).is_some()
            || self.down.hides(&replica);
        if is_known || replica == self.replica || Some(&replica) == self.successor.as_ref() {
            return Err(ReincarnateError::NotFresh { replica });
        }
        if let Some(newest) = self.newest_of_base(&replica)
            && newest.is_newer_than(&replica)
        {
            let newest = newest.clone();
            return Err(ReincarnateError::NewerKnown { newest });
        }
        self.down.rename_local(replica.clone());
        let former = core::mem::replace(&mut self.replica, replica);
        let held = self.causal.store().of(&former);
        let held: Vec<_> = held.map(|(_, entry)| entry.clone()).collect();
        // Whatever was not yet told of the former life is part of what is told now.
        drop(self.pending.take());
        self.claimed = Default::default();
        (self.successor, self.confirmed) = (None, None);

        let mut diff = Diff::with_capacity(2 * held.len());
        self.end_former_lives(&former, &mut diff);
        for (entry, clock) in held.into_iter().zip(1..) {
            let again = entry.under(Dot::new(self.replica.clone(), clock));
            let pid = self.index.pid_hash(&again);
            self.add_own(again, pid, &mut diff);
        }
        if self.context().get(&self.replica).is_none() {
            self.name_claimant();
            self.pending.insert(1);
        }
        let heard: Vec<_> = self.context().replicas().cloned().collect();
        self.hear_of(heard.iter());
        debug_assert!(self.check_invariants());
        Ok(diff)
    }

    /// Ends the life of `former`, and of all lives of the local base that are former ones
    /// now: what was seen of them stays, what they held goes, the filter of them as well.
    fn end_former_lives(&mut self, former: &ReplicaId, diff: &mut Diff<M>) {
        let mut over: Vec<ReplicaId> = self.context().replicas().cloned().collect();
        over.extend(self.filter.dots().replicas().cloned());
        over.retain(|life| life == former || self.replica.is_newer_than(life));
        over.sort_unstable();
        over.dedup();
        for life in over {
            self.filter.lift(&life);
            let seen = self.context().get(&life).cloned();
            let held = self.causal.store().of(&life);
            let held: Vec<_> = held.map(|(_, entry)| entry.clone()).collect();
            if let Some(seen) = seen
                && (life == *former || !held.is_empty())
            {
                self.ended.insert_set(life.clone(), &seen);
            }
            let is_hidden = self.down.hides(&life);
            for entry in held {
                self.causal.remove(entry.dot());
                let pid = self.index.pid_hash(&entry);
                let edge = self.index.remove(&entry, pid);
                if !is_hidden {
                    diff.push_leave(entry, edge);
                }
            }
        }
    }
}

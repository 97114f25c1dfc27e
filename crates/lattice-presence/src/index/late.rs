//! Entries that come out of order.

use alloc::vec::Vec;

use lattice_causal::Dot;

use super::groups::Members;
use super::slab::Id;
use crate::ReplicaId;

/// Entries on their way into large groups that hold newer ones of their owner.
///
/// A late delta may bring thousands of old dots. Inserting them one by one into
/// the members of a large topic would move the newer part for each; gathered,
/// they move it once. Nothing stays here between two calls of the state.
#[derive(Clone, Debug, Default)]
pub(super) struct Late {
    waiting: Vec<Waiting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiting {
    group: Id,
    clock: u64,
    id: Id,
}

/// Groups below this size take their entries at once.
const LARGE: usize = 64;

impl Late {
    /// Adds an entry to `members`, the group of the number `group`, or keeps it
    /// until [`settle`](Self::settle).
    pub(super) fn put_or_keep(
        &mut self,
        members: &mut Members,
        group: Id,
        dot: &Dot<ReplicaId>,
        id: Id,
    ) {
        let newest = || members.of(&dot.replica).next_back();
        if members.len() >= LARGE && newest().is_some_and(|(newest, _)| dot.clock < newest) {
            let clock = dot.clock;
            self.waiting.push(Waiting { group, clock, id });
        } else {
            members.insert(dot, id);
        }
    }

    /// How many entries wait for that group.
    pub(super) fn waiting(&self, group: Id) -> usize {
        self.waiting
            .iter()
            .filter(|entry| entry.group == group)
            .count()
    }

    /// Hands out what waits, group by group, in clock order.
    pub(super) fn settle(&mut self, mut add: impl FnMut(Id, &[Waiting])) {
        let mut waiting = core::mem::take(&mut self.waiting);
        waiting.sort_unstable();
        for late in waiting.chunk_by(|a, b| a.group == b.group) {
            add(late[0].group, late);
        }
    }
}

/// Adds to a group what waited for it; all of it is of `owner`.
pub(super) fn extend(members: &mut Members, owner: &ReplicaId, late: &[Waiting]) {
    members.extend_replica(owner, late.iter().map(|entry| (entry.clock, entry.id)));
}

//! Entries that came with names of their own.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::entries::rank_of;
use super::groups::Found;
use super::slab::Id;
use super::topics::{Member, Topic};
use super::{Index, PidHash};
use crate::down::Down;
use crate::{Presence, ReplicaId};

/// Holders of a name that make it one of the entry's own.
const FEW: usize = 4;

/// Entries that are interned in one go.
const AT_ONCE: usize = 256;

impl<M> Index<M> {
    /// Remembers an entry whose names take memory that few others share: what came in a
    /// delta of its own brought its own topic and its own owner.
    pub(super) fn note_uninterned(&mut self, entry: &Presence<M>, topic: Id, replica: Id) {
        let (name, owner) = (entry.shared_topic(), entry.owner());
        let topic_is_strange = !Arc::ptr_eq(name, &self.topics.at(topic).name);
        let owner_is_strange = !owner.is(self.replicas.name(replica));
        if topic_is_strange && Arc::strong_count(name) <= FEW
            || owner_is_strange && owner.sharers() <= 2 * FEW
        {
            self.uninterned.push(entry.clone());
        }
    }

    /// How many entries, of those that came with names of their own, are to be interned now.
    pub(crate) fn uninterned(&self) -> usize {
        self.uninterned.len().min(AT_ONCE)
    }

    /// One of the entries that came with names of their own. Room for as many as are interned
    /// in one go stays: more will come.
    pub(crate) fn pop_uninterned(&mut self) -> Option<Presence<M>> {
        let entry = self.uninterned.pop()?;
        if self.uninterned.is_empty() && self.uninterned.capacity() > AT_ONCE {
            self.uninterned = Vec::new();
        }
        Some(entry)
    }

    /// Lets the entry share its names with the others, if nobody but the caller, who
    /// hands over what it holds, and the index hold it.
    pub(crate) fn intern(&mut self, of_store: Presence<M>, down: &Down) -> Presence<M> {
        let pid = self.pid_hash(&of_store);
        let rank = rank_of(&of_store, &self.replicas);
        let owner = self.replicas.name(rank.0).clone();
        let (topics, replicas) = (&mut self.topics, &self.replicas);
        let address = of_store.address();
        let mut interned = of_store;
        let mut is_done = false;
        self.by_pid.update_only(pid.hash, address, |only, topic| {
            let of_topic = topics.at_mut(topic);
            if of_topic.is_keyed() {
                return only;
            }
            drop(only);
            let name = of_topic.name.clone();
            let is_it = |member: &Member<M>| member.entry.address() == address;
            of_topic.members.update(rank, replicas, is_it, |member| {
                drop(member.entry);
                interned.share(&name, &owner);
                let entry = interned.clone();
                Member { entry, ..member }
            });
            is_done = true;
            interned.clone()
        });
        match is_done {
            true => interned,
            false => self.intern_again(interned, pid, &owner, down),
        }
    }

    /// [`intern`](Self::intern) of an entry that is in more places than two: all let go of
    /// it.
    fn intern_again(
        &mut self,
        mut entry: Presence<M>,
        pid: PidHash,
        owner: &ReplicaId,
        down: &Down,
    ) -> Presence<M> {
        // Whoever else holds it keeps it as it is.
        let is_in = self.places_of(&entry, pid);
        if entry.holders() == is_in + 1
            && let Some(name) = self.shared_name(entry.topic())
        {
            self.remove(&entry, pid);
            entry.share(&name, owner);
            self.insert(&entry, pid, down);
        }
        entry
    }

    /// In how many places of the index an entry is.
    fn places_of(&self, entry: &Presence<M>, pid: PidHash) -> usize {
        let topic = self.topic_of(entry).map(|topic| self.topics.at(topic));
        let is_keyed = topic.is_some_and(Topic::is_keyed);
        let group = self.group_of_pid(entry.slot().pid, pid);
        let is_by_slot = matches!(group, Some(Found::Several(_, group)) if group.is_by_slot());
        2 + usize::from(is_keyed) + usize::from(is_by_slot)
    }
}

//! Look-up by topic, key and pid: a fold over the changes of the entries.

mod ahead;
mod check;
mod entries;
mod groups;
mod hashing;
mod hide;
mod intern;
mod order;
mod replicas;
mod slab;
mod table;
#[cfg(test)]
mod tests;
mod topics;
mod walk;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hint::black_box;

use smallvec::SmallVec;

use crate::down::Down;
use crate::presence::Slot;
use crate::{Presence, ReplicaId};
pub(crate) use ahead::Ahead;
use entries::DotRank;
use groups::{Found, Groups, New};
pub(crate) use hashing::{Hashing, PidHash};
use replicas::Replicas;
use slab::Id;
use topics::{Member, Topic, Topics};
use walk::Visible;

/// The entries by topic, key (in its topic), pid and, if a pid has many, slot.
///
/// A topic keeps what is asked of all its members in one stretch of memory: who owns
/// them, hints of their keys. So the keys of a topic of a few members need no table:
/// the members are looked through. Only those of a large topic are in one, as well.
/// Everything grows and shrinks in small steps, so that no call pauses and memory follows
/// the entries both ways.
///
/// Hidden entries are in it too. Topics, and keys in the table, know how many of theirs
/// are hidden, so that counts, and whether a key arrives or departs, cost the same
/// whatever is marked down.
///
/// # Invariants
///
/// - Each entry of the state is in the members of its topic and in the group of its pid,
///   in the same allocation as in the state.
/// - It is in the group of its key exactly if its topic [is keyed](Topic::is_keyed), and
///   in the group of its slot exactly if the group of its pid
///   [is by slot](groups::Group::is_by_slot).
pub(crate) struct Index<M> {
    len: usize,
    replicas: Replicas,
    topics: Topics<M>,
    by_pid: Groups<M>,
    by_key: Groups<M>,
    by_slot: Groups<M>,
    pub(crate) hashing: Hashing,
    /// Entries that came with names of their own.
    uninterned: Vec<Presence<M>>,
}

/// The entries of one replica in one slot: one, but for payloads of peers that
/// keep several.
pub(crate) type HeldEntries<M> = SmallVec<[Presence<M>; 1]>;

/// An entry that is in no group of a pid any more, but still in its topic.
#[derive(Debug)]
pub(crate) struct Detached<M> {
    pub(crate) entry: Presence<M>,
    topic: Id,
}

impl<M> Index<M> {
    pub(crate) fn new(hashing: Hashing) -> Self {
        Self {
            len: 0,
            replicas: Replicas::new(),
            topics: Topics::new(),
            by_pid: Groups::new(false),
            by_key: Groups::new(true),
            by_slot: Groups::new(false),
            hashing,
            uninterned: Vec::new(),
        }
    }

    /// Makes room for `more` entries at once.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.by_pid.reserve(more);
    }

    /// The hash of a pid, for what a call does with its entries.
    pub(crate) fn hash(&self, pid: &[u8]) -> PidHash {
        self.hashing.pid(pid)
    }

    /// The hash of the pid of an entry.
    pub(crate) fn pid_hash(&self, entry: &Presence<M>) -> PidHash {
        self.hash(entry.slot().pid)
    }

    /// Adds `entry`; says whether it is the only visible one of its key. O(1) if it
    /// is the newest of its topic and its pid, else O(log).
    pub(crate) fn insert(&mut self, entry: &Presence<M>, pid: PidHash, down: &Down) -> bool {
        self.insert_new(entry, pid, down, true)
    }

    /// [`insert`](Self::insert) of an entry that shares the names that are here.
    pub(crate) fn insert_own(&mut self, entry: &Presence<M>, pid: PidHash, down: &Down) -> bool {
        self.insert_new(entry, pid, down, false)
    }

    #[inline]
    fn insert_new(
        &mut self,
        entry: &Presence<M>,
        pid: PidHash,
        down: &Down,
        may_be_strange: bool,
    ) -> bool {
        let (replica, hidden) = self.replicas.enter(entry.owner(), down);
        let topic = self.topics.find_or_add(entry.shared_topic(), &self.hashing);
        if may_be_strange {
            self.note_uninterned(entry, topic, replica);
        }
        self.len += 1;
        let new = New {
            entry,
            topic,
            hidden,
        };
        let is_only = self.insert_by_topic(new, replica);
        self.insert_by_pid(new, pid);
        is_only
    }

    fn insert_by_topic(&mut self, new: New<'_, M>, replica: Id) -> bool {
        let of_topic = self.topics.at_mut(new.topic);
        let slot = new.entry.slot();
        let hint = self.hashing.text(slot.key);
        let was_keyed = of_topic.is_keyed();
        let replicas = &self.replicas;
        let is_only = !of_topic.shows_key(hint, slot.key, replicas);
        let member = Member {
            entry: new.entry.clone(),
            replica,
            hint,
        };
        of_topic.add(member, new.entry.dot().clock, new.hidden, replicas);
        if !of_topic.is_keyed() {
            return is_only;
        }
        let topic = of_topic.hash;
        if was_keyed {
            return self.insert_by_key(new, topic);
        }
        let members: Vec<_> = of_topic.members.iter().cloned().collect();
        for member in members {
            let hidden = self.replicas.hides(member.replica);
            let entry = &member.entry;
            self.insert_by_key(
                New {
                    entry,
                    hidden,
                    ..new
                },
                topic,
            );
        }
        is_only
    }

    /// Adds an entry to its key, in the topic of that hash; says whether it is the only
    /// visible one of it.
    fn insert_by_key(&mut self, new: New<'_, M>, topic: u32) -> bool {
        let slot = new.entry.slot();
        let key = self.hashing.key(topic, slot.key);
        let same_key = |other: &Presence<M>| other.slot().same_key(&slot);
        let group = self
            .by_key
            .insert(key, new, &self.replicas, |_| 0, same_key);
        group.is_none_or(|(group, _)| self.by_key.several(group).visible_len() == 1)
    }

    /// Takes an entry out of its key, in the topic of that hash; says whether no visible one
    /// of it is left.
    fn remove_by_key(&mut self, entry: &Presence<M>, topic: u32) -> bool {
        let slot = entry.slot();
        let key = self.hashing.key(topic, slot.key);
        let same_key = |other: &Presence<M>| other.slot().same_key(&slot);
        let left = self.by_key.remove(key, entry, &self.replicas, same_key);
        left.is_none_or(|gone| gone.visible_left == 0)
    }

    /// The hash of a key that may be in no topic.
    fn key_hash(&self, slot: Slot<'_>) -> u32 {
        self.hashing.key(self.hashing.text(slot.topic), slot.key)
    }

    fn insert_by_pid(&mut self, new: New<'_, M>, pid: PidHash) {
        let slot = new.entry.slot();
        let hashing = &self.hashing;
        let hint_of = |entry: &Presence<M>| hint_of_slot(hashing, entry.slot());
        if pid.is_new {
            self.by_pid.insert_new(pid.hash, new);
            return;
        }
        let same_pid = |other: &Presence<M>| other.slot().pid == slot.pid;
        let group = self
            .by_pid
            .insert(pid.hash, new, &self.replicas, hint_of, same_pid);
        let Some((group, were_few)) = group else {
            return;
        };
        let group = self.by_pid.several(group);
        if !group.is_by_slot() {
            return;
        }
        let mut add = |entry: &Presence<M>, topic: Id| {
            let slot = entry.slot();
            let same = |other: &Presence<M>| other.slot() == slot;
            let new = New { entry, ..new };
            let key = self.hashing.key(self.topics.at(topic).hash, slot.key);
            let hash = self.hashing.slot(pid, key);
            self.by_slot.insert(hash, new, &self.replicas, |_| 0, same);
        };
        if were_few {
            let order = group.order.iter();
            order.for_each(|grouped| add(&grouped.entry, grouped.topic));
        } else {
            add(new.entry, new.topic);
        }
    }

    /// Takes an entry out of a pid that has several; gives the number of its topic.
    fn remove_by_pid(&mut self, entry: &Presence<M>, pid: PidHash) -> Option<Id> {
        let slot = entry.slot();
        let same_pid = |other: &Presence<M>| other.slot().pid == slot.pid;
        let Found::Several(number, group) = self.by_pid.find(pid.hash, same_pid)? else {
            return self.by_pid.take_other(pid.hash, entry);
        };
        let was_by_slot = group.is_by_slot();
        let gone = self.by_pid.remove_of(number, entry, &self.replicas)?;
        if was_by_slot {
            self.remove_by_slot(entry, gone.topic, pid);
            let group = self.by_pid.several(number);
            if !group.is_by_slot() {
                for grouped in group.order.clone().iter() {
                    self.remove_by_slot(&grouped.entry, grouped.topic, pid);
                }
            }
        }
        Some(gone.topic)
    }

    fn remove_by_slot(&mut self, entry: &Presence<M>, topic: Id, pid: PidHash) {
        let slot = entry.slot();
        let key = self.hashing.key(self.topics.at(topic).hash, slot.key);
        let hash = self.hashing.slot(pid, key);
        let same = |other: &Presence<M>| other.slot() == slot;
        self.by_slot.remove(hash, entry, &self.replicas, same);
    }

    /// Takes `entry` out; says whether no visible one of its key is left. O(log).
    pub(crate) fn remove(&mut self, entry: &Presence<M>, pid: PidHash) -> bool {
        if let Some(detached) = self.detach(pid, |only, _| only.is(entry)) {
            return self.finish(&detached);
        }
        let topic = self.remove_by_pid(entry, pid);
        debug_assert!(topic.is_some(), "the entry is in the index");
        topic.is_some_and(|topic| self.remove_by_topic(entry, topic))
    }

    /// Takes the entry out of the group of that pid, if it is alone there and `is_it` knows
    /// it and the name of its topic. [`finish`](Self::finish) comes after.
    ///
    /// The topic is looked at first. The answer is not used: that memory is on its way while
    /// the texts are compared, and while the caller takes the dot out of its store.
    #[inline]
    pub(crate) fn detach(
        &mut self,
        pid: PidHash,
        is_it: impl FnOnce(&Presence<M>, &str) -> bool,
    ) -> Option<Detached<M>> {
        let topics = &self.topics;
        let is_it = |entry: &Presence<M>, topic| {
            let of_topic = topics.at(topic);
            black_box(of_topic.look());
            is_it(entry, &of_topic.name)
        };
        let (entry, topic) = self.by_pid.take_only(pid.hash, is_it)?;
        Some(Detached { entry, topic })
    }

    /// Takes the rest of what was detached out; says whether no visible entry of its key is
    /// left.
    #[inline]
    pub(crate) fn finish(&mut self, detached: &Detached<M>) -> bool {
        self.remove_by_topic(&detached.entry, detached.topic)
    }

    /// Takes an entry, which is in no group of a pid any more, out of its topic and its
    /// key; says whether no visible one of its key is left.
    #[inline]
    fn remove_by_topic(&mut self, entry: &Presence<M>, topic: Id) -> bool {
        let of_topic = self.topics.at_mut(topic);
        if of_topic.is_keyed() {
            return self.remove_by_keyed_topic(entry, topic);
        }
        let Some(member) = of_topic.take(entry, &self.replicas) else {
            return false;
        };
        let is_last = !of_topic.shows_key_of(&member, &self.replicas);
        if of_topic.members.len() == 0 {
            self.topics.remove_empty(topic);
        }
        self.forget_member(&member);
        is_last
    }

    fn remove_by_keyed_topic(&mut self, entry: &Presence<M>, topic: Id) -> bool {
        let of_topic = self.topics.at_mut(topic);
        let hash = of_topic.hash;
        let Some(member) = of_topic.take(entry, &self.replicas) else {
            return false;
        };
        let is_last = self.remove_by_key(entry, hash);
        self.unkey(topic);
        self.forget_member(&member);
        is_last
    }

    #[inline]
    fn forget_member(&mut self, member: &Member<M>) {
        self.len -= 1;
        self.replicas.leave(member.replica);
        if self.topics.is_sparse() {
            self.compact();
        }
    }

    /// Takes the members of a topic out of their keys if they are few by now.
    fn unkey(&mut self, topic: Id) {
        let of_topic = self.topics.at(topic);
        if !of_topic.is_keyed() {
            let hash = of_topic.hash;
            for member in of_topic.members.clone().iter() {
                self.remove_by_key(&member.entry, hash);
            }
        }
    }

    /// Moves some topics to numbers that are idle.
    fn compact(&mut self) {
        for topic in self.topics.compact() {
            for member in self.topics.at(topic).members.iter() {
                let entry = &member.entry;
                let slot = entry.slot();
                let pid = self.hashing.pid(slot.pid);
                let same_pid = |other: &Presence<M>| other.slot().pid == slot.pid;
                self.by_pid
                    .renumber_topic(pid.hash, entry, topic, &self.replicas, same_pid);
            }
        }
    }

    /// The topics that have visible entries, ascending.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &str> + Clone {
        let topics = self.topics.iter();
        let visible = topics.filter(|topic| topic.visible_len() > 0);
        visible.map(|topic| &*topic.name)
    }

    /// The name of a topic that has entries, to be shared by one more.
    pub(crate) fn shared_name(&mut self, topic: &str) -> Option<Arc<str>> {
        let hash = self.hashing.text(topic.as_bytes());
        self.topics.shared_name(topic, hash)
    }

    fn topic(&self, name: &str) -> Option<&Topic<M>> {
        let hash = self.hashing.text(name.as_bytes());
        Some(self.topics.at(self.topics.find(name, hash)?))
    }

    fn group_of_pid(&self, pid: &[u8], hash: PidHash) -> Option<Found<'_, M>> {
        self.by_pid.find(hash.hash, |other| other.slot().pid == pid)
    }

    /// The visible entries of a topic, in dot order.
    pub(crate) fn by_topic<'a>(
        &'a self,
        topic: &str,
    ) -> impl Iterator<Item = &'a Presence<M>> + Clone + use<'a, M> {
        let topic = self.topic(topic).into_iter();
        topic.flat_map(|topic| Visible::of(&topic.members, &self.replicas))
    }

    /// The visible entries of a key in a topic, in dot order.
    pub(crate) fn by_key<'a>(
        &'a self,
        topic: &str,
        key: &str,
    ) -> impl Iterator<Item = &'a Presence<M>> + Clone + use<'a, M> {
        let slot = Slot::new(topic, key, "");
        let of_topic = self.topic(topic);
        let few = of_topic.and_then(|topic| {
            // The text of the key that is here lives as long as the answer.
            let hint = self.hashing.text(slot.key);
            let first = topic.of_key(hint, slot.key).next()?;
            Some(topic.of_key(hint, first.entry.slot().key))
        });
        let few = few.into_iter().flatten().map(|member| &member.entry);
        let keyed = of_topic.filter(|topic| topic.is_keyed());
        let same_key = |other: &Presence<M>| other.slot().same_key(&slot);
        let many = self.in_group(keyed.and_then(|topic| {
            let hash = self.hashing.key(topic.hash, slot.key);
            self.by_key.find(hash, same_key)
        }));
        few.filter(|entry| self.replicas.shows(entry)).chain(many)
    }

    /// The visible entries of a pid, in dot order.
    pub(crate) fn by_pid<'a>(
        &'a self,
        pid: &str,
    ) -> impl Iterator<Item = &'a Presence<M>> + Clone + use<'a, M> {
        let pid = pid.as_bytes();
        self.in_group(self.group_of_pid(pid, self.hash(pid)))
    }

    /// The visible entries of a group, in dot order.
    fn in_group<'a>(
        &'a self,
        group: Option<Found<'a, M>>,
    ) -> impl Iterator<Item = &'a Presence<M>> + Clone + use<'a, M> {
        let (one, several) = match group {
            None => (None, None),
            Some(Found::One(entry, _)) => {
                (Some(entry).filter(|entry| self.replicas.shows(entry)), None)
            }
            Some(Found::Several(_, group)) => (None, Some(group)),
        };
        let several = several.into_iter();
        let several = several.flat_map(|group| Visible::of(&group.order, &self.replicas));
        one.into_iter().chain(several)
    }

    /// How many entries of a topic are visible. O(1).
    pub(crate) fn topic_len(&self, topic: &str) -> usize {
        self.topic(topic).map_or(0, Topic::visible_len)
    }

    /// How many entries are hidden. O(1).
    pub(crate) fn hidden_len(&self) -> usize {
        self.replicas.hidden()
    }

    /// The entries of `owner` that `pid` holds. O(those, log).
    pub(crate) fn held_by(&self, pid: &str, hash: PidHash, owner: &ReplicaId) -> HeldEntries<M> {
        match self.group_of_pid(pid.as_bytes(), hash) {
            None => HeldEntries::new(),
            Some(group) => self.of(group, owner).cloned().collect(),
        }
    }

    /// The entries of `owner` in a group.
    fn of<'a>(
        &'a self,
        group: Found<'a, M>,
        owner: &'a ReplicaId,
    ) -> impl Iterator<Item = &'a Presence<M>> + use<'a, M> {
        let (one, several) = match group {
            Found::One(entry, _) => (Some(entry), None),
            Found::Several(_, group) => (None, Some(group)),
        };
        let number = self.replicas.number(owner);
        let several = several.zip(number).map(|(group, number)| {
            let replicas = &self.replicas;
            let before = |rank: &DotRank| replicas.cmp_ranks(rank, &(number, 0)).is_lt();
            group.order.starting(before, replicas)
        });
        let several = several.into_iter().flatten().map(|grouped| &grouped.entry);
        let of_owner = move |entry: &&Presence<M>| entry.owner() == owner;
        one.into_iter().chain(several).take_while(of_owner)
    }

    /// The entries of `owner` in a slot. O(1), however many share its key or pid. If the
    /// pid is new, its hash knows it from now on.
    pub(crate) fn held_in(
        &self,
        slot: Slot<'_>,
        pid: &mut PidHash,
        owner: &ReplicaId,
    ) -> HeldEntries<M> {
        let of_owner = |entry: &&Presence<M>| entry.owner() == owner;
        let mut held = HeldEntries::new();
        match self.group_of_pid(slot.pid, *pid) {
            None => pid.is_new = true,
            Some(Found::One(entry, _)) => {
                let is_it = entry.slot() == slot && of_owner(&entry);
                held.extend(is_it.then(|| entry.clone()));
            }
            Some(Found::Several(_, group)) => {
                if let Some(grouped) = group.order.few() {
                    let entries = in_slot(grouped, &self.hashing, slot).filter(of_owner);
                    held.extend(entries.cloned());
                } else if let Some(group) = self.group_of_slot(slot, *pid) {
                    held.extend(self.of(group, owner).cloned());
                }
            }
        }
        held
    }

    fn group_of_slot(&self, slot: Slot<'_>, pid: PidHash) -> Option<Found<'_, M>> {
        let hash = self.hashing.slot(pid, self.key_hash(slot));
        self.by_slot.find(hash, |other| other.slot() == slot)
    }

    /// Whether a visible entry is in a slot. O(1), however many share its key or pid.
    pub(crate) fn contains(&self, slot: Slot<'_>) -> bool {
        let pid = self.hash(slot.pid);
        match self.group_of_pid(slot.pid, pid) {
            None => false,
            Some(Found::One(entry, _)) => entry.slot() == slot && self.replicas.shows(entry),
            Some(Found::Several(_, group)) => {
                if let Some(grouped) = group.order.few() {
                    in_slot(grouped, &self.hashing, slot).any(|entry| self.replicas.shows(entry))
                } else {
                    let group = self.group_of_slot(slot, pid);
                    self.in_group(group).next().is_some()
                }
            }
        }
    }

    /// How many entries there are, visible or not.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// How many topics there is room for without growing.
    #[cfg(test)]
    pub(crate) fn places(&self) -> usize {
        self.topics.places()
    }
}

/// A hint of a topic and a key.
fn hint_of_slot(hashing: &Hashing, slot: Slot<'_>) -> u32 {
    hashing.key(hashing.text(slot.topic), slot.key)
}

/// The entries of a slot among few of its pid.
fn in_slot<'a, M>(
    grouped: &'a [groups::Grouped<M>],
    hashing: &Hashing,
    slot: Slot<'a>,
) -> impl Iterator<Item = &'a Presence<M>> {
    crate::steps::count(grouped.len() / 16 + 1);
    let hint = hint_of_slot(hashing, slot);
    let hinted = grouped.iter().filter(move |grouped| grouped.hint == hint);
    let entries = hinted.map(|grouped| &grouped.entry);
    entries.filter(move |entry| entry.slot() == slot)
}

impl<M> Clone for Index<M> {
    fn clone(&self) -> Self {
        Self {
            len: self.len,
            replicas: self.replicas.clone(),
            topics: self.topics.clone(),
            by_pid: self.by_pid.clone(),
            by_key: self.by_key.clone(),
            by_slot: self.by_slot.clone(),
            hashing: self.hashing.clone(),
            uninterned: self.uninterned.clone(),
        }
    }
}

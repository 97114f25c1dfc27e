//! Look-up by topic, key and pid: a fold over the changes of the entries.

mod groups;
mod hashing;
mod intern;
mod order;
mod replicas;
mod slab;
mod table;
mod topics;
mod walk;

use alloc::sync::Arc;
use alloc::vec::Vec;

use smallvec::SmallVec;

use crate::down::Down;
use crate::presence::Slot;
use crate::{Presence, ReplicaId, steps};
use groups::{DotRank, Group, Groups, Record, Records, SHARED};
pub(crate) use hashing::{Hashes, Hashing};
use order::Ranking;
use replicas::Replicas;
pub(crate) use slab::Id;
use slab::Slab;
use topics::Topics;
use walk::Visible;

/// The entries by topic, key (in its topic), pid and, where many share a key, slot.
///
/// Every entry has a small number, and all that is here holds numbers: moving an
/// entry between groups touches none of its text. Everything grows and shrinks in
/// small steps, so that no call pauses and memory follows the entries both ways.
///
/// Hidden entries are in it too. Topics and keys know how many of theirs are hidden,
/// so that counts, and whether a key arrives or departs, cost the same whatever is
/// marked down.
///
/// # Invariants
///
/// - Each entry of the state has a number, and is in the members of its topic and
///   in the groups of its key and its pid.
/// - It is in a group of its slot exactly where the group of its key says so.
/// - A record says whether its key is shared.
pub(crate) struct Index<M> {
    entries: Slab<Record<M>>,
    replicas: Replicas,
    topics: Topics,
    by_key: Groups,
    by_pid: Groups,
    by_slot: Groups,
    pub(crate) hashing: Hashing,
    /// Entries that came with names of their own.
    uninterned: Vec<Presence<M>>,
}

/// The entries of one replica in one slot: one, but for payloads of peers that
/// keep several. With the numbers that they have for now.
pub(crate) type HeldEntries<M> = SmallVec<[(Id, Presence<M>); 1]>;

/// Entries of one key that are looked through one by one. Where there are more, they
/// are found by their slot, until there are half as many.
const SCANNED: usize = 8;

/// A search for one entry costs as much as a look at so many records in a row.
const SEARCH: usize = 32;

impl<M> Index<M> {
    pub(crate) fn new(hashing: Hashing) -> Self {
        Self {
            entries: Slab::new(),
            replicas: Replicas::new(),
            topics: Topics::new(),
            by_key: Groups::new(true),
            by_pid: Groups::new(false),
            by_slot: Groups::new(false),
            hashing,
            uninterned: Vec::new(),
        }
    }

    /// Makes room for `more` entries at once.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.by_key.reserve(more);
        self.by_pid.reserve(more);
    }

    /// The hashes of a slot, for [`held_in`](Self::held_in) and what follows it.
    pub(crate) fn hashes(&self, slot: Slot<'_>) -> Hashes {
        self.hashing.of(slot)
    }

    fn records(&self) -> Records<'_, M> {
        Records {
            entries: &self.entries,
            replicas: &self.replicas,
        }
    }

    /// Adds `entry`; says whether it is the only visible one of its key. O(1) where it
    /// is the newest of its groups, else O(log).
    pub(crate) fn insert(&mut self, entry: &Presence<M>, hashes: Hashes, down: &Down) -> bool {
        let replica = self.replicas.enter(entry.owner(), down);
        let topic = self.topics.find_or_add(entry.shared_topic(), hashes.topic);
        let id = self.entries.insert(Record {
            entry: entry.clone(),
            topic,
            replica,
        });
        self.note_uninterned(entry, topic, replica);
        let hidden = self.replicas.hides(replica);
        let rank = (replica, entry.dot().clock);
        let new = (id, rank, hidden);
        let records = Records {
            entries: &self.entries,
            replicas: &self.replicas,
        };
        let slot = entry.slot();
        let members = &mut self.topics.at_mut(topic).members;
        members.add(id, rank, hidden, records);
        let same_pid = |id| records.entry(id).slot().pid == slot.pid;
        self.by_pid.insert(hashes.pid, new, records, same_pid);
        let same_key = |id| records.entry(id).slot().same_key(&slot);
        let (group, first) = self.by_key.insert(hashes.key, new, records, same_key);
        let Some(group) = group else {
            return true;
        };
        if let Some(first) = first {
            self.entries.at_mut(first).topic |= SHARED;
        }
        self.entries.at_mut(id).topic |= SHARED;
        self.add_by_slot(group, id, hashes);
        self.by_key.many(group).members.visible_len() == 1
    }

    /// Lets an entry of that key be found by its slot, or all of them.
    fn add_by_slot(&mut self, group: Id, id: Id, hashes: Hashes) {
        let many = self.by_key.many_mut(group);
        if !many.by_slot && many.members.order.len() <= SCANNED {
            return;
        }
        let records = Records {
            entries: &self.entries,
            replicas: &self.replicas,
        };
        let mut add = |id: Id| {
            let slot = records.entry(id).slot();
            let pid = self.hashing.text(slot.pid);
            let hash = Hashes { pid, ..hashes }.slot();
            let same = |id| records.entry(id).slot() == slot;
            self.by_slot
                .insert(hash, (id, records.rank(id), false), records, same);
        };
        if many.by_slot {
            add(id);
        } else {
            many.by_slot = true;
            many.members.order.iter().for_each(add);
        }
    }

    /// Takes `entry` out; says whether no visible one of its key is left. O(log).
    pub(crate) fn remove(&mut self, entry: &Presence<M>, hashes: Hashes) -> bool {
        let id = self.id_of(entry, hashes);
        id.is_some_and(|id| self.remove_at(id, entry, hashes))
    }

    /// [`remove`](Self::remove) for an entry whose number is, or was, `id`.
    pub(crate) fn remove_held(&mut self, id: Id, entry: &Presence<M>, hashes: Hashes) -> bool {
        match self.entries.get(id) {
            Some(record) if record.entry.is(entry) => self.remove_at(id, entry, hashes),
            _ => self.remove(entry, hashes),
        }
    }

    fn remove_at(&mut self, id: Id, entry: &Presence<M>, hashes: Hashes) -> bool {
        let record = self.entries.at(id);
        let (topic, replica, shares_key) = (record.topic(), record.replica, record.shares_key());
        let hidden = self.replicas.hides(replica);
        let gone = (id, (replica, entry.dot().clock), hidden);
        let records = Records {
            entries: &self.entries,
            replicas: &self.replicas,
        };
        let slot = entry.slot();
        self.topics.remove((topic, hashes.topic), gone, records);
        let same_pid = |id| records.entry(id).slot().pid == slot.pid;
        self.by_pid.remove(hashes.pid, gone, records, same_pid);
        let edge = if shares_key {
            self.remove_of_key(gone, slot, hashes)
        } else {
            self.by_key.remove_one(hashes.key, id);
            true
        };
        self.entries.remove(id);
        self.replicas.leave(replica);
        self.compact();
        edge
    }

    /// Takes an entry out of a key that others share.
    fn remove_of_key(&mut self, gone: (Id, DotRank, bool), slot: Slot<'_>, hashes: Hashes) -> bool {
        let records = Records {
            entries: &self.entries,
            replicas: &self.replicas,
        };
        let same_key = |id| records.entry(id).slot().same_key(&slot);
        let Some(Group::Many(group, many)) = self.by_key.find(hashes.key, same_key) else {
            return false;
        };
        if many.by_slot {
            let remove = |groups: &mut Groups, id: Id| {
                let slot = records.entry(id).slot();
                let pid = self.hashing.text(slot.pid);
                let hash = Hashes { pid, ..hashes }.slot();
                let same = |id| records.entry(id).slot() == slot;
                groups.remove(hash, (id, records.rank(id), false), records, same);
            };
            remove(&mut self.by_slot, gone.0);
            if many.members.order.len() <= SCANNED / 2 {
                let others = many.members.order.iter().filter(|id| *id != gone.0);
                others.for_each(|id| remove(&mut self.by_slot, id));
                self.by_key.many_mut(group).by_slot = false;
            }
        }
        let left = self.by_key.remove_of(group, gone, records);
        match left {
            None => self.by_key.many(group).members.visible_len() == 0,
            Some(last) => {
                let record = self.entries.at_mut(last);
                record.topic &= !SHARED;
                self.replicas.hides(record.replica)
            }
        }
    }

    /// The number that the entry has.
    fn id_of(&self, entry: &Presence<M>, hashes: Hashes) -> Option<Id> {
        let records = self.records();
        let same_key = |id| {
            let other = records.entry(id);
            other.is(entry) || other.slot().same_key(&entry.slot())
        };
        match self.by_key.find(hashes.key, same_key)? {
            Group::One(id) => (records.entry(id).dot() == entry.dot()).then_some(id),
            group @ Group::Many(..) => {
                let replica = self.replicas.number(entry.owner())?;
                group.find((replica, entry.dot().clock), records)
            }
        }
    }

    /// Moves some entries, and some topics, where most numbers are idle.
    fn compact(&mut self) {
        if self.entries.is_sparse() {
            for old in self.entries.seal_last_block() {
                if let Some(record) = self.entries.remove(old) {
                    let topic = record.topic();
                    let new = self.entries.insert(record);
                    self.renumber(old, new, topic);
                }
            }
        }
        for topic in self.topics.compact(&self.hashing) {
            for id in self.topics.at(topic).members.order.iter() {
                let record = self.entries.at_mut(id);
                record.topic = record.topic & SHARED | topic;
            }
        }
    }

    fn renumber(&mut self, old: Id, new: Id, topic: Id) {
        let records = Records {
            entries: &self.entries,
            replicas: &self.replicas,
        };
        let slot = records.entry(new).slot();
        let hashes = self.hashing.of(slot);
        let members = &mut self.topics.at_mut(topic).members;
        members.order.replace(old, new, records.rank(new), &records);
        let same_pid = |id| records.entry(id).slot().pid == slot.pid;
        self.by_pid
            .renumber(hashes.pid, (old, new), records, same_pid);
        let same_key = |id| records.entry(id).slot().same_key(&slot);
        self.by_key
            .renumber(hashes.key, (old, new), records, same_key);
        if records.entries.at(new).shares_key() {
            let same = |id| records.entry(id).slot() == slot;
            self.by_slot
                .renumber(hashes.slot(), (old, new), records, same);
        }
    }

    /// Hides the entries of `replica`, or shows them; `owned` are all of them. Finds
    /// those of which the key neither arrives nor departs: others are visible under
    /// it, too. O(entries of the replica).
    pub(crate) fn set_hidden<'a>(
        &mut self,
        replica: &ReplicaId,
        hide: bool,
        owned: impl ExactSizeIterator<Item = &'a Presence<M>>,
        mut found: impl FnMut(&Presence<M>),
    ) where
        M: 'a,
    {
        let Some(number) = self.replicas.number(replica) else {
            return;
        };
        if self.replicas.hides(number) == hide {
            return;
        }
        self.replicas.set_hidden(number, hide);
        let ids: Vec<Id> = if self.entries.places() / SEARCH < owned.len() {
            steps::count(self.entries.places() / 4);
            let records = self.entries.iter();
            let of_it = records.filter(|(_, record)| record.replica == number);
            of_it.map(|(id, _)| id).collect()
        } else {
            let id_of = |entry: &Presence<M>| self.id_of(entry, self.hashes(entry.slot()));
            owned.filter_map(id_of).collect()
        };
        let mut shared = Vec::new();
        for id in ids {
            let record = self.entries.at(id);
            let hidden = &mut self.topics.at_mut(record.topic()).members.hidden;
            change(hidden, hide);
            if record.shares_key() {
                let slot = record.entry.slot();
                let hash = self.hashing.key(self.hashing.text(slot.topic), slot.key);
                let same_key = |id| self.entries.at(id).entry.slot().same_key(&slot);
                if let Some(Group::Many(group, _)) = self.by_key.find(hash, same_key) {
                    shared.push((id, group));
                }
            }
        }
        // Whoever arrives looks at what was there before; whoever departs, at what is
        // left.
        for apply in [hide, !hide] {
            for &(id, group) in &shared {
                let members = &mut self.by_key.many_mut(group).members;
                if apply {
                    change(&mut members.hidden, hide);
                } else if members.visible_len() > 0 {
                    found(&self.entries.at(id).entry);
                }
            }
        }
    }

    /// The topics that have visible entries, ascending.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &str> + Clone {
        let topics = self.topics.iter();
        let visible = topics.filter(|topic| topic.members.visible_len() > 0);
        visible.map(|topic| &*topic.name)
    }

    /// The name of a topic that has entries, to be shared by one more.
    pub(crate) fn shared_name(&mut self, topic: &str, hashes: Hashes) -> Option<Arc<str>> {
        self.topics.shared_name(topic, hashes.topic)
    }

    fn topic(&self, name: &str) -> Option<&topics::Topic> {
        let hash = self.hashing.text(name.as_bytes());
        Some(self.topics.at(self.topics.find(name, hash)?))
    }

    fn group_of_key(&self, slot: Slot<'_>, hash: u32) -> Option<Group<'_>> {
        let records = self.records();
        let same_key = |id| records.entry(id).slot().same_key(&slot);
        self.by_key.find(hash, same_key)
    }

    fn group_of_pid(&self, pid: &str) -> Option<Group<'_>> {
        let (records, pid) = (self.records(), pid.as_bytes());
        let same_pid = |id| records.entry(id).slot().pid == pid;
        self.by_pid.find(self.hashing.text(pid), same_pid)
    }

    /// The visible entries of a topic, in dot order.
    pub(crate) fn by_topic<'a>(
        &'a self,
        topic: &str,
    ) -> impl Iterator<Item = &'a Presence<M>> + Clone + use<'a, M> {
        let topic = self.topic(topic).into_iter();
        topic.flat_map(|topic| Visible::of_order(&topic.members.order, self.records()))
    }

    /// The visible entries of a key in a topic, in dot order.
    pub(crate) fn by_key<'a>(
        &'a self,
        topic: &str,
        key: &str,
    ) -> impl Iterator<Item = &'a Presence<M>> + Clone + use<'a, M> {
        let slot = Slot::new(topic, key, "");
        let hash = self.hashing.key(self.hashing.text(slot.topic), slot.key);
        let group = self.group_of_key(slot, hash).into_iter();
        group.flat_map(|group| Visible::of_group(group, self.records()))
    }

    /// The visible entries of a pid, in dot order.
    pub(crate) fn by_pid<'a>(
        &'a self,
        pid: &str,
    ) -> impl Iterator<Item = &'a Presence<M>> + Clone + use<'a, M> {
        let group = self.group_of_pid(pid).into_iter();
        group.flat_map(|group| Visible::of_group(group, self.records()))
    }

    /// How many entries of a topic are visible. O(1).
    pub(crate) fn topic_len(&self, topic: &str) -> usize {
        let topic = self.topic(topic);
        topic.map_or(0, |topic| topic.members.visible_len())
    }

    /// How many entries are hidden. O(1).
    pub(crate) fn hidden_len(&self) -> usize {
        self.replicas.hidden()
    }

    /// The entries of `owner` that `pid` holds. O(those, log).
    pub(crate) fn held_by(&self, pid: &str, owner: &ReplicaId) -> HeldEntries<M> {
        let group = self.group_of_pid(pid);
        let held = group.into_iter().flat_map(|group| self.of(group, owner));
        held.map(|(id, entry)| (id, entry.clone())).collect()
    }

    /// The entries of `owner` in a group.
    fn of<'a>(
        &'a self,
        group: Group<'a>,
        owner: &ReplicaId,
    ) -> impl Iterator<Item = (Id, &'a Presence<M>)> + use<'a, M> {
        let number = self.replicas.number(owner);
        let ids = number.map(|number| (number, group.starting((number, 0), self.records())));
        ids.into_iter().flat_map(|(number, ids)| {
            let records = ids.map(|id| (id, self.entries.at(id)));
            let owned = records.take_while(move |(_, record)| record.replica == number);
            owned.map(|(id, record)| (id, &record.entry))
        })
    }

    /// The entries in a slot, or some of its key with them, which are few.
    fn around(&self, slot: Slot<'_>, hashes: Hashes) -> Option<Group<'_>> {
        match self.group_of_key(slot, hashes.key)? {
            Group::Many(_, many) if many.by_slot => {
                let records = self.records();
                let same = |id| records.entry(id).slot() == slot;
                self.by_slot.find(hashes.slot(), same)
            }
            group => Some(group),
        }
    }

    /// The entries of `owner` in a slot. O(1), however many share its key or pid.
    pub(crate) fn held_in(
        &self,
        slot: Slot<'_>,
        hashes: Hashes,
        owner: &ReplicaId,
    ) -> HeldEntries<M> {
        let mut held = HeldEntries::new();
        match self.around(slot, hashes) {
            None => {}
            Some(Group::One(id)) => {
                let entry = &self.entries.at(id).entry;
                if entry.owner() == owner && entry.slot().pid == slot.pid {
                    held.push((id, entry.clone()));
                }
            }
            Some(group) => {
                let owned = self.of(group, owner);
                let owned = owned.filter(|(_, entry)| entry.slot() == slot);
                held.extend(owned.map(|(id, entry)| (id, entry.clone())));
            }
        }
        held
    }

    /// Whether a visible entry is in a slot. O(1), however many share its key or pid.
    pub(crate) fn contains(&self, slot: Slot<'_>) -> bool {
        let group = self.around(slot, self.hashes(slot)).into_iter();
        let mut visible = group.flat_map(|group| Visible::of_group(group, self.records()));
        visible.any(|entry| entry.slot() == slot)
    }

    /// Whether `entry` is where look-ups will find it. O(log).
    pub(crate) fn holds(&self, entry: &Presence<M>) -> bool {
        let (slot, records) = (entry.slot(), self.records());
        let hashes = self.hashes(slot);
        let Some(id) = self.id_of(entry, hashes) else {
            return false;
        };
        let rank = records.rank(id);
        let held = |group: Option<Group<'_>>| {
            group.is_some_and(|group| group.find(rank, records) == Some(id))
        };
        let before = |other: &DotRank| records.cmp(other, &rank).is_lt();
        let topic = self.topic(entry.topic());
        let of_topic = topic.map(|topic| topic.members.order.starting(before, &records).next());
        of_topic == Some(Some(id))
            && held(self.group_of_pid(entry.pid()))
            && held(self.around(slot, hashes))
    }

    /// How many entries there are, visible or not.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many entries there is room for without growing.
    #[cfg(test)]
    pub(crate) fn places(&self) -> usize {
        self.entries.places()
    }

    /// Whether all of it agrees. O(entries).
    pub(crate) fn check_invariants(&self) -> bool {
        let records = self.records();
        self.topics.check_invariants(&self.hashing, records)
            && self.by_key.check_invariants(records)
            && self.by_pid.check_invariants(records)
            && self.by_slot.check_invariants(records)
            && self.entries.iter().all(|(id, record)| {
                let hashes = self.hashes(record.entry.slot());
                let group = self.group_of_key(record.entry.slot(), hashes.key);
                let shares = matches!(group, Some(Group::Many(..)));
                self.id_of(&record.entry, hashes) == Some(id)
                    && record.shares_key() == shares
                    && *self.topics.at(record.topic()).name == *record.entry.topic()
                    && self.holds(&record.entry)
            })
    }
}

fn change(hidden: &mut u32, hide: bool) {
    if hide {
        *hidden += 1;
    } else {
        *hidden -= 1;
    }
}

impl<M> Clone for Index<M> {
    fn clone(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            replicas: self.replicas.clone(),
            topics: self.topics.clone(),
            by_key: self.by_key.clone(),
            by_pid: self.by_pid.clone(),
            by_slot: self.by_slot.clone(),
            hashing: self.hashing.clone(),
            uninterned: self.uninterned.clone(),
        }
    }
}

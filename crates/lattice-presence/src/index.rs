//! Look-up by topic, key and pid: a fold over the changes of the entries.

mod groups;
mod slab;

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::hash::{BuildHasher, Hasher};

use hashbrown::DefaultHashBuilder;
use hashbrown::hash_table::{Entry, HashTable};
use lattice_causal::DotStore;
use smallvec::SmallVec;

use crate::down::Down;
use crate::{Presence, ReplicaId};
use groups::{Bucket, Group, Groups, Members, spread};
use slab::{Id, Slab};

/// The entries by topic, by key (in its topic) and by pid.
///
/// Every entry has a small number, and all that is here holds numbers: an entry
/// costs the index some forty bytes, and moving it between groups touches none of
/// its text. Hidden entries are in it too: reads pass over the runs of replicas
/// that are down, so hiding a replica costs the index nothing.
///
/// # Invariants
///
/// - Each entry of the state has a number, and is in the members of its topic and
///   in the groups of its key and its pid.
/// - No topic is without members; `names` holds the names of the topics.
pub(crate) struct Index<M> {
    entries: Slab<Presence<M>>,
    topics: Slab<Topic>,
    by_topic: HashTable<Bucket>,
    by_key: Groups,
    by_pid: Groups,
    names: BTreeSet<Arc<str>>,
    hasher: DefaultHashBuilder,
}

#[derive(Clone)]
struct Topic {
    name: Arc<str>,
    members: Members,
}

/// The hashes of a slot, computed once for all that a call does with it.
#[derive(Clone, Copy)]
pub(crate) struct Hashes {
    topic: u32,
    /// Of the key within its topic.
    key: u32,
    pid: u32,
}

/// The entries of one replica in one slot: one, but for payloads of peers that
/// keep several.
pub(crate) type Slot<M> = SmallVec<[Presence<M>; 1]>;

impl<M> Index<M> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Slab::new(),
            topics: Slab::new(),
            by_topic: HashTable::new(),
            by_key: Groups::new(),
            by_pid: Groups::new(),
            names: BTreeSet::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// Makes room for `more` entries at once.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.entries.reserve(more);
        self.by_key.reserve(more);
        self.by_pid.reserve(more);
    }

    /// The hashes of a slot, for [`slot`](Self::slot) and what follows it.
    pub(crate) fn hashes(&self, (topic, key, pid): (&str, &str, &str)) -> Hashes {
        let topic = self.hash(topic);
        Hashes {
            topic,
            key: self.hash_key(topic, key),
            pid: self.hash(pid),
        }
    }

    /// Adds `entry`; says whether it is the only visible one of its key.
    pub(crate) fn insert(&mut self, entry: &Presence<M>, hashes: Hashes, down: &Down) -> bool {
        let id = self.entries.insert(entry.clone());
        let topic = self.topic_or_new(entry.shared_topic(), hashes.topic);
        if let Some(topic) = self.topics.get_mut(topic) {
            topic.members.insert(entry.dot(), id);
        }
        let entries = &self.entries;
        self.by_pid.insert(hashes.pid, id, entries, |other| {
            entries.get(other).is_some_and(|e| e.pid() == entry.pid())
        });
        let group = self.by_key.insert(hashes.key, id, entries, |other| {
            is_at(entries, other, entry.topic(), entry.key())
        });
        match group {
            Group::One(_) => true,
            Group::Many(_) => group.visible_len(entries, down) == 1,
        }
    }

    /// The number of a topic; a new one gets its name from the caller.
    fn topic_or_new(&mut self, name: &Arc<str>, hash: u32) -> Id {
        let topics = &self.topics;
        let found = self.by_topic.entry(
            spread(hash),
            |bucket| is_named(topics, bucket.at(), name),
            Bucket::hash,
        );
        match found {
            Entry::Occupied(place) => place.get().at(),
            Entry::Vacant(place) => {
                self.names.insert(name.clone());
                let topic = self.topics.insert(Topic {
                    name: name.clone(),
                    members: Members::new(),
                });
                place.insert(Bucket::new(hash, topic));
                topic
            }
        }
    }

    /// Takes `entry` out; says whether no visible one of its key is left.
    pub(crate) fn remove(&mut self, entry: &Presence<M>, hashes: Hashes, down: &Down) -> bool {
        let Some(id) = self.remove_from_topic(entry, hashes.topic) else {
            return false;
        };
        let entries = &self.entries;
        self.by_pid.remove(hashes.pid, id, entry, |other| {
            entries.get(other).is_some_and(|e| e.pid() == entry.pid())
        });
        let left = self.by_key.remove(hashes.key, id, entry, |other| {
            is_at(entries, other, entry.topic(), entry.key())
        });
        let edge = left.is_none_or(|group| group.visible_len(entries, down) == 0);
        self.entries.remove(id);
        edge
    }

    /// The number that the entry has.
    fn remove_from_topic(&mut self, entry: &Presence<M>, hash: u32) -> Option<Id> {
        let topics = &self.topics;
        let found = self.by_topic.find_entry(spread(hash), |bucket| {
            is_named(topics, bucket.at(), entry.shared_topic())
        });
        let place = found.ok()?;
        let number = place.get().at();
        let topic = self.topics.get_mut(number)?;
        let id = topic.members.remove(entry.dot())?;
        if topic.members.is_empty() {
            self.names.remove(entry.topic());
            self.topics.remove(number);
            place.remove();
        }
        Some(id)
    }

    /// Whether the owner of `entry`, whose mark has just changed, holds all that
    /// is visible of the key or, being down now, held it.
    pub(crate) fn is_edge(&self, entry: &Presence<M>, down: &Down) -> bool {
        let group = self.group_of_key(entry.topic(), entry.key());
        group.is_some_and(|group| {
            let visible = group.visible_len(&self.entries, down);
            let owned = group.len_of(entry.owner(), &self.entries);
            visible == 0 || !down.hides(entry.owner()) && visible == owned
        })
    }

    /// The topics that have entries, ascending.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.iter().map(|name| &**name)
    }

    /// The name of a topic that has entries, to be shared by one more.
    pub(crate) fn shared_name(&self, topic: &str, hashes: Hashes) -> Option<Arc<str>> {
        let topic = self.topics.get(self.topic(topic, hashes.topic)?)?;
        Some(topic.name.clone())
    }

    fn topic(&self, name: &str, hash: u32) -> Option<Id> {
        let found = self.by_topic.find(spread(hash), |bucket| {
            let topic = self.topics.get(bucket.at());
            topic.is_some_and(|topic| *topic.name == *name)
        });
        found.map(|bucket| bucket.at())
    }

    fn members(&self, topic: &str) -> Option<&Members> {
        let topic = self.topics.get(self.topic(topic, self.hash(topic))?)?;
        Some(&topic.members)
    }

    fn group_of_key(&self, topic: &str, key: &str) -> Option<Group<'_>> {
        let hash = self.hash_key(self.hash(topic), key);
        self.by_key
            .find(hash, |id| is_at(&self.entries, id, topic, key))
    }

    fn group_of_pid(&self, pid: &str, hash: u32) -> Option<Group<'_>> {
        self.by_pid.find(hash, |id| {
            self.entries.get(id).is_some_and(|e| e.pid() == pid)
        })
    }

    /// The visible entries of a topic, in dot order.
    pub(crate) fn by_topic<'a>(
        &'a self,
        topic: &str,
        down: &'a Down,
    ) -> impl Iterator<Item = &'a Presence<M>> + Clone + use<'a, M> {
        let members = self.members(topic).into_iter();
        members.flat_map(|members| groups::visible(members, &self.entries, down))
    }

    /// The visible entries of a key in a topic, in dot order.
    pub(crate) fn by_key<'a>(
        &'a self,
        topic: &str,
        key: &str,
        down: &'a Down,
    ) -> impl Iterator<Item = &'a Presence<M>> + Clone + use<'a, M> {
        let group = self.group_of_key(topic, key);
        group
            .into_iter()
            .flat_map(|group| group.visible(&self.entries, down))
    }

    /// The visible entries of a pid, in dot order.
    pub(crate) fn by_pid<'a>(
        &'a self,
        pid: &str,
        down: &'a Down,
    ) -> impl Iterator<Item = &'a Presence<M>> + Clone + use<'a, M> {
        let group = self.group_of_pid(pid, self.hash(pid));
        group
            .into_iter()
            .flat_map(|group| group.visible(&self.entries, down))
    }

    /// How many entries of a topic are visible. O(replicas that are down).
    pub(crate) fn topic_len(&self, topic: &str, down: &Down) -> usize {
        let members = self.members(topic);
        members.map_or(0, |members| groups::visible_len(members, down))
    }

    /// The entries of `owner` that `pid` holds.
    pub(crate) fn held_by(&self, pid: &str, owner: &ReplicaId) -> Slot<M> {
        let group = self.group_of_pid(pid, self.hash(pid));
        let held = group.into_iter().flat_map(|g| g.of(owner, &self.entries));
        held.cloned().collect()
    }

    /// The entries of `owner` in a slot. O(the fewer of its entries under the key
    /// and under the pid).
    pub(crate) fn slot(
        &self,
        (topic, key, pid): (&str, &str, &str),
        hashes: Hashes,
        owner: &ReplicaId,
    ) -> Slot<M> {
        let mut slot = Slot::new();
        let of_key = self
            .by_key
            .find(hashes.key, |id| is_at(&self.entries, id, topic, key));
        match of_key {
            None => {}
            Some(Group::One(id)) => {
                let held = |e: &&Presence<M>| e.pid() == pid && e.owner() == owner;
                slot.extend(self.entries.get(id).filter(held).cloned());
            }
            Some(Group::Many(members)) => {
                let of_pid = self.group_of_pid(pid, hashes.pid).filter(|group| {
                    group.len_of(owner, &self.entries) < members.summary(owner).live
                });
                let group = of_pid.unwrap_or(Group::Many(members));
                let wanted = |entry: &&Presence<M>| entry.slot() == (topic, key, pid);
                slot.extend(group.of(owner, &self.entries).filter(wanted).cloned());
            }
        }
        slot
    }

    /// Whether `entry` is where look-ups will find it.
    pub(crate) fn holds(&self, entry: &Presence<M>) -> bool {
        let held = |group: Option<Group<'_>>| {
            group.is_some_and(|group| {
                let mut owned = group.of(entry.owner(), &self.entries);
                owned.any(|e| e.dot() == entry.dot())
            })
        };
        let members = self.members(entry.topic());
        members.is_some_and(|members| members.contains(entry.dot()))
            && held(self.group_of_key(entry.topic(), entry.key()))
            && held(self.group_of_pid(entry.pid(), self.hash(entry.pid())))
    }

    // Keys come from users, so the hasher is seeded, per state; nothing that can
    // be observed depends on it.

    fn hash(&self, text: &str) -> u32 {
        let mut state = self.hasher.build_hasher();
        state.write(text.as_bytes());
        folded(state.finish())
    }

    fn hash_key(&self, topic: u32, key: &str) -> u32 {
        let mut state = self.hasher.build_hasher();
        state.write_u32(topic);
        state.write(key.as_bytes());
        folded(state.finish())
    }

    /// How many entries there are, visible or not.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

fn is_at<M>(entries: &Slab<Presence<M>>, id: Id, topic: &str, key: &str) -> bool {
    entries.get(id).is_some_and(|entry| entry.is_at(topic, key))
}

fn is_named(topics: &Slab<Topic>, topic: Id, name: &Arc<str>) -> bool {
    let same = |topic: &Topic| Arc::ptr_eq(&topic.name, name) || topic.name == *name;
    topics.get(topic).is_some_and(same)
}

#[expect(clippy::cast_possible_truncation, reason = "both halves are in it")]
fn folded(hash: u64) -> u32 {
    (hash ^ hash >> 32) as u32
}

impl<M> Clone for Index<M> {
    fn clone(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            topics: self.topics.clone(),
            by_topic: self.by_topic.clone(),
            by_key: self.by_key.clone(),
            by_pid: self.by_pid.clone(),
            names: self.names.clone(),
            hasher: self.hasher.clone(),
        }
    }
}

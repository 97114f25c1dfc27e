//! Look-up by topic, key and pid: a fold over the changes of the entries.

mod group;

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::hash::{BuildHasher, Hash, Hasher};

use hashbrown::DefaultHashBuilder;
use hashbrown::hash_table::{Entry, HashTable};
use smallvec::SmallVec;

pub(crate) use group::{Group, visible_of};

use crate::down::Down;
use crate::{Presence, ReplicaId};
use group::Left;

/// The entries by topic, by key (in its topic) and by pid.
///
/// Each table holds pointers to the entries and nothing of their text. Hidden
/// entries are in it too: reads pass over the runs of replicas that are down,
/// so hiding a replica costs the index nothing.
///
/// # Invariants
///
/// Each entry of the state is in three groups; no group is empty; `names` holds
/// the names of the topics.
pub(crate) struct Index<M> {
    topics: HashTable<Topic<M>>,
    keys: HashTable<Group<M>>,
    pids: HashTable<Group<M>>,
    names: BTreeSet<Arc<str>>,
    hasher: DefaultHashBuilder,
}

struct Topic<M> {
    name: Arc<str>,
    members: Group<M>,
}

impl<M> Clone for Topic<M> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            members: self.members.clone(),
        }
    }
}

/// The entries of one replica in one slot: one, but for payloads of peers that
/// keep several.
pub(crate) type Slot<M> = SmallVec<[Presence<M>; 1]>;

impl<M> Index<M> {
    pub(crate) fn new() -> Self {
        Self {
            topics: HashTable::new(),
            keys: HashTable::new(),
            pids: HashTable::new(),
            names: BTreeSet::new(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// Makes room for `more` entries at once.
    pub(crate) fn reserve(&mut self, more: usize) {
        let hasher = &self.hasher;
        self.keys
            .reserve(more, |group| hash_key_of(hasher, group.any()));
        self.pids
            .reserve(more, |group| hash(hasher, group.any().pid()));
    }

    /// Adds `entry`; says whether it is the only visible one of its key.
    pub(crate) fn insert(&mut self, entry: &Presence<M>, down: &Down) -> bool {
        self.insert_topic(entry);
        self.insert_pid(entry);
        self.insert_key(entry, down)
    }

    fn insert_topic(&mut self, entry: &Presence<M>) {
        let hasher = &self.hasher;
        let found = self.topics.entry(
            hash(hasher, entry.topic()),
            |topic| *topic.name == *entry.topic(),
            |topic| hash(hasher, &topic.name),
        );
        match found {
            Entry::Occupied(mut topic) => topic.get_mut().members.insert(entry.clone()),
            Entry::Vacant(place) => {
                let name = entry.shared_topic().clone();
                self.names.insert(name.clone());
                let members = Group::One(entry.clone());
                place.insert(Topic { name, members });
            }
        }
    }

    fn insert_pid(&mut self, entry: &Presence<M>) {
        let hasher = &self.hasher;
        let found = self.pids.entry(
            hash(hasher, entry.pid()),
            |group| group.any().pid() == entry.pid(),
            |group| hash(hasher, group.any().pid()),
        );
        match found {
            Entry::Occupied(mut group) => group.get_mut().insert(entry.clone()),
            Entry::Vacant(place) => {
                place.insert(Group::One(entry.clone()));
            }
        }
    }

    fn insert_key(&mut self, entry: &Presence<M>, down: &Down) -> bool {
        let hasher = &self.hasher;
        let found = self.keys.entry(
            hash_key_of(hasher, entry),
            |group| group.any().is_at(entry.topic(), entry.key()),
            |group| hash_key_of(hasher, group.any()),
        );
        match found {
            Entry::Occupied(mut group) => {
                group.get_mut().insert(entry.clone());
                group.get().visible_len(down) == 1
            }
            Entry::Vacant(place) => {
                place.insert(Group::One(entry.clone()));
                true
            }
        }
    }

    /// Takes `entry` out; says whether no visible one of its key is left.
    pub(crate) fn remove(&mut self, entry: &Presence<M>, down: &Down) -> bool {
        let hasher = &self.hasher;
        let topic = self
            .topics
            .find_entry(hash(hasher, entry.topic()), |topic| {
                *topic.name == *entry.topic()
            });
        if let Ok(mut topic) = topic
            && let Left::Nothing = topic.get_mut().members.remove(entry.dot())
        {
            self.names.remove(entry.topic());
            topic.remove();
        }
        let pid = self.pids.find_entry(hash(hasher, entry.pid()), |group| {
            group.any().pid() == entry.pid()
        });
        if let Ok(mut pid) = pid
            && let Left::Nothing = pid.get_mut().remove(entry.dot())
        {
            pid.remove();
        }
        let key = self.keys.find_entry(hash_key_of(hasher, entry), |group| {
            group.any().is_at(entry.topic(), entry.key())
        });
        let Ok(mut key) = key else {
            return false;
        };
        match key.get_mut().remove(entry.dot()) {
            Left::Untouched => false,
            Left::Some => key.get().visible_len(down) == 0,
            Left::Nothing => {
                key.remove();
                true
            }
        }
    }

    /// Whether the owner of `entry`, whose mark has just changed, holds all that
    /// is visible of the key, or, being down now, held it.
    pub(crate) fn is_edge(&self, entry: &Presence<M>, down: &Down) -> bool {
        let group = self.by_key(entry.topic(), entry.key());
        group.is_some_and(|group| {
            let visible = group.visible_len(down);
            visible == 0 || visible == group.visible_len_of(entry.owner(), down)
        })
    }

    /// The topics that have entries, ascending.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.iter().map(|name| &**name)
    }

    /// The name of a topic that has entries, to be shared by one more.
    pub(crate) fn shared_name(&self, topic: &str) -> Option<Arc<str>> {
        self.topic(topic).map(|topic| topic.name.clone())
    }

    fn topic(&self, name: &str) -> Option<&Topic<M>> {
        self.topics
            .find(hash(&self.hasher, name), |topic| *topic.name == *name)
    }

    pub(crate) fn by_topic(&self, topic: &str) -> Option<&Group<M>> {
        self.topic(topic).map(|topic| &topic.members)
    }

    pub(crate) fn by_key(&self, topic: &str, key: &str) -> Option<&Group<M>> {
        self.keys.find(hash_key(&self.hasher, topic, key), |group| {
            group.any().is_at(topic, key)
        })
    }

    pub(crate) fn by_pid(&self, pid: &str) -> Option<&Group<M>> {
        self.pids
            .find(hash(&self.hasher, pid), |group| group.any().pid() == pid)
    }

    /// The entries of `owner` in a slot. O(the fewer of its entries under the key
    /// and under the pid).
    pub(crate) fn slot(&self, pid: &str, topic: &str, key: &str, owner: &ReplicaId) -> Slot<M> {
        let mut slot = Slot::new();
        let Some(by_key) = self.by_key(topic, key) else {
            return slot;
        };
        let of_key = by_key.len_of(owner);
        let by_pid = match of_key {
            0 | 1 => None,
            _ => self
                .by_pid(pid)
                .filter(|group| group.len_of(owner) < of_key),
        };
        let group = by_pid.unwrap_or(by_key);
        let wanted = |entry: &&Presence<M>| entry.slot() == (topic, key, pid);
        slot.extend(group.of(owner).filter(wanted).cloned());
        slot
    }
}

fn hash(hasher: &DefaultHashBuilder, text: &str) -> u64 {
    hasher.hash_one(text)
}

fn hash_key(hasher: &DefaultHashBuilder, topic: &str, key: &str) -> u64 {
    let mut state = hasher.build_hasher();
    topic.hash(&mut state);
    key.hash(&mut state);
    state.finish()
}

fn hash_key_of<M>(hasher: &DefaultHashBuilder, entry: &Presence<M>) -> u64 {
    hash_key(hasher, entry.topic(), entry.key())
}

impl<M> Clone for Index<M> {
    fn clone(&self) -> Self {
        Self {
            topics: self.topics.clone(),
            keys: self.keys.clone(),
            pids: self.pids.clone(),
            names: self.names.clone(),
            hasher: self.hasher.clone(),
        }
    }
}

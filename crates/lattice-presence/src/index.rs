//! Look-up by topic, key and pid: a fold over the changes of the entries.

mod groups;
mod late;
mod slab;

use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use core::hash::{BuildHasher, Hasher};

use hashbrown::DefaultHashBuilder;
use hashbrown::hash_table::{Entry, HashTable};
use lattice_causal::DotStore;
use smallvec::SmallVec;

use crate::down::Down;
use crate::presence::Slot;
use crate::{Presence, ReplicaId};
use groups::{Bucket, Group, Groups, Members, spread};
use late::Late;
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
    /// Entries on their way into topics.
    late: Late,
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
pub(crate) type Held<M> = SmallVec<[Presence<M>; 1]>;

impl<M> Index<M> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Slab::new(),
            topics: Slab::new(),
            by_topic: HashTable::new(),
            by_key: Groups::new(),
            by_pid: Groups::new(),
            names: BTreeSet::new(),
            late: Late::default(),
            hasher: DefaultHashBuilder::default(),
        }
    }

    /// Makes room for `more` entries at once.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.entries.reserve(more);
        self.by_key.reserve(more);
        self.by_pid.reserve(more);
    }

    /// Whether most of the room that it takes is idle.
    pub(crate) fn is_sparse(&self) -> bool {
        self.entries.places() > 64 && self.entries.places() / 4 > self.entries.len()
    }

    /// The hashes of a slot, for [`held_in`](Self::held_in) and what follows it.
    pub(crate) fn hashes(&self, slot: Slot<'_>) -> Hashes {
        let topic = self.hash(slot.topic);
        Hashes {
            topic,
            key: self.hash_key(topic, slot.key),
            pid: self.hash(slot.pid),
        }
    }

    /// Adds `entry`; says whether it is the only visible one of its key. A series
    /// of entries of one owner is completed by [`settle`](Self::settle).
    pub(crate) fn insert(&mut self, entry: &Presence<M>, hashes: Hashes, down: &Down) -> bool {
        let id = self.entries.insert(entry.clone());
        let topic = self.topic_or_new(entry.shared_topic(), hashes.topic);
        if let Some(Topic { members, .. }) = self.topics.get_mut(topic) {
            self.late.put_or_keep(members, topic, entry.dot(), id);
        }
        let entries = &self.entries;
        self.by_pid
            .insert(hashes.pid, (id, entry), entries, |other| {
                is_of(entries, other, |slot| slot.pid == entry.slot().pid)
            });
        let group = self
            .by_key
            .insert(hashes.key, (id, entry), entries, |other| {
                is_of(entries, other, |slot| slot.same_key(&entry.slot()))
            });
        group.is_none_or(|group| self.by_key.visible_of(group, down) == 1)
    }

    /// Completes a series of insertions; all were of `owner`.
    pub(crate) fn settle(&mut self, owner: &ReplicaId) {
        self.by_pid.settle(owner);
        self.by_key.settle(owner);
        self.late.settle(|topic, late| {
            if let Some(topic) = self.topics.get_mut(topic) {
                late::extend(&mut topic.members, owner, late);
            }
        });
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
            is_of(entries, other, |slot| slot.pid == entry.slot().pid)
        });
        let left = self.by_key.remove(hashes.key, id, entry, |other| {
            is_of(entries, other, |slot| slot.same_key(&entry.slot()))
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

    /// Those entries of `replica`, whose mark has just changed, of which the key
    /// neither arrives nor departs: others are visible under it, too. O(the fewer
    /// of `owned`, its entries, and the places for keys of several entries).
    pub(crate) fn accompanied<'a>(
        &'a self,
        replica: &'a ReplicaId,
        owned: impl ExactSizeIterator<Item = &'a Presence<M>>,
        down: &'a Down,
        mut found: impl FnMut(&Presence<M>),
    ) {
        let many = self.by_key.many();
        let has_company = |group: Group<'_>| {
            let visible = group.visible_len(&self.entries, down);
            let own = group.len_of(replica, &self.entries);
            visible > if down.hides(replica) { 0 } else { own }
        };
        if many.places() < owned.len() {
            let groups = many
                .iter()
                .map(Group::Many)
                .filter(|group| has_company(*group));
            let entries = groups.flat_map(|group| group.of(replica, &self.entries));
            entries.for_each(found);
        } else {
            for entry in owned {
                if self.group_of_key(entry.slot()).is_some_and(has_company) {
                    found(entry);
                }
            }
        }
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
        let hash = self.hash(topic.as_bytes());
        let topic = self.topics.get(self.topic(topic, hash)?)?;
        Some(&topic.members)
    }

    fn group_of_key(&self, slot: Slot<'_>) -> Option<Group<'_>> {
        let hash = self.hash_key(self.hash(slot.topic), slot.key);
        let is_it = |id| is_of(&self.entries, id, |other| other.same_key(&slot));
        self.by_key.find(hash, is_it)
    }

    fn group_of_pid(&self, pid: &[u8], hash: u32) -> Option<Group<'_>> {
        let is_it = |id| is_of(&self.entries, id, |other| other.pid == pid);
        self.by_pid.find(hash, is_it)
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
        let group = self.group_of_key(Slot::new(topic, key, ""));
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
        let group = self.group_of_pid(pid.as_bytes(), self.hash(pid.as_bytes()));
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
    pub(crate) fn held_by(&self, pid: &str, owner: &ReplicaId) -> Held<M> {
        let group = self.group_of_pid(pid.as_bytes(), self.hash(pid.as_bytes()));
        let held = group.into_iter().flat_map(|g| g.of(owner, &self.entries));
        held.cloned().collect()
    }

    /// The entries of `owner` in a slot. O(the fewer of its entries under the key
    /// and under the pid).
    pub(crate) fn held_in(&self, slot: Slot<'_>, hashes: Hashes, owner: &ReplicaId) -> Held<M> {
        let mut held = Held::new();
        let entries = &self.entries;
        let is_it = |id| is_of(entries, id, |other| other.same_key(&slot));
        match self.by_key.find(hashes.key, is_it) {
            None => {}
            Some(Group::One(id)) => {
                let wanted = |e: &&Presence<M>| e.slot().pid == slot.pid && e.owner() == owner;
                held.extend(entries.get(id).filter(wanted).cloned());
            }
            Some(Group::Many(members)) => {
                let fewer =
                    |group: &Group<'_>| group.len_of(owner, entries) < members.summary(owner).live;
                let of_pid = self.group_of_pid(slot.pid, hashes.pid).filter(fewer);
                let group = of_pid.unwrap_or(Group::Many(members));
                let wanted = |entry: &&Presence<M>| entry.slot() == slot;
                held.extend(group.of(owner, entries).filter(wanted).cloned());
            }
        }
        held
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
            && held(self.group_of_key(entry.slot()))
            && held(self.group_of_pid(entry.slot().pid, self.hash(entry.slot().pid)))
    }

    // Keys come from users, so the hasher is seeded, per state; nothing that can
    // be observed depends on it.

    fn hash(&self, text: &[u8]) -> u32 {
        let mut state = self.hasher.build_hasher();
        state.write(text);
        folded(state.finish())
    }

    fn hash_key(&self, topic: u32, key: &[u8]) -> u32 {
        let mut state = self.hasher.build_hasher();
        state.write_u32(topic);
        state.write(key);
        folded(state.finish())
    }

    /// How many entries there are, visible or not.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

fn is_of<M>(entries: &Slab<Presence<M>>, id: Id, is_it: impl Fn(Slot<'_>) -> bool) -> bool {
    entries.get(id).is_some_and(|entry| is_it(entry.slot()))
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
            late: self.late.clone(),
            hasher: self.hasher.clone(),
        }
    }
}

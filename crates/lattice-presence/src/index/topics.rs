//! The topics that have entries.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::groups::{DotRank, Members, Records};
use super::hashing::Hashing;
use super::order::{Order, Ranking};
use super::slab::{Id, Slab};
use super::table::Table;

/// Topics by number, by name, and in the order of their names.
///
/// # Invariants
///
/// No topic is without members.
#[derive(Clone, Debug)]
pub(super) struct Topics {
    table: Table,
    known: Slab<Topic>,
    names: Order<Rung>,
    /// The one that was asked for last: mostly the one that is asked for next.
    last: Id,
}

#[derive(Clone, Debug)]
pub(super) struct Topic {
    pub(super) name: Arc<str>,
    pub(super) members: Members,
}

/// Topics are sorted by their names.
struct ByName<'a>(&'a Slab<Topic>);

/// A topic among others: what its name begins with mostly decides, without a look at the
/// name itself, which lies elsewhere.
#[derive(Clone, Copy, Debug)]
struct Rung {
    /// The first bytes, the first one uppermost; zeros behind a short name.
    head: u128,
    topic: Id,
}

impl Rung {
    fn of(name: &str, topic: Id) -> Self {
        let mut head = [0; size_of::<u128>()];
        let len = name.len().min(head.len());
        head[..len].copy_from_slice(&name.as_bytes()[..len]);
        let head = u128::from_be_bytes(head);
        Self { head, topic }
    }
}

impl Ranking for ByName<'_> {
    type Rank = Rung;

    fn rank(&self, id: Id) -> Rung {
        Rung::of(&self.0.at(id).name, id)
    }

    fn cmp(&self, a: &Rung, b: &Rung) -> Ordering {
        let name = |rung: &Rung| &self.0.at(rung.topic).name;
        let by_head = a.head.cmp(&b.head);
        by_head.then_with(|| name(a).cmp(name(b)))
    }
}

/// Members that a topic may have and still be given another number: each of them
/// learns it.
const MOVABLE: usize = 64;

impl Topics {
    pub(super) const fn new() -> Self {
        Self {
            table: Table::new(),
            known: Slab::new(),
            names: Order::new(),
            last: 0,
        }
    }

    pub(super) fn find(&self, name: &str, hash: u32) -> Option<Id> {
        let is_it = |topic| *self.known.at(topic).name == *name;
        self.table.find(hash, is_it)
    }

    /// The name of a topic, to be shared by one more entry.
    pub(super) fn shared_name(&mut self, name: &str, hash: u32) -> Option<Arc<str>> {
        self.last = self.find(name, hash)?;
        Some(self.known.at(self.last).name.clone())
    }

    pub(super) fn at(&self, topic: Id) -> &Topic {
        self.known.at(topic)
    }

    pub(super) fn at_mut(&mut self, topic: Id) -> &mut Topic {
        self.known.at_mut(topic)
    }

    /// The number of a topic; a new one gets its name from the caller.
    pub(super) fn find_or_add(&mut self, name: &Arc<str>, hash: u32) -> Id {
        let is_last = |topic: &&Topic| Arc::ptr_eq(&topic.name, name);
        if self.known.get(self.last).filter(is_last).is_some() {
            return self.last;
        }
        let is_it = |topic| {
            let known = &self.known.at(topic).name;
            Arc::ptr_eq(known, name) || known == name
        };
        if let Some(topic) = self.table.find(hash, is_it) {
            return topic;
        }
        let topic = self.known.insert(Topic {
            name: name.clone(),
            members: Members::new(),
        });
        self.table.find_or_insert(hash, topic, |_| false);
        self.names
            .insert(topic, Rung::of(name, topic), &ByName(&self.known));
        topic
    }

    /// Takes an entry out of a topic, and the topic if nothing is left of it.
    pub(super) fn remove<M>(
        &mut self,
        (topic, hash): (Id, u32),
        (id, rank, hidden): (Id, DotRank, bool),
        records: Records<'_, M>,
    ) {
        let Topic { members, .. } = self.known.at_mut(topic);
        members.take(id, rank, hidden, records);
        if members.order.len() == 0 {
            self.table.remove(hash, topic);
            let by_name = ByName(&self.known);
            self.names.remove(topic, by_name.rank(topic), &by_name);
            self.known.remove(topic);
        }
    }

    /// Moves some topics to free places where most places are idle; gives their new
    /// numbers, for their members to learn.
    pub(super) fn compact(&mut self, hashing: &Hashing) -> Vec<Id> {
        let is_movable = |topic: &Topic| topic.members.order.len() <= MOVABLE;
        if !self.known.is_sparse() || !self.known.last_block().all(is_movable) {
            return Vec::new();
        }
        let mut moved = Vec::new();
        for old in self.known.seal_last_block() {
            let by_name = ByName(&self.known);
            self.names.remove(old, by_name.rank(old), &by_name);
            if let Some(topic) = self.known.remove(old) {
                let hash = hashing.text(topic.name.as_bytes());
                let new = self.known.insert(topic);
                self.table.replace(hash, old, new);
                let by_name = ByName(&self.known);
                self.names.insert(new, by_name.rank(new), &by_name);
                moved.push(new);
            }
        }
        moved
    }

    /// Ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Topic> + Clone {
        self.names.iter().map(|topic| self.known.at(topic))
    }

    pub(super) fn check_invariants<M>(&self, hashing: &Hashing, records: Records<'_, M>) -> bool {
        let are_right = |members: &Members| {
            let is_hidden = |id: &Id| records.replicas.hides(records.entries.at(*id).replica);
            let hidden = members.order.iter().filter(is_hidden).count();
            members.order.len() > 0
                && members.order.check_invariants(&records)
                && members.knows_last(records)
                && members.hidden as usize == hidden
        };
        self.names.len() == self.known.len()
            && self.names.check_invariants(&ByName(&self.known))
            && self.known.iter().all(|(number, topic)| {
                self.find(&topic.name, hashing.text(topic.name.as_bytes())) == Some(number)
                    && are_right(&topic.members)
            })
    }
}

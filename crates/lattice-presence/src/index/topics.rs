//! The topics that have entries.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::entries::{DotRank, Placed, rank_of};
use super::hashing::Hashing;
use super::order::{Order, Ranking, most};
use super::replicas::Replicas;
use super::slab::{Id, Slab};
use super::table::{Hashed, Table};
use crate::{Presence, steps};

/// Topics by number, by name, and in the order of their names.
///
/// # Invariants
///
/// No topic is without members.
#[derive(Debug)]
pub(super) struct Topics<M> {
    table: Table<Named>,
    known: Slab<Topic<M>>,
    names: Order<Id, Rung>,
    /// The one that was asked for last: mostly the one that is asked for next.
    last: Id,
}

/// A topic in the table.
#[derive(Clone, Copy, Debug)]
struct Named {
    hash: u32,
    topic: Id,
}

impl Hashed for Named {
    fn hash(&self) -> u32 {
        self.hash
    }
}

#[derive(Debug)]
pub(super) struct Topic<M> {
    pub(super) name: Arc<str>,
    pub(super) members: Order<Member<M>, DotRank>,
    /// The clock of the last member, if it is known: most entries come behind it, and
    /// to ask it itself would touch two cache lines more. Clock 0 is none.
    last_clock: u64,
    pub(super) hash: u32,
    /// How many members are hidden; the highest bit says whether two members may have
    /// shared a key.
    hidden: u32,
}

const SHARED: u32 = 1 << 31;

/// An entry among those of its topic, with what is asked of all of them: so that to ask
/// touches one stretch of memory.
#[derive(Debug)]
pub(super) struct Member<M> {
    pub(super) entry: Presence<M>,
    /// The number of its owner.
    pub(super) replica: Id,
    /// A hint of its key: see [`Hashing::text`].
    pub(super) hint: u32,
}

impl<M> Placed for Member<M> {
    type Meta = M;

    fn entry(&self) -> &Presence<M> {
        &self.entry
    }

    fn replica(&self, _: &Replicas) -> Id {
        self.replica
    }
}

impl<M> Topic<M> {
    pub(super) fn visible_len(&self) -> usize {
        self.members.len() - self.hidden()
    }

    fn hidden(&self) -> usize {
        (self.hidden & !SHARED) as usize
    }

    /// Hides or shows so many members.
    pub(super) fn turn(&mut self, members: usize, hide: bool) {
        change(&mut self.hidden, members, hide);
    }

    /// Whether its members are found by their key in a table: to look at all of them is
    /// too much.
    pub(super) fn is_keyed(&self) -> bool {
        self.members.few().is_none()
    }

    /// Looks at the memory of its members, if they are few: at both ends and the middle.
    #[inline]
    pub(super) fn look(&self) -> u32 {
        let members = self.members.few().unwrap_or_default();
        let some = [
            members.first(),
            members.get(members.len() / 2),
            members.last(),
        ];
        let hints = some.into_iter().flatten();
        hints.fold(0, |sum, member| sum ^ member.hint)
    }

    /// Whether one of few members shows a key, before one more of it comes.
    #[inline]
    pub(super) fn shows_key(&mut self, hint: u32, key: &[u8], replicas: &Replicas) -> bool {
        let Some(members) = self.members.few() else {
            self.hidden |= SHARED;
            return false;
        };
        steps::count(members.len() / 16 + 1);
        if members.iter().all(|member| member.hint != hint) {
            return false;
        }
        self.hidden |= SHARED;
        let mut of_key = self.of_key(hint, key);
        of_key.any(|member| replicas.is_shown(member.replica))
    }

    /// The members of that key, if all are looked at.
    #[inline]
    pub(super) fn of_key<'a, 'k>(&'a self, hint: u32, key: &'k [u8]) -> OfKey<'a, 'k, M> {
        let members = self.members.few().unwrap_or_default();
        steps::count(members.len() / 16 + 1);
        OfKey {
            members: members.iter(),
            hint,
            key,
        }
    }

    #[inline]
    pub(super) fn add(&mut self, member: Member<M>, clock: u64, hidden: bool, replicas: &Replicas) {
        self.hidden += u32::from(hidden);
        let rank = (member.replica, clock);
        match self.members.last() {
            Some(last) if self.last_clock != 0 => {
                let last = (last.replica, self.last_clock);
                if replicas.cmp_ranks(&last, &rank).is_lt() {
                    self.last_clock = clock;
                    self.members.push(member, rank, replicas);
                } else {
                    self.members.insert(member, rank, replicas);
                }
            }
            _ => {
                let address = member.entry.address();
                self.members.insert(member, rank, replicas);
                let last = self.members.last();
                if last.is_some_and(|last| last.entry.address() == address) {
                    self.last_clock = clock;
                }
            }
        }
    }

    /// Whether one of few members shows the key of that one, which is not among them.
    #[inline]
    pub(super) fn shows_key_of(&self, gone: &Member<M>, replicas: &Replicas) -> bool {
        if self.hidden & SHARED == 0 {
            return false;
        }
        let members = self.members.few().unwrap_or_default();
        steps::count(members.len() / 16 + 1);
        members.iter().any(|member| {
            member.hint == gone.hint
                && member.entry.slot().key == gone.entry.slot().key
                && replicas.is_shown(member.replica)
        })
    }

    /// Takes an entry out. The topic may be without members then.
    #[inline]
    pub(super) fn take(&mut self, entry: &Presence<M>, replicas: &Replicas) -> Option<Member<M>> {
        let is_it = |member: &Member<M>| member.entry.is(entry);
        let clock = entry.dot().clock;
        if clock == self.last_clock && self.members.last().is_some_and(is_it) {
            self.last_clock = 0;
        }
        let rank = || rank_of(entry, replicas);
        let member = self.members.remove(rank, replicas, is_it)?;
        self.hidden -= u32::from(!replicas.is_shown(member.replica));
        Some(member)
    }

    fn keys_differ(&self) -> bool {
        let hints = self.members.iter().map(|member| member.hint);
        let mut hints: Vec<u32> = hints.collect();
        hints.sort_unstable();
        hints.windows(2).all(|pair| pair[0] != pair[1])
    }

    fn check_invariants(&self, hashing: &Hashing, replicas: &Replicas) -> bool {
        let is_hidden = |member: &&Member<M>| replicas.hides(member.replica);
        let hidden = self.members.iter().filter(is_hidden).count();
        let last = self.members.last();
        let knows_last = last.is_some_and(|last| last.entry.dot().clock == self.last_clock);
        self.members.len() > 0
            && self.members.check_invariants(replicas)
            && (self.last_clock == 0 || knows_last)
            && self.hidden() == hidden
            && (self.hidden & SHARED != 0 || self.keys_differ())
            && self.hash == hashing.text(self.name.as_bytes())
            && self.members.iter().all(|member| {
                member.hint == hashing.text(member.entry.slot().key)
                    && member.replica == replicas.number_of(member.entry.owner())
                    && member.entry.topic() == &*self.name
            })
    }
}

/// Hides or shows so many of some.
pub(super) fn change(hidden: &mut u32, by: usize, hide: bool) {
    let by = u32::try_from(by).unwrap_or(u32::MAX);
    if hide {
        *hidden += by;
    } else {
        *hidden -= by;
    }
}

/// The members of one key among few.
#[derive(Debug)]
pub(super) struct OfKey<'a, 'k, M> {
    members: core::slice::Iter<'a, Member<M>>,
    hint: u32,
    key: &'k [u8],
}

impl<'a, M> Iterator for OfKey<'a, '_, M> {
    type Item = &'a Member<M>;

    #[inline]
    fn next(&mut self) -> Option<&'a Member<M>> {
        let Self { hint, key, .. } = *self;
        let is_it = |member: &&Member<M>| member.hint == hint && member.entry.slot().key == key;
        self.members.find(is_it)
    }
}

impl<M> Clone for OfKey<'_, '_, M> {
    fn clone(&self) -> Self {
        Self {
            members: self.members.clone(),
            ..*self
        }
    }
}

/// Topics are sorted by their names.
struct ByName<'a, M>(&'a Slab<Topic<M>>);

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

impl<M> Ranking<Id> for ByName<'_, M> {
    type Rank = Rung;

    fn rank(&self, topic: &Id) -> Rung {
        Rung::of(&self.0.at(*topic).name, *topic)
    }

    fn cmp(&self, a: &Rung, b: &Rung) -> Ordering {
        let name = |rung: &Rung| &self.0.at(rung.topic).name;
        let by_head = a.head.cmp(&b.head);
        by_head.then_with(|| name(a).cmp(name(b)))
    }
}

impl<M> Topics<M> {
    pub(super) const fn new() -> Self {
        Self {
            table: Table::new(),
            known: Slab::new(),
            names: Order::new(),
            last: 0,
        }
    }

    pub(super) fn find(&self, name: &str, hash: u32) -> Option<Id> {
        let is_it = |named: &Named| *self.known.at(named.topic).name == *name;
        Some(self.table.find(hash, is_it)?.topic)
    }

    /// The name of a topic, to be shared by one more entry.
    pub(super) fn shared_name(&mut self, name: &str, hash: u32) -> Option<Arc<str>> {
        self.last = self.find(name, hash)?;
        Some(self.known.at(self.last).name.clone())
    }

    pub(super) fn at(&self, topic: Id) -> &Topic<M> {
        self.known.at(topic)
    }

    pub(super) fn at_mut(&mut self, topic: Id) -> &mut Topic<M> {
        self.known.at_mut(topic)
    }

    /// The number of a topic; a new one gets its name from the caller.
    #[inline]
    pub(super) fn find_or_add(&mut self, name: &Arc<str>, hashing: &Hashing) -> Id {
        let is_last = |topic: &&Topic<M>| Arc::ptr_eq(&topic.name, name);
        if self.known.get(self.last).filter(is_last).is_some() {
            return self.last;
        }
        let hash = hashing.text(name.as_bytes());
        let is_it = |named: &Named| {
            let known = &self.known.at(named.topic).name;
            Arc::ptr_eq(known, name) || known == name
        };
        if let Some(named) = self.table.find(hash, is_it) {
            return named.topic;
        }
        let topic = self.known.insert(Topic {
            name: name.clone(),
            members: Order::new(),
            last_clock: 0,
            hash,
            hidden: 0,
        });
        self.table.insert_new(Named { hash, topic });
        self.names
            .insert(topic, Rung::of(name, topic), &ByName(&self.known));
        topic
    }

    /// Takes a topic out that has no members any more.
    pub(super) fn remove_empty(&mut self, topic: Id) {
        let hash = self.known.at(topic).hash;
        self.table.take(hash, |named| named.topic == topic);
        self.forget_name(topic);
        self.known.remove(topic);
    }

    fn forget_name(&mut self, topic: Id) {
        let by_name = ByName(&self.known);
        let rung = by_name.rank(&topic);
        self.names
            .remove(|| rung, &by_name, |other| *other == topic);
    }

    /// Whether most numbers are idle.
    #[inline]
    pub(super) fn is_sparse(&self) -> bool {
        self.known.is_sparse()
    }

    /// Moves some topics to free places; gives their new numbers, for their members to
    /// learn. Each member that learns one costs a search, so they are few at a time.
    pub(super) fn compact(&mut self) -> Vec<Id> {
        let mut moved = Vec::new();
        let mut members = most::<Member<M>>();
        for old in self.known.seal_last_block() {
            let len = self.known.at(old).members.len();
            if len > members {
                continue;
            }
            members -= len;
            self.forget_name(old);
            if let Some(topic) = self.known.remove(old) {
                let hash = topic.hash;
                let new = self.known.insert(topic);
                if let Some(named) = self.table.find_mut(hash, |named| named.topic == old) {
                    named.topic = new;
                }
                let by_name = ByName(&self.known);
                self.names.insert(new, by_name.rank(&new), &by_name);
                moved.push(new);
            }
        }
        self.known.unseal_last_block();
        moved
    }

    /// Ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Topic<M>> + Clone {
        self.names.iter().map(|topic| self.known.at(*topic))
    }

    /// All of them, in no order.
    pub(super) fn for_each(&mut self, visit: impl FnMut(&mut Topic<M>)) {
        self.known.for_each(visit);
    }

    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.known.places()
    }

    pub(super) fn check_invariants(&self, hashing: &Hashing, replicas: &Replicas) -> bool {
        self.names.len() == self.known.len()
            && self.names.check_invariants(&ByName(&self.known))
            && self.known.iter().all(|(number, topic)| {
                self.find(&topic.name, topic.hash) == Some(number)
                    && topic.check_invariants(hashing, replicas)
            })
    }
}

impl<M> Clone for Member<M> {
    fn clone(&self) -> Self {
        Self {
            entry: self.entry.clone(),
            ..*self
        }
    }
}

impl<M> Clone for Topics<M> {
    fn clone(&self) -> Self {
        Self {
            table: self.table.clone(),
            known: self.known.clone(),
            names: self.names.clone(),
            last: self.last,
        }
    }
}

impl<M> Clone for Topic<M> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            members: self.members.clone(),
            ..*self
        }
    }
}

//! Numbers in order.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::slab::Id;
use crate::steps;

/// What the numbers of an [`Order`] are sorted by.
pub(super) trait Rank {
    type Key: Copy;

    fn key(&self, id: Id) -> Self::Key;

    fn cmp(&self, a: &Self::Key, b: &Self::Key) -> Ordering;

    fn is_less(&self, a: &Self::Key, b: &Self::Key) -> bool {
        steps::count(1);
        self.cmp(a, b) == Ordering::Less
    }
}

/// Numbers in the order of their keys: four bytes each.
///
/// One lies in place, few in one allocation, many in chunks under a directory of
/// first keys. So an insertion anywhere and a removal cost a search and the move of
/// a part of one chunk, in groups of any size, and adding what comes last is O(1).
///
/// # Invariants
///
/// - Ascending by key; keys are distinct.
/// - `Few` has at most [`CHUNK`] numbers. Chunks have as many, and are not empty.
/// - `first` is the key of a chunk's first number.
#[derive(Clone, Debug)]
pub(super) enum Order<K> {
    One(Id),
    Few(Vec<Id>),
    Many(Box<Many<K>>),
}

#[derive(Clone, Debug)]
pub(super) struct Many<K> {
    len: usize,
    chunks: Vec<Chunk<K>>,
}

#[derive(Clone, Debug)]
struct Chunk<K> {
    first: K,
    ids: Vec<Id>,
}

/// Numbers in one allocation.
const CHUNK: usize = 128;

impl<K: Copy> Order<K> {
    pub(super) const fn new() -> Self {
        Self::Few(Vec::new())
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Few(ids) => ids.len(),
            Self::Many(many) => many.len,
        }
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<Id> {
        match self {
            Self::One(id) => Some(*id),
            Self::Few(ids) => ids.last().copied(),
            Self::Many(many) => many.chunks.last()?.ids.last().copied(),
        }
    }

    /// Adds a number, which is not in it, under its key.
    pub(super) fn insert(&mut self, id: Id, key: K, rank: &impl Rank<Key = K>) {
        match self {
            Self::Few(ids) if ids.is_empty() => *self = Self::One(id),
            Self::One(other) => {
                let mut ids = Vec::from([*other]);
                insert(&mut ids, id, key, rank);
                *self = Self::Few(ids);
            }
            Self::Few(ids) if ids.len() < CHUNK => insert(ids, id, key, rank),
            Self::Few(ids) => {
                let ids = core::mem::take(ids);
                let first = rank.key(ids[0]);
                let len = ids.len();
                let chunks = Vec::from([Chunk { first, ids }]);
                let mut many = Box::new(Many { len, chunks });
                many.insert(id, key, rank);
                *self = Self::Many(many);
            }
            Self::Many(many) => many.insert(id, key, rank),
        }
    }

    /// Adds a number behind all others, of which there are some.
    pub(super) fn push(&mut self, id: Id, key: K, rank: &impl Rank<Key = K>) {
        steps::count(1);
        match self {
            Self::One(other) => {
                let mut ids = Vec::with_capacity(4);
                ids.extend([*other, id]);
                *self = Self::Few(ids);
            }
            Self::Few(ids) if ids.len() < CHUNK => ids.push(id),
            Self::Few(_) => self.insert(id, key, rank),
            Self::Many(many) => many.push(id, key),
        }
    }

    /// Takes a number out, which is in it under that key.
    pub(super) fn remove(&mut self, id: Id, key: K, rank: &impl Rank<Key = K>) {
        match self {
            Self::One(other) => {
                debug_assert_eq!(*other, id);
                *self = Self::new();
            }
            Self::Few(ids) => {
                remove(ids, id);
                if let [only] = **ids {
                    *self = Self::One(only);
                }
            }
            Self::Many(many) => {
                many.remove(id, key, rank);
                if many.len <= CHUNK / 2 {
                    let chunks = core::mem::take(&mut many.chunks);
                    let ids = chunks.into_iter().flat_map(|chunk| chunk.ids);
                    *self = Self::Few(ids.collect());
                }
            }
        }
    }

    /// Gives the number of that key another one.
    pub(super) fn replace(&mut self, old: Id, new: Id, key: K, rank: &impl Rank<Key = K>) {
        let ids = match self {
            Self::One(id) => core::slice::from_mut(id),
            Self::Few(ids) => ids,
            Self::Many(many) => {
                let at = many.chunk_of(key, rank);
                &mut many.chunks[at].ids
            }
        };
        steps::count(ids.len() / 16 + 1);
        if let Some(id) = ids.iter_mut().find(|id| **id == old) {
            *id = new;
        }
    }

    pub(super) fn iter(&self) -> Ids<'_, K> {
        match self {
            Self::One(id) => Ids::one(*id),
            Self::Few(ids) => Ids::of(ids, &[]),
            Self::Many(many) => Ids::of(&[], &many.chunks),
        }
    }

    /// From the first one on whose key is not `before`; keys that are come first.
    pub(super) fn starting(
        &self,
        before: impl Fn(&K) -> bool,
        rank: &impl Rank<Key = K>,
    ) -> Ids<'_, K> {
        let before = |key: &K| {
            steps::count(1);
            before(key)
        };
        let start = |ids: &[Id]| ids.partition_point(|&id| before(&rank.key(id)));
        match self {
            Self::One(id) if before(&rank.key(*id)) => Ids::of(&[], &[]),
            Self::One(id) => Ids::one(*id),
            Self::Few(ids) => Ids::of(&ids[start(ids)..], &[]),
            Self::Many(many) => {
                let chunks = &*many.chunks;
                let next = chunks.partition_point(|chunk| before(&chunk.first));
                let within = next.checked_sub(1).map_or(&[][..], |at| {
                    let ids = &*chunks[at].ids;
                    &ids[start(ids)..]
                });
                Ids::of(within, &chunks[next..])
            }
        }
    }

    /// Whether it is what it should be.
    pub(super) fn check_invariants(&self, rank: &impl Rank<Key = K>) -> bool {
        let chunks_are_right = match self {
            Self::One(_) => true,
            Self::Few(ids) => ids.len() != 1 && ids.len() <= CHUNK,
            Self::Many(many) => {
                let lens = many.chunks.iter().map(|chunk| chunk.ids.len());
                many.len == lens.sum::<usize>()
                    && many.chunks.iter().all(|chunk| {
                        let is_first =
                            |&id: &Id| rank.cmp(&rank.key(id), &chunk.first) == Ordering::Equal;
                        chunk.ids.len() <= CHUNK && chunk.ids.first().is_some_and(is_first)
                    })
            }
        };
        let keys = self.iter().map(|id| rank.key(id));
        let pairs = keys.clone().zip(keys.skip(1));
        chunks_are_right && pairs.into_iter().all(|(a, b)| rank.is_less(&a, &b))
    }
}

fn insert<K: Copy>(ids: &mut Vec<Id>, id: Id, key: K, rank: &impl Rank<Key = K>) {
    let is_before = |&other: &Id| rank.is_less(&rank.key(other), &key);
    if ids.last().is_none_or(is_before) {
        ids.push(id);
    } else {
        let at = ids.partition_point(is_before);
        ids.insert(at, id);
    }
}

/// Says whether it was the first one.
fn remove(ids: &mut Vec<Id>, id: Id) -> bool {
    steps::count(ids.len() / 16 + 1);
    let at = ids.iter().position(|&other| other == id);
    if let Some(at) = at {
        ids.remove(at);
        if ids.capacity() > 16 && ids.capacity() > 4 * ids.len() {
            ids.shrink_to(2 * ids.len());
        }
    }
    debug_assert!(at.is_some(), "what is taken out is in it");
    at == Some(0)
}

impl<K: Copy> Many<K> {
    /// The chunk in which `key` is, or into which it goes.
    fn chunk_of(&self, key: K, rank: &impl Rank<Key = K>) -> usize {
        let is_at_most = |chunk: &Chunk<K>| !rank.is_less(&key, &chunk.first);
        // Mostly what comes is the newest.
        if self.chunks.last().is_none_or(is_at_most) {
            return self.chunks.len() - 1;
        }
        let after = self.chunks.partition_point(is_at_most);
        after.saturating_sub(1)
    }

    fn insert(&mut self, id: Id, key: K, rank: &impl Rank<Key = K>) {
        self.len += 1;
        let mut at = self.chunk_of(key, rank);
        if self.chunks[at].ids.len() == CHUNK {
            let ends = (self.chunks[at].ids.last()).is_some_and(|&last| {
                at + 1 == self.chunks.len() && rank.is_less(&rank.key(last), &key)
            });
            let begins = at == 0 && rank.is_less(&key, &self.chunks[0].first);
            if ends || begins {
                // At either end chunks stay full, as entries come in order.
                let mut ids = Vec::with_capacity(CHUNK);
                ids.push(id);
                let chunk = Chunk { first: key, ids };
                self.chunks.insert(if ends { at + 1 } else { 0 }, chunk);
                return;
            }
            self.split(at, rank);
            if !rank.is_less(&key, &self.chunks[at + 1].first) {
                at += 1;
            }
        }
        let chunk = &mut self.chunks[at];
        if rank.is_less(&key, &chunk.first) {
            chunk.first = key;
        }
        insert(&mut chunk.ids, id, key, rank);
    }

    fn push(&mut self, id: Id, key: K) {
        self.len += 1;
        match self.chunks.last_mut() {
            Some(last) if last.ids.len() < CHUNK => last.ids.push(id),
            _ => {
                let mut ids = Vec::with_capacity(CHUNK);
                ids.push(id);
                self.chunks.push(Chunk { first: key, ids });
            }
        }
    }

    fn split(&mut self, at: usize, rank: &impl Rank<Key = K>) {
        steps::count(self.chunks.len() / 16);
        let mut ids = Vec::with_capacity(CHUNK);
        ids.extend(self.chunks[at].ids.drain(CHUNK / 2..));
        let first = rank.key(ids[0]);
        self.chunks.insert(at + 1, Chunk { first, ids });
    }

    fn remove(&mut self, id: Id, key: K, rank: &impl Rank<Key = K>) {
        self.len -= 1;
        let at = self.chunk_of(key, rank);
        let chunk = &mut self.chunks[at];
        let was_first = remove(&mut chunk.ids, id);
        match chunk.ids.first() {
            None => {
                self.drop_chunk(at);
                return;
            }
            Some(&first) if was_first => chunk.first = rank.key(first),
            Some(_) => {}
        }
        let next = at + 1;
        if chunk.ids.len() < CHUNK / 4
            && (self.chunks.get(next))
                .is_some_and(|next| next.ids.len() + self.chunks[at].ids.len() <= CHUNK / 2)
        {
            let next = self.drop_chunk(next);
            self.chunks[at].ids.extend(next.ids);
        }
    }

    fn drop_chunk(&mut self, at: usize) -> Chunk<K> {
        steps::count(self.chunks.len() / 16);
        let chunk = self.chunks.remove(at);
        if self.chunks.capacity() > 4 * self.chunks.len() {
            self.chunks.shrink_to(2 * self.chunks.len());
        }
        chunk
    }
}

/// Numbers of an [`Order`], one after the other.
#[derive(Debug)]
pub(super) struct Ids<'a, K> {
    one: Option<Id>,
    ids: core::slice::Iter<'a, Id>,
    chunks: core::slice::Iter<'a, Chunk<K>>,
}

impl<'a, K> Ids<'a, K> {
    pub(super) fn one(id: Id) -> Self {
        let mut ids = Self::of(&[], &[]);
        ids.one = Some(id);
        ids
    }

    fn of(ids: &'a [Id], chunks: &'a [Chunk<K>]) -> Self {
        Self {
            one: None,
            ids: ids.iter(),
            chunks: chunks.iter(),
        }
    }
}

impl<K> Iterator for Ids<'_, K> {
    type Item = Id;

    fn next(&mut self) -> Option<Id> {
        steps::count(1);
        loop {
            if let Some(&id) = self.ids.next() {
                return Some(id);
            }
            match self.chunks.next() {
                Some(chunk) => self.ids = chunk.ids.iter(),
                None => return self.one.take(),
            }
        }
    }
}

impl<K> Clone for Ids<'_, K> {
    fn clone(&self) -> Self {
        Self {
            one: self.one,
            ids: self.ids.clone(),
            chunks: self.chunks.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;

    /// Keys by number.
    struct Keys(Vec<u64>);

    impl Rank for Keys {
        type Key = u64;

        fn key(&self, id: Id) -> u64 {
            self.0[id as usize]
        }

        fn cmp(&self, a: &u64, b: &u64) -> Ordering {
            a.cmp(b)
        }
    }

    /// Ids whose keys come in that order, then leave in a scattered one.
    fn comes_and_goes(keys: Vec<u64>) {
        let count = keys.len();
        let keys = Keys(keys);
        let mut order = Order::new();
        let mut oracle = BTreeMap::new();
        let mut worst = 0;
        for (id, &key) in keys.0.iter().enumerate() {
            let (steps, ()) = steps::of(|| order.insert(id as Id, key, &keys));
            worst = worst.max(steps);
            oracle.insert(key, id as Id);
        }
        assert!(worst < 100, "{worst} steps for one of {count}");
        assert!(order.iter().eq(oracle.values().copied()));
        assert_eq!(order.last(), oracle.values().next_back().copied());
        for from in [0, 1, 700, 5000, 20_000, u64::MAX] {
            let expected = oracle.range(from..).map(|(_, &id)| id);
            assert!(order.starting(|&key| key < from, &keys).eq(expected));
        }
        for step in 0..count {
            let id = step * 7919 % count;
            let (steps, ()) = steps::of(|| order.remove(id as Id, keys.0[id], &keys));
            assert!(steps < 100, "{steps} steps for one of {count}");
            oracle.remove(&keys.0[id]);
            assert_eq!(order.len(), oracle.len());
            if step % 97 == 0 {
                assert!(order.iter().eq(oracle.values().copied()));
                assert!(order.check_invariants(&keys));
            }
        }
        assert!(matches!(order, Order::Few(ids) if ids.capacity() == 0));
    }

    #[test]
    fn it_is_sorted_whatever_the_order_of_arrival() {
        let n = 10_000;
        comes_and_goes((0..n).collect());
        comes_and_goes((0..n).rev().collect());
        comes_and_goes((0..n).map(|i| i * 7919 % n * 2).collect());
        comes_and_goes((0..n).map(|i| i ^ 1).collect());
    }

    #[test]
    fn one_costs_no_allocation_and_a_group_24_bytes() {
        assert_eq!(size_of::<Order<(u32, u64)>>(), 24);
        let mut order = Order::new();
        order.insert(0, 0, &Keys(Vec::from([0])));
        assert!(matches!(order, Order::One(0)));
    }

    #[test]
    fn a_number_may_be_replaced_anywhere() {
        let keys = Keys((0..1000).map(|id| id % 500).collect());
        let mut order = Order::new();
        for id in 0..500 {
            order.insert(id, keys.key(id), &keys);
        }
        for id in 0..500 {
            order.replace(id, id + 500, keys.key(id), &keys);
        }
        assert!(order.iter().eq(500..1000) && order.check_invariants(&keys));
    }
}

//! Items in order.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::steps;

/// What the items of an [`Order`] are sorted by.
pub(super) trait Rank<T> {
    type Key: Copy;

    fn key(&self, item: &T) -> Self::Key;

    fn cmp(&self, a: &Self::Key, b: &Self::Key) -> Ordering;

    fn is_less(&self, a: &Self::Key, b: &Self::Key) -> bool {
        steps::count(1);
        self.cmp(a, b) == Ordering::Less
    }
}

/// Items in the order of their keys.
///
/// One lies in place, few in one allocation, many in chunks under a directory of
/// first keys. So an insertion anywhere and a removal cost a search and the move of
/// a part of one chunk, however many items there are, and adding what comes last is
/// O(1).
///
/// # Invariants
///
/// - Ascending by key; keys are distinct.
/// - `Few` has at most [`CHUNK`] items, and not one. Chunks have as many, and are not
///   empty.
/// - `first` is the key of a chunk's first item.
#[derive(Clone, Debug)]
pub(super) enum Order<T, K> {
    One(T),
    Few(Vec<T>),
    Many(Box<Chunks<T, K>>),
}

#[derive(Clone, Debug)]
pub(super) struct Chunks<T, K> {
    len: usize,
    chunks: Vec<Chunk<T, K>>,
}

#[derive(Clone, Debug)]
struct Chunk<T, K> {
    first: K,
    items: Vec<T>,
}

/// Items in one allocation.
pub(super) const CHUNK: usize = 64;

impl<T, K: Copy> Order<T, K> {
    pub(super) const fn new() -> Self {
        Self::Few(Vec::new())
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Few(items) => items.len(),
            Self::Many(many) => many.len,
        }
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<&T> {
        match self {
            Self::One(item) => Some(item),
            Self::Few(items) => items.last(),
            Self::Many(many) => many.chunks.last()?.items.last(),
        }
    }

    /// All of them, if they are in one allocation.
    #[inline]
    pub(super) fn few(&self) -> Option<&[T]> {
        match self {
            Self::One(item) => Some(core::slice::from_ref(item)),
            Self::Few(items) => Some(items),
            Self::Many(_) => None,
        }
    }

    /// Adds an item, which is not in it, under its key.
    pub(super) fn insert(&mut self, item: T, key: K, rank: &impl Rank<T, Key = K>) {
        match self {
            Self::Few(items) if items.is_empty() => *self = Self::One(item),
            Self::Few(items) if items.len() < CHUNK => insert(items, item, key, rank),
            Self::Many(many) => many.insert(item, key, rank),
            _ => {
                self.grow(rank);
                self.insert(item, key, rank);
            }
        }
    }

    /// Adds an item behind all others, of which there are some.
    #[inline]
    pub(super) fn push(&mut self, item: T, key: K, rank: &impl Rank<T, Key = K>) {
        steps::count(1);
        match self {
            Self::Few(items) if items.len() < CHUNK => {
                reserve(items);
                items.push(item);
            }
            Self::Many(many) => many.push(item, key),
            _ => {
                self.grow(rank);
                self.push(item, key, rank);
            }
        }
    }

    /// Lets one become few, or few many.
    fn grow(&mut self, rank: &impl Rank<T, Key = K>) {
        *self = match core::mem::replace(self, Self::new()) {
            Self::One(item) => {
                let mut items = Vec::with_capacity(3);
                items.push(item);
                Self::Few(items)
            }
            Self::Few(items) if !items.is_empty() => {
                let first = rank.key(&items[0]);
                let len = items.len();
                let chunks = Vec::from([Chunk { first, items }]);
                Self::Many(Box::new(Chunks { len, chunks }))
            }
            other => other,
        };
    }

    /// Takes the item of that key out, which `is_it` knows; the key is asked for only
    /// if there are many.
    #[inline]
    pub(super) fn remove(
        &mut self,
        key: impl FnOnce() -> K,
        rank: &impl Rank<T, Key = K>,
        is_it: impl Fn(&T) -> bool,
    ) -> Option<T> {
        match self {
            Self::One(item) => {
                if !is_it(item) {
                    return None;
                }
                match core::mem::replace(self, Self::new()) {
                    Self::One(item) => Some(item),
                    _ => None,
                }
            }
            Self::Few(items) => {
                let (_, item) = remove(items, is_it)?;
                if items.len() == 1
                    && let Some(only) = items.pop()
                {
                    *self = Self::One(only);
                }
                Some(item)
            }
            Self::Many(many) => {
                let item = many.remove(key(), rank, is_it)?;
                if many.len <= CHUNK / 2 {
                    let chunks = core::mem::take(&mut many.chunks);
                    let items = chunks.into_iter().flat_map(|chunk| chunk.items);
                    *self = Self::Few(items.collect());
                }
                Some(item)
            }
        }
    }

    /// Passes the item of that key, which `is_it` knows, through `updated`, which keeps
    /// its key.
    pub(super) fn update(
        &mut self,
        key: K,
        rank: &impl Rank<T, Key = K>,
        is_it: impl Fn(&T) -> bool,
        updated: impl FnOnce(T) -> T,
    ) {
        let items = match self {
            Self::One(item) if is_it(item) => {
                if let Self::One(item) = core::mem::replace(self, Self::new()) {
                    *self = Self::One(updated(item));
                }
                return;
            }
            Self::One(_) => return,
            Self::Few(items) => items,
            Self::Many(many) => {
                let at = many.chunk_of(key, rank);
                &mut many.chunks[at].items
            }
        };
        steps::count(items.len() / 16 + 1);
        if let Some(at) = items.iter().position(is_it) {
            let item = items.remove(at);
            items.insert(at, updated(item));
        }
    }

    pub(super) fn iter(&self) -> Items<'_, T, K> {
        match self {
            Self::One(item) => Items::of(core::slice::from_ref(item), &[]),
            Self::Few(items) => Items::of(items, &[]),
            Self::Many(many) => Items::of(&[], &many.chunks),
        }
    }

    /// From the first one on whose key is not `before`; keys that are come first.
    pub(super) fn starting(
        &self,
        before: impl Fn(&K) -> bool,
        rank: &impl Rank<T, Key = K>,
    ) -> Items<'_, T, K> {
        let before = |key: &K| {
            steps::count(1);
            before(key)
        };
        let start = |items: &[T]| items.partition_point(|item| before(&rank.key(item)));
        match self {
            Self::One(item) if before(&rank.key(item)) => Items::of(&[], &[]),
            Self::One(item) => Items::of(core::slice::from_ref(item), &[]),
            Self::Few(items) => Items::of(&items[start(items)..], &[]),
            Self::Many(many) => {
                let chunks = &*many.chunks;
                let next = chunks.partition_point(|chunk| before(&chunk.first));
                let within = next.checked_sub(1).map_or(&[][..], |at| {
                    let items = &*chunks[at].items;
                    &items[start(items)..]
                });
                Items::of(within, &chunks[next..])
            }
        }
    }

    /// Whether it is what it should be.
    pub(super) fn check_invariants(&self, rank: &impl Rank<T, Key = K>) -> bool {
        let chunks_are_right = match self {
            Self::One(_) => true,
            Self::Few(items) => items.len() != 1 && items.len() <= CHUNK,
            Self::Many(many) => {
                let lens = many.chunks.iter().map(|chunk| chunk.items.len());
                many.len == lens.sum::<usize>()
                    && many.chunks.iter().all(|chunk| {
                        let is_first =
                            |item: &T| rank.cmp(&rank.key(item), &chunk.first) == Ordering::Equal;
                        chunk.items.len() <= CHUNK && chunk.items.first().is_some_and(is_first)
                    })
            }
        };
        let keys = self.iter().map(|item| rank.key(item));
        let pairs = keys.clone().zip(keys.skip(1));
        chunks_are_right && pairs.into_iter().all(|(a, b)| rank.is_less(&a, &b))
    }
}

/// Makes room for one more: half as much again.
#[inline]
fn reserve<T>(items: &mut Vec<T>) {
    if items.len() == items.capacity() {
        items.reserve_exact((items.len() / 2 + 2).min(CHUNK));
    }
}

fn insert<T, K: Copy>(items: &mut Vec<T>, item: T, key: K, rank: &impl Rank<T, Key = K>) {
    reserve(items);
    let is_before = |other: &T| rank.is_less(&rank.key(other), &key);
    if items.last().is_none_or(is_before) {
        items.push(item);
    } else {
        let at = items.partition_point(is_before);
        items.insert(at, item);
    }
}

/// Takes an item out; says whether it was the first one.
#[inline]
fn remove<T>(items: &mut Vec<T>, is_it: impl Fn(&T) -> bool) -> Option<(bool, T)> {
    steps::count(items.len() / 16 + 1);
    let at = items.iter().position(is_it)?;
    let item = items.remove(at);
    if items.capacity() > 8 && items.capacity() > 4 * items.len() {
        items.shrink_to(2 * items.len());
    }
    Some((at == 0, item))
}

impl<T, K: Copy> Chunks<T, K> {
    /// The chunk in which `key` is, or into which it goes.
    fn chunk_of(&self, key: K, rank: &impl Rank<T, Key = K>) -> usize {
        let is_at_most = |chunk: &Chunk<T, K>| !rank.is_less(&key, &chunk.first);
        // Mostly what comes is the newest.
        if self.chunks.last().is_none_or(is_at_most) {
            return self.chunks.len() - 1;
        }
        let after = self.chunks.partition_point(is_at_most);
        after.saturating_sub(1)
    }

    fn insert(&mut self, item: T, key: K, rank: &impl Rank<T, Key = K>) {
        self.len += 1;
        let mut at = self.chunk_of(key, rank);
        if self.chunks[at].items.len() == CHUNK {
            let ends = (self.chunks[at].items.last()).is_some_and(|last| {
                at + 1 == self.chunks.len() && rank.is_less(&rank.key(last), &key)
            });
            let begins = at == 0 && rank.is_less(&key, &self.chunks[0].first);
            if ends || begins {
                // At either end chunks stay full, as entries come in order.
                let at = if ends { at + 1 } else { 0 };
                self.chunks.insert(at, Chunk::of(item, key));
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
        insert(&mut chunk.items, item, key, rank);
    }

    fn push(&mut self, item: T, key: K) {
        self.len += 1;
        match self.chunks.last_mut() {
            Some(last) if last.items.len() < CHUNK => {
                reserve(&mut last.items);
                last.items.push(item);
            }
            _ => self.chunks.push(Chunk::of(item, key)),
        }
    }

    fn split(&mut self, at: usize, rank: &impl Rank<T, Key = K>) {
        steps::count(self.chunks.len() / 16);
        let mut items = Vec::with_capacity(CHUNK);
        items.extend(self.chunks[at].items.drain(CHUNK / 2..));
        let first = rank.key(&items[0]);
        self.chunks.insert(at + 1, Chunk { first, items });
    }

    fn remove(
        &mut self,
        key: K,
        rank: &impl Rank<T, Key = K>,
        is_it: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let at = self.chunk_of(key, rank);
        let chunk = &mut self.chunks[at];
        let (was_first, item) = remove(&mut chunk.items, is_it)?;
        self.len -= 1;
        match chunk.items.first() {
            None => {
                self.drop_chunk(at);
                return Some(item);
            }
            Some(first) if was_first => chunk.first = rank.key(first),
            Some(_) => {}
        }
        let next = at + 1;
        if chunk.items.len() < CHUNK / 4
            && (self.chunks.get(next))
                .is_some_and(|next| next.items.len() + self.chunks[at].items.len() <= CHUNK / 2)
        {
            let next = self.drop_chunk(next);
            self.chunks[at].items.extend(next.items);
        }
        Some(item)
    }

    fn drop_chunk(&mut self, at: usize) -> Chunk<T, K> {
        steps::count(self.chunks.len() / 16);
        let chunk = self.chunks.remove(at);
        if self.chunks.capacity() > 4 * self.chunks.len() {
            self.chunks.shrink_to(2 * self.chunks.len());
        }
        chunk
    }
}

impl<T, K> Chunk<T, K> {
    fn of(item: T, first: K) -> Self {
        let mut items = Vec::with_capacity(CHUNK);
        items.push(item);
        Self { first, items }
    }
}

/// Items of an [`Order`], one after the other.
#[derive(Debug)]
pub(super) struct Items<'a, T, K> {
    items: core::slice::Iter<'a, T>,
    chunks: core::slice::Iter<'a, Chunk<T, K>>,
}

impl<'a, T, K> Items<'a, T, K> {
    fn of(items: &'a [T], chunks: &'a [Chunk<T, K>]) -> Self {
        Self {
            items: items.iter(),
            chunks: chunks.iter(),
        }
    }
}

impl<'a, T, K> Iterator for Items<'a, T, K> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        steps::count(1);
        loop {
            if let Some(item) = self.items.next() {
                return Some(item);
            }
            self.items = self.chunks.next()?.items.iter();
        }
    }
}

impl<T, K> Clone for Items<'_, T, K> {
    fn clone(&self) -> Self {
        Self {
            items: self.items.clone(),
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

    impl Rank<usize> for Keys {
        type Key = u64;

        fn key(&self, number: &usize) -> u64 {
            self.0[*number]
        }

        fn cmp(&self, a: &u64, b: &u64) -> Ordering {
            a.cmp(b)
        }
    }

    /// Numbers whose keys come in that order, then leave in a scattered one.
    fn comes_and_goes(keys: Vec<u64>) {
        let count = keys.len();
        let keys = Keys(keys);
        let mut order = Order::new();
        let mut oracle = BTreeMap::new();
        let mut worst = 0;
        for (number, &key) in keys.0.iter().enumerate() {
            let (steps, ()) = steps::of(|| order.insert(number, key, &keys));
            worst = worst.max(steps);
            oracle.insert(key, number);
        }
        assert!(worst < 100, "{worst} steps for one of {count}");
        assert!(order.iter().eq(oracle.values()));
        assert_eq!(order.last(), oracle.values().next_back());
        for from in [0, 1, 700, 5000, 20_000, u64::MAX] {
            let expected = oracle.range(from..).map(|(_, number)| number);
            assert!(order.starting(|&key| key < from, &keys).eq(expected));
        }
        for step in 0..count {
            let number = step * 7919 % count;
            let key = keys.0[number];
            let remove = || order.remove(|| key, &keys, |other| *other == number);
            let (steps, removed) = steps::of(remove);
            assert!(steps < 100, "{steps} steps for one of {count}");
            assert_eq!(removed, oracle.remove(&key));
            let again = order.remove(|| key, &keys, |other| *other == number);
            assert_eq!(again, None);
            assert_eq!(order.len(), oracle.len());
            if step % 97 == 0 {
                assert!(order.iter().eq(oracle.values()));
                assert!(order.check_invariants(&keys));
                let few = order.few().map(<[usize]>::len);
                assert!(few.is_none_or(|few| few == order.len()));
            }
        }
        assert!(matches!(order, Order::Few(numbers) if numbers.capacity() == 0));
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
        assert_eq!(size_of::<Order<(usize, u64), (u32, u64)>>(), 24);
        let mut order = Order::new();
        order.insert(0, 0, &Keys(Vec::from([0])));
        assert!(matches!(order, Order::One(0)));
    }

    #[test]
    fn an_item_may_be_replaced_anywhere() {
        for count in [1, 20, 500] {
            let keys = Keys((0..2 * count).map(|number| number % count).collect());
            let count = keys.0.len() / 2;
            let mut order = Order::new();
            for number in 0..count {
                order.insert(number, keys.key(&number), &keys);
            }
            for number in 0..count {
                let is_it = |other: &usize| *other == number;
                order.update(keys.key(&number), &keys, is_it, |other| other + count);
            }
            let all: Vec<usize> = order.iter().copied().collect();
            assert_eq!(all, (count..2 * count).collect::<Vec<_>>());
            assert!(order.check_invariants(&keys));
        }
    }
}

//! Items in order.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::steps;

/// What the items of an [`Order`] are sorted by.
pub(super) trait Ranking<T> {
    type Rank: Copy;

    fn rank(&self, item: &T) -> Self::Rank;

    fn cmp(&self, a: &Self::Rank, b: &Self::Rank) -> Ordering;

    fn is_less(&self, a: &Self::Rank, b: &Self::Rank) -> bool {
        steps::count(1);
        self.cmp(a, b) == Ordering::Less
    }
}

/// Items in the order of their ranks.
///
/// One lies in place, few in one allocation, many in chunks under a directory of
/// first ranks. So an insertion anywhere and a removal cost a search and the move of
/// a part of one chunk, however many items there are, and adding what comes last is
/// O(1).
///
/// # Invariants
///
/// - Ascending by rank; ranks are distinct.
/// - `Few` has at most [`most`] items, and not one. Chunks have as many, and are not
///   empty.
/// - `first` is the rank of a chunk's first item.
#[derive(Clone, Debug)]
pub(super) enum Order<T, R> {
    One(T),
    Few(Vec<T>),
    Chunked(Box<Chunked<T, R>>),
}

#[derive(Clone, Debug)]
pub(super) struct Chunked<T, R> {
    len: usize,
    chunks: Vec<Chunk<T, R>>,
}

#[derive(Clone, Debug)]
struct Chunk<T, R> {
    first: R,
    items: Vec<T>,
}

/// Bytes of a chunk at most.
const CHUNK: usize = 1024;

/// Items of a chunk at most.
pub(super) const fn most<T>() -> usize {
    CHUNK / size_of::<T>()
}

impl<T, R: Copy> Order<T, R> {
    pub(super) const fn new() -> Self {
        Self::Few(Vec::new())
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Few(items) => items.len(),
            Self::Chunked(chunked) => chunked.len,
        }
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<&T> {
        match self {
            Self::One(item) => Some(item),
            Self::Few(items) => items.last(),
            Self::Chunked(chunked) => chunked.chunks.last()?.items.last(),
        }
    }

    /// All of them, if they are in one allocation.
    #[inline]
    pub(super) fn few(&self) -> Option<&[T]> {
        match self {
            Self::One(item) => Some(core::slice::from_ref(item)),
            Self::Few(items) => Some(items),
            Self::Chunked(_) => None,
        }
    }

    /// Adds an item, which is not in it, under its rank.
    pub(super) fn insert(&mut self, item: T, rank: R, ranking: &impl Ranking<T, Rank = R>) {
        match self {
            Self::Few(items) if items.is_empty() => *self = Self::One(item),
            Self::Few(items) if items.len() < most::<T>() => insert(items, item, rank, ranking),
            Self::Chunked(chunked) => chunked.insert(item, rank, ranking),
            _ => {
                self.grow(ranking);
                self.insert(item, rank, ranking);
            }
        }
    }

    /// Adds an item behind all others, of which there are some.
    #[inline]
    pub(super) fn push(&mut self, item: T, rank: R, ranking: &impl Ranking<T, Rank = R>) {
        steps::count(1);
        match self {
            Self::Few(items) if items.len() < most::<T>() => {
                reserve(items);
                items.push(item);
            }
            Self::Chunked(chunked) => chunked.push(item, rank),
            _ => {
                self.grow(ranking);
                self.push(item, rank, ranking);
            }
        }
    }

    /// Lets one become few, or few chunked.
    fn grow(&mut self, ranking: &impl Ranking<T, Rank = R>) {
        *self = match core::mem::replace(self, Self::new()) {
            Self::One(item) => {
                let mut items = Vec::with_capacity(3);
                items.push(item);
                Self::Few(items)
            }
            Self::Few(items) if !items.is_empty() => {
                let first = ranking.rank(&items[0]);
                let len = items.len();
                let chunks = Vec::from([Chunk { first, items }]);
                Self::Chunked(Box::new(Chunked { len, chunks }))
            }
            other => other,
        };
    }

    /// Takes the item of that rank out, which `is_it` knows; the rank is asked for only
    /// if they are chunked.
    #[inline]
    pub(super) fn remove(
        &mut self,
        rank: impl FnOnce() -> R,
        ranking: &impl Ranking<T, Rank = R>,
        is_it: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let Self::Chunked(chunked) = self else {
            let items = self.few().unwrap_or_default();
            steps::count(items.len() / 16 + 1);
            let at = items.iter().position(is_it)?;
            return self.take_at(at);
        };
        let item = chunked.remove(rank(), ranking, is_it)?;
        if chunked.len <= most::<T>() / 2 {
            let chunks = core::mem::take(&mut chunked.chunks);
            let items = chunks.into_iter().flat_map(|chunk| chunk.items);
            *self = Self::Few(items.collect());
        }
        Some(item)
    }

    /// Takes the item of that position out, if they are few.
    #[inline]
    fn take_at(&mut self, at: usize) -> Option<T> {
        match self {
            Self::Few(items) => {
                let item = take_at(items, at);
                if items.len() == 1
                    && let Some(only) = items.pop()
                {
                    *self = Self::One(only);
                }
                Some(item)
            }
            Self::One(_) => match core::mem::replace(self, Self::new()) {
                Self::One(item) => Some(item),
                _ => None,
            },
            Self::Chunked(_) => None,
        }
    }

    /// Passes the item of that rank, which `is_it` knows, through `updated`, which keeps
    /// its rank.
    pub(super) fn update(
        &mut self,
        rank: R,
        ranking: &impl Ranking<T, Rank = R>,
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
            Self::Chunked(chunked) => {
                let at = chunked.chunk_of(rank, ranking);
                &mut chunked.chunks[at].items
            }
        };
        steps::count(items.len() / 16 + 1);
        if let Some(at) = items.iter().position(is_it) {
            // The last one stands in for it meanwhile: `updated` must not panic.
            let item = items.swap_remove(at);
            items.push(updated(item));
            let last = items.len() - 1;
            items.swap(at, last);
        }
    }

    pub(super) fn iter(&self) -> Items<'_, T, R> {
        match self {
            Self::One(item) => Items::of(core::slice::from_ref(item), &[]),
            Self::Few(items) => Items::of(items, &[]),
            Self::Chunked(chunked) => Items::of(&[], &chunked.chunks),
        }
    }

    /// From the first one on whose rank is not `before`; ranks that are come first.
    pub(super) fn starting(
        &self,
        before: impl Fn(&R) -> bool,
        ranking: &impl Ranking<T, Rank = R>,
    ) -> Items<'_, T, R> {
        let before = |rank: &R| {
            steps::count(1);
            before(rank)
        };
        let start = |items: &[T]| items.partition_point(|item| before(&ranking.rank(item)));
        match self {
            Self::One(item) if before(&ranking.rank(item)) => Items::of(&[], &[]),
            Self::One(item) => Items::of(core::slice::from_ref(item), &[]),
            Self::Few(items) => Items::of(&items[start(items)..], &[]),
            Self::Chunked(chunked) => {
                let chunks = &*chunked.chunks;
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
    pub(super) fn check_invariants(&self, ranking: &impl Ranking<T, Rank = R>) -> bool {
        let chunks_are_right = match self {
            Self::One(_) => true,
            Self::Few(items) => items.len() != 1 && items.len() <= most::<T>(),
            Self::Chunked(chunked) => {
                let lens = chunked.chunks.iter().map(|chunk| chunk.items.len());
                chunked.len == lens.sum::<usize>()
                    && chunked.chunks.iter().all(|chunk| {
                        let is_first = |item: &T| {
                            ranking.cmp(&ranking.rank(item), &chunk.first) == Ordering::Equal
                        };
                        chunk.items.len() <= most::<T>()
                            && chunk.items.first().is_some_and(is_first)
                    })
            }
        };
        let ranks = self.iter().map(|item| ranking.rank(item));
        let pairs = ranks.clone().zip(ranks.skip(1));
        chunks_are_right && pairs.into_iter().all(|(a, b)| ranking.is_less(&a, &b))
    }
}

/// Makes room for one more: half as much again.
#[inline]
fn reserve<T>(items: &mut Vec<T>) {
    if items.len() == items.capacity() {
        let room = most::<T>().saturating_sub(items.len()).max(1);
        items.reserve_exact((items.len() / 2 + 2).min(room));
    }
}

fn insert<T, R: Copy>(items: &mut Vec<T>, item: T, rank: R, ranking: &impl Ranking<T, Rank = R>) {
    reserve(items);
    let is_before = |other: &T| ranking.is_less(&ranking.rank(other), &rank);
    if items.last().is_none_or(is_before) {
        items.push(item);
    } else {
        let at = items.partition_point(is_before);
        items.insert(at, item);
    }
}

/// Takes an item out; says whether it was the first one.
fn remove<T>(items: &mut Vec<T>, is_it: impl Fn(&T) -> bool) -> Option<(bool, T)> {
    steps::count(items.len() / 16 + 1);
    let at = items.iter().position(is_it)?;
    Some((at == 0, take_at(items, at)))
}

#[inline]
fn take_at<T>(items: &mut Vec<T>, at: usize) -> T {
    let item = items.remove(at);
    if items.capacity() > 16 && items.capacity() > 4 * items.len() {
        items.shrink_to(2 * items.len());
    }
    item
}

impl<T, R: Copy> Chunked<T, R> {
    /// The chunk in which `rank` is, or into which it goes.
    fn chunk_of(&self, rank: R, ranking: &impl Ranking<T, Rank = R>) -> usize {
        let is_at_most = |chunk: &Chunk<T, R>| !ranking.is_less(&rank, &chunk.first);
        // Mostly what comes is the newest.
        if self.chunks.last().is_none_or(is_at_most) {
            return self.chunks.len() - 1;
        }
        let after = self.chunks.partition_point(is_at_most);
        after.saturating_sub(1)
    }

    fn insert(&mut self, item: T, rank: R, ranking: &impl Ranking<T, Rank = R>) {
        self.len += 1;
        let mut at = self.chunk_of(rank, ranking);
        if self.chunks[at].items.len() == most::<T>() {
            let ends = (self.chunks[at].items.last()).is_some_and(|last| {
                at + 1 == self.chunks.len() && ranking.is_less(&ranking.rank(last), &rank)
            });
            let begins = at == 0 && ranking.is_less(&rank, &self.chunks[0].first);
            if ends || begins {
                // At either end chunks stay full, as entries come in order.
                let at = if ends { at + 1 } else { 0 };
                self.chunks.insert(at, Chunk::of(item, rank));
                return;
            }
            self.split(at, ranking);
            if !ranking.is_less(&rank, &self.chunks[at + 1].first) {
                at += 1;
            }
        }
        let chunk = &mut self.chunks[at];
        if ranking.is_less(&rank, &chunk.first) {
            chunk.first = rank;
        }
        insert(&mut chunk.items, item, rank, ranking);
    }

    fn push(&mut self, item: T, rank: R) {
        self.len += 1;
        match self.chunks.last_mut() {
            Some(last) if last.items.len() < most::<T>() => {
                reserve(&mut last.items);
                last.items.push(item);
            }
            _ => self.chunks.push(Chunk::of(item, rank)),
        }
    }

    fn split(&mut self, at: usize, ranking: &impl Ranking<T, Rank = R>) {
        steps::count(self.chunks.len() / 16);
        let mut items = Vec::with_capacity(most::<T>());
        items.extend(self.chunks[at].items.drain(most::<T>() / 2..));
        let first = ranking.rank(&items[0]);
        self.chunks.insert(at + 1, Chunk { first, items });
    }

    fn remove(
        &mut self,
        rank: R,
        ranking: &impl Ranking<T, Rank = R>,
        is_it: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let at = self.chunk_of(rank, ranking);
        let chunk = &mut self.chunks[at];
        let (was_first, item) = remove(&mut chunk.items, is_it)?;
        self.len -= 1;
        match chunk.items.first() {
            None => {
                self.drop_chunk(at);
                return Some(item);
            }
            Some(first) if was_first => chunk.first = ranking.rank(first),
            Some(_) => {}
        }
        let next = at + 1;
        if chunk.items.len() < most::<T>() / 4
            && (self.chunks.get(next)).is_some_and(|next| {
                next.items.len() + self.chunks[at].items.len() <= most::<T>() / 2
            })
        {
            let next = self.drop_chunk(next);
            self.chunks[at].items.extend(next.items);
        }
        Some(item)
    }

    fn drop_chunk(&mut self, at: usize) -> Chunk<T, R> {
        steps::count(self.chunks.len() / 16);
        let chunk = self.chunks.remove(at);
        if self.chunks.capacity() > 4 * self.chunks.len() {
            self.chunks.shrink_to(2 * self.chunks.len());
        }
        chunk
    }
}

impl<T, R> Chunk<T, R> {
    fn of(item: T, first: R) -> Self {
        let mut items = Vec::with_capacity(most::<T>());
        items.push(item);
        Self { first, items }
    }
}

/// Items of an [`Order`], one after the other.
#[derive(Debug)]
pub(super) struct Items<'a, T, R> {
    items: core::slice::Iter<'a, T>,
    chunks: core::slice::Iter<'a, Chunk<T, R>>,
}

impl<'a, T, R> Items<'a, T, R> {
    fn of(items: &'a [T], chunks: &'a [Chunk<T, R>]) -> Self {
        Self {
            items: items.iter(),
            chunks: chunks.iter(),
        }
    }
}

impl<'a, T, R> Iterator for Items<'a, T, R> {
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

impl<T, R> Clone for Items<'_, T, R> {
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

    /// Ranks by number.
    struct Ranks(Vec<u64>);

    impl Ranking<usize> for Ranks {
        type Rank = u64;

        fn rank(&self, number: &usize) -> u64 {
            self.0[*number]
        }

        fn cmp(&self, a: &u64, b: &u64) -> Ordering {
            a.cmp(b)
        }
    }

    /// Numbers whose ranks come in that order, then leave in a scattered one.
    fn comes_and_goes(ranks: Vec<u64>) {
        let count = ranks.len();
        let ranks = Ranks(ranks);
        let mut order = Order::new();
        let mut oracle = BTreeMap::new();
        let mut worst = 0;
        for (number, &rank) in ranks.0.iter().enumerate() {
            let (steps, ()) = steps::of(|| order.insert(number, rank, &ranks));
            worst = worst.max(steps);
            oracle.insert(rank, number);
        }
        assert!(worst < 100, "{worst} steps for one of {count}");
        assert!(order.iter().eq(oracle.values()));
        assert_eq!(order.last(), oracle.values().next_back());
        for from in [0, 1, 700, 5000, 20_000, u64::MAX] {
            let expected = oracle.range(from..).map(|(_, number)| number);
            assert!(order.starting(|&rank| rank < from, &ranks).eq(expected));
        }
        for step in 0..count {
            let number = step * 7919 % count;
            let rank = ranks.0[number];
            let remove = || order.remove(|| rank, &ranks, |other| *other == number);
            let (steps, removed) = steps::of(remove);
            assert!(steps < 100, "{steps} steps for one of {count}");
            assert_eq!(removed, oracle.remove(&rank));
            let again = order.remove(|| rank, &ranks, |other| *other == number);
            assert_eq!(again, None);
            assert_eq!(order.len(), oracle.len());
            if step % 97 == 0 {
                assert!(order.iter().eq(oracle.values()));
                assert!(order.check_invariants(&ranks));
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
        order.insert(0, 0, &Ranks(Vec::from([0])));
        assert!(matches!(order, Order::One(0)));
    }

    #[test]
    fn an_item_may_be_replaced_anywhere() {
        for count in [1, 20, 500] {
            let ranks = Ranks((0..2 * count).map(|number| number % count).collect());
            let count = ranks.0.len() / 2;
            let mut order = Order::new();
            for number in 0..count {
                order.insert(number, ranks.rank(&number), &ranks);
            }
            for number in 0..count {
                let is_it = |other: &usize| *other == number;
                order.update(ranks.rank(&number), &ranks, is_it, |other| other + count);
            }
            let all: Vec<usize> = order.iter().copied().collect();
            assert_eq!(all, (count..2 * count).collect::<Vec<_>>());
            assert!(order.check_invariants(&ranks));
        }
    }
}

//! Numbers in order.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::slab::Id;
use crate::steps;

/// What the numbers of an [`Order`] are sorted by.
pub(super) trait Ranking {
    type Rank: Copy;

    fn rank(&self, id: Id) -> Self::Rank;

    fn cmp(&self, a: &Self::Rank, b: &Self::Rank) -> Ordering;

    fn is_less(&self, a: &Self::Rank, b: &Self::Rank) -> bool {
        steps::count(1);
        self.cmp(a, b) == Ordering::Less
    }
}

/// Numbers in the order of their ranks: four bytes each.
///
/// One lies in place, few in one allocation, many in chunks under a directory of
/// first ranks. So an insertion anywhere and a removal cost a search and the move of
/// a part of one chunk, in groups of any size, and adding what comes last is O(1).
///
/// # Invariants
///
/// - Ascending by rank; ranks are distinct.
/// - `Few` has at most [`CHUNK`] numbers. Chunks have as many, and are not empty.
/// - `first` is the rank of a chunk's first number.
#[derive(Clone, Debug)]
pub(super) enum Order<R> {
    One(Id),
    Few(Vec<Id>),
    Chunked(Box<Chunked<R>>),
}

#[derive(Clone, Debug)]
pub(super) struct Chunked<R> {
    len: usize,
    chunks: Vec<Chunk<R>>,
}

#[derive(Clone, Debug)]
struct Chunk<R> {
    first: R,
    ids: Vec<Id>,
}

/// Numbers in one allocation.
const CHUNK: usize = 128;

impl<R: Copy> Order<R> {
    pub(super) const fn new() -> Self {
        Self::Few(Vec::new())
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Few(ids) => ids.len(),
            Self::Chunked(chunked) => chunked.len,
        }
    }

    /// The last one.
    pub(super) fn last(&self) -> Option<Id> {
        match self {
            Self::One(id) => Some(*id),
            Self::Few(ids) => ids.last().copied(),
            Self::Chunked(chunked) => chunked.chunks.last()?.ids.last().copied(),
        }
    }

    /// Adds a number, which is not in it, under its rank.
    pub(super) fn insert(&mut self, id: Id, rank: R, ranking: &impl Ranking<Rank = R>) {
        match self {
            Self::Few(ids) if ids.is_empty() => *self = Self::One(id),
            Self::One(other) => {
                let mut ids = Vec::from([*other]);
                insert(&mut ids, id, rank, ranking);
                *self = Self::Few(ids);
            }
            Self::Few(ids) if ids.len() < CHUNK => insert(ids, id, rank, ranking),
            Self::Few(ids) => {
                let ids = core::mem::take(ids);
                let first = ranking.rank(ids[0]);
                let len = ids.len();
                let chunks = Vec::from([Chunk { first, ids }]);
                let mut chunked = Box::new(Chunked { len, chunks });
                chunked.insert(id, rank, ranking);
                *self = Self::Chunked(chunked);
            }
            Self::Chunked(chunked) => chunked.insert(id, rank, ranking),
        }
    }

    /// Adds a number behind all others, of which there are some.
    pub(super) fn push(&mut self, id: Id, rank: R, ranking: &impl Ranking<Rank = R>) {
        steps::count(1);
        match self {
            Self::One(other) => {
                let mut ids = Vec::with_capacity(4);
                ids.extend([*other, id]);
                *self = Self::Few(ids);
            }
            Self::Few(ids) if ids.len() < CHUNK => ids.push(id),
            Self::Few(_) => self.insert(id, rank, ranking),
            Self::Chunked(chunked) => chunked.push(id, rank),
        }
    }

    /// Takes a number out, which is in it under that rank.
    pub(super) fn remove(&mut self, id: Id, rank: R, ranking: &impl Ranking<Rank = R>) {
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
            Self::Chunked(chunked) => {
                chunked.remove(id, rank, ranking);
                if chunked.len <= CHUNK / 2 {
                    let chunks = core::mem::take(&mut chunked.chunks);
                    let ids = chunks.into_iter().flat_map(|chunk| chunk.ids);
                    *self = Self::Few(ids.collect());
                }
            }
        }
    }

    /// Gives the number of that rank another one.
    pub(super) fn replace(&mut self, old: Id, new: Id, rank: R, ranking: &impl Ranking<Rank = R>) {
        let ids = match self {
            Self::One(id) => core::slice::from_mut(id),
            Self::Few(ids) => ids,
            Self::Chunked(chunked) => {
                let at = chunked.chunk_of(rank, ranking);
                &mut chunked.chunks[at].ids
            }
        };
        steps::count(ids.len() / 16 + 1);
        if let Some(id) = ids.iter_mut().find(|id| **id == old) {
            *id = new;
        }
    }

    pub(super) fn iter(&self) -> Ids<'_, R> {
        match self {
            Self::One(id) => Ids::one(*id),
            Self::Few(ids) => Ids::of(ids, &[]),
            Self::Chunked(chunked) => Ids::of(&[], &chunked.chunks),
        }
    }

    /// From the first one on whose rank is not `before`; ranks that are come first.
    pub(super) fn starting(
        &self,
        before: impl Fn(&R) -> bool,
        ranking: &impl Ranking<Rank = R>,
    ) -> Ids<'_, R> {
        let before = |rank: &R| {
            steps::count(1);
            before(rank)
        };
        let start = |ids: &[Id]| ids.partition_point(|&id| before(&ranking.rank(id)));
        match self {
            Self::One(id) if before(&ranking.rank(*id)) => Ids::of(&[], &[]),
            Self::One(id) => Ids::one(*id),
            Self::Few(ids) => Ids::of(&ids[start(ids)..], &[]),
            Self::Chunked(chunked) => {
                let chunks = &*chunked.chunks;
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
    pub(super) fn check_invariants(&self, ranking: &impl Ranking<Rank = R>) -> bool {
        let chunks_are_right = match self {
            Self::One(_) => true,
            Self::Few(ids) => ids.len() != 1 && ids.len() <= CHUNK,
            Self::Chunked(chunked) => {
                let lens = chunked.chunks.iter().map(|chunk| chunk.ids.len());
                chunked.len == lens.sum::<usize>()
                    && chunked.chunks.iter().all(|chunk| {
                        let is_first = |&id: &Id| {
                            ranking.cmp(&ranking.rank(id), &chunk.first) == Ordering::Equal
                        };
                        chunk.ids.len() <= CHUNK && chunk.ids.first().is_some_and(is_first)
                    })
            }
        };
        let ranks = self.iter().map(|id| ranking.rank(id));
        let pairs = ranks.clone().zip(ranks.skip(1));
        chunks_are_right && pairs.into_iter().all(|(a, b)| ranking.is_less(&a, &b))
    }
}

fn insert<R: Copy>(ids: &mut Vec<Id>, id: Id, rank: R, ranking: &impl Ranking<Rank = R>) {
    let is_before = |&other: &Id| ranking.is_less(&ranking.rank(other), &rank);
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

impl<R: Copy> Chunked<R> {
    /// The chunk in which `rank` is, or into which it goes.
    fn chunk_of(&self, rank: R, ranking: &impl Ranking<Rank = R>) -> usize {
        let is_at_most = |chunk: &Chunk<R>| !ranking.is_less(&rank, &chunk.first);
        // Mostly what comes is the newest.
        if self.chunks.last().is_none_or(is_at_most) {
            return self.chunks.len() - 1;
        }
        let after = self.chunks.partition_point(is_at_most);
        after.saturating_sub(1)
    }

    fn insert(&mut self, id: Id, rank: R, ranking: &impl Ranking<Rank = R>) {
        self.len += 1;
        let mut at = self.chunk_of(rank, ranking);
        if self.chunks[at].ids.len() == CHUNK {
            let ends = (self.chunks[at].ids.last()).is_some_and(|&last| {
                at + 1 == self.chunks.len() && ranking.is_less(&ranking.rank(last), &rank)
            });
            let begins = at == 0 && ranking.is_less(&rank, &self.chunks[0].first);
            if ends || begins {
                // At either end chunks stay full, as entries come in order.
                let mut ids = Vec::with_capacity(CHUNK);
                ids.push(id);
                let chunk = Chunk { first: rank, ids };
                self.chunks.insert(if ends { at + 1 } else { 0 }, chunk);
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
        insert(&mut chunk.ids, id, rank, ranking);
    }

    fn push(&mut self, id: Id, rank: R) {
        self.len += 1;
        match self.chunks.last_mut() {
            Some(last) if last.ids.len() < CHUNK => last.ids.push(id),
            _ => {
                let mut ids = Vec::with_capacity(CHUNK);
                ids.push(id);
                self.chunks.push(Chunk { first: rank, ids });
            }
        }
    }

    fn split(&mut self, at: usize, ranking: &impl Ranking<Rank = R>) {
        steps::count(self.chunks.len() / 16);
        let mut ids = Vec::with_capacity(CHUNK);
        ids.extend(self.chunks[at].ids.drain(CHUNK / 2..));
        let first = ranking.rank(ids[0]);
        self.chunks.insert(at + 1, Chunk { first, ids });
    }

    fn remove(&mut self, id: Id, rank: R, ranking: &impl Ranking<Rank = R>) {
        self.len -= 1;
        let at = self.chunk_of(rank, ranking);
        let chunk = &mut self.chunks[at];
        let was_first = remove(&mut chunk.ids, id);
        match chunk.ids.first() {
            None => {
                self.drop_chunk(at);
                return;
            }
            Some(&first) if was_first => chunk.first = ranking.rank(first),
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

    fn drop_chunk(&mut self, at: usize) -> Chunk<R> {
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
pub(super) struct Ids<'a, R> {
    one: Option<Id>,
    ids: core::slice::Iter<'a, Id>,
    chunks: core::slice::Iter<'a, Chunk<R>>,
}

impl<'a, R> Ids<'a, R> {
    pub(super) fn one(id: Id) -> Self {
        let mut ids = Self::of(&[], &[]);
        ids.one = Some(id);
        ids
    }

    fn of(ids: &'a [Id], chunks: &'a [Chunk<R>]) -> Self {
        Self {
            one: None,
            ids: ids.iter(),
            chunks: chunks.iter(),
        }
    }
}

impl<R> Iterator for Ids<'_, R> {
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

impl<R> Clone for Ids<'_, R> {
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

    /// Ranks by number.
    struct Ranks(Vec<u64>);

    impl Ranking for Ranks {
        type Rank = u64;

        fn rank(&self, id: Id) -> u64 {
            self.0[id as usize]
        }

        fn cmp(&self, a: &u64, b: &u64) -> Ordering {
            a.cmp(b)
        }
    }

    /// Ids whose ranks come in that order, then leave in a scattered one.
    fn comes_and_goes(ranks: Vec<u64>) {
        let count = ranks.len();
        let ranks = Ranks(ranks);
        let mut order = Order::new();
        let mut oracle = BTreeMap::new();
        let mut worst = 0;
        for (id, &rank) in ranks.0.iter().enumerate() {
            let (steps, ()) = steps::of(|| order.insert(id as Id, rank, &ranks));
            worst = worst.max(steps);
            oracle.insert(rank, id as Id);
        }
        assert!(worst < 100, "{worst} steps for one of {count}");
        assert!(order.iter().eq(oracle.values().copied()));
        assert_eq!(order.last(), oracle.values().next_back().copied());
        for from in [0, 1, 700, 5000, 20_000, u64::MAX] {
            let expected = oracle.range(from..).map(|(_, &id)| id);
            assert!(order.starting(|&rank| rank < from, &ranks).eq(expected));
        }
        for step in 0..count {
            let id = step * 7919 % count;
            let (steps, ()) = steps::of(|| order.remove(id as Id, ranks.0[id], &ranks));
            assert!(steps < 100, "{steps} steps for one of {count}");
            oracle.remove(&ranks.0[id]);
            assert_eq!(order.len(), oracle.len());
            if step % 97 == 0 {
                assert!(order.iter().eq(oracle.values().copied()));
                assert!(order.check_invariants(&ranks));
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
        order.insert(0, 0, &Ranks(Vec::from([0])));
        assert!(matches!(order, Order::One(0)));
    }

    #[test]
    fn a_number_may_be_replaced_anywhere() {
        let ranks = Ranks((0..1000).map(|id| id % 500).collect());
        let mut order = Order::new();
        for id in 0..500 {
            order.insert(id, ranks.rank(id), &ranks);
        }
        for id in 0..500 {
            order.replace(id, id + 500, ranks.rank(id), &ranks);
        }
        assert!(order.iter().eq(500..1000) && order.check_invariants(&ranks));
    }
}

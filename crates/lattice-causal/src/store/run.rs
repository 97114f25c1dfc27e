//! The live dots of one replica, in clock order.

mod chunk;
mod iter;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;
use core::ops::RangeInclusive;

use smallvec::SmallVec;

use crate::clock_set::Sweep;
use crate::store::{Identify, Summary};
use crate::{ClockSet, dot_fingerprint};

use chunk::{CHUNK, Chunk, DotCell};
pub use iter::RunIter;

/// Two neighbours that hold no more together become one.
const SMALL: usize = CHUNK / 2;

/// The live dots of one replica with their values, in clock order.
///
/// A sorted vector of [chunks](Chunk), each with its own summary: a replica mints
/// ascending clocks, so nearly every insertion is an append, and reads and joins walk
/// memory in order; a late dot moves the cells of one chunk; the summary of a range is
/// that of the chunks in it and of the cells at its ends.
///
/// A run of one dot, as in the nested stores of a map, lies in place.
///
/// # Invariants
///
/// - Chunks hold their own invariants, ascend, and none is without a live cell.
/// - Two neighbours hold more than [`SMALL`] live cells together, so that the chunks are
///   in proportion to what lives.
/// - The summary is the sum of theirs.
#[derive(Debug)]
pub(crate) struct Run<V> {
    chunks: SmallVec<[Chunk<V>; 1]>,
    summary: Summary,
}

/// Where a cell is: its chunk, and its index in the chunk.
type Position = (usize, usize);

/// The chunk in proportion, if `clock` is not before all of them.
#[inline]
fn guess<V>(chunks: &[Chunk<V>], clock: u64) -> Option<usize> {
    let (first, last) = (chunks.first()?.first(), chunks.last()?.last());
    if clock < first {
        return None;
    }
    let end = chunks.len() - 1;
    if clock >= last || end == 0 {
        return Some(end);
    }
    // A clock has 53 bits: with up to 2^11 chunks the product fits.
    let scaled = match (clock - first).checked_mul(chunks.len() as u64) {
        Some(product) => product / (last - first + 1),
        None => (clock - first) / ((last - first) / end as u64).max(1),
    };
    Some(usize::try_from(scaled).map_or(end, |at| at.min(end)))
}

impl<V> Run<V> {
    pub(crate) const fn new() -> Self {
        Self {
            chunks: SmallVec::new_const(),
            summary: Summary::EMPTY,
        }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.summary.live == 0
    }

    pub(crate) const fn summary(&self) -> Summary {
        self.summary
    }

    fn last(&self) -> u64 {
        self.chunks.last().map_or(0, Chunk::last)
    }

    /// The chunk where `clock` is, if it is anywhere.
    ///
    /// As within a chunk, it is mostly at the position in proportion or beside it; a search
    /// by halves would look at ten chunks among a thousand, each a cache line of its own.
    #[inline]
    fn chunk_of(&self, clock: u64) -> Option<usize> {
        let chunks = &*self.chunks;
        let guess = guess(chunks, clock)?;
        let is_at = |at: usize| {
            let begins = chunks.get(at).is_some_and(|chunk| chunk.first() <= clock);
            begins && chunks.get(at + 1).is_none_or(|next| next.first() > clock)
        };
        let near = [guess, guess + 1, guess.wrapping_sub(1)];
        if let Some(at) = near.into_iter().find(|at| is_at(*at)) {
            return Some(at);
        }
        chunks
            .partition_point(|chunk| chunk.first() <= clock)
            .checked_sub(1)
    }

    /// The chunk that holds the clocks around `clock`, if one does. Between two chunks there
    /// is nothing.
    #[inline]
    fn chunk_around(&self, clock: u64) -> Option<usize> {
        let chunks = &*self.chunks;
        let holds = |chunk: &Chunk<V>| chunk.first() <= clock && clock <= chunk.last();
        let guess = guess(chunks, clock)?;
        // It says itself where it ends: the memory of its neighbour is mostly not needed.
        if chunks.get(guess).is_some_and(holds) {
            return Some(guess);
        }
        self.chunk_of(clock).filter(|at| holds(&chunks[*at]))
    }

    /// Looks at the memory near `clock`. No branch depends on what is there, so the
    /// processor waits for many of them at once. What comes back says nothing.
    #[inline]
    pub(crate) fn look(&self, clock: u64) -> u64 {
        let chunk = guess(&self.chunks, clock).and_then(|at| self.chunks.get(at));
        chunk.map_or(0, |chunk| chunk.look(clock))
    }

    /// The first cell whose clock is not below `clock`.
    fn position(&self, clock: u64) -> Position {
        let Some(at) = self.chunk_of(clock) else {
            return (0, 0);
        };
        let cell = self.chunks[at].search(clock).unwrap_or_else(|cell| cell);
        if cell == self.chunks[at].cells().len() {
            (at + 1, 0)
        } else {
            (at, cell)
        }
    }

    /// The cells whose clocks lie in `range`: the first one, and the one behind the last.
    fn positions(&self, range: &RangeInclusive<u64>) -> (Position, Position) {
        let behind = range.end().checked_add(1);
        let to = behind.map_or((self.chunks.len(), 0), |clock| self.position(clock));
        (self.position(*range.start()), to)
    }

    pub(crate) fn get(&self, clock: u64) -> Option<&V> {
        self.chunks[self.chunk_around(clock)?].get(clock)
    }

    /// Passes the live value under `clock` through `rewritten`, which keeps its
    /// identity; says whether there is one. O(log).
    pub(crate) fn rewrite(&mut self, clock: u64, rewritten: impl FnOnce(V) -> V) -> bool {
        let chunk = self.chunk_of(clock);
        chunk.is_some_and(|at| self.chunks[at].rewrite(clock, rewritten))
    }

    /// The intervals of `clocks` that reach into this run. Nested in a map, a run
    /// has few dots, and a context that all keys share has many intervals.
    pub(crate) fn reached_by<'a>(
        &self,
        clocks: &'a ClockSet,
    ) -> impl Iterator<Item = RangeInclusive<u64>> + use<'a, V> {
        let first = self.chunks.first().map(Chunk::first);
        let span = first.map(|first| first..=self.last());
        span.into_iter().flat_map(|span| clocks.overlapping(span))
    }

    pub(crate) fn iter(&self) -> RunIter<'_, V> {
        RunIter::whole(&self.chunks)
    }

    /// The live dots whose clocks lie in `range`: O(log) to find.
    pub(crate) fn range(&self, range: &RangeInclusive<u64>) -> RunIter<'_, V> {
        let (from, to) = self.positions(range);
        RunIter::between(&self.chunks, from, to)
    }

    /// The chunks that lie in `range` as a whole, between the dots before and behind them.
    fn by_chunks(
        &self,
        range: &RangeInclusive<u64>,
    ) -> (RunIter<'_, V>, &[Chunk<V>], RunIter<'_, V>) {
        let (from, to) = self.positions(range);
        if from.0 >= to.0 {
            let all = RunIter::between(&self.chunks, from, to);
            return (all, &[], RunIter::default());
        }
        let whole = from.0 + usize::from(from.1 > 0);
        let before = RunIter::between(&self.chunks, from, (whole, 0));
        let behind = RunIter::between(&self.chunks, (to.0, 0), to);
        (before, &self.chunks[whole..to.0], behind)
    }

    /// The summary of the live dots whose clocks lie in `range`: O(chunks in the range),
    /// and the cells of a chunk at either end.
    pub(crate) fn summary_in<I: Identify<V>>(&self, range: &RangeInclusive<u64>) -> Summary {
        let (before, chunks, behind) = self.by_chunks(range);
        let mut summary = Summary::EMPTY;
        for chunk in chunks {
            summary.merge(chunk.summary());
        }
        for (clock, value) in before.chain(behind) {
            summary.add(dot_fingerprint(clock, I::identity(value)));
        }
        summary
    }

    /// The clock of the live dot number `n` in `range`, from 0: O(chunks in the range),
    /// and the cells of one or two chunks.
    pub(crate) fn nth(&self, range: &RangeInclusive<u64>, mut n: usize) -> Option<u64> {
        let (before, chunks, behind) = self.by_chunks(range);
        for (clock, _) in before {
            if n == 0 {
                return Some(clock);
            }
            n -= 1;
        }
        for chunk in chunks {
            if n < chunk.live() {
                let mut live = RunIter::whole(core::slice::from_ref(chunk));
                return live.nth(n).map(|(clock, _)| clock);
            }
            n -= chunk.live();
        }
        behind.map(|(clock, _)| clock).nth(n)
    }

    /// Puts `value` under `clock`; a live value that was there comes back. O(1) at the
    /// end, otherwise O(cells of a chunk), and O(chunks) when a chunk is full.
    #[inline]
    pub(crate) fn insert<I: Identify<V>>(&mut self, clock: u64, value: V) -> Option<V> {
        if clock > self.last() {
            self.push::<I>(clock, value);
            return None;
        }
        let at = self.chunk_to_put::<I>(clock);
        let chunk = &mut self.chunks[at];
        self.summary.subtract_all(chunk.summary());
        let position = chunk.search(clock);
        let before = chunk.put::<I>(position, clock, value);
        self.summary.merge(chunk.summary());
        debug_assert!(self.check_ends());
        before
    }

    /// Adds a dot behind the last one.
    #[inline]
    fn push<I: Identify<V>>(&mut self, clock: u64, value: V) {
        let fingerprint = dot_fingerprint(clock, I::identity(&value));
        self.summary.add(fingerprint);
        if let Some(last) = self.chunks.last_mut() {
            if last.is_full() && last.live() <= CHUNK - CHUNK / 4 {
                last.compact();
            }
            if !last.is_full() {
                last.push(clock, value, fingerprint);
                return;
            }
        }
        // What follows a full chunk will mostly be another one.
        let capacity = if self.chunks.is_empty() { 1 } else { CHUNK };
        let mut chunk = Chunk::with_capacity(capacity);
        chunk.push(clock, value, fingerprint);
        self.chunks.push(chunk);
    }

    /// The chunk for a clock that is not behind the last one, with room for it.
    fn chunk_to_put<I: Identify<V>>(&mut self, clock: u64) -> usize {
        let at = self.chunk_of(clock).unwrap_or(0);
        let chunk = &mut self.chunks[at];
        if !chunk.is_full() || chunk.search(clock).is_ok() {
            return at;
        }
        chunk.compact();
        if !chunk.is_full() {
            return at;
        }
        if clock < chunk.first() {
            // Dots that come in descending order fill chunk after chunk.
            self.chunks.insert(0, Chunk::with_capacity(CHUNK));
            return 0;
        }
        let upper = chunk.split::<I>();
        let behind = clock > chunk.last();
        self.chunks.insert(at + 1, upper);
        at + usize::from(behind)
    }

    /// Takes the value under `clock` out, with its fingerprint: O(log), amortized over
    /// compactions.
    #[inline]
    pub(crate) fn remove<I: Identify<V>>(&mut self, clock: u64) -> Option<(V, u64)> {
        let at = self.chunk_around(clock)?;
        let chunk = &mut self.chunks[at];
        let (value, fingerprint) = chunk.remove::<I>(clock)?;
        self.summary.subtract(fingerprint);
        let live = chunk.live();
        if live <= SMALL && self.is_small(at, live) {
            self.unite(at.saturating_sub(1), (at + 2).min(self.chunks.len()));
        }
        debug_assert!(self.check_ends());
        Some((value, fingerprint))
    }

    /// Whether a chunk of so many live dots is none any more, or holds few together with a
    /// neighbour.
    fn is_small(&self, at: usize, live: usize) -> bool {
        let is_few = |other: &Chunk<V>| other.live() + live <= SMALL;
        live == 0
            || self.chunks.get(at + 1).is_some_and(is_few)
            || at > 0 && is_few(&self.chunks[at - 1])
    }

    /// Takes out every live value whose clock lies in `range` and that `dies`
    /// says: O(log + cells in the range).
    pub(crate) fn remove_where<I: Identify<V>>(
        &mut self,
        range: &RangeInclusive<u64>,
        mut dies: impl FnMut(u64, &V) -> bool,
        mut removed: impl FnMut(u64, V),
    ) {
        let (from, to) = self.positions(range);
        let before = self.summary.live;
        for at in from.0..self.chunks.len().min(to.0 + 1) {
            let chunk = &mut self.chunks[at];
            let first = if at == from.0 { from.1 } else { 0 };
            let behind = if at == to.0 {
                to.1
            } else {
                chunk.cells().len()
            };
            let gone = chunk.bury_where::<I>(first..behind, &mut dies, &mut removed);
            self.summary.subtract_all(gone);
        }
        if self.summary.live < before {
            self.rebalance(from.0, to.0.min(self.chunks.len() - 1));
        }
    }

    /// Restores the invariants of the chunks from one to another, both included, that
    /// may have lost cells.
    fn rebalance(&mut self, from: usize, to: usize) {
        let mut sparse = false;
        for chunk in &mut self.chunks[from..=to] {
            chunk.trim();
            sparse |= chunk.live() <= SMALL;
        }
        if sparse {
            self.unite(from.saturating_sub(1), (to + 2).min(self.chunks.len()));
        }
        debug_assert!(self.check_ends());
    }

    /// Drops the chunks of a stretch that are empty, and makes one of small neighbours.
    fn unite(&mut self, from: usize, to: usize) {
        let small = |a: &Chunk<V>, b: &Chunk<V>| a.live() + b.live() <= SMALL;
        let stretch = &self.chunks[from..to];
        let empty = stretch.iter().any(|chunk| chunk.live() == 0);
        if !empty && !stretch.windows(2).any(|pair| small(&pair[0], &pair[1])) {
            return;
        }
        let mut united = Vec::<Chunk<V>>::with_capacity(to - from);
        for chunk in self.chunks.drain(from..to) {
            match united.last_mut() {
                _ if chunk.live() == 0 => {}
                Some(last) if small(last, &chunk) => last.absorb(chunk),
                _ => united.push(chunk),
            }
        }
        self.chunks.insert_many(from, united);
        if self.chunks.capacity() > 4 * (self.chunks.len() + 1) {
            self.chunks.shrink_to_fit();
        }
    }

    /// Adds ascending dots, or gives those that are live another value; by how many the
    /// run grew comes back. What lies behind the last dot costs O(1) a dot, the others the
    /// chunks that they go into, and O(chunks) once.
    pub(crate) fn extend<I: Identify<V>>(
        &mut self,
        dots: impl IntoIterator<Item = (u64, V)>,
    ) -> usize {
        let before = self.summary.live;
        let mut late = Vec::new();
        for (clock, value) in dots {
            if clock > self.last() {
                self.push::<I>(clock, value);
            } else {
                let value = Some(value);
                late.push(DotCell { clock, value });
            }
        }
        self.weave::<I>(late);
        debug_assert!(self.check_ends());
        self.summary.live - before
    }

    /// Adds ascending cells, none of them behind the last one.
    fn weave<I: Identify<V>>(&mut self, late: Vec<DotCell<V>>) {
        if late.len() <= 1 {
            for DotCell { clock, value } in late {
                value.and_then(|value| self.insert::<I>(clock, value));
            }
            return;
        }
        let from = self.chunk_of(late[0].clock).unwrap_or(0);
        let tail: Vec<_> = self.chunks.drain(from..).collect();
        let mut tail = tail.into_iter().peekable();
        let mut late = late.into_iter().peekable();
        while let Some(chunk) = tail.next() {
            let next = tail.peek().map_or(u64::MAX, Chunk::first);
            if late.peek().is_none_or(|cell| cell.clock >= next) {
                self.chunks.push(chunk);
                continue;
            }
            self.summary.subtract_all(chunk.summary());
            let here = core::iter::from_fn(|| late.next_if(|cell| cell.clock < next));
            chunk.weave::<I>(here, |chunk| {
                self.summary.merge(chunk.summary());
                self.chunks.push(chunk);
            });
        }
    }

    /// Adds a copy of the dots of `other` whose clocks `seen` does not hold, and reports
    /// them in order; none of them is live here. A chunk of them that goes behind the
    /// last dot is copied as it is.
    pub(crate) fn extend_unseen<I: Identify<V>>(
        &mut self,
        other: &Self,
        mut seen: Sweep<'_>,
        mut added: impl FnMut(u64, &V),
    ) -> usize
    where
        V: Clone,
    {
        let before = self.summary.live;
        let mut late = Vec::new();
        for chunk in &other.chunks {
            let is_new = chunk.first() > self.last() && seen.misses(chunk.first()..=chunk.last());
            let dots = RunIter::whole(core::slice::from_ref(chunk));
            if is_new {
                dots.for_each(|(clock, value)| added(clock, value));
                self.append(chunk.clone());
                continue;
            }
            for (clock, value) in dots.filter(|(clock, _)| !seen.contains(*clock)) {
                added(clock, value);
                if clock > self.last() {
                    self.push::<I>(clock, value.clone());
                } else {
                    let value = Some(value.clone());
                    late.push(DotCell { clock, value });
                }
            }
        }
        self.weave::<I>(late);
        debug_assert!(self.check_ends());
        self.summary.live - before
    }

    /// Adds a copy of the dots of `other` whose clocks lie in `range`, which is behind
    /// the last dot.
    pub(crate) fn append_range<I: Identify<V>>(&mut self, other: &Self, range: &RangeInclusive<u64>)
    where
        V: Clone,
    {
        let (before, chunks, behind) = other.by_chunks(range);
        for (clock, value) in before {
            self.push::<I>(clock, value.clone());
        }
        for chunk in chunks {
            self.append(chunk.clone());
        }
        for (clock, value) in behind {
            self.push::<I>(clock, value.clone());
        }
        debug_assert!(self.check_ends());
    }

    /// Adds a chunk behind the last one.
    fn append(&mut self, chunk: Chunk<V>) {
        self.summary.merge(chunk.summary());
        match self.chunks.last_mut() {
            Some(last) if last.live() + chunk.live() <= SMALL => last.absorb(chunk),
            _ => self.chunks.push(chunk),
        }
    }

    /// What can be checked without looking at all dots.
    fn check_ends(&self) -> bool {
        self.chunks.is_empty() == self.is_empty()
            && self.chunks.first().is_none_or(Chunk::check_ends)
            && self.chunks.last().is_none_or(Chunk::check_ends)
    }

    pub(crate) fn check_invariants<I: Identify<V>>(&self) -> bool {
        let mut summary = Summary::EMPTY;
        for chunk in &self.chunks {
            summary.merge(chunk.summary());
        }
        let ascend = |pair: &[Chunk<V>]| pair[0].last() < pair[1].first();
        let filled = |pair: &[Chunk<V>]| pair[0].live() + pair[1].live() > SMALL;
        self.check_ends()
            && summary == self.summary
            && self.chunks.iter().all(Chunk::check_invariants::<I>)
            && self
                .chunks
                .windows(2)
                .all(|pair| ascend(pair) && filled(pair))
    }
}

/// A copy has no tombstones.
impl<V: Clone> Clone for Run<V> {
    fn clone(&self) -> Self {
        Self {
            chunks: self.chunks.clone(),
            summary: self.summary,
        }
    }
}

impl<V: PartialEq> PartialEq for Run<V> {
    fn eq(&self, other: &Self) -> bool {
        self.summary == other.summary && self.iter().eq(other.iter())
    }
}

impl<V: Eq> Eq for Run<V> {}

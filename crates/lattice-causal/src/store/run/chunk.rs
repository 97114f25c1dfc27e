//! A bounded part of a run.

use core::cmp::Ordering;
use core::ops::{Range, RangeInclusive};

use smallvec::SmallVec;

use crate::dot_fingerprint;
use crate::store::{Identify, Summary};

/// Cells of a chunk at most.
pub(super) const CHUNK: usize = 256;

/// Cells beside the position in proportion that are looked at before a search by halves.
const NEAR: usize = 8;

/// Tombstones that a small chunk may keep before it is compacted.
pub(super) const SLACK: usize = 8;

/// One clock with its value; a cell that lost its value is a *tombstone*.
#[derive(Clone, Debug)]
pub(super) struct DotCell<V> {
    pub(super) clock: u64,
    pub(super) value: Option<V>,
}

impl<V> DotCell<V> {
    fn fingerprint<I: Identify<V>>(&self) -> Option<u64> {
        let value = self.value.as_ref()?;
        Some(dot_fingerprint(self.clock, I::identity(value)))
    }
}

/// At most [`CHUNK`] cells, ascending, and the summary of the live ones.
///
/// A removal leaves a tombstone, so that it moves nothing, and positions go on following
/// from clocks.
///
/// # Invariants
///
/// - Clocks are strictly ascending; `first` and `last` are those at the ends.
/// - The last cell is live, but for a chunk that its run is about to drop.
/// - Tombstones are at most `live + SLACK`.
/// - The summary is that of the live cells.
#[derive(Debug)]
pub(super) struct Chunk<V> {
    first: u64,
    last: u64,
    summary: Summary,
    cells: SmallVec<[DotCell<V>; 1]>,
}

impl<V> Chunk<V> {
    /// A chunk without cells, with room for so many. It goes into no run before one is
    /// there.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            first: 0,
            last: 0,
            summary: Summary::EMPTY,
            cells: SmallVec::with_capacity(capacity),
        }
    }

    /// A chunk of ascending cells.
    fn of<I: Identify<V>>(cells: impl IntoIterator<Item = DotCell<V>>) -> Self {
        let mut chunk = Self::with_capacity(0);
        chunk.cells.extend(cells);
        chunk.recount::<I>();
        chunk
    }

    fn recount<I: Identify<V>>(&mut self) {
        self.summary = Summary::EMPTY;
        for cell in &self.cells {
            if let Some(fingerprint) = cell.fingerprint::<I>() {
                self.summary.add(fingerprint);
            }
        }
        self.refresh();
    }

    /// Restores `first` and `last`.
    fn refresh(&mut self) {
        self.first = self.cells.first().map_or(0, |cell| cell.clock);
        self.last = self.cells.last().map_or(0, |cell| cell.clock);
    }

    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    pub(super) const fn summary(&self) -> Summary {
        self.summary
    }

    pub(super) const fn live(&self) -> usize {
        self.summary.live
    }

    pub(super) fn cells(&self) -> &[DotCell<V>] {
        &self.cells
    }

    pub(super) fn is_full(&self) -> bool {
        self.cells.len() >= CHUNK
    }

    /// Where `clock` is, or where it would go.
    #[inline]
    pub(super) fn search(&self, clock: u64) -> Result<usize, usize> {
        search(&self.cells, self.first..=self.last, clock)
    }

    /// Looks at the memory near `clock`: the clock at the position in proportion.
    #[inline]
    pub(super) fn look(&self, clock: u64) -> u64 {
        let cells = &*self.cells;
        let (offset, span) = (clock.saturating_sub(self.first), self.last - self.first);
        let cell = cells.get(in_proportion(offset, span, cells.len().saturating_sub(1)));
        cell.map_or(0, |cell| cell.clock)
    }

    pub(super) fn rewrite(&mut self, clock: u64, rewritten: impl FnOnce(V) -> V) -> bool {
        let Ok(at) = self.search(clock) else {
            return false;
        };
        let cell = &mut self.cells[at];
        cell.value = cell.value.take().map(rewritten);
        cell.value.is_some()
    }

    pub(super) fn get(&self, clock: u64) -> Option<&V> {
        let at = self.search(clock).ok()?;
        self.cells[at].value.as_ref()
    }

    /// Adds a live cell behind the last one.
    #[inline]
    pub(super) fn push(&mut self, clock: u64, value: V, fingerprint: u64) {
        if self.cells.is_empty() {
            self.first = clock;
        }
        self.last = clock;
        let value = Some(value);
        self.cells.push(DotCell { clock, value });
        self.summary.add(fingerprint);
    }

    /// Puts a value where `clock` was searched; what was there comes back. A new cell
    /// needs a chunk that is not full.
    pub(super) fn put<I: Identify<V>>(
        &mut self,
        position: Result<usize, usize>,
        clock: u64,
        value: V,
    ) -> Option<V> {
        let fingerprint = dot_fingerprint(clock, I::identity(&value));
        let before = match position {
            Ok(at) => {
                let before = self.bury::<I>(at);
                self.cells[at].value = Some(value);
                before
            }
            Err(at) => {
                let value = Some(value);
                self.cells.insert(at, DotCell { clock, value });
                None
            }
        };
        self.summary.add(fingerprint);
        self.refresh();
        before.map(|(value, _)| value)
    }

    /// Takes the value of a cell out, with its fingerprint. [`trim`](Self::trim) comes
    /// after.
    #[inline]
    pub(super) fn bury<I: Identify<V>>(&mut self, at: usize) -> Option<(V, u64)> {
        let cell = &mut self.cells[at];
        let fingerprint = cell.fingerprint::<I>()?;
        let value = cell.value.take()?;
        self.summary.subtract(fingerprint);
        Some((value, fingerprint))
    }

    /// [`bury`](Self::bury) of every live cell among some that `dies` says; what is gone
    /// comes back.
    pub(super) fn bury_where<I: Identify<V>>(
        &mut self,
        cells: Range<usize>,
        mut dies: impl FnMut(u64, &V) -> bool,
        mut removed: impl FnMut(u64, V),
    ) -> Summary {
        let mut gone = Summary::EMPTY;
        for DotCell { clock, value } in &mut self.cells[cells] {
            if let Some(value) = value.take_if(|value| dies(*clock, value)) {
                gone.add(dot_fingerprint(*clock, I::identity(&value)));
                removed(*clock, value);
            }
        }
        self.summary.subtract_all(gone);
        gone
    }

    /// Takes the value under `clock` out, with its fingerprint. Mostly nothing else is to do
    /// after that, and no other cell is touched.
    #[inline]
    pub(super) fn remove<I: Identify<V>>(&mut self, clock: u64) -> Option<(V, u64)> {
        let cells = &mut *self.cells;
        let at = search(cells, self.first..=self.last, clock).ok()?;
        let fingerprint = cells[at].fingerprint::<I>()?;
        let value = cells[at].value.take()?;
        let len = cells.len();
        self.summary.subtract(fingerprint);
        let live = self.summary.live;
        if at + 1 == len || len - live > live + SLACK {
            self.trim();
        }
        Some((value, fingerprint))
    }

    /// Restores the invariants about tombstones, and gives memory back.
    pub(super) fn trim(&mut self) {
        let before = self.cells.len();
        while self.cells.last().is_some_and(|cell| cell.value.is_none()) {
            self.cells.pop();
        }
        if self.cells.len() - self.summary.live > self.summary.live + SLACK {
            self.cells.retain(|cell| cell.value.is_some());
        }
        if self.cells.len() < before {
            self.refresh();
            self.shrink();
        }
    }

    /// Drops the tombstones, all of them.
    pub(super) fn compact(&mut self) {
        if self.cells.len() > self.summary.live {
            self.cells.retain(|cell| cell.value.is_some());
            self.refresh();
        }
    }

    /// Gives memory back if most of it lies idle. Half of what stays is free, so that
    /// the next cells do not grow it.
    fn shrink(&mut self) {
        if self.cells.capacity() > 4 * (self.cells.len() + SLACK) {
            let mut cells = SmallVec::with_capacity(2 * self.cells.len());
            cells.extend(self.cells.drain(..));
            self.cells = cells;
        }
    }

    /// Cuts the upper half off.
    pub(super) fn split<I: Identify<V>>(&mut self) -> Self {
        let upper = Self::of::<I>(self.cells.drain(self.cells.len() / 2..));
        self.summary.live -= upper.summary.live;
        let of_upper = upper.summary.fingerprint;
        self.summary.fingerprint = self.summary.fingerprint.wrapping_sub(of_upper);
        self.refresh();
        upper
    }

    /// Takes in the chunk that follows.
    pub(super) fn absorb(&mut self, next: Self) {
        self.compact();
        let living = next.cells.into_iter().filter(|cell| cell.value.is_some());
        self.cells.extend(living);
        self.summary.merge(next.summary);
        self.refresh();
    }

    /// The chunk and ascending new cells as one sequence, in as many chunks as it takes.
    /// Where both have a clock, the new cell stays.
    pub(super) fn weave<I: Identify<V>>(
        self,
        new: impl Iterator<Item = DotCell<V>>,
        mut chunk: impl FnMut(Self),
    ) {
        let mut cells = SmallVec::<[DotCell<V>; 1]>::with_capacity(2 * self.cells.len());
        let mut old = self.cells.into_iter().filter(|cell| cell.value.is_some());
        let mut next = old.next();
        for cell in new {
            while let Some(before) = next.take_if(|before| before.clock < cell.clock) {
                cells.push(before);
                next = old.next();
            }
            if next.take_if(|before| before.clock == cell.clock).is_some() {
                next = old.next();
            }
            cells.push(cell);
        }
        cells.extend(next);
        cells.extend(old);
        let chunks = cells.len().div_ceil(CHUNK);
        let each = cells.len().div_ceil(chunks.max(1));
        let mut cells = cells.into_iter();
        for _ in 0..chunks {
            chunk(Self::of::<I>(cells.by_ref().take(each)));
        }
    }

    pub(super) fn check_invariants<I: Identify<V>>(&self) -> bool {
        let mut summary = Summary::EMPTY;
        for fingerprint in self.cells.iter().filter_map(DotCell::fingerprint::<I>) {
            summary.add(fingerprint);
        }
        self.check_ends()
            && summary == self.summary
            && self
                .cells
                .windows(2)
                .all(|pair| pair[0].clock < pair[1].clock)
    }

    /// What can be checked without looking at all cells.
    pub(super) fn check_ends(&self) -> bool {
        self.cells.len() <= CHUNK
            && self.cells.len() <= 2 * self.summary.live + SLACK
            && self.cells.capacity() <= CHUNK.max(4 * (self.cells.len() + SLACK))
            && self.cells.last().is_some_and(|cell| cell.value.is_some())
            && self
                .cells
                .first()
                .is_some_and(|cell| cell.clock == self.first)
            && self
                .cells
                .last()
                .is_some_and(|cell| cell.clock == self.last)
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.cells.capacity()
    }
}

/// Where `clock` is among ascending cells, or where it would go. The first and the last of
/// them are at the ends of `span`.
///
/// Without gaps it is as far from the first cell as its clock is from the first one. Gaps
/// are mostly spread evenly, so it is not far from the position in proportion.
#[inline]
fn search<V>(cells: &[DotCell<V>], span: RangeInclusive<u64>, clock: u64) -> Result<usize, usize> {
    let (first, last) = span.into_inner();
    if cells.is_empty() || clock < first {
        return Err(0);
    }
    if clock > last {
        return Err(cells.len());
    }
    let end = cells.len() - 1;
    let (offset, span) = (clock - first, last - first);
    let guess = in_proportion(offset, span, end);
    if span == end as u64 {
        return Ok(guess);
    }
    let there = cells[guess].clock;
    if there == clock {
        return Ok(guess);
    }
    // Again in proportion, from what is there: now it is mostly in the same cache line.
    let apart = there.abs_diff(clock) * end as u64 / span;
    let apart = usize::try_from(apart).unwrap_or(end);
    let near = if there < clock {
        (guess + apart).min(end)
    } else {
        guess.saturating_sub(apart)
    };
    search_near(cells, near, clock)
}

/// The position of a clock in proportion: the clock is `offset` behind the first of a range,
/// the last one is `span` behind it, and positions go up to `end`. Without gaps no division
/// is needed.
#[inline]
fn in_proportion(offset: u64, span: u64, end: usize) -> usize {
    // A clock has 53 bits and a position 8, so the product fits.
    let scaled = if span == end as u64 {
        offset
    } else {
        offset * end as u64 / span.max(1)
    };
    usize::try_from(scaled).map_or(end, |at| at.min(end))
}

/// Where `clock` is, or where it would go, from a position that is not far from it.
fn search_near<V>(cells: &[DotCell<V>], near: usize, clock: u64) -> Result<usize, usize> {
    let mut at = near;
    for _ in 0..NEAR {
        match cells[at].clock.cmp(&clock) {
            Ordering::Equal => return Ok(at),
            Ordering::Less if cells.get(at + 1).is_none_or(|next| next.clock > clock) => {
                return Err(at + 1);
            }
            Ordering::Less => at += 1,
            Ordering::Greater if at == 0 => return Err(0),
            Ordering::Greater if cells[at - 1].clock < clock => return Err(at),
            Ordering::Greater => at -= 1,
        }
    }
    cells.binary_search_by(|cell| cell.clock.cmp(&clock))
}

/// A copy has no tombstones.
impl<V: Clone> Clone for Chunk<V> {
    fn clone(&self) -> Self {
        let mut cells = SmallVec::with_capacity(self.summary.live);
        cells.extend(self.cells.iter().filter(|s| s.value.is_some()).cloned());
        let mut chunk = Self {
            first: 0,
            last: 0,
            summary: self.summary,
            cells,
        };
        chunk.refresh();
        chunk
    }
}

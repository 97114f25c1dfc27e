//! A bounded stretch of a run.

use core::cmp::Ordering;
use core::ops::Range;

use smallvec::SmallVec;

use crate::dot_fingerprint;
use crate::store::{Identify, Summary};

/// Slots of a chunk at most.
pub(super) const CHUNK: usize = 256;

/// Slots beside the place in proportion that are looked at before a search by halves.
const NEAR: usize = 8;

/// Tombstones that a small chunk may keep before it is compacted.
pub(super) const SLACK: usize = 8;

/// One clock with its value; a slot that lost its value is a *tombstone*.
#[derive(Clone, Debug)]
pub(super) struct Slot<V> {
    pub(super) clock: u64,
    pub(super) value: Option<V>,
}

impl<V> Slot<V> {
    fn fingerprint<I: Identify<V>>(&self) -> Option<u64> {
        let value = self.value.as_ref()?;
        Some(dot_fingerprint(self.clock, I::identity(value)))
    }
}

/// At most [`CHUNK`] slots, ascending, and the summary of the live ones.
///
/// A removal leaves a tombstone, so that it moves nothing, and places go on following
/// from clocks.
///
/// # Invariants
///
/// - Clocks are strictly ascending; `first` and `last` are those at the ends.
/// - The last slot is live, but for a chunk that its run is about to drop.
/// - Tombstones are at most `live + SLACK`.
/// - The summary is that of the live slots.
#[derive(Debug)]
pub(super) struct Chunk<V> {
    first: u64,
    last: u64,
    summary: Summary,
    slots: SmallVec<[Slot<V>; 1]>,
}

impl<V> Chunk<V> {
    /// A chunk without slots, with room for so many. It goes into no run before one is
    /// there.
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            first: 0,
            last: 0,
            summary: Summary::EMPTY,
            slots: SmallVec::with_capacity(capacity),
        }
    }

    /// A chunk of ascending slots.
    fn of<I: Identify<V>>(slots: impl IntoIterator<Item = Slot<V>>) -> Self {
        let mut chunk = Self::with_capacity(0);
        chunk.slots.extend(slots);
        chunk.recount::<I>();
        chunk
    }

    fn recount<I: Identify<V>>(&mut self) {
        self.summary = Summary::EMPTY;
        for slot in &self.slots {
            if let Some(fingerprint) = slot.fingerprint::<I>() {
                self.summary.add(fingerprint);
            }
        }
        self.refresh();
    }

    /// Restores `first` and `last`.
    fn refresh(&mut self) {
        self.first = self.slots.first().map_or(0, |slot| slot.clock);
        self.last = self.slots.last().map_or(0, |slot| slot.clock);
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

    pub(super) fn slots(&self) -> &[Slot<V>] {
        &self.slots
    }

    pub(super) fn is_full(&self) -> bool {
        self.slots.len() >= CHUNK
    }

    /// Where `clock` is, or where it would go.
    ///
    /// Without gaps it is as far from the first slot as its clock is from the first one.
    /// Gaps are mostly spread evenly, so it is not far from the place in proportion.
    pub(super) fn search(&self, clock: u64) -> Result<usize, usize> {
        if self.slots.is_empty() || clock < self.first {
            return Err(0);
        }
        if clock > self.last {
            return Err(self.slots.len());
        }
        // A clock has 53 bits and a place 8, so the product fits.
        let end = self.slots.len() - 1;
        let span = (self.last - self.first).max(1);
        let scaled = (clock - self.first) * end as u64 / span;
        let guess = usize::try_from(scaled).map_or(end, |at| at.min(end));
        let slots = &*self.slots;
        let there = slots[guess].clock;
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
        self.search_near(near, clock)
    }

    /// Where `clock` is, or where it would go, from a place that is not far from it.
    fn search_near(&self, near: usize, clock: u64) -> Result<usize, usize> {
        let slots = &*self.slots;
        let mut at = near;
        for _ in 0..NEAR {
            match slots[at].clock.cmp(&clock) {
                Ordering::Equal => return Ok(at),
                Ordering::Less if slots.get(at + 1).is_none_or(|next| next.clock > clock) => {
                    return Err(at + 1);
                }
                Ordering::Less => at += 1,
                Ordering::Greater if at == 0 => return Err(0),
                Ordering::Greater if slots[at - 1].clock < clock => return Err(at),
                Ordering::Greater => at -= 1,
            }
        }
        slots.binary_search_by(|slot| slot.clock.cmp(&clock))
    }

    pub(super) fn rewrite(&mut self, clock: u64, rewritten: impl FnOnce(V) -> V) -> bool {
        let Ok(at) = self.search(clock) else {
            return false;
        };
        let slot = &mut self.slots[at];
        slot.value = slot.value.take().map(rewritten);
        slot.value.is_some()
    }

    pub(super) fn get(&self, clock: u64) -> Option<&V> {
        let at = self.search(clock).ok()?;
        self.slots[at].value.as_ref()
    }

    /// Adds a live slot behind the last one.
    pub(super) fn push(&mut self, clock: u64, value: V, fingerprint: u64) {
        if self.slots.is_empty() {
            self.first = clock;
        }
        self.last = clock;
        let value = Some(value);
        self.slots.push(Slot { clock, value });
        self.summary.add(fingerprint);
    }

    /// Puts a value where `clock` was searched; what was there comes back. A new slot
    /// needs a chunk that is not full.
    pub(super) fn put<I: Identify<V>>(
        &mut self,
        place: Result<usize, usize>,
        clock: u64,
        value: V,
    ) -> Option<V> {
        let fingerprint = dot_fingerprint(clock, I::identity(&value));
        let before = match place {
            Ok(at) => {
                let before = self.bury::<I>(at);
                self.slots[at].value = Some(value);
                before
            }
            Err(at) => {
                let value = Some(value);
                self.slots.insert(at, Slot { clock, value });
                None
            }
        };
        self.summary.add(fingerprint);
        self.refresh();
        before.map(|(value, _)| value)
    }

    /// Takes the value of a slot out, with its fingerprint. [`tidy`](Self::tidy) comes
    /// after.
    pub(super) fn bury<I: Identify<V>>(&mut self, at: usize) -> Option<(V, u64)> {
        let slot = &mut self.slots[at];
        let fingerprint = slot.fingerprint::<I>()?;
        let value = slot.value.take()?;
        self.summary.subtract(fingerprint);
        Some((value, fingerprint))
    }

    /// [`bury`](Self::bury) of every live slot among some that `dies` says; what is gone
    /// comes back.
    pub(super) fn bury_where<I: Identify<V>>(
        &mut self,
        slots: Range<usize>,
        mut dies: impl FnMut(u64, &V) -> bool,
        mut removed: impl FnMut(u64, V),
    ) -> Summary {
        let mut gone = Summary::EMPTY;
        for Slot { clock, value } in &mut self.slots[slots] {
            if let Some(value) = value.take_if(|value| dies(*clock, value)) {
                gone.add(dot_fingerprint(*clock, I::identity(&value)));
                removed(*clock, value);
            }
        }
        self.summary.subtract_all(gone);
        gone
    }

    /// [`tidy`](Self::tidy) after that slot alone was buried: mostly there is nothing to do,
    /// and nothing is touched.
    #[inline]
    pub(super) fn tidy_at(&mut self, at: usize) {
        let (slots, live) = (self.slots.len(), self.summary.live);
        if at + 1 == slots || slots - live > live + SLACK {
            self.tidy();
        }
    }

    /// Restores the invariants about tombstones, and gives memory back.
    pub(super) fn tidy(&mut self) {
        let before = self.slots.len();
        while self.slots.last().is_some_and(|slot| slot.value.is_none()) {
            self.slots.pop();
        }
        if self.slots.len() - self.summary.live > self.summary.live + SLACK {
            self.slots.retain(|slot| slot.value.is_some());
        }
        if self.slots.len() < before {
            self.refresh();
            self.shrink();
        }
    }

    /// Drops the tombstones, all of them.
    pub(super) fn compact(&mut self) {
        if self.slots.len() > self.summary.live {
            self.slots.retain(|slot| slot.value.is_some());
            self.refresh();
        }
    }

    /// Gives memory back where most of it lies idle. Half of what stays is free, so that
    /// the next slots do not grow it.
    fn shrink(&mut self) {
        if self.slots.capacity() > 4 * (self.slots.len() + SLACK) {
            let mut slots = SmallVec::with_capacity(2 * self.slots.len());
            slots.extend(self.slots.drain(..));
            self.slots = slots;
        }
    }

    /// Cuts the upper half off.
    pub(super) fn split<I: Identify<V>>(&mut self) -> Self {
        let upper = Self::of::<I>(self.slots.drain(self.slots.len() / 2..));
        self.summary.live -= upper.summary.live;
        let of_upper = upper.summary.fingerprint;
        self.summary.fingerprint = self.summary.fingerprint.wrapping_sub(of_upper);
        self.refresh();
        upper
    }

    /// Takes in the chunk that follows.
    pub(super) fn absorb(&mut self, next: Self) {
        self.compact();
        let living = next.slots.into_iter().filter(|slot| slot.value.is_some());
        self.slots.extend(living);
        self.summary.merge(next.summary);
        self.refresh();
    }

    /// The chunk and ascending new slots as one sequence, in as many chunks as it takes.
    /// Where both have a clock, the new slot stays.
    pub(super) fn weave<I: Identify<V>>(
        self,
        new: impl Iterator<Item = Slot<V>>,
        mut chunk: impl FnMut(Self),
    ) {
        let mut slots = SmallVec::<[Slot<V>; 1]>::with_capacity(2 * self.slots.len());
        let mut old = self.slots.into_iter().filter(|slot| slot.value.is_some());
        let mut next = old.next();
        for slot in new {
            while let Some(before) = next.take_if(|before| before.clock < slot.clock) {
                slots.push(before);
                next = old.next();
            }
            if next.take_if(|before| before.clock == slot.clock).is_some() {
                next = old.next();
            }
            slots.push(slot);
        }
        slots.extend(next);
        slots.extend(old);
        let pieces = slots.len().div_ceil(CHUNK);
        let each = slots.len().div_ceil(pieces.max(1));
        let mut slots = slots.into_iter();
        for _ in 0..pieces {
            chunk(Self::of::<I>(slots.by_ref().take(each)));
        }
    }

    pub(super) fn check_invariants<I: Identify<V>>(&self) -> bool {
        let mut summary = Summary::EMPTY;
        for fingerprint in self.slots.iter().filter_map(Slot::fingerprint::<I>) {
            summary.add(fingerprint);
        }
        self.check_ends()
            && summary == self.summary
            && self
                .slots
                .windows(2)
                .all(|pair| pair[0].clock < pair[1].clock)
    }

    /// What can be checked without looking at all slots.
    pub(super) fn check_ends(&self) -> bool {
        self.slots.len() <= CHUNK
            && self.slots.len() <= 2 * self.summary.live + SLACK
            && self.slots.capacity() <= CHUNK.max(4 * (self.slots.len() + SLACK))
            && self.slots.last().is_some_and(|slot| slot.value.is_some())
            && self
                .slots
                .first()
                .is_some_and(|slot| slot.clock == self.first)
            && self
                .slots
                .last()
                .is_some_and(|slot| slot.clock == self.last)
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.slots.capacity()
    }
}

/// A copy has no tombstones.
impl<V: Clone> Clone for Chunk<V> {
    fn clone(&self) -> Self {
        let mut slots = SmallVec::with_capacity(self.summary.live);
        slots.extend(self.slots.iter().filter(|s| s.value.is_some()).cloned());
        let mut chunk = Self {
            first: 0,
            last: 0,
            summary: self.summary,
            slots,
        };
        chunk.refresh();
        chunk
    }
}

//! A hash table of small numbers that grows and shrinks line by line.

use alloc::boxed::Box;

use super::segments::Segments;
use crate::steps;

/// Numbers by the hash of what they stand for.
///
/// Linear hashing (Litwin, 1980): a bucket is one cache line of up to seven numbers
/// and their hashes, and what does not fit into it goes to lines behind it. When the
/// table is full, one bucket is split, the next one in turn, and when it is nearly
/// empty the last one is merged back. So no call moves more than one bucket, the room
/// follows the content both ways, and a look-up visits one line, mostly.
///
/// # Invariants
///
/// - A hash is in the bucket that [`bucket`](Self::bucket) names, or behind it.
/// - A line that has others behind it is full; no line behind another is empty.
#[derive(Clone, Debug)]
pub(super) struct Table {
    lines: Segments<Line, 8>,
    len: usize,
}

/// Numbers in one line.
const SLOTS: usize = 7;

/// Numbers per bucket, on average, above which one more bucket is made, and below
/// which there is one less.
const FULL: usize = 4;
const IDLE: usize = 1;

const EMPTY: u32 = u32::MAX;

/// 64 bytes: a cache line.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Line {
    hashes: [u32; SLOTS],
    codes: [u32; SLOTS],
    more: Option<Box<Line>>,
}

/// The places of a value, as bits: without branches, as a line is short.
fn places(words: &[u32; SLOTS], value: u32) -> u32 {
    let mut places = 0;
    for (at, &word) in words.iter().enumerate() {
        places |= u32::from(word == value) << at;
    }
    places
}

impl Line {
    const NEW: Self = Self {
        hashes: [0; SLOTS],
        codes: [EMPTY; SLOTS],
        more: None,
    };

    fn is_empty(&self) -> bool {
        self.codes[0] == EMPTY
    }

    /// How many numbers are in it: they lie at its beginning.
    fn len(&self) -> usize {
        let empty = places(&self.codes, EMPTY) | 1 << SLOTS;
        empty.trailing_zeros() as usize
    }

    fn put(&mut self, hash: u32, code: u32) {
        let mut line = self;
        loop {
            let at = line.len();
            if at < SLOTS {
                line.hashes[at] = hash;
                line.codes[at] = code;
                return;
            }
            line = line.more.get_or_insert_with(|| Box::new(Self::NEW));
        }
    }

    /// Takes the last number of the bucket out.
    fn pop(&mut self) -> Option<(u32, u32)> {
        if let Some(more) = &mut self.more {
            let last = more.pop();
            if more.is_empty() {
                self.more = None;
            }
            return last;
        }
        let at = self.len().checked_sub(1)?;
        let code = core::mem::replace(&mut self.codes[at], EMPTY);
        Some((self.hashes[at], code))
    }

    fn take(&mut self, code: u32) -> bool {
        steps::count(1);
        let found = places(&self.codes, code);
        if found != 0 {
            // The last one fills the hole, unless it is the one that goes.
            let at = found.trailing_zeros() as usize;
            if let Some((hash, last)) = self.pop()
                && last != code
            {
                self.hashes[at] = hash;
                self.codes[at] = last;
            }
            return true;
        }
        let Some(more) = &mut self.more else {
            return false;
        };
        let taken = more.take(code);
        if more.is_empty() {
            self.more = None;
        }
        taken
    }
}

impl Table {
    pub(super) const fn new() -> Self {
        Self {
            lines: Segments::new(),
            len: 0,
        }
    }

    /// The bucket of a hash where there are so many buckets, at least one: its low
    /// bits, as many as name a bucket.
    fn bucket(hash: u32, buckets: usize) -> usize {
        let mask = buckets.next_power_of_two() - 1;
        let at = hash as usize & mask;
        if at < buckets { at } else { at & mask >> 1 }
    }

    /// The number of that hash that `is_it` knows.
    pub(super) fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let at = Self::bucket(hash, self.lines.len().max(1));
        let mut line = self.lines.get(at);
        while let Some(Line {
            hashes,
            codes,
            more,
        }) = line
        {
            steps::count(1);
            let mut found = places(hashes, hash);
            while found != 0 {
                let code = codes[found.trailing_zeros() as usize];
                if code != EMPTY && is_it(code) {
                    return Some(code);
                }
                found &= found - 1;
            }
            line = more.as_deref();
        }
        None
    }

    /// Adds a number that is not in it.
    pub(super) fn insert(&mut self, hash: u32, code: u32) {
        self.len += 1;
        if self.len > FULL * self.lines.len() {
            self.split();
        }
        self.line(Self::bucket(hash, self.lines.len()))
            .put(hash, code);
    }

    fn line(&mut self, at: usize) -> &mut Line {
        match self.lines.get_mut(at) {
            Some(line) => line,
            None => unreachable!("a bucket has a line"),
        }
    }

    /// One bucket more: it takes half of the one that is next in turn.
    fn split(&mut self) {
        let new = self.lines.len();
        self.lines.push(Line::NEW);
        if new == 0 {
            return;
        }
        let from = new & (new + 1).next_power_of_two() - 1 >> 1;
        let old = core::mem::replace(self.line(from), Line::NEW);
        self.scatter(&old);
    }

    fn scatter(&mut self, old: &Line) {
        let mut line = Some(old);
        while let Some(old) = line {
            steps::count(1);
            for (&hash, &code) in old.hashes.iter().zip(&old.codes) {
                if code != EMPTY {
                    self.line(Self::bucket(hash, self.lines.len()))
                        .put(hash, code);
                }
            }
            line = old.more.as_deref();
        }
    }

    /// Takes a number out; says whether it was in it.
    pub(super) fn remove(&mut self, hash: u32, code: u32) -> bool {
        if self.len == 0 {
            return false;
        }
        let at = Self::bucket(hash, self.lines.len());
        let taken = self.line(at).take(code);
        self.len -= usize::from(taken);
        let lines = self.lines.len();
        // The last number may stay in the only line.
        let is_idle = self.len < IDLE * lines && (lines > 1 || self.len == 0);
        if is_idle && let Some(last) = self.lines.pop() {
            self.scatter(&last);
        }
        taken
    }

    /// Puts one number in the place of another.
    pub(super) fn replace(&mut self, hash: u32, old: u32, new: u32) {
        let at = Self::bucket(hash, self.lines.len().max(1));
        let mut line = self.lines.get_mut(at);
        while let Some(Line { codes, more, .. }) = line {
            if let Some(code) = codes.iter_mut().find(|code| **code == old) {
                *code = new;
                return;
            }
            line = more.as_deref_mut();
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_line_is_a_cache_line() {
        assert_eq!(size_of::<Line>(), 64);
    }

    /// Hashes that share their low bits, hashes that are equal, and others.
    fn hash(n: u32) -> u32 {
        match n % 5 {
            0 => 7,
            1 => n << 16,
            _ => n.wrapping_mul(0x9E37_79B9),
        }
    }

    #[test]
    fn it_finds_what_is_in_it_while_it_grows_and_shrinks() {
        let mut table = Table::new();
        let mut oracle = BTreeMap::new();
        for n in 0..2000_u32 {
            assert_eq!(table.find(hash(n), |code| code == n), None);
            table.insert(hash(n), n);
            oracle.insert(n, hash(n));
        }
        for n in (0..2000).step_by(3) {
            table.replace(hash(n), n, n + 10_000);
            oracle.remove(&n);
            oracle.insert(n + 10_000, hash(n));
        }
        let all: alloc::vec::Vec<_> = oracle.iter().map(|(&n, &hash)| (n, hash)).collect();
        for step in 0..all.len() {
            let (n, hash) = all[step * 7 % all.len()];
            assert_eq!(table.find(hash, |code| code == n), Some(n));
            assert!(table.remove(hash, n));
            assert!(!table.remove(hash, n), "{n} is gone");
            assert_eq!(table.len, all.len() - step - 1);
        }
        assert_eq!(table.lines.len(), 0);
    }

    #[test]
    fn buckets_are_filled_evenly_and_no_call_moves_more_than_a_few() {
        let mut table = Table::new();
        let mut worst = 0;
        for n in 0..100_000_u32 {
            let (steps, ()) = steps::of(|| table.insert(n.wrapping_mul(0x9E37_79B9), n));
            worst = worst.max(steps);
        }
        assert!(worst <= 4, "{worst} lines in one call");
        assert!(table.lines.len() * FULL >= 100_000 - FULL);
    }
}

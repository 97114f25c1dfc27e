//! A hash table that grows in steps.

use alloc::vec::Vec;

use hashbrown::hash_table::{Entry as Spot, HashTable};

use crate::steps;

/// What lies in a [`Table`] knows its hash.
pub(super) trait Hashed {
    fn hash(&self) -> u32;
}

/// The hash as a section wants it: its place comes from the low bits, its tag from the
/// high ones.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

fn rehash(bucket: &impl Hashed) -> u64 {
    spread(bucket.hash())
}

/// Counts what one bucket more costs a section.
fn count_growth<B>(section: &HashTable<B>) {
    let grows = section.len() == section.capacity();
    steps::count(if grows { section.len() / 8 + 1 } else { 1 });
}

/// Buckets by hash.
///
/// A large table that doubles would stop everything for the time that it takes to
/// move all of it, and stand half empty after it. So there are several, each for a
/// section of the hashes; the sections differ in width, so that they double one after the
/// other, and on the whole two thirds of the room are used, whatever the number.
#[derive(Clone, Debug)]
pub(super) struct Table<B> {
    /// None, one or [`SECTIONS`].
    sections: Vec<HashTable<B>>,
    len: usize,
}

const SECTIONS: usize = 64;

/// Buckets that one section holds alone.
const ALONE: usize = 2048;

/// Where the stretches of a section begin: the last one is twice as wide as the first.
const fn begin(section: usize) -> usize {
    11 * section + 5 * section * section / SECTIONS
}

/// The section of each stretch of hashes.
const SECTION_OF: [u8; 1024] = {
    let mut section_of = [0; 1024];
    let (mut at, mut section) = (0, 0);
    while at < section_of.len() {
        if at == begin(section + 1) {
            section += 1;
        }
        section_of[at] = section as u8;
        at += 1;
    }
    section_of
};

impl<B: Hashed> Table<B> {
    pub(super) const fn new() -> Self {
        Self {
            sections: Vec::new(),
            len: 0,
        }
    }

    fn section(hash: u32, sections: usize) -> usize {
        if sections < SECTIONS {
            return 0;
        }
        // Bits of their own: within a section, places and tags must differ.
        usize::from(SECTION_OF[(hash.wrapping_mul(0x9E37_79B1) >> 22) as usize])
    }

    #[cfg(test)]
    const fn len(&self) -> usize {
        self.len
    }

    /// The bucket of that hash that `is_it` knows.
    pub(super) fn find(&self, hash: u32, mut is_it: impl FnMut(&B) -> bool) -> Option<&B> {
        let section = self
            .sections
            .get(Self::section(hash, self.sections.len()))?;
        section.find(spread(hash), |bucket| {
            steps::count(1);
            bucket.hash() == hash && is_it(bucket)
        })
    }

    pub(super) fn find_mut(
        &mut self,
        hash: u32,
        mut is_it: impl FnMut(&B) -> bool,
    ) -> Option<&mut B> {
        let at = Self::section(hash, self.sections.len());
        self.sections.get_mut(at)?.find_mut(spread(hash), |bucket| {
            steps::count(1);
            bucket.hash() == hash && is_it(bucket)
        })
    }

    /// The bucket of the same hash that `is_it` knows; if there is none, `bucket` is
    /// added.
    pub(super) fn find_or_insert(
        &mut self,
        bucket: B,
        mut is_it: impl FnMut(&B) -> bool,
    ) -> Option<(B, &mut B)> {
        if self.sections.len() != SECTIONS {
            self.divide_if(self.len >= ALONE);
        }
        let hash = bucket.hash();
        let at = Self::section(hash, self.sections.len());
        let section = &mut self.sections[at];
        count_growth(section);
        let is_it = |other: &B| {
            steps::count(1);
            other.hash() == hash && is_it(other)
        };
        match section.entry(spread(hash), is_it, rehash) {
            Spot::Occupied(found) => Some((bucket, found.into_mut())),
            Spot::Vacant(spot) => {
                spot.insert(bucket);
                self.len += 1;
                None
            }
        }
    }

    /// Makes one section of all, or many of one.
    fn divide_if(&mut self, many: bool) {
        if many && self.sections.len() < SECTIONS {
            steps::count(self.len / 8);
            let alone = core::mem::take(&mut self.sections);
            self.sections.resize_with(SECTIONS, HashTable::new);
            for bucket in alone.into_iter().flatten() {
                let at = Self::section(bucket.hash(), SECTIONS);
                self.sections[at].insert_unique(rehash(&bucket), bucket, rehash);
            }
        } else if self.sections.is_empty() {
            self.sections.push(HashTable::new());
        }
    }

    /// Adds a bucket, of which no other one is the like.
    pub(super) fn insert_new(&mut self, bucket: B) {
        if self.sections.len() != SECTIONS {
            self.divide_if(self.len >= ALONE);
        }
        let at = Self::section(bucket.hash(), self.sections.len());
        let section = &mut self.sections[at];
        count_growth(section);
        section.insert_unique(rehash(&bucket), bucket, rehash);
        self.len += 1;
    }

    fn unite(&mut self) {
        let mut alone = HashTable::with_capacity(2 * self.len);
        for bucket in core::mem::take(&mut self.sections).into_iter().flatten() {
            alone.insert_unique(rehash(&bucket), bucket, rehash);
        }
        self.sections.push(alone);
    }

    /// Makes room for `more` buckets at once.
    pub(super) fn reserve(&mut self, more: usize) {
        if self.len + more <= ALONE && self.sections.len() < SECTIONS {
            self.divide_if(false);
            self.sections[0].reserve(more, rehash);
            return;
        }
        if more < ALONE {
            return;
        }
        self.divide_if(true);
        for (at, section) in self.sections.iter_mut().enumerate() {
            section.reserve(more * Self::width(at) / SECTION_OF.len(), rehash);
        }
    }

    const fn width(section: usize) -> usize {
        begin(section + 1) - begin(section)
    }

    /// Takes the bucket of that hash out that `is_it` knows.
    pub(super) fn take(&mut self, hash: u32, is_it: impl FnMut(&B) -> bool) -> Option<B> {
        self.take_if(hash, is_it, |_| true)
    }

    /// Takes the first bucket of that hash out that may be it, if it is.
    #[inline]
    pub(super) fn take_if(
        &mut self,
        hash: u32,
        mut may_be_it: impl FnMut(&B) -> bool,
        is_it: impl FnOnce(&B) -> bool,
    ) -> Option<B> {
        let at = Self::section(hash, self.sections.len());
        let section = self.sections.get_mut(at)?;
        let found = section.find_entry(spread(hash), |bucket| {
            steps::count(1);
            bucket.hash() == hash && may_be_it(bucket)
        });
        let found = found.ok()?;
        if !is_it(found.get()) {
            return None;
        }
        let (bucket, _) = found.remove();
        self.len -= 1;
        // Not the capacity, which does not count places that were taken.
        if section.len() < section.num_buckets() / 8 && section.num_buckets() > 16 {
            steps::count(section.num_buckets() / 8);
            section.shrink_to(2 * section.len(), rehash);
        }
        self.shrink();
        Some(bucket)
    }

    /// Gives the sections back that so few buckets do not need.
    #[inline]
    fn shrink(&mut self) {
        if self.len >= ALONE / 8 {
            return;
        }
        if self.len == 0 {
            self.sections = Vec::new();
        } else if self.sections.len() == SECTIONS {
            self.unite();
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &B> {
        self.sections.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;

    /// A number, and its hash.
    #[derive(Clone, Debug)]
    struct Numbered(u32, u32);

    impl Hashed for Numbered {
        fn hash(&self) -> u32 {
            self.1
        }
    }

    type Numbers = Table<Numbered>;

    #[test]
    fn every_part_is_used_and_the_last_one_is_twice_as_wide_as_the_first() {
        for section in 0..SECTIONS {
            let width = SECTION_OF
                .iter()
                .filter(|&&at| usize::from(at) == section)
                .count();
            assert_eq!(width, Numbers::width(section));
        }
        assert_eq!((Numbers::width(0), Numbers::width(SECTIONS - 1)), (11, 21));
        assert_eq!(begin(SECTIONS), SECTION_OF.len());
    }

    fn hash(n: u32) -> u32 {
        match n % 5 {
            0 => 7,
            1 => n << 16,
            _ => n.wrapping_mul(0x9E37_79B9),
        }
    }

    #[test]
    fn it_finds_what_is_in_it_while_it_grows_and_shrinks() {
        let mut table = Numbers::new();
        let mut oracle = BTreeMap::new();
        let find = |table: &Numbers, hash, n| Some(table.find(hash, |bucket| bucket.0 == n)?.0);
        // From one section to many, and back.
        for n in 0..3 * ALONE as u32 {
            assert_eq!(find(&table, hash(n), n), None);
            let bucket = Numbered(n, hash(n));
            let found = table.find_or_insert(bucket, |bucket| bucket.0 == n);
            assert!(found.is_none());
            let found = table.find_or_insert(Numbered(0, hash(n)), |bucket| bucket.0 == n);
            assert!(matches!(found, Some((Numbered(0, _), bucket)) if bucket.0 == n));
            oracle.insert(n, hash(n));
        }
        assert_eq!(table.sections.len(), SECTIONS);
        for n in (0..3 * ALONE as u32).step_by(3) {
            if let Some(bucket) = table.find_mut(hash(n), |bucket| bucket.0 == n) {
                bucket.0 += 10_000;
            }
            oracle.remove(&n);
            oracle.insert(n + 10_000, hash(n));
        }
        let all: Vec<_> = oracle.iter().map(|(&n, &hash)| (n, hash)).collect();
        for step in 0..all.len() {
            let (n, hash) = all[step * 7 % all.len()];
            assert_eq!(find(&table, hash, n), Some(n));
            assert!(table.take(hash, |bucket| bucket.0 == n).is_some());
            assert!(table.take(hash, |bucket| bucket.0 == n).is_none(), "{n}");
            assert_eq!(table.len(), all.len() - step - 1);
            assert_eq!(table.iter().count(), table.len());
        }
        assert!(table.sections.is_empty());
    }

    #[test]
    fn no_call_moves_more_than_a_part_and_the_room_follows_the_content() {
        let mut table = Numbers::new();
        let room = |table: &Numbers| {
            table
                .sections
                .iter()
                .map(HashTable::num_buckets)
                .sum::<usize>()
        };
        // A mixed sequence, as hashes are.
        let hash = |n: u32| (lattice_causal::dot_fingerprint(u64::from(n), 1) >> 20) as u32;
        let mut worst = 0;
        for n in 0..100_000_u32 {
            let (steps, _) = steps::of(|| {
                let bucket = Numbered(n, hash(n));
                table.find_or_insert(bucket, |_| false).is_some()
            });
            worst = worst.max(steps);
            let len = table.len;
            assert!(
                len < 10_000 || room(&table) < 9 * len / 5,
                "{}",
                room(&table)
            );
        }
        assert!(worst <= 400, "{worst} steps in one call");
        for n in 0..99_000_u32 {
            assert!(table.take(hash(n), |bucket| bucket.0 == n).is_some());
        }
        assert!(room(&table) <= 9000, "{}", room(&table));
    }
}

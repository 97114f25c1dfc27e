//! A hash table of small numbers that grows in steps.

use alloc::vec::Vec;

use hashbrown::hash_table::{self, HashTable};

use crate::steps;

/// Numbers by the hash of what they stand for.
///
/// A large table that doubles would stop everything for the time that it takes to
/// move all of it, and stand half empty after it. So there are several, each for a
/// section of the hashes; the sections differ in width, so that they double one after the
/// other, and on the whole two thirds of the room are used, whatever the number.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// None, one or [`SECTIONS`].
    sections: Vec<HashTable<Bucket>>,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    hash: u32,
    code: u32,
}

impl Bucket {
    /// The hash as a section wants it: its place comes from the low bits, its tag from
    /// the high ones.
    fn spread(hash: u32) -> u64 {
        u64::from(hash) << 32 | u64::from(hash)
    }

    fn rehash(&self) -> u64 {
        Self::spread(self.hash)
    }
}

const SECTIONS: usize = 64;

/// Numbers that one section holds alone.
const ALONE: usize = 256;

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

impl Table {
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

    /// The number of that hash that `is_it` knows.
    pub(super) fn find(&self, hash: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let section = self
            .sections
            .get(Self::section(hash, self.sections.len()))?;
        let found = section.find(Bucket::spread(hash), |bucket| {
            steps::count(1);
            bucket.hash == hash && is_it(bucket.code)
        });
        found.map(|bucket| bucket.code)
    }

    /// The number of that hash that `is_it` knows; where there is none, adds `code`.
    pub(super) fn find_or_insert(
        &mut self,
        hash: u32,
        code: u32,
        mut is_it: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        if self.sections.len() != SECTIONS {
            self.divide_if(self.len >= ALONE);
        }
        let at = Self::section(hash, self.sections.len());
        let section = &mut self.sections[at];
        steps::count(if section.len() == section.capacity() {
            section.len() / 8 + 1
        } else {
            1
        });
        let is_it = |bucket: &Bucket| {
            steps::count(1);
            bucket.hash == hash && is_it(bucket.code)
        };
        match section.entry(Bucket::spread(hash), is_it, Bucket::rehash) {
            hash_table::Entry::Occupied(found) => Some(found.get().code),
            hash_table::Entry::Vacant(vacant) => {
                vacant.insert(Bucket { hash, code });
                self.len += 1;
                None
            }
        }
    }

    /// Makes sure that there are sections: all of them where there will be many numbers.
    fn divide_if(&mut self, many: bool) {
        if many && self.sections.len() < SECTIONS {
            let alone = core::mem::take(&mut self.sections);
            self.sections.resize_with(SECTIONS, HashTable::new);
            for bucket in alone.into_iter().flatten() {
                let at = Self::section(bucket.hash, SECTIONS);
                self.sections[at].insert_unique(bucket.rehash(), bucket, Bucket::rehash);
            }
        } else if self.sections.is_empty() {
            self.sections.push(HashTable::new());
        }
    }

    /// One section is enough for what is left.
    fn unite(&mut self) {
        let mut alone = HashTable::with_capacity(2 * self.len);
        for bucket in core::mem::take(&mut self.sections).into_iter().flatten() {
            alone.insert_unique(bucket.rehash(), bucket, Bucket::rehash);
        }
        self.sections.push(alone);
    }

    /// Makes room for `more` numbers at once, if they are many.
    pub(super) fn reserve(&mut self, more: usize) {
        if more < ALONE {
            return;
        }
        self.divide_if(true);
        for (at, section) in self.sections.iter_mut().enumerate() {
            section.reserve(more * Self::width(at) / SECTION_OF.len(), Bucket::rehash);
        }
    }

    /// How many of the stretches of hashes are in a section.
    const fn width(section: usize) -> usize {
        begin(section + 1) - begin(section)
    }

    /// Takes a number out; says whether it was in it.
    pub(super) fn remove(&mut self, hash: u32, code: u32) -> bool {
        let at = Self::section(hash, self.sections.len());
        let Some(section) = self.sections.get_mut(at) else {
            return false;
        };
        let found = section.find_entry(Bucket::spread(hash), |bucket| {
            steps::count(1);
            bucket.code == code
        });
        let Ok(found) = found else {
            return false;
        };
        found.remove();
        self.len -= 1;
        // Not the capacity, which does not count places that were taken.
        if section.num_buckets() > 16 && section.len() < section.num_buckets() / 8 {
            steps::count(section.num_buckets() / 8);
            section.shrink_to(2 * section.len(), Bucket::rehash);
        }
        if self.len == 0 {
            self.sections = Vec::new();
        } else if self.len < ALONE / 8 && self.sections.len() == SECTIONS {
            self.unite();
        }
        true
    }

    /// Puts one number in the place of another.
    pub(super) fn replace(&mut self, hash: u32, old: u32, new: u32) {
        let at = Self::section(hash, self.sections.len());
        let section = self.sections.get_mut(at);
        let found = section.and_then(|section| {
            section.find_mut(Bucket::spread(hash), |bucket| bucket.code == old)
        });
        if let Some(bucket) = found {
            bucket.code = new;
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_section_is_used_and_the_last_one_is_twice_as_wide_as_the_first() {
        for section in 0..SECTIONS {
            let width = SECTION_OF
                .iter()
                .filter(|&&at| usize::from(at) == section)
                .count();
            assert_eq!(width, Table::width(section));
        }
        assert_eq!((Table::width(0), Table::width(SECTIONS - 1)), (11, 21));
        assert_eq!(begin(SECTIONS), SECTION_OF.len());
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
            assert_eq!(table.find_or_insert(hash(n), n, |code| code == n), None);
            let found = table.find_or_insert(hash(n), 0, |code| code == n);
            assert_eq!(found, Some(n));
            oracle.insert(n, hash(n));
        }
        for n in (0..2000).step_by(3) {
            table.replace(hash(n), n, n + 10_000);
            oracle.remove(&n);
            oracle.insert(n + 10_000, hash(n));
        }
        let all: Vec<_> = oracle.iter().map(|(&n, &hash)| (n, hash)).collect();
        for step in 0..all.len() {
            let (n, hash) = all[step * 7 % all.len()];
            assert_eq!(table.find(hash, |code| code == n), Some(n));
            assert!(table.remove(hash, n));
            assert!(!table.remove(hash, n), "{n} is gone");
            assert_eq!(table.len, all.len() - step - 1);
        }
        assert!(table.sections.is_empty());
    }

    #[test]
    fn no_call_moves_more_than_a_section_and_the_room_follows_the_content() {
        let mut table = Table::new();
        let room = |table: &Table| {
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
            let (steps, _) = steps::of(|| table.find_or_insert(hash(n), n, |_| false));
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
            assert!(table.remove(hash(n), n));
        }
        assert!(room(&table) <= 9000, "{}", room(&table));
    }
}

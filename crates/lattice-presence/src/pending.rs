//! Own dots that wait to be taken.

use alloc::collections::BTreeMap;

use lattice_causal::ClockSet;

/// A set of clocks that takes a new one in O(log), whatever the order: connections end
/// in none. A set of intervals would move half of itself for each.
///
/// # Invariants
///
/// No word is 0, or full.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    /// A bit a clock: the words by their place.
    words: BTreeMap<u64, Word>,
    /// The clocks of words that were full, which may come again: who never takes pays
    /// for few words.
    full: ClockSet,
}

type Word = u128;

/// Clocks of a word.
const WORD: u64 = Word::BITS as u64;

impl Pending {
    pub(crate) fn insert(&mut self, clock: u64) {
        let at = clock / WORD;
        let word = self.words.entry(at).or_default();
        *word |= 1 << (clock % WORD);
        if *word == Word::MAX {
            self.words.remove(&at);
            self.full.insert_range(at * WORD..=at * WORD + WORD - 1);
        }
    }

    /// The whole set; it is empty afterwards. O(clocks).
    pub(crate) fn take(&mut self) -> ClockSet {
        let words = core::mem::take(&mut self.words).into_iter();
        let clocks = words.flat_map(|(at, word)| {
            let set = (0..WORD).filter(move |bit| word >> bit & 1 == 1);
            set.map(move |bit| at * WORD + bit)
        });
        let mut taken = core::mem::take(&mut self.full);
        taken.extend(clocks);
        taken
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.full.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_set_whatever_the_order() {
        let mut pending = Pending::default();
        // 7919 is prime to 1000: every residue comes, in a scattered order.
        let clocks = (1..=1000).map(|i| i * 7919 % 1000 + 1);
        for clock in clocks.clone().chain(clocks) {
            pending.insert(clock);
        }
        assert!(!pending.is_empty() && pending.words.len() <= 2);
        assert_eq!(pending.take(), ClockSet::from(1..=1000));
        assert!(pending.is_empty() && pending.take().is_empty());
        for clock in [lattice_causal::MAX_CLOCK, 127, 128, 1] {
            pending.insert(clock);
        }
        let apart = [1, 127, 128, lattice_causal::MAX_CLOCK];
        assert_eq!(pending.take(), apart.into_iter().collect());
    }
}

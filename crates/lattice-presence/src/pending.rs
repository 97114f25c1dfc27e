//! Own dots that wait to be taken.

use alloc::vec::Vec;

use lattice_causal::ClockSet;

/// A set of clocks that takes a new one in O(log), amortized, whatever the order:
/// connections end in none. A set of intervals would move half of itself for each.
///
/// # Invariants
///
/// Words ascend by their place, and none is 0, or full.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending {
    /// What came last, in no order.
    recent: Vec<u64>,
    /// A bit a clock, with the place of each word.
    words: Vec<(u64, Word)>,
    /// The clocks of words that were full: who never takes pays for few words.
    full: ClockSet,
}

type Word = u128;

/// Clocks of a word.
const WORD: u64 = Word::BITS as u64;

/// Clocks that are sorted in at once: so many, or some for each word that is there.
const RECENT: usize = 128;
const FOR_EACH_WORD: usize = 8;

/// Clocks that are sorted in at once at most: more would be a pause.
const MOST: usize = 1 << 15;

impl Pending {
    #[inline]
    pub(crate) fn insert(&mut self, clock: u64) {
        if self.recent.len() >= (FOR_EACH_WORD * self.words.len()).clamp(RECENT, MOST) {
            self.sort_in();
        }
        self.recent.push(clock);
    }

    /// Makes words of what came last. O(those log those + words): each pays for as many
    /// words as there are clocks, so O(log) for a clock, in one stretch of memory.
    fn sort_in(&mut self) {
        let fresh = self.words_of_recent();
        let mut before = core::mem::take(&mut self.words).into_iter().peekable();
        let mut words = Vec::with_capacity(before.len() + 1);
        for (at, fresh) in fresh {
            while let Some(word) = before.next_if(|word| word.0 < at) {
                words.push(word);
            }
            let old = before.next_if(|word| word.0 == at);
            if self.full.contains(at * WORD) {
                continue;
            }
            match old.map_or(0, |word| word.1) | fresh {
                Word::MAX => self.full.insert_range(at * WORD..=at * WORD + WORD - 1),
                word => words.push((at, word)),
            }
        }
        words.extend(before);
        self.words = words;
    }

    /// What came last as words, ascending: it is empty afterwards. Clocks that lie close
    /// together, as they mostly do, need no sorting.
    fn words_of_recent(&mut self) -> Vec<(u64, Word)> {
        let places = self.recent.iter().map(|clock| clock / WORD);
        let (Some(first), Some(last)) = (places.clone().min(), places.max()) else {
            return Vec::new();
        };
        let bit = |clock: u64| (clock / WORD, 1 << (clock % WORD));
        let span = usize::try_from(last - first).unwrap_or(usize::MAX);
        let mut words: Vec<(u64, Word)>;
        if span < self.recent.len() {
            words = (first..=last).map(|at| (at, 0)).collect();
            for clock in self.recent.drain(..) {
                let (at, bit) = bit(clock);
                words[(at - first) as usize].1 |= bit;
            }
            words.retain(|word| word.1 != 0);
        } else {
            self.recent.sort_unstable();
            words = self.recent.drain(..).map(bit).collect();
            words.dedup_by(|later, word| {
                let same = later.0 == word.0;
                word.1 |= if same { later.1 } else { 0 };
                same
            });
        }
        words
    }

    /// The whole set; it is empty afterwards. O(clocks log clocks).
    pub(crate) fn take(&mut self) -> ClockSet {
        if !self.words.is_empty() {
            self.sort_in();
        }
        self.recent.sort_unstable();
        let words = core::mem::take(&mut self.words).into_iter();
        let clocks = words.flat_map(|(at, word)| {
            let set = (0..WORD).filter(move |bit| word >> bit & 1 == 1);
            set.map(move |bit| at * WORD + bit)
        });
        let mut taken = core::mem::take(&mut self.full);
        taken.extend(clocks);
        taken.extend(self.recent.drain(..));
        self.recent.shrink_to(RECENT);
        taken
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.words.is_empty() && self.full.is_empty()
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
        pending.sort_in();
        assert!(!pending.is_empty() && pending.words.len() <= 2);
        assert_eq!(pending.take(), ClockSet::from(1..=1000));
        assert!(pending.is_empty() && pending.take().is_empty());
        for clock in [lattice_causal::MAX_CLOCK, 127, 128, 1] {
            pending.insert(clock);
        }
        let apart = [1, 127, 128, lattice_causal::MAX_CLOCK];
        assert_eq!(pending.take(), apart.into_iter().collect());
        // Who joins and leaves before a delta is taken notes one clock twice.
        for clock in [7, 8, 7] {
            pending.insert(clock);
        }
        assert_eq!(pending.take(), ClockSet::from(7..=8));
    }
}

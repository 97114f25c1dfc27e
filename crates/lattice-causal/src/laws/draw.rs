//! Choices for generators, which can be made again and made simpler.

use alloc::vec::Vec;

use crate::dot_fingerprint;

/// What a generator asks when it has to choose. The same choices make the same
/// value again, fewer and smaller ones a simpler value: this is how a
/// [`Failure`](super::Failure) gets small without a shrinker for the type.
///
/// So a generator takes all that it does not know from here, and puts the simple
/// cases first: the choice 0 is the one that stays.
///
/// ```
/// use lattice_causal::laws::{Draw, Trials};
///
/// fn word(draw: &mut Draw) -> String {
///     let length = draw.below(4);
///     (0..length).map(|_| draw.pick(&['a', 'b', 'c'])).collect()
/// }
///
/// # #[derive(Clone, Debug, PartialEq)]
/// # struct Longest(String);
/// # impl lattice_causal::laws::Lattice for Longest {
/// #     fn join(&mut self, other: &Self) {
/// #         let key = |word: &Self| (word.0.len(), word.0.clone());
/// #         *self = if key(self) < key(other) { other.clone() } else { self.clone() };
/// #     }
/// # }
/// Trials::new(7).states(|draw| Longest(word(draw))).unwrap();
/// ```
#[derive(Debug)]
pub struct Draw {
    made: Vec<u64>,
    at: usize,
    /// Where new choices come from; without it they are 0.
    source: Option<u64>,
}

impl Draw {
    /// The choices `made`, and when these have come to their end new ones from
    /// `source`, or 0.
    pub(super) const fn new(made: Vec<u64>, source: Option<u64>) -> Self {
        Self {
            made,
            at: 0,
            source,
        }
    }

    /// All choices, the new ones included.
    pub(super) fn into_choices(self) -> Vec<u64> {
        self.made
    }

    /// A number below `bound`; 0 if `bound` is 0.
    ///
    /// ```
    /// # use lattice_causal::{VersionVector, laws::Trials};
    /// Trials::new(7).states(|draw| VersionVector::from_iter([('a', draw.below(9))])).unwrap();
    /// ```
    pub fn below(&mut self, bound: u64) -> u64 {
        let choice = match (self.made.get(self.at), self.source) {
            (Some(choice), _) => *choice,
            (None, None) => 0,
            (None, Some(source)) => dot_fingerprint(self.at as u64, source),
        };
        let choice = choice.checked_rem(bound).unwrap_or(0);
        if self.source.is_some() && self.at == self.made.len() {
            self.made.push(choice);
        }
        self.at += 1;
        choice
    }

    /// One of `from`.
    ///
    /// # Panics
    ///
    /// If `from` is empty.
    ///
    /// ```
    /// # use lattice_causal::{ClockSet, laws::Trials};
    /// Trials::new(7).states(|draw| ClockSet::from(1..=draw.pick(&[1, 2, 9]))).unwrap();
    /// ```
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let place = self.below(from.len() as u64);
        from[usize::try_from(place).unwrap_or(0)].clone()
    }
}

//! Questions about what a peer knows, and answers of bounded size.

use alloc::vec::Vec;
use core::fmt;

use crate::replica_map::ReplicaMap;
use crate::{Causal, CausalContext, ClockSet, DotStore};

/// What a state asks of a peer, replica by replica.
///
/// A [`Digest`](crate::Digest) says how much a state has seen and one fingerprint of
/// what it holds. If the fingerprints differ, it does not say which dots died. A
/// question does: it cuts the clocks of a replica into parts and gives the fingerprint
/// of each, and if a part is small it lists the dots that are held. The peer answers
/// with a delta and with the parts that still differ, which the next question cuts
/// again: range-based set reconciliation (Meyer, "Range-Based Set Reconciliation",
/// SRDS 2023). A dot that was lost among n costs O(log n) parts.
///
/// ```
/// use lattice_causal::Question;
///
/// assert!(Question::<&str>::new().is_empty());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Question<R> {
    replicas: ReplicaMap<R, Asked>,
}

/// What is asked of one replica.
///
/// ```
/// use lattice_causal::{Asked, ClockSet};
///
/// assert_eq!(Asked::default().seen, ClockSet::new());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// Every clock of the replica that the asker has seen, alive or not.
    pub seen: ClockSet,
    /// What the asker does not want to be told, though it has not seen it: it was
    /// pruned there. It is no claim.
    pub unwanted: ClockSet,
    /// What the asker holds, part by part: ascending, disjoint. What lies in no part
    /// is not asked about, but for what is not in `seen`.
    pub parts: Vec<Part>,
}

/// What an asker holds of one replica between two clocks, both included.
///
/// ```
/// use lattice_causal::{Held, Part};
///
/// let part = Part { first: 1, last: 9, held: Held::Fingerprint(0) };
/// assert!(part.first <= part.last);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The first clock of the part.
    pub first: u64,
    /// Its last clock.
    pub last: u64,
    /// What is held of it.
    pub held: Held,
}

impl Part {
    /// Whether the part is an interval of clocks, and lists none outside of it.
    #[cfg(feature = "serde")]
    pub(crate) fn is_valid(&self) -> bool {
        let inside = match &self.held {
            Held::Fingerprint(_) => true,
            Held::Dots { clocks, .. } => clocks.is_subset(&(self.first..=self.last).into()),
        };
        1 <= self.first && self.first <= self.last && self.last <= crate::MAX_CLOCK && inside
    }
}

/// What is held of a part.
///
/// ```
/// use lattice_causal::{ClockSet, Held};
///
/// assert_ne!(Held::Fingerprint(0), Held::Dots { clocks: ClockSet::new(), fingerprint: 0 });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Held {
    /// The sum of [`dot_fingerprint`](crate::dot_fingerprint) over its live dots.
    Fingerprint(u64),
    /// Its live dots, each, and their fingerprint.
    Dots {
        /// The clocks of the live dots.
        clocks: ClockSet,
        /// The sum of their fingerprints.
        fingerprint: u64,
    },
}

/// What a peer says to a [`Question`].
///
/// Merge `delta`. If `differs` is not empty, ask again about it, by
/// [`Causal::refine`]: the dialogue ends when nothing differs any more.
///
/// ```
/// use lattice_causal::{Answer, Causal, CausalContext, DotSet};
///
/// let nothing = Answer::<DotSet<&str>> {
///     delta: Causal::new(),
///     differs: CausalContext::new(),
///     more: false,
/// };
/// assert!(nothing.is_empty());
/// ```
pub struct Answer<S: DotStore> {
    /// What the asker lacks, as far as it is known by now.
    pub delta: Causal<S>,
    /// The clocks among which the two sides still differ: the question did not reveal
    /// how, or the answer was cut at its bound.
    pub differs: CausalContext<S::Replica>,
    /// Whether the answer was cut at its bound.
    pub more: bool,
}

impl<R> Question<R> {
    /// The question about nobody.
    ///
    /// ```
    /// assert!(lattice_causal::Question::<&str>::new().is_empty());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            replicas: ReplicaMap::new(),
        }
    }

    /// Whether nobody is asked about. O(1).
    ///
    /// ```
    /// assert!(lattice_causal::Question::<&str>::default().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.replicas.is_empty()
    }

    /// The replicas that are asked about, ascending.
    ///
    /// ```
    /// use lattice_causal::{Asked, Question};
    ///
    /// let mut question = Question::new();
    /// question.insert("a", Asked::default());
    /// assert_eq!(question.iter().map(|(replica, _)| *replica).collect::<Vec<_>>(), ["a"]);
    /// ```
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&R, &Asked)> + ExactSizeIterator {
        self.replicas.iter()
    }
}

impl<R: Ord> Question<R> {
    /// What is asked about `replica`. O(log replicas).
    ///
    /// ```
    /// assert_eq!(lattice_causal::Question::new().get(&"a"), None);
    /// ```
    #[must_use]
    pub fn get(&self, replica: &R) -> Option<&Asked> {
        self.replicas.get(replica)
    }

    /// Asks about `replica`, in place of what was asked about it.
    ///
    /// ```
    /// use lattice_causal::{Asked, Question};
    ///
    /// let mut question = Question::new();
    /// question.insert("a", Asked::default());
    /// assert_eq!(question.get(&"a"), Some(&Asked::default()));
    /// ```
    pub fn insert(&mut self, replica: R, asked: Asked) {
        self.replicas.insert(replica, asked);
    }
}

impl<R: Ord> FromIterator<(R, Asked)> for Question<R> {
    /// Of two lines for one replica the later one stays.
    fn from_iter<T: IntoIterator<Item = (R, Asked)>>(asks: T) -> Self {
        let replicas = asks.into_iter().collect();
        Self { replicas }
    }
}

impl<R> Default for Question<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: DotStore> Answer<S> {
    /// Whether it says nothing.
    ///
    /// ```
    /// use lattice_causal::{Causal, DotSet, Question};
    ///
    /// let answer = lattice_causal::Answer::<DotSet<&str>> {
    ///     delta: Causal::new(),
    ///     differs: lattice_causal::CausalContext::new(),
    ///     more: true,
    /// };
    /// assert!(!answer.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.delta.context().is_empty() && self.differs.is_empty() && !self.more
    }
}

impl<S: DotStore> Clone for Answer<S> {
    fn clone(&self) -> Self {
        Self {
            delta: self.delta.clone(),
            differs: self.differs.clone(),
            more: self.more,
        }
    }
}

impl<S: DotStore + PartialEq> PartialEq for Answer<S> {
    fn eq(&self, other: &Self) -> bool {
        self.delta == other.delta && self.differs == other.differs && self.more == other.more
    }
}

impl<S: DotStore + Eq> Eq for Answer<S> {}

impl<S: DotStore<Replica: fmt::Debug> + fmt::Debug> fmt::Debug for Answer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("delta", &self.delta)
            .field("differs", &self.differs)
            .field("more", &self.more)
            .finish()
    }
}

impl<R: fmt::Debug> fmt::Debug for Question<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

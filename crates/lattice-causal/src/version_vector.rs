//! Version vectors.

use core::cmp::Ordering;

use crate::replica_map::ReplicaMap;
use crate::{ClockExhausted, Dot, MAX_CLOCK};

/// How far each replica's events are known, without gaps: replica to clock.
///
/// It is the part of a [`CausalContext`](crate::CausalContext) that classic
/// causal delivery needs; replicas at 0 are not stored, so derived equality is
/// equality of meaning.
///
/// ```
/// use lattice_causal::VersionVector;
///
/// let mut a = VersionVector::new();
/// a.advance(&"a", 2);
/// let mut b = a.clone();
/// b.advance(&"b", 1);
/// assert!(a < b);
///
/// a.advance(&"a", 3);
/// assert_eq!(a.partial_cmp(&b), None); // concurrent
/// a.merge(&b);
/// assert_eq!((a.get(&"a"), a.get(&"b"), a.get(&"c")), (3, 1, 0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VersionVector<R> {
    clocks: ReplicaMap<R, u64>,
}

impl<R> Default for VersionVector<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> VersionVector<R> {
    /// The vector in which every replica is at 0.
    ///
    /// ```
    /// assert!(lattice_causal::VersionVector::<&str>::new().is_empty());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            clocks: ReplicaMap::new(),
        }
    }

    /// Whether every replica is at 0. O(1).
    ///
    /// ```
    /// let vector = lattice_causal::VersionVector::from_iter([("a", 1)]);
    /// assert!(!vector.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clocks.is_empty()
    }

    /// The replicas that are past 0, with their clocks, in replica order.
    ///
    /// ```
    /// let vector = lattice_causal::VersionVector::from_iter([("b", 2), ("a", 1)]);
    /// assert_eq!(vector.iter().collect::<Vec<_>>(), [(&"a", 1), (&"b", 2)]);
    /// ```
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&R, u64)> + ExactSizeIterator {
        self.clocks.iter().map(|(replica, &clock)| (replica, clock))
    }
}

impl<R: Clone + Ord> VersionVector<R> {
    /// The clock of `replica`, 0 if nothing of it is known. O(log replicas).
    ///
    /// ```
    /// let vector = lattice_causal::VersionVector::from_iter([("a", 4)]);
    /// assert_eq!(vector.get(&"a"), 4);
    /// ```
    #[must_use]
    pub fn get(&self, replica: &R) -> u64 {
        self.clocks.get(replica).copied().unwrap_or(0)
    }

    /// Raises `replica` to `clock`, capped at [`MAX_CLOCK`]; never lowers it.
    ///
    /// ```
    /// let mut vector = lattice_causal::VersionVector::new();
    /// vector.advance(&"a", 4);
    /// vector.advance(&"a", 3);
    /// assert_eq!(vector.get(&"a"), 4);
    /// ```
    pub fn advance(&mut self, replica: &R, clock: u64) {
        if clock > 0 {
            let at = self.clocks.get_or_insert_with(replica, || 0);
            *at = (*at).max(clock.min(MAX_CLOCK));
        }
    }

    /// The dot after the last known one of `replica`. Nothing is recorded.
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`] if the replica is at [`MAX_CLOCK`].
    ///
    /// ```
    /// use lattice_causal::{Dot, VersionVector};
    ///
    /// let vector = VersionVector::from_iter([("a", 4)]);
    /// assert_eq!(vector.next_dot(&"a"), Ok(Dot::new("a", 5)));
    /// ```
    pub fn next_dot(&self, replica: &R) -> Result<Dot<R>, ClockExhausted> {
        match self.get(replica) {
            MAX_CLOCK => Err(ClockExhausted),
            clock => Ok(Dot::new(replica.clone(), clock + 1)),
        }
    }

    /// Raises every replica to the greater clock of the two. O(replicas) if
    /// both know the same ones.
    ///
    /// ```
    /// use lattice_causal::VersionVector;
    ///
    /// let mut vector = VersionVector::from_iter([("a", 4), ("b", 1)]);
    /// vector.merge(&VersionVector::from_iter([("a", 2), ("b", 3)]));
    /// assert_eq!(vector, VersionVector::from_iter([("a", 4), ("b", 3)]));
    /// ```
    pub fn merge(&mut self, other: &Self) {
        for (replica, clock) in other.iter() {
            self.advance(replica, clock);
        }
    }
}

/// The product order: less or equal if every clock is. `None` if the two
/// are concurrent.
impl<R: Clone + Ord> PartialOrd for VersionVector<R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let mut order = Ordering::Equal;
        for (_, left, right) in self.clocks.zip(&other.clocks) {
            let (left, right) = (left.unwrap_or(&0), right.unwrap_or(&0));
            match (order, left.cmp(right)) {
                (_, Ordering::Equal) => {}
                (Ordering::Equal, step) => order = step,
                (so_far, step) if so_far == step => {}
                _ => return None,
            }
        }
        Some(order)
    }
}

impl<R: Clone + Ord> FromIterator<(R, u64)> for VersionVector<R> {
    fn from_iter<T: IntoIterator<Item = (R, u64)>>(clocks: T) -> Self {
        let mut vector = Self::new();
        for (replica, clock) in clocks {
            vector.advance(&replica, clock);
        }
        vector
    }
}

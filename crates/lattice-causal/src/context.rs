//! The causal context: every dot that a state has seen.

use core::cmp::Ordering;
use core::fmt;
use core::ops::RangeInclusive;

use crate::replica_map::ReplicaMap;
use crate::{ClockExhausted, ClockSet, Dot, MAX_CLOCK, VersionVector};

/// A set about less than a `FEW`th of another's replicas is looked up there, replica by
/// replica; two that are more alike are walked side by side.
const FEW: usize = 8;

/// The set of dots that a state has seen, alive or not.
///
/// Per replica it is one [`ClockSet`]: a contiguous prefix (the version vector
/// entry) and a cloud of later clocks, both held as intervals. Almeida, Shoker
/// and Baquero, "Delta state replicated data types" (2018), section 7.2,
/// describe the same set as a version vector and a cloud of single dots that
/// has to be compacted; here compaction is not an operation.
///
/// Costs are in *intervals*: a replica seen without gaps is one. Set operations
/// are linear in the intervals of both sides; look-ups are logarithmic.
///
/// # Invariants
///
/// No replica has an empty clock set, and each clock set is canonical, so equal
/// sets of dots are equal values.
///
/// ```
/// use lattice_causal::{CausalContext, Dot};
///
/// let mut seen = CausalContext::new();
/// seen.insert_range("a", 1..=3);
/// seen.insert(Dot::new("a", 9));
/// seen.insert(Dot::new("b", 1));
///
/// assert!(seen.contains(&Dot::new("a", 2)));
/// assert!(!seen.contains(&Dot::new("a", 4)));
/// assert_eq!(seen.next_dot(&"a"), Ok(Dot::new("a", 10)));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CausalContext<R> {
    replicas: ReplicaMap<R, ClockSet>,
}

impl<R> Default for CausalContext<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> CausalContext<R> {
    /// The context that has seen nothing.
    ///
    /// ```
    /// assert!(lattice_causal::CausalContext::<&str>::new().is_empty());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            replicas: ReplicaMap::new(),
        }
    }

    /// Whether nothing was seen. O(1).
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// assert!(!CausalContext::from_iter([Dot::new("a", 1)]).is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.replicas.is_empty()
    }

    /// How many intervals hold the set, over all replicas: its size in memory.
    /// O(replicas).
    ///
    /// ```
    /// use lattice_causal::{CausalContext, MAX_CLOCK};
    ///
    /// let mut seen = CausalContext::new();
    /// seen.insert_range("a", 1..=999);
    /// seen.insert_range("a", 1001..=MAX_CLOCK);
    /// assert_eq!(seen.interval_count(), 2);
    /// ```
    #[must_use]
    pub fn interval_count(&self) -> usize {
        self.iter().map(|(_, seen)| seen.interval_count()).sum()
    }

    /// The replicas of which something was seen, ascending.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// let seen = CausalContext::from_iter([Dot::new("b", 1), Dot::new("a", 1)]);
    /// assert_eq!(seen.replicas().collect::<Vec<_>>(), [&"a", &"b"]);
    /// ```
    pub fn replicas(&self) -> impl DoubleEndedIterator<Item = &R> + ExactSizeIterator {
        self.replicas.iter().map(|(replica, _)| replica)
    }

    /// Each replica with its seen clocks, in replica order.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, ClockSet, Dot};
    ///
    /// let seen = CausalContext::from_iter([Dot::new("a", 1), Dot::new("a", 2)]);
    /// assert_eq!(seen.iter().collect::<Vec<_>>(), [(&"a", &ClockSet::from(1..=2))]);
    /// ```
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&R, &ClockSet)> + ExactSizeIterator {
        self.replicas.iter()
    }

    /// Every dot, in dot order. A claimed range is as long as it says: prefer
    /// [`iter`](Self::iter) for a context that a peer sent.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// let seen = CausalContext::from_iter([Dot::new("b", 1), Dot::new("a", 2)]);
    /// let dots: Vec<_> = seen.dots().collect();
    /// assert_eq!(dots, [Dot::new("a", 2), Dot::new("b", 1)]);
    /// ```
    pub fn dots(&self) -> impl Iterator<Item = Dot<R>>
    where
        R: Clone,
    {
        self.iter().flat_map(|(replica, seen)| {
            seen.clocks()
                .map(move |clock| Dot::new(replica.clone(), clock))
        })
    }

    fn check_invariants(&self) -> bool {
        self.iter().all(|(_, seen)| !seen.is_empty())
    }
}

impl<R: Clone + Ord> CausalContext<R> {
    /// Keeps the replicas for which `keep` says so; of the others nothing was
    /// seen any more.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// let mut seen = CausalContext::from_iter([Dot::new("b", 1), Dot::new("a", 2)]);
    /// seen.retain(|replica| *replica != "a");
    /// assert_eq!(seen, CausalContext::from_iter([Dot::new("b", 1)]));
    /// ```
    pub fn retain(&mut self, mut keep: impl FnMut(&R) -> bool) {
        self.replicas.retain(|replica, _| keep(replica));
    }

    /// The clocks seen of `replica`; `None` if there are none.
    /// O(log replicas).
    ///
    /// ```
    /// use lattice_causal::{CausalContext, ClockSet, Dot};
    ///
    /// let seen = CausalContext::from_iter([Dot::new("a", 1)]);
    /// assert_eq!(seen.get(&"a"), Some(&ClockSet::from(1..=1)));
    /// assert_eq!(seen.get(&"b"), None);
    /// ```
    #[must_use]
    pub fn get(&self, replica: &R) -> Option<&ClockSet> {
        self.replicas.get(replica)
    }

    /// Whether `dot` was seen. O(log replicas + log intervals).
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// let seen = CausalContext::from_iter([Dot::new("a", 1)]);
    /// assert!(seen.contains(&Dot::new("a", 1)));
    /// ```
    #[must_use]
    pub fn contains(&self, dot: &Dot<R>) -> bool {
        self.contains_clock(&dot.replica, dot.clock)
    }

    /// [`contains`](Self::contains) for a dot in two parts.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// let seen = CausalContext::from_iter([Dot::new("a", 1)]);
    /// assert!(!seen.contains_clock(&"a", 2));
    /// ```
    #[must_use]
    pub fn contains_clock(&self, replica: &R, clock: u64) -> bool {
        self.get(replica).is_some_and(|seen| seen.contains(clock))
    }

    /// `n`, where `1..=n` is the longest prefix seen of `replica`.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// let seen = CausalContext::from_iter([Dot::new("a", 1), Dot::new("a", 3)]);
    /// assert_eq!(seen.prefix(&"a"), 1);
    /// ```
    #[must_use]
    pub fn prefix(&self, replica: &R) -> u64 {
        self.get(replica).map_or(0, ClockSet::prefix)
    }

    /// The prefixes of all replicas: what is known without gaps.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot, VersionVector};
    ///
    /// let seen = CausalContext::from_iter([Dot::new("a", 1), Dot::new("a", 3)]);
    /// assert_eq!(seen.version_vector(), VersionVector::from_iter([("a", 1)]));
    /// ```
    #[must_use]
    pub fn version_vector(&self) -> VersionVector<R> {
        self.iter()
            .map(|(replica, seen)| (replica.clone(), seen.prefix()))
            .collect()
    }

    /// The intervals seen of `replica` behind its prefix.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// let seen = CausalContext::from_iter([Dot::new("a", 1), Dot::new("a", 3)]);
    /// assert_eq!(seen.cloud(&"a").collect::<Vec<_>>(), [3..=3]);
    /// ```
    pub fn cloud(&self, replica: &R) -> impl DoubleEndedIterator<Item = RangeInclusive<u64>> + '_ {
        self.get(replica).into_iter().flat_map(ClockSet::cloud)
    }

    /// The greatest clock seen of `replica`, 0 if nothing was.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// let seen = CausalContext::from_iter([Dot::new("a", 1), Dot::new("a", 3)]);
    /// assert_eq!(seen.max(&"a"), 3);
    /// ```
    #[must_use]
    pub fn max(&self, replica: &R) -> u64 {
        self.get(replica).map_or(0, ClockSet::max)
    }

    /// The dot that `replica` mints next: one past the greatest clock ever seen
    /// of it. It is not recorded; gaps below it stay unseen.
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`] if [`MAX_CLOCK`] was seen.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// let seen = CausalContext::from_iter([Dot::new("a", 1), Dot::new("a", 3)]);
    /// assert_eq!(seen.next_dot(&"a"), Ok(Dot::new("a", 4)));
    /// assert_eq!(seen.next_dot(&"b"), Ok(Dot::new("b", 1)));
    /// ```
    #[inline]
    pub fn next_dot(&self, replica: &R) -> Result<Dot<R>, ClockExhausted> {
        match self.max(replica) {
            MAX_CLOCK => Err(ClockExhausted),
            max => Ok(Dot::new(replica.clone(), max + 1)),
        }
    }

    /// Records `dot` as seen; true if it is news. A clock outside
    /// `1..=MAX_CLOCK` is no dot: false, nothing changed.
    ///
    /// O(log replicas) for the next dot of a known replica, otherwise
    /// O(replicas + intervals of the replica).
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// let mut seen = CausalContext::new();
    /// assert!(seen.insert(Dot::new("a", 1)));
    /// assert!(!seen.insert(Dot::new("a", 1)));
    /// assert!(!seen.insert(Dot::new("a", 0)));
    /// ```
    pub fn insert(&mut self, dot: Dot<R>) -> bool {
        self.insert_clock(&dot.replica, dot.clock)
    }

    /// [`insert`](Self::insert) for a dot in two parts: clones the replica only
    /// if it is unknown.
    ///
    /// ```
    /// use lattice_causal::CausalContext;
    ///
    /// let mut seen = CausalContext::new();
    /// assert!(seen.insert_clock(&"a", 1));
    /// assert!(!seen.insert_clock(&"a", 1));
    /// ```
    #[inline]
    pub fn insert_clock(&mut self, replica: &R, clock: u64) -> bool {
        if let Some(seen) = self.replicas.get_mut(replica) {
            return seen.insert(clock);
        }
        let seen = ClockSet::from(clock..=clock);
        let news = !seen.is_empty();
        if news {
            self.replicas.insert(replica.clone(), seen);
        }
        news
    }

    /// Records every clock of `range` that lies in `1..=MAX_CLOCK` as seen of
    /// `replica`, whatever the length of the range in one step.
    ///
    /// ```
    /// use lattice_causal::CausalContext;
    ///
    /// let mut seen = CausalContext::new();
    /// seen.insert_range("a", 1..=1_000_000);
    /// assert_eq!(seen.max(&"a"), 1_000_000);
    /// ```
    pub fn insert_range(&mut self, replica: R, range: RangeInclusive<u64>) {
        self.insert_set(replica, &ClockSet::from(range));
    }

    /// Records `clocks` as seen of `replica`. O(intervals of both).
    ///
    /// ```
    /// use lattice_causal::{CausalContext, ClockSet};
    ///
    /// let mut seen = CausalContext::new();
    /// seen.insert_set("a", &ClockSet::from(1..=4));
    /// seen.insert_set("b", &ClockSet::new());
    /// assert_eq!(seen.replicas().collect::<Vec<_>>(), [&"a"]);
    /// ```
    pub fn insert_set(&mut self, replica: R, clocks: &ClockSet) {
        if clocks.is_empty() {
            return;
        }
        match self.replicas.get_mut(&replica) {
            Some(seen) => seen.union_with(clocks),
            None => {
                self.replicas.insert(replica, clocks.clone());
            }
        }
    }

    /// Forgets `replica`; what was seen of it comes back.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, ClockSet, Dot};
    ///
    /// let mut seen = CausalContext::from_iter([Dot::new("a", 1)]);
    /// assert_eq!(seen.remove(&"a"), Some(ClockSet::from(1..=1)));
    /// assert!(seen.is_empty());
    /// ```
    pub fn remove(&mut self, replica: &R) -> Option<ClockSet> {
        self.replicas.remove(replica)
    }

    /// Records every dot of `other` as seen: the join of contexts. Linear in the
    /// intervals of both; if `other` is about few of the replicas, of these.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// let mut seen = CausalContext::from_iter([Dot::new("a", 1)]);
    /// seen.merge(&CausalContext::from_iter([Dot::new("a", 2), Dot::new("b", 1)]));
    /// assert_eq!((seen.prefix(&"a"), seen.prefix(&"b")), (2, 1));
    /// ```
    pub fn merge(&mut self, other: &Self) {
        if other.replicas.len() > self.replicas.len() / FEW {
            *self = self.union(other);
            return;
        }
        for (replica, theirs) in other.iter() {
            match self.replicas.get_mut(replica) {
                Some(mine) => mine.union_with(theirs),
                None => {
                    self.replicas.insert(replica.clone(), theirs.clone());
                }
            }
        }
    }

    /// The dots seen by either. Linear in the intervals of both.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// let a = CausalContext::from_iter([Dot::new("a", 1)]);
    /// let b = CausalContext::from_iter([Dot::new("b", 1)]);
    /// assert_eq!(a.union(&b).dots().count(), 2);
    /// ```
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        self.combine(other, |mine, theirs| match (mine, theirs) {
            (Some(mine), Some(theirs)) => mine.union(theirs),
            (one, None) | (None, one) => one.cloned().unwrap_or_default(),
        })
    }

    /// The dots seen by both. Linear in the intervals of both; if one is about few of
    /// the other's replicas, of these.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// let a = CausalContext::from_iter([Dot::new("a", 1), Dot::new("a", 2)]);
    /// let b = CausalContext::from_iter([Dot::new("a", 2), Dot::new("b", 1)]);
    /// assert_eq!(a.intersection(&b), CausalContext::from_iter([Dot::new("a", 2)]));
    /// ```
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (few, many) = if self.replicas.len() < other.replicas.len() {
            (self, other)
        } else {
            (other, self)
        };
        if few.replicas.len() <= many.replicas.len() / FEW {
            let common = few.iter().filter_map(|(replica, clocks)| {
                let common = clocks.intersection(many.get(replica)?);
                Some((replica.clone(), common))
            });
            return common.collect();
        }
        self.combine(other, |mine, theirs| match (mine, theirs) {
            (Some(mine), Some(theirs)) => mine.intersection(theirs),
            _ => ClockSet::new(),
        })
    }

    /// The dots seen here and not by `other`. Linear in the intervals of both.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// let a = CausalContext::from_iter([Dot::new("a", 1), Dot::new("a", 2)]);
    /// let b = CausalContext::from_iter([Dot::new("a", 2), Dot::new("b", 1)]);
    /// assert_eq!(a.difference(&b), CausalContext::from_iter([Dot::new("a", 1)]));
    /// ```
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        self.combine(other, |mine, theirs| match (mine, theirs) {
            (Some(mine), Some(theirs)) => mine.difference(theirs),
            (Some(mine), None) => mine.clone(),
            (None, _) => ClockSet::new(),
        })
    }

    /// Whether every dot that `other` has seen was seen here. Linear in the
    /// intervals of both.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot};
    ///
    /// let a = CausalContext::from_iter([Dot::new("a", 1), Dot::new("a", 2)]);
    /// let b = CausalContext::from_iter([Dot::new("a", 2)]);
    /// assert!(a.dominates(&b) && !b.dominates(&a));
    /// ```
    #[must_use]
    pub fn dominates(&self, other: &Self) -> bool {
        self.replicas
            .zip(&other.replicas)
            .all(|(_, mine, theirs)| match (mine, theirs) {
                (_, None) => true,
                (None, Some(_)) => false,
                (Some(mine), Some(theirs)) => theirs.is_subset(mine),
            })
    }

    fn combine(
        &self,
        other: &Self,
        mut clocks: impl FnMut(Option<&ClockSet>, Option<&ClockSet>) -> ClockSet,
    ) -> Self {
        let replicas = self
            .replicas
            .zip(&other.replicas)
            .map(|(replica, mine, theirs)| (replica, clocks(mine, theirs)))
            .filter(|(_, clocks)| !clocks.is_empty())
            .map(|(replica, clocks)| (replica.clone(), clocks))
            .collect();
        let combined = Self { replicas };
        debug_assert!(combined.check_invariants());
        combined
    }
}

/// Set inclusion. `None` if each has seen a dot that the other has not: the
/// two are concurrent.
impl<R: Clone + Ord> PartialOrd for CausalContext<R> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.dominates(other), other.dominates(self)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => None,
        }
    }
}

impl<R: Clone + Ord> FromIterator<Dot<R>> for CausalContext<R> {
    fn from_iter<T: IntoIterator<Item = Dot<R>>>(dots: T) -> Self {
        let mut context = Self::new();
        for dot in dots {
            context.insert(dot);
        }
        context
    }
}

impl<R: Clone + Ord> FromIterator<(R, ClockSet)> for CausalContext<R> {
    /// A replica named twice has seen both sets.
    fn from_iter<T: IntoIterator<Item = (R, ClockSet)>>(replicas: T) -> Self {
        let some = |(_, clocks): &(R, ClockSet)| !clocks.is_empty();
        let pairs = replicas.into_iter().filter(some);
        let replicas = ReplicaMap::from_pairs(pairs, |seen, more| seen.union_with(more));
        Self { replicas }
    }
}

impl<R: fmt::Debug> fmt::Debug for CausalContext<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

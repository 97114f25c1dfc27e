//! Dots that carry nothing.

use core::fmt;
use core::ops::RangeInclusive;

use super::{DotFun, DotStore, Observer, Summary};
use crate::{CausalContext, ClockSet, Dot};

/// Live dots and nothing else: the paper's `DotSet`.
///
/// ```
/// use lattice_causal::{Dot, DotSet};
///
/// let mut store = DotSet::new();
/// assert!(store.insert(&Dot::new("a", 1)));
/// assert!(!store.insert(&Dot::new("a", 1)));
/// assert_eq!(store.iter().collect::<Vec<_>>(), [Dot::new("a", 1)]);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DotSet<R> {
    dots: DotFun<R, ()>,
}

impl<R> DotSet<R> {
    /// The store without dots.
    ///
    /// ```
    /// assert!(lattice_causal::DotSet::<&str>::new().is_empty());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            dots: DotFun::new(),
        }
    }

    #[cfg(feature = "serde")]
    pub(crate) const fn as_dot_fun(&self) -> &DotFun<R, ()> {
        &self.dots
    }

    /// How many dots are live. O(1).
    ///
    /// ```
    /// use lattice_causal::{Dot, DotSet};
    ///
    /// assert_eq!(DotSet::from_iter([Dot::new("a", 1)]).len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.dots.len()
    }

    /// Whether no dot is live. O(1).
    ///
    /// ```
    /// assert!(lattice_causal::DotSet::<&str>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dots.is_empty()
    }

    /// The live dots, in dot order.
    ///
    /// ```
    /// use lattice_causal::{Dot, DotSet};
    ///
    /// let store = DotSet::from_iter([Dot::new("b", 1), Dot::new("a", 2)]);
    /// let dots: Vec<_> = store.iter().collect();
    /// assert_eq!(dots, [Dot::new("a", 2), Dot::new("b", 1)]);
    /// ```
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Dot<R>> + Clone
    where
        R: Clone,
    {
        self.dots
            .iter()
            .map(|(replica, clock, ())| Dot::new(replica.clone(), clock))
    }
}

impl<R: Clone + Ord> DotSet<R> {
    /// Whether `dot` is live.
    ///
    /// ```
    /// use lattice_causal::{Dot, DotSet};
    ///
    /// assert!(!DotSet::new().contains(&Dot::new("a", 1)));
    /// ```
    #[must_use]
    pub fn contains(&self, dot: &Dot<R>) -> bool {
        self.dots.contains(dot)
    }

    /// Makes `dot` live; true if it was not. A clock outside
    /// `1..=MAX_CLOCK` is no dot.
    ///
    /// ```
    /// use lattice_causal::{Dot, DotSet};
    ///
    /// assert!(DotSet::new().insert(&Dot::new("a", 1)));
    /// assert!(!DotSet::new().insert(&Dot::new("a", 0)));
    /// ```
    pub fn insert(&mut self, dot: &Dot<R>) -> bool {
        let before = self.len();
        self.dots.insert(dot, ());
        self.len() > before
    }

    /// Ends the life of `dot`; true if it was live.
    ///
    /// ```
    /// use lattice_causal::{Dot, DotSet};
    ///
    /// let mut store = DotSet::from_iter([Dot::new("a", 1)]);
    /// assert!(store.remove(&Dot::new("a", 1)));
    /// assert!(!store.remove(&Dot::new("a", 1)));
    /// ```
    pub fn remove(&mut self, dot: &Dot<R>) -> bool {
        self.dots.remove(dot).is_some()
    }
}

impl<R: Clone + Ord> DotStore for DotSet<R> {
    type Replica = R;
    type Key = ();
    type Leaf = ();
    type Path = ();

    fn is_empty(&self) -> bool {
        self.dots.is_empty()
    }

    fn summary(&self, replica: &R) -> Summary {
        self.dots.summary(replica)
    }

    fn summary_in(&self, replica: &R, clocks: &ClockSet) -> Summary {
        self.dots.summary_in(replica, clocks)
    }

    fn live(&self, replica: &R) -> ClockSet {
        self.dots.live(replica)
    }

    fn live_in(&self, replica: &R, clocks: &ClockSet) -> ClockSet {
        self.dots.live_in(replica, clocks)
    }

    fn nth_live(&self, replica: &R, range: RangeInclusive<u64>, n: usize) -> Option<u64> {
        self.dots.nth_live(replica, range, n)
    }

    fn dots(&self) -> CausalContext<R> {
        self.dots.dots()
    }

    fn select(&self, chosen: &CausalContext<R>) -> Self {
        Self {
            dots: self.dots.select(chosen),
        }
    }

    fn remove_replica(&mut self, replica: &R) {
        self.dots.remove_replica(replica);
    }

    fn fingerprint(clock: u64, leaf: &()) -> u64 {
        DotFun::<R, ()>::fingerprint(clock, leaf)
    }

    fn join<O: Observer<Self>>(
        &mut self,
        mine: &CausalContext<R>,
        other: &Self,
        theirs: &CausalContext<R>,
        observer: &mut O,
    ) {
        self.dots
            .join(mine, &other.dots, theirs, &mut AsDotFun(observer));
    }
}

/// Passes on what the inner store reports.
struct AsDotFun<'a, O>(&'a mut O);

impl<R: Clone + Ord, O: Observer<DotSet<R>>> Observer<DotFun<R, ()>> for AsDotFun<'_, O> {
    const EXPECTS: bool = O::EXPECTS;

    fn added(&mut self, replica: &R, clock: u64, key: impl FnOnce(), leaf: &()) {
        self.0.added(replica, clock, key, leaf);
    }

    fn removed(&mut self, replica: &R, clock: u64, key: impl FnOnce(), leaf: ()) {
        self.0.removed(replica, clock, key, leaf);
    }

    fn expect(&mut self, replica: &R, dying: &[(u64, &())]) {
        self.0.expect(replica, dying);
    }
}

impl<R> Default for DotSet<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Clone + Ord> FromIterator<Dot<R>> for DotSet<R> {
    fn from_iter<T: IntoIterator<Item = Dot<R>>>(dots: T) -> Self {
        let mut store = Self::new();
        for dot in dots {
            store.insert(&dot);
        }
        store
    }
}

impl<R: fmt::Debug> fmt::Debug for DotSet<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dots = self.dots.iter();
        f.debug_set()
            .entries(dots.map(|(replica, clock, ())| Dot { replica, clock }))
            .finish()
    }
}

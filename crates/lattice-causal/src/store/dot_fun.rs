//! Dots that carry values.

use core::fmt;
use core::hint::black_box;
use core::marker::PhantomData;
use core::ops::RangeInclusive;

use smallvec::SmallVec;

use super::run::{Run, RunIter};
use super::{CHECKED, DotStore, EXPECTED, Identify, Observer, Summary, WORTH_EXPECTING};
use crate::replica_map::ReplicaMap;
use crate::{CausalContext, ClockSet, Dot, dot_fingerprint};

/// Live dots, each with a value: the paper's `DotFun`.
///
/// Per replica the dots are kept in clock order, with their count and their
/// fingerprint. `I` says what of a value enters the fingerprint: nothing, by
/// default (see [`Identify`]).
///
/// A clock outside `1..=MAX_CLOCK` is no dot: inserting one changes nothing.
///
/// # Invariants
///
/// No replica has an empty run, and `len` is the sum of the runs.
///
/// ```
/// use lattice_causal::{Dot, DotFun};
///
/// let mut store = DotFun::<&str, char>::new();
/// store.insert(&Dot::new("a", 1), 'x');
/// store.insert(&Dot::new("b", 7), 'y');
/// assert_eq!(store.get(&Dot::new("b", 7)), Some(&'y'));
/// assert_eq!(store.iter().collect::<Vec<_>>(), [(&"a", 1, &'x'), (&"b", 7, &'y')]);
/// ```
pub struct DotFun<R, V, I = ()> {
    runs: ReplicaMap<R, Run<V>>,
    len: usize,
    identify: PhantomData<fn() -> I>,
}

impl<R, V, I> DotFun<R, V, I> {
    /// The store without dots.
    ///
    /// ```
    /// assert!(lattice_causal::DotFun::<&str, char>::new().is_empty());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            runs: ReplicaMap::new(),
            len: 0,
            identify: PhantomData,
        }
    }

    /// How many dots are live. O(1).
    ///
    /// ```
    /// use lattice_causal::{Dot, DotFun};
    ///
    /// let store: DotFun<_, _> = [(Dot::new("a", 1), 'x')].into_iter().collect();
    /// assert_eq!(store.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no dot is live. O(1).
    ///
    /// ```
    /// assert!(lattice_causal::DotFun::<&str, char>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The live dots in dot order: replica, clock, value.
    ///
    /// ```
    /// use lattice_causal::{Dot, DotFun};
    ///
    /// let store: DotFun<_, _> = [(Dot::new("a", 1), 'x')].into_iter().collect();
    /// assert_eq!(store.iter().next(), Some((&"a", 1, &'x')));
    /// ```
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&R, u64, &V)> + Clone {
        self.runs
            .iter()
            .flat_map(|(replica, run)| run.iter().map(move |(clock, v)| (replica, clock, v)))
    }

    /// The replicas that have live dots, ascending, with how many.
    ///
    /// ```
    /// use lattice_causal::{Dot, DotFun};
    ///
    /// let store: DotFun<_, _> = [(Dot::new("a", 1), 'x')].into_iter().collect();
    /// assert_eq!(store.replicas().collect::<Vec<_>>(), [(&"a", 1)]);
    /// ```
    pub fn replicas(
        &self,
    ) -> impl DoubleEndedIterator<Item = (&R, usize)> + ExactSizeIterator + Clone {
        self.runs
            .iter()
            .map(|(replica, run)| (replica, run.summary().live))
    }
}

#[cfg(feature = "serde")]
impl<R, V, I> DotFun<R, V, I> {
    /// The live dots of each replica, in replica order.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (&R, RunIter<'_, V>)> {
        self.runs.iter().map(|(replica, run)| (replica, run.iter()))
    }
}

impl<R: Clone + Ord, V, I: Identify<V>> DotFun<R, V, I> {
    /// The value under `dot`, if it is live.
    ///
    /// ```
    /// use lattice_causal::{Dot, DotFun};
    ///
    /// let store: DotFun<_, _> = [(Dot::new("a", 1), 'x')].into_iter().collect();
    /// assert_eq!(store.get(&Dot::new("a", 2)), None);
    /// ```
    #[must_use]
    pub fn get(&self, dot: &Dot<R>) -> Option<&V> {
        self.runs.get(&dot.replica)?.get(dot.clock)
    }

    /// Whether `dot` is live.
    ///
    /// ```
    /// use lattice_causal::{Dot, DotFun};
    ///
    /// let store: DotFun<_, _> = [(Dot::new("a", 1), 'x')].into_iter().collect();
    /// assert!(store.contains(&Dot::new("a", 1)));
    /// ```
    #[must_use]
    pub fn contains(&self, dot: &Dot<R>) -> bool {
        self.get(dot).is_some()
    }

    /// Makes `dot` live with `value`; a value that it carried comes back. O(1)
    /// for the newest dot of a known replica.
    ///
    /// ```
    /// use lattice_causal::{Dot, DotFun};
    ///
    /// let mut store = DotFun::<&str, char>::new();
    /// assert_eq!(store.insert(&Dot::new("a", 1), 'x'), None);
    /// assert_eq!(store.insert(&Dot::new("a", 1), 'y'), Some('x'));
    /// ```
    #[inline]
    pub fn insert(&mut self, dot: &Dot<R>, value: V) -> Option<V> {
        if dot.clock == 0 || dot.clock > crate::MAX_CLOCK {
            return None;
        }
        let run = self.runs.get_or_insert_with(&dot.replica, Run::new);
        let before = run.insert::<I>(dot.clock, value);
        self.len += usize::from(before.is_none());
        before
    }

    /// [`insert`](Self::insert) for many dots of one replica. Ascending ones that are not
    /// live cost O(them), and what they go between once.
    ///
    /// ```
    /// use lattice_causal::DotFun;
    ///
    /// let mut store = DotFun::<&str, char>::new();
    /// store.extend_replica(&"a", [(2, 'x'), (5, 'y')]);
    /// store.extend_replica(&"a", [(1, 'v'), (3, 'w')]);
    /// assert_eq!(store.of(&"a").map(|(clock, _)| clock).collect::<Vec<_>>(), [1, 2, 3, 5]);
    /// ```
    pub fn extend_replica(&mut self, replica: &R, dots: impl IntoIterator<Item = (u64, V)>) {
        let is_dot = |(clock, _): &(u64, V)| (1..=crate::MAX_CLOCK).contains(clock);
        let mut dots = dots.into_iter().filter(is_dot).peekable();
        while let Some((clock, _)) = dots.peek() {
            let mut next = *clock;
            let ascending = core::iter::from_fn(|| {
                let (clock, value) = dots.next_if(|(clock, _)| *clock >= next)?;
                next = clock + 1;
                Some((clock, value))
            });
            let run = self.runs.get_or_insert_with(replica, Run::new);
            self.len += run.extend::<I>(ascending);
        }
    }

    /// Ends the life of `dot`; its value comes back.
    ///
    /// ```
    /// use lattice_causal::{Dot, DotFun};
    ///
    /// let mut store: DotFun<_, _> = [(Dot::new("a", 1), 'x')].into_iter().collect();
    /// assert_eq!(store.remove(&Dot::new("a", 1)), Some('x'));
    /// assert_eq!(store.remove(&Dot::new("a", 1)), None);
    /// ```
    pub fn remove(&mut self, dot: &Dot<R>) -> Option<V> {
        let (value, _, _) = self.bury(dot)?;
        Some(value)
    }

    /// [`remove`](Self::remove); the fingerprint of the dot comes with its value, and how
    /// many dots of the replica live on.
    #[inline]
    pub(crate) fn bury(&mut self, dot: &Dot<R>) -> Option<(V, u64, usize)> {
        let run = self.runs.get_mut(&dot.replica)?;
        let (value, fingerprint) = run.remove::<I>(dot.clock)?;
        self.len -= 1;
        let live = run.summary().live;
        if live == 0 {
            self.runs.remove(&dot.replica);
        }
        Some((value, fingerprint, live))
    }

    pub(crate) fn rewrite(&mut self, dot: &Dot<R>, rewritten: impl FnOnce(V) -> V) -> bool {
        let run = self.runs.get_mut(&dot.replica);
        run.is_some_and(|run| run.rewrite(dot.clock, rewritten))
    }

    /// The live dots of `replica`, ascending: clock and value.
    ///
    /// ```
    /// use lattice_causal::{Dot, DotFun};
    ///
    /// let store: DotFun<_, _> = [(Dot::new("a", 3), 'x')].into_iter().collect();
    /// assert_eq!(store.of(&"a").collect::<Vec<_>>(), [(3, &'x')]);
    /// assert_eq!(store.of(&"b").count(), 0);
    /// ```
    pub fn of(&self, replica: &R) -> RunIter<'_, V> {
        self.runs
            .get(replica)
            .map_or_else(RunIter::default, Run::iter)
    }

    /// The live dots of `replica` in `range`, ascending: clock and value. O(log) and what
    /// it yields, but for dots that died there not long ago.
    ///
    /// ```
    /// use lattice_causal::{Dot, DotFun};
    ///
    /// let dots = [1, 3, 7].map(|clock| (Dot::new("a", clock), 'x'));
    /// let store = DotFun::<_, _>::from_iter(dots);
    /// let clocks = store.of_range(&"a", 2..=7).map(|(clock, _)| clock);
    /// assert_eq!(clocks.collect::<Vec<_>>(), [3, 7]);
    /// ```
    pub fn of_range(&self, replica: &R, range: RangeInclusive<u64>) -> RunIter<'_, V> {
        self.runs
            .get(replica)
            .map_or_else(RunIter::default, |run| run.range(&range))
    }

    /// The join of one replica's part; `theirs` is what the other side has seen
    /// of it, `mine` what this side has.
    pub(crate) fn join_replica<O: Observer<Self>>(
        &mut self,
        replica: &R,
        mine: Option<&ClockSet>,
        other: &Self,
        theirs: &ClockSet,
        observer: &mut O,
    ) where
        V: Clone,
    {
        let their_run = other.runs.get(replica);
        let summary = |run: Option<&Run<V>>| run.map_or(Summary::EMPTY, Run::summary);
        let my_run = self.runs.get_mut(replica);
        // The cheap comparison first: all keys of a map share the contexts.
        let alike = summary(my_run.as_deref()) == summary(their_run);
        if alike && (my_run.is_none() || mine == Some(theirs)) {
            return;
        }
        if let (Some(my_run), Some(_)) = (my_run, mine) {
            let before = my_run.summary().live;
            remove_dead::<R, V, I, O>(my_run, replica, their_run, theirs, observer);
            self.len -= before - my_run.summary().live;
            if my_run.is_empty() {
                self.runs.remove(replica);
            }
        }
        if let Some(their_run) = their_run {
            self.add_unseen(replica, mine, their_run, observer);
        }
    }

    /// Adds what `theirs` holds and `mine` has not seen.
    fn add_unseen<O: Observer<Self>>(
        &mut self,
        replica: &R,
        mine: Option<&ClockSet>,
        theirs: &Run<V>,
        observer: &mut O,
    ) where
        V: Clone,
    {
        let Some(mine) = mine else {
            for (clock, value) in theirs.iter() {
                observer.added(replica, clock, || (), value);
            }
            self.len += theirs.summary().live;
            self.runs.insert(replica.clone(), theirs.clone());
            return;
        };
        let added = |clock, value: &V| observer.added(replica, clock, || (), value);
        let seen = mine.sweep();
        if let Some(run) = self.runs.get_mut(replica) {
            self.len += run.extend_unseen::<I>(theirs, seen, added);
            return;
        }
        let mut run = Run::new();
        self.len += run.extend_unseen::<I>(theirs, seen, added);
        if !run.is_empty() {
            self.runs.insert(replica.clone(), run);
        }
    }

    pub(crate) fn check_invariants(&self) -> bool {
        self.len == self.replicas().map(|(_, live)| live).sum::<usize>()
            && self
                .runs
                .iter()
                .all(|(_, run)| !run.is_empty() && run.check_invariants::<I>())
    }
}

/// Removes what the other side has seen and does not hold.
fn remove_dead<R: Clone + Ord, V: Clone, I: Identify<V>, O: Observer<DotFun<R, V, I>>>(
    run: &mut Run<V>,
    replica: &R,
    theirs: Option<&Run<V>>,
    their_seen: &ClockSet,
    observer: &mut O,
) {
    let mut alone = SmallVec::<[u64; EXPECTED]>::new();
    for range in run.reached_by(their_seen) {
        let clock = *range.start();
        if clock == *range.end() {
            // Deaths mostly come alone: one search finds each.
            if theirs.is_none_or(|run| run.get(clock).is_none()) {
                alone.push(clock);
            }
            if alone.len() == EXPECTED {
                remove_alone(run, replica, &mut alone, observer);
            }
            continue;
        }
        remove_alone(run, replica, &mut alone, observer);
        let mut held = theirs.map_or_else(RunIter::default, |run| run.range(&range));
        let mut next = held.next();
        let dies = |clock, _: &V| {
            while next.is_some_and(|(at, _)| at < clock) {
                next = held.next();
            }
            next.is_none_or(|(at, _)| at != clock)
        };
        run.remove_where::<I>(&range, dies, |clock, value| {
            observer.removed(replica, clock, || (), value);
        });
    }
    remove_alone(run, replica, &mut alone, observer);
}

/// Removes those of some ascending dots that live.
fn remove_alone<R: Clone + Ord, V: Clone, I: Identify<V>, O: Observer<DotFun<R, V, I>>>(
    run: &mut Run<V>,
    replica: &R,
    clocks: &mut SmallVec<[u64; EXPECTED]>,
    observer: &mut O,
) {
    if O::EXPECTS && clocks.len() >= WORTH_EXPECTING {
        announce(run, replica, clocks, observer);
    }
    for clock in clocks.drain(..) {
        if let Some((value, _)) = run.remove::<I>(clock) {
            observer.removed(replica, clock, || (), value);
        }
    }
}

/// Tells the observer which of some dots live, and are about to die.
fn announce<R: Clone + Ord, V: Clone, I: Identify<V>, O: Observer<DotFun<R, V, I>>>(
    run: &Run<V>,
    replica: &R,
    clocks: &[u64],
    observer: &mut O,
) {
    // The run waits for memory, too.
    black_box(clocks.iter().fold(0, |sum, clock| sum ^ run.look(*clock)));
    let living = clocks
        .iter()
        .filter_map(|clock| Some((*clock, run.get(*clock)?)));
    let dying: SmallVec<[(u64, &V); EXPECTED]> = living.collect();
    if dying.len() >= WORTH_EXPECTING {
        observer.expect(replica, &dying);
    }
}

impl<R: Clone + Ord, V: Clone, I: Identify<V>> DotStore for DotFun<R, V, I> {
    type Replica = R;
    type Key = ();
    type Leaf = V;
    type Path = ();

    fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn summary(&self, replica: &R) -> Summary {
        self.runs.get(replica).map_or(Summary::EMPTY, Run::summary)
    }

    fn summary_in(&self, replica: &R, clocks: &ClockSet) -> Summary {
        let mut summary = Summary::EMPTY;
        if let Some(run) = self.runs.get(replica) {
            for range in run.reached_by(clocks) {
                summary.merge(run.summary_in::<I>(&range));
            }
        }
        summary
    }

    fn live(&self, replica: &R) -> ClockSet {
        self.of(replica).map(|(clock, _)| clock).collect()
    }

    fn live_in(&self, replica: &R, clocks: &ClockSet) -> ClockSet {
        let Some(run) = self.runs.get(replica) else {
            return ClockSet::new();
        };
        let ranges = run.reached_by(clocks);
        let live = ranges.flat_map(|range| run.range(&range));
        live.map(|(clock, _)| clock).collect()
    }

    fn nth_live(&self, replica: &R, range: RangeInclusive<u64>, n: usize) -> Option<u64> {
        self.runs.get(replica)?.nth(&range, n)
    }

    fn dots(&self) -> CausalContext<R> {
        let live = |run: &Run<V>| run.iter().map(|(clock, _)| clock).collect();
        self.runs
            .iter()
            .map(|(replica, run)| (replica.clone(), live(run)))
            .collect()
    }

    fn select(&self, chosen: &CausalContext<R>) -> Self {
        let mut selected = Self::new();
        for (replica, clocks) in chosen.iter() {
            let Some(run) = self.runs.get(replica) else {
                continue;
            };
            let mut part = Run::new();
            for range in run.reached_by(clocks) {
                part.append_range::<I>(run, &range);
            }
            if !part.is_empty() {
                selected.len += part.summary().live;
                selected.runs.insert(replica.clone(), part);
            }
        }
        debug_assert!(selected.len > CHECKED || selected.check_invariants());
        selected
    }

    fn remove_replica(&mut self, replica: &R) {
        if let Some(run) = self.runs.remove(replica) {
            self.len -= run.summary().live;
        }
    }

    fn fingerprint(clock: u64, leaf: &V) -> u64 {
        dot_fingerprint(clock, I::identity(leaf))
    }

    fn join<O: Observer<Self>>(
        &mut self,
        mine: &CausalContext<R>,
        other: &Self,
        theirs: &CausalContext<R>,
        observer: &mut O,
    ) {
        for (replica, their_seen) in theirs.iter() {
            self.join_replica(replica, mine.get(replica), other, their_seen, observer);
        }
        debug_assert!(self.len > CHECKED || self.check_invariants());
    }
}

impl<R: Clone + Ord, V, I: Identify<V>> FromIterator<(Dot<R>, V)> for DotFun<R, V, I> {
    /// Of two values for one dot the later one stays.
    fn from_iter<T: IntoIterator<Item = (Dot<R>, V)>>(dots: T) -> Self {
        let mut store = Self::new();
        for (dot, value) in dots {
            store.insert(&dot, value);
        }
        store
    }
}

impl<R: Clone, V: Clone, I> Clone for DotFun<R, V, I> {
    fn clone(&self) -> Self {
        Self {
            runs: self.runs.clone(),
            len: self.len,
            identify: PhantomData,
        }
    }
}

impl<R, V, I> Default for DotFun<R, V, I> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: PartialEq, V: PartialEq, I> PartialEq for DotFun<R, V, I> {
    fn eq(&self, other: &Self) -> bool {
        self.runs == other.runs
    }
}

impl<R: Eq, V: Eq, I> Eq for DotFun<R, V, I> {}

impl<R: fmt::Debug, V: fmt::Debug, I> fmt::Debug for DotFun<R, V, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (replica, clock, value) in self.iter() {
            map.entry(&Dot { replica, clock }, value);
        }
        map.finish()
    }
}

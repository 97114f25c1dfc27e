//! A dot store and what it has seen: the state, and the delta, of a CRDT.

mod commit;
mod deltas;
mod dialogue;
mod room;
mod split;

use core::cmp::Ordering;
use core::fmt;

use crate::deaths::Deaths;
use crate::{CausalContext, ClockSet, Dot, DotFun, DotStore, Identify, Observer, UncoveredDot};

pub use split::Split;

/// A dot store with the causal context that it has seen.
///
/// It is a join semilattice: [`merge`](Self::merge) is associative, commutative
/// and idempotent. In the join a dot lives on if both sides hold it, or one
/// holds it and the other has not seen it; a dot that one side has seen and does
/// not hold has died there, and dies here.
///
/// A *delta* is the same type: its context claims only what it speaks of. States
/// and deltas merge in any mix, any order, any number of times. The paper: Almeida,
/// Shoker, Baquero, "Delta state replicated data types" (2018), section 7.
///
/// # Invariants
///
/// The context covers every live dot of the store.
///
/// ```
/// use lattice_causal::{Causal, Dot, DotFun};
///
/// let mut a = Causal::<DotFun<&str, char>>::new();
/// a.insert(&Dot::new("a", 1), 'x');
/// let mut b = a.clone();
/// a.remove(&Dot::new("a", 1));
/// b.insert(&Dot::new("b", 1), 'y');
///
/// // What b lacks of a: no live dot, but the news that a:1 has died.
/// let delta = a.delta_since(&b.digest());
/// b.merge(&delta);
/// assert_eq!(b.store().iter().collect::<Vec<_>>(), [(&"b", 1, &'y')]);
/// ```
#[derive(Clone)]
pub struct Causal<S: DotStore> {
    store: S,
    context: CausalContext<S::Replica>,
    /// What died here of late. No content: it is neither compared nor sent.
    deaths: Deaths<S::Replica>,
}

impl<S: DotStore> Causal<S> {
    /// The state that has seen nothing.
    ///
    /// ```
    /// use lattice_causal::{Causal, DotSet};
    ///
    /// assert!(Causal::<DotSet<&str>>::new().context().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::covered(S::default(), CausalContext::new())
    }

    /// A state from its two parts. O(live dots + intervals).
    ///
    /// # Errors
    ///
    /// [`UncoveredDot`] if the store holds a dot that `context` has not seen:
    /// such a state would lose the dot in one merge and bring it back in another.
    ///
    /// ```
    /// use lattice_causal::{Causal, CausalContext, Dot, DotSet};
    ///
    /// let dot = Dot::new("a", 1);
    /// let context = CausalContext::from_iter([dot]);
    /// assert!(Causal::from_parts(DotSet::from_iter([dot]), context).is_ok());
    /// ```
    pub fn from_parts(
        store: S,
        context: CausalContext<S::Replica>,
    ) -> Result<Self, UncoveredDot<S::Replica>> {
        let uncovered = store.dots().difference(&context);
        match uncovered.dots().next() {
            Some(dot) => Err(UncoveredDot { dot }),
            None => Ok(Self::covered(store, context)),
        }
    }

    /// The state in which exactly the dots of `store` are seen and alive: the
    /// delta of an operation that only adds.
    ///
    /// ```
    /// use lattice_causal::{Causal, CausalContext, Dot, DotSet};
    ///
    /// let delta = Causal::from_store(DotSet::from_iter([Dot::new("a", 7)]));
    /// assert_eq!(delta.context(), &CausalContext::from_iter([Dot::new("a", 7)]));
    /// ```
    #[must_use]
    pub fn from_store(store: S) -> Self {
        let context = store.dots();
        Self::covered(store, context)
    }

    /// The state in which the dots of `context` are seen and none is alive: the
    /// delta of an operation that only removes.
    ///
    /// ```
    /// use lattice_causal::{Causal, CausalContext, Dot, DotSet};
    ///
    /// let dot = Dot::new("a", 1);
    /// let mut state = Causal::from_store(DotSet::from_iter([dot]));
    /// state.merge(&Causal::from_context(CausalContext::from_iter([dot])));
    /// assert!(state.store().is_empty());
    /// ```
    #[must_use]
    pub fn from_context(context: CausalContext<S::Replica>) -> Self {
        Self::covered(S::default(), context)
    }

    /// The state in which the dots of `store` are alive, and these and those of
    /// `seen` are seen: the delta of an operation that replaces. What of `seen` is
    /// not in `store` dies if this is merged. O(dots of `store` + intervals of
    /// `seen`).
    ///
    /// It covers its store by construction. [`from_parts`](Self::from_parts) has to ask,
    /// and may refuse.
    ///
    /// ```
    /// use lattice_causal::{Causal, CausalContext, Dot, DotFun};
    ///
    /// let mut state = Causal::<DotFun<&str, char>>::new();
    /// state.insert(&Dot::new("a", 1), 'x');
    /// let next = DotFun::from_iter([(Dot::new("a", 2), 'y')]);
    /// state.merge(&Causal::covering(next, state.store().dots()));
    /// # use lattice_causal::DotStore;
    /// assert_eq!(state.store().iter().collect::<Vec<_>>(), [(&"a", 2, &'y')]);
    /// assert_eq!(state.context().prefix(&"a"), 2);
    /// ```
    #[must_use]
    pub fn covering(store: S, seen: CausalContext<S::Replica>) -> Self {
        let mut context = seen;
        context.merge(&store.dots());
        let deaths = Deaths::new();
        Self {
            store,
            context,
            deaths,
        }
    }

    /// A state whose context is known to cover the store.
    pub(crate) fn covered(store: S, context: CausalContext<S::Replica>) -> Self {
        debug_assert!(context.dominates(&store.dots()));
        let deaths = Deaths::new();
        Self {
            store,
            context,
            deaths,
        }
    }

    /// What is alive.
    ///
    /// ```
    /// use lattice_causal::{Causal, DotSet};
    ///
    /// assert!(Causal::<DotSet<&str>>::new().store().is_empty());
    /// ```
    #[must_use]
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// What was seen.
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotSet};
    ///
    /// let state = Causal::<DotSet<&str>>::new();
    /// assert_eq!(state.context().next_dot(&"a"), Ok(Dot::new("a", 1)));
    /// ```
    #[must_use]
    pub const fn context(&self) -> &CausalContext<S::Replica> {
        &self.context
    }

    /// The two parts.
    ///
    /// ```
    /// use lattice_causal::{Causal, DotSet};
    ///
    /// let (store, context) = Causal::<DotSet<&str>>::new().into_parts();
    /// assert!(store.is_empty() && context.is_empty());
    /// ```
    #[must_use]
    pub fn into_parts(self) -> (S, CausalContext<S::Replica>) {
        (self.store, self.context)
    }

    /// Joins `other` into this state.
    ///
    /// Per replica: O(intervals) if both sides agree, O(what `other` speaks
    /// of) for a delta, linear for two states.
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotSet};
    ///
    /// let mut a = Causal::from_store(DotSet::from_iter([Dot::new("a", 1)]));
    /// let b = Causal::from_store(DotSet::from_iter([Dot::new("b", 1)]));
    /// a.merge(&b);
    /// assert_eq!(a.store().len(), 2);
    /// ```
    pub fn merge(&mut self, other: &Self) {
        self.merge_with(other, &mut ());
    }

    /// [`merge`](Self::merge) that reports every change.
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotSet, Observer};
    ///
    /// #[derive(Default)]
    /// struct Count(usize, usize);
    /// impl Observer<DotSet<&'static str>> for Count {
    ///     fn added(&mut self, _: &&'static str, _: u64, _: impl FnOnce(), _: &()) {
    ///         self.0 += 1;
    ///     }
    ///     fn removed(&mut self, _: &&'static str, _: u64, _: impl FnOnce(), _: ()) {
    ///         self.1 += 1;
    ///     }
    /// }
    ///
    /// let mut a = Causal::new();
    /// let b = Causal::from_store(DotSet::from_iter([Dot::new("b", 1), Dot::new("b", 2)]));
    /// let mut count = Count::default();
    /// a.merge_with(&b, &mut count);
    /// assert_eq!((count.0, count.1), (2, 0));
    /// ```
    pub fn merge_with<O: Observer<S>>(&mut self, other: &Self, observer: &mut O) {
        let mut observer = Remember {
            deaths: &mut self.deaths,
            newest: |replica: &_| other.context.max(replica).max(self.context.max(replica)),
            outer: observer,
        };
        self.store
            .join(&self.context, &other.store, &other.context, &mut observer);
        self.context.merge(&other.context);
        self.trim(&other.context);
    }

    /// Restores the bounds of the log of deaths of every replica in `touched`.
    fn trim(&mut self, touched: &CausalContext<S::Replica>) {
        if !self.deaths.is_empty() {
            for replica in touched.replicas() {
                self.deaths.trim(replica, self.store.summary(replica).live);
            }
        }
    }

    /// The state cut down to the dots of `chosen`: the live ones among them, and
    /// a context that claims exactly `chosen`, as far as it was seen.
    ///
    /// ```
    /// use lattice_causal::{Causal, CausalContext, Dot, DotSet};
    ///
    /// let dots = [Dot::new("a", 1), Dot::new("a", 2)];
    /// let state = Causal::from_store(DotSet::from_iter(dots));
    /// let slice = state.slice(&CausalContext::from_iter([dots[1]]));
    /// assert_eq!(slice, Causal::from_store(DotSet::from_iter([dots[1]])));
    /// ```
    #[must_use]
    pub fn slice(&self, chosen: &CausalContext<S::Replica>) -> Self {
        let context = self.context.intersection(chosen);
        Self::covered(self.store.select(&context), context)
    }

    /// Forgets `replica`: its live dots, and what was seen of it, which comes
    /// back. Not a lattice operation: the next merge may bring all of it back.
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotSet};
    ///
    /// let mut state = Causal::from_store(DotSet::from_iter([Dot::new("a", 1)]));
    /// state.forget_replica(&"a");
    /// assert_eq!(state, Causal::new());
    /// ```
    pub fn forget_replica(&mut self, replica: &S::Replica) -> Option<ClockSet> {
        self.store.remove_replica(replica);
        self.deaths.forget(replica);
        self.context.remove(replica)
    }
}

impl<R: Clone + Ord, V: Clone, I: Identify<V>> Causal<DotFun<R, V, I>> {
    /// Records `dot` as seen and alive with `value`; a value that it carried
    /// comes back. O(1) for the newest dot of a known replica.
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotFun};
    ///
    /// let mut state = Causal::<DotFun<&str, char>>::new();
    /// let dot = state.context().next_dot(&"a").unwrap();
    /// state.insert(&dot, 'x');
    /// assert!(state.context().contains(&dot));
    /// ```
    #[inline]
    pub fn insert(&mut self, dot: &Dot<R>, value: V) -> Option<V> {
        self.context.insert_clock(&dot.replica, dot.clock);
        self.store.insert(dot, value)
    }

    /// Ends the life of `dot`, which stays seen; its value comes back. O(log),
    /// amortized.
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotFun};
    ///
    /// let mut state = Causal::<DotFun<&str, char>>::new();
    /// state.insert(&Dot::new("a", 1), 'x');
    /// assert_eq!(state.remove(&Dot::new("a", 1)), Some('x'));
    /// assert!(state.context().contains(&Dot::new("a", 1)));
    /// ```
    #[inline]
    pub fn remove(&mut self, dot: &Dot<R>) -> Option<V> {
        let (value, fingerprint, live) = self.store.bury(dot)?;
        let newest = self.context.max(&dot.replica);
        let death = (dot.clock, fingerprint);
        self.deaths.push_of(&dot.replica, death, newest, live);
        Some(value)
    }

    /// Passes the value under a live dot through `rewritten`, for values that share
    /// memory and shall share more of it; says whether there is one. The value stays
    /// the same one: equal, and of the same [identity](Identify). O(log).
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotFun};
    /// use std::sync::Arc;
    ///
    /// let (dot, shared) = (Dot::new("a", 1), Arc::<str>::from("room"));
    /// let mut state: Causal<DotFun<&str, Arc<str>>> = Causal::new();
    /// state.insert(&dot, "room".into());
    /// assert!(state.rewrite(&dot, |_| Arc::clone(&shared)));
    /// assert!(Arc::ptr_eq(state.store().get(&dot).unwrap(), &shared));
    /// ```
    pub fn rewrite(&mut self, dot: &Dot<R>, rewritten: impl FnOnce(V) -> V) -> bool {
        self.store.rewrite(dot, |value| {
            let identity = I::identity(&value);
            let value = rewritten(value);
            debug_assert_eq!(identity, I::identity(&value), "the value stays the same");
            value
        })
    }

    /// [`merge_with`](Self::merge_with) of one replica's part alone.
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotFun};
    ///
    /// let mut a = Causal::<DotFun<&str, char>>::new();
    /// let mut b = a.clone();
    /// b.insert(&Dot::new("b", 1), 'x');
    /// b.insert(&Dot::new("c", 1), 'y');
    /// a.merge_replica_with(&"b", &b, &mut ());
    /// assert_eq!(a.store().iter().collect::<Vec<_>>(), [(&"b", 1, &'x')]);
    /// ```
    pub fn merge_replica_with<O: Observer<DotFun<R, V, I>>>(
        &mut self,
        replica: &R,
        other: &Self,
        observer: &mut O,
    ) {
        if let Some(theirs) = other.context.get(replica) {
            let mine = self.context.get(replica);
            let newest = mine.map_or(0, ClockSet::max).max(theirs.max());
            let mut observer = Remember {
                deaths: &mut self.deaths,
                newest: |_: &_| newest,
                outer: observer,
            };
            self.store
                .join_replica(replica, mine, &other.store, theirs, &mut observer);
            self.context.insert_set(replica.clone(), theirs);
            let live = self.store.summary(replica).live;
            self.deaths.trim(replica, live);
        }
    }

    /// Records `clocks` as seen of `replica`, without any effect on what is
    /// alive.
    ///
    /// ```
    /// use lattice_causal::{Causal, ClockSet, DotFun};
    ///
    /// let mut state = Causal::<DotFun<&str, char>>::new();
    /// state.claim("a", &ClockSet::from(1..=9));
    /// assert_eq!(state.context().prefix(&"a"), 9);
    /// ```
    pub fn claim(&mut self, replica: R, clocks: &ClockSet) {
        self.context.insert_set(replica, clocks);
    }
}

/// Notes what dies in the log of deaths, and passes everything on.
struct Remember<'a, R, F, O> {
    deaths: &'a mut Deaths<R>,
    /// The greatest clock of a replica that will have been seen.
    newest: F,
    outer: &'a mut O,
}

impl<S, F, O> Observer<S> for Remember<'_, S::Replica, F, O>
where
    S: DotStore,
    F: Fn(&S::Replica) -> u64,
    O: Observer<S>,
{
    const EXPECTS: bool = O::EXPECTS;

    fn added(
        &mut self,
        replica: &S::Replica,
        clock: u64,
        key: impl FnOnce() -> S::Key,
        leaf: &S::Leaf,
    ) {
        self.outer.added(replica, clock, key, leaf);
    }

    fn removed(
        &mut self,
        replica: &S::Replica,
        clock: u64,
        key: impl FnOnce() -> S::Key,
        leaf: S::Leaf,
    ) {
        let fingerprint = S::fingerprint(clock, &leaf);
        let newest = (self.newest)(replica);
        self.deaths.push(replica, (clock, fingerprint), newest);
        self.outer.removed(replica, clock, key, leaf);
    }

    fn expect(&mut self, replica: &S::Replica, dying: &[(u64, &S::Leaf)]) {
        self.outer.expect(replica, dying);
    }
}

impl<S: DotStore> Default for Causal<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: DotStore + PartialEq> PartialEq for Causal<S> {
    fn eq(&self, other: &Self) -> bool {
        self.store == other.store && self.context == other.context
    }
}

impl<S: DotStore + Eq> Eq for Causal<S> {}

/// The order of the lattice: less or equal if merging this state into the
/// other changes nothing. `None` if each knows something that the other does
/// not. A state rises by seeing dots, and by the death of dots that it has seen.
/// O(live dots + intervals).
///
/// ```
/// use lattice_causal::{Causal, Dot, DotSet};
///
/// let a = Causal::from_store(DotSet::from_iter([Dot::new("a", 1)]));
/// let dead = Causal::from_context(a.context().clone());
/// assert!(Causal::new() < a && a < dead);
/// let b = Causal::from_store(DotSet::from_iter([Dot::new("b", 1)]));
/// assert_eq!(a.partial_cmp(&b), None);
/// ```
impl<S: DotStore + PartialEq> PartialOrd for Causal<S> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let (mine, theirs) = (self.store.dots(), other.store.dots());
        let below = other.context.dominates(&self.context)
            && mine.dominates(&theirs.intersection(&self.context));
        let above = self.context.dominates(&other.context)
            && theirs.dominates(&mine.intersection(&other.context));
        match (below, above) {
            (true, true) => (self == other).then_some(Ordering::Equal),
            (true, false) => Some(Ordering::Less),
            (false, true) => Some(Ordering::Greater),
            (false, false) => None,
        }
    }
}

impl<S: DotStore<Replica: fmt::Debug> + fmt::Debug> fmt::Debug for Causal<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Causal")
            .field("store", &self.store)
            .field("context", &self.context)
            .finish()
    }
}

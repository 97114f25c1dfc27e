//! Dot stores: live dots with what they carry.

mod dot_fun;
mod dot_map;
mod dot_set;
mod run;

pub use dot_fun::DotFun;
pub use dot_map::DotMap;
pub use dot_set::DotSet;
pub use run::RunIter;

use core::ops::RangeInclusive;

use crate::{CausalContext, ClockSet};

/// Debug builds check whole stores up to this size: tests are small, and a server
/// in a debug build must not pay for all that it holds at each message.
const CHECKED: usize = 256;

/// How many dots of one replica are live in a store, and their fingerprint.
///
/// ```
/// use lattice_causal::{Dot, DotSet, DotStore, dot_fingerprint};
///
/// let store = DotSet::from_iter([Dot::new("a", 4)]);
/// let summary = store.summary(&"a");
/// assert_eq!((summary.live, summary.fingerprint), (1, dot_fingerprint(4, 0)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Summary {
    /// How many dots are live.
    pub live: usize,
    /// The wrapping sum of their fingerprints.
    pub fingerprint: u64,
}

impl Summary {
    pub(crate) const EMPTY: Self = Self {
        live: 0,
        fingerprint: 0,
    };

    pub(crate) fn add(&mut self, fingerprint: u64) {
        self.live += 1;
        self.fingerprint = self.fingerprint.wrapping_add(fingerprint);
    }

    pub(crate) fn subtract(&mut self, fingerprint: u64) {
        self.live -= 1;
        self.fingerprint = self.fingerprint.wrapping_sub(fingerprint);
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.live += other.live;
        self.fingerprint = self.fingerprint.wrapping_add(other.fingerprint);
    }

    pub(crate) fn subtract_all(&mut self, other: Self) {
        self.live -= other.live;
        self.fingerprint = self.fingerprint.wrapping_sub(other.fingerprint);
    }
}

/// What identifies a value in the fingerprint, beside its dot.
///
/// A dot is minted once, so peers that mean well hold one value under it and the
/// dot alone is enough: that is what `()` says. A store whose dots may collide
/// (two lives of a process under one name) names what tells the values apart.
///
/// ```
/// use lattice_causal::{Causal, Dot, DotFun, Identify, identity_of};
///
/// struct ByText;
/// impl Identify<String> for ByText {
///     fn identity(value: &String) -> u64 {
///         identity_of([value])
///     }
/// }
///
/// let with = |text: &str| {
///     let mut state = Causal::<DotFun<&str, String, ByText>>::new();
///     state.insert(&Dot::new("a", 1), text.to_string());
///     state.digest()
/// };
/// assert_ne!(with("one"), with("other"));
/// ```
pub trait Identify<V> {
    /// The identity of `value`; equal for values that count as the same.
    fn identity(value: &V) -> u64;
}

impl<V> Identify<V> for () {
    fn identity(_: &V) -> u64 {
        0
    }
}

/// A dot store: dots that are alive, with what they carry (the paper's section
/// 7.2).
///
/// Implement it only to add a *shape* of store; CRDTs are built from the three
/// that are here. They are generic over it:
///
/// ```
/// use lattice_causal::{CausalContext, ClockSet, Dot, DotFun, DotMap, DotSet, DotStore};
///
/// /// What any store says about its live dots of `replica`.
/// fn census<S: DotStore>(store: &S, replica: &S::Replica) -> (usize, ClockSet) {
///     let summary = store.summary(replica);
///     let live = store.live(replica);
///     assert_eq!(store.summary_in(replica, &live), summary);
///     assert_eq!(store.live_in(replica, &(2..=9).into()), [4].into_iter().collect());
///     assert_eq!(store.nth_live(replica, 1..=9, 1), Some(4));
///     assert_eq!(store.dots().get(replica).cloned().unwrap_or_default(), live);
///     (summary.live, live)
/// }
///
/// let dots = [Dot::new("a", 1), Dot::new("a", 4)];
/// let set = DotSet::from_iter(dots);
/// let fun = DotFun::<_, _>::from_iter(dots.map(|dot| (dot, 'x')));
/// let map = DotMap::from_iter([("key", set.clone())]);
/// let expected = (2, ClockSet::from_iter([1, 4]));
/// assert_eq!(census(&set, &"a"), expected);
/// assert_eq!(census(&fun, &"a"), expected);
/// assert_eq!(census(&map, &"a"), expected);
///
/// let mut part = fun.select(&CausalContext::from_iter([dots[1]]));
/// assert_eq!(part.live(&"a"), ClockSet::from(4..=4));
/// part.remove_replica(&"a");
/// assert!(part.is_empty());
/// ```
///
/// What every implementation must keep: [`join`](Self::join)
/// lets a dot live on if both hold it, or if one holds it and the other has not
/// seen it. The other methods agree with each other about which dots live.
pub trait DotStore: Clone + Default {
    /// What mints the dots.
    type Replica: Clone + Ord;
    /// Where in the store a dot lives: `()` in the flat stores, `(K, …)` in maps.
    type Key;
    /// What a dot carries.
    type Leaf;
    /// A part of the store: `()` in the flat stores, which have no parts, and
    /// `Option<(K, …)>` in maps. The default is the whole.
    type Path: Default;

    /// Whether no dot is alive: the bottom of the store.
    fn is_empty(&self) -> bool;

    /// The live dots of `replica`, counted and fingerprinted.
    fn summary(&self, replica: &Self::Replica) -> Summary;

    /// The live dots of `replica` among `clocks`, counted and fingerprinted.
    fn summary_in(&self, replica: &Self::Replica, clocks: &ClockSet) -> Summary {
        let chosen = CausalContext::from_iter([(replica.clone(), clocks.clone())]);
        self.select(&chosen).summary(replica)
    }

    /// The clocks of the live dots of `replica`.
    fn live(&self, replica: &Self::Replica) -> ClockSet;

    /// The clocks of the live dots of `replica` among `clocks`.
    fn live_in(&self, replica: &Self::Replica, clocks: &ClockSet) -> ClockSet {
        self.live(replica).intersection(clocks)
    }

    /// The clock of the live dot number `n` of `replica` in `range`, counted from 0: where
    /// to cut what is alive into parts of a given size.
    fn nth_live(
        &self,
        replica: &Self::Replica,
        range: RangeInclusive<u64>,
        n: usize,
    ) -> Option<u64> {
        let live = self.live_in(replica, &ClockSet::from(range));
        live.clocks().nth(n)
    }

    /// All live dots.
    fn dots(&self) -> CausalContext<Self::Replica>;

    /// The live dots in one part of the store. The default is those of the whole.
    ///
    /// ```
    /// use lattice_causal::{Dot, DotMap, DotSet, DotStore};
    ///
    /// let one = |clock| DotSet::from_iter([Dot::new("a", clock)]);
    /// let map = DotMap::from_iter([("milk", one(1)), ("eggs", one(2))]);
    /// assert_eq!(map.dots_at(&Some(("milk", ()))), one(1).dots());
    /// assert_eq!(map.dots_at(&None), map.dots());
    /// ```
    fn dots_at(&self, path: &Self::Path) -> CausalContext<Self::Replica> {
        let _ = path;
        self.dots()
    }

    /// The part of the store whose dots are in `chosen`.
    #[must_use]
    fn select(&self, chosen: &CausalContext<Self::Replica>) -> Self;

    /// Ends the life of every dot of `replica`.
    fn remove_replica(&mut self, replica: &Self::Replica);

    /// What one live dot adds to the fingerprint of its replica.
    fn fingerprint(clock: u64, leaf: &Self::Leaf) -> u64;

    /// Joins `other`, which has seen `theirs`, into this store, which has seen
    /// `mine`, and reports every change.
    ///
    /// [`Causal::merge_with`](crate::Causal::merge_with) is the call for users;
    /// this one leaves the contexts alone, since nested stores share one.
    fn join<O: Observer<Self>>(
        &mut self,
        mine: &CausalContext<Self::Replica>,
        other: &Self,
        theirs: &CausalContext<Self::Replica>,
        observer: &mut O,
    );

    /// [`join`](Self::join) of a delta that adds and removes nothing outside of
    /// `path`: the rest of the store need not be visited.
    ///
    /// ```
    /// use lattice_causal::{CausalContext, Dot, DotMap, DotSet, DotStore};
    ///
    /// let mut map = DotMap::from_iter([("milk", DotSet::from_iter([Dot::new("a", 1)]))]);
    /// let seen = map.dots();
    /// // The delta of "take milk off the list".
    /// map.join_at(&Some(("milk", ())), &seen, &DotMap::new(), &seen, &mut ());
    /// assert!(map.is_empty());
    /// ```
    fn join_at<O: Observer<Self>>(
        &mut self,
        path: &Self::Path,
        mine: &CausalContext<Self::Replica>,
        other: &Self,
        theirs: &CausalContext<Self::Replica>,
        observer: &mut O,
    ) {
        let _ = path;
        self.join(mine, other, theirs, observer);
    }
}

/// Learns what a join changes, dot by dot.
///
/// A join reports each removed dot and each added one exactly once; in one
/// replica's part of one flat store the removed come first, each side in clock
/// order. Whoever folds the stream holds the same dots as the store. The no-op
/// is `()`.
///
/// ```
/// use lattice_causal::{Causal, Dot, DotFun, Observer};
///
/// type Store = DotFun<&'static str, char>;
///
/// #[derive(Default)]
/// struct Log(Vec<String>);
/// impl Observer<Store> for Log {
///     fn added(&mut self, replica: &&'static str, clock: u64, _: impl FnOnce(), value: &char) {
///         self.0.push(format!("+{replica}:{clock} {value}"));
///     }
///     fn removed(&mut self, replica: &&'static str, clock: u64, _: impl FnOnce(), value: char) {
///         self.0.push(format!("-{replica}:{clock} {value}"));
///     }
/// }
///
/// let mut a = Causal::<Store>::new();
/// a.insert(&Dot::new("a", 1), 'x');
/// let mut b = a.clone();
/// a.remove(&Dot::new("a", 1));
/// a.insert(&Dot::new("a", 2), 'y');
///
/// let mut log = Log::default();
/// b.merge_with(&a, &mut log);
/// assert_eq!(log.0, ["-a:1 x", "+a:2 y"]);
/// ```
pub trait Observer<S: DotStore> {
    /// Whether [`expect`](Self::expect) does something. If not, nothing is looked up for it.
    const EXPECTS: bool = false;

    /// The dot came alive here. `key` tells where; ask only if it matters.
    fn added(
        &mut self,
        replica: &S::Replica,
        clock: u64,
        key: impl FnOnce() -> S::Key,
        leaf: &S::Leaf,
    );

    /// The dot died here, and what it carried is given away.
    fn removed(
        &mut self,
        replica: &S::Replica,
        clock: u64,
        key: impl FnOnce() -> S::Key,
        leaf: S::Leaf,
    );

    /// Some of the dots of `replica` that are about to be [removed](Self::removed), in
    /// order: clock and leaf. Whoever looks each of them up in large tables can look for
    /// all of them now, so that the waits for memory overlap.
    ///
    /// A hint, and not a promise: a store may leave it out, or announce more than dies. It
    /// comes only if [`EXPECTS`](Self::EXPECTS) says so.
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotFun, Observer};
    ///
    /// type Store = DotFun<&'static str, char>;
    ///
    /// #[derive(Default)]
    /// struct Log(Vec<String>);
    /// impl Observer<Store> for Log {
    ///     const EXPECTS: bool = true;
    ///     fn added(&mut self, _: &&'static str, _: u64, _: impl FnOnce(), _: &char) {}
    ///     fn removed(&mut self, _: &&'static str, clock: u64, _: impl FnOnce(), _: char) {
    ///         self.0.push(clock.to_string());
    ///     }
    ///     fn expect(&mut self, _: &&'static str, dying: &[(u64, &char)]) {
    ///         self.0.push(format!("{} are about to die", dying.len()));
    ///     }
    /// }
    ///
    /// let mut a = Causal::<Store>::new();
    /// (1..=9).for_each(|clock| drop(a.insert(&Dot::new("a", clock), 'x')));
    /// let mut b = a.clone();
    /// (1..=9).step_by(2).for_each(|clock| drop(a.remove(&Dot::new("a", clock))));
    ///
    /// let mut log = Log::default();
    /// b.merge_with(&a.delta_since(&b.digest()), &mut log);
    /// assert_eq!(log.0, ["5 are about to die", "1", "3", "5", "7", "9"]);
    /// ```
    fn expect(&mut self, replica: &S::Replica, dying: &[(u64, &S::Leaf)]) {
        let _ = (replica, dying);
    }
}

/// Dots that are announced at once: the memory of so many fits into the nearest caches.
pub(crate) const EXPECTED: usize = 64;

/// Fewer are not announced: there is little to overlap.
pub(crate) const WORTH_EXPECTING: usize = 4;

impl<S: DotStore> Observer<S> for () {
    fn added(&mut self, _: &S::Replica, _: u64, _: impl FnOnce() -> S::Key, _: &S::Leaf) {}

    fn removed(&mut self, _: &S::Replica, _: u64, _: impl FnOnce() -> S::Key, _: S::Leaf) {}
}

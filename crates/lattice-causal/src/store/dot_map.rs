//! Keys that hold dot stores.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use super::{CHECKED, DotStore, Observer, Summary};
use crate::replica_map::ReplicaMap;
use crate::{CausalContext, ClockSet};

/// Keys to nested dot stores: the paper's `DotMap`. A key whose store has no
/// live dot is absent.
///
/// A join visits the keys of both sides, unless every replica that the other
/// side has seen agrees. One key alone is joined by
/// [`Causal::apply`](crate::Causal::apply), and one place in nested maps by
/// [`Causal::commit`](crate::Causal::commit).
///
/// # Invariants
///
/// No child is empty, and `summaries` holds, per replica with live dots, the sum
/// of the children's summaries.
///
/// ```
/// use lattice_causal::{Dot, DotMap, DotSet, DotStore};
///
/// let map = DotMap::from_iter([("milk", DotSet::from_iter([Dot::new("a", 1)]))]);
/// assert_eq!(map.keys().collect::<Vec<_>>(), [&"milk"]);
/// assert_eq!(map.summary(&"a").live, 1);
/// ```
#[derive(Clone)]
pub struct DotMap<K, S: DotStore> {
    children: BTreeMap<K, S>,
    summaries: ReplicaMap<S::Replica, Summary>,
}

impl<K, S: DotStore> DotMap<K, S> {
    /// The map without keys.
    ///
    /// ```
    /// use lattice_causal::{DotMap, DotSet};
    ///
    /// assert!(DotMap::<char, DotSet<&str>>::new().is_empty());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self {
            children: BTreeMap::new(),
            summaries: ReplicaMap::new(),
        }
    }

    /// How many keys there are. O(1).
    ///
    /// ```
    /// use lattice_causal::{Dot, DotMap, DotSet};
    ///
    /// let map = DotMap::from_iter([('k', DotSet::from_iter([Dot::new("a", 1)]))]);
    /// assert_eq!(map.len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.children.len()
    }

    /// Whether there is no key, which is: no live dot. O(1).
    ///
    /// ```
    /// use lattice_causal::{DotMap, DotSet};
    ///
    /// let map = DotMap::from_iter([('k', DotSet::<&str>::new())]);
    /// assert!(map.is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// The keys, ascending.
    ///
    /// ```
    /// use lattice_causal::{Dot, DotMap, DotSet};
    ///
    /// let map = DotMap::from_iter([('k', DotSet::from_iter([Dot::new("a", 1)]))]);
    /// assert_eq!(map.keys().next(), Some(&'k'));
    /// ```
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> + ExactSizeIterator + Clone {
        self.children.keys()
    }

    /// The keys, ascending, with their stores.
    ///
    /// ```
    /// use lattice_causal::{Dot, DotMap, DotSet};
    ///
    /// let dots = DotSet::from_iter([Dot::new("a", 1)]);
    /// let map = DotMap::from_iter([('k', dots.clone())]);
    /// assert_eq!(map.iter().next(), Some((&'k', &dots)));
    /// ```
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &S)> + ExactSizeIterator + Clone {
        self.children.iter()
    }
}

impl<K: Clone + Ord, S: DotStore> DotMap<K, S> {
    /// The store under `key`. O(log keys).
    ///
    /// ```
    /// use lattice_causal::{DotMap, DotSet};
    ///
    /// assert_eq!(DotMap::<_, DotSet<&str>>::new().get(&'k'), None);
    /// ```
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&S> {
        self.children.get(key)
    }

    /// Joins `other`, the store of one key, into that key alone; every other key
    /// stays, whatever `theirs` claims. O(what is under `path` + log keys).
    pub(crate) fn join_child<O: Observer<Self>>(
        &mut self,
        (key, path): (&K, &S::Path),
        mine: &CausalContext<S::Replica>,
        other: &S,
        theirs: &CausalContext<S::Replica>,
        observer: &mut O,
    ) {
        let mut nested = Nested {
            key,
            summaries: &mut self.summaries,
            outer: observer,
        };
        if let Some(child) = self.children.get_mut(key) {
            child.join_at(path, mine, other, theirs, &mut nested);
            if child.is_empty() {
                self.children.remove(key);
            }
        } else if !other.is_empty() {
            let mut child = S::default();
            child.join(mine, other, theirs, &mut nested);
            if !child.is_empty() {
                self.children.insert(key.clone(), child);
            }
        }
    }

    fn check_invariants(&self) -> bool {
        let children_agree = |(replica, summary): (&S::Replica, &Summary)| {
            let mut sum = Summary::EMPTY;
            for child in self.children.values() {
                sum.merge(child.summary(replica));
            }
            *summary == sum && sum.live > 0
        };
        self.children.values().all(|child| !child.is_empty())
            && self.summaries.iter().all(children_agree)
    }
}

/// Up to how many claims on seen dots are looked for under the keys that a delta
/// names, before all keys are visited.
const FEW: u64 = 1_024;

impl<K: Clone + Ord, S: DotStore> DotMap<K, S> {
    /// Whether a join of `other` can end no life but under its own keys: the case of
    /// most deltas, which then cost what they name and not what is here. (A removal
    /// names no key.)
    fn dies_only_under_keys_of(
        &self,
        other: &Self,
        mine: &CausalContext<S::Replica>,
        theirs: &CausalContext<S::Replica>,
    ) -> bool {
        let is_small = other.children.len() <= self.children.len() / 2;
        is_small
            && theirs.iter().all(|(replica, claimed)| {
                let Some(seen) = mine.get(replica) else {
                    return true;
                };
                // Each of these is dead here, or alive under one key.
                let claimed = seen.intersection(claimed);
                if claimed.is_empty() || claimed.len() > FEW {
                    return claimed.is_empty();
                }
                let named = other.children.keys().filter_map(|key| self.get(key));
                let alive = named.map(|child| child.summary_in(replica, &claimed).live as u64);
                alive.sum::<u64>() == claimed.len()
            })
    }
}

impl<K: Clone + Ord, S: DotStore> DotStore for DotMap<K, S> {
    type Replica = S::Replica;
    type Key = (K, S::Key);
    type Leaf = S::Leaf;
    type Path = Option<(K, S::Path)>;

    fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    fn summary(&self, replica: &S::Replica) -> Summary {
        self.summaries.get(replica).copied().unwrap_or_default()
    }

    fn summary_in(&self, replica: &S::Replica, clocks: &ClockSet) -> Summary {
        let mut sum = Summary::EMPTY;
        for child in self.children.values() {
            sum.merge(child.summary_in(replica, clocks));
        }
        sum
    }

    fn live(&self, replica: &S::Replica) -> ClockSet {
        let children = self.children.values();
        ClockSet::union_of(children.map(|child| child.live(replica)))
    }

    fn dots(&self) -> CausalContext<S::Replica> {
        let mut parts = ReplicaMap::<S::Replica, Vec<ClockSet>>::new();
        for child in self.children.values() {
            for (replica, live) in child.dots().iter() {
                let part = parts.get_or_insert_with(replica, Vec::new);
                part.push(live.clone());
            }
        }
        parts
            .into_iter()
            .map(|(replica, live)| (replica, ClockSet::union_of(live)))
            .collect()
    }

    fn select(&self, chosen: &CausalContext<S::Replica>) -> Self {
        let children = self.children.iter();
        children
            .map(|(key, child)| (key.clone(), child.select(chosen)))
            .collect()
    }

    fn remove_replica(&mut self, replica: &S::Replica) {
        if self.summaries.remove(replica).is_some() {
            self.children.retain(|_, child| {
                child.remove_replica(replica);
                !child.is_empty()
            });
        }
    }

    fn fingerprint(clock: u64, leaf: &S::Leaf) -> u64 {
        S::fingerprint(clock, leaf)
    }

    fn join<O: Observer<Self>>(
        &mut self,
        mine: &CausalContext<S::Replica>,
        other: &Self,
        theirs: &CausalContext<S::Replica>,
        observer: &mut O,
    ) {
        let agrees = |(replica, seen)| {
            mine.get(replica) == Some(seen) && self.summary(replica) == other.summary(replica)
        };
        if theirs.iter().all(agrees) {
            return;
        }
        if self.dies_only_under_keys_of(other, mine, theirs) {
            for (key, their_child) in &other.children {
                let whole = S::Path::default();
                self.join_child((key, &whole), mine, their_child, theirs, observer);
            }
            debug_assert!(self.children.len() > CHECKED || self.check_invariants());
            return;
        }
        let empty = S::default();
        self.children.retain(|key, child| {
            let mut nested = Nested {
                key,
                summaries: &mut self.summaries,
                outer: &mut *observer,
            };
            let their_child = other.get(key).unwrap_or(&empty);
            child.join(mine, their_child, theirs, &mut nested);
            !child.is_empty()
        });
        for (key, their_child) in &other.children {
            // A key that both had is joined a second time only if it has just
            // died here, and then nothing of theirs was new.
            if !self.children.contains_key(key) {
                let whole = S::Path::default();
                self.join_child((key, &whole), mine, their_child, theirs, observer);
            }
        }
        debug_assert!(self.children.len() > CHECKED || self.check_invariants());
    }

    fn dots_at(&self, path: &Self::Path) -> CausalContext<S::Replica> {
        match path {
            None => self.dots(),
            Some((key, rest)) => {
                let child = self.get(key);
                child.map_or_else(CausalContext::new, |child| child.dots_at(rest))
            }
        }
    }

    fn join_at<O: Observer<Self>>(
        &mut self,
        path: &Self::Path,
        mine: &CausalContext<S::Replica>,
        other: &Self,
        theirs: &CausalContext<S::Replica>,
        observer: &mut O,
    ) {
        let Some((key, rest)) = path else {
            return self.join(mine, other, theirs, observer);
        };
        let nothing = S::default();
        let their_child = other.get(key).unwrap_or(&nothing);
        self.join_child((key, rest), mine, their_child, theirs, observer);
    }
}

/// Keeps the summaries of the map, and passes on what one child reports.
struct Nested<'a, K, R, O> {
    key: &'a K,
    summaries: &'a mut ReplicaMap<R, Summary>,
    outer: &'a mut O,
}

impl<K, S, O> Observer<S> for Nested<'_, K, S::Replica, O>
where
    K: Clone + Ord,
    S: DotStore,
    O: Observer<DotMap<K, S>>,
{
    const EXPECTS: bool = O::EXPECTS;

    fn added(
        &mut self,
        replica: &S::Replica,
        clock: u64,
        key: impl FnOnce() -> S::Key,
        leaf: &S::Leaf,
    ) {
        self.summaries
            .get_or_insert_with(replica, Summary::default)
            .add(S::fingerprint(clock, leaf));
        self.outer
            .added(replica, clock, || (self.key.clone(), key()), leaf);
    }

    fn removed(
        &mut self,
        replica: &S::Replica,
        clock: u64,
        key: impl FnOnce() -> S::Key,
        leaf: S::Leaf,
    ) {
        if let Some(summary) = self.summaries.get_mut(replica) {
            summary.subtract(S::fingerprint(clock, &leaf));
            if summary.live == 0 {
                self.summaries.remove(replica);
            }
        }
        self.outer
            .removed(replica, clock, || (self.key.clone(), key()), leaf);
    }

    fn expect(&mut self, replica: &S::Replica, dying: &[(u64, &S::Leaf)]) {
        self.outer.expect(replica, dying);
    }
}

impl<K: Ord, S: DotStore> FromIterator<(K, S)> for DotMap<K, S> {
    /// Empty stores are left out; of two stores for one key the later one stays.
    fn from_iter<T: IntoIterator<Item = (K, S)>>(children: T) -> Self {
        let children = children.into_iter().filter(|(_, child)| !child.is_empty());
        let children: BTreeMap<K, S> = children.collect();
        let mut summaries = ReplicaMap::new();
        for child in children.values() {
            for replica in child.dots().replicas() {
                summaries
                    .get_or_insert_with(replica, Summary::default)
                    .merge(child.summary(replica));
            }
        }
        Self {
            children,
            summaries,
        }
    }
}

impl<K, S: DotStore> Default for DotMap<K, S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: PartialEq, S: DotStore + PartialEq> PartialEq for DotMap<K, S> {
    fn eq(&self, other: &Self) -> bool {
        self.children == other.children
    }
}

impl<K: Eq, S: DotStore + Eq> Eq for DotMap<K, S> {}

impl<K: fmt::Debug, S: DotStore + fmt::Debug> fmt::Debug for DotMap<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.children).finish()
    }
}

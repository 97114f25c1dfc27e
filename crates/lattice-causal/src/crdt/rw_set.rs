//! The remove-wins set.

use super::{View, inherent};
use crate::{Causal, CausalCrdt, ClockExhausted, DotMap, DotSet, DotStore, Edit, causal_crdt};

/// What one element holds: the dots of its additions under `true`, those of its
/// removals under `false`.
type Votes<R> = DotMap<bool, DotSet<R>>;

causal_crdt! {
    /// A set of elements in which a removal wins over a concurrent addition: the
    /// paper's `RWORSet` (section 7).
    ///
    /// Both operations mint a dot and take the place of those that they have seen;
    /// an element is in the set while no removal of it stands. The price beside
    /// [`AwSet`](crate::AwSet): a removal needs an identity too, and a removed
    /// element keeps one dot, until it is added again or the set is cleared.
    ///
    /// ```
    /// use lattice_causal::RwSet;
    ///
    /// let mut a = RwSet::new();
    /// a.add(&"a", "mallory").unwrap();
    /// let mut b = a.clone();
    ///
    /// // Concurrently, a removes mallory and b adds mallory once more.
    /// let removal = a.remove(&"a", "mallory").unwrap();
    /// let addition = b.add(&"b", "mallory").unwrap();
    /// a.merge(&addition);
    /// b.merge(&removal);
    /// assert_eq!(a, b);
    /// assert!(!a.contains(&"mallory"));
    /// ```
    pub struct RwSet<R: Clone + Ord, E: Clone + Ord>(DotMap<E, Votes<R>>);
}

inherent!(RwSet<R: Clone + Ord, E: Clone + Ord>, DotMap<E, Votes<R>>, "RwSet::<&str, char>");

impl<R: Clone + Ord, E: Clone + Ord> RwSet<R, E> {
    /// Adds `element`; gives the delta. It undoes the removals that it has seen,
    /// and yields to those that it has not. O(log).
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`]: `replica` has used its last clock. Nothing changed.
    ///
    /// ```
    /// use lattice_causal::RwSet;
    ///
    /// let mut set = RwSet::new();
    /// set.remove(&"a", 'x').unwrap();
    /// set.add(&"a", 'x').unwrap();
    /// assert!(set.contains(&'x'));
    /// ```
    pub fn add(&mut self, replica: &R, element: E) -> Result<Self, ClockExhausted> {
        let edit = self.view().add(replica, element)?;
        Ok(self.commit(edit))
    }

    /// Removes `element`, whether it is there or not; gives the delta. O(log).
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`]: `replica` has used its last clock. Nothing changed.
    ///
    /// ```
    /// use lattice_causal::RwSet;
    ///
    /// let mut set = RwSet::new();
    /// set.add(&"a", 'x').unwrap();
    /// set.remove(&"a", 'x').unwrap();
    /// assert!(!set.contains(&'x'));
    /// ```
    pub fn remove(&mut self, replica: &R, element: E) -> Result<Self, ClockExhausted> {
        let edit = self.view().remove(replica, element)?;
        Ok(self.commit(edit))
    }

    /// Forgets every addition and every removal that was seen; gives the delta.
    /// O(additions and removals).
    ///
    /// ```
    /// use lattice_causal::RwSet;
    ///
    /// let mut set = RwSet::new();
    /// set.add(&"a", 'x').unwrap();
    /// set.clear();
    /// assert_eq!(set.iter().count(), 0);
    /// ```
    pub fn clear(&mut self) -> Self {
        self.commit(self.view().clear())
    }

    /// Whether `element` is in the set. O(log elements).
    ///
    /// ```
    /// assert!(!lattice_causal::RwSet::<&str, char>::new().contains(&'x'));
    /// ```
    #[must_use]
    pub fn contains(&self, element: &E) -> bool {
        self.view().contains(element)
    }

    /// The elements, ascending. O(elements, removed ones included).
    ///
    /// ```
    /// use lattice_causal::RwSet;
    ///
    /// let mut set = RwSet::new();
    /// set.add(&"a", 'y').unwrap();
    /// set.add(&"a", 'x').unwrap();
    /// set.remove(&"a", 'z').unwrap();
    /// assert_eq!(set.iter().collect::<String>(), "xy");
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.view().iter()
    }
}

/// The set, standalone or nested; see [`RwSet`] for what the operations mean.
impl<'a, R: Clone + Ord, E: Clone + Ord> View<'a, RwSet<R, E>> {
    /// The edit that adds `element`.
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`]: `replica` has used its last clock.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, RwSet};
    ///
    /// let mut set = RwSet::new();
    /// set.commit(set.view().add(&"a", 'x').unwrap());
    /// assert!(set.contains(&'x'));
    /// ```
    pub fn add(self, replica: &R, element: E) -> Result<Edit<DotMap<E, Votes<R>>>, ClockExhausted> {
        self.vote(replica, element, true)
    }

    /// The edit that removes `element`.
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`]: `replica` has used its last clock.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, RwSet};
    ///
    /// let mut set = RwSet::new();
    /// set.add(&"a", 'x').unwrap();
    /// set.commit(set.view().remove(&"a", 'x').unwrap());
    /// assert!(!set.contains(&'x'));
    /// ```
    pub fn remove(
        self,
        replica: &R,
        element: E,
    ) -> Result<Edit<DotMap<E, Votes<R>>>, ClockExhausted> {
        self.vote(replica, element, false)
    }

    fn vote(
        self,
        replica: &R,
        element: E,
        stays: bool,
    ) -> Result<Edit<DotMap<E, Votes<R>>>, ClockExhausted> {
        let dot = self.context().next_dot(replica)?;
        let votes = self.store().and_then(|store| store.get(&element));
        let mut seen = votes.map(DotStore::dots).unwrap_or_default();
        seen.insert(dot.clone());
        let vote = DotMap::from_iter([(stays, DotSet::from_iter([dot]))]);
        Ok(Edit::under(
            element,
            Edit::from(Causal::covered(vote, seen)),
        ))
    }

    /// Whether `element` is in the set.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, RwSet};
    ///
    /// assert!(!RwSet::<&str, char>::new().view().contains(&'x'));
    /// ```
    #[must_use]
    pub fn contains(self, element: &E) -> bool {
        let votes = self.store().and_then(|store| store.get(element));
        votes.is_some_and(|votes| votes.get(&false).is_none())
    }

    /// The elements, ascending.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, RwSet};
    ///
    /// assert_eq!(RwSet::<&str, char>::new().view().iter().count(), 0);
    /// ```
    pub fn iter(self) -> impl Iterator<Item = &'a E> {
        let all = self.store().into_iter().flat_map(DotMap::iter);
        all.filter(|(_, votes)| votes.get(&false).is_none())
            .map(|(element, _)| element)
    }
}

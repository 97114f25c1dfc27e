//! The add-wins set.

use super::{View, inherent};
use crate::{Causal, CausalContext, CausalCrdt, ClockExhausted, DotMap, DotSet, Edit, causal_crdt};

causal_crdt! {
    /// A set of elements in which an addition wins over a concurrent removal: a
    /// removal takes away the additions that it has seen, and no other. The paper's
    /// `AWORSet` (section 7), also known as an observed-remove set.
    ///
    /// ```
    /// use lattice_causal::AwSet;
    ///
    /// let mut a = AwSet::new();
    /// a.add(&"a", "milk").unwrap();
    /// let mut b = a.clone();
    ///
    /// // Concurrently, a removes the milk and b adds it once more.
    /// let removal = a.remove(&"milk");
    /// let addition = b.add(&"b", "milk").unwrap();
    /// a.merge(&addition);
    /// b.merge(&removal);
    /// assert_eq!(a, b);
    /// assert!(a.contains(&"milk"));
    /// ```
    pub struct AwSet<R: Clone + Ord, E: Clone + Ord>(DotMap<E, DotSet<R>>);
}

inherent!(AwSet<R: Clone + Ord, E: Clone + Ord>, DotMap<E, DotSet<R>>, "AwSet::<&str, char>");

impl<R: Clone + Ord, E: Clone + Ord> AwSet<R, E> {
    /// Adds `element`; gives the delta. An element that is there gets one fresh
    /// dot in place of those that it had, which is what lets this addition win.
    /// O(log).
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`]: `replica` has used its last clock. Nothing changed.
    ///
    /// ```
    /// use lattice_causal::AwSet;
    ///
    /// let mut set = AwSet::new();
    /// let delta = set.add(&"a", 'x').unwrap();
    /// assert!(set.contains(&'x') && delta.contains(&'x'));
    /// ```
    pub fn add(&mut self, replica: &R, element: E) -> Result<Self, ClockExhausted> {
        let edit = self.view().add(replica, element)?;
        Ok(self.commit(edit))
    }

    /// Removes `element` as far as it was seen; gives the delta. O(log).
    ///
    /// ```
    /// use lattice_causal::AwSet;
    ///
    /// let mut set = AwSet::new();
    /// set.add(&"a", 'x').unwrap();
    /// set.remove(&'x');
    /// assert!(set.is_empty());
    /// ```
    pub fn remove(&mut self, element: &E) -> Self {
        self.commit(self.view().remove(element))
    }

    /// Removes every element as far as it was seen; gives the delta. O(elements).
    ///
    /// ```
    /// use lattice_causal::AwSet;
    ///
    /// let mut set = AwSet::new();
    /// set.add(&"a", 'x').unwrap();
    /// set.clear();
    /// assert!(set.is_empty());
    /// ```
    pub fn clear(&mut self) -> Self {
        self.commit(self.view().clear())
    }

    /// Whether `element` is in the set. O(log elements).
    ///
    /// ```
    /// assert!(!lattice_causal::AwSet::<&str, char>::new().contains(&'x'));
    /// ```
    #[must_use]
    pub fn contains(&self, element: &E) -> bool {
        self.view().contains(element)
    }

    /// The elements, ascending.
    ///
    /// ```
    /// use lattice_causal::AwSet;
    ///
    /// let mut set = AwSet::new();
    /// set.add(&"a", 'y').unwrap();
    /// set.add(&"a", 'x').unwrap();
    /// assert_eq!(set.iter().collect::<String>(), "xy");
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        self.view().iter()
    }

    /// How many elements there are. O(1).
    ///
    /// ```
    /// assert_eq!(lattice_causal::AwSet::<&str, char>::new().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there is no element. O(1).
    ///
    /// ```
    /// assert!(lattice_causal::AwSet::<&str, char>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }
}

/// The set, standalone or nested; see [`AwSet`] for what the operations mean.
impl<'a, R: Clone + Ord, E: Clone + Ord> View<'a, AwSet<R, E>> {
    /// The edit that adds `element`.
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`]: `replica` has used its last clock.
    ///
    /// ```
    /// use lattice_causal::{AwSet, CausalCrdt};
    ///
    /// let mut set = AwSet::new();
    /// set.commit(set.view().add(&"a", 'x').unwrap());
    /// assert!(set.contains(&'x'));
    /// ```
    pub fn add(
        self,
        replica: &R,
        element: E,
    ) -> Result<Edit<DotMap<E, DotSet<R>>>, ClockExhausted> {
        let dot = self.context().next_dot(replica)?;
        let mut seen = self.dots_of(&element);
        seen.insert(dot.clone());
        let added = Causal::covered(DotSet::from_iter([dot]), seen);
        Ok(Edit::under(element, Edit::from(added)))
    }

    /// The edit that removes `element`.
    ///
    /// ```
    /// use lattice_causal::{AwSet, CausalCrdt};
    ///
    /// let mut set = AwSet::new();
    /// set.add(&"a", 'x').unwrap();
    /// set.commit(set.view().remove(&'x'));
    /// assert!(set.is_empty());
    /// ```
    pub fn remove(self, element: &E) -> Edit<DotMap<E, DotSet<R>>> {
        let removed = Causal::from_context(self.dots_of(element));
        Edit::under(element.clone(), Edit::from(removed))
    }

    fn dots_of(self, element: &E) -> CausalContext<R> {
        let dots = self.store().and_then(|store| store.get(element));
        dots.map_or_else(CausalContext::new, crate::DotStore::dots)
    }

    /// Whether `element` is in the set.
    ///
    /// ```
    /// use lattice_causal::{AwSet, CausalCrdt};
    ///
    /// assert!(!AwSet::<&str, char>::new().view().contains(&'x'));
    /// ```
    #[must_use]
    pub fn contains(self, element: &E) -> bool {
        self.store()
            .is_some_and(|store| store.get(element).is_some())
    }

    /// The elements, ascending.
    ///
    /// ```
    /// use lattice_causal::{AwSet, CausalCrdt};
    ///
    /// assert_eq!(AwSet::<&str, char>::new().view().iter().count(), 0);
    /// ```
    pub fn iter(self) -> impl Iterator<Item = &'a E> {
        self.store().into_iter().flat_map(DotMap::keys)
    }

    /// How many elements there are.
    ///
    /// ```
    /// use lattice_causal::{AwSet, CausalCrdt};
    ///
    /// assert_eq!(AwSet::<&str, char>::new().view().len(), 0);
    /// ```
    #[must_use]
    pub fn len(self) -> usize {
        self.store().map_or(0, DotMap::len)
    }

    /// Whether there is no element.
    ///
    /// ```
    /// use lattice_causal::{AwSet, CausalCrdt};
    ///
    /// assert!(AwSet::<&str, char>::new().view().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

//! The observed-remove map of CRDTs.

use super::{Replica, View, inherent};
use crate::{Causal, CausalCrdt, ClockExhausted, DotMap, Edit, causal_crdt};

causal_crdt! {
    /// A map from keys to CRDTs, other maps among them: the paper's `ORMap` (section
    /// 7.4). All values share the context of the map, so that removing a key costs
    /// nothing later.
    ///
    /// Removing a key resets its value: what was seen of it dies, what a peer does to
    /// it concurrently lives on, and brings the key back with that alone. A key whose
    /// value has no live dot (an empty set, a disabled flag) is absent.
    ///
    /// ```
    /// use lattice_causal::{AwSet, OrMap};
    ///
    /// let mut a = OrMap::<&str, AwSet<&str, &str>>::new();
    /// a.apply("alice", |cart| cart.add(&"a", "milk")).unwrap();
    /// let mut b = a.clone();
    ///
    /// // Concurrently, a drops the whole cart and b puts eggs into it.
    /// let removal = a.remove(&"alice");
    /// let eggs = b.apply("alice", |cart| cart.add(&"b", "eggs")).unwrap();
    /// a.merge(&eggs);
    /// b.merge(&removal);
    /// assert_eq!(a, b);
    /// assert_eq!(a.get(&"alice").unwrap().iter().collect::<Vec<_>>(), [&"eggs"]);
    /// ```
    ///
    /// Maps nest:
    ///
    /// ```
    /// use lattice_causal::{AwSet, OrMap};
    ///
    /// type Cart = AwSet<&'static str, &'static str>;
    /// let mut shops = OrMap::<&str, OrMap<&str, Cart>>::new();
    /// let delta = shops
    ///     .apply("grocer", |carts| carts.apply("alice", |cart| cart.add(&"a", "milk")))
    ///     .unwrap();
    /// assert!(shops.get(&"grocer").unwrap().get(&"alice").unwrap().contains(&"milk"));
    /// assert_eq!(delta, shops);
    /// ```
    pub struct OrMap<K: Clone + Ord, C: CausalCrdt>(DotMap<K, C::Store>);
}

inherent!(OrMap<K: Clone + Ord, C: CausalCrdt>, DotMap<K, C::Store>, "OrMap::<char, lattice_causal::EwFlag<&str>>");

impl<K: Clone + Ord, C: CausalCrdt> OrMap<K, C> {
    /// Applies one operation to the value under `key`, present or not; gives the
    /// delta. O(log keys) beside the operation, at every level of nesting.
    ///
    /// `operation` gets the [`View`] of the value and returns the [`Edit`] that
    /// one of its methods made.
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`] from the operation. Nothing changed.
    ///
    /// ```
    /// use lattice_causal::{MvRegister, OrMap};
    ///
    /// let mut profile = OrMap::<&str, MvRegister<&str, u32>>::new();
    /// profile.apply("age", |age| age.write(&"a", 41)).unwrap();
    /// profile.apply("age", |age| Ok(age.clear())).unwrap();
    /// assert!(profile.is_empty());
    /// ```
    pub fn apply(
        &mut self,
        key: K,
        operation: impl FnOnce(View<'_, C>) -> Result<Edit<C::Store>, ClockExhausted>,
    ) -> Result<Self, ClockExhausted> {
        let edit = self.view().apply(key, operation)?;
        Ok(self.commit(edit))
    }

    /// Removes `key` as far as its value was seen; gives the delta. O(log keys +
    /// the value).
    ///
    /// ```
    /// use lattice_causal::{EwFlag, OrMap};
    ///
    /// let mut map = OrMap::<char, EwFlag<&str>>::new();
    /// map.apply('k', |flag| flag.enable(&"a")).unwrap();
    /// map.remove(&'k');
    /// assert!(map.is_empty());
    /// ```
    pub fn remove(&mut self, key: &K) -> Self {
        self.commit(self.view().remove(key))
    }

    /// Removes every key as far as its value was seen; gives the delta.
    /// O(live dots).
    ///
    /// ```
    /// use lattice_causal::{EwFlag, OrMap};
    ///
    /// let mut map = OrMap::<char, EwFlag<&str>>::new();
    /// map.apply('k', |flag| flag.enable(&"a")).unwrap();
    /// map.clear();
    /// assert!(map.is_empty());
    /// ```
    pub fn clear(&mut self) -> Self {
        self.commit(self.view().clear())
    }

    /// The value under `key`. O(log keys).
    ///
    /// ```
    /// use lattice_causal::{EwFlag, OrMap};
    ///
    /// let mut map = OrMap::<char, EwFlag<&str>>::new();
    /// assert!(map.get(&'k').is_none());
    /// map.apply('k', |flag| flag.enable(&"a")).unwrap();
    /// assert!(map.get(&'k').unwrap().is_enabled());
    /// ```
    #[must_use]
    pub fn get(&self, key: &K) -> Option<View<'_, C>> {
        self.view().get(key)
    }

    /// The keys, ascending, with their values.
    ///
    /// ```
    /// use lattice_causal::{EwFlag, OrMap};
    ///
    /// let mut map = OrMap::<char, EwFlag<&str>>::new();
    /// map.apply('k', |flag| flag.enable(&"a")).unwrap();
    /// let keys = map.iter().map(|(key, _)| *key);
    /// assert_eq!(keys.collect::<String>(), "k");
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&K, View<'_, C>)> {
        self.view().iter()
    }

    /// How many keys there are. O(1).
    ///
    /// ```
    /// use lattice_causal::{EwFlag, OrMap};
    ///
    /// assert_eq!(OrMap::<char, EwFlag<&str>>::new().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.view().len()
    }

    /// Whether there is no key. O(1).
    ///
    /// ```
    /// use lattice_causal::{EwFlag, OrMap};
    ///
    /// assert!(OrMap::<char, EwFlag<&str>>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.view().is_empty()
    }
}

/// The map, standalone or nested; see [`OrMap`] for what the operations mean.
impl<'a, K: Clone + Ord, C: CausalCrdt> View<'a, OrMap<K, C>> {
    /// The edit that applies one operation to the value under `key`.
    ///
    /// # Errors
    ///
    /// [`ClockExhausted`] from the operation.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, EwFlag, OrMap};
    ///
    /// let mut map = OrMap::<char, EwFlag<&str>>::new();
    /// map.commit(map.view().apply('k', |flag| flag.enable(&"a")).unwrap());
    /// assert_eq!(map.len(), 1);
    /// ```
    pub fn apply(
        self,
        key: K,
        operation: impl FnOnce(View<'_, C>) -> Result<Edit<C::Store>, ClockExhausted>,
    ) -> Result<Edit<DotMap<K, C::Store>>, ClockExhausted> {
        let edit = operation(self.value(&key))?;
        Ok(Edit::under(key, edit))
    }

    /// The edit that removes `key`.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, EwFlag, OrMap};
    ///
    /// let mut map = OrMap::<char, EwFlag<&str>>::new();
    /// map.apply('k', |flag| flag.enable(&"a")).unwrap();
    /// map.commit(map.view().remove(&'k'));
    /// assert!(map.is_empty());
    /// ```
    pub fn remove(self, key: &K) -> Edit<DotMap<K, C::Store>> {
        Edit::under(key.clone(), self.value(key).clear())
    }

    fn value(self, key: &K) -> View<'a, C> {
        let store = self.store().and_then(|store| store.get(key));
        View::new(store, self.context())
    }

    /// The value under `key`.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, EwFlag, OrMap};
    ///
    /// assert!(OrMap::<char, EwFlag<&str>>::new().view().get(&'k').is_none());
    /// ```
    #[must_use]
    pub fn get(self, key: &K) -> Option<View<'a, C>> {
        let value = self.value(key);
        value.store().map(|_| value)
    }

    /// The keys, ascending, with their values.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, EwFlag, OrMap};
    ///
    /// assert_eq!(OrMap::<char, EwFlag<&str>>::new().view().iter().count(), 0);
    /// ```
    pub fn iter(self) -> impl Iterator<Item = (&'a K, View<'a, C>)>
    where
        Replica<C>: 'a,
    {
        let values = self.store().into_iter().flat_map(DotMap::iter);
        values.map(move |(key, store)| (key, View::new(Some(store), self.context())))
    }

    /// How many keys there are.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, EwFlag, OrMap};
    ///
    /// assert_eq!(OrMap::<char, EwFlag<&str>>::new().view().len(), 0);
    /// ```
    #[must_use]
    pub fn len(self) -> usize {
        self.store().map_or(0, DotMap::len)
    }

    /// Whether there is no key.
    ///
    /// ```
    /// use lattice_causal::{CausalCrdt, EwFlag, OrMap};
    ///
    /// assert!(OrMap::<char, EwFlag<&str>>::new().view().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

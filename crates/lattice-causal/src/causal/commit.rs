//! What an operation did, taken in.

use super::{Causal, Remember};
use crate::{CausalContext, DotMap, DotStore, Edit};

impl<S: DotStore> Causal<S> {
    /// Joins the delta of `edit`, and gives that delta back, for the peers.
    ///
    /// The effect is that of merging the delta, at the cost of the part of the
    /// store that the edit names. If the delta claims dots that were seen and do not live
    /// in that part, it costs what merging it would.
    ///
    /// # Panics
    ///
    /// If a dot that the edit mints was seen already: the edit was made from an
    /// older state. Committing it would put two values under one dot, and replicas
    /// would differ for ever without a way to notice. Commit each edit before the
    /// next one is made.
    ///
    /// ```
    /// use lattice_causal::{Causal, CausalContext, Dot, DotMap, DotSet, Edit};
    ///
    /// let dots = DotSet::from_iter([Dot::new("a", 1)]);
    /// let mut list = Causal::from_store(DotMap::from_iter([("milk", dots)]));
    ///
    /// let seen = CausalContext::from_iter([Dot::new("a", 1)]);
    /// let removal = Edit::from(Causal::<DotSet<&str>>::from_context(seen));
    /// let delta = list.commit(Edit::under("milk", removal));
    /// assert!(list.store().is_empty() && delta.store().is_empty());
    /// ```
    pub fn commit(&mut self, edit: Edit<S>) -> Self {
        let (path, delta) = edit.into_parts();
        let minted = delta.store.dots();
        let stale = minted.iter().any(|(replica, clocks)| {
            let seen = self.context.get(replica);
            seen.is_some_and(|seen| !seen.intersection(clocks).is_empty())
        });
        assert!(
            !stale,
            "the edit was made from an older state: its dots are taken"
        );
        let (store, context) = (&delta.store, &delta.context);
        let mut observer = Remember {
            deaths: &mut self.deaths,
            newest: |replica: &_| context.max(replica).max(self.context.max(replica)),
            outer: &mut (),
        };
        // A claim on dots that live elsewhere kills them at every peer that merges the
        // delta. Here as well, then, though it takes a walk over the whole store.
        let claimed = context.difference(&minted);
        let elsewhere = claimed.difference(&self.store.dots_at(&path));
        if elsewhere.intersection(&self.context).is_empty() {
            self.store
                .join_at(&path, &self.context, store, context, &mut observer);
        } else {
            self.store
                .join(&self.context, store, context, &mut observer);
        }
        self.context.merge(context);
        self.trim(context);
        delta
    }
}

impl<K: Clone + Ord, S: DotStore> Causal<DotMap<K, S>> {
    /// Applies an operation of the nested CRDT under `key`: `operation` gets its
    /// store, if there is one, with the shared context, and returns a delta,
    /// which is joined there and comes back lifted to the map.
    ///
    /// What the delta removes must live under `key`; it costs O(log keys) beside
    /// the nested join. Merging the lifted delta would visit every key.
    ///
    /// # Panics
    ///
    /// As [`commit`](Self::commit), if the operation mints a dot that was seen.
    ///
    /// ```
    /// use lattice_causal::{Causal, DotMap, DotSet};
    ///
    /// let mut map = Causal::<DotMap<&str, DotSet<char>>>::new();
    /// let delta = map.apply(&"milk", |_, context| {
    ///     let dot = context.next_dot(&'a').unwrap();
    ///     Causal::from_store(DotSet::from_iter([dot]))
    /// });
    /// assert_eq!(map.store().keys().collect::<Vec<_>>(), [&"milk"]);
    /// assert_eq!(map, delta);
    /// ```
    pub fn apply(
        &mut self,
        key: &K,
        operation: impl FnOnce(Option<&S>, &CausalContext<S::Replica>) -> Causal<S>,
    ) -> Self {
        let delta = operation(self.store.get(key), &self.context);
        self.commit(Edit::under(key.clone(), Edit::from(delta)))
    }
}

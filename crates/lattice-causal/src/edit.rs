//! A delta with the place in the store that it touches.

use core::fmt;

use crate::{Causal, DotMap, DotStore};

/// What one operation does to a CRDT: its delta, and the part of the store that
/// the delta touches.
///
/// The delta-mutators of the CRDTs here return edits and change nothing. An edit
/// of a nested CRDT is lifted to the map that holds it, [`under`](Self::under)
/// its key, as often as maps are nested, and the outermost state
/// [commits](Causal::commit) it: one look-up per level. Merging a bare
/// delta would visit every key, because a delta that only removes does not name the
/// key.
///
/// ```
/// use lattice_causal::{AwSet, CausalCrdt, OrMap};
///
/// let mut carts = OrMap::<&str, AwSet<&str, &str>>::new();
/// let edit = carts.view().apply("alice", |cart| cart.add(&"a", "milk")).unwrap();
/// assert!(carts.is_empty());
///
/// let delta = carts.commit(edit);
/// assert!(carts.get(&"alice").unwrap().contains(&"milk"));
/// assert_eq!(delta, carts);
/// ```
#[must_use = "an edit does nothing until it is committed"]
pub struct Edit<S: DotStore> {
    path: S::Path,
    delta: Causal<S>,
}

impl<S: DotStore> Edit<S> {
    pub(crate) fn into_parts(self) -> (S::Path, Causal<S>) {
        (self.path, self.delta)
    }

    /// What peers merge.
    ///
    /// ```
    /// use lattice_causal::{AwSet, CausalCrdt};
    ///
    /// let set = AwSet::<&str, char>::new();
    /// let edit = set.view().add(&"a", 'x').unwrap();
    /// assert_eq!(edit.delta().store().len(), 1);
    /// ```
    #[must_use]
    pub const fn delta(&self) -> &Causal<S> {
        &self.delta
    }
}

impl<K: Clone + Ord, S: DotStore> Edit<DotMap<K, S>> {
    /// The edit of a nested CRDT as an edit of the map that holds it at `key`.
    ///
    /// The edits that the CRDTs here make from the view of that key kill no dot that lives
    /// under another one. An edit that does kills it at the author, too, when it is
    /// committed, as it does at every peer; that costs a walk over the whole store.
    ///
    /// ```
    /// use lattice_causal::{Causal, Dot, DotMap, DotSet, Edit};
    ///
    /// let edit = Edit::from(Causal::from_store(DotSet::from_iter([Dot::new("a", 1)])));
    /// let mut map = Causal::<DotMap<&str, DotSet<&str>>>::new();
    /// map.commit(Edit::under("milk", edit));
    /// assert_eq!(map.store().keys().collect::<Vec<_>>(), [&"milk"]);
    /// ```
    pub fn under(key: K, edit: Edit<S>) -> Self {
        let (store, context) = edit.delta.into_parts();
        let store = DotMap::from_iter([(key.clone(), store)]);
        Self {
            path: Some((key, edit.path)),
            delta: Causal::covered(store, context),
        }
    }
}

impl<S: DotStore> From<Causal<S>> for Edit<S> {
    /// An edit that may touch all of the store.
    fn from(delta: Causal<S>) -> Self {
        Self {
            path: S::Path::default(),
            delta,
        }
    }
}

impl<S: DotStore> fmt::Debug for Edit<S>
where
    Causal<S>: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Edit").field(&self.delta).finish()
    }
}

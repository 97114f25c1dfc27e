//! A sorted map from replicas to something, for few keys.

use core::cmp::Ordering;

use smallvec::SmallVec;

/// A map in replica order, as a sorted vector.
///
/// A cluster has few replicas, most per-replica maps hold one (a topic whose
/// members all sit on one node), and every join walks two of them side by side:
/// a vector with one inline place beats a tree in space and in time. Inserting
/// a replica costs O(replicas); it happens once in a replica's life.
///
/// # Invariants
///
/// Keys are strictly ascending.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ReplicaMap<R, T> {
    entries: SmallVec<[(R, T); 1]>,
}

impl<R, T> Default for ReplicaMap<R, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R, T> ReplicaMap<R, T> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: SmallVec::new_const(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn iter(
        &self,
    ) -> impl DoubleEndedIterator<Item = (&R, &T)> + ExactSizeIterator + Clone {
        self.entries.iter().map(|(replica, value)| (replica, value))
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&R, &mut T) -> bool) {
        self.entries.retain(|(replica, value)| keep(replica, value));
    }
}

impl<R: Ord, T> ReplicaMap<R, T> {
    fn search(&self, replica: &R) -> Result<usize, usize> {
        self.entries.binary_search_by(|(at, _)| at.cmp(replica))
    }

    pub(crate) fn get(&self, replica: &R) -> Option<&T> {
        self.search(replica).ok().map(|at| &self.entries[at].1)
    }

    pub(crate) fn get_mut(&mut self, replica: &R) -> Option<&mut T> {
        let at = self.search(replica).ok()?;
        Some(&mut self.entries[at].1)
    }

    pub(crate) fn get_or_insert_with(&mut self, replica: &R, new: impl FnOnce() -> T) -> &mut T
    where
        R: Clone,
    {
        let at = match self.search(replica) {
            Ok(at) => at,
            Err(at) => {
                self.entries.insert(at, (replica.clone(), new()));
                at
            }
        };
        &mut self.entries[at].1
    }

    /// Sets the value of `replica`; the former one, if any, comes back.
    pub(crate) fn insert(&mut self, replica: R, value: T) -> Option<T> {
        match self.search(&replica) {
            Ok(at) => Some(core::mem::replace(&mut self.entries[at].1, value)),
            Err(at) => {
                self.entries.insert(at, (replica, value));
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, replica: &R) -> Option<T> {
        let at = self.search(replica).ok()?;
        Some(self.entries.remove(at).1)
    }

    /// The map of `pairs`. Of two pairs for one replica, `combine` makes the first
    /// value what stays. Linear where the replicas come in order, O(n log n) otherwise,
    /// where inserting one after the other would be quadratic.
    pub(crate) fn from_pairs(
        pairs: impl IntoIterator<Item = (R, T)>,
        mut combine: impl FnMut(&mut T, &mut T),
    ) -> Self {
        let mut entries: SmallVec<[(R, T); 1]> = pairs.into_iter().collect();
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            // Stable: of one replica's values the earlier comes first.
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    combine(&mut earlier.1, &mut later.1);
                }
                same
            });
        }
        Self { entries }
    }

    /// Walks both maps in replica order: each replica of either, once.
    pub(crate) fn zip<'a, U>(&'a self, other: &'a ReplicaMap<R, U>) -> Zip<'a, R, T, U> {
        Zip {
            left: &self.entries,
            right: &other.entries,
        }
    }
}

impl<R: Ord, T> FromIterator<(R, T)> for ReplicaMap<R, T> {
    /// Of two values for one replica the later one stays.
    fn from_iter<I: IntoIterator<Item = (R, T)>>(pairs: I) -> Self {
        Self::from_pairs(pairs, core::mem::swap)
    }
}

impl<R, T> IntoIterator for ReplicaMap<R, T> {
    type Item = (R, T);
    type IntoIter = smallvec::IntoIter<[(R, T); 1]>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

/// See [`ReplicaMap::zip`].
pub(crate) struct Zip<'a, R, T, U> {
    left: &'a [(R, T)],
    right: &'a [(R, U)],
}

impl<'a, R: Ord, T, U> Iterator for Zip<'a, R, T, U> {
    type Item = (&'a R, Option<&'a T>, Option<&'a U>);

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.left.first(), self.right.first()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((l, _)), Some((r, _))) => l.cmp(r),
        };
        let mut item = None;
        if order.is_le()
            && let [(replica, value), rest @ ..] = self.left
        {
            self.left = rest;
            item = Some((replica, Some(value), None));
        }
        if order.is_ge()
            && let [(replica, value), rest @ ..] = self.right
        {
            self.right = rest;
            let left = item.and_then(|(_, left, _)| left);
            item = Some((replica, left, Some(value)));
        }
        item
    }
}

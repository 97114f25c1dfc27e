//! A sorted map from replicas to something, for few keys or many.

use alloc::collections::{BTreeMap, btree_map};
use core::cmp::Ordering;
use core::hash::{Hash, Hasher};
use core::iter::Peekable;
use core::slice;

use smallvec::SmallVec;

/// So many replicas lie in a vector.
const FEW: usize = 64;

/// A map in replica order.
///
/// A cluster has few replicas, most per-replica maps hold one (a topic whose
/// members all sit on one node), and every join walks two of them side by side:
/// a sorted vector with one inline place beats a tree in space and in time. A map of
/// more than [`FEW`] replicas is a tree, so that none costs more than O(log replicas) to
/// enter, however many come.
///
/// # Invariants
///
/// A vector is strictly ascending, and has at most `FEW` entries. A tree has more than
/// half as many.
#[derive(Clone, Debug)]
pub(crate) struct ReplicaMap<R, T> {
    entries: Entries<R, T>,
}

#[derive(Clone, Debug)]
enum Entries<R, T> {
    Few(SmallVec<[(R, T); 1]>),
    Many(BTreeMap<R, T>),
}

impl<R, T> Default for ReplicaMap<R, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R, T> ReplicaMap<R, T> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Entries::Few(SmallVec::new_const()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.entries {
            Entries::Few(entries) => entries.len(),
            Entries::Many(entries) => entries.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn iter(&self) -> Iter<'_, R, T> {
        match &self.entries {
            Entries::Few(entries) => Iter::Few(entries.iter()),
            Entries::Many(entries) => Iter::Many(entries.iter()),
        }
    }
}

#[inline]
fn search<R: Ord, T>(entries: &[(R, T)], replica: &R) -> Result<usize, usize> {
    entries.binary_search_by(|(at, _)| at.cmp(replica))
}

impl<R: Ord, T> ReplicaMap<R, T> {
    #[inline]
    pub(crate) fn get(&self, replica: &R) -> Option<&T> {
        match &self.entries {
            Entries::Few(entries) => {
                let at = search(entries, replica).ok()?;
                Some(&entries[at].1)
            }
            Entries::Many(entries) => entries.get(replica),
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, replica: &R) -> Option<&mut T> {
        match &mut self.entries {
            Entries::Few(entries) => {
                let at = search(entries, replica).ok()?;
                Some(&mut entries[at].1)
            }
            Entries::Many(entries) => entries.get_mut(replica),
        }
    }

    pub(crate) fn get_or_insert_with(&mut self, replica: &R, new: impl FnOnce() -> T) -> &mut T
    where
        R: Clone,
    {
        if let Entries::Few(entries) = &self.entries
            && entries.len() == FEW
        {
            self.grow(replica);
        }
        match &mut self.entries {
            Entries::Few(entries) => {
                let at = search(entries, replica).unwrap_or_else(|at| {
                    entries.insert(at, (replica.clone(), new()));
                    at
                });
                &mut entries[at].1
            }
            Entries::Many(entries) => entries.entry(replica.clone()).or_insert_with(new),
        }
    }

    /// Sets the value of `replica`; the former one, if any, comes back.
    pub(crate) fn insert(&mut self, replica: R, value: T) -> Option<T> {
        self.grow(&replica);
        match &mut self.entries {
            Entries::Few(entries) => match search(entries, &replica) {
                Ok(at) => Some(core::mem::replace(&mut entries[at].1, value)),
                Err(at) => {
                    entries.insert(at, (replica, value));
                    None
                }
            },
            Entries::Many(entries) => entries.insert(replica, value),
        }
    }

    /// Makes a tree of a full vector that `replica` is about to enter.
    fn grow(&mut self, replica: &R) {
        if let Entries::Few(entries) = &mut self.entries
            && entries.len() == FEW
            && search(entries, replica).is_err()
        {
            self.entries = Entries::Many(core::mem::take(entries).into_iter().collect());
        }
    }

    /// Makes a vector of a tree that has become small.
    fn shrink(&mut self) {
        if let Entries::Many(entries) = &mut self.entries
            && entries.len() <= FEW / 2
        {
            self.entries = Entries::Few(core::mem::take(entries).into_iter().collect());
        }
    }

    pub(crate) fn remove(&mut self, replica: &R) -> Option<T> {
        let removed = match &mut self.entries {
            Entries::Few(entries) => {
                let at = search(entries, replica).ok()?;
                Some(entries.remove(at).1)
            }
            Entries::Many(entries) => entries.remove(replica),
        };
        self.shrink();
        removed
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&R, &mut T) -> bool) {
        match &mut self.entries {
            Entries::Few(entries) => entries.retain(|(replica, value)| keep(replica, value)),
            Entries::Many(entries) => entries.retain(|replica, value| keep(replica, value)),
        }
        self.shrink();
    }

    /// The map of `pairs`. Of two pairs for one replica, `combine` makes the first
    /// value what stays. Linear if the replicas come in order, O(n log n) otherwise.
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
        let entries = if entries.len() <= FEW {
            Entries::Few(entries)
        } else {
            Entries::Many(entries.into_iter().collect())
        };
        Self { entries }
    }

    /// Walks both maps in replica order: each replica of either, once.
    pub(crate) fn zip<'a, U>(&'a self, other: &'a ReplicaMap<R, U>) -> Zip<'a, R, T, U> {
        Zip {
            left: self.iter().peekable(),
            right: other.iter().peekable(),
        }
    }
}

impl<R: PartialEq, T: PartialEq> PartialEq for ReplicaMap<R, T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<R: Eq, T: Eq> Eq for ReplicaMap<R, T> {}

impl<R: Hash, T: Hash> Hash for ReplicaMap<R, T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len());
        for entry in self.iter() {
            entry.hash(state);
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
    type IntoIter = IntoIter<R, T>;

    fn into_iter(self) -> Self::IntoIter {
        match self.entries {
            Entries::Few(entries) => IntoIter::Few(entries.into_iter()),
            Entries::Many(entries) => IntoIter::Many(entries.into_iter()),
        }
    }
}

/// The entries of a map, taken out.
pub(crate) enum IntoIter<R, T> {
    Few(smallvec::IntoIter<[(R, T); 1]>),
    Many(btree_map::IntoIter<R, T>),
}

impl<R, T> Iterator for IntoIter<R, T> {
    type Item = (R, T);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(entries) => entries.next(),
            Self::Many(entries) => entries.next(),
        }
    }
}

/// The entries of a map.
pub(crate) enum Iter<'a, R, T> {
    Few(slice::Iter<'a, (R, T)>),
    Many(btree_map::Iter<'a, R, T>),
}

fn pair<R, T>((replica, value): &(R, T)) -> (&R, &T) {
    (replica, value)
}

impl<'a, R, T> Iterator for Iter<'a, R, T> {
    type Item = (&'a R, &'a T);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(entries) => entries.next().map(pair),
            Self::Many(entries) => entries.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Few(entries) => entries.size_hint(),
            Self::Many(entries) => entries.size_hint(),
        }
    }
}

impl<R, T> DoubleEndedIterator for Iter<'_, R, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Few(entries) => entries.next_back().map(pair),
            Self::Many(entries) => entries.next_back(),
        }
    }
}

impl<R, T> ExactSizeIterator for Iter<'_, R, T> {}

impl<R, T> Clone for Iter<'_, R, T> {
    fn clone(&self) -> Self {
        match self {
            Self::Few(entries) => Self::Few(entries.clone()),
            Self::Many(entries) => Self::Many(entries.clone()),
        }
    }
}

/// See [`ReplicaMap::zip`].
pub(crate) struct Zip<'a, R, T, U> {
    left: Peekable<Iter<'a, R, T>>,
    right: Peekable<Iter<'a, R, U>>,
}

impl<'a, R: Ord, T, U> Iterator for Zip<'a, R, T, U> {
    type Item = (&'a R, Option<&'a T>, Option<&'a U>);

    fn next(&mut self) -> Option<Self::Item> {
        let order = match (self.left.peek(), self.right.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((l, _)), Some((r, _))) => l.cmp(r),
        };
        let left = self.left.next_if(|_| order.is_le());
        let right = self.right.next_if(|_| order.is_ge());
        let replicas = (left.map(|(r, _)| r), right.map(|(r, _)| r));
        let replica = replicas.0.or(replicas.1)?;
        Some((replica, left.map(|(_, v)| v), right.map(|(_, v)| v)))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    /// The replicas that stay, as a plain tree has them, on the way up and down.
    #[test]
    fn it_is_a_map_whatever_its_size() {
        let mut map = ReplicaMap::new();
        let mut plain = BTreeMap::new();
        let order = |n: u32| n * 7_919 % 1000;
        for n in 0..400 {
            assert_eq!(map.insert(order(n), n), plain.insert(order(n), n));
            assert_eq!(map.insert(order(n), n + 1), plain.insert(order(n), n + 1));
            *map.get_or_insert_with(&order(n), || 0) += 1;
            *plain.entry(order(n)).or_insert(0) += 1;
            assert!(map.iter().eq(plain.iter()) && map.len() == plain.len());
        }
        let again: ReplicaMap<_, _> = plain.iter().map(|(r, v)| (*r, *v)).rev().collect();
        assert_eq!(again, map);
        assert!(map.iter().rev().eq(plain.iter().rev()));
        for n in (0..390).rev() {
            assert_eq!(map.remove(&order(n)), plain.remove(&order(n)));
            assert_eq!(map.remove(&order(n)), None);
            assert_eq!(map.get(&order(n)), None);
            assert_eq!(map.get_mut(&order(n)), None);
            assert!(map.iter().eq(plain.iter()));
            // Equal whatever the way on which it came to be.
            let fresh: ReplicaMap<_, _> = plain.iter().map(|(r, v)| (*r, *v)).collect();
            assert_eq!(fresh, map);
        }
        assert!(matches!(map.entries, Entries::Few(_)));
        map.retain(|replica, _| replica % 2 == 0);
        plain.retain(|replica, _| replica % 2 == 0);
        assert!(map.into_iter().eq(plain));
    }

    #[test]
    fn two_maps_are_walked_side_by_side() {
        let of = |step: usize, count: u64| -> ReplicaMap<u64, u64> {
            (0..count).step_by(step).map(|n| (n, n)).collect()
        };
        for (left, right) in [(of(2, 40), of(3, 400)), (of(3, 400), of(2, 400))] {
            let walked: Vec<_> = left.zip(&right).collect();
            let all = (0..400).filter(|n| left.get(n).is_some() || right.get(n).is_some());
            let expected = all.map(|n| (n, left.get(&n), right.get(&n)));
            assert!(expected.eq(walked.into_iter().map(|(n, l, r)| (*n, l, r))));
        }
    }

    #[test]
    fn of_pairs_for_one_replica_the_later_stays() {
        let pairs = [(2, 'a'), (1, 'b'), (2, 'c'), (2, 'd')];
        let map: ReplicaMap<_, _> = pairs.into_iter().collect();
        assert!(map.iter().eq([(&1, &'b'), (&2, &'d')]));
    }
}

//! A sorted map from replicas to something, for few keys or many.

use alloc::collections::{BTreeMap, btree_map};
use core::cmp::Ordering;
use core::hash::{Hash, Hasher};
use core::iter::Peekable;
use core::slice;

use smallvec::SmallVec;

/// A vector of so many replicas takes no more.
const FEW: usize = 64;

/// A map in replica order.
///
/// A cluster has few replicas, most per-replica maps hold one (a topic whose
/// members all sit on one node), and every join walks two of them side by side:
/// a sorted vector with one inline place beats a tree in space and in time. A map that
/// more than [`FEW`] replicas enter one by one is a tree, so that none costs more than
/// O(log replicas), however many come.
///
/// A map that is built whole is a vector, whatever its size: what a peer sends is read and
/// dropped, and a tree beside the vector that it is built from would double its peak. It
/// becomes a tree when a replica enters or leaves; the building has paid for that.
///
/// # Invariants
///
/// A vector is strictly ascending. If it has more than `FEW` entries, it was built whole.
/// A tree has more than half as many.
#[derive(Clone, Debug)]
pub(crate) struct ReplicaMap<R, T> {
    entries: Entries<R, T>,
}

#[derive(Clone, Debug)]
enum Entries<R, T> {
    Vector(SmallVec<[(R, T); 1]>),
    Tree(BTreeMap<R, T>),
}

impl<R, T> Default for ReplicaMap<R, T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Pairs that lie in a `Vec` stay where they are: `Vec` collects its own iterator in place.
fn collected<R, T>(pairs: impl Iterator<Item = (R, T)>) -> SmallVec<[(R, T); 1]> {
    if pairs.size_hint().1.is_some_and(|most| most > 1) {
        SmallVec::from_vec(pairs.collect())
    } else {
        pairs.collect()
    }
}

impl<R, T> ReplicaMap<R, T> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Entries::Vector(SmallVec::new_const()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match &self.entries {
            Entries::Vector(entries) => entries.len(),
            Entries::Tree(entries) => entries.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn iter(&self) -> Iter<'_, R, T> {
        match &self.entries {
            Entries::Vector(entries) => Iter::Vector(entries.iter()),
            Entries::Tree(entries) => Iter::Tree(entries.iter()),
        }
    }
}

/// A map of one is asked first: whether two replicas are equal is decided faster than which
/// comes first.
#[inline]
fn search<R: Ord, T>(entries: &[(R, T)], replica: &R) -> Result<usize, usize> {
    match entries {
        [(only, _)] if only == replica => Ok(0),
        _ => search_among(entries, replica),
    }
}

#[inline(never)]
fn search_among<R: Ord, T>(entries: &[(R, T)], replica: &R) -> Result<usize, usize> {
    entries.binary_search_by(|(at, _)| at.cmp(replica))
}

impl<R: Ord, T> ReplicaMap<R, T> {
    #[inline]
    pub(crate) fn get(&self, replica: &R) -> Option<&T> {
        match &self.entries {
            Entries::Vector(entries) => {
                let at = search(entries, replica).ok()?;
                Some(&entries[at].1)
            }
            Entries::Tree(entries) => entries.get(replica),
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, replica: &R) -> Option<&mut T> {
        match &mut self.entries {
            Entries::Vector(entries) => {
                let at = search(entries, replica).ok()?;
                Some(&mut entries[at].1)
            }
            Entries::Tree(entries) => entries.get_mut(replica),
        }
    }

    pub(crate) fn get_or_insert_with(&mut self, replica: &R, new: impl FnOnce() -> T) -> &mut T
    where
        R: Clone,
    {
        self.grow(replica);
        match &mut self.entries {
            Entries::Vector(entries) => {
                let at = search(entries, replica).unwrap_or_else(|at| {
                    entries.insert(at, (replica.clone(), new()));
                    at
                });
                &mut entries[at].1
            }
            Entries::Tree(entries) => entries.entry(replica.clone()).or_insert_with(new),
        }
    }

    /// Sets the value of `replica`; the former one, if any, comes back.
    pub(crate) fn insert(&mut self, replica: R, value: T) -> Option<T> {
        self.grow(&replica);
        match &mut self.entries {
            Entries::Vector(entries) => match search(entries, &replica) {
                Ok(at) => Some(core::mem::replace(&mut entries[at].1, value)),
                Err(at) => {
                    entries.insert(at, (replica, value));
                    None
                }
            },
            Entries::Tree(entries) => entries.insert(replica, value),
        }
    }

    /// Makes a tree of a full vector that `replica` is about to enter.
    #[inline]
    fn grow(&mut self, replica: &R) {
        if let Entries::Vector(entries) = &mut self.entries
            && entries.len() >= FEW
            && search(entries, replica).is_err()
        {
            self.make_tree();
        }
    }

    /// Makes a tree of a vector. O(replicas).
    fn make_tree(&mut self) {
        if let Entries::Vector(entries) = &mut self.entries {
            // The tree is built of this very vector, not of a copy.
            let entries = core::mem::take(entries).into_vec();
            self.entries = Entries::Tree(entries.into_iter().collect());
        }
    }

    /// Makes a vector of a tree that has become small.
    fn shrink(&mut self) {
        if let Entries::Tree(entries) = &mut self.entries
            && entries.len() <= FEW / 2
        {
            self.entries = Entries::Vector(core::mem::take(entries).into_iter().collect());
        }
    }

    pub(crate) fn remove(&mut self, replica: &R) -> Option<T> {
        if self.len() > FEW && self.get(replica).is_some() {
            self.make_tree();
        }
        let removed = match &mut self.entries {
            Entries::Vector(entries) => {
                let at = search(entries, replica).ok()?;
                Some(entries.remove(at).1)
            }
            Entries::Tree(entries) => entries.remove(replica),
        };
        self.shrink();
        removed
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&R, &mut T) -> bool) {
        match &mut self.entries {
            Entries::Vector(entries) => entries.retain(|(replica, value)| keep(replica, value)),
            Entries::Tree(entries) => entries.retain(|replica, value| keep(replica, value)),
        }
        self.shrink();
    }

    /// The map of `pairs`. Of two pairs for one replica, `combine` makes the first
    /// value what stays. Linear if the replicas come in order, O(n log n) otherwise.
    pub(crate) fn from_pairs(
        pairs: impl IntoIterator<Item = (R, T)>,
        mut combine: impl FnMut(&mut T, &mut T),
    ) -> Self {
        let mut entries = collected(pairs.into_iter());
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
        // One pair moves inline.
        if entries.capacity() > FEW || entries.capacity() >= 2 * entries.len() {
            entries.shrink_to_fit();
        }
        let entries = Entries::Vector(entries);
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
            Entries::Vector(entries) => IntoIter::Vector(entries.into_iter()),
            Entries::Tree(entries) => IntoIter::Tree(entries.into_iter()),
        }
    }
}

/// The entries of a map, taken out.
pub(crate) enum IntoIter<R, T> {
    Vector(smallvec::IntoIter<[(R, T); 1]>),
    Tree(btree_map::IntoIter<R, T>),
}

impl<R, T> Iterator for IntoIter<R, T> {
    type Item = (R, T);

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Vector(entries) => entries.next(),
            Self::Tree(entries) => entries.next(),
        }
    }
}

/// The entries of a map.
pub(crate) enum Iter<'a, R, T> {
    Vector(slice::Iter<'a, (R, T)>),
    Tree(btree_map::Iter<'a, R, T>),
}

fn pair<R, T>((replica, value): &(R, T)) -> (&R, &T) {
    (replica, value)
}

impl<'a, R, T> Iterator for Iter<'a, R, T> {
    type Item = (&'a R, &'a T);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Vector(entries) => entries.next().map(pair),
            Self::Tree(entries) => entries.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Vector(entries) => entries.size_hint(),
            Self::Tree(entries) => entries.size_hint(),
        }
    }
}

impl<R, T> DoubleEndedIterator for Iter<'_, R, T> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::Vector(entries) => entries.next_back().map(pair),
            Self::Tree(entries) => entries.next_back(),
        }
    }
}

impl<R, T> ExactSizeIterator for Iter<'_, R, T> {}

impl<R, T> Clone for Iter<'_, R, T> {
    fn clone(&self) -> Self {
        match self {
            Self::Vector(entries) => Self::Vector(entries.clone()),
            Self::Tree(entries) => Self::Tree(entries.clone()),
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
        assert!(matches!(map.entries, Entries::Vector(_)));
        map.retain(|replica, _| replica % 2 == 0);
        plain.retain(|replica, _| replica % 2 == 0);
        assert!(map.into_iter().eq(plain));
    }

    /// A map of 400 that was built whole: a vector, as long as nobody enters or leaves.
    #[test]
    fn a_map_that_was_built_whole_is_a_map_as_well() {
        let plain: BTreeMap<u32, u32> = (0..400).map(|n| (2 * n, n)).collect();
        let whole: ReplicaMap<_, _> = plain.clone().into_iter().collect();
        let vector_of = |map: &ReplicaMap<u32, u32>| match &map.entries {
            Entries::Vector(entries) => Some((entries.len(), entries.capacity())),
            Entries::Tree(_) => None,
        };
        assert_eq!(vector_of(&whole), Some((400, 400)));
        type Change = fn(&mut ReplicaMap<u32, u32>, &mut BTreeMap<u32, u32>);
        let changes: [(bool, Change); 8] = [
            (true, |map, plain| {
                assert_eq!(map.insert(6, 0), plain.insert(6, 0));
            }),
            (true, |map, plain| {
                assert_eq!(map.remove(&7), plain.remove(&7));
            }),
            (true, |map, plain| {
                *map.get_mut(&8).unwrap() += plain.insert(8, 9).unwrap() + 1;
            }),
            (true, |map, plain| {
                map.retain(|replica, _| *replica > 100);
                plain.retain(|replica, _| *replica > 100);
            }),
            (true, |map, plain| {
                *map.get_or_insert_with(&8, || 0) = 1;
                *plain.entry(8).or_default() = 1;
            }),
            (false, |map, plain| {
                assert_eq!(map.insert(7, 1), plain.insert(7, 1));
            }),
            (false, |map, plain| {
                assert_eq!(map.remove(&8), plain.remove(&8));
            }),
            (false, |map, plain| {
                *map.get_or_insert_with(&9, || 0) = 1;
                *plain.entry(9).or_default() = 1;
            }),
        ];
        for (n, (stays, change)) in changes.into_iter().enumerate() {
            let (mut map, mut plain) = (whole.clone(), plain.clone());
            change(&mut map, &mut plain);
            assert_eq!(vector_of(&map).is_some(), stays, "{n}");
            assert!(map.iter().eq(plain.iter()), "{n}");
            assert!((0..900).all(|n| map.get(&n) == plain.get(&n)), "{n}");
        }
        // What few leave behind is as small as they are.
        for few in [0, 1, 2, 60, 100] {
            let pairs: Vec<_> = plain.clone().into_iter().collect();
            let map: ReplicaMap<_, _> = pairs.into_iter().filter(|(n, _)| *n < 2 * few).collect();
            let len = few as usize;
            assert_eq!(vector_of(&map), Some((len, len.max(1))));
        }
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

//! The rank of an entry among others.

use core::cmp::Ordering;

use super::order::Ranking;
use super::replicas::Replicas;
use super::slab::Id;
use crate::Presence;

/// The rank of an entry in dot order: the number of its owner, and its clock.
pub(super) type DotRank = (Id, u64);

/// What stands for an entry in an [`Order`](super::order::Order).
pub(super) trait Placed {
    type Meta;

    fn entry(&self) -> &Presence<Self::Meta>;

    /// The number of its owner.
    fn replica(&self, replicas: &Replicas) -> Id;
}

pub(super) fn rank_of<M>(entry: &Presence<M>, replicas: &Replicas) -> DotRank {
    (replicas.number_of(entry.owner()), entry.dot().clock)
}

/// Entries are sorted by their dots.
impl<P: Placed> Ranking<P> for Replicas {
    type Rank = DotRank;

    fn rank(&self, placed: &P) -> DotRank {
        (placed.replica(self), placed.entry().dot().clock)
    }

    fn cmp(&self, a: &DotRank, b: &DotRank) -> Ordering {
        self.cmp_ranks(a, b)
    }
}

impl Replicas {
    /// Whether the owner of an entry is not hidden.
    #[inline]
    pub(super) fn shows<M>(&self, entry: &Presence<M>) -> bool {
        self.hidden() == 0 || !self.hides(self.number_of(entry.owner()))
    }

    /// Which of two places comes first in dot order.
    pub(super) fn cmp_ranks(&self, a: &DotRank, b: &DotRank) -> Ordering {
        self.order_of(a.0, b.0).then(a.1.cmp(&b.1))
    }
}

//! The place of an entry among others.

use core::cmp::Ordering;

use super::order::Rank;
use super::replicas::Replicas;
use super::slab::Id;
use crate::Presence;

/// The place of an entry in dot order: the number of its owner, and its clock.
pub(super) type Place = (Id, u64);

/// What stands for an entry in an [`Order`](super::order::Order).
pub(super) trait Placed {
    type Meta;

    fn entry(&self) -> &Presence<Self::Meta>;

    /// The number of its owner.
    fn replica(&self, replicas: &Replicas) -> Id;
}

pub(super) fn place_of<M>(entry: &Presence<M>, replicas: &Replicas) -> Place {
    (replicas.number_of(entry.owner()), entry.dot().clock)
}

/// Entries are sorted by their dots.
impl<P: Placed> Rank<P> for Replicas {
    type Key = Place;

    fn key(&self, placed: &P) -> Place {
        (placed.replica(self), placed.entry().dot().clock)
    }

    fn cmp(&self, a: &Place, b: &Place) -> Ordering {
        self.cmp_places(a, b)
    }
}

impl Replicas {
    /// Whether the owner of an entry is not hidden.
    #[inline]
    pub(super) fn shows<M>(&self, entry: &Presence<M>) -> bool {
        self.hidden() == 0 || !self.hides(self.number_of(entry.owner()))
    }

    /// Which of two places comes first in dot order.
    pub(super) fn cmp_places(&self, a: &Place, b: &Place) -> Ordering {
        self.order_of(a.0, b.0).then(a.1.cmp(&b.1))
    }
}

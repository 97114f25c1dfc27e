//! The entries of an order, for readers.

use super::entries::{DotRank, Placed};
use super::order::{Items, Order};
use super::replicas::Replicas;
use super::slab::Id;
use crate::{Presence, steps};

/// The visible entries among some, in dot order.
///
/// Entries of replicas that are down are passed over, a few one by one, many of one
/// replica by a search.
pub(super) struct Visible<'a, P> {
    replicas: &'a Replicas,
    items: Items<'a, P, DotRank>,
    order: &'a Order<P, DotRank>,
    passed: u8,
}

/// Hidden entries that are passed over before a search is tried.
const FEW: u8 = 8;

impl<'a, P: Placed> Visible<'a, P> {
    pub(super) fn of(order: &'a Order<P, DotRank>, replicas: &'a Replicas) -> Self {
        Self {
            replicas,
            items: order.iter(),
            order,
            passed: 0,
        }
    }

    /// One more of `replica` is hidden.
    fn pass(&mut self, replica: Id) {
        steps::count(1);
        self.passed += 1;
        if self.passed == FEW {
            let end = (replica, u64::MAX);
            let before = |rank: &DotRank| self.replicas.cmp_ranks(rank, &end).is_lt();
            self.items = self.order.starting(before, self.replicas);
            self.passed = 0;
        }
    }
}

impl<'a, P: Placed<Meta: 'a>> Iterator for Visible<'a, P> {
    type Item = &'a Presence<P::Meta>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let item = self.items.next()?;
            if self.replicas.hidden() == 0 {
                return Some(item.entry());
            }
            let replica = item.replica(self.replicas);
            if !self.replicas.hides(replica) {
                return Some(item.entry());
            }
            self.pass(replica);
        }
    }
}

impl<P> Clone for Visible<'_, P> {
    fn clone(&self) -> Self {
        Self {
            items: self.items.clone(),
            ..*self
        }
    }
}

//! The entries of a group, for readers.

use super::groups::{Group, Place, View};
use super::order::{Ids, Order, Rank};
use super::slab::Id;
use crate::Presence;
use crate::steps;
use core::cmp::Ordering;

/// The visible entries among some, in dot order.
///
/// Entries of replicas that are down are passed over, a few one by one, many of one
/// replica by a search.
pub(super) struct Visible<'a, M> {
    view: View<'a, M>,
    ids: Ids<'a, Place>,
    /// Where many may be passed over.
    order: Option<&'a Order<Place>>,
    passed: u8,
}

/// Hidden entries that are passed over before a search is tried.
const FEW: u8 = 8;

impl<'a, M> Visible<'a, M> {
    pub(super) fn of_group(group: Group<'a>, view: View<'a, M>) -> Self {
        let order = match group {
            Group::One(_) => None,
            Group::Many(_, many) => Some(&many.members.order),
        };
        Self {
            view,
            ids: group.ids(),
            order,
            passed: 0,
        }
    }

    pub(super) fn of_order(order: &'a Order<Place>, view: View<'a, M>) -> Self {
        Self {
            view,
            ids: order.iter(),
            order: Some(order),
            passed: 0,
        }
    }

    /// One more of `replica` is hidden.
    fn pass(&mut self, replica: Id) {
        steps::count(1);
        self.passed += 1;
        if self.passed == FEW
            && let Some(order) = self.order
        {
            let view = self.view;
            let end = (replica, u64::MAX);
            let before = |place: &Place| view.cmp(place, &end) == Ordering::Less;
            self.ids = order.starting(before, &view);
            self.passed = 0;
        }
    }
}

impl<'a, M> Iterator for Visible<'a, M> {
    type Item = &'a Presence<M>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let record = self.view.entries.at(self.ids.next()?);
            if self.view.replicas.hidden() == 0 || !self.view.replicas.hides(record.replica) {
                return Some(&record.entry);
            }
            self.pass(record.replica);
        }
    }
}

impl<M> Clone for Visible<'_, M> {
    fn clone(&self) -> Self {
        Self {
            ids: self.ids.clone(),
            ..*self
        }
    }
}

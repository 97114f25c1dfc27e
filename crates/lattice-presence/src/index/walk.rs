//! The entries of a group, for readers.

use super::groups::{DotRank, Group, Records};
use super::order::{Ids, Order, Ranking};
use super::slab::Id;
use crate::Presence;
use crate::steps;
use core::cmp::Ordering;

/// The visible entries among some, in dot order.
///
/// Entries of replicas that are down are passed over, a few one by one, many of one
/// replica by a search.
pub(super) struct Visible<'a, M> {
    records: Records<'a, M>,
    ids: Ids<'a, DotRank>,
    /// Where many may be passed over.
    order: Option<&'a Order<DotRank>>,
    passed: u8,
}

/// Hidden entries that are passed over before a search is tried.
const FEW: u8 = 8;

impl<'a, M> Visible<'a, M> {
    pub(super) fn of_group(group: Group<'a>, records: Records<'a, M>) -> Self {
        let order = match group {
            Group::One(_) => None,
            Group::Many(_, many) => Some(&many.members.order),
        };
        Self {
            records,
            ids: group.ids(),
            order,
            passed: 0,
        }
    }

    pub(super) fn of_order(order: &'a Order<DotRank>, records: Records<'a, M>) -> Self {
        Self {
            records,
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
            let records = self.records;
            let end = (replica, u64::MAX);
            let before = |rank: &DotRank| records.cmp(rank, &end) == Ordering::Less;
            self.ids = order.starting(before, &records);
            self.passed = 0;
        }
    }
}

impl<'a, M> Iterator for Visible<'a, M> {
    type Item = &'a Presence<M>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let record = self.records.entries.at(self.ids.next()?);
            if self.records.replicas.hidden() == 0 || !self.records.replicas.hides(record.replica) {
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

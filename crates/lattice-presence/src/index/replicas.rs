//! The replicas that have entries here.

use alloc::collections::BTreeMap;
use core::cmp::Ordering;

use super::slab::{Id, Slab};
use crate::ReplicaId;
use crate::down::Down;

/// Those who own entries, by small numbers: an entry's rank among others is
/// compared without touching its text, and marks of replicas that have nothing here
/// cost nothing.
///
/// # Invariants
///
/// - Each one has an entry.
/// - `hidden` is the number of entries whose owner is hidden.
#[derive(Clone, Debug)]
pub(super) struct Replicas {
    numbers: BTreeMap<ReplicaId, Id>,
    owners: Slab<Owner>,
    hidden: usize,
    /// Whose entry came last: its next one needs no look-up.
    last: Id,
}

#[derive(Clone, Debug)]
struct Owner {
    name: ReplicaId,
    entries: usize,
    hidden: bool,
}

impl Replicas {
    pub(super) const fn new() -> Self {
        Self {
            numbers: BTreeMap::new(),
            owners: Slab::new(),
            hidden: 0,
            last: 0,
        }
    }

    #[inline]
    pub(super) fn number(&self, replica: &ReplicaId) -> Option<Id> {
        match self.owners.get(self.last) {
            Some(owner) if owner.name == *replica => Some(self.last),
            _ => self.numbers.get(replica).copied(),
        }
    }

    /// The number of the owner of an entry that is here.
    #[inline]
    pub(super) fn number_of(&self, owner: &ReplicaId) -> Id {
        match self.number(owner) {
            Some(number) => number,
            None => unreachable!("owners of entries have numbers"),
        }
    }

    /// The number of the owner of one entry more, and whether it is hidden.
    #[inline]
    pub(super) fn enter(&mut self, replica: &ReplicaId, down: &Down) -> (Id, bool) {
        let number = self.number(replica).unwrap_or_else(|| {
            let number = self.owners.insert(Owner {
                name: replica.clone(),
                entries: 0,
                hidden: down.hides(replica),
            });
            self.numbers.insert(replica.clone(), number);
            number
        });
        self.last = number;
        let owner = self.owners.at_mut(number);
        owner.entries += 1;
        self.hidden += usize::from(owner.hidden);
        (number, owner.hidden)
    }

    /// One entry of it goes.
    #[inline]
    pub(super) fn leave(&mut self, number: Id) {
        let owner = self.owners.at_mut(number);
        owner.entries -= 1;
        self.hidden -= usize::from(owner.hidden);
        if owner.entries == 0 {
            self.forget(number);
        }
    }

    fn forget(&mut self, number: Id) {
        if let Some(owner) = self.owners.remove(number) {
            self.numbers.remove(&owner.name);
        }
    }

    /// Hides all entries of that replica, or shows them.
    pub(super) fn set_hidden(&mut self, number: Id, hidden: bool) {
        let owner = self.owners.at_mut(number);
        owner.hidden = hidden;
        if hidden {
            self.hidden += owner.entries;
        } else {
            self.hidden -= owner.entries;
        }
    }

    #[inline]
    pub(super) fn hides(&self, number: Id) -> bool {
        self.owners.at(number).hidden
    }

    #[inline]
    pub(super) fn is_shown(&self, number: Id) -> bool {
        self.hidden == 0 || !self.hides(number)
    }

    pub(super) fn hidden(&self) -> usize {
        self.hidden
    }

    pub(super) fn name(&self, number: Id) -> &ReplicaId {
        &self.owners.at(number).name
    }

    pub(super) fn order_of(&self, a: Id, b: Id) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        self.name(a).cmp(self.name(b))
    }
}

//! The entries that share something.

use super::order::{Ids, Order, Ranking};
use super::replicas::Replicas;
use super::slab::{Id, Slab};
use super::table::Table;
use crate::Presence;
use core::cmp::Ordering;

/// One entry in the index.
#[derive(Debug)]
pub(super) struct Record<M> {
    pub(super) entry: Presence<M>,
    /// The number of its topic; the highest bit says whether others share its key.
    pub(super) topic: u32,
    /// The number of its owner.
    pub(super) replica: Id,
}

pub(super) const SHARED: u32 = 1 << 31;

impl<M> Record<M> {
    pub(super) fn topic(&self) -> Id {
        self.topic & !SHARED
    }

    pub(super) fn shares_key(&self) -> bool {
        self.topic & SHARED != 0
    }
}

impl<M> Clone for Record<M> {
    fn clone(&self) -> Self {
        Self {
            entry: self.entry.clone(),
            ..*self
        }
    }
}

/// The rank of an entry in dot order: the number of its owner, and its clock.
pub(super) type DotRank = (Id, u64);

/// What the numbers in groups stand for.
#[derive(Debug)]
pub(super) struct Records<'a, M> {
    pub(super) entries: &'a Slab<Record<M>>,
    pub(super) replicas: &'a Replicas,
}

impl<'a, M> Records<'a, M> {
    pub(super) fn entry(self, id: Id) -> &'a Presence<M> {
        &self.entries.at(id).entry
    }
}

impl<M> Clone for Records<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Records<'_, M> {}

impl<M> Ranking for Records<'_, M> {
    type Rank = DotRank;

    fn rank(&self, id: Id) -> DotRank {
        let record = self.entries.at(id);
        (record.replica, record.entry.dot().clock)
    }

    fn cmp(&self, a: &DotRank, b: &DotRank) -> Ordering {
        self.replicas.cmp(a.0, b.0).then(a.1.cmp(&b.1))
    }
}

/// Entries in dot order, and how many of them are hidden.
#[derive(Clone, Debug)]
pub(super) struct Members {
    pub(super) order: Order<DotRank>,
    pub(super) hidden: u32,
    /// The rank of the last one, if it is known: most entries come behind it, and
    /// to ask it itself would touch two cache lines more. Clock 0 stands for none. Not as a
    /// [`DotRank`], which would have eight bytes more in each topic.
    last_replica: Id,
    last_clock: u64,
}

impl Members {
    pub(super) const fn new() -> Self {
        Self {
            order: Order::new(),
            hidden: 0,
            last_replica: 0,
            last_clock: 0,
        }
    }

    const fn last(&self) -> DotRank {
        (self.last_replica, self.last_clock)
    }

    const fn set_last(&mut self, rank: DotRank) {
        (self.last_replica, self.last_clock) = rank;
    }

    /// Whether the last one is where it is said to be.
    pub(super) fn knows_last<M>(&self, records: Records<'_, M>) -> bool {
        let last = self.order.last().map(|id| records.rank(id));
        self.last_clock == 0 || last == Some(self.last())
    }

    pub(super) fn visible_len(&self) -> usize {
        self.order.len() - self.hidden as usize
    }

    pub(super) fn add<M>(&mut self, id: Id, rank: DotRank, hidden: bool, records: Records<'_, M>) {
        self.hidden += u32::from(hidden);
        let knows_last = self.last_clock != 0;
        if knows_last && records.cmp(&self.last(), &rank) == Ordering::Less {
            self.order.push(id, rank, &records);
            self.set_last(rank);
            return;
        }
        self.order.insert(id, rank, &records);
        if !knows_last && self.order.last() == Some(id) {
            self.set_last(rank);
        }
    }

    pub(super) fn take<M>(&mut self, id: Id, rank: DotRank, hidden: bool, records: Records<'_, M>) {
        self.order.remove(id, rank, &records);
        self.hidden -= u32::from(hidden);
        if self.last() == rank {
            self.set_last((0, 0));
        }
    }
}

/// Groups of entries by hash.
///
/// Most keys are in their topic once and most connections hold one entry: such a
/// group is the number of its entry.
///
/// # Invariants
///
/// No group is empty, and those in `many` have two entries or more.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    table: Table,
    many: Slab<Many>,
    /// Whether groups of several know how many of their entries are hidden.
    counts_hidden: bool,
}

/// A group of several.
#[derive(Clone, Debug)]
pub(super) struct Many {
    pub(super) members: Members,
    /// The hash of what they share.
    hash: u32,
    /// Whether its entries can be found by their slot.
    pub(super) by_slot: bool,
}

const MANY: u32 = 1 << 31;

/// One group, to read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Group<'a> {
    One(Id),
    /// With its number.
    Many(Id, &'a Many),
}

impl<'a> Group<'a> {
    fn any(self) -> Id {
        match self {
            Self::One(id) => id,
            Self::Many(_, many) => many.members.order.last().unwrap_or_default(),
        }
    }

    pub(super) fn ids(self) -> Ids<'a, DotRank> {
        match self {
            Self::One(id) => Ids::one(id),
            Self::Many(_, many) => many.members.order.iter(),
        }
    }

    /// From the first one on that is not before that rank.
    pub(super) fn starting<M>(self, rank: DotRank, records: Records<'_, M>) -> Ids<'a, DotRank> {
        match self {
            Self::One(id) => Ids::one(id),
            Self::Many(_, many) => {
                let before = |other: &DotRank| records.cmp(other, &rank) == Ordering::Less;
                many.members.order.starting(before, &records)
            }
        }
    }

    /// The entry of that rank.
    pub(super) fn find<M>(self, rank: DotRank, records: Records<'_, M>) -> Option<Id> {
        let id = self.starting(rank, records).next()?;
        (records.rank(id) == rank).then_some(id)
    }
}

fn read(many: &Slab<Many>, code: u32) -> Group<'_> {
    match code & MANY {
        0 => Group::One(code),
        _ => Group::Many(code & !MANY, many.at(code & !MANY)),
    }
}

impl Groups {
    pub(super) const fn new(counts_hidden: bool) -> Self {
        Self {
            table: Table::new(),
            many: Slab::new(),
            counts_hidden,
        }
    }

    fn read(&self, code: u32) -> Group<'_> {
        read(&self.many, code)
    }

    /// Makes room for `more` groups at once.
    pub(super) fn reserve(&mut self, more: usize) {
        self.table.reserve(more);
    }

    /// The group of that hash of which `is_it` knows some entry.
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(Id) -> bool) -> Option<Group<'_>> {
        let code = self.table.find(hash, |code| is_it(self.read(code).any()))?;
        Some(self.read(code))
    }

    pub(super) fn many(&self, number: Id) -> &Many {
        self.many.at(number)
    }

    pub(super) fn many_mut(&mut self, number: Id) -> &mut Many {
        self.many.at_mut(number)
    }

    /// Adds an entry to the group of that hash of which `is_it` knows some entry, or
    /// to a new one; gives the number of the group where it is one of several, and the
    /// entry that was alone in it before.
    pub(super) fn insert<M>(
        &mut self,
        hash: u32,
        (id, rank, hidden): (Id, DotRank, bool),
        records: Records<'_, M>,
        is_it: impl Fn(Id) -> bool,
    ) -> (Option<Id>, Option<Id>) {
        let hidden = hidden && self.counts_hidden;
        let many = &self.many;
        let any = |code| read(many, code).any();
        let found = self.table.find_or_insert(hash, id, |code| is_it(any(code)));
        match found.map(|code| self.read(code)) {
            None => (None, None),
            Some(Group::Many(number, _)) => {
                self.many_mut(number).members.add(id, rank, hidden, records);
                (Some(number), None)
            }
            Some(Group::One(first)) => {
                let mut members = Members::new();
                let hides_first = records.replicas.hides(records.entries.at(first).replica);
                let hides_first = hides_first && self.counts_hidden;
                members.add(first, records.rank(first), hides_first, records);
                members.add(id, rank, hidden, records);
                let number = self.many.insert(Many {
                    members,
                    hash,
                    by_slot: false,
                });
                self.table.replace(hash, first, MANY | number);
                (Some(number), Some(first))
            }
        }
    }

    /// Takes the only entry of a group out, and the group.
    pub(super) fn remove_one(&mut self, hash: u32, id: Id) -> bool {
        self.table.remove(hash, id)
    }

    /// Takes an entry out of a group of several; gives the one that is left alone.
    pub(super) fn remove_of<M>(
        &mut self,
        number: Id,
        (id, rank, hidden): (Id, DotRank, bool),
        records: Records<'_, M>,
    ) -> Option<Id> {
        let hidden = hidden && self.counts_hidden;
        let many = self.many.at_mut(number);
        many.members.take(id, rank, hidden, records);
        let Order::One(last) = many.members.order else {
            return None;
        };
        let hash = many.hash;
        self.table.replace(hash, MANY | number, last);
        self.many.remove(number);
        self.compact();
        Some(last)
    }

    /// Takes an entry out of whatever group it is in.
    pub(super) fn remove<M>(
        &mut self,
        hash: u32,
        (id, rank, hidden): (Id, DotRank, bool),
        records: Records<'_, M>,
        is_it: impl Fn(Id) -> bool,
    ) {
        if !self.remove_one(hash, id)
            && let Some(Group::Many(number, _)) = self.find(hash, is_it)
        {
            self.remove_of(number, (id, rank, hidden), records);
        }
    }

    /// Gives an entry another number.
    pub(super) fn renumber<M>(
        &mut self,
        hash: u32,
        (old, new): (Id, Id),
        records: Records<'_, M>,
        is_it: impl Fn(Id) -> bool,
    ) {
        match self.find(hash, |id| id == old || is_it(id)) {
            Some(Group::One(id)) if id == old => self.table.replace(hash, old, new),
            Some(Group::Many(number, _)) => {
                let order = &mut self.many.at_mut(number).members.order;
                order.replace(old, new, records.rank(new), &records);
            }
            _ => {}
        }
    }

    /// Moves some groups to free places where most places are idle.
    fn compact(&mut self) {
        if !self.many.is_sparse() {
            return;
        }
        for old in self.many.seal_last_block() {
            if let Some(many) = self.many.remove(old) {
                let hash = many.hash;
                let new = self.many.insert(many);
                self.table.replace(hash, MANY | old, MANY | new);
            }
        }
    }

    pub(super) fn check_invariants<M>(&self, records: Records<'_, M>) -> bool {
        self.many.iter().all(|(_, many)| {
            let order = &many.members.order;
            let is_hidden = |id: &Id| records.replicas.hides(records.entries.at(*id).replica);
            let hidden = order.iter().filter(is_hidden).count();
            order.len() > 1
                && order.check_invariants(&records)
                && many.members.knows_last(records)
                && many.members.hidden as usize == if self.counts_hidden { hidden } else { 0 }
        })
    }
}

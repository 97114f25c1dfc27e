//! The entries that share a pid, a key or a slot.

use super::entries::{DotRank, Placed, rank_of};
use super::order::Order;
use super::replicas::Replicas;
use super::slab::{Id, Slab};
use super::table::{Hashed, Table};
use crate::Presence;

/// An entry in a group of several.
#[derive(Debug)]
pub(super) struct Grouped<M> {
    pub(super) entry: Presence<M>,
    /// The number of its topic, in the group of a pid.
    pub(super) topic: Id,
    /// A [hint](super::hashing::Hashing::text) of its topic and key, in the group of a pid.
    pub(super) hint: u32,
}

impl<M> Placed for Grouped<M> {
    type Meta = M;

    fn entry(&self) -> &Presence<M> {
        &self.entry
    }

    fn replica(&self, replicas: &Replicas) -> Id {
        replicas.number_of(self.entry.owner())
    }
}

/// Groups of entries by hash.
///
/// Most connections hold one entry: such a group is its bucket, which knows the topic,
/// so that a removal needs no other look-up.
///
/// # Invariants
///
/// Those in `several` have two entries or more.
#[derive(Debug)]
pub(super) struct Groups<M> {
    table: Table<Bucket<M>>,
    several: Slab<Group<M>>,
    /// Whether groups of several know how many of their entries are hidden.
    counts_hidden: bool,
}

/// A group in the table.
#[derive(Debug)]
struct Bucket<M> {
    hash: u32,
    /// The number of its topic, if there is one entry, or that of the group.
    number: Id,
    only: Option<Presence<M>>,
}

impl<M> Bucket<M> {
    fn of(hash: u32, new: New<'_, M>) -> Self {
        Self {
            hash,
            number: new.topic,
            only: Some(new.entry.clone()),
        }
    }
}

impl<M> Hashed for Bucket<M> {
    fn hash(&self) -> u32 {
        self.hash
    }
}

/// A group of several.
#[derive(Debug)]
pub(super) struct Group<M> {
    pub(super) order: Order<Grouped<M>, DotRank>,
    pub(super) hidden: u32,
    /// The hash of what they share.
    hash: u32,
}

impl<M> Group<M> {
    pub(super) fn visible_len(&self) -> usize {
        self.order.len() - self.hidden as usize
    }

    /// Whether its entries are found by their slot: to look at all of them is too much.
    pub(super) fn is_by_slot(&self) -> bool {
        self.order.few().is_none()
    }
}

/// One group, to read.
#[derive(Debug)]
pub(super) enum Found<'a, M> {
    /// With the number of its topic.
    One(&'a Presence<M>, Id),
    /// With its own number.
    Several(Id, &'a Group<M>),
}

/// What a group learns of a new entry.
#[derive(Debug)]
pub(super) struct New<'a, M> {
    pub(super) entry: &'a Presence<M>,
    pub(super) topic: Id,
    pub(super) hidden: bool,
}

/// What a group of several said of an entry that was taken out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone {
    pub(super) topic: Id,
    /// How many of those that are left are visible, if hidden ones are counted.
    pub(super) visible_left: usize,
}

impl<'a, M> Found<'a, M> {
    /// The number of the topic of an entry, if it is in the group of a pid.
    pub(super) fn topic_of(&self, entry: &Presence<M>, replicas: &Replicas) -> Option<Id> {
        match self {
            Self::One(only, topic) => only.is(entry).then_some(*topic),
            Self::Several(_, group) => {
                let rank = rank_of(entry, replicas);
                let before = |other: &DotRank| replicas.cmp_ranks(other, &rank).is_lt();
                let grouped = group.order.starting(before, replicas).next();
                Some(grouped.filter(|grouped| grouped.entry.is(entry))?.topic)
            }
        }
    }

    fn any(&self) -> &'a Presence<M> {
        match self {
            Self::One(entry, _) => entry,
            Self::Several(_, group) => match group.order.last() {
                Some(grouped) => &grouped.entry,
                None => unreachable!("no group is empty"),
            },
        }
    }
}

fn read<'a, M>(several: &'a Slab<Group<M>>, bucket: &'a Bucket<M>) -> Found<'a, M> {
    match &bucket.only {
        Some(entry) => Found::One(entry, bucket.number),
        None => Found::Several(bucket.number, several.at(bucket.number)),
    }
}

impl<M> Groups<M> {
    pub(super) const fn new(counts_hidden: bool) -> Self {
        Self {
            table: Table::new(),
            several: Slab::new(),
            counts_hidden,
        }
    }

    /// Makes room for `more` groups at once.
    pub(super) fn reserve(&mut self, more: usize) {
        self.table.reserve(more);
    }

    /// The group of that hash of which `is_it` knows some entry.
    pub(super) fn find(
        &self,
        hash: u32,
        is_it: impl Fn(&Presence<M>) -> bool,
    ) -> Option<Found<'_, M>> {
        let is_it = |bucket: &Bucket<M>| is_it(read(&self.several, bucket).any());
        let bucket = self.table.find(hash, is_it)?;
        Some(read(&self.several, bucket))
    }

    /// The number of the topic of an entry that is alone in a group of that hash.
    pub(super) fn look(&self, hash: u32) -> Option<Id> {
        let bucket = self.table.find(hash, |_| true)?;
        bucket.only.as_ref().map(|_| bucket.number)
    }

    pub(super) fn several(&self, number: Id) -> &Group<M> {
        self.several.at(number)
    }

    pub(super) fn several_mut(&mut self, number: Id) -> &mut Group<M> {
        self.several.at_mut(number)
    }

    /// Adds an entry as a group of its own, of which there is none yet.
    #[inline]
    pub(super) fn insert_new(&mut self, hash: u32, new: New<'_, M>) {
        self.table.insert_new(Bucket::of(hash, new));
    }

    /// Adds an entry to the group of that hash of which `is_it` knows some entry, or
    /// to a new one; gives the number of the group if the entry is one of several, and
    /// says whether they were few enough before to be looked at one by one.
    pub(super) fn insert(
        &mut self,
        hash: u32,
        new: New<'_, M>,
        replicas: &Replicas,
        hint_of: impl Fn(&Presence<M>) -> u32,
        is_it: impl Fn(&Presence<M>) -> bool,
    ) -> Option<(Id, bool)> {
        let (several, counts_hidden) = (&self.several, self.counts_hidden);
        let is_it = |bucket: &Bucket<M>| is_it(read(several, bucket).any());
        let bucket = Bucket::of(hash, new);
        let (new_bucket, found) = self.table.find_or_insert(bucket, is_it)?;
        let add = |group: &mut Group<M>, entry: Presence<M>, topic: Id, hidden: bool| {
            let rank = rank_of(&entry, replicas);
            let hint = hint_of(&entry);
            group.hidden += u32::from(hidden && counts_hidden);
            group
                .order
                .insert(Grouped { entry, topic, hint }, rank, replicas);
        };
        if let Some(first) = found.only.take() {
            let mut group = Group {
                order: Order::new(),
                hidden: 0,
                hash,
            };
            let hidden = replicas.hides(replicas.number_of(first.owner()));
            add(&mut group, first, found.number, hidden);
            found.number = self.several.insert(group);
        }
        let group = self.several.at_mut(found.number);
        let were_few = !group.is_by_slot();
        if let Some(entry) = new_bucket.only {
            add(group, entry, new.topic, new.hidden);
        }
        Some((found.number, were_few))
    }

    /// Takes the entry out that is alone in the group of that hash, if `is_it` knows it and
    /// the number of its topic, which comes back as well. If two groups have the same hash,
    /// it asks about the first one alone.
    #[inline]
    pub(super) fn take_only(
        &mut self,
        hash: u32,
        is_it: impl FnOnce(&Presence<M>, Id) -> bool,
    ) -> Option<(Presence<M>, Id)> {
        let is_only = |bucket: &Bucket<M>| bucket.only.is_some();
        let is_it = |bucket: &Bucket<M>| {
            let only = bucket.only.as_ref();
            only.is_some_and(|only| is_it(only, bucket.number))
        };
        let bucket = self.table.take_if(hash, is_only, is_it)?;
        Some((bucket.only?, bucket.number))
    }

    /// Takes an entry out that is alone in its group, if [`take_only`](Self::take_only)
    /// met another group of the same hash; gives the number of its topic.
    pub(super) fn take_other(&mut self, hash: u32, entry: &Presence<M>) -> Option<Id> {
        let is_it = |only: &Presence<M>| only.is(entry);
        let only = |bucket: &Bucket<M>| bucket.only.as_ref().is_some_and(is_it);
        Some(self.table.take(hash, only)?.number)
    }

    /// Takes an entry out of whatever group it is in; says what it was among, if it was not
    /// alone.
    pub(super) fn remove(
        &mut self,
        hash: u32,
        entry: &Presence<M>,
        replicas: &Replicas,
        is_it: impl Fn(&Presence<M>) -> bool,
    ) -> Option<Gone> {
        match self.find(hash, is_it)? {
            Found::One(..) => {
                self.take_other(hash, entry);
                None
            }
            Found::Several(number, _) => self.remove_of(number, entry, replicas),
        }
    }

    /// Takes an entry out of a group of several.
    pub(super) fn remove_of(
        &mut self,
        number: Id,
        entry: &Presence<M>,
        replicas: &Replicas,
    ) -> Option<Gone> {
        let group = self.several.at_mut(number);
        let rank = || rank_of(entry, replicas);
        let is_it = |grouped: &Grouped<M>| grouped.entry.is(entry);
        let Grouped { topic, .. } = group.order.remove(rank, replicas, is_it)?;
        group.hidden -= u32::from(self.counts_hidden && !replicas.shows(entry));
        let visible_left = group.visible_len();
        if let Order::One(_) = group.order {
            self.dissolve(number);
        }
        Some(Gone {
            topic,
            visible_left,
        })
    }

    /// Lets the entry that is left alone in a group be one.
    fn dissolve(&mut self, number: Id) {
        if let Some(Group { order, hash, .. }) = self.several.remove(number)
            && let Order::One(last) = order
            && let Some(bucket) = self.bucket_of(hash, number)
        {
            bucket.number = last.topic;
            bucket.only = Some(last.entry);
        }
        self.compact();
    }

    /// The bucket of a group of several.
    fn bucket_of(&mut self, hash: u32, number: Id) -> Option<&mut Bucket<M>> {
        let is_it = |bucket: &Bucket<M>| bucket.only.is_none() && bucket.number == number;
        self.table.find_mut(hash, is_it)
    }

    /// Gives the topic of an entry another number.
    pub(super) fn renumber_topic(
        &mut self,
        hash: u32,
        entry: &Presence<M>,
        topic: Id,
        replicas: &Replicas,
        is_it: impl Fn(&Presence<M>) -> bool,
    ) {
        let several = &self.several;
        let is_it = |bucket: &Bucket<M>| is_it(read(several, bucket).any());
        let Some(bucket) = self.table.find_mut(hash, is_it) else {
            return;
        };
        if bucket.only.is_some() {
            bucket.number = topic;
            return;
        }
        let order = &mut self.several.at_mut(bucket.number).order;
        let is_it = |grouped: &Grouped<M>| grouped.entry.is(entry);
        order.update(rank_of(entry, replicas), replicas, is_it, |grouped| {
            Grouped { topic, ..grouped }
        });
    }

    /// Passes the entry of that address, if it is alone in its group, through `updated`, with
    /// the number of its topic.
    pub(super) fn update_only(
        &mut self,
        hash: u32,
        address: usize,
        updated: impl FnOnce(Presence<M>, Id) -> Presence<M>,
    ) {
        let is_it = |bucket: &Bucket<M>| {
            let only = bucket.only.as_ref();
            only.is_some_and(|only| only.address() == address)
        };
        if let Some(bucket) = self.table.find_mut(hash, is_it) {
            let topic = bucket.number;
            bucket.only = bucket.only.take().map(|only| updated(only, topic));
        }
    }

    /// Moves some groups to free places if most places are idle.
    fn compact(&mut self) {
        if !self.several.is_sparse() {
            return;
        }
        for old in self.several.seal_last_block() {
            if let Some(group) = self.several.remove(old) {
                let hash = group.hash;
                let new = self.several.insert(group);
                if let Some(bucket) = self.bucket_of(hash, old) {
                    bucket.number = new;
                }
            }
        }
    }

    /// Those of several.
    pub(super) fn groups(&self) -> impl Iterator<Item = &Group<M>> {
        self.several.iter().map(|(_, group)| group)
    }

    /// How many entries are in all groups, if each is what it should be.
    pub(super) fn checked_len(&self, replicas: &Replicas) -> Option<usize> {
        let mut len = 0;
        for bucket in self.table.iter() {
            len += match read(&self.several, bucket) {
                Found::One(..) => 1,
                Found::Several(_, group) => {
                    let order = &group.order;
                    let is_hidden =
                        |grouped: &&Grouped<M>| replicas.hides(grouped.replica(replicas));
                    let hidden = order.iter().filter(is_hidden).count();
                    let counted = if self.counts_hidden { hidden } else { 0 };
                    let is_right = order.len() > 1
                        && order.check_invariants(replicas)
                        && group.hidden as usize == counted
                        && group.hash == bucket.hash;
                    if !is_right {
                        return None;
                    }
                    order.len()
                }
            };
        }
        Some(len)
    }
}

impl<M> Clone for New<'_, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for New<'_, M> {}

impl<M> Clone for Grouped<M> {
    fn clone(&self) -> Self {
        Self {
            entry: self.entry.clone(),
            ..*self
        }
    }
}

impl<M> Clone for Bucket<M> {
    fn clone(&self) -> Self {
        Self {
            only: self.only.clone(),
            ..*self
        }
    }
}

impl<M> Clone for Group<M> {
    fn clone(&self) -> Self {
        Self {
            order: self.order.clone(),
            ..*self
        }
    }
}

impl<M> Clone for Groups<M> {
    fn clone(&self) -> Self {
        Self {
            table: self.table.clone(),
            several: self.several.clone(),
            counts_hidden: self.counts_hidden,
        }
    }
}

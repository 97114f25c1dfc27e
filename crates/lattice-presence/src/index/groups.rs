//! The entries that share a key, or a pid.

use hashbrown::hash_table::{Entry, HashTable};
use lattice_causal::{DotFun, DotStore};

use super::late::{self, Late};
use super::slab::{Id, Slab};
use crate::down::Down;
use crate::{Presence, ReplicaId};

/// Entries that share something, by their numbers, in dot order.
pub(crate) type Members = DotFun<ReplicaId, Id>;

/// Groups of entries in a hash table of eight bytes a group.
///
/// Most keys are in their topic once and most connections hold one entry: such a
/// group is the number of its entry. A bucket carries the hash, so that the
/// table grows without visiting an entry.
///
/// # Invariants
///
/// No group is empty, and those in `many` have two entries or more.
#[derive(Clone)]
pub(crate) struct Groups {
    table: HashTable<Bucket>,
    many: Slab<Members>,
    late: Late,
}

#[derive(Clone, Copy)]
pub(super) struct Bucket {
    hash: u32,
    /// The number of the only entry, or `MANY` and a number in `many`.
    at: u32,
}

const MANY: u32 = 1 << 31;

impl Bucket {
    pub(super) const fn new(hash: u32, at: Id) -> Self {
        Self { hash, at }
    }

    pub(super) const fn at(self) -> Id {
        self.at
    }

    /// The hash as the table wants it: its place comes from the low bits, its
    /// tag from the high ones.
    pub(super) fn hash(&self) -> u64 {
        spread(self.hash)
    }
}

pub(super) fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// One group, to read.
#[derive(Clone, Copy)]
pub(crate) enum Group<'a> {
    One(Id),
    Many(&'a Members),
}

impl Groups {
    pub(super) fn new() -> Self {
        Self {
            table: HashTable::new(),
            many: Slab::new(),
            late: Late::default(),
        }
    }

    pub(super) fn reserve(&mut self, more: usize) {
        self.table.reserve(more, Bucket::hash);
    }

    fn read(&self, bucket: Bucket) -> Group<'_> {
        match bucket.at & MANY {
            0 => Group::One(bucket.at),
            _ => match self.many.get(bucket.at & !MANY) {
                Some(members) => Group::Many(members),
                None => unreachable!("a bucket points to a group"),
            },
        }
    }

    /// The group of that hash of which `is_it` knows some entry.
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(Id) -> bool) -> Option<Group<'_>> {
        let found = self.table.find(spread(hash), |bucket| {
            bucket.hash == hash && is_it(self.read(*bucket).any())
        });
        found.map(|bucket| self.read(*bucket))
    }

    /// Adds an entry to the group of that hash of which `is_it` knows some
    /// entry, or to a new one; gives the number of the group, where it is one of
    /// several entries. [`settle`](Self::settle) completes it.
    pub(super) fn insert<M>(
        &mut self,
        hash: u32,
        (id, entry): (Id, &Presence<M>),
        entries: &Slab<Presence<M>>,
        is_it: impl Fn(Id) -> bool,
    ) -> Option<Id> {
        let many = &self.many;
        let found = self.table.entry(
            spread(hash),
            |bucket| bucket.hash == hash && is_it(any(many, *bucket)),
            Bucket::hash,
        );
        let at = match found {
            Entry::Vacant(place) => {
                place.insert(Bucket::new(hash, id));
                return None;
            }
            Entry::Occupied(mut place) => {
                let bucket = place.get_mut();
                if bucket.at & MANY == 0 {
                    let mut members = Members::new();
                    if let Some(first) = entries.get(bucket.at) {
                        members.insert(first.dot(), bucket.at);
                    }
                    bucket.at = MANY | self.many.insert(members);
                }
                bucket.at & !MANY
            }
        };
        if let Some(members) = self.many.get_mut(at) {
            self.late.put_or_keep(members, at, entry.dot(), id);
        }
        Some(at)
    }

    /// Adds what came late; all of it is of `owner`.
    pub(super) fn settle(&mut self, owner: &ReplicaId) {
        self.late.settle(|at, late| {
            if let Some(members) = self.many.get_mut(at) {
                late::extend(members, owner, late);
            }
        });
    }

    /// How many entries of that group of several are visible, those that came
    /// late among them, since they are of the replica that is being merged.
    pub(super) fn visible_of(&self, at: Id, down: &Down) -> usize {
        let placed = self
            .many
            .get(at)
            .map_or(0, |members| visible_len(members, down));
        // Who asks wants to know whether it is the first one.
        let late = if placed <= 1 {
            self.late.waiting(at)
        } else {
            0
        };
        placed + late
    }

    /// Takes an entry, which is in a group of that hash, out of it; gives what is
    /// left of the group.
    pub(super) fn remove<M>(
        &mut self,
        hash: u32,
        id: Id,
        entry: &Presence<M>,
        is_it: impl Fn(Id) -> bool,
    ) -> Option<Group<'_>> {
        let many = &self.many;
        let found = self.table.find_entry(spread(hash), |bucket| {
            bucket.at == id
                || bucket.hash == hash && bucket.at & MANY != 0 && is_it(any(many, *bucket))
        });
        let mut place = found.ok()?;
        let bucket = place.get_mut();
        if bucket.at == id {
            place.remove();
            return None;
        }
        let at = bucket.at & !MANY;
        let members = self.many.get_mut(at)?;
        members.remove(entry.dot());
        if members.len() == 1 {
            *bucket = Bucket::new(hash, last_of(members));
            self.many.remove(at);
        }
        let bucket = *bucket;
        Some(self.read(bucket))
    }

    /// The groups of two entries or more.
    pub(super) fn many(&self) -> &Slab<Members> {
        &self.many
    }
}

fn any(many: &Slab<Members>, bucket: Bucket) -> Id {
    match bucket.at & MANY {
        0 => bucket.at,
        _ => many.get(bucket.at & !MANY).map_or(0, last_of),
    }
}

/// The last slot of a run is live: found at the first look.
fn last_of(members: &Members) -> Id {
    members.iter().next_back().map_or(0, |(_, _, &id)| id)
}

impl<'a> Group<'a> {
    /// One of its entries.
    fn any(self) -> Id {
        match self {
            Self::One(id) => id,
            Self::Many(members) => last_of(members),
        }
    }

    /// How many entries are visible. O(replicas that are down).
    pub(super) fn visible_len<M>(self, entries: &Slab<Presence<M>>, down: &Down) -> usize {
        match self {
            Self::One(_) if down.is_empty() => 1,
            Self::One(id) => {
                let hidden = |entry: &Presence<M>| down.hides(entry.owner());
                usize::from(!entries.get(id).is_some_and(hidden))
            }
            Self::Many(members) => visible_len(members, down),
        }
    }

    /// The visible entries, in dot order.
    pub(super) fn visible<M>(
        self,
        entries: &'a Slab<Presence<M>>,
        down: &'a Down,
    ) -> impl Iterator<Item = &'a Presence<M>> + Clone {
        let (one, many) = match self {
            Self::One(id) => (entries.get(id), None),
            Self::Many(members) => (None, Some(visible(members, entries, down))),
        };
        one.into_iter()
            .filter(|entry| !down.hides(entry.owner()))
            .chain(many.into_iter().flatten())
    }

    /// The entries of one replica, visible or not, in clock order.
    pub(super) fn of<M>(
        self,
        replica: &'a ReplicaId,
        entries: &'a Slab<Presence<M>>,
    ) -> impl Iterator<Item = &'a Presence<M>> + Clone {
        let (one, many) = match self {
            Self::One(id) => (entries.get(id), None),
            Self::Many(members) => (None, Some(members.of(replica))),
        };
        let many = many.into_iter().flatten();
        one.into_iter()
            .filter(move |entry| entry.owner() == replica)
            .chain(many.filter_map(|(_, &id)| entries.get(id)))
    }

    /// How many entries [`of`](Self::of) gives.
    pub(super) fn len_of<M>(self, replica: &ReplicaId, entries: &Slab<Presence<M>>) -> usize {
        match self {
            Self::One(id) => {
                let owned = |entry: &Presence<M>| entry.owner() == replica;
                usize::from(entries.get(id).is_some_and(owned))
            }
            Self::Many(members) => members.summary(replica).live,
        }
    }
}

pub(super) fn visible_len(members: &Members, down: &Down) -> usize {
    let hidden = |replica| members.summary(replica).live;
    members.len() - down.iter().map(hidden).sum::<usize>()
}

/// The visible entries among `members`, in dot order: whole runs are passed
/// over.
pub(super) fn visible<'a, M>(
    members: &'a Members,
    entries: &'a Slab<Presence<M>>,
    down: &'a Down,
) -> impl Iterator<Item = &'a Presence<M>> + Clone {
    members
        .replicas()
        .filter(|(replica, _)| !down.hides(replica))
        .flat_map(|(replica, _)| members.of(replica))
        .filter_map(|(_, &id)| entries.get(id))
}

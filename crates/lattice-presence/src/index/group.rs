//! The entries that share a topic, a key or a pid.

use alloc::boxed::Box;

use lattice_causal::{Dot, DotStore};

use crate::delta::Entries;
use crate::down::Down;
use crate::{Presence, ReplicaId};

/// Entries that share something, at least one.
///
/// Most users are in a topic once and most connections hold one entry, so one
/// entry costs no allocation. More of them are kept like the state keeps its
/// own: per replica in clock order.
pub(crate) enum Group<M> {
    One(Presence<M>),
    /// Two or more. Boxed, to keep the tables narrow.
    Many(Box<Entries<M>>),
}

/// What is left of a group after a removal.
pub(crate) enum Left {
    /// It had no such entry.
    Untouched,
    Some,
    /// That was the last one: the group has to go.
    Nothing,
}

impl<M> Group<M> {
    /// An entry of the group, the same on every call until the group changes.
    /// O(1).
    pub(crate) fn any(&self) -> &Presence<M> {
        match self {
            Self::One(entry) => entry,
            // The last slot of a run is live: found at the first look.
            Self::Many(entries) => match entries.iter().next_back() {
                Some((_, _, entry)) => entry,
                None => unreachable!("a group of many has at least two entries"),
            },
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Many(entries) => entries.len(),
        }
    }

    pub(crate) fn insert(&mut self, entry: Presence<M>) {
        match self {
            Self::One(first) => {
                let mut entries = Entries::new();
                for entry in [first.clone(), entry] {
                    entries.insert(&entry.dot().clone(), entry);
                }
                *self = Self::Many(Box::new(entries));
            }
            Self::Many(entries) => {
                entries.insert(&entry.dot().clone(), entry);
            }
        }
    }

    pub(crate) fn remove(&mut self, dot: &Dot<ReplicaId>) -> Left {
        match self {
            Self::One(entry) if entry.dot() == dot => Left::Nothing,
            Self::One(_) => Left::Untouched,
            Self::Many(entries) => {
                if entries.remove(dot).is_none() {
                    return Left::Untouched;
                }
                if entries.len() == 1 {
                    let last = self.any().clone();
                    *self = Self::One(last);
                }
                Left::Some
            }
        }
    }

    /// How many entries are visible. O(replicas that are down).
    pub(crate) fn visible_len(&self, down: &Down) -> usize {
        match self {
            _ if down.is_empty() => self.len(),
            Self::One(entry) => usize::from(!down.hides(entry.owner())),
            Self::Many(entries) => {
                let hidden = |replica| entries.summary(replica).live;
                entries.len() - down.iter().map(hidden).sum::<usize>()
            }
        }
    }

    /// The visible entries, in dot order.
    pub(crate) fn visible<'a>(
        &'a self,
        down: &'a Down,
    ) -> impl Iterator<Item = &'a Presence<M>> + Clone {
        let (one, many) = match self {
            Self::One(entry) => (Some(entry).filter(|e| !down.hides(e.owner())), None),
            Self::Many(entries) => (None, Some(visible_of(entries, down))),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// The entries of one replica, whether visible or not, in clock order.
    pub(crate) fn of<'a>(
        &'a self,
        replica: &'a ReplicaId,
    ) -> impl Iterator<Item = &'a Presence<M>> + Clone {
        let (one, many) = match self {
            Self::One(entry) => (Some(entry).filter(|e| e.owner() == replica), None),
            Self::Many(entries) => (None, Some(entries.of(replica))),
        };
        let many = many.into_iter().flatten().map(|(_, entry)| entry);
        one.into_iter().chain(many)
    }

    /// How many of the visible entries are of one replica.
    pub(crate) fn visible_len_of(&self, replica: &ReplicaId, down: &Down) -> usize {
        if down.hides(replica) {
            return 0;
        }
        self.len_of(replica)
    }

    /// How many entries [`of`](Self::of) gives.
    pub(crate) fn len_of(&self, replica: &ReplicaId) -> usize {
        match self {
            Self::One(entry) => usize::from(entry.owner() == replica),
            Self::Many(entries) => entries.summary(replica).live,
        }
    }
}

/// The entries of a store whose owners are not down, in dot order: whole runs
/// are passed over.
pub(crate) fn visible_of<'a, M>(
    entries: &'a Entries<M>,
    down: &'a Down,
) -> impl Iterator<Item = &'a Presence<M>> + Clone {
    entries
        .replicas()
        .filter(|(replica, _)| !down.hides(replica))
        .flat_map(|(replica, _)| entries.of(replica))
        .map(|(_, entry)| entry)
}

impl<M> Clone for Group<M> {
    fn clone(&self) -> Self {
        match self {
            Self::One(entry) => Self::One(entry.clone()),
            Self::Many(entries) => Self::Many(entries.clone()),
        }
    }
}

//! One allocation per name, however often a payload spells it.

use alloc::sync::Arc;
use core::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashSet, HashTable};
use lattice_presence::ReplicaId;

use crate::cursor::Result;
use crate::decoder::Decoder;
use crate::error::{Category, DecodeError};

/// The topics of one payload.
#[derive(Default)]
pub(crate) struct Topics(HashSet<Arc<str>>);

impl Topics {
    #[inline]
    pub(crate) fn intern(&mut self, topic: &str) -> Arc<str> {
        Arc::clone(self.0.get_or_insert_with(topic, |topic| topic.into()))
    }
}

/// The replicas of one payload, each with what the payload says of it.
#[derive(Default)]
pub(crate) struct Replicas<T> {
    known: Vec<(ReplicaId, T)>,
    places: HashTable<usize>,
    hasher: DefaultHashBuilder,
    last: usize,
}

impl<T: Default> Replicas<T> {
    /// The place of the replica that the payload names at `offset`.
    #[inline]
    pub(crate) fn intern(&mut self, name: &str, offset: usize, limits: &Decoder) -> Result<usize> {
        // Values come replica by replica.
        if let Some((last, _)) = self.known.get(self.last)
            && last.as_str() == name
        {
            return Ok(self.last);
        }
        self.last = self.look_up(name, offset, limits)?;
        Ok(self.last)
    }

    fn look_up(&mut self, name: &str, offset: usize, limits: &Decoder) -> Result<usize> {
        let Self {
            known,
            places,
            hasher,
            ..
        } = self;
        let hash = hasher.hash_one(name);
        if let Some(&place) = places.find(hash, |&place| known[place].0.as_str() == name) {
            return Ok(place);
        }
        if name.is_empty() {
            let reason = "an empty replica name";
            return Err(DecodeError::new(Category::Shape, offset, reason));
        }
        if known.len() >= limits.max_replicas {
            let reason = format!("more than {} replicas", limits.max_replicas);
            return Err(DecodeError::new(Category::Limit, offset, reason));
        }
        let place = known.len();
        known.push((ReplicaId::new(name), T::default()));
        places.insert_unique(hash, place, |&place| {
            hasher.hash_one(known[place].0.as_str())
        });
        Ok(place)
    }

    pub(crate) fn id(&self, place: usize) -> &ReplicaId {
        &self.known[place].0
    }

    pub(crate) fn said_mut(&mut self, place: usize) -> &mut T {
        &mut self.known[place].1
    }

    /// The replicas in replica order.
    pub(crate) fn into_sorted(mut self) -> Vec<(ReplicaId, T)> {
        self.known.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self.known
    }
}

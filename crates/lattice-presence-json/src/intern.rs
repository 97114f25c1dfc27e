//! One allocation per name, however often a payload spells it.

use alloc::sync::Arc;
use core::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashSet, HashTable};
use lattice_presence::ReplicaId;

use crate::cursor::Result;
use crate::error::{Category, DecodeError};
use crate::limits::Limits;
use crate::room;

/// Bytes that naming a replica takes at least: `,"a":0`.
const NAMED: usize = 6;

/// The topics of one payload.
#[derive(Default)]
pub(crate) struct Topics(HashSet<Arc<str>>);

impl Topics {
    #[inline]
    pub(crate) fn intern(&mut self, topic: &str) -> Arc<str> {
        Arc::clone(self.0.get_or_insert_with(topic, |topic| topic.into()))
    }

    /// Gives up the table: as large as the topics are many.
    pub(crate) fn forget(&mut self) {
        self.0 = HashSet::with_hasher(self.0.hasher().clone());
    }
}

/// The replicas of one payload, each with what the payload says of it.
///
/// A replica is known by its *place*, in the order in which they were named.
pub(crate) struct Replicas<T> {
    known: Vec<(ReplicaId, T)>,
    // Half as wide as an index: short names make this table count.
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
    last: usize,
    payload: usize,
}

impl<T: Default> Replicas<T> {
    /// The replicas of a payload of so many bytes.
    pub(crate) fn new(payload: usize) -> Self {
        Self {
            known: Vec::new(),
            places: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            last: 0,
            payload,
        }
    }

    /// The place of the replica that the payload names at `offset`.
    #[inline]
    pub(crate) fn intern(&mut self, name: &str, offset: usize, limits: &Limits) -> Result<usize> {
        // Values come replica by replica.
        if let Some((last, _)) = self.known.get(self.last)
            && last.as_str() == name
        {
            return Ok(self.last);
        }
        self.last = self.look_up(name, offset, limits)?;
        Ok(self.last)
    }

    fn look_up(&mut self, name: &str, offset: usize, limits: &Limits) -> Result<usize> {
        let Self {
            known,
            places,
            hasher,
            payload,
            ..
        } = self;
        let hash = hasher.hash_one(name);
        let name_of = |place: u32| known[place as usize].0.as_str();
        if let Some(&place) = places.find(hash, |&place| name_of(place) == name) {
            return Ok(place as usize);
        }
        if name.is_empty() {
            let reason = "an empty replica name";
            return Err(DecodeError::new(Category::Shape, offset, reason));
        }
        let place = known.len();
        let (Some(key), true) = (u32::try_from(place).ok(), place < limits.max_replicas) else {
            let reason = format!("more than {} replicas", limits.max_replicas.min(place));
            return Err(DecodeError::new(Category::Limit, offset, reason));
        };
        places.insert_unique(hash, key, |&place| hasher.hash_one(name_of(place)));
        let replica = (ReplicaId::new(name), T::default());
        room::push(known, replica, payload.saturating_sub(offset), NAMED);
        Ok(place)
    }

    pub(crate) fn id(&self, place: usize) -> &ReplicaId {
        &self.known[place].0
    }

    pub(crate) fn of_mut(&mut self, place: usize) -> &mut T {
        &mut self.known[place].1
    }

    /// The replicas in replica order, in no more memory than they take.
    pub(crate) fn into_sorted(self) -> Vec<(ReplicaId, T)> {
        let Self { mut known, .. } = self;
        known.shrink_to_fit();
        known.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        known
    }
}

//! Entries that came with names of their own, to be shared.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Index;
use super::groups::Record;
use super::slab::Id;
use crate::Presence;

/// Holders of a name that make it one of the entry's own.
const FEW: usize = 4;

/// Entries that are interned in one go.
const AT_ONCE: usize = 256;

impl<M> Index<M> {
    /// Remembers an entry whose names take memory that few others share: what came in a
    /// delta of its own brought its own topic and its own owner.
    pub(super) fn note_uninterned(&mut self, entry: &Presence<M>, topic: Id, replica: Id) {
        let (name, owner) = (entry.shared_topic(), entry.owner());
        let topic_is_strange = !Arc::ptr_eq(name, &self.topics.at(topic).name);
        let owner_is_strange = !owner.is(self.replicas.name(replica));
        if topic_is_strange && Arc::strong_count(name) <= FEW
            || owner_is_strange && owner.sharers() <= 2 * FEW
        {
            self.uninterned.push(entry.clone());
        }
    }

    /// Some of the entries that came with names of their own.
    pub(crate) fn take_uninterned(&mut self) -> Vec<Presence<M>> {
        if self.uninterned.is_empty() {
            return Vec::new();
        }
        let rest = self.uninterned.len().saturating_sub(AT_ONCE);
        let taken = self.uninterned.split_off(rest);
        if rest == 0 {
            self.uninterned = Vec::new();
        }
        taken
    }

    /// Lets the entry share its names with the others, if nobody but the caller, who
    /// hands over what it holds, and the index hold it.
    pub(crate) fn intern(&mut self, of_store: Presence<M>) -> Presence<M> {
        let hashes = self.hashes(of_store.slot());
        let Some(id) = self.id_of(&of_store, hashes) else {
            return of_store;
        };
        let record = self.entries.at(id);
        if !record.entry.is(&of_store) {
            return of_store;
        }
        let topic = self.topics.at(record.topic()).name.clone();
        let owner = self.replicas.name(record.replica).clone();
        let mut interned = None;
        self.entries.update(id, |record| {
            drop(record.entry);
            let entry = of_store.sharing(&topic, &owner);
            interned = Some(entry.clone());
            Record { entry, ..record }
        });
        match interned {
            Some(entry) => entry,
            None => unreachable!("the record was there"),
        }
    }
}

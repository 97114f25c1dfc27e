//! Which replicas are marked down.

use alloc::collections::BTreeSet;

use crate::ReplicaId;

/// The replicas that this node, and nobody else, considers down.
///
/// They may be many, with nothing here: the index knows which entries are hidden, and
/// is what nearly every call asks.
#[derive(Clone, Debug)]
pub(crate) struct Down {
    replicas: BTreeSet<ReplicaId>,
    local: ReplicaId,
    hides_local: bool,
}

impl Down {
    pub(crate) const fn new(local: ReplicaId) -> Self {
        Self {
            replicas: BTreeSet::new(),
            local,
            hides_local: false,
        }
    }

    /// The local replica goes on under another id; marks stay with their ids.
    pub(crate) fn rename_local(&mut self, local: ReplicaId) {
        self.hides_local = self.hides(&local);
        self.local = local;
    }

    /// Every mark, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ReplicaId> {
        self.replicas.iter()
    }

    /// O(log marks).
    pub(crate) fn hides(&self, replica: &ReplicaId) -> bool {
        self.replicas.contains(replica)
    }

    /// Whether the local replica itself is marked. O(1).
    pub(crate) const fn hides_local(&self) -> bool {
        self.hides_local
    }

    /// Whether the mark is new.
    pub(crate) fn mark(&mut self, replica: &ReplicaId) -> bool {
        self.hides_local |= *replica == self.local;
        self.replicas.insert(replica.clone())
    }

    /// Whether there was a mark.
    pub(crate) fn unmark(&mut self, replica: &ReplicaId) -> bool {
        self.hides_local &= *replica != self.local;
        self.replicas.remove(replica)
    }
}

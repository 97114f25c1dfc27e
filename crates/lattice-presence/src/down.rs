//! Which replicas are marked down.

use alloc::vec::Vec;

use crate::ReplicaId;

/// The replicas that this node, and nobody else, considers down: few, mostly
/// none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Down {
    /// Ascending.
    replicas: Vec<ReplicaId>,
}

impl Down {
    pub(crate) fn is_empty(&self) -> bool {
        self.replicas.is_empty()
    }

    pub(crate) fn hides(&self, replica: &ReplicaId) -> bool {
        self.replicas.binary_search(replica).is_ok()
    }

    pub(crate) fn iter(&self) -> core::slice::Iter<'_, ReplicaId> {
        self.replicas.iter()
    }

    /// Whether the mark is new.
    pub(crate) fn mark(&mut self, replica: &ReplicaId) -> bool {
        match self.replicas.binary_search(replica) {
            Ok(_) => false,
            Err(at) => {
                self.replicas.insert(at, replica.clone());
                true
            }
        }
    }

    /// Whether there was a mark.
    pub(crate) fn unmark(&mut self, replica: &ReplicaId) -> bool {
        let at = self.replicas.binary_search(replica);
        at.map(|at| self.replicas.remove(at)).is_ok()
    }
}

//! What waits to go to one peer.

use lattice_presence::{Refusal, ReplicaId};

/// A message to one peer that waits for room. What it says is made up when it goes, so
/// that waiting costs a name, and nothing old is sent.
#[derive(Clone, Debug)]
pub(crate) enum Mail {
    Question { to: ReplicaId, id: u64 },
    Answer { to: ReplicaId },
    Comparison { to: ReplicaId },
    Refusal { to: ReplicaId, reason: Refusal },
}

impl Mail {
    /// Whom it goes to.
    pub(crate) const fn to(&self) -> &ReplicaId {
        match self {
            Self::Question { to, .. }
            | Self::Answer { to }
            | Self::Comparison { to }
            | Self::Refusal { to, .. } => to,
        }
    }

    /// Whether both are of one kind, and go to one peer.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        core::mem::discriminant(self) == core::mem::discriminant(other) && self.to() == other.to()
    }
}

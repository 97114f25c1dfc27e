//! Messages to one peer that wait for room.

use lattice_presence::{Refusal, ReplicaId};

/// A message to one peer that waits for room. Its content is made when it is sent. So a
/// waiting message costs only a name, and its content is never old.
#[derive(Clone, Debug)]
pub(crate) enum Mail {
    Question { to: ReplicaId, id: u64 },
    Answer { to: ReplicaId },
    Comparison { to: ReplicaId },
    Refusal { to: ReplicaId, reason: Refusal },
}

impl Mail {
    /// Its receiver.
    pub(crate) const fn to(&self) -> &ReplicaId {
        match self {
            Self::Question { to, .. }
            | Self::Answer { to }
            | Self::Comparison { to }
            | Self::Refusal { to, .. } => to,
        }
    }

    /// Whether both have the same kind and the same receiver.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        core::mem::discriminant(self) == core::mem::discriminant(other) && self.to() == other.to()
    }
}

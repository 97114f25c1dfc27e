//! What this node knows and thinks of each replica.

use alloc::collections::BTreeSet;

use lattice_causal::DotStore;

use super::PresenceState;
use crate::ReplicaId;

/// What this node thinks of a replica (rules S8 and S9).
///
/// ```
/// use lattice_presence::{PresenceState, Standing};
///
/// let mut state = PresenceState::<()>::new("a");
/// let _ = state.replica_down(&"b".into());
/// let standings: Vec<_> = state.replicas().map(|replica| replica.standing).collect();
/// assert_eq!(standings, [Standing::Up, Standing::Down]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Standing {
    /// Its entries are visible.
    Up,
    /// Its entries are hidden.
    Down,
    /// Its entries were discarded, and what was discarded is refused.
    Pruned,
}

/// One line of [`replicas`](PresenceState::replicas).
///
/// ```
/// use lattice_presence::PresenceState;
///
/// let mut state = PresenceState::new("a");
/// state.join("p", "t", "k", ())?;
/// let own = state.replicas().next().unwrap();
/// assert_eq!((own.replica.as_str(), own.entries, own.last_clock), ("a", 1, 1));
/// # Ok::<(), lattice_presence::JoinError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicaStatus<'a> {
    /// The replica.
    pub replica: &'a ReplicaId,
    /// What this node thinks of it.
    pub standing: Standing,
    /// How many entries of it are held here, hidden ones included.
    pub entries: usize,
    /// The last of its clocks that was seen, or discarded: 0 if none was.
    pub last_clock: u64,
}

impl<M> PresenceState<M> {
    /// Every replica that this node knows or has marked, itself included, ascending.
    /// O(replicas log replicas) in all.
    ///
    /// ```
    /// use lattice_presence::{PresenceState, Standing};
    ///
    /// let mut a = PresenceState::new("a");
    /// let mut b = PresenceState::new("b");
    /// b.join("p", "t", "k", ())?;
    /// a.merge(&b).unwrap();
    /// let _ = a.replica_down(&"b".into());
    /// let _ = a.remove_down_replica(&"b".into()).unwrap();
    ///
    /// let known = a.replicas().map(|known| (known.replica.as_str(), known.standing));
    /// assert_eq!(known.collect::<Vec<_>>(), [("a", Standing::Up), ("b", Standing::Pruned)]);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn replicas(&self) -> impl Iterator<Item = ReplicaStatus<'_>> {
        let mut known: BTreeSet<&ReplicaId> = self.context().replicas().collect();
        known.extend(self.filter.dots().replicas());
        known.extend(self.down.iter());
        known.insert(&self.replica);
        known.into_iter().map(|replica| {
            let refused = self.filter.dots().max(replica);
            ReplicaStatus {
                replica,
                standing: match (refused > 0, self.down.hides(replica)) {
                    (true, _) => Standing::Pruned,
                    (false, true) => Standing::Down,
                    (false, false) => Standing::Up,
                },
                entries: self.causal.store().summary(replica).live,
                last_clock: self.context().max(replica).max(refused),
            }
        })
    }
}

//! Who is down? Judged by silence.
//!
//! The library takes liveness from its caller (rule S8). This is about the
//! simplest judge there is, with time as an argument: a replica that was not
//! heard of for a while is down; one that stays silent is removed, to get its
//! memory back; one that stays silent for much longer is forgotten.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lattice_presence::ReplicaId;

/// How long a replica may be silent before each step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Several times the interval in which peers send their digests.
    pub(crate) down: Duration,
    /// Longer than an ordinary network failure: what is removed comes again over
    /// the network.
    pub(crate) remove: Duration,
    /// Longer than the stalest gossip travels.
    pub(crate) forget: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Up,
    Down,
    Removed,
}

/// What the caller tells the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Down,
    Remove,
    Forget,
}

#[derive(Debug)]
struct Watched {
    last_heard: Instant,
    standing: Standing,
}

#[derive(Debug)]
pub(crate) struct Detector {
    patience: Patience,
    watched: BTreeMap<ReplicaId, Watched>,
}

impl Detector {
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            patience,
            watched: BTreeMap::new(),
        }
    }

    /// Starts the clock of a replica that was heard *of*: a relay may speak of
    /// one that never speaks for itself.
    pub(crate) fn watch(&mut self, replica: &ReplicaId, now: Instant) {
        if !self.watched.contains_key(replica) {
            let watched = Watched {
                last_heard: now,
                standing: Standing::Up,
            };
            self.watched.insert(replica.clone(), watched);
        }
    }

    /// The replica spoke. Whether it was down until now.
    pub(crate) fn heard(&mut self, replica: &ReplicaId, now: Instant) -> bool {
        self.watch(replica, now);
        let Some(watched) = self.watched.get_mut(replica) else {
            return false;
        };
        watched.last_heard = now;
        let was_down = watched.standing != Standing::Up;
        watched.standing = Standing::Up;
        was_down
    }

    /// The replica is known to be gone for good: no silence has to prove it.
    pub(crate) fn gone(&mut self, replica: &ReplicaId, now: Instant) {
        self.watch(replica, now);
        if let Some(watched) = self.watched.get_mut(replica) {
            watched.standing = Standing::Removed;
        }
    }

    /// Whether the replica was heard lately.
    pub(crate) fn is_up(&self, replica: &ReplicaId) -> bool {
        let watched = self.watched.get(replica);
        watched.is_some_and(|watched| watched.standing == Standing::Up)
    }

    /// The verdicts that have become due, in the order in which to apply them.
    pub(crate) fn judge(&mut self, now: Instant) -> Vec<(ReplicaId, Verdict)> {
        let patience = self.patience;
        let mut verdicts = Vec::new();
        self.watched.retain(|replica, watched| {
            let silence = now.saturating_duration_since(watched.last_heard);
            if silence >= patience.down && watched.standing < Standing::Down {
                watched.standing = Standing::Down;
                verdicts.push((replica.clone(), Verdict::Down));
            }
            if silence >= patience.remove && watched.standing < Standing::Removed {
                watched.standing = Standing::Removed;
                verdicts.push((replica.clone(), Verdict::Remove));
            }
            let forgotten = silence >= patience.forget;
            if forgotten {
                verdicts.push((replica.clone(), Verdict::Forget));
            }
            !forgotten
        });
        verdicts
    }
}

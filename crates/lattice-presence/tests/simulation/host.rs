//! One machine: the process that runs on it, what that process's users hold, and a
//! view that only diffs keep up to date.

use lattice_presence::{Diff, Dot, Presence, PresenceDelta, PresenceState, ReplicaId};
use std::collections::BTreeMap;

/// `(topic, key, pid)`.
pub type Slot = (String, String, String);

/// A plain copy of an entry: its slot and its metadata.
pub type Seen = (Slot, u64);

pub struct Process {
    pub state: PresenceState<u64>,
    /// The truth about this process's users.
    pub sessions: BTreeMap<Slot, u64>,
    view: BTreeMap<Dot<ReplicaId>, Seen>,
}

impl Process {
    pub fn start(id: ReplicaId) -> Self {
        Self {
            state: PresenceState::new(id),
            sessions: BTreeMap::new(),
            view: BTreeMap::new(),
        }
    }

    pub fn id(&self) -> &ReplicaId {
        self.state.replica()
    }

    pub fn join(&mut self, slot: Slot, meta: u64) {
        let diff = self
            .state
            .join(&slot.2, &slot.0, &slot.1, meta)
            .expect("clocks are left");
        self.sessions.insert(slot, meta);
        self.replay(&diff);
    }

    pub fn leave(&mut self, slot: &Slot) {
        let diff = self.state.leave(&slot.2, &slot.0, &slot.1);
        self.sessions.remove(slot);
        self.replay(&diff);
    }

    pub fn leave_by_pid(&mut self, pid: &str) {
        let diff = self.state.leave_by_pid(pid);
        self.sessions.retain(|slot, _| slot.2 != pid);
        self.replay(&diff);
    }

    pub fn merge(&mut self, delta: &PresenceDelta<u64>) {
        let diff = self.state.merge_delta_with_diff(delta);
        self.replay(&diff.expect("S6: nothing that the network carries is refused"));
    }

    pub fn merge_owned(&mut self, peer: &ReplicaId, delta: &PresenceDelta<u64>) {
        let diff = self.state.merge_owned(peer, delta);
        self.replay(&diff.expect("S14: an owned snapshot is its sender's own"));
    }

    pub fn down(&mut self, id: &ReplicaId) {
        let diff = self.state.replica_down(id);
        self.replay(&diff);
    }

    pub fn up(&mut self, id: &ReplicaId) {
        let diff = self.state.replica_up(id);
        self.replay(&diff);
    }

    pub fn prune(&mut self, id: &ReplicaId) {
        self.down(id);
        let diff = self
            .state
            .remove_down_replica(id)
            .expect("S9: it is marked down");
        self.replay(&diff);
    }

    pub fn supersede(&mut self, current: &ReplicaId) {
        let diff = self
            .state
            .supersede(current)
            .expect("S10: another base, or itself");
        self.replay(&diff);
    }

    fn replay(&mut self, diff: &Diff<u64>) {
        for gone in diff.leaves() {
            let known = self.view.remove(gone.dot());
            assert_eq!(known, Some(seen(gone)), "S4: only what is visible leaves");
        }
        for new in diff.joins() {
            let known = self.view.insert(new.dot().clone(), seen(new));
            assert_eq!(known, None, "S4: only what is not visible joins");
        }
    }

    pub fn check_view(&self) {
        let online = self
            .state
            .online_list()
            .map(|entry| (entry.dot().clone(), seen(entry)));
        assert!(
            online.eq(self.view.clone()),
            "S4: the replayed diffs are not the view of {}",
            self.id()
        );
    }
}

pub fn seen(presence: &Presence<u64>) -> Seen {
    let slot = (
        presence.topic().to_owned(),
        presence.key().to_owned(),
        presence.pid().to_owned(),
    );
    (slot, *presence.meta())
}

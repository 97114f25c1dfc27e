//! Going on under a fresh name, without a restart.

use core::time::Duration;

use lattice_presence::{ReincarnateError, ReplicaId};

use crate::event::Cause;
use crate::machine::{Phase, Sync};
use crate::peer::Condition;

impl<M> Sync<M> {
    /// Goes on as `id`, a fresh and newer incarnation of this node: for a node that was
    /// superseded by an impostor, or whose dots somebody claimed
    /// ([`Event::Superseded`](crate::Event), [`Event::Conflict`](crate::Event)). Own entries
    /// move with it; peers see each leave and join in one step, once all have been pushed. If
    /// a peer gets no push, the former entries stand beside the new ones there for a
    /// [`handover`](crate::Config::handover) at most.
    /// [`ReplicaId::new_incarnation_after`], of the feature `uuid`, draws a name that is newer
    /// than that of the impostor. A node that is leaving goes on. O(own entries).
    ///
    /// [`ReplicaId::new_incarnation_after`]: https://docs.rs/lattice-presence/latest/lattice_presence/struct.ReplicaId.html#method.new_incarnation_after
    ///
    /// # Errors
    ///
    /// If `id` is known already, or a newer one is; nothing changed.
    ///
    /// ```
    /// # use lattice_presence::{PresenceState, ReplicaId};
    /// # use lattice_presence_sync::{Config, Sync};
    /// # use core::time::Duration;
    /// let life = |ms: u8| {
    ///     let mut uuid = [0; 16];
    ///     (uuid[5], uuid[6], uuid[8]) = (ms, 0x70, 0x80); // version 7
    ///     ReplicaId::incarnation("a", uuid)
    /// };
    /// let mut node = Sync::new(PresenceState::new(life(1)), Config::new("chat"), 1)?;
    /// node.join(Duration::ZERO, "pid-1", "room", "alice", ())?;
    /// node.reincarnate(Duration::ZERO, life(2))?;
    /// assert_eq!(node.state().replica(), &life(2));
    /// assert!(node.state().contains("pid-1", "room", "alice"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reincarnate(&mut self, now: Duration, id: ReplicaId) -> Result<(), ReincarnateError> {
        self.tick(now);
        let former = self.state.replica().clone();
        let diff = self.state.reincarnate(id.clone())?;
        self.changed(diff, Cause::Local);
        let told = self.state.take_delta();
        let mut former_lives = told.map(|told| told.context().clone()).unwrap_or_default();
        let own = former_lives.remove(&id).unwrap_or_default();
        self.pushes.begin_anew(own, former_lives);
        self.phase = Phase::Running;
        let hidden = self.state.replica_down(&former);
        debug_assert!(hidden.is_empty(), "its entries have moved");
        self.add_peer(&former, Condition::Down);
        let forget_at = self.now + self.config.forget_after;
        self.wake(forget_at);
        self.retire_elders_of(&id);
        self.hurry();
        self.check();
        Ok(())
    }
}

//! Continuing under a fresh id, without a restart.

use core::time::Duration;

use lattice_presence::{ReincarnateError, ReplicaId};

use crate::event::Cause;
use crate::machine::{Phase, Sync};
use crate::peer::Condition;

impl<M> Sync<M> {
    /// Continues as `id`, a fresh and newer incarnation of this node. Use it if an
    /// impostor has superseded this node, or if somebody claimed its dots
    /// ([`Event::Superseded`](crate::Event), [`Event::Conflict`](crate::Event)). The own
    /// entries move to the new id. When all have been pushed, peers see each leave and
    /// join in one step. If a peer gets no push, it shows the former entries beside the
    /// new ones, for a [`handover`](crate::Config::handover) at most.
    /// [`ReplicaId::new_incarnation_after`], of the feature `uuid`, draws an id that is
    /// newer than that of the impostor. If the node was leaving, it continues. O(own
    /// entries).
    ///
    /// [`ReplicaId::new_incarnation_after`]: https://docs.rs/lattice-presence/latest/lattice_presence/struct.ReplicaId.html#method.new_incarnation_after
    ///
    /// # Errors
    ///
    /// If `id` is known already, or a newer incarnation is. Then nothing has changed.
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

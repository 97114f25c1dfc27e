//! What this node writes.

use core::time::Duration;

use lattice_presence::{Diff, JoinError, Presence, PresenceState, ReplicaId, UpdateError};
use thiserror::Error;

use crate::event::Cause;
use crate::machine::{Phase, Sync};

/// Why nothing was written. Nothing changed.
///
/// ```
/// use lattice_presence::{PresenceState, UpdateError};
/// use lattice_presence_sync::{Config, Sync, WriteError};
/// # use core::time::Duration;
///
/// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
/// let error = node.update(Duration::ZERO, "pid-1", "room", "alice", ()).unwrap_err();
/// assert_eq!(error, WriteError::Update(UpdateError::Absent));
/// # Ok::<(), lattice_presence_sync::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The state refused the join.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The state refused the update.
    #[error(transparent)]
    Update(#[from] UpdateError),
    /// This node holds an entry in the slot already, and the call was a strict one.
    #[error("the slot is held, nothing changed")]
    Held,
    /// The node is leaving the cluster.
    #[error("the node is leaving the cluster, nothing changed")]
    Leaving,
    /// A newer incarnation of this node runs (rule R9).
    #[error("`{by}` has taken over, nothing changed")]
    Superseded {
        /// The newer one.
        by: ReplicaId,
    },
}

impl<M> Sync<M> {
    /// Enters `key` into `topic`, held by `pid`, with `meta`, in place of what this node
    /// holds in that slot ([`PresenceState::join`](lattice_presence::PresenceState::join)).
    /// The entry comes back. It is in the next [`To::All`](crate::To) transmit.
    ///
    /// # Errors
    ///
    /// Those of the state, and where the node is leaving or superseded; nothing changed.
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Body, Config, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// let now = Duration::ZERO;
    /// let entry = node.join(now, "pid-1", "room", "alice", "online")?;
    /// let sent = node.poll_transmit(now).unwrap().message.body;
    /// assert!(matches!(sent, Body::Push { delta, .. } if delta.get(entry.dot()).is_some()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join(
        &mut self,
        now: Duration,
        pid: &str,
        topic: &str,
        key: &str,
        meta: M,
    ) -> Result<Presence<M>, WriteError> {
        self.write(now, |state| Ok(state.join(pid, topic, key, meta)?))
    }

    /// [`join`](Self::join), but only where this node holds nothing in the slot yet.
    /// O(entries of the pid).
    ///
    /// # Errors
    ///
    /// [`WriteError::Held`] where it does, and those of [`join`](Self::join); nothing
    /// changed.
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Sync, WriteError};
    /// # use core::time::Duration;
    /// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// node.join_new(Duration::ZERO, "pid-1", "room", "alice", ())?;
    /// let again = node.join_new(Duration::ZERO, "pid-1", "room", "alice", ());
    /// assert_eq!(again.unwrap_err(), WriteError::Held);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn join_new(
        &mut self,
        now: Duration,
        pid: &str,
        topic: &str,
        key: &str,
        meta: M,
    ) -> Result<Presence<M>, WriteError> {
        self.write(now, |state| {
            if held(state, pid, topic, key).is_some() {
                return Err(WriteError::Held);
            }
            Ok(state.join(pid, topic, key, meta)?)
        })
    }

    /// Gives the entry that this node holds in a slot new metadata. The entry comes back.
    ///
    /// # Errors
    ///
    /// Where there is none, and as [`join`](Self::join); nothing changed.
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// node.join(Duration::ZERO, "pid-1", "room", "alice", "online")?;
    /// let entry = node.update(Duration::ZERO, "pid-1", "room", "alice", "away")?;
    /// assert_eq!(entry.meta(), &"away");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn update(
        &mut self,
        now: Duration,
        pid: &str,
        topic: &str,
        key: &str,
        meta: M,
    ) -> Result<Presence<M>, WriteError> {
        self.write(now, |state| Ok(state.update(pid, topic, key, meta)?))
    }

    /// [`update`](Self::update) by a function of the present metadata, in one step.
    /// O(entries of the pid).
    ///
    /// # Errors
    ///
    /// Those of [`update`](Self::update); nothing changed, and `change` was not called.
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// node.join(Duration::ZERO, "pid-1", "room", "alice", 1)?;
    /// let entry = node.update_with(Duration::ZERO, "pid-1", "room", "alice", |n| n + 1)?;
    /// assert_eq!(entry.meta(), &2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn update_with(
        &mut self,
        now: Duration,
        pid: &str,
        topic: &str,
        key: &str,
        change: impl FnOnce(&M) -> M,
    ) -> Result<Presence<M>, WriteError> {
        self.write(now, |state| {
            let held = held(state, pid, topic, key).ok_or(UpdateError::Absent)?;
            let meta = change(held.meta());
            Ok(state.update(pid, topic, key, meta)?)
        })
    }

    /// Takes the entry that this node holds in a slot out; whether there was one. A node
    /// that is leaving keeps its entries as they are: peers hide them all together. One that
    /// is superseded takes them out of its own view, and tells nobody.
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// node.join(Duration::ZERO, "pid-1", "room", "alice", ())?;
    /// assert!(node.leave(Duration::ZERO, "pid-1", "room", "alice"));
    /// assert!(!node.leave(Duration::ZERO, "pid-1", "room", "alice"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn leave(&mut self, now: Duration, pid: &str, topic: &str, key: &str) -> bool {
        self.take_out(now, |state| state.leave(pid, topic, key)) > 0
    }

    /// Takes every entry that this node holds for `pid` out: a connection ended. How many
    /// there were. As [`leave`](Self::leave) otherwise. O(entries of the pid).
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Config, Sync};
    /// # use core::time::Duration;
    /// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// node.join(Duration::ZERO, "pid-1", "room", "alice", ())?;
    /// node.join(Duration::ZERO, "pid-1", "hall", "alice", ())?;
    /// assert_eq!(node.leave_by_pid(Duration::ZERO, "pid-1"), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn leave_by_pid(&mut self, now: Duration, pid: &str) -> usize {
        self.take_out(now, |state| state.leave_by_pid(pid))
    }

    /// Says goodbye (rule R8): peers hide this node a
    /// [`handover`](crate::Config::handover) later, all of it together. From now on
    /// nothing is written, so that the sockets that close meanwhile make nobody depart.
    /// Goodbye is said again with every heartbeat, for as long as the machine runs.
    /// Idempotent.
    ///
    /// ```
    /// # use lattice_presence::PresenceState;
    /// # use lattice_presence_sync::{Body, Config, Sync, WriteError};
    /// # use core::time::Duration;
    /// let mut node = Sync::new(PresenceState::new("a"), Config::new("chat"), 1)?;
    /// node.leave_cluster(Duration::ZERO);
    /// let sent = node.poll_transmit(Duration::ZERO).unwrap().message.body;
    /// assert_eq!(sent, Body::Goodbye);
    /// let refused = node.join(Duration::ZERO, "pid-1", "room", "alice", ());
    /// assert_eq!(refused.unwrap_err(), WriteError::Leaving);
    /// # Ok::<(), lattice_presence_sync::ConfigError>(())
    /// ```
    pub fn leave_cluster(&mut self, now: Duration) {
        self.tick(now);
        if self.is_running() {
            self.phase = Phase::Leaving;
            self.say_goodbye();
        }
    }

    /// Joins an entry, as `change` does it, if this node still writes.
    fn write(
        &mut self,
        now: Duration,
        change: impl FnOnce(&mut PresenceState<M>) -> Result<Diff<M>, WriteError>,
    ) -> Result<Presence<M>, WriteError> {
        self.tick(now);
        match &self.phase {
            Phase::Running => {}
            Phase::Leaving => return Err(WriteError::Leaving),
            Phase::Superseded { by } => return Err(WriteError::Superseded { by: by.clone() }),
        }
        let diff = change(&mut self.state)?;
        let entry = diff.joins().next().cloned();
        self.changed(diff, Cause::Local);
        // The local replica is never hidden here, so that its join is in the diff.
        Ok(entry.expect("a join that succeeds joins one entry"))
    }

    /// Takes entries out, as `change` does it, unless this node is leaving. How many.
    fn take_out(
        &mut self,
        now: Duration,
        change: impl FnOnce(&mut PresenceState<M>) -> Diff<M>,
    ) -> usize {
        self.tick(now);
        if self.phase == Phase::Leaving {
            return 0;
        }
        let diff = change(&mut self.state);
        let left = diff.len();
        self.changed(diff, Cause::Local);
        left
    }
}

/// What this node itself holds in a slot.
fn held<'s, M>(
    state: &'s PresenceState<M>,
    pid: &str,
    topic: &str,
    key: &str,
) -> Option<&'s Presence<M>> {
    let own = state.replica();
    state
        .get_by_pid(pid)
        .find(|entry| entry.topic() == topic && entry.key() == key && entry.dot().replica == *own)
}

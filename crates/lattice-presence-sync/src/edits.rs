//! The writes of this node.

use core::time::Duration;

use lattice_presence::{Diff, JoinError, Presence, PresenceState, ReplicaId, UpdateError};
use thiserror::Error;

use crate::event::Cause;
use crate::machine::{Phase, Sync};

/// Why nothing was written. Nothing has changed.
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
    /// This node holds an entry in the slot already, and the call must make a new one.
    #[error("the slot is held, nothing changed")]
    Held,
    /// The node is leaving the cluster.
    #[error("the node is leaving the cluster, nothing changed")]
    Leaving,
    /// A newer incarnation of this node runs (rule R9).
    #[error("`{by}` has taken over, nothing changed")]
    Superseded {
        /// The newer incarnation.
        by: ReplicaId,
    },
}

impl<M> Sync<M> {
    /// Lists `pid` in `topic` under `key`, with `meta`, and returns the entry. It
    /// replaces what this node holds in this slot
    /// ([`PresenceState::join`](lattice_presence::PresenceState::join)). The next
    /// [`To::All`](crate::To) transmit contains the entry.
    ///
    /// # Errors
    ///
    /// The errors of the state, and an error if the node is leaving or superseded. Then
    /// nothing has changed.
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

    /// Like [`join`](Self::join), but only if this node holds nothing in the slot yet.
    /// O(entries of the pid).
    ///
    /// # Errors
    ///
    /// [`WriteError::Held`] if it does, and the errors of [`join`](Self::join). Then
    /// nothing has changed.
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

    /// Gives the entry that this node holds in a slot new metadata, and returns the
    /// entry.
    ///
    /// # Errors
    ///
    /// If there is no entry, and the errors of [`join`](Self::join). Then nothing has
    /// changed.
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

    /// Like [`update`](Self::update), by a function of the present metadata, in one step.
    /// O(entries of the pid).
    ///
    /// # Errors
    ///
    /// The errors of [`update`](Self::update). Then nothing has changed, and `change` was
    /// not called.
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

    /// Removes the entry that this node holds in a slot. It returns whether there was
    /// one. If the node is leaving, it keeps its entries, because peers hide them all
    /// together. If the node is superseded, it removes the entry only from its own view,
    /// and tells nobody.
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

    /// Removes every entry that this node holds for `pid`, because a connection ended. It
    /// returns their number. Otherwise it is like [`leave`](Self::leave). O(entries of
    /// the pid).
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

    /// Says goodbye (rule R8). After a [`handover`](crate::Config::handover) peers hide
    /// all entries of this node together. From now on nothing is written. So if sockets
    /// close in this time, no user departs. The goodbye is sent again with every
    /// heartbeat, as long as the machine runs. Idempotent.
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

    /// If this node still writes, joins an entry by `change`.
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
        // The local replica is never hidden here, so its join is in the diff.
        Ok(entry.expect("a join that succeeds joins one entry"))
    }

    /// If this node is not leaving, removes entries by `change`. It returns their number.
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

/// The entry that this node itself holds in a slot.
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

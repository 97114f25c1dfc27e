//! What the local replica writes (rules S2 and S3).

use super::PresenceState;
use crate::index::{Detached, HeldEntries, PidHash};
use crate::presence::{MAX_TEXT_BYTES, Slot};
use crate::{Diff, Field, JoinError, Presence, UpdateError};

/// Whether every peer would read an entry of these texts.
fn check_texts(pid: &str, topic: &str, key: &str) -> Result<(), JoinError> {
    let texts = [(Field::Pid, pid), (Field::Topic, topic), (Field::Key, key)];
    match texts.iter().find(|(_, text)| text.len() > MAX_TEXT_BYTES) {
        None => Ok(()),
        Some(&(field, text)) => Err(JoinError::TooLong {
            field,
            len: text.len(),
        }),
    }
}

impl<M> PresenceState<M> {
    /// Enters `key` into `topic`, held by `pid`, with `meta`.
    ///
    /// The entry gets the next own dot. An entry that the local replica holds in
    /// the same slot (pid, topic, key) is replaced in the same step: the diff
    /// then lists one leave and one join. Empty texts are texts like any other. O(1),
    /// however many entries share the topic, the key or the pid.
    ///
    /// # Errors
    ///
    /// [`JoinError::TooLong`] if a text has more than [`MAX_TEXT_BYTES`],
    /// [`JoinError::ClockExhausted`] if the replica has no dot left; nothing
    /// changed.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// let diff = state.join("pid-1", "room", "alice", "online")?;
    /// assert_eq!((diff.joins().count(), diff.leaves().count()), (1, 0));
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn join(
        &mut self,
        pid: &str,
        topic: &str,
        key: &str,
        meta: M,
    ) -> Result<Diff<M>, JoinError> {
        check_texts(pid, topic, key)?;
        let slot = Slot::new(topic, key, pid);
        let mut hash = self.index.hash(slot.pid);
        let before = self.index.held_in(slot, &mut hash, &self.replica);
        self.replace(before, (topic, key, pid), hash, meta)
    }

    /// Gives the entry of a slot new metadata: [`join`](Self::join), but only
    /// if there is one.
    ///
    /// # Errors
    ///
    /// [`UpdateError::TooLong`] if a text has more than [`MAX_TEXT_BYTES`],
    /// [`UpdateError::Absent`] if the local replica holds no entry in the
    /// slot, [`UpdateError::ClockExhausted`] if it has no dot left; nothing
    /// changed.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("pid-1", "room", "alice", "online")?;
    /// let diff = state.update("pid-1", "room", "alice", "away").unwrap();
    /// assert_eq!(diff.updates().len(), 1);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn update(
        &mut self,
        pid: &str,
        topic: &str,
        key: &str,
        meta: M,
    ) -> Result<Diff<M>, UpdateError> {
        check_texts(pid, topic, key)?;
        let slot = Slot::new(topic, key, pid);
        let mut hash = self.index.hash(slot.pid);
        let before = self.index.held_in(slot, &mut hash, &self.replica);
        if before.is_empty() {
            return Err(UpdateError::Absent);
        }
        Ok(self.replace(before, (topic, key, pid), hash, meta)?)
    }

    fn replace(
        &mut self,
        before: HeldEntries<M>,
        (topic, key, pid): (&str, &str, &str),
        hash: PidHash,
        meta: M,
    ) -> Result<Diff<M>, JoinError> {
        let dot = self.context().next_dot(&self.replica)?;
        let topic = match before.first() {
            Some(entry) => entry.shared_topic().clone(),
            None => {
                let shared = self.index.shared_name(topic);
                shared.unwrap_or_else(|| topic.into())
            }
        };
        let mut diff = Diff::new();
        for entry in before {
            self.drop_own(entry, hash, &mut diff);
        }
        let entry = Presence::new(dot, topic, key, pid, meta);
        self.add_own(entry, hash, &mut diff);
        Ok(diff)
    }

    /// Takes the local entry of a slot out. Entries of other replicas in the
    /// same slot stay. Costs what [`join`](Self::join) does, and a search.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("pid-1", "room", "alice", ())?;
    /// assert_eq!(state.leave("pid-1", "room", "alice").leaves().count(), 1);
    /// assert!(state.leave("pid-1", "room", "alice").is_empty());
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn leave(&mut self, pid: &str, topic: &str, key: &str) -> Diff<M> {
        let slot = Slot::new(topic, key, pid);
        let mut hash = self.index.hash(slot.pid);
        // The memory of the topic arrives before that of the entry, so its name is asked.
        let is_it = |entry: &Presence<M>, name: &str| {
            name == topic
                && entry.key_and_pid() == (slot.key, slot.pid)
                && *entry.owner() == self.replica
        };
        if let Some(detached) = self.index.detach(hash, is_it) {
            return self.drop_detached(detached);
        }
        let mut diff = Diff::new();
        for entry in self.index.held_in(slot, &mut hash, &self.replica) {
            self.drop_own(entry, hash, &mut diff);
        }
        diff
    }

    /// Takes every local entry of `pid` out: what to call when a connection
    /// ends. O(entries of the pid).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("pid-1", "room:1", "alice", ())?;
    /// state.join("pid-1", "room:2", "alice", ())?;
    /// assert_eq!(state.leave_by_pid("pid-1").leaves().count(), 2);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn leave_by_pid(&mut self, pid: &str) -> Diff<M> {
        let hash = self.index.hash(pid.as_bytes());
        let is_it = |entry: &Presence<M>, _: &str| {
            entry.slot().pid == pid.as_bytes() && *entry.owner() == self.replica
        };
        if let Some(detached) = self.index.detach(hash, is_it) {
            return self.drop_detached(detached);
        }
        let held = self.index.held_by(pid, hash, &self.replica);
        let mut diff = Diff::with_capacity(held.len());
        for entry in held {
            self.drop_own(entry, hash, &mut diff);
        }
        diff
    }

    /// Adds an entry under a dot that was just minted.
    pub(super) fn add_own(&mut self, entry: Presence<M>, pid: PidHash, diff: &mut Diff<M>) {
        self.pending.insert(entry.dot().clock);
        self.causal.insert(entry.dot(), entry.clone());
        let edge = self.index.insert_own(&entry, pid, &self.down);
        if !self.hides_self() {
            diff.push_join(entry, edge);
        }
    }

    pub(super) fn drop_own(&mut self, entry: Presence<M>, pid: PidHash, diff: &mut Diff<M>) {
        self.pending.insert(entry.dot().clock);
        self.causal.remove(entry.dot());
        let edge = self.index.remove(&entry, pid);
        if !self.hides_self() {
            diff.push_leave(entry, edge);
        }
    }

    /// [`drop_own`](Self::drop_own), of which the index has done the first half.
    #[inline]
    fn drop_detached(&mut self, detached: Detached<M>) -> Diff<M> {
        self.causal.remove(detached.entry.dot());
        self.pending.insert(detached.entry.dot().clock);
        let edge = self.index.finish(&detached);
        let mut diff = Diff::new();
        if !self.hides_self() {
            diff.push_leave(detached.entry, edge);
        }
        diff
    }

    /// Gives an own entry a fresh dot (rule S5). If there is none left, the
    /// entry keeps the one that it has.
    pub(super) fn reissue(&mut self, entry: Presence<M>, diff: &mut Diff<M>) {
        let Ok(dot) = self.context().next_dot(&self.replica) else {
            return;
        };
        let again = entry.under(dot);
        let pid = self.index.pid_hash(&entry);
        self.drop_own(entry, pid, diff);
        self.add_own(again, pid, diff);
    }
}

//! The view of one node.

mod changes;
mod defend;
mod forget;
mod intern;
mod lifecycle;
mod local;
mod merge;
mod owned;
mod reincarnate;
mod repair;
mod replicas;
mod seed;
mod sync;

pub use defend::MAX_REISSUED;
pub use repair::PresenceAnswer;
pub use replicas::{ReplicaStatus, Standing};

use alloc::vec::Vec;
use core::fmt;

use lattice_causal::{Causal, CausalContext, ClockSet};

use crate::delta::Entries;
use crate::down::Down;
use crate::filter::Filter;
use crate::index::{Hashing, Index};
use crate::pending::Pending;
use crate::presence::Slot;
use crate::{Presence, ReplicaId};

/// Who is online, where, with what metadata, as one node of a cluster sees it.
///
/// The node writes its own entries ([`join`](Self::join),
/// [`leave`](Self::leave)), merges what others send ([`merge_delta`](Self::merge_delta),
/// [`merge`](Self::merge)) and decides by itself whom it considers down
/// ([`replica_down`](Self::replica_down)). It never reads a clock and never talks
/// to anybody: the caller moves the messages.
///
/// Cloning copies pointers to the entries, and the indexes.
///
/// # Invariants
///
/// - The context covers every entry; the index holds exactly the entries.
/// - Entries of an older incarnation of the local base are in neither.
/// - The filter of refused dots and the context are disjoint.
/// - If the context has dots of an older incarnation of the local base, it has own dots.
///
/// ```
/// use lattice_presence::PresenceState;
///
/// let mut a = PresenceState::new("node-a");
/// let mut b = PresenceState::new("node-b");
/// a.join("pid-1", "room", "alice", "online")?;
/// b.join("pid-2", "room", "bob", "away")?;
///
/// let diff = b.merge_with_diff(&a).expect("two replicas of different names");
/// assert_eq!(diff.joins().map(|entry| entry.key()).collect::<Vec<_>>(), ["alice"]);
/// let who: Vec<_> = b.get_by_topic("room").map(|entry| entry.key()).collect();
/// assert_eq!(who, ["alice", "bob"]);
/// # Ok::<(), lattice_presence::JoinError>(())
/// ```
pub struct PresenceState<M> {
    replica: ReplicaId,
    causal: Causal<Entries<M>>,
    index: Index<M>,
    /// Local: neither serialized nor merged (rule S8).
    down: Down,
    /// Dots of pruned replicas that stale gossip must not bring back. Local
    /// (rule S9).
    filter: Filter,
    /// Own dots that were minted or left since the last take (rule S13).
    pending: Pending,
    /// Former lives whose end the next take tells of (rule S7).
    ended: CausalContext<ReplicaId>,
    /// Own dots that others have claimed, and whose entries are still to be re-issued
    /// (rule S5).
    claimed: ClockSet,
    /// The newest incarnation of the local base that was ever heard of, if it is
    /// newer than the local one (rule S7). It outlives what is known of it.
    successor: Option<ReplicaId>,
    /// The newest newer incarnation that the transport has vouched for (rule S14).
    confirmed: Option<ReplicaId>,
}

impl<M> PresenceState<M> {
    /// The state of a node that knows nothing yet. `replica` is unique to this
    /// incarnation of the process (rule S1): see [`ReplicaId`].
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// // A fixed name is for a process that never restarts; otherwise an incarnation:
    /// // `PresenceState::new(ReplicaId::new_incarnation("node-a"))`.
    /// let mut state = PresenceState::new("node-a");
    /// state.join("pid-1", "room", "alice", "online")?;
    /// assert_eq!(state.online_list().next().unwrap().dot().to_string(), "node-a:1");
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn new(replica: impl Into<ReplicaId>) -> Self {
        let replica = replica.into();
        Self {
            down: Down::new(replica.clone()),
            replica,
            causal: Causal::new(),
            index: Index::new(Hashing::default()),
            filter: Filter::default(),
            pending: Pending::default(),
            ended: CausalContext::new(),
            claimed: ClockSet::new(),
            successor: None,
            confirmed: None,
        }
    }

    /// The local replica.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// assert_eq!(PresenceState::<()>::new("node-a").replica().as_str(), "node-a");
    /// ```
    #[must_use]
    pub fn replica(&self) -> &ReplicaId {
        &self.replica
    }

    /// Every dot that this state has seen.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    /// assert_eq!(state.context().prefix(&"a".into()), 1);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn context(&self) -> &CausalContext<ReplicaId> {
        self.causal.context()
    }

    /// How many entries are visible. O(1).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    /// assert_eq!(state.len(), 1);
    /// let _ = state.replica_down(&"a".into());
    /// assert_eq!(state.len(), 0);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len() - self.index.hidden_len()
    }

    /// Whether no entry is visible.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    /// assert!(!state.is_empty());
    /// let _ = state.replica_down(&"a".into());
    /// assert!(state.is_empty()); // hidden, and still there
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every visible entry, in dot order: by replica id, then by clock.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    /// assert_eq!(state.online_list().next().unwrap().pid(), "p");
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn online_list(&self) -> impl Iterator<Item = &Presence<M>> + Clone {
        let store = self.causal.store();
        store
            .replicas()
            .filter(|(replica, _)| !self.conceals(replica))
            .flat_map(|(replica, _)| store.of(replica))
            .map(|(_, entry)| entry)
    }

    /// Every entry that is replicated, those of replicas marked down included,
    /// in dot order.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "t", "k", ())?;
    /// let _ = state.replica_down(&"a".into());
    /// assert_eq!((state.entries().count(), state.online_list().count()), (1, 0));
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &Presence<M>> + Clone {
        self.causal.store().iter().map(|(_, _, entry)| entry)
    }

    /// The visible entries of `topic`, in dot order.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "room", "alice", ())?;
    /// assert_eq!(state.get_by_topic("room").count(), 1);
    /// assert_eq!(state.get_by_topic("hall").count(), 0);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn get_by_topic(
        &self,
        topic: &str,
    ) -> impl Iterator<Item = &Presence<M>> + Clone + use<'_, M> {
        self.index.by_topic(topic)
    }

    /// The visible entries of `topic` by key, ascending, those of one key in dot order:
    /// who is there, and on which connections. O(n log n) for n of them.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("phone", "room", "bob", ())?;
    /// state.join("laptop", "room", "alice", ())?;
    /// state.join("tablet", "room", "bob", ())?;
    /// let who: Vec<_> = state
    ///     .group_by_key("room")
    ///     .into_iter()
    ///     .map(|(key, entries)| (key, entries.len()))
    ///     .collect();
    /// assert_eq!(who, [("alice", 1), ("bob", 2)]);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn group_by_key(&self, topic: &str) -> Vec<(&str, Vec<&Presence<M>>)> {
        let mut entries: Vec<&Presence<M>> = self.get_by_topic(topic).collect();
        // Stable, so each key keeps the dot order.
        entries.sort_by_key(|entry| entry.key());
        let groups = entries.chunk_by(|a, b| a.key() == b.key());
        groups
            .map(|group| (group[0].key(), group.to_vec()))
            .collect()
    }

    /// The visible entries of `key` in `topic`, one for each of its connections,
    /// in dot order.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("laptop", "room", "alice", ())?;
    /// state.join("phone", "room", "alice", ())?;
    /// let pids: Vec<_> = state.get_by_key("room", "alice").map(|entry| entry.pid()).collect();
    /// assert_eq!(pids, ["laptop", "phone"]);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn get_by_key(
        &self,
        topic: &str,
        key: &str,
    ) -> impl Iterator<Item = &Presence<M>> + Clone + use<'_, M> {
        self.index.by_key(topic, key)
    }

    /// The visible entries that `pid` holds, in dot order.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "room:1", "alice", ())?;
    /// state.join("p", "room:2", "alice", ())?;
    /// assert_eq!(state.get_by_pid("p").count(), 2);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn get_by_pid(&self, pid: &str) -> impl Iterator<Item = &Presence<M>> + Clone + use<'_, M> {
        self.index.by_pid(pid)
    }

    /// The topics that have visible entries, ascending.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "room:2", "alice", ())?;
    /// state.join("p", "room:1", "alice", ())?;
    /// assert_eq!(state.topics().collect::<Vec<_>>(), ["room:1", "room:2"]);
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    pub fn topics(&self) -> impl Iterator<Item = &str> + Clone {
        self.index.topics()
    }

    /// How many visible entries `topic` has. O(1).
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "room", "alice", ())?;
    /// assert_eq!((state.topic_len("room"), state.topic_len("hall")), (1, 0));
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn topic_len(&self, topic: &str) -> usize {
        self.index.topic_len(topic)
    }

    /// Whether a visible entry, of whatever replica, is in the slot. O(1), however
    /// many entries share its key or its pid.
    ///
    /// ```
    /// use lattice_presence::PresenceState;
    ///
    /// let mut state = PresenceState::new("a");
    /// state.join("p", "room", "alice", ())?;
    /// assert!(state.contains("p", "room", "alice"));
    /// assert!(!state.contains("p", "room", "bob"));
    /// # Ok::<(), lattice_presence::JoinError>(())
    /// ```
    #[must_use]
    pub fn contains(&self, pid: &str, topic: &str, key: &str) -> bool {
        self.index.contains(Slot::new(topic, key, pid))
    }

    /// Whether claims on former lives stand beside the name of the claimant (rule S7).
    fn names_claimant(&self) -> bool {
        self.context().get(&self.replica).is_some()
            || !self
                .context()
                .replicas()
                .any(|other| self.replica.is_newer_than(other))
    }

    const fn hides_self(&self) -> bool {
        self.down.hides_local()
    }

    /// Whether entries of `replica` that are here are hidden.
    fn conceals(&self, replica: &ReplicaId) -> bool {
        self.index.hidden_len() > 0 && self.down.hides(replica)
    }

    #[cfg(test)]
    pub(crate) fn places(&self) -> usize {
        self.index.places()
    }

    fn check_invariants(&self) -> bool {
        // A server in a debug build must not pay for all entries at each message.
        if self.index.len() > 256 {
            return true;
        }
        let stale = |entry: &Presence<M>| self.replica.is_newer_than(entry.owner());
        self.index.len() == self.causal.store().len()
            && self
                .entries()
                .all(|entry| self.index.holds(entry) && !stale(entry))
            && (self.index.len() > 48 || self.index.check_invariants())
            && self.context().intersection(self.filter.dots()).is_empty()
            && self.names_claimant()
    }
}

impl<M> Clone for PresenceState<M> {
    fn clone(&self) -> Self {
        Self {
            replica: self.replica.clone(),
            causal: self.causal.clone(),
            index: self.index.clone(),
            down: self.down.clone(),
            filter: self.filter.clone(),
            pending: self.pending.clone(),
            ended: self.ended.clone(),
            claimed: self.claimed.clone(),
            successor: self.successor.clone(),
            confirmed: self.confirmed.clone(),
        }
    }
}

impl<M: fmt::Debug> fmt::Debug for PresenceState<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresenceState")
            .field("replica", &self.replica)
            .field("context", self.context())
            .field("entries", self.causal.store())
            .field("down", &self.down)
            .field("refused", self.filter.dots())
            .finish_non_exhaustive()
    }
}

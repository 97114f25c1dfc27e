//! One entry: who is where, on which connection, with what metadata.

use alloc::sync::Arc;
use core::fmt;

use lattice_causal::{Dot, Identify, identity_of};

use crate::ReplicaId;
use crate::text::Text;

/// One presence: a `key` (a user) in a `topic` (a room), held by a `pid` (a
/// connection), with metadata, under the dot that its owner minted.
///
/// Shared and immutable: cloning copies a pointer, and the view, the indexes,
/// diffs and deltas all point to one allocation.
///
/// ```
/// use lattice_presence::{Dot, Presence, ReplicaId};
///
/// let dot = Dot::new(ReplicaId::new("node-a"), 1);
/// let entry = Presence::new(dot, "room:lobby", "alice", "pid-1", "away");
/// assert_eq!((entry.topic(), entry.key(), entry.pid()), ("room:lobby", "alice", "pid-1"));
/// assert_eq!(entry.meta(), &"away");
/// assert_eq!(entry.dot().to_string(), "node-a:1");
/// ```
pub struct Presence<M>(Arc<Inner<M>>);

/// How many bytes a topic, a key or a pid may have: what every peer reads (rule S2).
///
/// ```
/// use lattice_presence::{Field, JoinError, MAX_TEXT_BYTES, PresenceState};
///
/// let mut state = PresenceState::new("a");
/// let long = "k".repeat(MAX_TEXT_BYTES + 1);
/// let error = state.join("pid-1", "room", &long, ()).unwrap_err();
/// assert_eq!(error, JoinError::TooLong { field: Field::Key, len: 65_537 });
/// assert!(state.is_empty());
/// ```
pub const MAX_TEXT_BYTES: usize = 64 << 10;

/// In the order in which look-ups touch it: the metadata, which only readers want, may
/// lie in a cache line of its own.
#[repr(C)]
struct Inner<M> {
    /// The key and the pid.
    text: Text,
    topic: Arc<str>,
    dot: Dot<ReplicaId>,
    /// What of it enters fingerprints: asked at each insertion and removal.
    identity: u64,
    meta: Meta<M>,
}

/// What makes two entries "the same presence". In bytes: comparing and hashing
/// need no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot<'a> {
    pub(crate) topic: &'a [u8],
    pub(crate) key: &'a [u8],
    pub(crate) pid: &'a [u8],
}

impl<'a> Slot<'a> {
    pub(crate) fn new(topic: &'a str, key: &'a str, pid: &'a str) -> Self {
        Self {
            topic: topic.as_bytes(),
            key: key.as_bytes(),
            pid: pid.as_bytes(),
        }
    }

    /// Whether both are of one key.
    pub(crate) fn same_key(&self, other: &Self) -> bool {
        self.key == other.key && self.topic == other.topic
    }
}

/// An entry that was re-issued under a fresh dot refers to the one that it
/// replaces: so no metadata has to be `Clone`.
enum Meta<M> {
    Own(M),
    /// Never an entry that itself refers to another.
    Of(Presence<M>),
}

impl<M> Presence<M> {
    /// An entry under a dot, for codecs. A state mints its own in
    /// [`join`](crate::PresenceState::join).
    ///
    /// The order is that of the wire and of [`topic`](Self::topic), [`key`](Self::key) and
    /// [`pid`](Self::pid); calls of a state, which come from a connection, begin with the pid.
    /// Whoever builds many hands over clones of one topic, so that they share it.
    ///
    /// ```
    /// use lattice_presence::{Dot, Presence};
    ///
    /// let entry = Presence::new(Dot::new("a".into(), 1), "t", "k", "p", ());
    /// assert_eq!(entry.dot().clock, 1);
    /// ```
    #[must_use]
    pub fn new(
        dot: Dot<ReplicaId>,
        topic: impl Into<Arc<str>>,
        key: &str,
        pid: &str,
        meta: M,
    ) -> Self {
        let topic = topic.into();
        Self(Arc::new(Inner {
            dot,
            identity: identity_of([&*topic, key, pid]),
            topic,
            text: Text::join(key, pid),
            meta: Meta::Own(meta),
        }))
    }

    /// The topic.
    ///
    /// ```
    /// use lattice_presence::{Dot, Presence};
    ///
    /// let entry = Presence::new(Dot::new("a".into(), 1), "t", "k", "p", ());
    /// assert_eq!(entry.topic(), "t");
    /// ```
    #[must_use]
    pub fn topic(&self) -> &str {
        &self.0.topic
    }

    /// The topic as it is shared between entries.
    ///
    /// ```
    /// use lattice_presence::{Dot, Presence};
    ///
    /// let one = Presence::new(Dot::new("a".into(), 1), "t", "k", "p", ());
    /// let two = Presence::new(Dot::new("a".into(), 2), one.shared_topic().clone(), "k", "q", ());
    /// assert!(std::sync::Arc::ptr_eq(one.shared_topic(), two.shared_topic()));
    /// ```
    #[must_use]
    pub fn shared_topic(&self) -> &Arc<str> {
        &self.0.topic
    }

    /// The key: what is present, a user for example.
    ///
    /// ```
    /// use lattice_presence::{Dot, Presence};
    ///
    /// let entry = Presence::new(Dot::new("a".into(), 1), "t", "k", "p", ());
    /// assert_eq!(entry.key(), "k");
    /// ```
    #[must_use]
    pub fn key(&self) -> &str {
        self.0.text.first()
    }

    /// The pid: what holds the presence, a connection for example.
    ///
    /// ```
    /// use lattice_presence::{Dot, Presence};
    ///
    /// let entry = Presence::new(Dot::new("a".into(), 1), "t", "k", "p", ());
    /// assert_eq!(entry.pid(), "p");
    /// ```
    #[must_use]
    pub fn pid(&self) -> &str {
        self.0.text.second()
    }

    /// The metadata.
    ///
    /// ```
    /// use lattice_presence::{Dot, Presence};
    ///
    /// let entry = Presence::new(Dot::new("a".into(), 1), "t", "k", "p", 42);
    /// assert_eq!(*entry.meta(), 42);
    /// ```
    #[must_use]
    pub fn meta(&self) -> &M {
        match &self.0.meta {
            Meta::Own(meta) => meta,
            Meta::Of(entry) => entry.meta(),
        }
    }

    /// The dot under which the owner joined it: unique in the cluster.
    ///
    /// ```
    /// use lattice_presence::{Dot, Presence};
    ///
    /// let entry = Presence::new(Dot::new("a".into(), 1), "t", "k", "p", ());
    /// assert_eq!(entry.dot(), &Dot::new("a".into(), 1));
    /// ```
    #[must_use]
    pub fn dot(&self) -> &Dot<ReplicaId> {
        &self.0.dot
    }

    /// The same entry under another dot.
    pub(crate) fn under(&self, dot: Dot<ReplicaId>) -> Self {
        let origin = match &self.0.meta {
            Meta::Own(_) => self,
            Meta::Of(origin) => origin,
        };
        Self(Arc::new(Inner {
            dot,
            topic: self.0.topic.clone(),
            text: self.0.text.clone(),
            identity: self.0.identity,
            meta: Meta::Of(origin.clone()),
        }))
    }

    /// The replica that owns it: that of its dot.
    pub(crate) fn owner(&self) -> &ReplicaId {
        &self.0.dot.replica
    }

    pub(crate) fn key_and_pid(&self) -> (&[u8], &[u8]) {
        self.0.text.bytes()
    }

    pub(crate) fn slot(&self) -> Slot<'_> {
        let (key, pid) = self.key_and_pid();
        let topic = self.0.topic.as_bytes();
        Slot { topic, key, pid }
    }

    pub(crate) fn same_slot(&self, other: &Self) -> bool {
        self.is(other) || self.slot() == other.slot()
    }

    /// Takes a topic and an owner that are shared with others, unless somebody else
    /// holds the entry.
    pub(crate) fn share(&mut self, topic: &Arc<str>, owner: &ReplicaId) {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            debug_assert!(inner.topic == *topic && inner.dot.replica == *owner);
            inner.topic = topic.clone();
            inner.dot.replica = owner.clone();
        }
    }

    /// How many point to this allocation.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Where it lies in memory: the same as long as somebody holds it.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Whether both point to one allocation.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<M> Clone for Presence<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Equal if dot, slot and metadata are.
impl<M: PartialEq> PartialEq for Presence<M> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || (self.dot() == other.dot()
                && self.slot() == other.slot()
                && self.meta() == other.meta())
    }
}

impl<M: Eq> Eq for Presence<M> {}

impl<M: fmt::Debug> fmt::Debug for Presence<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presence")
            .field("dot", &format_args!("{}", self.dot()))
            .field("topic", &self.topic())
            .field("key", &self.key())
            .field("pid", &self.pid())
            .field("meta", self.meta())
            .finish()
    }
}

/// The slot identifies an entry in fingerprints; metadata does not, since relays
/// may write it in other words (rule S6).
#[derive(Debug)]
pub(crate) struct BySlot;

impl<M> Identify<Presence<M>> for BySlot {
    fn identity(entry: &Presence<M>) -> u64 {
        entry.0.identity
    }
}

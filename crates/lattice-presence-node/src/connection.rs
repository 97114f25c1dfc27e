//! One connection of a user. Its entries live as long as the connection.

use alloc::format;
use alloc::sync::Arc;
use core::fmt;

use lattice_presence::Presence;

use crate::shared::Shared;
use crate::{Meta, Node, TrackError};

/// A connection of a user to this node: a socket, a tab, or a device. Every node sees what
/// it tracks. If it is dropped, all its entries leave.
///
/// No call waits. Each call changes the view of this node at once. The other nodes learn of
/// it as soon as the engine accepts the message.
///
/// ```
/// use lattice_presence_node::Node;
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let node = Node::<String>::builder("berlin-1").start().await?;
/// let connection = node.connect();
/// connection.track("room:lobby", "alice", &"online".into())?;
/// connection.update("room:lobby", "alice", &"away".into())?;
/// assert_eq!(node.topic("room:lobby").members()[0].meta(), "away");
///
/// drop(connection);
/// assert!(node.topic("room:lobby").is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Connection<M: Meta> {
    node: Node<M>,
    pid: Arc<str>,
}

impl<M: Meta> Connection<M> {
    pub(crate) fn new(node: Node<M>, pid: Arc<str>) -> Self {
        Self { node, pid }
    }

    /// A pid that no other connection of any node has.
    pub(crate) fn new_pid(shared: &Shared<M>) -> Arc<str> {
        // The incarnation makes it unique among nodes, and the number makes it unique on
        // this node.
        let id = shared.id.as_str();
        let life = id.strip_suffix(shared.id.base()).unwrap_or(id);
        let life = life.trim_end_matches(':').rsplit(':').next().unwrap_or(id);
        format!("{life}.{}", shared.next_pid()).into()
    }

    /// The name of this connection among those of all nodes. See [`Node::connect_as`].
    #[must_use]
    pub const fn pid(&self) -> &Arc<str> {
        &self.pid
    }

    /// The node of this connection. See [`Connection`] for an example.
    #[must_use]
    pub const fn node(&self) -> &Node<M> {
        &self.node
    }

    /// Lists this connection in `topic` under `key`, and returns the entry. If it is listed
    /// there already, the entry is replaced. O(size of the entry).
    ///
    /// # Errors
    ///
    /// If peers would refuse the entry, or if the node is leaving or superseded. Then
    /// nothing has changed. See [`TrackError`] and [`Connection`] for examples.
    pub fn track(&self, topic: &str, key: &str, meta: &M) -> Result<Presence<M>, TrackError> {
        self.check(topic, key, meta)?;
        let write = self.node.shared.edit(|sync, now| {
            let meta = meta.clone();
            sync.join(now, &self.pid, topic, key, meta)
        });
        Ok(write?)
    }

    /// Like [`track`](Self::track), but only if this connection is not listed under this
    /// key yet.
    ///
    /// # Errors
    ///
    /// [`TrackError::Held`] if it is listed already, and the errors of
    /// [`track`](Self::track). Then nothing has changed.
    ///
    /// ```
    /// # use lattice_presence_node::{Node, TrackError};
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<u32>::builder("berlin-1").start().await?;
    /// let connection = node.connect();
    /// connection.track_new("room", "alice", &1)?;
    /// assert!(matches!(connection.track_new("room", "alice", &2), Err(TrackError::Held)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn track_new(&self, topic: &str, key: &str, meta: &M) -> Result<Presence<M>, TrackError> {
        self.check(topic, key, meta)?;
        let write = self.node.shared.edit(|sync, now| {
            let meta = meta.clone();
            sync.join_new(now, &self.pid, topic, key, meta)
        });
        Ok(write?)
    }

    /// Gives the entry of this connection new metadata, and returns the entry.
    ///
    /// # Errors
    ///
    /// [`TrackError::Absent`] if there is no entry, and the errors of
    /// [`track`](Self::track). Then nothing has changed. See [`Connection`] for an example.
    pub fn update(&self, topic: &str, key: &str, meta: &M) -> Result<Presence<M>, TrackError> {
        self.check(topic, key, meta)?;
        let write = self.node.shared.edit(|sync, now| {
            let meta = meta.clone();
            sync.update(now, &self.pid, topic, key, meta)
        });
        Ok(write?)
    }

    /// Like [`update`](Self::update), by a function of the present metadata, in one step.
    ///
    /// While `change` runs, no other call can change the view. So keep it short. It must
    /// not call the node.
    ///
    /// # Errors
    ///
    /// The errors of [`update`](Self::update). If the new metadata is too long, the old
    /// metadata stays.
    ///
    /// ```
    /// # use lattice_presence_node::Node;
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<u32>::builder("berlin-1").start().await?;
    /// let connection = node.connect();
    /// connection.track("room", "alice", &1)?;
    /// let entry = connection.update_with("room", "alice", |count| count + 1)?;
    /// assert_eq!(entry.meta(), &2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn update_with(
        &self,
        topic: &str,
        key: &str,
        change: impl FnOnce(&M) -> M,
    ) -> Result<Presence<M>, TrackError> {
        let shared = &self.node.shared;
        let encoder = shared.encoder();
        shared.edit(|sync, now| {
            let held = sync.state().get_by_pid(&self.pid).find(|entry| {
                entry.topic() == topic && entry.key() == key && entry.dot().replica == shared.id
            });
            let meta = change(held.ok_or(TrackError::Absent)?.meta());
            encoder.check(topic, key, &self.pid, &meta)?;
            Ok(sync.update(now, &self.pid, topic, key, meta)?)
        })
    }

    /// Removes the entry under `key` from `topic`. It returns whether there was one. If the
    /// node is leaving the cluster, nothing changes, because peers hide all its entries
    /// together.
    ///
    /// ```
    /// # use lattice_presence_node::Node;
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<u32>::builder("berlin-1").start().await?;
    /// let connection = node.connect();
    /// connection.track("room", "alice", &1)?;
    /// assert!(connection.untrack("room", "alice"));
    /// assert!(!connection.untrack("room", "alice"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn untrack(&self, topic: &str, key: &str) -> bool {
        let shared = &self.node.shared;
        shared.edit(|sync, now| sync.leave(now, &self.pid, topic, key))
    }

    /// Removes all entries of this connection, and returns their number. O(entries of the
    /// connection).
    ///
    /// ```
    /// # use lattice_presence_node::Node;
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<u32>::builder("berlin-1").start().await?;
    /// let connection = node.connect();
    /// connection.track("room", "alice", &1)?;
    /// assert_eq!(connection.untrack_all(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn untrack_all(&self) -> usize {
        let shared = &self.node.shared;
        shared.edit(|sync, now| sync.leave_by_pid(now, &self.pid))
    }

    /// Whether peers can read the entry, and the engine can carry it.
    fn check(&self, topic: &str, key: &str, meta: &M) -> Result<(), TrackError> {
        let encoder = self.node.shared.encoder();
        Ok(encoder.check(topic, key, &self.pid, meta)?)
    }
}

impl<M: Meta> Drop for Connection<M> {
    fn drop(&mut self) {
        self.untrack_all();
    }
}

impl<M: Meta> fmt::Debug for Connection<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("pid", &self.pid)
            .finish_non_exhaustive()
    }
}

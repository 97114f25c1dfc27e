//! A node: the handle that an application holds.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use lattice_presence::ReplicaId;
use tokio::sync::watch;

use crate::messages::Message;
use crate::shared::Shared;
use crate::status::Status;
use crate::{BroadcastError, Builder, Changes, Connection, JsonMeta, Messages, Meta, Topic, wire};

/// A node of a cluster: who is online on any of them, answered from this one's memory.
///
/// Cheap to clone: all clones are the same node. When the last one is dropped, with the
/// last [`Connection`] and [`Topic`], the node says goodbye and stops;
/// [`shutdown`](Self::shutdown) waits for that.
///
/// ```
/// use lattice_presence_node::engine::Memory;
/// use lattice_presence_node::{JsonMeta, Node};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let network = Memory::new(); // or zenoh, Redis, NATS
/// let berlin: Node = Node::builder("berlin-1").engine(network.clone()).start().await?;
/// let tokyo: Node = Node::builder("tokyo-1").engine(network).start().await?;
///
/// let connection = berlin.connect();
/// connection.track("room:lobby", "alice", &JsonMeta::new("online")?)?;
/// while tokyo.topic("room:lobby").is_empty() {
///     tokio::task::yield_now().await;
/// }
/// assert_eq!(tokyo.topic("room:lobby").members()[0].key(), "alice");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct Node<M: Meta = JsonMeta> {
    pub(crate) shared: Arc<Shared<M>>,
    alive: Arc<Alive>,
}

/// Dropped with the last handle: the task stops.
struct Alive {
    stop: watch::Sender<bool>,
    /// Closed when everything has ended.
    done: watch::Receiver<()>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

impl<M: Meta> Node<M> {
    pub(crate) fn new(shared: Arc<Shared<M>>, done: watch::Receiver<()>) -> Self {
        let stop = shared.stop.clone();
        Self {
            shared,
            alive: Arc::new(Alive { stop, done }),
        }
    }

    /// Starts to describe a node of that name. The name stays the same when the process
    /// starts again, and no other process of the cluster has it: the host's, or the pod's.
    ///
    /// ```
    /// # use lattice_presence_node::Node;
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<()>::builder("berlin-1").cluster("chat").start().await?;
    /// assert_eq!(node.id().base(), "berlin-1");
    /// # Ok::<(), lattice_presence_node::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn builder(name: impl Into<Arc<str>>) -> Builder<M> {
        Builder::new(name.into())
    }

    /// This life of the node: its name, and what no other life of it has. See
    /// [`builder`](Self::builder) for an example.
    #[must_use]
    pub fn id(&self) -> &ReplicaId {
        &self.shared.id
    }

    /// The name of the cluster. O(1).
    ///
    /// ```
    /// # use lattice_presence_node::Node;
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<()>::builder("berlin-1").cluster("chat").start().await?;
    /// assert_eq!(node.cluster(), "chat");
    /// # Ok::<(), lattice_presence_node::StartError>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.shared.cluster
    }

    /// A connection of a user, under a pid that no other has. O(1). See [`Connection`].
    #[must_use]
    pub fn connect(&self) -> Connection<M> {
        let pid = Connection::new_pid(&self.shared);
        Connection::new(self.clone(), pid)
    }

    /// A connection under a pid of the application's own. Two of one pid on one node share
    /// what they track, and the first that is dropped takes it out.
    ///
    /// ```
    /// # use lattice_presence_node::Node;
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<()>::builder("berlin-1").start().await?;
    /// assert_eq!(&**node.connect_as("socket-7").pid(), "socket-7");
    /// # Ok::<(), lattice_presence_node::StartError>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn connect_as(&self, pid: impl Into<Arc<str>>) -> Connection<M> {
        Connection::new(self.clone(), pid.into())
    }

    /// A topic, whether anybody is in it or not. O(1). See [`Topic`].
    #[must_use]
    pub fn topic(&self, name: impl Into<Arc<str>>) -> Topic<M> {
        Topic::new(self.clone(), name.into())
    }

    /// The topics in which somebody is seen, sorted. O(topics · log topics).
    ///
    /// ```
    /// # use lattice_presence_node::Node;
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<()>::builder("berlin-1").start().await?;
    /// let connection = node.connect();
    /// connection.track("room", "alice", &())?;
    /// assert_eq!(node.topics(), ["room"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        self.shared.read(|core| {
            core.sync
                .state()
                .topics()
                .map(ToString::to_string)
                .collect()
        })
    }

    /// How many entries are seen, over all topics and nodes. O(1).
    ///
    /// ```
    /// # use lattice_presence_node::Node;
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<()>::builder("berlin-1").start().await?;
    /// assert_eq!(node.len(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.read(|core| core.sync.state().len())
    }

    /// Whether nobody is seen at all. O(1). See [`len`](Self::len).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Follows every topic, changes alone. See [`Changes`].
    #[must_use]
    pub fn changes(&self) -> Changes<M> {
        Changes::new(Arc::clone(&self.shared))
    }

    /// Sends bytes of the application to every node, this one included, where whoever
    /// reads [`messages`](Self::messages) gets them. Returns at once; a message may get
    /// lost, or arrive twice. See [`Message`] for an example.
    ///
    /// # Errors
    ///
    /// Where they are longer than [`max_broadcast`](Self::max_broadcast), and where the
    /// engine does not keep up. Nobody gets them.
    pub fn broadcast(
        &self,
        topic: impl Into<Arc<str>>,
        payload: impl Into<Bytes>,
    ) -> Result<(), BroadcastError> {
        let (topic, payload) = (topic.into(), payload.into());
        let frame = wire::application(&topic, &payload);
        let limit = self.shared.max_payload();
        if frame.len() > limit {
            let length = topic.len() + payload.len();
            let limit = self.max_broadcast();
            return Err(BroadcastError::TooLong { length, limit });
        }
        if self.shared.has_stopped() {
            return Err(BroadcastError::Stopped);
        }
        let sent = self.shared.outgoing.try_send(frame);
        sent.map_err(|error| match error {
            tokio::sync::mpsc::error::TrySendError::Full(_) => BroadcastError::Full,
            tokio::sync::mpsc::error::TrySendError::Closed(_) => BroadcastError::Stopped,
        })?;
        let message = Message::new(self.shared.id.clone(), topic, payload);
        self.shared.hand_out(message);
        Ok(())
    }

    /// How long topic and payload of a [`broadcast`](Self::broadcast) may be together: what
    /// the engine carries, less 5 bytes. See [`BroadcastError`] for an example.
    #[must_use]
    pub fn max_broadcast(&self) -> usize {
        self.shared.max_payload().saturating_sub(5)
    }

    /// What the application's parts on all nodes [broadcast](Self::broadcast) from now on.
    /// See [`Message`] for an example.
    #[must_use]
    pub fn messages(&self) -> Messages {
        Messages::new(self.shared.subscribe_to_messages())
    }

    /// What this node knows of itself, its peers and its engine: for a health endpoint.
    /// O(peers). See [`Status`].
    #[must_use]
    pub fn status(&self) -> Status {
        Status::new(&self.shared)
    }

    /// Says goodbye, and goes on: from now on nothing is written, peers hide what this node
    /// holds after the `handover`, and whoever reconnects elsewhere until then never
    /// departs. The first step of a deployment: then close the sockets, and
    /// [`shutdown`](Self::shutdown).
    ///
    /// ```
    /// # use lattice_presence_node::{Node, TrackError};
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<()>::builder("berlin-1").start().await?;
    /// let connection = node.connect();
    /// node.drain();
    /// assert!(matches!(connection.track("room", "alice", &()), Err(TrackError::Leaving)));
    /// # Ok::<(), lattice_presence_node::StartError>(())
    /// # }).unwrap();
    /// ```
    pub fn drain(&self) {
        self.shared.leave();
    }

    /// [Drains](Self::drain) the node and stops it: subscriptions end, the engine is closed.
    /// Returns when that is done, within some seconds, however many clones there are; at
    /// once where it has stopped already.
    ///
    /// ```
    /// # use lattice_presence_node::Node;
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<()>::builder("berlin-1").start().await?;
    /// let other = node.clone();
    /// node.shutdown().await;
    /// other.shutdown().await;
    /// # Ok::<(), lattice_presence_node::StartError>(())
    /// # }).unwrap();
    /// ```
    pub async fn shutdown(&self) {
        self.alive.stop.send_replace(true);
        let mut done = self.alive.done.clone();
        // The task holds the other end until the very last.
        while done.changed().await.is_ok() {}
    }
}

impl<M: Meta> Clone for Node<M> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            alive: Arc::clone(&self.alive),
        }
    }
}

impl<M: Meta> fmt::Debug for Node<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.shared.id)
            .field("entries", &self.len())
            .finish_non_exhaustive()
    }
}

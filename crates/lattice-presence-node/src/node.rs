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

/// A node of a cluster. It says who is online on any node, from its own memory.
///
/// It is cheap to clone, and all clones are the same node. When the last clone and the last
/// [`Connection`] and [`Topic`] are dropped, the node says goodbye and stops.
/// [`shutdown`](Self::shutdown) also waits for this.
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

/// It is dropped with the last handle. Then the task stops.
struct Alive {
    stop: watch::Sender<bool>,
    /// It is closed when everything has ended.
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

    /// Starts to configure a node with this name. The name must stay the same if the
    /// process starts again, and no other process of the cluster may have it. Use the name
    /// of the host or the pod.
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

    /// This incarnation of the node: its name, and a part that no other incarnation has.
    /// See [`builder`](Self::builder) for an example.
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

    /// Makes a connection of a user, with a pid that no other connection has. O(1). See
    /// [`Connection`].
    #[must_use]
    pub fn connect(&self) -> Connection<M> {
        let pid = Connection::new_pid(&self.shared);
        Connection::new(self.clone(), pid)
    }

    /// Makes a connection with a pid from the application. If two connections on one node
    /// have the same pid, they share their entries. The first one that is dropped removes
    /// them.
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

    /// The topics with visible entries, sorted. O(topics · log topics).
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

    /// The number of visible entries, of all topics and nodes. O(1).
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

    /// Whether there are no visible entries. O(1). See [`len`](Self::len).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Follows the changes of all topics. See [`Changes`].
    #[must_use]
    pub fn changes(&self) -> Changes<M> {
        Changes::new(Arc::clone(&self.shared))
    }

    /// Sends bytes of the application to every node, also to this one. Readers of
    /// [`messages`](Self::messages) get them. It returns at once. A message may be lost, or
    /// arrive twice. See [`Message`] for an example.
    ///
    /// # Errors
    ///
    /// If the bytes are longer than [`max_broadcast`](Self::max_broadcast), or if the
    /// engine is too slow. Then nobody gets them.
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

    /// The most bytes of topic and payload of a [`broadcast`](Self::broadcast) together. It
    /// is the longest payload of the engine, minus 5 bytes. See [`BroadcastError`] for an
    /// example.
    #[must_use]
    pub fn max_broadcast(&self) -> usize {
        self.shared.max_payload().saturating_sub(5)
    }

    /// Everything that the application [broadcasts](Self::broadcast) on all nodes from now
    /// on. See [`Message`] for an example.
    #[must_use]
    pub fn messages(&self) -> Messages {
        Messages::new(self.shared.subscribe_to_messages())
    }

    /// What this node knows of itself, its peers and its engine. Use it for a health
    /// endpoint. O(peers). See [`Status`].
    #[must_use]
    pub fn status(&self) -> Status {
        Status::new(&self.shared)
    }

    /// Says goodbye, but does not stop. From now on the node accepts no writes. After the
    /// `handover`, peers hide the entries of this node. If a user connects to another node
    /// before that, the user never departs. If the sockets are your own, a deployment begins
    /// with this call. After it, close the sockets, and call [`shutdown`](Self::shutdown).
    /// `Web::serve` of `lattice-presence-web` closes its sockets itself, before it stops the
    /// node.
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

    /// [Drains](Self::drain) the node and stops it. Subscriptions end, and the engine is
    /// closed. It returns when this is done, within some seconds, for any number of clones.
    /// If the node has stopped already, it returns at once.
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
        // The task holds the other end until its own end.
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

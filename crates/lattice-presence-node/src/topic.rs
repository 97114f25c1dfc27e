//! One topic, as this node sees it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use lattice_presence::Presence;

use crate::{Meta, Node, Subscription};

/// A topic, as this node sees it. Reads come from memory. They wait at most for the bounded
/// work of one message.
///
/// ```
/// use lattice_presence_node::Node;
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let node = Node::<u32>::builder("berlin-1").start().await?;
/// let (laptop, phone) = (node.connect(), node.connect());
/// laptop.track("room", "alice", &1)?;
/// phone.track("room", "alice", &2)?;
/// let room = node.topic("room");
/// assert_eq!((room.len(), room.members().len(), room.get("alice").len()), (2, 2, 2));
/// assert!(room.get("bob").is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Topic<M: Meta> {
    node: Node<M>,
    name: Arc<str>,
}

impl<M: Meta> Topic<M> {
    pub(crate) const fn new(node: Node<M>, name: Arc<str>) -> Self {
        Self { node, name }
    }

    /// Its name. See [`Topic`] for an example.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The number of its entries. There is one for each connection and key. O(1). See
    /// [`Topic`] for an example.
    #[must_use]
    pub fn len(&self) -> usize {
        let shared = &self.node.shared;
        shared.read(|core| core.sync.state().topic_len(&self.name))
    }

    /// Whether it has no visible entries. [`Node::status`] says whether the node knows
    /// enough for that. O(1). See [`Connection`](crate::Connection) for an example.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its entries, in dot order. O(members). See [`Topic`] for an example.
    #[must_use]
    pub fn members(&self) -> Vec<Presence<M>> {
        let shared = &self.node.shared;
        shared.read(|core| {
            core.sync
                .state()
                .get_by_topic(&self.name)
                .cloned()
                .collect()
        })
    }

    /// At most `limit` first entries, in dot order. Use it for large topics. O(limit).
    ///
    /// ```
    /// # use lattice_presence_node::Node;
    /// # let runtime = tokio::runtime::Runtime::new().unwrap();
    /// # runtime.block_on(async {
    /// let node = Node::<u32>::builder("berlin-1").start().await?;
    /// let connection = node.connect();
    /// for user in ["alice", "bob", "carol"] {
    ///     connection.track("room", user, &1)?;
    /// }
    /// assert_eq!(node.topic("room").first(2).len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn first(&self, limit: usize) -> Vec<Presence<M>> {
        let shared = &self.node.shared;
        shared.read(|core| {
            let members = core.sync.state().get_by_topic(&self.name);
            members.take(limit).cloned().collect()
        })
    }

    /// The entries of one key, in dot order. O(its entries). See [`Topic`] for an example.
    #[must_use]
    pub fn get(&self, key: &str) -> Vec<Presence<M>> {
        let shared = &self.node.shared;
        shared.read(|core| {
            let members = core.sync.state().get_by_key(&self.name, key);
            members.cloned().collect()
        })
    }

    /// Follows the topic: a snapshot, and then every change. See [`Subscription`].
    #[must_use]
    pub fn subscribe(&self) -> Subscription<M> {
        Subscription::new(Arc::clone(&self.node.shared), Arc::clone(&self.name))
    }
}

impl<M: Meta> fmt::Debug for Topic<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic")
            .field("name", &self.name)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

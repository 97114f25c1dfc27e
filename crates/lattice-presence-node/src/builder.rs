//! How a node is described, and started.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::fmt;
use core::hash::BuildHasher;
use core::time::Duration;
use std::hash::RandomState;

use lattice_presence::{PresenceState, ReplicaId};
use lattice_presence_json::MAX_STRING_BYTES;
use lattice_presence_sync::{Config, Sync, Trust};
use tokio::sync::{mpsc, watch};

use crate::driver::{Driver, Throttles};
use crate::engine::{Alone, BoxedEngine, Engine, Link, Local, events};
use crate::shared::{MAX_OUTGOING, Shared};
use crate::{Meta, Node, StartError, writer};

/// What a message needs at least: less is no engine for a node.
const LEAST_PAYLOAD: usize = 1024;

/// A node before it runs: see [`Node::builder`].
///
/// Every setting has a default that suits a cluster of three to some hundred nodes. Nodes
/// of one cluster should have the same timers.
///
/// ```
/// use core::time::Duration;
/// use lattice_presence_node::Node;
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let node = Node::<()>::builder("berlin-1")
///     .cluster("chat")
///     .heartbeat(Duration::from_millis(500))
///     .down_after(Duration::from_secs(3))
///     .start()
///     .await?;
/// # Ok::<(), lattice_presence_node::StartError>(())
/// # }).unwrap();
/// ```
#[must_use = "a node runs once it is started"]
pub struct Builder<M: Meta> {
    name: Arc<str>,
    engine: BoxedEngine,
    config: Config,
    meta: core::marker::PhantomData<fn() -> M>,
}

impl<M: Meta> Builder<M> {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            engine: BoxedEngine::new(Alone),
            config: Config::new("lattice"),
            meta: core::marker::PhantomData,
        }
    }

    /// What connects it to the other nodes; without any, it is alone. See [`Node`] for an
    /// example.
    pub fn engine(mut self, engine: impl Engine) -> Self {
        self.engine = BoxedEngine::new(engine);
        self
    }

    /// The cluster: nodes of other clusters are not heard, even over the same engine.
    /// `lattice`, where nothing else is said. See [`Builder`] for an example.
    pub fn cluster(mut self, name: impl Into<Arc<str>>) -> Self {
        self.config.cluster = name.into();
        self
    }

    /// How often the node says that it lives, ±20 %: 1.5 s. See [`Builder`] for an example.
    pub fn heartbeat(mut self, every: Duration) -> Self {
        self.config.heartbeat = every;
        self
    }

    /// How long a peer may be silent before its entries are hidden: 10 s. At least two
    /// heartbeats. See [`Builder`] for an example.
    pub fn down_after(mut self, silence: Duration) -> Self {
        self.config.down_after = silence;
        self
    }

    /// How long a node that says goodbye, or has a successor, stays visible: 5 s. Who
    /// reconnects elsewhere within it never departs.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use lattice_presence_node::Node;
    /// let builder = Node::<()>::builder("berlin-1").handover(Duration::from_secs(10));
    /// # drop(builder);
    /// ```
    pub fn handover(mut self, time: Duration) -> Self {
        self.config.handover = time;
        self
    }

    /// How long a peer is down before its memory is freed: 20 min.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use lattice_presence_node::Node;
    /// let builder = Node::<()>::builder("berlin-1").forget_after(Duration::from_secs(3_600));
    /// # drop(builder);
    /// ```
    pub fn forget_after(mut self, time: Duration) -> Self {
        self.config.forget_after = time;
        self
    }

    /// Every timer and bound of the machine, at once. The cluster's name is in it, too.
    ///
    /// ```
    /// use lattice_presence_node::{Config, Node};
    ///
    /// let mut config = Config::new("chat");
    /// config.max_peers = 100;
    /// let builder = Node::<()>::builder("berlin-1").config(config);
    /// # drop(builder);
    /// ```
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Whose words are taken: of each peer only its own, where nothing else is said.
    ///
    /// ```
    /// use lattice_presence_node::{Node, Trust};
    ///
    /// let builder = Node::<()>::builder("berlin-1").trust(Trust::Relays);
    /// # drop(builder);
    /// ```
    pub fn trust(mut self, trust: Trust) -> Self {
        self.config.trust = trust;
        self
    }

    /// Starts the engine and the node, on the tokio runtime that this runs on.
    ///
    /// # Errors
    ///
    /// Where the configuration makes no sense, or the engine does not start. Nothing is
    /// left running. See [`StartError`] for an example.
    pub async fn start(self) -> Result<Node<M>, StartError> {
        self.config.check()?;
        for (what, name) in [("node", &self.name), ("cluster", &self.config.cluster)] {
            // The incarnation goes in front of it.
            let (bytes, limit) = (name.len(), MAX_STRING_BYTES / 64);
            if bytes > limit {
                return Err(StartError::NameTooLong { what, bytes, limit });
            }
        }
        let id = ReplicaId::new_incarnation(&self.name);
        let seed = RandomState::new().hash_one(&id);
        let cluster = Arc::clone(&self.config.cluster);
        let sync = Sync::new(PresenceState::new(id.clone()), self.config, seed)?;

        let (events, received) = events();
        let local = Local::new(cluster, id.as_str());
        let link = self.engine.start(local, events).await?;
        let limit = link.max_payload();
        if limit < LEAST_PAYLOAD {
            link.close().await;
            let needed = LEAST_PAYLOAD;
            return Err(StartError::PayloadTooShort { limit, needed });
        }
        let (outgoing, application) = mpsc::channel(MAX_OUTGOING);
        let shared = Arc::new(Shared::new(id, sync, limit, outgoing));
        let (outbox, queue) = mpsc::channel(writer::MAX_WAITING);
        let writer = tokio::spawn(writer::run(Arc::clone(&shared), link, queue));
        let driver = Driver {
            shared: Arc::clone(&shared),
            received,
            outbox,
            cut: VecDeque::new(),
            application,
            writer,
            throttles: Throttles::default(),
        };
        let (is_running, done) = watch::channel(());
        let stop = shared.stop.subscribe();
        tracing::info!(id = %shared.id, cluster = %shared.cluster, "the node has started");
        tokio::spawn(async move {
            driver.run(stop).await;
            drop(is_running);
        });
        Ok(Node::new(shared, done))
    }
}

impl<M: Meta> fmt::Debug for Builder<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

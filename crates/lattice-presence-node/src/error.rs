//! Errors of calls on a node.

use alloc::boxed::Box;
use core::error::Error as StdError;

use lattice_presence::ReplicaId;
use lattice_presence_json::EntryError;
use lattice_presence_sync::{ConfigError, WriteError};
use thiserror::Error;

use crate::engine;

/// Why a node did not start. Nothing is left running.
///
/// ```
/// use core::time::Duration;
/// use lattice_presence_node::{Node, StartError};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let started = Node::<()>::builder("berlin-1").down_after(Duration::from_secs(1)).start().await;
/// assert!(matches!(started, Err(StartError::Config(_))));
/// # });
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The timers and bounds make no sense together.
    #[error("the configuration: {0}")]
    Config(#[from] ConfigError),
    /// The engine did not start.
    #[error(transparent)]
    Engine(#[from] engine::StartError),
    /// The name is longer than peers accept.
    #[error("the name of the {what} takes {bytes} bytes, and {limit} are the limit")]
    NameTooLong {
        /// Which name: that of the node, or that of the cluster.
        what: &'static str,
        /// How many bytes it takes.
        bytes: usize,
        /// How many it may take.
        limit: usize,
    },
    /// The payloads of the engine are too short for a message.
    #[error("the engine carries {limit} bytes a payload, and a node needs {needed}")]
    PayloadTooShort {
        /// The longest payload of the engine.
        limit: usize,
        /// The length that is needed.
        needed: usize,
    },
}

/// Why nothing was tracked or updated. Nothing has changed.
///
/// ```
/// use lattice_presence_node::{Node, TrackError};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let node = Node::<u32>::builder("berlin-1").start().await?;
/// let connection = node.connect();
/// let long = "x".repeat(70_000);
/// let error = connection.track("room", &long, &1).unwrap_err();
/// assert_eq!(error.to_string(), "a key of 70000 bytes, and 65536 are the limit");
/// assert!(matches!(connection.update("room", "alice", &2), Err(TrackError::Absent)));
/// # Ok::<(), lattice_presence_node::StartError>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrackError {
    /// Peers would refuse the entry. A text or the metadata is too long, or cannot be
    /// written.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The connection has no entry there, so there is nothing to update.
    #[error("this connection tracks no such key in the topic")]
    Absent,
    /// The connection has this entry already, and the call must make a new one.
    #[error("this connection tracks that key in the topic already")]
    Held,
    /// The node is leaving the cluster, or has stopped.
    #[error("the node is leaving the cluster")]
    Leaving,
    /// A newer process runs under the name of this node. Drain this one, and stop it.
    #[error("`{by}` has taken over the name of this node: drain it, and stop")]
    Superseded {
        /// The newer incarnation.
        by: ReplicaId,
    },
    /// The state refused it for another reason.
    #[error("the state refused it")]
    Refused {
        /// The cause.
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl From<WriteError> for TrackError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Held => Self::Held,
            WriteError::Leaving => Self::Leaving,
            WriteError::Superseded { by } => Self::Superseded { by },
            WriteError::Update(lattice_presence::UpdateError::Absent) => Self::Absent,
            other => Self::Refused {
                source: Box::new(other),
            },
        }
    }
}

/// Why bytes were not broadcast. Nobody got them.
///
/// ```
/// use lattice_presence_node::{BroadcastError, Node};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let node = Node::<()>::builder("berlin-1").start().await?;
/// let long = vec![0; 2 * node.max_broadcast()];
/// assert!(matches!(node.broadcast("room", long), Err(BroadcastError::TooLong { .. })));
/// # Ok::<(), lattice_presence_node::StartError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BroadcastError {
    /// Topic and payload are longer than the engine carries.
    #[error("{length} bytes with the topic, and the engine carries {limit}")]
    TooLong {
        /// The length of both.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// Too many messages wait already. The engine is slow, or away.
    #[error("the engine does not keep up")]
    Full,
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
}

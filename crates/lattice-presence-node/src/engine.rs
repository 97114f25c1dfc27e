//! Engines carry bytes between nodes. This module also says how to write another engine.
//!
//! An [`Engine`] is a way to reach the other nodes of a cluster. A [`Link`] is an engine
//! that runs. A node needs only a few things from it:
//!
//! - it accepts bytes for **all** other nodes, or for **one** of them, by name;
//! - it reports what came in, **with the sender's name**, through [`Events`];
//! - it may **lose** messages, deliver them twice, or in another order. The node repairs
//!   this.
//!
//! # Writing one
//!
//! This is a complete engine. It connects the nodes of one process by a channel, and passes
//! the conformance suite (feature `conformance`):
//!
//! ```
//! use bytes::Bytes;
//! use lattice_presence_node::engine::{Engine, Events, Link, Local, SendError, StartError, To};
//! use tokio::sync::broadcast::{Sender, channel, error::RecvError};
//!
//! /// Who says it, to whom (to all: nobody), and what.
//! type Said = (Local, Option<String>, Bytes);
//!
//! #[derive(Clone)]
//! struct Loopback(Sender<Said>);
//!
//! struct Running {
//!     local: Local,
//!     bus: Sender<Said>,
//!     reader: tokio::task::JoinHandle<()>,
//! }
//!
//! impl Engine for Loopback {
//!     type Link = Running;
//!
//!     async fn start(self, local: Local, events: Events) -> Result<Running, StartError> {
//!         let (us, mut inbox) = (local.clone(), self.0.subscribe());
//!         let reader = tokio::spawn(async move {
//!             events.connected();
//!             loop {
//!                 match inbox.recv().await {
//!                     Ok((from, to, bytes)) => {
//!                         let for_us = to.is_none_or(|to| *to == *us.name);
//!                         if for_us && from.cluster == us.cluster && from.name != us.name {
//!                             events.offer(from.name, bytes);
//!                         }
//!                     }
//!                     Err(RecvError::Lagged(count)) => events.lagged(Some(count)),
//!                     Err(RecvError::Closed) => break,
//!                 }
//!             }
//!         });
//!         Ok(Running { local, bus: self.0, reader })
//!     }
//! }
//!
//! impl Link for Running {
//!     fn max_payload(&self) -> usize {
//!         64 * 1024
//!     }
//!
//!     async fn send(&mut self, to: To<'_>, payload: Bytes) -> Result<(), SendError> {
//!         SendError::check(payload.len(), self.max_payload())?;
//!         let to = match to {
//!             To::All => None,
//!             To::One(name) => Some(name.to_owned()),
//!         };
//!         let _ = self.bus.send((self.local.clone(), to, payload));
//!         Ok(())
//!     }
//!
//!     async fn close(self) {
//!         self.reader.abort();
//!         let _ = self.reader.await;
//!     }
//! }
//!
//! # #[cfg(feature = "conformance")]
//! # {
//! # let runtime = tokio::runtime::Runtime::new().unwrap();
//! # let report = runtime.block_on(async {
//! let bus = Loopback(channel(256).0);
//! let suite = lattice_presence_node::engine::conformance::check(|| bus.clone());
//! # suite.await
//! # });
//! # assert!(report.is_ok(), "{report:?}");
//! # }
//! ```
//!
//! # The rules
//!
//! The suite checks each of them.
//!
//! | rule | why |
//! |---|---|
//! | [`Engine::start`] returns an error, or runs | a node must not be started half |
//! | the sender's name is the [`Local::name`] of the sender | a peer may speak only for itself |
//! | a sender does not get its own messages | the node would have to drop them |
//! | other clusters are not heard | one broker serves several clusters |
//! | a payload of [`Link::max_payload`] bytes passes, and a longer one is refused | the node cuts its messages to this size |
//! | a known loss is reported: [`Events::lagged`], [`Events::disconnected`] | operators can see it |
//! | after a cut the engine connects again by itself | it must not be necessary to restart a node |
//! | [`Link::close`] ends every task, and drops [`Events`] | nothing may remain of a node that is shut down |
//!
//! A separate task waits for [`Link::send`]. The task that owns the state never does. If a
//! call takes longer than a second, it is cancelled, and its message counts as lost.

use alloc::sync::Arc;
use core::fmt;
use core::future::Future;

use bytes::Bytes;

mod alone;
mod boxed;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod event;
mod memory;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "nats", feature = "redis", feature = "zenoh", test))]
mod token;
#[cfg(feature = "zenoh")]
mod zenoh;

pub use alone::{Alone, AloneLink};
pub use boxed::{BoxedEngine, BoxedLink};
pub use error::{SendError, StartError};
pub use event::{Event, EventStream, Events, PeerHint, events};
pub use memory::{Faults, Memory, MemoryLink};
#[cfg(feature = "nats")]
pub use nats::{Nats, NatsLink};
#[cfg(feature = "redis")]
pub use redis::{Redis, RedisLink};
#[cfg(feature = "zenoh")]
pub use zenoh::{Zenoh, ZenohLink};

/// The longest payload that a node sends or accepts, with any engine: 4 MiB. The queue of a
/// node has room for several of one sender.
pub(crate) const MAX_PAYLOAD: usize = 4 * 1024 * 1024;

/// A way to reach the other nodes of a cluster, before it runs.
///
/// See the [module](self) for a complete engine, and for the rules.
///
/// ```
/// use lattice_presence_node::engine::{Alone, Engine, Link, Local, events};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let (events, mut received) = events();
/// let link = Alone.start(Local::new("chat", "berlin-1"), events).await?;
/// link.close().await;
/// # Ok::<(), lattice_presence_node::engine::StartError>(())
/// # }).unwrap();
/// ```
pub trait Engine: Send + Sized + 'static {
    /// The running engine.
    type Link: Link;

    /// Connects the node, and reports what comes in until the link is closed.
    ///
    /// # Errors
    ///
    /// If something could not be set up. Then nothing is left running.
    fn start(
        self,
        local: Local,
        events: Events,
    ) -> impl Future<Output = Result<Self::Link, StartError>> + Send;
}

/// An engine that runs.
///
/// ```
/// use lattice_presence_node::engine::{Engine, Link, Local, Memory, To, events};
///
/// # let runtime = tokio::runtime::Runtime::new().unwrap();
/// # runtime.block_on(async {
/// let memory = Memory::new();
/// let (events, _received) = events();
/// let mut link = memory.clone().start(Local::new("chat", "berlin-1"), events).await?;
/// assert_eq!(link.max_payload(), 64 * 1024);
/// link.send(To::All, "hello".into()).await.unwrap();
/// # Ok::<(), lattice_presence_node::engine::StartError>(())
/// # }).unwrap();
/// ```
pub trait Link: Send + 'static {
    /// The longest payload that it accepts, in bytes. It may change with a new connection.
    /// A node sends none over 4 MiB. O(1).
    fn max_payload(&self) -> usize;

    /// Sends a payload. There is no promise that it arrives.
    ///
    /// # Errors
    ///
    /// If it is known that the payload will reach nobody. The link continues to work.
    fn send(
        &mut self,
        to: To<'_>,
        payload: Bytes,
    ) -> impl Future<Output = Result<(), SendError>> + Send;

    /// Ends the link. Accepted payloads are sent if that is possible at once. Then every
    /// task of the engine ends, and [`Events`] is dropped.
    fn close(self) -> impl Future<Output = ()> + Send;
}

/// The receiver of a payload.
///
/// ```
/// use lattice_presence_node::engine::To;
///
/// assert_eq!(To::One("berlin-1").to_string(), "berlin-1");
/// assert_eq!(To::All.to_string(), "all");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To<'a> {
    /// Every other node of the cluster.
    All,
    /// The node of that name, if there is one.
    One(&'a str),
}

impl fmt::Display for To<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::One(name) => f.write_str(name),
        }
    }
}

/// The node for which an engine works.
///
/// ```
/// use lattice_presence_node::engine::Local;
///
/// let local = Local::new("chat", "berlin-1");
/// assert_eq!((&*local.cluster, &*local.name), ("chat", "berlin-1"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Local {
    /// The name of the cluster. It can be any text. An engine must escape it in addresses.
    pub cluster: Arc<str>,
    /// The name of the node. No other process has or had this name. It can be any text.
    pub name: Arc<str>,
}

impl Local {
    /// A node of that name in that cluster.
    ///
    /// ```
    /// # use lattice_presence_node::engine::Local;
    /// assert_eq!(&*Local::new("chat", "berlin-1").name, "berlin-1");
    /// ```
    #[must_use]
    pub fn new(cluster: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            cluster: cluster.into(),
            name: name.into(),
        }
    }
}

//! Presence on a cluster in two lines.
//!
//! A [`Node`] keeps who is online on any node of the cluster, and answers from its own
//! memory. A [`Connection`] is one socket of a user: what it tracks is seen everywhere, and
//! leaves with it. A [`Topic`] is read, and followed. An [`engine`] carries the bytes: in
//! memory, over zenoh, Redis or NATS, or one of your own.
//!
//! It is for servers on tokio. Browsers are served by
//! [`lattice-presence-web`](https://docs.rs/lattice-presence-web), on top of it. Without tokio, or
//! with a loop of your own, take
//! [`lattice-presence-sync`](https://docs.rs/lattice-presence-sync), which it runs.
//!
//! ```
//! use lattice_presence_node::engine::Memory;
//! use lattice_presence_node::{JsonMeta, Node, Update};
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let network = Memory::new(); // or Zenoh::new().connect(["tcp/10.0.0.1:7447"])
//!     let berlin: Node = Node::builder("berlin-1").engine(network.clone()).start().await?;
//!     let tokyo: Node = Node::builder("tokyo-1").engine(network).start().await?;
//!
//!     let mut lobby = tokyo.topic("room:lobby").subscribe();
//!     assert!(matches!(lobby.next().await, Some(Update::Snapshot(_))));
//!
//!     let connection = berlin.connect();
//!     connection.track("room:lobby", "alice", &JsonMeta::new("online")?)?;
//!     let Some(Update::Change(change)) = lobby.next().await else { panic!("no change") };
//!     assert_eq!(change.arrived(), ["alice"]);
//!     assert_eq!(tokyo.topic("room:lobby").len(), 1);
//!
//!     drop(connection); // the socket closed
//!     let Some(Update::Change(change)) = lobby.next().await else { panic!("no change") };
//!     assert_eq!(change.departed(), ["alice"]);
//!     berlin.shutdown().await;
//!     Ok(())
//! }
//! ```
//!
//! # The calls
//!
//! | what | call | waits for |
//! |---|---|---|
//! | start | [`Node::builder`], [`Builder::start`] | the engine |
//! | a socket opens | [`Node::connect`] | nothing |
//! | it enters a topic | [`Connection::track`], [`track_new`](Connection::track_new) | nothing |
//! | its metadata changes | [`Connection::update`], [`update_with`](Connection::update_with) | nothing |
//! | it leaves a topic | [`Connection::untrack`] | nothing |
//! | it closes | drop the connection | nothing |
//! | who is there | [`Topic::members`], [`len`](Topic::len), [`get`](Topic::get), [`first`](Topic::first) | nothing |
//! | follow a topic | [`Topic::subscribe`], [`Subscription::next`] | the next change |
//! | follow all topics | [`Node::changes`], [`Changes::next`] | the next change |
//! | with what the application knows of the keys | [`Topic::members_with`], [`Subscription::next_with`] | the application |
//! | act on every change | [`Node::on_change`] | nothing |
//! | bytes to the application's other nodes | [`Node::broadcast`], [`Node::messages`] | nothing; the next message |
//! | health | [`Node::status`] | nothing |
//! | a deployment | [`Node::drain`], then [`Node::shutdown`] | the engine |
//!
//! # Invariants
//!
//! - **A read waits for nothing** but the bounded work of one message: one lock, which no
//!   code holds across an `await`.
//! - **A subscriber misses nothing and sees nothing twice**: a snapshot, then each change
//!   once, in order, or another snapshot.
//! - **Memory is bounded** beyond what is online: every queue has a limit, in number and
//!   bytes.
//! - **The engine is waited for in one place**, a task that does nothing else.
//!
//! # Metrics
//!
//! Through the `metrics` facade: install any recorder.
//!
//! | name | kind | labels |
//! |---|---|---|
//! | `lattice_entries` | gauge | |
//! | `lattice_subscribers` | gauge | |
//! | `lattice_peers` | gauge | `status`: `up`, `stale`, `leaving`, `down` |
//! | `lattice_settled`, `lattice_engine_connected` | gauge, 0 or 1 | |
//! | `lattice_inbox_messages` | gauge | |
//! | `lattice_messages_in_total`, `lattice_bytes_in_total` | counter | `kind` of message |
//! | `lattice_messages_out_total`, `lattice_bytes_out_total` | counter | `kind` of message |
//! | `lattice_refused_total` | counter | `kind` of refusal, `unreadable` included |
//! | `lattice_unsent_total` | counter | `reason`: `disconnected`, `slow`, `too_long`, `failed`, `unwritable` |
//! | `lattice_lagged_total` | counter | |
//! | `lattice_repairs_total`, `lattice_unanswered_total` | counter | |
//! | `lattice_queue_resets_total` | counter | |
//! | `lattice_settle_seconds` | histogram | |
//!
//! # Features
//!
//! None is on by default: a node is alone, or in memory.
//!
//! - `zenoh`, `redis`, `nats`: the engines of these names.
//! - `conformance`: the suite that every engine must pass, for engines of your own.
//!
//! # Rules, examples, sister crates
//!
//! - [Running nodes](https://github.com/lattice-presence/lattice-presence/blob/main/docs/running.md):
//!   which engine, TLS, Kubernetes, what to alert on; and
//!   [deployment](https://github.com/lattice-presence/lattice-presence/blob/main/docs/deployment.md),
//!   [sizing](https://github.com/lattice-presence/lattice-presence/blob/main/docs/sizing.md),
//!   [questions](https://github.com/lattice-presence/lattice-presence/blob/main/docs/faq.md);
//! - the rules: R1 to R13 of [`lattice_presence_sync`], S1 to S14 of
//!   [`lattice_presence::rules`];
//! - examples: [a day of four processes](https://github.com/lattice-presence/lattice-presence/blob/main/crates/lattice-presence-node/examples/day/main.rs),
//!   [a chat](https://github.com/lattice-presence/lattice-presence/blob/main/examples/chat/src/main.rs);
//! - [who can do what to whom](https://github.com/lattice-presence/lattice-presence/blob/main/SECURITY.md).
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod builder;
mod change;
mod changes;
mod connection;
mod driver;
pub mod engine;
mod error;
mod fetch;
mod hook;
mod lock;
mod messages;
mod meta;
mod node;
mod queue;
mod registry;
mod shared;
mod stats;
mod status;
mod subscription;
mod throttle;
mod topic;
mod wire;
mod writer;

pub use builder::Builder;
pub use change::Change;
pub use changes::{Changes, Followed};
pub use connection::Connection;
pub use error::{BroadcastError, StartError, TrackError};
pub use fetch::{Enriched, EnrichedUpdate, Fetch, Fetched};
pub use hook::Event;
pub use lattice_presence::{Presence, ReplicaId};
pub use lattice_presence_json::JsonMeta;
pub use lattice_presence_sync::{Cause, Config, ConfigError, Trust};
pub use messages::{Message, Messages, Received};
pub use meta::Meta;
pub use node::Node;
pub use status::{Counts, EngineStatus, Peer, Phase, Status, StrangerStatus, View};
pub use subscription::{Subscription, Update};
pub use topic::Topic;

/// The front page, whose example must run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

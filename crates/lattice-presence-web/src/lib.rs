//! Presence for browsers: the Phoenix channel protocol, on axum.
//!
//! The `phoenix` npm client works as it is, with `Socket`, `Channel` and `Presence`; so do
//! the channels of `@supabase/realtime-js`, as far as presence and broadcasts go. Behind
//! them is a [`Node`], so that browsers on different nodes see each other.
//!
//! It is for axum servers. Servers without browsers need only
//! [`lattice-presence-node`](https://docs.rs/lattice-presence-node).
//!
//! ```
//! use axum::Router;
//! use lattice_presence_node::{JsonMeta, Node};
//! use lattice_presence_web::{self as web, Channels, Connect, Join, Joined, Refused};
//!
//! struct App;
//!
//! impl Channels for App {
//!     type User = String;
//!
//!     async fn connect(&self, request: Connect) -> Result<String, Refused> {
//!         request.param("name").map(str::to_owned).ok_or_else(|| Refused::new("who are you?"))
//!     }
//!
//!     async fn join(&self, user: &String, _: Join) -> Result<Joined, Refused> {
//!         let meta: JsonMeta = r#"{"status":"online"}"#.parse().map_err(Refused::new)?;
//!         Ok(Joined::new().entry(user.as_str(), meta))
//!     }
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let node = Node::builder("berlin-1").start().await?; // .engine(…): a cluster
//!     let app: Router = Router::new().nest("/socket", web::phoenix(node, App));
//!     let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//!     # return Ok(drop((app, listener)));
//!     axum::serve(listener, app).await?;
//!     Ok(())
//! }
//! ```
//!
//! ```js
//! import { Socket, Presence } from "phoenix"
//! const socket = new Socket("/socket", { params: { name: "ada" } })
//! const channel = socket.channel("room:lobby"), presence = new Presence(channel)
//! presence.onSync(() => console.log(presence.list((name, { metas }) => name)))
//! socket.connect(); channel.join()
//! ```
//!
//! # What stands where
//!
//! - [`Channels`] is yours: who may connect and join, under which key and with what
//!   metadata, and what your events mean.
//! - [`Channel`] is a joined channel as your events get it: track, push, broadcast.
//! - [`Web`] is the endpoint: its routes, and how it is drained. [`Config`] is what may be
//!   set.
//! - [`mod@phoenix`] is the protocol as a pure machine, for other servers than axum.
//!
//! # Invariants
//!
//! - **A client sees no gap and no overlap**: a topic is one task, which sends the state
//!   and then the diffs; a rejoin over a live channel gets the state twice, since diffs on
//!   their way would be applied after the first.
//! - **One change is serialized once**, however many sockets see it.
//! - **What waits for a socket is bounded**, in number and bytes. Over the bound its
//!   presence becomes one state; a socket that does not read is closed.
//! - **No client waits for another**, and none is closed for what another one does.
//! - **Key and metadata come from the application**, never from the client, unless the
//!   application says so.
//! - **1000 is never sent**: a client that reads it never comes back.
//!
//! # Absent
//!
//! Long polling; Supabase's database changes, its REST broadcast and its policies; rooms
//! kept anywhere but in memory.
//!
//! # Features
//!
//! There are none. Which engine connects the nodes is a feature of
//! [`lattice-presence-node`](lattice_presence_node#features).
//!
//! # Rules, examples, sister crates
//!
//! - [Browsers](https://github.com/lattice-presence/lattice-presence/blob/main/docs/web.md):
//!   the rules of the protocol with a test for each, views, Supabase, limits;
//! - S1 to S14 of [`lattice_presence::rules`] say what a list of members promises;
//! - [a chat](https://github.com/lattice-presence/lattice-presence/blob/main/examples/chat/src/main.rs),
//!   whole; [a server that can be stopped](https://github.com/lattice-presence/lattice-presence/blob/main/docs/deployment.md);
//! - coming from [Phoenix](https://github.com/lattice-presence/lattice-presence/blob/main/docs/migration/phoenix.md),
//!   [socket.io](https://github.com/lattice-presence/lattice-presence/blob/main/docs/migration/socket-io.md) or
//!   [Supabase](https://github.com/lattice-presence/lattice-presence/blob/main/docs/migration/supabase.md);
//! - [what a client can do](https://github.com/lattice-presence/lattice-presence/blob/main/SECURITY.md).
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;

mod calls;
mod channel;
mod channels;
mod config;
mod handshake;
mod json;
mod members;
mod message;
mod outbox;
pub mod phoenix;
mod seat;
mod server;
mod socket;
mod stream;
mod topic;
mod watch;
mod web;

pub use calls::{Connect, Join, Joined, Refused, Reply, View};
pub use channel::Channel;
pub use channels::Channels;
pub use config::{Config, Origins};
pub use web::{Web, stop_signal};

use lattice_presence_node::Node;

/// The routes of an endpoint with the usual settings, to be nested: under `/socket` for
/// `new Socket("/socket")`, under `/realtime/v1` for Supabase's clients. O(1). Whoever
/// wants to set something, or to drain the endpoint, takes [`Web`].
///
/// See the [crate](self) for an example.
pub fn phoenix<A: Channels>(node: Node, app: A) -> axum::Router {
    Web::new(node, app, Config::default()).router()
}

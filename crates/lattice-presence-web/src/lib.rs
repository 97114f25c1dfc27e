//! Presence for browsers: the Phoenix channel protocol, on axum.
//!
//! The npm client `phoenix` works as it is, with `Socket`, `Channel` and `Presence`. The
//! channels of `@supabase/realtime-js` work as well, for presence and broadcasts. The
//! endpoint uses a [`Node`], so browsers on different nodes see each other.
//!
//! This crate is for axum servers. A server without browsers needs only
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
//! # The parts
//!
//! - You implement [`Channels`]: who may connect and join, under which key and with what
//!   metadata, and what your events mean.
//! - [`Channel`] is a joined channel. Your code gets it with each event, and can track,
//!   push and broadcast.
//! - [`Web`] is the endpoint. It has the routes, and can be drained. [`Config`] has the
//!   settings.
//! - [`mod@phoenix`] is the protocol as a pure machine, for other servers than axum.
//!
//! # Invariants
//!
//! - **A client sees no gap and no overlap.** A topic is one task. It sends the state
//!   first, and then the diffs. If a client joins again over a live channel, old diffs
//!   can arrive after the state. So it gets the state twice.
//! - **One change is serialized once**, for any number of sockets.
//! - **What waits for a socket is bounded**, in number and bytes. Over the bound, one
//!   state replaces the waiting changes of presence. A socket that does not read is
//!   closed.
//! - **No client waits for another**, and none is closed because of what another one
//!   does.
//! - **Key and metadata come from the application.** They come from the client only if
//!   the application allows it.
//! - **The code 1000 is never sent.** A client that reads it never comes back.
//!
//! # Absent
//!
//! There is no long polling. Of Supabase there are no database changes, no REST broadcast
//! and no policies. Rooms are kept only in memory.
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

/// The routes of an endpoint with the default settings. Nest them under `/socket` for
/// `new Socket("/socket")`, or under `/realtime/v1` for clients of Supabase. If you want
/// other settings, or want to drain the endpoint, take [`Web`]. O(1).
///
/// See the [crate](self) for an example.
pub fn phoenix<A: Channels>(node: Node, app: A) -> axum::Router {
    Web::new(node, app, Config::default()).router()
}

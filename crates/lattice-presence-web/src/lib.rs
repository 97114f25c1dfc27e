//! Presence for browsers.
mod channel;
mod channels;
mod config;
mod json;
mod members;
mod message;
mod outbox;
pub mod phoenix;
mod seat;
mod server;
mod socket;
mod topic;
mod watch;

pub use channel::Channel;
pub use channels::{Channels, Connect, Join, Joined, Refused, Reply, View};
pub use config::{Config, Origins};
pub use server::Web;

use lattice_presence_node::Node;

/// The routes of an endpoint with the usual settings, to be nested. O(1).
pub fn phoenix<A: Channels>(node: Node, app: A) -> axum::Router {
    Web::new(node, app, Config::default()).router()
}

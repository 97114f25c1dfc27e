//! Presence for browsers.
mod backend;
mod channel;
mod channels;
mod config;
mod json;
mod local;
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
pub use local::Local;
pub use server::Web;

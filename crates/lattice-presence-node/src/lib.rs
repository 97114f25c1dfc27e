//! Presence on a cluster.

extern crate alloc;

pub mod engine;

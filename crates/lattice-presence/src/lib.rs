//! Cluster presence: who is online, where, with what metadata.
//!
//! Each node of a cluster holds a [`PresenceState`]. It writes the entries of its
//! own connections, and merges what the other nodes send: states or deltas, in
//! any order, any number of times, over anything. All of them come to the same
//! view. No coordinator, no leader, no database.
//!
//! This crate is for those who have a cluster protocol of their own. With a transport alone, take
//! [`lattice-presence-sync`](https://docs.rs/lattice-presence-sync), which sends, repairs and
//! judges who is down. With neither, take
//! [`lattice-presence-node`](https://docs.rs/lattice-presence-node).
//!
//! ```
//! use lattice_presence::PresenceState;
//!
//! let mut a = PresenceState::new("node-a");
//! let mut b = PresenceState::new("node-b");
//! a.join("pid-1", "room:lobby", "alice", "online")?;
//! b.join("pid-2", "room:lobby", "bob", "away")?;
//!
//! // Push what changed as it happens …
//! let delta = a.take_delta().expect("alice joined");
//! let diff = b.merge_delta_with_diff(&delta).expect("different names");
//! assert_eq!(diff.joins().next().unwrap().key(), "alice");
//!
//! // … and repair what got lost: send your digest, get what you lack.
//! a.merge_delta(&b.delta_since(&a.digest())).unwrap();
//! assert!(a.online_list().eq(b.online_list()));
//! # Ok::<(), lattice_presence::JoinError>(())
//! ```
//!
//! # The calls of a server
//!
//! | when | call |
//! |---|---|
//! | a user enters a topic | [`join`](PresenceState::join) |
//! | its status changes | [`update`](PresenceState::update) |
//! | it leaves the topic | [`leave`](PresenceState::leave) |
//! | its connection ends | [`leave_by_pid`](PresenceState::leave_by_pid) |
//! | after each of these | push [`take_delta`](PresenceState::take_delta) to the peers |
//! | a delta comes in | [`merge_delta_with_diff`](PresenceState::merge_delta_with_diff) |
//! | now and then | send [`digest`](PresenceState::digest), answer one with [`delta_since`](PresenceState::delta_since) |
//! | a node seems dead, or was never heard itself | [`replica_down`](PresenceState::replica_down) |
//! | it is back | [`replica_up`](PresenceState::replica_up) |
//! | it is back as a new incarnation | [`supersede`](PresenceState::supersede) |
//! | it stays away | [`remove_down_replica`](PresenceState::remove_down_replica) |
//! | a newer incarnation of this node is heard | [`confirmed_successor`](PresenceState::confirmed_successor): drain, and stop |
//! | one is named, and stays silent | [`reincarnate`](PresenceState::reincarnate) |
//!
//! If every node speaks only for itself, [`merge_owned_with_diff`] takes the place of
//! `merge_delta_with_diff`, and [`owned_delta_since`] that of `delta_since`: then no node can
//! touch the entries of another one.
//!
//! [`merge_owned_with_diff`]: PresenceState::merge_owned_with_diff
//! [`owned_delta_since`]: PresenceState::owned_delta_since
//!
//! Every one that changes what is visible returns a [`Diff`].
//!
//! # What is not here
//!
//! No clock, no timeout, no I/O, no serialization format (that is
//! [`lattice-presence-json`](https://docs.rs/lattice-presence-json)), no failure detector: the
//! caller decides who is down.
//!
//! # Features
//!
//! None is on by default; the crate is `no_std` with `alloc`.
//!
//! - `serde`: (de)serialization of ids, entries and deltas, in any format.
//! - `uuid`: `ReplicaId::new_incarnation` and `new_incarnation_after`, which read the clock
//!   and draw random bits. It needs the standard library.
//!
//! # Rules, examples, sister crates
//!
//! - [`rules`]: S1 to S14, which the documentation cites by number;
//! - [which call to make](https://github.com/lattice-presence/lattice-presence/blob/main/docs/architecture.md#which-call-when-something-happens)
//!   when a socket closes, or a node falls silent or returns;
//! - [what each call costs](https://github.com/lattice-presence/lattice-presence/blob/main/docs/benchmarks.md);
//! - examples: [payloads from files](https://github.com/lattice-presence/lattice-presence/blob/main/crates/lattice-presence-json/examples/merge/main.rs)
//!   that become one state, and
//!   [a cluster over TCP](https://github.com/lattice-presence/lattice-presence/blob/main/crates/lattice-presence-sync/examples/cluster/main.rs);
//! - below it [`lattice-causal`](https://docs.rs/lattice-causal), the core, for other CRDTs; on
//!   it [`lattice-presence-json`](https://docs.rs/lattice-presence-json),
//!   [`lattice-presence-sync`](https://docs.rs/lattice-presence-sync) and
//!   [`lattice-presence-node`](https://docs.rs/lattice-presence-node).
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod delta;
mod diff;
mod down;
mod error;
mod filter;
#[cfg(test)]
mod growth;
mod index;
mod message;
mod pending;
mod presence;
mod replica_id;
pub mod rules;
#[cfg(feature = "serde")]
mod serde_impls;
mod state;
mod steps;
mod text;

pub use delta::PresenceDelta;
pub use diff::{Change, Diff, IntoChanges, TopicDiff};
pub use error::{
    Field, JoinError, LifecycleError, MergeError, PartsError, ReincarnateError, UpdateError,
};
pub use lattice_causal::{
    Asked, CausalContext, ClockSet, Digest, Dot, Held, MAX_CLOCK, Part, Question, ReplicaDigest,
    identity_of,
};
pub use message::{Body, MESSAGE_VERSION, Message, Piece, Refusal, Shard};
pub use presence::{MAX_TEXT_BYTES, Presence};
pub use replica_id::{NoNewerIncarnation, ReplicaId};
pub use state::{MAX_REISSUED, PresenceAnswer, PresenceState, ReplicaStatus, Standing};

/// The front page, whose example must run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

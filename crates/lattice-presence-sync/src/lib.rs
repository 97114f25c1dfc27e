//! Presence that runs: replication, repair and liveness as one state machine.
//!
//! A [`PresenceState`](lattice_presence::PresenceState) is a view; somebody must send what
//! it wrote, find out what got lost, and judge who is down. [`Sync`] does that, and
//! nothing else: no I/O, no clock, no randomness, no format. Time is an argument, a
//! [`Duration`](core::time::Duration) since any start of the caller's; a seed draws jitter
//! and peers; messages are values.
//!
//! ```
//! use core::time::Duration;
//! use lattice_presence::PresenceState;
//! use lattice_presence_sync::{Config, Event, Sync};
//!
//! let node = |name: &str, seed| Sync::new(PresenceState::new(name), Config::new("chat"), seed);
//! let (mut a, mut b) = (node("node-a", 1)?, node("node-b", 2)?);
//!
//! let now = Duration::from_secs(1);
//! a.join(now, "pid-1", "room:lobby", "alice", "online")?;
//! while let Some(transmit) = a.poll_transmit(now) {
//!     // Over any transport; here there is one peer.
//!     b.receive(now, &"node-a".into(), transmit.message)?;
//! }
//! while let Some(event) = b.poll_event() {
//!     if let Event::Changed { diff, .. } = event {
//!         assert_eq!(diff.joins().next().unwrap().key(), "alice");
//!     }
//! }
//! assert!(b.state().contains("pid-1", "room:lobby", "alice"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The loop around it
//!
//! After every call, in whatever order:
//!
//! | call | when |
//! |---|---|
//! | [`join`](Sync::join), [`update`](Sync::update), [`leave`](Sync::leave), [`leave_by_pid`](Sync::leave_by_pid) | a client does something |
//! | [`receive`](Sync::receive) | a message came in |
//! | [`hint`](Sync::hint) | the transport believes something of a peer |
//! | [`advance`](Sync::advance) | at [`next_timeout`](Sync::next_timeout), and whenever it pleases |
//! | [`poll_transmit`](Sync::poll_transmit) | the transport has room: until there is nothing |
//! | [`poll_event`](Sync::poll_event) | after each of these: until there is nothing |
//!
//! The rules that the documentation cites, R1 to R13, and what the messages and timers do,
//! are in `docs/sync.md`.
#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod admission;
mod compare;
mod config;
mod edits;
mod event;
mod liveness;
mod lives;
mod log;
mod machine;
mod peer;
mod push;
mod receive;
mod received;
mod refused;
mod reincarnate;
mod repair;
mod retire;
mod rng;
mod status;
mod transmit;

pub use config::{Config, ConfigError, MAX_ENTRIES, Trust};
pub use edits::WriteError;
pub use event::{Cause, Event, Hint, To, Transmit};
pub use lattice_presence::{Body, MESSAGE_VERSION, Message, Piece, Refusal, Shard};
pub use machine::{Counters, Sync};
pub use refused::{Refused, RefusedCounts};
pub use status::{Liveness, PeerStatus, Stranger};

/// The front page, whose example must run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

//! Presence that runs: replication, repair and liveness as one state machine.
//!
//! A [`PresenceState`](lattice_presence::PresenceState) is a view; somebody must send what
//! it wrote, find out what got lost, and judge who is down. [`Sync`] does that, and
//! nothing else: no I/O, no clock, no randomness, no format. Time is an argument, a
//! [`Duration`](core::time::Duration) since any start of the caller's; a seed draws jitter
//! and peers; messages are values.
//!
//! It is for those who have a transport of their own, on whatever runtime or none. On tokio,
//! over zenoh, Redis or NATS, there is
//! [`lattice-presence-node`](https://docs.rs/lattice-presence-node), which runs it.
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
//! | [`handle`](Sync::handle) | any of these, as a value from a queue |
//! | [`advance`](Sync::advance) | at [`next_timeout`](Sync::next_timeout), and whenever it pleases |
//! | [`poll_transmit`](Sync::poll_transmit) | the transport has room: until there is nothing |
//! | [`poll_event`](Sync::poll_event) | after each of these: until there is nothing |
//!
//! # The rules
//!
//! What the documentation cites by number. Each has tests of its name.
//!
//! | rule | what you can rely on |
//! |---|---|
//! | R1 pure | the same inputs give the same outputs |
//! | R2 push | a change is in the next transmit to all; what waits becomes one delta |
//! | R3 heartbeat | one message of constant size to all; nothing else if all agree |
//! | R4 repair | who lacks something of an owner asks that owner; answers are bounded |
//! | R5 quiet | what is in flight is not asked for; no questions without loss |
//! | R6 liveness | heard is up; silent for [`down_after`](Config::down_after) is down; who hears nobody blames itself first |
//! | R7 forgetting | down for [`forget_after`](Config::forget_after) is removed; who returns is seen again, whole |
//! | R8 goodbye | who reconnects elsewhere within [`handover`](Config::handover) never departs |
//! | R9 restart | a newer incarnation that is heard retires the older one |
//! | R10 causes | every visible change is in exactly one [`Event::Changed`], in order, with its cause |
//! | R11 admission | [`Trust::Owners`] takes of a peer only its own words; what is refused is counted and changes nothing |
//! | R12 honest view | [`peers`](Sync::peers) says who is there and who agrees; [`is_settled`](Sync::is_settled) tells "nobody" from "not known yet" |
//! | R13 bounded | memory beyond the state is O(peers); one call handles one message of bounded size |
//!
//! Whole, with the messages, the timers and what each fault costs:
//! [sync](https://github.com/lattice-presence/lattice-presence/blob/main/docs/sync.md).
//! What the state itself promises, S1 to S14: [`lattice_presence::rules`].
//!
//! # Features
//!
//! There are none; the crate is `no_std` with `alloc`.
//!
//! # Examples, sister crates
//!
//! - [the whole loop](https://github.com/lattice-presence/lattice-presence/blob/main/README.md#with-a-transport-of-your-own),
//!   and the same [with TCP](https://github.com/lattice-presence/lattice-presence/blob/main/crates/lattice-presence-sync/examples/cluster/node.rs);
//! - [`lattice-presence`](https://docs.rs/lattice-presence) is the state below it, and
//!   [`lattice-presence-json`](https://docs.rs/lattice-presence-json) writes the messages;
//! - [who can do what to whom](https://github.com/lattice-presence/lattice-presence/blob/main/SECURITY.md).
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod admission;
mod arrivals;
mod compare;
mod config;
mod edits;
mod event;
mod input;
mod liveness;
mod lives;
mod log;
mod machine;
mod mail;
mod peer;
mod push;
mod receive;
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
pub use input::{Input, InputError};
pub use lattice_presence::{Body, MESSAGE_VERSION, Message, Piece, Refusal, Shard};
pub use machine::{Counters, Sync};
pub use refused::{Refused, RefusedCounts};
pub use status::{Liveness, PeerStatus, Stranger};

/// The front page, whose example must run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

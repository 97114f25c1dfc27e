//! Replication, repair and liveness of presence, as one state machine without I/O.
//!
//! A [`PresenceState`](lattice_presence::PresenceState) is the list of one node. In a
//! cluster somebody must send its changes, find out what was lost, and decide who is
//! down. [`Sync`] does this, and nothing else. It has no I/O, no clock, no randomness and
//! no format. Time is an argument: a [`Duration`](core::time::Duration) since any start
//! that the caller chose. A seed gives jitter and random peers. Messages are values.
//!
//! This crate is for you if you have a transport of your own, on any runtime or on none.
//! On tokio, over zenoh, Redis or NATS, take
//! [`lattice-presence-node`](https://docs.rs/lattice-presence-node). It runs this
//! machine.
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
//! Your loop makes these calls, in any order:
//!
//! | call | when |
//! |---|---|
//! | [`join`](Sync::join), [`update`](Sync::update), [`leave`](Sync::leave), [`leave_by_pid`](Sync::leave_by_pid) | a client does something |
//! | [`receive`](Sync::receive) | a message arrived |
//! | [`hint`](Sync::hint) | the transport believes something of a peer |
//! | [`handle`](Sync::handle) | any of these, as a value from a queue |
//! | [`advance`](Sync::advance) | at [`next_timeout`](Sync::next_timeout), and at any other time |
//! | [`poll_transmit`](Sync::poll_transmit) | the transport has room. Repeat it until there is nothing |
//! | [`poll_event`](Sync::poll_event) | after each of these calls. Repeat it until there is nothing |
//!
//! # The rules
//!
//! The documentation uses the numbers of these rules. Each rule has tests with its
//! number.
//!
//! | rule | what you can rely on |
//! |---|---|
//! | R1 pure | the same inputs give the same outputs |
//! | R2 push | a change is in the next transmit to all. Changes that wait become one delta |
//! | R3 heartbeat | one message of constant size to all. If all agree, nothing else is sent |
//! | R4 repair | a node that lacks something of an owner asks that owner. Answers are bounded |
//! | R5 quiet | nobody asks for messages that are still on their way. Without loss there are no questions |
//! | R6 liveness | a peer that is heard is up. A peer that is silent for [`down_after`](Config::down_after) is down. A node that hears nobody first assumes that it is cut off itself |
//! | R7 forgetting | a peer that is down for [`forget_after`](Config::forget_after) is removed. If it returns, all its entries are seen again |
//! | R8 goodbye | if a node says goodbye, and a user connects to another node within [`handover`](Config::handover), the user never departs |
//! | R9 restart | a newer incarnation that is heard replaces the older one |
//! | R10 causes | every visible change is in exactly one [`Event::Changed`], in order, with its cause |
//! | R11 admission | under [`Trust::Owners`] a peer may speak only for itself. What is refused is counted, and changes nothing |
//! | R12 honest view | [`peers`](Sync::peers) says who is there and who agrees. [`is_settled`](Sync::is_settled) distinguishes "nobody is there" from "not known yet" |
//! | R13 bounded | memory beyond the state is O(peers). One call handles one message of bounded size |
//!
//! The full rules, the messages, the timers, and what each fault costs:
//! [sync](https://github.com/lattice-presence/lattice-presence/blob/main/docs/sync.md).
//! What the state itself promises, S1 to S14: [`lattice_presence::rules`].
//!
//! # Features
//!
//! There are none. The crate is `no_std` with `alloc`.
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

/// The front page. Its example must run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

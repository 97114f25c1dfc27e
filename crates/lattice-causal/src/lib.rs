//! The causal core of delta-state CRDTs: dots, causal contexts kept as
//! intervals, dot stores, deltas that carry removals, digests that reveal them.
//!
//! This crate is for authors of CRDTs, data types whose copies are changed apart and merged in any
//! order, and for users of those that are here. To know who is online on a cluster, take
//! [`lattice-presence-node`](https://docs.rs/lattice-presence-node), which is built on it.
//!
//! A replica names each of its events by a [`Dot`]. A state is a *dot store*, the
//! dots that are alive with what they carry, and a [`CausalContext`], all the
//! dots that it has seen: [`Causal`]. Joining two states needs nothing else, no
//! clock and no coordinator: a dot that one side has seen and does not hold has
//! died there. A delta is a small state, and merges like one.
//!
//! ```
//! use lattice_causal::{Causal, Dot, DotFun};
//!
//! // Two replicas of a bag of words.
//! let mut a = Causal::<DotFun<&str, &str>>::new();
//! let mut b = a.clone();
//! a.insert(&Dot::new("a", 1), "hello");
//! b.insert(&Dot::new("b", 1), "world");
//!
//! // They exchange digests, and send what the other lacks.
//! let to_b = a.delta_since(&b.digest());
//! let to_a = b.delta_since(&a.digest());
//! a.merge(&to_a);
//! b.merge(&to_b);
//! assert_eq!(a, b);
//!
//! // A removal mints no dot, yet the digest shows it and the delta carries it.
//! a.remove(&Dot::new("a", 1));
//! assert_ne!(a.digest(), b.digest());
//! b.merge(&a.delta_since(&b.digest()));
//! assert_eq!(b.store().iter().collect::<Vec<_>>(), [(&"b", 1, &"world")]);
//! ```
//!
//! # What is here
//!
//! - [`Dot`], [`ClockSet`], [`VersionVector`], [`CausalContext`]: what was seen.
//!   A gap of a million clocks costs one interval; there is no compaction to call.
//! - [`DotSet`], [`DotFun`], [`DotMap`]: what is alive, per replica in clock order.
//! - [`Causal`]: both, with the join, [`delta_since`](Causal::delta_since) and
//!   [`merge_with`](Causal::merge_with), which reports each change to an
//!   [`Observer`].
//! - [`AwSet`], [`RwSet`], [`MvRegister`], [`LwwRegister`], [`PnCounter`],
//!   [`EwFlag`], [`OrMap`]: CRDTs on these. Each mutator returns its delta. They nest
//!   in an `OrMap`, as does every other [`CausalCrdt`]: operations read a [`View`] and
//!   return an [`Edit`]. A set that only grows is not among them: it needs no dots, and
//!   a `BTreeSet` merges by `extend`; one that a reset of its map shall empty is an
//!   `AwSet` of which nobody removes.
//!
//! Which dot store serves what, what deltas and digests cost, and how other crates
//! compare, is on [a page of its own](https://github.com/lattice-presence/lattice-presence/blob/main/docs/core.md).
//!
//! The vocabulary is that of Almeida, Shoker, Baquero, "Delta state replicated
//! data types", Journal of Parallel and Distributed Computing 111 (2018).
//!
#![cfg_attr(
    all(feature = "laws", feature = "serde"),
    doc = include_str!("first_crdt.md")
)]
#![cfg_attr(
    not(all(feature = "laws", feature = "serde")),
    doc = "# Your first CRDT\n\nThis chapter is shown where the features `laws` and `serde` are on."
)]
//!
//! # What is not here
//!
//! No clock, no I/O, no randomness, no serialization format, no membership: who
//! the replicas are and when they talk is the caller's affair.
//!
//! # Features
//!
//! None is on by default; the crate needs `alloc` alone.
//!
//! - `serde`: `Serialize` and `Deserialize` for everything that is a value. Maps
//!   are ascending sequences of pairs, clock sets ascending `[first, last]`
//!   intervals, live dots are listed. Equal values give equal bytes. Decoding
//!   accepts that form only and refuses the rest: clocks out of range; intervals or
//!   keys that are unsorted, repeated, overlapping or adjacent; empty entries; a
//!   dot under two keys; a live dot that the context has not seen. No interval is
//!   ever expanded, and nothing is allocated on the word of the input.
//! - `laws`: the module `laws`, which checks the lattice laws of any type.
//! - `quickcheck`: `Arbitrary`, with shrinking, for everything that is a value
//!   (uses `std`). The generated states speak of the same few replicas, clocks and
//!   keys, and agree about what each dot carries.
//!
//! # Limits
//!
//! Clocks are in `1..=`[`MAX_CLOCK`]. A clock outside is a member of no set:
//! inserting it changes nothing, looking it up finds nothing.
//!
//! # Rules, examples, sister crates
//!
//! - the laws that every state here obeys: the module `laws`, with that feature;
//! - [a to-do list](https://github.com/lattice-presence/lattice-presence/blob/main/crates/lattice-causal/examples/todo_list.rs),
//!   and a CRDT in
//!   [a crate of its own](https://github.com/lattice-presence/lattice-presence/blob/main/examples/external-crdt/src/lib.rs);
//! - [`lattice-presence`](https://docs.rs/lattice-presence) is a CRDT on this crate: who is
//!   online, where. Its
//!   [rules](https://docs.rs/lattice-presence/latest/lattice_presence/rules/index.html) say what
//!   that promises.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(any(feature = "quickcheck", test))]
extern crate std;

#[cfg(feature = "quickcheck")]
mod arbitrary;
mod causal;
mod clock_set;
mod context;
mod crdt;
mod deaths;
mod digest;
mod dot;
mod edit;
mod error;
mod fingerprint;
#[cfg(feature = "laws")]
pub mod laws;
mod question;
mod replica_map;
#[cfg(feature = "serde")]
mod serde_impls;
mod store;
mod version_vector;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "quickcheck")]
pub use arbitrary::ArbitraryStore;
pub use causal::{Causal, Split};
pub use clock_set::ClockSet;
pub use context::CausalContext;
pub use crdt::{AwSet, CausalCrdt, EwFlag, LwwRegister, MvRegister, OrMap, PnCounter, RwSet, View};
pub use digest::{Digest, ReplicaDigest};
pub use dot::{Dot, MAX_CLOCK};
pub use edit::Edit;
pub use error::{ClockExhausted, UncoveredDot};
pub use fingerprint::{dot_fingerprint, identity_of};
pub use question::{Answer, Asked, Held, Part, Question};
pub use store::{DotFun, DotMap, DotSet, DotStore, Identify, Observer, RunIter, Summary};
pub use version_vector::VersionVector;

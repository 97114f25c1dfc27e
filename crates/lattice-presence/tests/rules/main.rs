//! The contract, rule by rule: tests named `s1_…` to `s14_…` after `docs/semantics.md`.

#![allow(
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core,
    reason = "tests have std"
)]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![allow(unused_must_use, reason = "not every test reads every diff")]
#![allow(missing_docs, unreachable_pub, reason = "test modules")]

mod deltas;
mod identity;
mod liveness;
mod merge;
mod mutation;
mod names;
mod order;
mod page;
mod reads;
mod refusals;
mod restarts;
mod returns;
mod successors;
mod support;

//! The rules R1 to R13, each by its number.
#![allow(
    clippy::std_instead_of_core,
    clippy::std_instead_of_alloc,
    reason = "tests have the standard library"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a helper that fails is a test that fails"
)]

mod admission;
mod honesty;
mod lifecycle;
mod liveness;
mod net;
mod replication;
